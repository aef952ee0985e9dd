"""Every number of a budget that is spent on several arms."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from promo_uplift.contracts.parameters import Parameters, Scalar, Usd

Column = Annotated[str, Field(min_length=1)]


class ArmsParameters(Parameters):
    """What each arm costs, what may be spent on all of them, and how that is valued.

    Attributes
    ----------
    costs : dict or None
        Of each arm by its value in the table: USD for a row, or the column that holds it row by row
        (infinite: not on offer). None: not stated, and the pipeline refuses.
    budget_usd : float or None
        Over all rows of the table. None: the same.
    learner : str or None
        Predicts the effect of each arm, with its default parameters; None: the first candidate.
    replicates : int
        Household draws behind the intervals of curves and values.
    budgets : list of float or None
        Of the cost curve, USD per row, ascending; None: even steps up to the dearest arm for all.
        ``budget_usd`` is added to either.
    """

    costs: dict[Scalar, Usd | Column] | None
    budget_usd: Usd | None
    learner: str | None
    replicates: Annotated[int, Field(ge=50)]
    budgets: list[Usd] | None

    @field_validator("budgets")
    @classmethod
    def _budgets_ascend(cls, value: list[float] | None) -> list[float] | None:
        if value is not None and (not value or value != sorted(set(value))):
            raise ValueError(f"`budgets` must hold one at least and ascend, got {value}.")
        return value
