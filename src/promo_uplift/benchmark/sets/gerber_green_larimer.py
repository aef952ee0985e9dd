"""Gerber, Green & Larimer (2008): four letters before an election, by lot among households.

``voted`` is the outcome. Lots were drawn by household (10,000 blocks of 18: ten control, two of
each letter), so errors are clustered by ``hh_id``. ``numberofnames``, ``p2004_mean`` and
``g2004_mean`` describe the neighbourhood before the letter, but were computed for the letters'
text: they are left out, as are the block's number and ``g2004``, which is 'yes' for everybody.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd

from promo_uplift.benchmark.sets.bundle import BenchmarkSet, SetSpec
from promo_uplift.benchmark.sets.reading import coded, read_csv, refuse_not_finite

FILE = "GerberGreenLarimer_APSR_2008_social_pressure.csv.gz"
COVARIATES = ("sex", "yob", "g2000", "g2002", "p2000", "p2002", "p2004", "hh_size")
PAST_VOTES = ("g2000", "g2002", "p2000", "p2002", "p2004")
OUTCOME = "voted"
TREATMENT = "letter"
GROUPS = "hh_id"
CONTROL = "Control"
ARMS = {
    "ggl_civic_duty": "Civic Duty",
    "ggl_hawthorne": "Hawthorne",
    "ggl_self": "Self",
    "ggl_neighbors": "Neighbors",
}
#: Two households of a letter to ten of the control in each block of 18.
KNOWN_PROPENSITY = 2.0 / 12.0


def files(replicate: int) -> tuple[str, ...]:
    """Name the one file."""
    del replicate
    return (FILE,)


def load(folder: Path, replicate: int, *, name: str) -> BenchmarkSet:
    """Load one letter against none.

    Raises
    ------
    SourceError
        Naming the file and column that is not as published.
    """
    path = folder / FILE
    raw = read_csv(path=path, columns=(*COVARIATES, GROUPS, "treatment", OUTCOME))
    refuse_not_finite(path=path, frame=raw, columns=("yob", "hh_size", GROUPS))
    # the labels carry a leading space, and 'yes' comes in both cases
    text = raw[["sex", *PAST_VOTES, "treatment", OUTCOME]].apply(
        lambda column: column.astype("str").str.strip().str.lower()
    )
    answers = {
        column: coded(path=path, frame=text, column=column, codes={"no": 0, "yes": 1})
        for column in (*PAST_VOTES, OUTCOME)
    }
    arm = coded(
        path=path,
        frame=text,
        column="treatment",
        codes={CONTROL.lower(): 0}
        | {label.lower(): 1 + number for number, label in enumerate(ARMS.values())},
    )
    sex = coded(path=path, frame=text, column="sex", codes={"male": 0, "female": 1})
    wanted = 1 + list(ARMS).index(name)
    compared = (arm == 0) | (arm == wanted)
    frame = pd.DataFrame(
        {
            **{column: answers[column] for column in PAST_VOTES},
            "sex": sex,
            "yob": raw["yob"],
            "hh_size": raw["hh_size"],
            GROUPS: raw[GROUPS],
            TREATMENT: (arm == wanted).astype("int64"),
            OUTCOME: answers[OUTCOME],
        }
    )
    return BenchmarkSet(
        name=name,
        replicate=replicate,
        frame=frame.loc[compared].reset_index(drop=True),
        treatment=TREATMENT,
        outcome=OUTCOME,
        covariates=COVARIATES,
        groups=GROUPS,
        known_propensity=KNOWN_PROPENSITY,
        outcome_range=(0.0, 1.0),
        truth=None,
    )


SPECS = tuple(
    SetSpec(
        name=name,
        folder="gerber_green_larimer",
        files=files,
        replicates=(1,),
        design="randomised",
        load=partial(load, name=name),
        summary=f"Letter '{label}' against none, outcome: voted; lots by household.",
        licence="research replication data",
    )
    for name, label in ARMS.items()
)
