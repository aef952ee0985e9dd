"""Campaigns of the real tables: sizes, who is mailed, who redeems, whose demographics are known."""

from __future__ import annotations

import datetime as dt

import ibis
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from promo_uplift.contracts.errors import SourceError
from promo_uplift.contracts.results import FloatArray
from promo_uplift.contracts.tables import DEMOGRAPHIC_CODES, CanonicalTables
from promo_uplift.simulation.baskets import frame_of
from promo_uplift.simulation.parameters import ProfileParameters
from promo_uplift.simulation.profile import (
    REDEMPTION_FEATURES,
    TARGETING_FEATURES,
    CampaignFacts,
    DemographicShares,
)
from promo_uplift.simulation.standardise import standardised


def campaign_facts(*, tables: CanonicalTables, n_households: int) -> list[CampaignFacts]:
    """Return the calendar and the sizes of each campaign; shares are of ``n_households``."""
    mailed = frame_of(tables.campaign_targets).groupby("campaign_id").size()
    coupons = frame_of(
        tables.coupons.group_by("campaign_id").agg(n=tables.coupons.coupon_upc.nunique())
    ).set_index("campaign_id")["n"]
    lines = tables.transactions.filter(tables.transactions.is_merchandise)
    sales = lines.group_by("product_id").agg(usd=ibis._.sales_usd.sum())
    covered = tables.coupons.select("campaign_id", "product_id").distinct()
    covered = frame_of(
        covered.join(sales, "product_id").group_by("campaign_id").agg(usd=ibis._.usd.sum())
    ).set_index("campaign_id")["usd"]
    total = float(sales.usd.sum().to_pyarrow().as_py())
    redeemed = frame_of(tables.redemptions).groupby("campaign_id")["household_id"]
    redeemers, redemptions = redeemed.nunique(), redeemed.size()
    facts = []
    for row in frame_of(tables.campaigns.order_by("campaign_id")).to_dict("records"):
        campaign = row["campaign_id"]
        n_mailed, n_redeemers = int(mailed.get(campaign, 0)), int(redeemers.get(campaign, 0))
        facts.append(
            CampaignFacts(
                campaign_id=campaign,
                campaign_type=row["campaign_type"],
                start_date=str(row["start_date"].date()),
                end_date=str(row["end_date"].date()),
                mailed_share=n_mailed / n_households,
                n_coupons=int(coupons.get(campaign, 0)),
                target_sales_share=float(covered.get(campaign, 0.0)) / total,
                redemption_share=n_redeemers / max(n_mailed, 1),
                redemptions_per_redeemer=redemptions.get(campaign, 0) / max(n_redeemers, 1),
            )
        )
    return facts


def mailed_rows(
    *, tables: CanonicalTables, shopping: pd.DataFrame, parameters: ProfileParameters
) -> pd.DataFrame:
    """Households times campaigns with history: what the rule sees, standardised, and mailed."""
    first = shopping["date"].min()
    campaigns = frame_of(tables.campaigns.order_by("campaign_id"))
    targets = frame_of(tables.campaign_targets)
    targets = targets.merge(campaigns, on="campaign_id")
    known = frame_of(tables.households.select("household_id", "has_demographics"))
    known = known[known["household_id"].isin(shopping["household_id"])].set_index("household_id")
    parts = []
    for campaign in campaigns.to_dict("records"):
        begin = campaign["start_date"] - dt.timedelta(days=parameters.history_days)
        if begin < first:
            continue
        window = shopping[(shopping["date"] >= begin) & (shopping["date"] < campaign["start_date"])]
        groups = window.groupby("household_id")["spend"]
        since = campaign["start_date"] - dt.timedelta(days=parameters.repeat_days)
        before = targets[
            (targets["start_date"] >= since)
            & (targets["start_date"] < campaign["start_date"])
            & (targets["campaign_type"] == campaign["campaign_type"])
        ]["household_id"]
        mailed = targets.loc[targets["campaign_id"] == campaign["campaign_id"], "household_id"]
        features = {
            "log_spend": np.log1p(groups.sum().reindex(known.index, fill_value=0.0)),
            "log_visits": np.log1p(groups.size().reindex(known.index, fill_value=0.0)),
            "mailed_before": known.index.isin(before).astype(np.float64),
            "has_demographics": known["has_demographics"].to_numpy(dtype=np.float64),
        }
        parts.append(
            pd.DataFrame(
                {name: standardised(np.asarray(value)) for name, value in features.items()}
            ).assign(
                household_id=known.index.to_numpy(),
                campaign_id=campaign["campaign_id"],
                campaign_type=campaign["campaign_type"],
                mailed=known.index.isin(mailed).astype(np.int64),
            )
        )
    if not parts:
        raise SourceError(
            f"`history_days` must leave a campaign with {parameters.history_days} days of data "
            "before it to fit the targeting rule to; none has. Lower it."
        )
    return pd.concat(parts, ignore_index=True)


def logit_slopes(features: FloatArray, outcome: FloatArray) -> list[float]:
    """Slopes of a logistic regression, lightly penalised so that separation stays finite."""
    if len(np.unique(outcome)) < 2:
        return [0.0] * features.shape[1]
    model = LogisticRegression(C=1.0, max_iter=1000).fit(features, outcome)
    return [float(v) for v in model.coef_[0]]


def targeting_slopes(mailed: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Fit the rule of each campaign type to ``mailed_rows``; a type without rows takes all."""
    pooled = {}
    for kind in ("TypeA", "TypeB", "TypeC"):
        rows = mailed[mailed["campaign_type"] == kind]
        if rows.empty:
            rows = mailed
        values = logit_slopes(
            rows[list(TARGETING_FEATURES)].to_numpy(np.float64), rows["mailed"].to_numpy()
        )
        pooled[kind] = dict(zip(TARGETING_FEATURES, values, strict=True))
    return pooled


def redemption_slopes(
    *, tables: CanonicalTables, mailed: pd.DataFrame, households: pd.DataFrame
) -> dict[str, float]:
    """Fit who of the mailed households redeems to their standardised traits."""
    traits = pd.DataFrame(
        {
            "log_visits": standardised(np.log(households["visits_per_week"].to_numpy())),
            "discount_rate": standardised(households["discount_rate"].to_numpy()),
        },
        index=households.index,
    )
    redeemed = frame_of(tables.redemptions.select("household_id", "campaign_id").distinct())
    rows = mailed[mailed["mailed"] == 1][["household_id", "campaign_id"]]
    rows = rows.merge(traits, left_on="household_id", right_index=True)
    rows = rows.merge(redeemed.assign(redeemed=1), how="left").fillna({"redeemed": 0})
    values = logit_slopes(
        rows[list(REDEMPTION_FEATURES)].to_numpy(np.float64), rows["redeemed"].to_numpy(np.int64)
    )
    return dict(zip(REDEMPTION_FEATURES, values, strict=True))


def demographic_shares(tables: CanonicalTables) -> dict[str, DemographicShares]:
    """Return the frequencies of the labels among households with demographics."""
    frame = frame_of(tables.households.filter(tables.households.has_demographics))
    found = {}
    for name, labels in DEMOGRAPHIC_CODES.items():
        shares = frame[name].value_counts(normalize=False) / max(len(frame), 1)
        found[name] = DemographicShares(
            labels=list(labels),
            shares=[float(shares.get(code, 0.0)) for code in range(1, len(labels) + 1)],
        )
    return found
