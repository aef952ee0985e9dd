"""PU-FUNDING: what a manufacturer reimburses is no cost of the retailer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.contracts.results import FloatArray


@dataclass(frozen=True, slots=True)
class CouponFunding:
    """Who pays the discounts that are counted as a cost, USD.

    Attributes
    ----------
    charged_usd : float
        Discounts counted as the retailer's cost.
    retailer_usd : float
        Those that the retailer pays, e.g. its match of a coupon.
    reimbursed_usd : float
        Those that others pay back, e.g. manufacturers' coupons.
    """

    charged_usd: float
    retailer_usd: float
    reimbursed_usd: float

    @classmethod
    def of(
        cls, *, charged_usd: float, retailer_usd: FloatArray, reimbursed_usd: FloatArray
    ) -> CouponFunding:
        """Sum the discounts of receipt lines by who pays; signs do not matter.

        Parameters
        ----------
        charged_usd : float
            Total that is counted as the retailer's cost.
        retailer_usd, reimbursed_usd : float64 (lines,)
            ``coupon_match_discount_usd`` and ``coupon_discount_usd`` of the canonical tables,
            ``coupon_match_disc`` and ``coupon_disc`` of the package.

        Raises
        ------
        CheckError
            If more is charged than there is.
        """
        paid = float(np.abs(retailer_usd).sum())
        back = float(np.abs(reimbursed_usd).sum())
        if not 0.0 <= charged_usd <= (paid + back) * (1.0 + 1e-9):
            raise CheckError(
                f"`charged_usd` must lie between 0 and the discounts there are, {paid + back:,.2f};"
                f" found {charged_usd:,.2f}."
            )
        return cls(charged_usd, paid, back)


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Share of the charge that exceeds what the retailer pays."""
    limit = parameters.max_reimbursed_share
    coupons = evidence.need(CouponFunding)
    over = max(0.0, coupons.charged_usd - coupons.retailer_usd)
    share = over / coupons.charged_usd if coupons.charged_usd > 0.0 else 0.0
    return Finding(
        rule=f"share of the cost that others reimburse <= {limit:.0%}",
        value=share,
        threshold=limit,
        passed=share <= limit,
        sentence=(
            f"{coupons.charged_usd:,.2f} USD of discounts count as cost; the retailer pays "
            f"{coupons.retailer_usd:,.2f}, others reimburse {coupons.reimbursed_usd:,.2f}: "
            f"{share:.0%} of the cost is not the retailer's."
        ),
    )


CHECK = Check(
    code="PU-FUNDING",
    title="Others' coupons are no cost",
    family="policy",
    needs=(CouponFunding,),
    look=_look,
)
