"""IHDP: real covariates of 747 infants, simulated outcomes, replicates 1 to 5.

A part of the treated was removed on purpose, so the arms differ. The file has no header:
treatment, outcome, counterfactual outcome, mu0, mu1, then 25 covariates. The counterfactual
outcome is dropped: no analysis may see it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from promo_uplift.benchmark.sets.bundle import BenchmarkSet, SetSpec
from promo_uplift.benchmark.sets.reading import coded, read_csv, refuse_not_finite
from promo_uplift.contracts.results import TrialTruth

COVARIATES = tuple(f"x{number}" for number in range(1, 26))
TREATMENT = "treatment"
OUTCOME = "y_factual"
COLUMNS = (TREATMENT, OUTCOME, "y_counterfactual", "mu0", "mu1", *COVARIATES)


def files(replicate: int) -> tuple[str, ...]:
    """Name the file of one replicate."""
    return (f"ihdp_npci_{replicate}.csv",)


def load(folder: Path, replicate: int) -> BenchmarkSet:
    """Load one replicate.

    Raises
    ------
    SourceError
        Naming the file and column that is not as published.
    """
    path = folder / files(replicate)[0]
    frame = read_csv(path=path, columns=COLUMNS, header=False)
    refuse_not_finite(path=path, frame=frame, columns=COLUMNS)
    treatment = coded(path=path, frame=frame, column=TREATMENT, codes={0: 0, 1: 1})
    mu0, mu1 = (frame[name].to_numpy(dtype=np.float64) for name in ("mu0", "mu1"))
    return BenchmarkSet(
        name=SPEC.name,
        replicate=replicate,
        frame=frame[[TREATMENT, OUTCOME, *COVARIATES]].assign(**{TREATMENT: treatment}),
        treatment=TREATMENT,
        outcome=OUTCOME,
        covariates=COVARIATES,
        groups=None,
        known_propensity=None,
        outcome_range=None,
        truth=TrialTruth(cate=mu1 - mu0, propensity=np.full(len(mu0), np.nan), mu0=mu0, mu1=mu1),
    )


SPEC = SetSpec(
    name="ihdp",
    folder="ihdp",
    files=files,
    replicates=(1, 2, 3, 4, 5),
    design="observational",
    load=load,
    summary="Real covariates, simulated outcomes, true effects; 747 rows, 139 treated.",
    licence="research data; in causal-inference packages such as econml",
)
