"""Small worlds and analyses for the tests of the benchmark."""

from __future__ import annotations

from promo_uplift.benchmark.worlds import (
    AnalysisSizes,
    BenchmarkParameters,
    CardParameters,
    NieWagerWorld,
    SpendWorld,
)
from promo_uplift.checks import CHECKS
from promo_uplift.checks.report import default_check_parameters
from promo_uplift.contracts.parameters import AnalysisParameters


def spend_world(**changed):
    values = {
        "kind": "spend",
        "n_households": [300],
        "full": 1,
        "effects": 1,
        "pointwise": 0,
        "effect": "linear",
        "effect_usd": 10.0,
        "n_campaigns": 1,
        "n_covariates": 4,
        "base_usd": 100.0,
        "baseline_spread": 0.8,
        "responding_share": 0.1,
        "log_odds_sd": 0.8,
        "hidden_confounding": 0.0,
        "zero_share": 0.1,
        "log_spend_sd": 0.7,
        "household_share": 0.5,
    }
    return SpendWorld.model_validate(values | changed)


def nie_wager_world(**changed):
    values = {
        "kind": "nie_wager",
        "setup": "b",
        "n_households": [300],
        "full": 1,
        "effects": 1,
        "pointwise": 0,
        "n_covariates": 5,
        "noise_sd": 1.0,
    }
    return NieWagerWorld.model_validate(values | changed)


def benchmark_parameters(*, folder, worlds, n_workers=1, progress=False):
    return BenchmarkParameters(
        root=None,
        folder=str(folder),
        n_workers=n_workers,
        progress=progress,
        quantiles=3,
        population_households=20_000,
        analysis=AnalysisSizes(
            n_folds=3,
            bootstrap_replicates=50,
            interval_replicates=2,
            redemption_cost_usd=0.0,
            grid_points=11,
            learners={},
        ),
        card=CardParameters(
            cover_low=0.92, cover_high=0.98, max_false_discovery=0.05, n_households=300
        ),
        worlds=worlds,
    )


TREES = {
    "n_estimators": 10,
    "learning_rate": 0.2,
    "num_leaves": 4,
    "min_child_samples": 20,
    "reg_lambda": 1.0,
    "colsample_bytree": 1.0,
}
NOTHING = {"defaults": {}, "search_space": {}}
BOOSTED = {"defaults": TREES, "search_space": {}}


def analysis_parameters(*, learners=None):
    """A run's parameters with few, small learners; the benchmark replaces the sizes."""
    chosen = {
        "zero": NOTHING,
        "constant": NOTHING,
        "random": NOTHING,
        "response": BOOSTED,
        "t_learner": BOOSTED,
        **(learners or {}),
    }
    return AnalysisParameters.model_validate(
        {
            "nuisance": {
                "n_folds": 5,
                "propensity_clip": 0.02,
                "n_trials": 3,
                "timeout_seconds": 60.0,
                "model": BOOSTED,
            },
            "estimation": {
                "outcome": "spend_usd",
                "selection_loss": "dr_loss",
                "selection_standard_errors": 1.0,
                "selection_clearance": 1.0,
                "n_workers": 2,
                "interval_replicates": 20,
                "candidates": ["t_learner", *(learners or {})],
                "learners": chosen,
            },
            "tuning": {
                "loss": "r_loss",
                "n_trials": 4,
                "timeout_seconds": 60.0,
                "n_startup_trials": 1,
                "pruner_warmup_folds": 1,
                "storage": "never/written.log",
                "progress": True,
            },
            "metrics": {"uplift_shares": [0.2], "level": 0.95, "bootstrap_replicates": 500},
            "policy": {
                "margin_rate": 0.25,
                "contact_cost_usd": 0.75,
                "redemption_cost_usd": 1.0,
                "values_are_assumptions": True,
                "grid_points": 101,
                "support_quantile": 0.0,
            },
            "checks": {
                **default_check_parameters().model_dump(),
                "on_fail": dict.fromkeys(CHECKS, "experiment_needed"),
            },
            "wording": {
                "unit": "USD",
                "decimals": 2,
                "treatment": "mailing",
                "treated": "mailed",
                "subject": "household",
                "subjects": "households",
                "horizon": "",
            },
        }
    )
