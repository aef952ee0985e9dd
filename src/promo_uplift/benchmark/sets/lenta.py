"""Lenta's campaign: a sample of 50,000 of the experiment, and a biased log of the same.

The log lacks the treated customers with a food share of .5 and more, as if a rule had kept them
out: above that share nobody is treated, so no analysis can tell the effect there. The true effect
is that of the experiment.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from promo_uplift.benchmark.sets.bundle import BenchmarkSet, SetSpec
from promo_uplift.benchmark.sets.reading import coded, read_csv, refuse_not_finite

COVARIATES = ("food_share_15d", "age", "is_women")
#: The age is missing for some customers, and stays so.
MAY_BE_MISSING = ("age",)
TREATMENT = "is_treatment"
#: After the campaign, like every ``response_...`` column of the full set: never a covariate.
OUTCOME = "response_att"
SAMPLE, BIASED = "lenta", "lenta_biased"
FILES = {SAMPLE: "lenta_dataset.csv", BIASED: "ch2_logdata_biased.csv"}
#: No document states the design; three quarters is what every publication of the set reports.
KNOWN_PROPENSITY = 0.75


def load(folder: Path, replicate: int, *, name: str) -> BenchmarkSet:
    """Load the sample or the biased log.

    Raises
    ------
    SourceError
        Naming the file and column that is not as published.
    """
    path = folder / FILES[name]
    frame = read_csv(path=path, columns=(*COVARIATES, TREATMENT, OUTCOME))
    refuse_not_finite(
        path=path,
        frame=frame,
        columns=[column for column in COVARIATES if column not in MAY_BE_MISSING],
    )
    binary = {
        column: coded(path=path, frame=frame, column=column, codes={0: 0, 1: 1})
        for column in (TREATMENT, OUTCOME)
    }
    return BenchmarkSet(
        name=name,
        replicate=replicate,
        frame=frame.assign(**binary),
        treatment=TREATMENT,
        outcome=OUTCOME,
        covariates=COVARIATES,
        groups=None,
        known_propensity=KNOWN_PROPENSITY if name == SAMPLE else None,
        outcome_range=(0.0, 1.0),
        truth=None,
    )


def _files(replicate: int, *, name: str) -> tuple[str, ...]:
    del replicate
    return (FILES[name],)


SPECS = (
    SetSpec(
        name=SAMPLE,
        folder="lenta_sample",
        files=partial(_files, name=SAMPLE),
        replicates=(1,),
        design="randomised",
        load=partial(load, name=SAMPLE),
        summary="Grocery campaign, 50,000 rows and 3 covariates of 687,029 and 192.",
        licence="none stated (hackathon)",
    ),
    SetSpec(
        name=BIASED,
        folder="lenta_sample",
        files=partial(_files, name=BIASED),
        replicates=(1,),
        design="observational",
        load=partial(load, name=BIASED),
        summary="The same log without treated customers of food share .5 and more.",
        licence="as the sample",
    ),
)
