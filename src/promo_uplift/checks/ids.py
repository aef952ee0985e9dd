"""PU-IDS: households and campaigns stand in the columns that bear their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd
from numpy.typing import ArrayLike

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.inputs import require
from promo_uplift.contracts.parameters import CheckParameters

#: Counts of the Complete Journey by the form of its files: what a right load must find.
PUBLISHED: Final[Mapping[str, Mapping[str, int]]] = {
    "original": {
        "households": 2_500,
        "campaigns": 30,
        "TypeA": 5,
        "TypeB": 19,
        "TypeC": 6,
        "targeting rows": 7_208,
        "demographics": 801,
    },
    "package": {
        "households": 2_469,
        "campaigns": 27,
        "TypeA": 4,
        "TypeB": 17,
        "TypeC": 6,
        "targeting rows": 6_589,
        "demographics": 801,
    },
}


@dataclass(frozen=True, slots=True)
class TargetIds:
    """How the ids of a targeting table fit the tables that they point to.

    Attributes
    ----------
    household_share, campaign_share : float
        Share of targeting rows whose household shops, and whose campaign is described.
    n_households, n_campaigns : int
        Distinct ids in the targeting table.
    off_counts : tuple of str
        Counts that differ from the publisher's, in words; empty where they agree or are unknown.
    """

    household_share: float
    campaign_share: float
    n_households: int
    n_campaigns: int
    off_counts: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        *,
        targets: pd.DataFrame,
        households: ArrayLike,
        campaigns: ArrayLike,
        counts: Mapping[str, int] | None = None,
        published: Mapping[str, int] | None = None,
    ) -> TargetIds:
        """Compare ``targets`` (``campaign_id``, ``household_id``) with the known ids.

        Parameters
        ----------
        targets : DataFrame
            One row per campaign and household that it was sent to.
        households, campaigns : array
            Ids known from the receipts and from the campaigns' descriptions.
        counts, published : mapping, optional
            Counts found and counts that the publisher states, e.g. ``PUBLISHED["original"]``; a
            published count that was not found differs too.

        Raises
        ------
        CheckError
            If ``targets`` has no rows or lacks a column.
        """
        require(targets, ["campaign_id", "household_id"], name="targets")
        found = counts or {}
        return cls(
            household_share=float(targets["household_id"].isin(pd.Series(households)).mean()),
            campaign_share=float(targets["campaign_id"].isin(pd.Series(campaigns)).mean()),
            n_households=int(targets["household_id"].nunique()),
            n_campaigns=int(targets["campaign_id"].nunique()),
            off_counts=tuple(
                f"{found.get(name, 0):,} {name} instead of {count:,}"
                for name, count in (published or {}).items()
                if found.get(name, 0) != count
            ),
        )


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Ids must point to known households and campaigns, and the published counts must be met."""
    ids, least = evidence.need(TargetIds), parameters.min_id_match_share
    share = min(ids.household_share, ids.campaign_share)
    counts = f" Published counts are missed: {'; '.join(ids.off_counts)}." if ids.off_counts else ""
    return Finding(
        rule=f"share of targeting rows with a known household and campaign >= {least:g}, and the "
        "publisher's counts",
        value=share,
        threshold=least,
        passed=share >= least and not ids.off_counts,
        sentence=(
            f"The targeting table names {ids.n_campaigns:,} campaigns and {ids.n_households:,} "
            f"households; {ids.campaign_share:.1%} of its rows name a campaign that is described, "
            f"{ids.household_share:.1%} a household that shops.{counts}"
        ),
    )


CHECK = Check(
    code="PU-IDS",
    title="Ids stand in the right columns",
    family="data",
    needs=(TargetIds,),
    look=_look,
)
