"""ACIC 2016: real covariates of 4,802 births, simulated treatment and outcome, settings 1 to 5.

The outcome is ``y1`` of the treated and ``y0`` of the others; the truth is the noiseless
``mu1 - mu0``. Settings 2 and 3 have one effect for everybody.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from promo_uplift.benchmark.sets.bundle import BenchmarkSet, SetSpec
from promo_uplift.benchmark.sets.reading import coded, read_csv, refuse_not_finite
from promo_uplift.contracts.errors import SourceError
from promo_uplift.contracts.results import TrialTruth

COVARIATES = tuple(f"x_{number}" for number in range(1, 59))
#: Published as letters; everything else is a number.
TEXT = ("x_2", "x_21", "x_24")
TREATMENT = "z"
OUTCOMES = ("y0", "y1", "mu0", "mu1")
OUTCOME = "y"


def files(replicate: int) -> tuple[str, ...]:
    """Name the files of one setting."""
    return ("x.csv", f"zymu_{replicate}.csv")


def load(folder: Path, replicate: int) -> BenchmarkSet:
    """Load one setting.

    Raises
    ------
    SourceError
        Naming the file and column that is not as published.
    """
    of_covariates, of_outcomes = (folder / name for name in files(replicate))
    covariates = read_csv(path=of_covariates, columns=COVARIATES)
    refuse_not_finite(
        path=of_covariates,
        frame=covariates,
        columns=[name for name in COVARIATES if name not in TEXT],
    )
    outcomes = read_csv(path=of_outcomes, columns=(TREATMENT, *OUTCOMES))
    refuse_not_finite(path=of_outcomes, frame=outcomes, columns=OUTCOMES)
    if len(covariates) != len(outcomes):
        raise SourceError(
            f"`{of_outcomes.name}` must have one row for each of `{of_covariates.name}`; found "
            f"{len(outcomes)} and {len(covariates)}. Fetch both again."
        )
    treatment = coded(path=of_outcomes, frame=outcomes, column=TREATMENT, codes={0: 0, 1: 1})
    outcome = outcomes["y1"].where(treatment == 1, outcomes["y0"])
    mu0, mu1 = (outcomes[name].to_numpy(dtype=np.float64) for name in ("mu0", "mu1"))
    return BenchmarkSet(
        name=SPEC.name,
        replicate=replicate,
        frame=pd.concat([covariates, treatment, outcome.rename(OUTCOME)], axis="columns"),
        treatment=TREATMENT,
        outcome=OUTCOME,
        covariates=COVARIATES,
        groups=None,
        known_propensity=None,
        outcome_range=None,
        truth=TrialTruth(cate=mu1 - mu0, propensity=np.full(len(mu0), np.nan), mu0=mu0, mu1=mu1),
    )


SPEC = SetSpec(
    name="acic2016",
    folder="acic2016",
    files=files,
    replicates=(1, 2, 3, 4, 5),
    design="observational",
    load=load,
    summary="Real covariates, simulated treatment and outcome, true effects; 4,802 rows.",
    licence="Apache-2.0 (as part of causallib)",
)
