"""PU-UNITS: quantities count goods, not thousandths of a gallon or coupon lines."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.inputs import require
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class UnitsOutcome:
    """What the units of an outcome are made of.

    Attributes
    ----------
    other_share : float
        Share of the units that lines without merchandise bring in (fuel, coupons, gift cards).
    units_per_basket : float
        Mean units of a basket.
    n_baskets : int
        Baskets.
    """

    other_share: float
    units_per_basket: float
    n_baskets: int

    @classmethod
    def of(cls, lines: pd.DataFrame) -> UnitsOutcome:
        """Sum up the receipt lines that the outcome adds up.

        Parameters
        ----------
        lines : DataFrame
            ``basket_id``, ``quantity`` and ``is_merchandise`` of the lines that count.

        Raises
        ------
        CheckError
            If there are no lines or a column is missing.
        """
        require(lines, ["basket_id", "quantity", "is_merchandise"], name="lines")
        total = float(lines["quantity"].sum())
        other = float(lines.loc[~lines["is_merchandise"].astype(bool), "quantity"].sum())
        n_baskets = int(lines["basket_id"].nunique())
        return cls(other / total if total else 0.0, total / n_baskets, n_baskets)


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Hold the share of foreign units, and the size of a basket, against their bounds."""
    units = evidence.need(UnitsOutcome)
    share, most = parameters.max_other_units_share, parameters.max_units_per_basket
    return Finding(
        rule=f"share of units from other lines than merchandise <= {share:g}, and units per "
        f"basket <= {most:g}",
        value=units.other_share,
        threshold=share,
        passed=units.other_share <= share and units.units_per_basket <= most,
        sentence=(
            f"A basket holds {units.units_per_basket:,.1f} units on average (at most {most:g} are "
            f"plausible); {units.other_share:.1%} of all units are fuel, coupons and the like."
        ),
    )


CHECK = Check(
    code="PU-UNITS",
    title="Units are goods",
    family="data",
    needs=(UnitsOutcome,),
    look=_look,
)
