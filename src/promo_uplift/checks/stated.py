"""PU-STATED: figures in a text are those of the results, to their printed precision."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters

_MINUS = "\N{MINUS SIGN}"
_NUMBER = re.compile(rf"[-+{_MINUS}]?\$?[-+{_MINUS}]?(\d[\d,]*)?(\.\d+)?\s*%?")
#: Contradictions that a finding spells out.
SHOWN = 3


@dataclass(frozen=True, slots=True)
class StatedFigures:
    """Figures that a text states and what the results have.

    Attributes
    ----------
    figures : tuple of (str, str, float)
        Name, figure as printed, figure as computed (NaN: the results have none).
    contradictions : tuple of int
        Positions of those that differ by more than half a unit of their last printed digit.
    """

    figures: tuple[tuple[str, str, float], ...]
    contradictions: tuple[int, ...]

    @classmethod
    def of(
        cls, *, stated: Mapping[str, str | Sequence[str]], computed: Mapping[str, float]
    ) -> StatedFigures:
        """Compare by name; what is stated several times is compared each time.

        Parameters
        ----------
        stated : mapping of str to str, or to several
            Figures as printed: ``"0.90"``, ``"$2,426"``, ``"31.3%"`` (a share of .313).
        computed : mapping of str to float
            The results' figures.

        Raises
        ------
        CheckError
            If a stated figure is no number.
        """
        figures: list[tuple[str, str, float]] = []
        wrong: list[int] = []
        for name, many in stated.items():
            for text in [many] if isinstance(many, str) else many:
                value, half_unit = _read(name, text)
                true = float(computed.get(name, float("nan")))
                # a figure on the edge of rounding may be printed either way
                if not abs(value - true) <= half_unit * (1.0 + 1e-6):
                    wrong.append(len(figures))
                figures.append((name, text, true))
        return cls(tuple(figures), tuple(wrong))


def _read(name: str, text: str) -> tuple[float, float]:
    """Value of a printed figure, and half a unit of its last digit."""
    bare = text.strip()
    if not _NUMBER.fullmatch(bare) or not any(letter.isdigit() for letter in bare):
        raise CheckError(
            f"`stated[{name!r}]` must be a figure as printed, e.g. '0.90', '$2,426' or '31.3%'; "
            f"found {text!r}."
        )
    scale = 0.01 if bare.endswith("%") else 1.0
    plain = re.sub(r"[$,%+\s]", "", bare).replace(_MINUS, "-")
    decimals = len(plain.partition(".")[2])
    return float(plain) * scale, 0.5 * 10.0**-decimals * scale


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    fact = evidence.need(StatedFigures)
    wrong = [fact.figures[place] for place in fact.contradictions]
    found = "; ".join(
        f"{name} is stated as {text}, "
        + ("and no result has it" if math.isnan(true) else f"the results have {true:,.6g}")
        for name, text, true in wrong[:SHOWN]
    )
    return Finding(
        rule="figures in the text equal the results to their printed precision",
        value=float(len(wrong)),
        threshold=0.0,
        passed=not wrong,
        sentence=(
            f"{len(wrong)} of {len(fact.figures)} stated figures contradict the results: {found}."
            if wrong
            else f"All {len(fact.figures)} stated figures are those of the results."
        ),
    )


CHECK = Check(
    code="PU-STATED",
    title="The text states the results",
    family="report",
    needs=(StatedFigures,),
    look=_look,
)
