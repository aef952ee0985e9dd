"""PU-JOINS: joining the tables loses next to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from numpy.typing import ArrayLike

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class JoinRates:
    """Share of rows that each join finds a partner for.

    Attributes
    ----------
    rates : tuple of (str, float)
        Name of each join and its share of matched rows.
    """

    rates: tuple[tuple[str, float], ...]

    @classmethod
    def of(cls, joins: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> JoinRates:
        """Match rates of ``{name: (keys of the rows, keys of the table that they point to)}``.

        Raises
        ------
        CheckError
            If there is no join, or one has no rows.
        """
        if empty := [name for name, (keys, _) in joins.items() if not len(pd.Series(keys))]:
            raise CheckError(f"`joins` must have rows to match, {empty} have none.")
        if not joins:
            raise CheckError("`joins` must name at least one join, found none.")
        return cls(
            tuple(
                (name, float(pd.Series(keys).isin(pd.Series(known)).mean()))
                for name, (keys, known) in joins.items()
            )
        )


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Hold the worst join against the least share that must match."""
    rates, least = evidence.need(JoinRates).rates, parameters.min_join_share
    name, share = min(rates, key=lambda one: one[1])
    return Finding(
        rule=f"every join matches a share of its rows >= {least:g}",
        value=share,
        threshold=least,
        passed=share >= least,
        sentence=(
            f"Of {len(rates)} joins the worst, {name}, matches {share:.2%} of its rows; "
            f"{least:.0%} are required."
        ),
    )


CHECK = Check(
    code="PU-JOINS",
    title="Joins match",
    family="data",
    needs=(JoinRates,),
    look=_look,
)
