"""Policies, one per file: who is contacted, and the rule in words."""

from promo_uplift.policy.rules.base import (
    Constraint,
    FittedPolicy,
    NoSettings,
    OfAnother,
    Policy,
    PolicyTraining,
    PolicyView,
)
from promo_uplift.policy.rules.frozen import ComparesRows, frozen_rule
from promo_uplift.policy.rules.registry import BASELINES, POLICIES, build_policies

__all__ = [
    "BASELINES",
    "POLICIES",
    "ComparesRows",
    "Constraint",
    "FittedPolicy",
    "NoSettings",
    "OfAnother",
    "Policy",
    "PolicyTraining",
    "PolicyView",
    "build_policies",
    "frozen_rule",
]
