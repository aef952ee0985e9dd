"""What leaving one household or one campaign out does to an effect."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from promo_uplift.checks.evidence import Finding
from promo_uplift.checks.inputs import NOTHING_CLAIMED, claims_nothing, numbers
from promo_uplift.contracts.parameters import WordingParameters
from promo_uplift.contracts.results import Interval


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The effect, and how it moves when one part is left out.

    Attributes
    ----------
    effect : Interval
        With all parts.
    move_share : float
        Largest move, as a share of the effect's size; infinite if the effect is 0.
    mover : str
        Part whose leaving moves it most.
    same_sign_share : float
        Share of the estimates with the effect's sign.
    n_parts : int
        Parts.
    """

    effect: Interval
    move_share: float
    mover: str
    same_sign_share: float
    n_parts: int

    @classmethod
    def of(cls, *, effect: Interval, estimates: Mapping[Hashable, float]) -> Self:
        """Sum up ``{part left out: estimate without it}``.

        Raises
        ------
        CheckError
            If there are none, or one is not finite.
        """
        names = list(estimates)
        values = numbers(list(estimates.values()), name="estimates")
        moves = np.abs(values - effect.estimate)
        at = int(moves.argmax())
        size = abs(effect.estimate)
        return cls(
            effect=effect,
            move_share=float(moves[at] / size) if size > 0.0 else float("inf"),
            mover=str(names[at]),
            same_sign_share=float((np.sign(values) == np.sign(effect.estimate)).mean()),
            n_parts=len(values),
        )


def move_finding(
    *, found: LeftOut, kind: str, most: float, least: float, words: WordingParameters
) -> Finding:
    """Hold the largest move against ``most``, and the share that keeps the sign to ``least``."""
    rule = (
        f"leaving one {kind} out moves the effect by a share <= {most:g}, and a share >= "
        f"{least:g} of the estimates keeps its sign"
    )
    if claims_nothing(found.effect):
        return Finding.nothing(rule=rule, sentence=NOTHING_CLAIMED)
    return Finding(
        rule=rule,
        value=found.move_share,
        threshold=most,
        passed=found.move_share <= most and found.same_sign_share >= least,
        sentence=(
            f"Without {kind} {found.mover} the effect of {words.amount(found.effect.estimate)} "
            f"moves by {found.move_share:.0%}, the most of {found.n_parts:,}; "
            f"{found.same_sign_share:.0%} of the estimates without one keep the sign."
        ),
    )
