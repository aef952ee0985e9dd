"""CATE learners and baselines: one protocol, one registry, one file per learner."""

from promo_uplift.learners.conformance import check_learner
from promo_uplift.learners.registry import (
    LEARNERS,
    LearnerSpec,
    build_learner,
    check_learners,
    check_some_can_run,
    learner_role,
    learner_spec,
    left_out_learners,
    refuse_left_out,
)

__all__ = [
    "LEARNERS",
    "LearnerSpec",
    "build_learner",
    "check_learner",
    "check_learners",
    "check_some_can_run",
    "learner_role",
    "learner_spec",
    "left_out_learners",
    "refuse_left_out",
]
