"""Two sets of figures, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Figures = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that is not the same; None where a run lacks it."""

    run: str
    metric: str
    then: float | None
    now: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of every figure.

    Attributes
    ----------
    equal : dict of str to int
        Figures that are the same bits, by run.
    differences : tuple of Difference
    left_out : tuple of str
        Names that measure the clock and not the data.
    """

    equal: dict[str, int]
    differences: tuple[Difference, ...]
    left_out: tuple[str, ...]

    @property
    def n_figures(self) -> int:
        """Figures that were compared."""
        return sum(self.equal.values()) + len(self.differences)

    @property
    def is_reproduced(self) -> bool:
        """Whether there were figures, and all are equal."""
        return self.n_figures > 0 and not self.differences


#: Says where nuisances came from, which is another place for another run.
HOW_A_RUN_WENT = "nuisances_reused"


def is_clock(metric: str) -> bool:
    """Whether a metric measures time, or where nuisances came from, which no run repeats.

    Examples
    --------
    >>> is_clock("seconds_reporting"), is_clock("tuning_seconds"), is_clock("qini")
    (True, True, False)
    >>> is_clock("studies_stopped_by_seconds"), is_clock("nuisances_reused")
    (False, True)
    """
    words = metric.split("_")
    return metric == HOW_A_RUN_WENT or ("seconds" in words and "by" not in words)


def compare_figures(*, then: Figures, now: Figures) -> Comparison:
    """Hold every figure of a run and of the runs below it against the same one of another.

    Parameters
    ----------
    then, now : mapping
        ``{run name: {metric: value}}``.
    """
    equal: dict[str, int] = {}
    differences: list[Difference] = []
    left_out: set[str] = set()
    for run in dict.fromkeys((*then, *now)):
        old, new = then.get(run, {}), now.get(run, {})
        equal[run] = 0
        for metric in sorted({*old, *new}):
            if is_clock(metric):
                left_out.add(metric)
                continue
            pair = (old.get(metric), new.get(metric))
            if None not in pair and _bits(pair[0]) == _bits(pair[1]):
                equal[run] += 1
            else:
                differences.append(Difference(run, metric, *pair))
    return Comparison(equal, tuple(differences), tuple(sorted(left_out)))


def _bits(value: float | None) -> str:
    return "" if value is None else float(value).hex()
