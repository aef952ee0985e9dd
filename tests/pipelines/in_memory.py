"""The pipelines on catalogs in memory: a world with a known effect, and small strict parameters."""

from __future__ import annotations

import numpy as np
import pandas as pd
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from promo_uplift.checks.report import default_check_parameters
from promo_uplift.contracts.experiment_parameters import ExperimentParameters
from promo_uplift.contracts.parameters import (
    CovariateGroup,
    EstimationParameters,
    ExplanationParameters,
    MetricParameters,
    NuisanceParameters,
    PoliciesParameters,
    PolicyParameters,
    ReportParameters,
    ScoringParameters,
    SensitivityParameters,
    SourceParameters,
    TrialParameters,
    TuningParameters,
    WordingParameters,
)
from promo_uplift.contracts.what_if import WhatIfParameters

COVARIATES = ["pre_spend_usd", "pre_visits", "demo_age"]
#: Households with more than 10 visits respond by this much, the others by nothing.
EFFECT_USD = 30.0
RESPONDING_VISITS = 10.0
TREES = {
    "n_estimators": 30,
    "learning_rate": 0.15,
    "num_leaves": 4,
    "min_child_samples": 40,
    "reg_lambda": 1.0,
    "colsample_bytree": 1.0,
}
NOTHING = {"defaults": {}, "search_space": {}}
BOOSTED = {"defaults": TREES, "search_space": {}}
TUNED = {"defaults": TREES, "search_space": {"num_leaves": {"kind": "int", "low": 2, "high": 4}}}
LEARNERS = {
    "zero": NOTHING,
    "constant": NOTHING,
    "random": NOTHING,
    "response": BOOSTED,
    "t_learner": BOOSTED,
    "dr_learner": TUNED,
}


class KeptDataset(MemoryDataset):
    """Stays after its last reader, so that a test can look at what a pipeline passed on."""

    def _release(self):
        pass


def parameters(**changed):
    """Typed parameters of a small run, as the nodes receive them."""
    values = {
        "trials": TrialParameters(
            treatment_definition="campaign_targeted",
            control_definition="not_targeted",
            campaign_types=["TypeA"],
            campaigns=None,
            pre_days=84,
            history_days=126,
            outcome_days=28,
            post_days=28,
            placebo_shift_days=28,
            washout_days=0,
            min_arm_households=2,
        ),
        "nuisance": NuisanceParameters(
            n_folds=3, propensity_clip=0.02, n_trials=0, timeout_seconds=60.0, model=BOOSTED
        ),
        "estimation": EstimationParameters(
            outcome="spend_usd",
            learners=LEARNERS,
            candidates=["t_learner", "dr_learner"],
            selection_loss="dr_loss",
            selection_standard_errors=1.0,
            selection_clearance=1.0,
            n_workers=1,
            interval_replicates=4,
        ),
        "tuning": TuningParameters(
            loss="r_loss",
            n_trials=2,
            timeout_seconds=60.0,
            n_startup_trials=1,
            pruner_warmup_folds=1,
        ),
        "metrics": MetricParameters(uplift_shares=[0.1, 0.3], level=0.95, bootstrap_replicates=100),
        "policy": PolicyParameters(
            margin_rate=0.25,
            contact_cost_usd=2.0,
            redemption_cost_usd=1.0,
            values_are_assumptions=False,
            grid_points=41,
            support_quantile=0.0,
        ),
        "sensitivity": SensitivityParameters(
            strengths=[1.0, 1.5],
            max_strength=20.0,
            tolerance=0.01,
            replicates=50,
            strata=2,
            min_stratum_rows=20,
            yardsticks=[CovariateGroup(name="past spend", patterns=["pre_*"])],
            yardstick_quantile=0.95,
            yardstick_c=0.1,
            yardstick_max_rows=5_000,
        ),
        "policies": PoliciesParameters(
            decides="chosen",
            learner="shown",
            error_replicates=2,
            rules={
                **{name: {} for name in ("none", "all", "current", "random", "response")},
                "break_even": {},
                "lower_bound": {"level": 0.8},
                "policy_tree": {
                    "max_depth": 1,
                    "min_leaf_share": 0.1,
                    "min_balancedness_tol": 0.45,
                    "honest": True,
                },
                "segments": {"by": [], "quantiles": [0.5], "level": 0.9, "min_rows": 30},
            },
        ),
        "what_if": WhatIfParameters.model_validate(
            {
                "contact_costs_usd": [1.0, 2.0],
                "margin_rates": [0.25, 0.5],
                "scenarios": {"contact_cost_doubled": {"contact_cost_usd": {"times": 2.0}}},
            }
        ),
        "checks": default_check_parameters(),
        "wording": WordingParameters(
            unit="USD",
            decimals=2,
            treatment="mailing",
            treated="mailed",
            subject="household",
            subjects="households",
            horizon="in 28 days",
        ),
        "report": ReportParameters(curve_points=11, histogram_bins=10, calibration_groups=3),
        "explanation": ExplanationParameters(max_rows=300, fallback_rows=30),
        "experiment": ExperimentParameters(
            question="targeting",
            control_share=0.5,
            unit_cost_usd=0.0,
            fixed_cost_usd=0.0,
            n_strata=4,
            segment=None,
            min_arm_households=5,
            max_waves=3,
            days_between_waves=0,
            horizon_campaigns=12,
            prior_inflation=1.0,
            effect_multiples=[1.0, 2.0],
            power_points=5,
            max_smd=0.5,
            min_joint_p_value=0.05,
            max_draws=50,
            min_ratio_p_value=0.001,
            min_attrition_p_value=0.01,
            max_missing_share=0.05,
        ),
        "source": SourceParameters(form="package", folder=None),
        "scoring": ScoringParameters(
            alias="champion", table=None, as_of=None, id_column=None, chunk_rows=700
        ),
        "seed": 7,
    }
    return {f"params:{name}": value for name, value in (values | changed).items()}


def trial_table(*, effect_usd, n_households=1_000, seed=1):
    """Two randomised campaigns per household; visits drive the effect, spend the outcome."""
    rng = np.random.default_rng(seed)
    household = np.repeat(np.arange(1, n_households + 1), 2)
    n = len(household)
    visits = rng.integers(1, 21, n).astype(float)
    spend = rng.gamma(2.0, 50.0, n)
    treatment = rng.integers(0, 2, n)
    effect = np.where(visits > RESPONDING_VISITS, effect_usd, 0.0)
    outcome = 20.0 + 0.2 * spend + effect * treatment + rng.normal(0.0, 12.0, n)
    return pd.DataFrame(
        {
            "household_id": household,
            "campaign_id": np.tile([8, 13], n_households),
            "treatment": treatment,
            "redeemed": treatment * (rng.random(n) < 0.1),
            "spend_usd": outcome,
            "pre_spend_usd": spend,
            "pre_visits": visits,
            "demo_age": np.where(rng.random(n) < 0.5, np.nan, rng.integers(1, 7, n)),
        }
    )


def true_effect(trials, effect_usd):
    """Effect of the mailing on each row, USD."""
    return np.where(trials["pre_visits"] > RESPONDING_VISITS, effect_usd, 0.0)


def run(pipeline, inputs):
    """Run a pipeline in memory; return every dataset that it made, by name."""
    made = sorted(pipeline.all_outputs())
    catalog = DataCatalog(
        {name: MemoryDataset(value) for name, value in inputs.items()}
        | {name: KeptDataset() for name in made}
    )
    SequentialRunner().run(pipeline, catalog)
    return {name: catalog.load(name) for name in made}
