"""PU-BASELINE: a ranking score is read beside that of a random order under the same definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.metrics import rosetta_definitions as by
from promo_uplift.metrics.rosetta_definitions import RankedSample


def _naive(sample: RankedSample) -> float:
    return float(sample.s1[-1] / sample.n1[-1] - sample.s0[-1] / sample.n0[-1])


def _dr_auuc(sample: RankedSample) -> float:
    return by.causalml_auuc_score(normalise=False, with_scores=True)(sample) / sample.n


#: Name -> how tied rows lie, the score, and its expectation over all orders of the rows.
DEFINITIONS: Final[dict[str, tuple[by.Order, by.Value, Callable[[RankedSample], float]]]] = {
    "ten_bin_auuc": ("numpy", by.ten_bin_auuc, lambda rows: 0.9 * _naive(rows)),
    "ten_bin_qini": ("numpy", by.ten_bin_qini, lambda _: 0.0),
    "sklift_qini": ("stable_reversed", by.sklift_qini_area, lambda _: 0.0),
    "causalml_auuc": (
        "frame",
        by.causalml_auuc_score(normalise=False),
        lambda rows: rows.n * _naive(rows) / 2.0,
    ),
    "dr_auuc": ("stable", _dr_auuc, lambda rows: float(rows.scores.mean()) / 2.0),
}


@dataclass(frozen=True, slots=True)
class RankingScore:
    """A ranking's score and a random order's, under one definition and in its unit.

    Attributes
    ----------
    definition : str
        What the score is, in words or by its name in ``DEFINITIONS``.
    value : float
        Score of the ranking.
    random : float
        Expected score of a random order of the same rows; NaN where nobody computed it.
    """

    definition: str
    value: float
    random: float

    @classmethod
    def of(
        cls,
        *,
        ranking: FloatArray,
        treatment: IntArray,
        outcome: FloatArray,
        definition: str,
        scores: FloatArray | None = None,
    ) -> RankingScore:
        """Score a ranking and a random order of the same rows.

        Parameters
        ----------
        ranking : float64 (n,)
            Predicted effect; highest first.
        treatment : int64 (n,)
            1 or 0.
        outcome : float64 (n,)
        definition : str
            ``ten_bin_auuc`` (trapezoids from .1 to 1 over differences of the arms' means in the top
            tenths; a random order has .9 of the difference of all), ``ten_bin_qini``,
            ``sklift_qini``, ``causalml_auuc`` (not normalised) or ``dr_auuc`` (area under the gain
            curve of doubly robust scores, per row; a random order has half the average effect).
        scores : float64 (n,), optional
            Doubly robust scores, for ``dr_auuc``.

        Raises
        ------
        CheckError
            If the definition is unknown, its scores are missing, or an arm is empty.
        """
        if definition not in DEFINITIONS:
            raise CheckError(
                f"`definition` must be one of {sorted(DEFINITIONS)}, found {definition!r}."
            )
        if definition.startswith("dr_") and scores is None:
            raise CheckError(f"`scores` must be given for {definition!r}, found None.")
        if not 0 < int(np.sum(treatment == 1)) < len(treatment):
            raise CheckError("`treatment` must hold both arms; without one there is no difference.")
        order, score, expected = DEFINITIONS[definition]
        rows = by.ranked_order(ranking=ranking, order=order)
        sample = RankedSample.of(
            ranking=ranking[rows],
            treatment=treatment[rows].astype(np.float64),
            outcome=outcome[rows],
            scores=None if scores is None else scores[rows],
        )
        return cls(definition, score(sample), expected(sample))


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    """Score less a random order's must be above 0; a score without one cannot be read."""
    rule = "a ranking score exceeds that of a random order under the same definition"
    score = evidence.need(RankingScore)
    gain = score.value - score.random
    found = (
        f"a random order scores {score.random:,.4g}"
        if np.isfinite(score.random)
        else "nobody said what a random order scores, which need not be 0"
    )
    return Finding(
        rule=rule,
        value=gain,
        threshold=0.0,
        passed=bool(gain > 0.0),
        sentence=f"{score.definition}: the ranking scores {score.value:,.4g}; {found}.",
    )


CHECK = Check(
    code="PU-BASELINE",
    title="A score beside its random baseline",
    family="ranking",
    needs=(RankingScore,),
    look=_look,
)
