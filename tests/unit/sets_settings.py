"""Settings of small analyses of the outside sets."""

from __future__ import annotations

from promo_uplift.benchmark.sets.parameters import OutsideParameters
from promo_uplift.checks.registry import CHECKS
from promo_uplift.checks.report import default_check_parameters
from promo_uplift.contracts.parameters import AnalysisParameters

TREES = {
    "n_estimators": 40,
    "learning_rate": 0.1,
    "num_leaves": 4,
    "min_child_samples": 10,
    "reg_lambda": 1.0,
    "colsample_bytree": 0.8,
}
TREND = {
    "trend_folds": 3,
    "trend_penalties": 10,
    "trend_smallest": 0.01,
    "trend_tolerance": 0.001,
}


def analysis_parameters(**changed):
    learners = {
        "zero": {},
        "constant": {},
        "random": {},
        "response": {"defaults": TREES},
        "t_learner": {"defaults": TREES},
        "trend_learner": {"defaults": TREES | TREND},
    }
    values = {
        "nuisance": {
            "n_folds": 3,
            "propensity_clip": 0.02,
            "n_trials": 0,
            "timeout_seconds": 60.0,
            "model": {"defaults": TREES},
        },
        "estimation": {
            "outcome": "outcome",
            "learners": learners,
            "candidates": ["t_learner", "trend_learner"],
            "selection_loss": "r_loss",
            "selection_standard_errors": 1.0,
            "selection_clearance": 1.0,
            "n_workers": 1,
            "interval_replicates": 2,
        },
        "tuning": {
            "loss": "r_loss",
            "n_trials": 0,
            "timeout_seconds": 60.0,
            "n_startup_trials": 1,
            "pruner_warmup_folds": 0,
        },
        "metrics": {"uplift_shares": [0.1, 0.3], "level": 0.95, "bootstrap_replicates": 60},
        "policy": {
            "margin_rate": 1.0,
            "contact_cost_usd": 0.0,
            "redemption_cost_usd": 0.0,
            "values_are_assumptions": False,
            "are_stated": False,
            "grid_points": 21,
            "support_quantile": 0.001,
        },
        "checks": {
            **default_check_parameters().model_dump(),
            "on_fail": dict.fromkeys(CHECKS, "experiment_needed")
            | {"PU-WINDOW": "refuse", "PU-LOTTERY": "refuse"}
            | dict.fromkeys(("PU-OVERLAP", "PU-SEPARATION", "PU-CLIPPED"), "bounds_only"),
        },
        "wording": {
            "unit": "units of the outcome",
            "decimals": None,
            "treatment": "treatment",
            "treated": "treated",
            "subject": "row",
            "subjects": "rows",
            "horizon": "",
        },
    }
    return AnalysisParameters.model_validate(values | changed)


def outside_parameters(**changed):
    values = {
        "root": None,
        "sets": ["ihdp"],
        "seeds": [11, 23],
        "all_seeds": [1],
        "training_shares": [0.6, 0.2],
        "max_groups": 100_000,
        "large_rows": 10_000,
        "large_folds": 3,
        "small_trials": 0,
        "large_trials": 0,
        "left_out_of_large": [],
        "evidence": 0.95,
        "uplift_shares": [0.1, 0.3],
        "calibration_bins": 5,
        "calibration_min_arm": 5,
        "tie_seed": 0,
        "tie_orders": 3,
        "bootstrap_replicates": 60,
        "level": 0.95,
        "peers": False,
    }
    return OutsideParameters.model_validate(values | changed)
