"""Hillstrom's e-mail test: two mailings against none, 64,000 customers, drawn by lot.

``visit``, ``conversion`` and ``spend`` are outcomes of the two weeks after the mailing: one is
the outcome, none is a covariate. Each mailing is compared with no mailing; the customers of the
other mailing are left out (they were mailed). Duplicate rows are real customers.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from promo_uplift.benchmark.sets.bundle import BenchmarkSet, SetSpec
from promo_uplift.benchmark.sets.reading import coded, read_csv, refuse_not_finite
from promo_uplift.contracts.errors import SourceError

FILE = "hillstrom.csv"
COVARIATES = (
    "recency",
    "history_segment",
    "history",
    "mens",
    "womens",
    "zip_code",
    "newbie",
    "channel",
)
#: After the mailing: never covariates.
OUTCOMES = ("visit", "conversion", "spend")
OUTCOME = "visit"
SEGMENT = "segment"
TREATMENT = "mailed"
CONTROL = "No E-Mail"
ARMS = {"hillstrom_womens": "Womens E-Mail", "hillstrom_mens": "Mens E-Mail"}
#: Each of the three arms was drawn with probability 1/3, so 1/2 within two of them.
KNOWN_PROPENSITY = 0.5


def files(replicate: int) -> tuple[str, ...]:
    """Name the one file."""
    del replicate
    return (FILE,)


def load(folder: Path, replicate: int, *, name: str) -> BenchmarkSet:
    """Load one mailing against none, with ``visit`` as the outcome.

    Raises
    ------
    SourceError
        Naming the file and column that is not as published.
    """
    path = folder / FILE
    frame = read_csv(path=path, columns=(*COVARIATES, SEGMENT, *OUTCOMES))
    text = (SEGMENT, "history_segment", "zip_code", "channel")
    refuse_not_finite(
        path=path, frame=frame, columns=[column for column in frame.columns if column not in text]
    )
    arm = coded(
        path=path,
        frame=frame,
        column=SEGMENT,
        codes={CONTROL: 0} | {label: 1 + number for number, label in enumerate(ARMS.values())},
    )
    wanted = 1 + list(ARMS).index(name)
    compared = (arm == 0) | (arm == wanted)
    # "2) $100 - $200": the segments are ordered, and their number says so
    segment = frame["history_segment"].str.extract(r"^(\d)\)", expand=False)
    if n_odd := int(segment.isna().sum()):
        raise SourceError(
            f"`{path.name}`: column `history_segment` must begin with its number, such as "
            f"'2) $100 - $200'; {n_odd} of {len(frame)} rows do not."
        )
    kept = frame.loc[compared].assign(**{TREATMENT: (arm[compared] == wanted).astype("int64")})
    return BenchmarkSet(
        name=name,
        replicate=replicate,
        frame=kept[[*COVARIATES, TREATMENT, OUTCOME]]
        .assign(history_segment=segment[compared].astype("float64"))
        .reset_index(drop=True),
        treatment=TREATMENT,
        outcome=OUTCOME,
        covariates=COVARIATES,
        groups=None,
        known_propensity=KNOWN_PROPENSITY,
        outcome_range=(0.0, 1.0),
        truth=None,
    )


SPECS = tuple(
    SetSpec(
        name=name,
        folder="hillstrom",
        files=files,
        replicates=(1,),
        design="randomised",
        load=partial(load, name=name),
        summary=f"E-mail test, {label} against none, outcome: visited the shop.",
        licence="none stated; published as an open challenge",
    )
    for name, label in ARMS.items()
)
