"""Choosing hyperparameters on orthogonal losses, inside the training folds only."""

from promo_uplift.tuning.crossfit import cross_fit_learner, fit_held_out
from promo_uplift.tuning.deployed import DeployedLearner, fit_deployed
from promo_uplift.tuning.digest import study_digest
from promo_uplift.tuning.interval import held_out_interval
from promo_uplift.tuning.losses import loss_terms
from promo_uplift.tuning.search import check_configured_learner

__all__ = [
    "DeployedLearner",
    "check_configured_learner",
    "cross_fit_learner",
    "fit_deployed",
    "fit_held_out",
    "held_out_interval",
    "loss_terms",
    "study_digest",
]
