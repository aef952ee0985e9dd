"""Goodness of fit: the same figures of the real and of the simulated tables, side by side."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

import ibis
import numpy as np
import pandas as pd
from scipy.stats import ks_2samp, wasserstein_distance
from sklearn.metrics import roc_auc_score

from promo_uplift.contracts.results import FloatArray
from promo_uplift.contracts.tables import CATEGORIES, CanonicalTables
from promo_uplift.simulation.baskets import basket_frame, frame_of

WINDOW_DAYS: Final = 28
PRE_DAYS: Final = 84

#: Distributions that are compared: name -> what it is.
SAMPLES: Final = {
    "spend_28d_usd": "Spend of a household in 28 days, with zeros (USD)",
    "spend_year_usd": "Spend of a household over all days (USD)",
    "baskets_per_week": "Baskets of a household in a week, with zeros",
    "basket_usd": "Spend of a basket (USD)",
    "lines_per_basket": "Lines of a basket",
    "basket_mean_usd": "Mean basket of a household (USD)",
    "discount_rate": "Discount rate of a household (share of shelf value)",
    "private_share": "Private-label share of a household's lines",
    "products_84d": "Distinct products of a household in 84 days",
    "gap_days": "Days between visits of a household",
}


@dataclass(frozen=True, slots=True)
class Marginals:
    """Figures of one set of tables.

    Attributes
    ----------
    samples : dict of float64 (n,)
        Distributions by the names of ``SAMPLES``.
    numbers : dict of float
        Single figures.
    category_shares : dict of float
        Category -> share of merchandise spend.
    weekly : DataFrame
        ``week`` (date of its first day), ``relative_spend`` (mean 1).
    """

    samples: dict[str, FloatArray]
    numbers: dict[str, float]
    category_shares: dict[str, float]
    weekly: pd.DataFrame


def marginals(*, tables: CanonicalTables) -> Marginals:
    """Compute the figures that the goodness of fit compares."""
    baskets = basket_frame(tables)
    shopping = baskets[baskets["lines"] > 0]
    first, last = shopping["date"].min(), shopping["date"].max()
    by_household = _brands(tables)
    sums = shopping.groupby("household_id").agg(
        spend=("spend", "sum"), baskets=("spend", "size"), discount=("discount", "sum")
    )
    visits = (
        shopping[["household_id", "date"]].drop_duplicates().sort_values(["household_id", "date"])
    )
    gaps = visits.groupby("household_id")["date"].diff().dt.days.dropna()
    categories = _category_spend(tables)
    fuel = float(baskets["fuel_usd"].sum())
    return Marginals(
        samples={
            "spend_28d_usd": _per_block(shopping, first, last, WINDOW_DAYS, "spend"),
            "spend_year_usd": sums["spend"].to_numpy(np.float64),
            "baskets_per_week": _per_block(shopping, first, last, 7, None),
            "basket_usd": shopping["spend"].to_numpy(np.float64),
            "lines_per_basket": shopping["lines"].to_numpy(np.float64),
            "basket_mean_usd": (sums["spend"] / sums["baskets"]).to_numpy(np.float64),
            "discount_rate": (
                sums["discount"] / (sums["spend"] + sums["discount"]).clip(lower=0.01)
            ).to_numpy(np.float64),
            "private_share": by_household["private_share"].to_numpy(np.float64),
            "products_84d": _distinct_products(tables, last),
            "gap_days": gaps.to_numpy(np.float64),
        },
        numbers={
            "share_of_28d_without_purchase": float(
                (_per_block(shopping, first, last, WINDOW_DAYS, "spend") == 0).mean()
            ),
            "fuel_share_of_sales": fuel / (fuel + float(shopping["spend"].sum())),
            "households_without_demographics": _without_demographics(tables, shopping),
            **_arms(tables=tables, shopping=shopping, first=first, last=last),
            "correlation_pre_and_next_28d": _persistence(shopping, first, last),
        },
        category_shares=categories,
        weekly=_weekly(shopping, first, last),
    )


def goodness_of_fit(*, real: Marginals, simulated: Marginals) -> pd.DataFrame:
    """Compare two sets of figures.

    Returns
    -------
    DataFrame
        ``figure``; ``real``, ``simulated`` (means of a distribution, or the figure itself);
        ``real_median``, ``simulated_median``; ``ks`` (largest distance of the distribution
        functions, 0 to 1); ``wasserstein_sd`` (Wasserstein distance in standard deviations of the
        real one); ``n_real``, ``n_simulated``. Distances are NaN for single figures.
    """
    rows: list[dict[str, object]] = []
    for name in SAMPLES:
        one, other = real.samples[name], simulated.samples[name]
        rows.append(
            {
                "figure": name,
                "real": one.mean(),
                "simulated": other.mean(),
                "real_median": np.median(one),
                "simulated_median": np.median(other),
                "ks": ks_2samp(one, other, method="asymp").statistic,
                "wasserstein_sd": wasserstein_distance(one, other) / one.std(),
                "n_real": len(one),
                "n_simulated": len(other),
            }
        )
    pairs = [(name, real.numbers[name], simulated.numbers[name]) for name in real.numbers]
    pairs += [
        (f"share_of_spend_{name}", real.category_shares[name], simulated.category_shares[name])
        for name in CATEGORIES
    ]
    rows += [{"figure": name, "real": one, "simulated": other} for name, one, other in pairs]
    weeks = real.weekly.merge(simulated.weekly, on="week", suffixes=("_real", "_simulated"))
    if len(weeks) > 2:
        gap = weeks["relative_spend_real"] - weeks["relative_spend_simulated"]
        rows.append(
            {
                "figure": "weekly_spend_mean_gap",
                "real": 0.0,
                "simulated": gap.abs().mean(),
            }
        )
    return pd.DataFrame(rows)


def _per_block(
    shopping: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp, days: int, value: str | None
) -> FloatArray:
    """Sum or count per household and block of days; incomplete last blocks are left out."""
    n_blocks = ((last - first).days + 1) // days
    block = (shopping["date"] - first).dt.days // days
    kept = shopping.assign(block=block)[block < n_blocks]
    groups = kept.groupby(["household_id", "block"])
    found = groups.size() if value is None else groups[value].sum()
    zeros = shopping["household_id"].nunique() * n_blocks - len(found)
    return np.concatenate([found.to_numpy(np.float64), np.zeros(zeros)])


def _brands(tables: CanonicalTables) -> pd.DataFrame:
    lines = tables.transactions.filter(tables.transactions.is_merchandise)
    lines = lines.left_join(tables.products.select("product_id", "brand"), "product_id")
    return frame_of(
        lines.group_by("household_id").agg(
            private_share=(lines.brand == "Private").fill_null(False).cast("float64").mean()
        )
    )


def _category_spend(tables: CanonicalTables) -> dict[str, float]:
    lines = tables.transactions.filter(tables.transactions.is_merchandise)
    lines = lines.join(tables.products.select("product_id", "category"), "product_id")
    spend = frame_of(lines.group_by("category").agg(usd=lines.sales_usd.sum()))
    shares = spend.set_index("category")["usd"] / spend["usd"].sum()
    return {name: float(shares.get(name, 0.0)) for name in CATEGORIES}


def _distinct_products(tables: CanonicalTables, last: pd.Timestamp) -> FloatArray:
    lines = tables.transactions.filter(tables.transactions.is_merchandise)
    since = (last - pd.Timedelta(days=PRE_DAYS - 1)).date()
    recent = lines.filter(lines.date >= ibis.literal(since))
    counts = recent.group_by("household_id").agg(n=recent.product_id.nunique())
    return frame_of(counts)["n"].to_numpy(np.float64)


def _without_demographics(tables: CanonicalTables, shopping: pd.DataFrame) -> float:
    households = frame_of(tables.households.select("household_id", "has_demographics"))
    known = households[households["household_id"].isin(shopping["household_id"])]
    return float(1.0 - known["has_demographics"].mean())


def _weekly(shopping: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    n_weeks = ((last - first).days + 1) // 7
    week = (shopping["date"] - first).dt.days // 7
    spend = shopping["spend"].groupby(week).sum().reindex(range(n_weeks), fill_value=0.0)
    return pd.DataFrame(
        {
            "week": first + pd.to_timedelta(7 * np.arange(n_weeks), unit="D"),
            "relative_spend": (spend / spend.mean()).to_numpy(np.float64),
        }
    )


def _persistence(shopping: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> float:
    """Correlation of log spend in 84 days with log spend in the 28 days after, mid-year."""
    middle = first + (last - first) / 2
    middle = middle.normalize()
    return _correlation(shopping, middle)


def _window(shopping: pd.DataFrame, first: pd.Timestamp, end: pd.Timestamp) -> pd.Series:
    inside = shopping[(shopping["date"] >= first) & (shopping["date"] < end)]
    return inside.groupby("household_id")["spend"].sum()


def _correlation(shopping: pd.DataFrame, zero: pd.Timestamp) -> float:
    before = _window(shopping, zero - dt.timedelta(days=PRE_DAYS), zero)
    after = _window(shopping, zero, zero + dt.timedelta(days=WINDOW_DAYS))
    after = after.reindex(before.index, fill_value=0.0)
    return float(np.corrcoef(np.log1p(before), np.log1p(after))[0, 1])


def _arms(
    *, tables: CanonicalTables, shopping: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp
) -> dict[str, float]:
    """Mailed and not mailed households before and after TypeA campaigns with full windows."""
    campaigns = frame_of(tables.campaigns.filter(tables.campaigns.campaign_type == "TypeA"))
    targets = frame_of(tables.campaign_targets)
    redeemed = frame_of(tables.redemptions).drop_duplicates(["campaign_id", "household_id"])
    rows = []
    for campaign in campaigns.to_dict("records"):
        zero = campaign["start_date"]
        begin, end = zero - dt.timedelta(days=PRE_DAYS), zero + dt.timedelta(days=WINDOW_DAYS)
        if begin < first or end > last + dt.timedelta(days=1):
            continue
        before = _window(shopping, begin, zero)
        after = _window(shopping, zero, end).reindex(before.index, fill_value=0.0)
        of_campaign = targets["campaign_id"] == campaign["campaign_id"]
        mailed = before.index.isin(targets.loc[of_campaign, "household_id"])
        if not 0 < mailed.sum() < len(mailed):
            continue
        rows.append(
            {
                "mailed_share": mailed.mean(),
                "auc_of_pre_spend": roc_auc_score(mailed, before),
                "pre_spend_mailed_usd": before[mailed].mean(),
                "pre_spend_others_usd": before[~mailed].mean(),
                "no_purchase_28d_mailed": (after[mailed] == 0).mean(),
                "no_purchase_28d_others": (after[~mailed] == 0).mean(),
                "redeeming_share_of_mailed": (
                    redeemed["campaign_id"] == campaign["campaign_id"]
                ).sum()
                / of_campaign.sum(),
            }
        )
    if not rows:
        return {}
    return {str(name): float(value) for name, value in pd.DataFrame(rows).mean().items()}
