"""Rules that compare the rows of a list, with their thresholds fixed for a household alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Protocol, runtime_checkable

import numpy as np

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.results import BoolArray, FloatArray
from promo_uplift.policy.rules.base import FittedPolicy, PolicyView

#: What to do where a policy needs errors that the model would not have.
OFFER_ERRORS: Final = (
    "Set `estimation.interval_replicates` above 0 (docs/configuration.md), or let another policy "
    "decide (`policies.decides`)."
)


@runtime_checkable
class ComparesRows(Protocol):
    """A fitted rule that decides a row by the others of its list, and can stop doing so."""

    def frozen(self, *, view: PolicyView) -> FittedPolicy:
        """Return the rule with the thresholds that it has on ``view``."""
        ...


def frozen_rule(*, name: str, fitted: FittedPolicy, view: PolicyView) -> FittedPolicy:
    """Return a rule that decides each household from its own row alone.

    Parameters
    ----------
    name : str
        Of the policy.
    fitted : FittedPolicy
        Fitted on all rows.
    view : PolicyView
        The training rows as the models for new households see them; ``response`` is of no use, no
        such model predicts it.

    Raises
    ------
    PolicyError
        If the rule compares rows and has no ``frozen``, or reads ``response``, or a standard error
        that the view lacks.
    """
    by_row = np.arange(len(view), dtype=np.float64)
    rule = thresholds_fixed(fitted=fitted, view=view)
    whole = rule.contact(view=view)
    if _reads(fitted, [replace(view, response=values) for values in (by_row, -by_row)]):
        raise PolicyError(
            f"Policy `{name}` reads the predicted outcome (`response`), which no model for new "
            "households predicts. Let another policy decide (`policies.decides`)."
        )
    is_offered = bool(np.isfinite(view.cate_se).all())
    if not is_offered and _reads(
        fitted, [replace(view, cate_se=np.full(len(view), one)) for one in (0.0, np.inf)]
    ):
        raise PolicyError(
            f"Policy `{name}` reads the standard error of a household's effect (`cate_se`), which "
            f"the model for new households does not offer. {OFFER_ERRORS}"
        )
    best = np.argsort(-view.cate, kind="stable")[: len(view) // 2]
    for some in (best, np.arange(0, len(view), 2)):
        if not np.array_equal(whole[some], rule.contact(view=view.take(some))):
            raise PolicyError(
                f"Policy `{name}` decides a household by the others of its list, so that it cannot "
                "decide one that is scored alone. Give its fitted rule a method `frozen(view)` "
                "that returns the rule with its thresholds fixed (docs/policies.md), or let "
                "another policy decide (`policies.decides`)."
            )
    return rule


def thresholds_fixed(*, fitted: FittedPolicy, view: PolicyView) -> FittedPolicy:
    """Return the rule with the thresholds that it has on ``view``; itself if it has none."""
    return fitted.frozen(view=view) if isinstance(fitted, ComparesRows) else fitted


def _reads(fitted: FittedPolicy, views: list[PolicyView]) -> bool:
    """Whether the rule decides otherwise on views that differ in one column."""
    first, *others = (
        thresholds_fixed(fitted=fitted, view=view).contact(view=view) for view in views
    )
    return not all(np.array_equal(first, one) for one in others)


def lowest_certain(
    *, ranking: FloatArray, contacts: FloatArray, eligible: BoolArray | None = None
) -> float:
    """Ranking from which on a list's rows are contacted for certain.

    Rows that only a lot could part lie below it. Minus infinite where every (eligible) row is
    contacted, infinite where none is.

    Examples
    --------
    >>> lowest_certain(ranking=np.array([3.0, 1.0, 2.0, 2.0]), contacts=np.array([1, 0, 0.5, 0.5]))
    3.0
    """
    certain = contacts >= 1.0
    if np.all(certain if eligible is None else certain[eligible]):
        return float("-inf")
    return float(ranking[certain].min()) if certain.any() else float("inf")
