"""PU-CLOCK: receipts carry the hour of the store, not that of another time zone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters

HOURS = 24


@dataclass(frozen=True, slots=True)
class ReceiptHours:
    """When receipts were printed, by the hour that dates are taken from.

    Attributes
    ----------
    shares : tuple of float (24,)
        Share of receipts in each hour of the day.
    n_receipts : int
        Receipts.
    """

    shares: tuple[float, ...]
    n_receipts: int

    @classmethod
    def of(cls, timestamps: ArrayLike) -> ReceiptHours:
        """Share of receipts in each hour of timestamps as they are read, one per receipt.

        Raises
        ------
        CheckError
            If there are none.
        """
        hours = pd.DatetimeIndex(pd.Series(timestamps).dropna()).hour.to_numpy(dtype=np.int64)
        if not len(hours):
            raise CheckError("`timestamps` must hold receipts, found none.")
        shares = np.bincount(hours, minlength=HOURS) / len(hours)
        return cls(tuple(float(share) for share in shares), len(hours))


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Hold the share of receipts at hours when stores are closed against its bound."""
    hours, most = evidence.need(ReceiptHours), parameters.max_closed_share
    first, end = parameters.closed_from_hour, parameters.closed_to_hour
    share = sum(hours.shares[first:end])
    return Finding(
        rule=f"share of receipts from {first} to {end} o'clock <= {most:g}",
        value=share,
        threshold=most,
        passed=share <= most,
        sentence=(
            f"{share:.1%} of {hours.n_receipts:,} receipts were printed between {first} and {end} "
            f"o'clock at night; more than {most:.0%} says that the clock is another zone's and "
            "evening receipts stand on the next day."
        ),
    )


CHECK = Check(
    code="PU-CLOCK",
    title="Receipts carry the stores' clock",
    family="data",
    needs=(ReceiptHours,),
    look=_look,
)
