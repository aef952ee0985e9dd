"""Average effects over repeated cross-fitting."""

from __future__ import annotations

import pandas as pd

from promo_uplift.analysis.estimation import average_effects, estimate_nuisances
from promo_uplift.contracts.parameters import (
    CheckParameters,
    MetricParameters,
    NuisanceParameters,
    TuningParameters,
)
from promo_uplift.contracts.results import CrossFittedNuisances, TrialData
from promo_uplift.effects import median_effects
from promo_uplift.nuisance.seeding import derived_seed


def repeated_effects(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    nuisance: NuisanceParameters,
    n_workers: int,
    tuning: TuningParameters,
    metrics: MetricParameters,
    checks: CheckParameters,
    seed: int,
    progress: bool = False,
) -> pd.DataFrame:
    """Average effects, the median over ``nuisance.n_repeats`` fold plans.

    The first plan is the analysis's own; each other one is a fresh cross-fit under a seed of its
    own, kept in the store like the first. Rankings, policies and checks stay with the first.

    Parameters
    ----------
    data, nuisances
        Rows, and the nuisances of the first plan.
    nuisance, n_workers, tuning, seed, progress
        As in :func:`promo_uplift.analysis.estimation.estimate_nuisances`.
    metrics, checks
        Level, and the bounds of the overlap.
    """
    others = (
        estimate_nuisances(
            data=data,
            nuisance=nuisance,
            n_workers=n_workers,
            tuning=tuning,
            seed=derived_seed(seed=seed, purpose="repeat", index=(repeat,)),
            progress=progress,
        )
        for repeat in range(1, nuisance.n_repeats)
    )
    tables = [
        average_effects(data=data, nuisances=plan, metrics=metrics, checks=checks)
        for plan in (nuisances, *others)
    ]
    return median_effects(tables=tables, level=metrics.level)
