"""Choosing hyperparameters on orthogonal losses, inside the training folds only."""

from promo_uplift.tuning.crossfit import cross_fit_learner, fit_held_out
from promo_uplift.tuning.deployed import DeployedLearner, fit_deployed
from promo_uplift.tuning.digest import study_digest, tuning_settings
from promo_uplift.tuning.interval import held_out_interval
from promo_uplift.tuning.losses import loss_terms
from promo_uplift.tuning.search import check_configured_learner
from promo_uplift.tuning.warm_start import read_warm_start, tuned_parameters

__all__ = [
    "DeployedLearner",
    "check_configured_learner",
    "cross_fit_learner",
    "fit_deployed",
    "fit_held_out",
    "held_out_interval",
    "loss_terms",
    "read_warm_start",
    "study_digest",
    "tuned_parameters",
    "tuning_settings",
]
