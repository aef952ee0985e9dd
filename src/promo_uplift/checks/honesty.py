"""PU-HONEST-FOREST: intervals come from forests that grow and fill their trees on other rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class ForestIntervals:
    """Whether the forests behind intervals were honest.

    Attributes
    ----------
    has_intervals : bool
        Whether intervals or significance were read off the forests.
    n_forests, n_dishonest : int
        Forests, or settings that a search may choose; those with ``honest=False``.
    """

    has_intervals: bool
    n_forests: int
    n_dishonest: int

    @classmethod
    def of(cls, forests: Iterable[object], *, has_intervals: bool) -> ForestIntervals:
        """Read ``honest`` of fitted forests (econml's) or of mappings of their parameters.

        Raises
        ------
        CheckError
            If there is no forest, or one does not say whether it is honest.
        """
        honest = [
            forest.get("honest") if isinstance(forest, Mapping) else getattr(forest, "honest", None)
            for forest in forests
        ]
        if not honest or None in honest:
            raise CheckError(
                f"`forests` must each have `honest`; found {len(honest)} of which "
                f"{honest.count(None)} do not. Give the forest itself, not what wraps it."
            )
        return cls(has_intervals, len(honest), sum(not one for one in honest))


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    rule = "intervals come from honest forests only"
    fact = evidence.need(ForestIntervals)
    if not fact.has_intervals:
        return Finding.nothing(rule=rule, sentence="No interval was read off a forest.")
    return Finding(
        rule=rule,
        value=float(fact.n_dishonest),
        threshold=0.0,
        passed=fact.n_dishonest == 0,
        sentence=(
            f"{fact.n_dishonest} of {fact.n_forests} forests behind the intervals fill their leaves"
            " with the rows that chose the splits; such an interval has no coverage to state."
            if fact.n_dishonest
            else f"All {fact.n_forests} forests behind the intervals are honest."
        ),
    )


CHECK = Check(
    code="PU-HONEST-FOREST",
    title="Intervals from honest forests",
    family="ranking",
    needs=(ForestIntervals,),
    look=_look,
)
