"""Choosing hyperparameters on orthogonal losses, inside the training folds only."""

from promo_uplift.tuning.crossfit import cross_fit_learner, fit_held_out
from promo_uplift.tuning.deployed import DeployedLearner, fit_deployed, fit_deployed_ensemble
from promo_uplift.tuning.digest import study_digest, tuning_settings
from promo_uplift.tuning.interval import cross_fitted_errors, held_out_interval
from promo_uplift.tuning.losses import loss_terms
from promo_uplift.tuning.search import check_configured_learner, check_configured_learners
from promo_uplift.tuning.stacking import (
    combine_cross_fitted,
    deployed_weights,
    ensemble_members,
    is_combination,
)
from promo_uplift.tuning.warm_start import read_warm_start, tuned_parameters

__all__ = [
    "DeployedLearner",
    "check_configured_learner",
    "check_configured_learners",
    "combine_cross_fitted",
    "cross_fit_learner",
    "cross_fitted_errors",
    "deployed_weights",
    "ensemble_members",
    "fit_deployed",
    "fit_deployed_ensemble",
    "fit_held_out",
    "held_out_interval",
    "is_combination",
    "loss_terms",
    "read_warm_start",
    "study_digest",
    "tuned_parameters",
    "tuning_settings",
]
