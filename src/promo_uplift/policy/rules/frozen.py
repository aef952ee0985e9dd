"""Rules that compare the rows of a list, with their thresholds fixed for a household alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.results import BoolArray, FloatArray
from promo_uplift.policy.rules.base import FittedPolicy, PolicyView


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
        If the rule compares rows and has no ``frozen``, or reads ``response``.
    """
    by_row = np.arange(len(view), dtype=np.float64)
    (rule, whole), (_, otherwise) = (
        _frozen_on(fitted, replace(view, response=response)) for response in (by_row, -by_row)
    )
    if not np.array_equal(whole, otherwise):
        raise PolicyError(
            f"Policy `{name}` reads the predicted outcome (`response`), which no model for new "
            "households predicts. Let another policy decide (`policies.decides`)."
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


def _frozen_on(fitted: FittedPolicy, view: PolicyView) -> tuple[FittedPolicy, FloatArray]:
    rule = fitted.frozen(view=view) if isinstance(fitted, ComparesRows) else fitted
    return rule, rule.contact(view=view)


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


@dataclass(frozen=True, slots=True)
class FrozenRanking:
    """Contact from a threshold of a prediction on.

    Attributes
    ----------
    by : str
        Prediction that is held against it.
    threshold : float
        In its unit.
    words : str
        The rule that it was made of.
    """

    by: Literal["cate", "response"]
    threshold: float
    words: str

    @classmethod
    def of(
        cls, *, by: Literal["cate", "response"], view: PolicyView, rule: FittedPolicy
    ) -> FrozenRanking:
        """Take the threshold that a rule has on a list."""
        ranking: FloatArray = getattr(view, by)
        return cls(
            by, lowest_certain(ranking=ranking, contacts=rule.contact(view=view)), rule.describe()
        )

    def contact(self, *, view: PolicyView) -> FloatArray:
        """Contact or not."""
        ranking: FloatArray = getattr(view, self.by)
        return np.asarray(ranking >= self.threshold, dtype=np.float64)

    def describe(self) -> str:
        """Return the rule in words."""
        return f"{self.words} On the training rows that begins at {self.threshold:.3g}."
