"""Ours and other libraries' learners on data sets that no one here made."""

from __future__ import annotations

import pandas as pd

from promo_uplift.benchmark.outside import compare_outside_sets, run_outside_sets
from promo_uplift.benchmark.sets.parameters import OutsideParameters
from promo_uplift.benchmark.worlds import BenchmarkParameters
from promo_uplift.contracts.parameters import (
    AnalysisParameters,
    CheckParameters,
    EstimationParameters,
    MetricParameters,
    NuisanceParameters,
    PolicyParameters,
    TuningParameters,
    WordingParameters,
)


def run_sets(
    nuisance: NuisanceParameters,
    estimation: EstimationParameters,
    tuning: TuningParameters,
    metrics: MetricParameters,
    policy: PolicyParameters,
    checks: CheckParameters,
    wording: WordingParameters,
    outside: OutsideParameters,
    benchmark: BenchmarkParameters,
) -> pd.DataFrame:
    """Run every piece of every set that is there; say of the others why they are skipped."""
    return run_outside_sets(
        outside=outside,
        benchmark=benchmark,
        analysis=AnalysisParameters(
            nuisance=nuisance,
            estimation=estimation,
            tuning=tuning,
            metrics=metrics,
            policy=policy,
            checks=checks,
            wording=wording,
        ),
    )


def compare_sets(rows: pd.DataFrame, outside: OutsideParameters, seed: int) -> pd.DataFrame:
    """Put ours beside every peer and published figure, each difference with its interval."""
    return compare_outside_sets(rows=rows, outside=outside, seed=seed)
