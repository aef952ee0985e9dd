"""A champion whose figures differ from household to household, and households to score with it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import NuisanceValues
from promo_uplift.learners import build_learner
from promo_uplift.learners.intervals import with_half_sample_interval
from promo_uplift.nuisance.deployment import DeploymentNuisances
from promo_uplift.nuisance.models import ConstantRate
from promo_uplift.policy import ScoringModel, support_ranges
from promo_uplift.trials import TableEncoder
from promo_uplift.trials.table import MISSING, EncodedColumn

ENCODER = TableEncoder(
    columns=(
        EncodedColumn(name="spend", kind="number"),
        EncodedColumn(name="visits", kind="number"),
        EncodedColumn(name="channel", kind="category", levels=(MISSING, "phone", "web")),
    )
)
TREES = {
    "n_estimators": 20,
    "learning_rate": 0.1,
    "num_leaves": 4,
    "min_child_samples": 20,
    "reg_lambda": 1.0,
    "colsample_bytree": 0.8,
    "max_bin": 63,
}


def households(*, n_rows, seed):
    """Rows as a retailer keeps them: ids, a date, numbers and categories with gaps."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "household_id": np.arange(n_rows),
            "start_date": pd.Timestamp("2017-03-01"),
            "spend": rng.gamma(2.0, 30.0, n_rows),
            "visits": rng.normal(4.0, 1.0, n_rows),
            "channel": rng.choice(["phone", "web"], n_rows),
        }
    )
    frame.loc[rng.random(n_rows) < 0.2, "visits"] = np.nan
    frame.loc[rng.random(n_rows) < 0.2, "channel"] = None
    return frame


def new_households():
    """Rows to score: some outside the training range, some of a category that it never saw."""
    frame = households(n_rows=400, seed=1)
    frame.loc[::17, "spend"] = 1e6
    frame.loc[3::19, "spend"] = np.nan
    frame.loc[5::23, "channel"] = "fax"
    return frame


def scoring_model(*, seed=0):
    """A learner of trees with an interval, so that all four figures of a household are its own."""
    frame = households(n_rows=600, seed=seed)
    covariates, _ = ENCODER.encode(frame)
    rng = np.random.default_rng(seed)
    treatment = rng.integers(0, 2, len(frame))
    effect = np.where(frame["spend"] > 60.0, 8.0, 0.0)
    outcome = 0.5 * frame["spend"].to_numpy() + effect * treatment + rng.normal(size=len(frame))
    half = np.full(len(frame), 0.5)
    mean = 0.5 * frame["spend"].to_numpy()
    learner = with_half_sample_interval(
        build=lambda: build_learner(name="t_learner", choice=TREES), n_replicates=3
    ).fit(
        covariates=covariates,
        treatment=treatment,
        outcome=outcome,
        nuisances=NuisanceValues(propensity=half, mu0=mean, mu1=mean + effect),
        groups=frame["household_id"].to_numpy(),
        rng=rng,
    )
    rates = DeploymentNuisances(
        propensity=ConstantRate(rate=0.5),
        redemption=ConstantRate(rate=0.1),
        covariate_names=tuple(covariates.columns),
        campaigns=np.array([8]),
        clip=0.02,
    )
    return ScoringModel(
        learner=learner,
        propensity_model=rates,
        redemption_model=rates,
        covariates=tuple(covariates.columns),
        ranges=support_ranges(
            covariates=covariates, quantile=0.0, overlap_low=0.1, overlap_high=0.9
        ),
        parameters=PolicyParameters(
            margin_rate=0.5,
            contact_cost_usd=1.0,
            redemption_cost_usd=0.0,
            values_are_assumptions=True,
            grid_points=11,
            support_quantile=0.0,
        ),
        verdict_name="publish",
        cate_threshold_usd=2.0,
        level=0.95,
        encoder=ENCODER,
    )
