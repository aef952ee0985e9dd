"""Data sets that no one here made, read from a folder that the user names."""

from promo_uplift.benchmark.sets.bundle import (
    BenchmarkSet,
    SetSpec,
    SkippedSet,
    numeric_covariates,
    to_trial_data,
)
from promo_uplift.benchmark.sets.registry import SETS, find_set, load_set, set_spec

__all__ = [
    "SETS",
    "BenchmarkSet",
    "SetSpec",
    "SkippedSet",
    "find_set",
    "load_set",
    "numeric_covariates",
    "set_spec",
    "to_trial_data",
]
