"""PU-HELD-OUT: households that evaluate did not fit, tune, score or choose what is evaluated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.contracts.results import IntArray


@dataclass(frozen=True, slots=True)
class HouseholdUse:
    """Households that evaluate, and how many of them were used before.

    Attributes
    ----------
    n_evaluated : int
        Households that evaluate.
    n_used_before : int
        Those that did anything else before.
    uses : tuple of (str, int)
        What they did, and how many of them did it.
    """

    n_evaluated: int
    n_used_before: int
    uses: tuple[tuple[str, int], ...]

    @classmethod
    def of(
        cls,
        *,
        evaluated: Iterable[object],
        fitted: Iterable[object] = (),
        tuned: Iterable[object] = (),
        scored: Iterable[object] = (),
        chose: Iterable[object] = (),
    ) -> HouseholdUse:
        """Count by household ids: two rows of a household are the same household.

        Parameters
        ----------
        evaluated : ids
            Whose figures are reported.
        fitted, tuned, scored, chose : ids
            That fitted the model; tuned it; fitted the scorer or nuisances that judge it; chose
            model, share or policy.

        Raises
        ------
        CheckError
            If nobody evaluates.
        """
        judges = set(evaluated)
        if not judges:
            raise CheckError("`evaluated` must name at least one household, found none.")
        shared = {
            "fitted": judges & set(fitted),
            "tuned": judges & set(tuned),
            "scored": judges & set(scored),
            "chose": judges & set(chose),
        }
        uses = tuple((use, len(ids)) for use, ids in shared.items() if ids)
        return cls(len(judges), len(set().union(*shared.values())), uses)

    @classmethod
    def of_folds(cls, *, fold: IntArray, groups: IntArray) -> HouseholdUse:
        """Households that lie in several folds of a cross-fit, and so fitted what judges them."""
        folds = pd.Series(fold).groupby(groups).nunique()
        several = int((folds > 1).sum())
        return cls(len(folds), several, (("fitted", several),) if several else ())


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    words, use = evidence.wording, evidence.need(HouseholdUse)
    found = ", ".join(f"{n:,} {what}" for what, n in use.uses)
    return Finding(
        rule="whoever evaluates did not fit, tune, score or choose",
        value=use.n_used_before / use.n_evaluated,
        threshold=0.0,
        passed=use.n_used_before == 0,
        sentence=(
            f"{use.n_used_before:,} of the {use.n_evaluated:,} {words.subjects} that evaluate were "
            f"used before ({found}): the figures are in-sample."
            if use.n_used_before
            else f"None of the {use.n_evaluated:,} {words.subjects} that evaluate was used before."
        ),
    )


CHECK = Check(
    code="PU-HELD-OUT",
    title="Evaluated on households that did nothing else",
    family="ranking",
    needs=(HouseholdUse,),
    look=_look,
)
