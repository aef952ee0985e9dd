"""Tables to trials with all covariates, for every campaign: ours, hand-written SQL, pandas.

``python benchmarks/trials.py`` (or ``python -m benchmarks.trials``) writes the canonical tables of
the packaged data to Parquet once, then lets three contestants turn them into one Parquet file with
a row per campaign and eligible household (arm, outcomes, covariates):

* ours: ``promo_uplift.trials.build_trials``, one Ibis expression, its compilation included;
* sql: the same table in DuckDB SQL by hand, with the best tricks known for it;
* pandas: the same table in vectorised pandas and NumPy, written from the definitions in
  ``docs/covariates.md`` and not from our code.

Each measurement is a process of its own (peak memory), the contestants take turns (so a busy
moment hits all), and the three tables must agree within ``TOLERANCE`` or the benchmark fails.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import ibis
import numpy as np
import pandas as pd

from promo_uplift.contracts.columns import BASE_FEATURES, COVARIATES
from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.sources import canonical_tables, source_files
from promo_uplift.trials.build import LEADING, build_trials
from promo_uplift.trials.selection import ChosenCampaign, TrialSelection, data_coverage

#: Largest difference between two contestants' figures: far above float64 rounding of sums of a few
#: thousand cents, far below a cent or a count.
TOLERANCE = 1e-6
#: Required: ours / sql at most this, pandas / ours at least that (issue "The main job").
MAX_RATIO_TO_SQL = 1.3
MIN_RATIO_TO_PANDAS = 2.0

TABLES = (
    "transactions",
    "products",
    "households",
    "campaigns",
    "campaign_targets",
    "coupons",
    "redemptions",
)
MARGIN_RATE = 0.3
THREADS = 2
PARAMETERS = TrialParameters(
    treatment_definition="campaign_targeted",
    control_definition="not_targeted",
    campaign_types=["TypeA", "TypeB", "TypeC"],
    pre_days=84,
    history_days=126,
    outcome_days=28,
    post_days=28,
    placebo_shift_days=28,
    washout_days=0,
    min_arm_households=2,
)
SHARES = ("grocery", "fresh", "bakery", "health_beauty", "alcohol", "other")


# ------------------------------------------------------------------------------------------ input


def write_canonical(folder: Path) -> None:
    """Write the packaged data's canonical tables as Parquet."""
    con = ibis.duckdb.connect(threads=THREADS)
    files = source_files(form="package")
    raw = {name: con.read_parquet(path) for name, path in files.items() if name != "promotions"}
    tables = canonical_tables(form="package", raw=raw, seed=0)
    for name, table in tables.items():
        con.to_parquet(table, folder / f"{name}.parquet")


def every_campaign(tables: CanonicalTables) -> TrialSelection:
    """Every campaign as a trial, whether or not the data covers its windows."""
    first, last = data_coverage(tables=tables)
    campaigns = tables.campaigns.order_by("campaign_id").to_pyarrow().to_pylist()
    post = dt.timedelta(days=PARAMETERS.post_days)
    return TrialSelection(
        campaigns=tuple(
            ChosenCampaign(
                campaign_id=row["campaign_id"],
                campaign_type=row["campaign_type"],
                start_date=row["start_date"],
                end_date=row["end_date"],
                time_zero=row["start_date"],
                is_post_covered=row["end_date"] + post <= last,
            )
            for row in campaigns
        ),
        shift_days=0,
        first_date=first,
        last_date=last,
        report=pd.DataFrame(),
    )


# ------------------------------------------------------------------------------------------- ours


def ours(folder: Path, output: Path) -> None:
    """Build the trials with the project's own code."""
    con = ibis.duckdb.connect(threads=THREADS)
    tables = CanonicalTables(
        **{name: con.read_parquet(folder / f"{name}.parquet") for name in TABLES}
    )
    trials = build_trials(
        tables=tables,
        selection=every_campaign(tables),
        parameters=PARAMETERS,
        margin_rate=MARGIN_RATE,
    )
    con.to_parquet(trials, output)


# ---------------------------------------------------------------------------- hand-written DuckDB

_SQL = """
CREATE TEMP TABLE win AS
SELECT campaign_id, campaign_type, start_date AS t0, end_date, start_date - {pre} AS lo,
    end_date + {post} <= (SELECT max(date) FROM transactions) AS post_ok,
    1::BIGINT << (row_number() OVER (ORDER BY campaign_id) - 1)::INT AS bit
FROM campaigns;

CREATE TEMP TABLE hd AS
WITH line AS (
    SELECT household_id, date, basket_id, product_id, is_merchandise AS m, quantity,
        round(100 * sales_usd) AS a,
        CASE WHEN is_merchandise THEN round(100 * sales_usd) ELSE 0 END AS c,
        CASE WHEN is_merchandise
            THEN round(100 * (retail_discount_usd + coupon_match_discount_usd)) ELSE 0 END AS d,
        CASE WHEN line_kind IN ('merchandise', 'coupon')
            THEN round(100 * coupon_discount_usd) ELSE 0 END AS k
    FROM transactions
    WHERE date >= (SELECT min(lo) FROM win)
        AND date < (SELECT max(greatest(
            t0 + {out}, CASE WHEN post_ok THEN end_date + {post} + 1 ELSE t0 END
        )) FROM win)
), basket AS (
    SELECT household_id, date, basket_id, sum(a) AS a, sum(c) AS c, count(*) FILTER (m) AS lines,
        coalesce(sum(quantity) FILTER (m), 0)::DOUBLE AS items, count(*) FILTER (d > 0) AS dl,
        sum(d) AS d, sum(k) AS k,
        sum(CASE WHEN brand = 'Private' THEN c ELSE 0 END) AS pl,
        sum(CASE WHEN category = 'grocery' THEN c ELSE 0 END) AS s_grocery,
        sum(CASE WHEN category = 'fresh' THEN c ELSE 0 END) AS s_fresh,
        sum(CASE WHEN category = 'bakery' THEN c ELSE 0 END) AS s_bakery,
        sum(CASE WHEN category = 'health_beauty' THEN c ELSE 0 END) AS s_health_beauty,
        sum(CASE WHEN category = 'alcohol' THEN c ELSE 0 END) AS s_alcohol
    FROM line LEFT JOIN (SELECT product_id, brand, category FROM products) USING (product_id)
    GROUP BY household_id, date, basket_id
), day AS (
    SELECT household_id, date, sum(a) AS a, sum(c) AS c, sum(c * c) AS cc,
        count(*) FILTER (lines > 0)::DOUBLE AS baskets, sum(lines)::DOUBLE AS lines,
        sum(items) AS items, sum(dl)::DOUBLE AS dl, sum(d) AS d, sum(k) AS k, sum(pl) AS pl,
        sum(s_grocery) AS s_grocery, sum(s_fresh) AS s_fresh, sum(s_bakery) AS s_bakery,
        sum(s_health_beauty) AS s_health_beauty, sum(s_alcohol) AS s_alcohol
    FROM basket GROUP BY household_id, date
)
SELECT *, lines > 0 AS visit, lag(date) OVER w AS prev, lead(date) OVER w AS nxt
FROM day WINDOW w AS (PARTITION BY household_id, lines > 0 ORDER BY date);

CREATE TEMP TABLE base AS
SELECT campaign_id, household_id, any_value(t0) AS t0,
    max(date) FILTER (visit) AS last_v, min(date) FILTER (visit) AS first_v,
    (count(*) FILTER (visit))::DOUBLE AS visits,
    coalesce(sum((date - prev) * (date - prev)) FILTER (visit AND prev >= lo), 0)::DOUBLE AS gg,
    (count(*) FILTER (visit AND (nxt IS NULL OR nxt >= t0
        OR (t0 - 1 - nxt) // 7 <> (t0 - 1 - date) // 7)))::DOUBLE AS weeks,
    sum(c) AS c, sum(cc) AS cc, sum(baskets) AS baskets, sum(lines) AS lines, sum(items) AS items,
    sum(dl) AS dl, sum(d) AS d, sum(k) AS k, sum(pl) AS pl, sum(s_grocery) AS s_grocery,
    sum(s_fresh) AS s_fresh, sum(s_bakery) AS s_bakery, sum(s_health_beauty) AS s_health_beauty,
    sum(s_alcohol) AS s_alcohol
FROM hd JOIN win ON hd.date >= win.lo AND hd.date < win.t0
GROUP BY campaign_id, household_id HAVING count(*) FILTER (visit) > 0;

CREATE TEMP TABLE seen AS
WITH cal AS (
    SELECT date, bit_or(bit) AS m
    FROM (SELECT unnest(generate_series(lo, t0 - 1, INTERVAL 1 DAY))::DATE AS date, bit FROM win)
    GROUP BY date
)
SELECT household_id, product_id, bit_or(m) AS m
FROM transactions JOIN cal USING (date) WHERE is_merchandise GROUP BY household_id, product_id;

CREATE TEMP TABLE n_distinct AS
WITH marks AS (
    SELECT household_id, m, count(*) AS products, 0 AS departments FROM seen GROUP BY ALL
    UNION ALL
    SELECT household_id, m, 0, count(*) FROM (
        SELECT household_id, department, bit_or(m) AS m FROM seen JOIN products USING (product_id)
        WHERE department IS NOT NULL GROUP BY ALL
    ) GROUP BY ALL
)
SELECT campaign_id, household_id, sum(products)::DOUBLE AS products,
    sum(departments)::DOUBLE AS departments
FROM marks JOIN win ON (m & bit) <> 0 GROUP BY campaign_id, household_id;

CREATE TEMP TABLE target AS
WITH cal AS (
    SELECT date, bit_or(bit) AS m
    FROM (
        SELECT unnest(generate_series(t0, t0 + {out} - 1, INTERVAL 1 DAY))::DATE AS date, bit
        FROM win
    )
    GROUP BY date
), covered AS (
    SELECT product_id, bit_or(bit) AS p FROM coupons JOIN win USING (campaign_id)
    GROUP BY product_id
), sums AS (
    SELECT household_id, m & p AS mask, sum(round(100 * sales_usd)) AS c
    FROM transactions JOIN cal USING (date) JOIN covered USING (product_id)
    WHERE is_merchandise AND (m & p) <> 0 GROUP BY ALL
)
SELECT campaign_id, household_id, sum(c) AS tc FROM sums JOIN win ON (mask & bit) <> 0
GROUP BY campaign_id, household_id;

CREATE TEMP TABLE outcome AS
SELECT campaign_id, household_id,
    sum(CASE WHEN date >= t0 AND date < t0 + {out} THEN c ELSE 0 END) AS oc,
    sum(CASE WHEN date >= t0 AND date < t0 + {out} THEN a ELSE 0 END) AS oa,
    sum(CASE WHEN date >= t0 AND date < t0 + {out} THEN d ELSE 0 END) AS od,
    count(*) FILTER (visit AND date >= t0 AND date < t0 + {out}) AS ov,
    sum(CASE WHEN date < t0 THEN a ELSE 0 END) AS pa,
    sum(CASE WHEN date > end_date AND date <= end_date + {post} THEN c ELSE 0 END) AS pc
FROM hd JOIN win ON hd.date >= win.t0 - 28 AND hd.date < greatest(t0 + {out}, end_date + {post} + 1)
GROUP BY campaign_id, household_id;

CREATE TEMP TABLE prior AS
SELECT w.campaign_id, household_id,
    count(*) FILTER (c.start_date >= t0 - {hist} AND c.campaign_type = 'TypeA') AS n_a,
    count(*) FILTER (c.start_date >= t0 - {hist} AND c.campaign_type = 'TypeB') AS n_b,
    count(*) FILTER (c.start_date >= t0 - {hist} AND c.campaign_type = 'TypeC') AS n_c,
    min(t0 - c.start_date) FILTER (c.start_date >= t0 - {hist}) AS since,
    count(*) FILTER (c.end_date >= t0) AS active
FROM campaign_targets JOIN campaigns c USING (campaign_id) JOIN win w ON c.start_date < w.t0
GROUP BY w.campaign_id, household_id;

CREATE TEMP TABLE prior_red AS
SELECT w.campaign_id, household_id, count(*) AS n
FROM redemptions r JOIN win w ON r.date < t0 AND r.date >= t0 - {hist}
GROUP BY w.campaign_id, household_id;

COPY (
WITH x AS (
    SELECT *, t0 - last_v AS recency, t0 - first_v AS tenure, visits - 1 AS g,
        (last_v - first_v)::DOUBLE AS span, nullif(c, 0) AS total
    FROM base
), y AS (
    SELECT *, span / nullif(g, 0) AS gap_mean,
        sqrt((g * gg - span * span) / nullif(g * (g - 1), 0)) AS gap_std FROM x
)
SELECT household_id, campaign_id, campaign_type, y.t0 AS start_date,
    (tt.household_id IS NOT NULL)::BIGINT AS treatment,
    (rr.household_id IS NOT NULL)::BIGINT AS redeemed,
    coalesce(oc, 0) / 100 AS spend_usd, coalesce(oa, 0) / 100 AS all_sales_usd,
    coalesce(pa, 0) / 100 AS pre_28d_sales_usd, coalesce(ov, 0) AS visits,
    coalesce(tc, 0) / 100 AS target_spend_usd,
    (coalesce(oc, 0) - coalesce(tc, 0)) / 100 AS other_spend_usd,
    coalesce(od, 0) / 100 AS retailer_discount_usd,
    ({rate} * coalesce(oc, 0) - coalesce(od, 0)) / 100 AS margin_usd,
    CASE WHEN post_ok THEN coalesce(pc, 0) / 100 END AS post_spend_usd,
    recency::DOUBLE AS pre_recency_days, (recency <= 28)::DOUBLE AS pre_active_last_4w,
    (recency <= 84)::DOUBLE AS pre_active_last_12w, gap_mean AS pre_days_between_visits_mean,
    gap_std AS pre_days_between_visits_std, tenure::DOUBLE AS pre_tenure_days,
    y.visits AS pre_visits, y.visits / ({pre} / 7.0) AS pre_visits_per_week,
    baskets AS pre_baskets, weeks AS pre_active_weeks,
    1 / (1 + gap_std / gap_mean) AS pre_purchase_regularity, lines AS pre_lines,
    c / 100 AS pre_spend_usd, c / 100 / ({pre} / 7.0) AS pre_spend_per_week,
    c / 100 / baskets AS pre_basket_spend_mean,
    sqrt((baskets * cc - c * c) / nullif(baskets * (baskets - 1), 0)) / 100 AS pre_basket_spend_std,
    (c - k) / 100 AS pre_paid_usd, (c - k) / 100 / baskets AS pre_basket_paid_mean,
    k / total AS pre_coupon_saving_share, d / nullif(c + d, 0) AS pre_discount_rate,
    dl / lines AS pre_discounted_line_share, pl / total AS pre_private_label_share,
    departments AS pre_n_departments, products AS pre_n_products,
    items / baskets AS pre_items_per_basket, lines / baskets AS pre_products_per_basket,
    s_grocery / total AS pre_share_grocery, s_fresh / total AS pre_share_fresh,
    s_bakery / total AS pre_share_bakery, s_health_beauty / total AS pre_share_health_beauty,
    s_alcohol / total AS pre_share_alcohol,
    (c - s_grocery - s_fresh - s_bakery - s_health_beauty - s_alcohol) / total AS pre_share_other,
    weeks / ceil({pre} / 7.0) AS pre_week_coverage,
    coalesce(n_a, 0)::DOUBLE AS prior_campaigns_type_a,
    coalesce(n_b, 0)::DOUBLE AS prior_campaigns_type_b,
    coalesce(n_c, 0)::DOUBLE AS prior_campaigns_type_c, since::DOUBLE AS prior_days_since_last,
    coalesce(pr.n, 0)::DOUBLE AS prior_redemptions, coalesce(active, 0)::DOUBLE AS active_campaigns,
    demo_age::DOUBLE AS demo_age, demo_income::DOUBLE AS demo_income,
    demo_household_size::DOUBLE AS demo_household_size, demo_home_owner::DOUBLE AS demo_home_owner,
    (NOT coalesce(has_demographics, false))::DOUBLE AS demo_missing
FROM y JOIN n_distinct USING (campaign_id, household_id) JOIN win USING (campaign_id)
    LEFT JOIN campaign_targets tt USING (campaign_id, household_id)
    LEFT JOIN (SELECT DISTINCT campaign_id, household_id FROM redemptions) rr
        USING (campaign_id, household_id)
    LEFT JOIN outcome USING (campaign_id, household_id)
    LEFT JOIN target USING (campaign_id, household_id)
    LEFT JOIN prior USING (campaign_id, household_id)
    LEFT JOIN prior_red pr USING (campaign_id, household_id)
    LEFT JOIN households h USING (household_id)
ORDER BY campaign_id, household_id
) TO '{output}' (FORMAT parquet);
"""


def hand_sql(folder: Path, output: Path) -> None:
    """Build the same table with DuckDB SQL."""
    con = duckdb.connect()
    con.execute(f"SET threads = {THREADS}")
    for name in TABLES:
        con.execute(f"CREATE VIEW {name} AS SELECT * FROM '{folder / name}.parquet'")  # noqa: S608
    con.execute(
        _SQL.format(
            pre=PARAMETERS.pre_days,
            hist=PARAMETERS.history_days,
            out=PARAMETERS.outcome_days,
            post=PARAMETERS.post_days,
            rate=MARGIN_RATE,
            output=output,
        )
    )


# -------------------------------------------------------------------------------- vectorised pandas


def _day_numbers(dates: pd.Series) -> np.ndarray:
    return pd.to_datetime(dates).to_numpy("datetime64[D]").astype(np.int64)


class _Lines:
    """Receipt lines sorted by day, with what every campaign needs computed once."""

    def __init__(self, transactions: pd.DataFrame, products: pd.DataFrame) -> None:
        lines = transactions.assign(day=_day_numbers(transactions["date"]))
        lines = lines.sort_values("day", kind="stable", ignore_index=True)
        of_product = products.set_index("product_id").loc[lines["product_id"].to_numpy()]
        bought = lines["is_merchandise"].to_numpy()
        sales = lines["sales_usd"].to_numpy()
        spend = np.where(bought, sales, 0.0)
        discount = (lines["retail_discount_usd"] + lines["coupon_match_discount_usd"]).to_numpy()
        category = of_product["category"].to_numpy()
        has_coupon_cost = lines["line_kind"].isin(["merchandise", "coupon"]).to_numpy()
        columns = {
            "household_id": lines["household_id"].to_numpy(),
            "day": lines["day"].to_numpy(),
            "basket_id": lines["basket_id"].to_numpy(),
            "all_sales": sales,
            "spend": spend,
            "lines": bought.astype(float),
            "items": np.where(bought, lines["quantity"].to_numpy(), 0).astype(float),
            "discounted": (bought & (discount.round(2) > 0)).astype(float),
            "discount": np.where(bought, discount, 0.0),
            "coupon": np.where(has_coupon_cost, lines["coupon_discount_usd"].to_numpy(), 0.0),
            "private": np.where(of_product["brand"].to_numpy() == "Private", spend, 0.0),
        } | {f"share_{name}": np.where(category == name, spend, 0.0) for name in SHARES}
        frame = pd.DataFrame(columns)
        keys = ["day", "household_id", "basket_id"]
        self.baskets = frame.groupby(keys, sort=True).sum().reset_index()
        merchandise = lines[bought]
        self.day = merchandise["day"].to_numpy()
        self.household = merchandise["household_id"].to_numpy()
        self.product = merchandise["product_id"].to_numpy()
        self.basket = merchandise["basket_id"].to_numpy()
        self.spend = spend[bought]
        self.department = pd.factorize(of_product["department"])[0][bought]
        self.pair = pd.factorize(self.household * (int(self.product.max()) + 1) + self.product)[0]

    def within(self, begin: int, end: int) -> slice:
        """Merchandise lines with begin <= day < end."""
        return slice(*np.searchsorted(self.day, [begin, end]))

    def baskets_within(self, begin: int, end: int) -> pd.DataFrame:
        """Baskets with begin <= day < end."""
        return self.baskets.iloc[slice(*np.searchsorted(self.baskets["day"], [begin, end]))]


def _visit_features(visited: pd.DataFrame, t0: int, pre_days: int) -> pd.DataFrame:
    days = visited[["household_id", "day"]].drop_duplicates()
    days = days.sort_values(["household_id", "day"], kind="stable")
    same = days["household_id"].to_numpy()[1:] == days["household_id"].to_numpy()[:-1]
    gaps = pd.DataFrame(
        {
            "household_id": days["household_id"].to_numpy()[1:][same],
            "gap": np.diff(days["day"].to_numpy())[same].astype(float),
        }
    ).groupby("household_id")["gap"]
    by_household = days.groupby("household_id")["day"]
    weeks = days.assign(week=(t0 - 1 - days["day"]) // 7).drop_duplicates(["household_id", "week"])
    features = pd.DataFrame(
        {
            "pre_recency_days": t0 - by_household.max(),
            "pre_tenure_days": t0 - by_household.min(),
            "pre_visits": by_household.size(),
            "pre_active_weeks": weeks.groupby("household_id").size(),
            "pre_days_between_visits_mean": gaps.mean(),
            "pre_days_between_visits_std": gaps.std(),
        }
    )
    mean, std = (features[f"pre_days_between_visits_{name}"] for name in ("mean", "std"))
    return features.assign(
        pre_active_last_4w=features["pre_recency_days"] <= 28,
        pre_active_last_12w=features["pre_recency_days"] <= 84,
        pre_purchase_regularity=1 / (1 + std / mean),
        pre_visits_per_week=features["pre_visits"] / (pre_days / 7),
        pre_week_coverage=features["pre_active_weeks"] / -(-pre_days // 7),
    )


def _basket_features(baskets: pd.DataFrame, eligible: pd.Index, pre_days: int) -> pd.DataFrame:
    sums = baskets.drop(columns=["day", "basket_id"]).groupby("household_id").sum().loc[eligible]
    of_merchandise = baskets[baskets["lines"] > 0].groupby("household_id")["spend"]
    n_baskets = of_merchandise.size()
    spend = sums["spend"]
    paid = spend - sums["coupon"]
    total = spend.where(spend.abs() > TOLERANCE)
    shelf = spend + sums["discount"]
    return pd.DataFrame(
        {
            "pre_baskets": n_baskets,
            "pre_lines": sums["lines"],
            "pre_spend_usd": spend,
            "pre_spend_per_week": spend / (pre_days / 7),
            "pre_basket_spend_mean": spend / n_baskets,
            "pre_basket_spend_std": of_merchandise.std(),
            "pre_paid_usd": paid,
            "pre_basket_paid_mean": paid / n_baskets,
            "pre_coupon_saving_share": sums["coupon"] / total,
            "pre_discount_rate": sums["discount"] / shelf.where(shelf.abs() > TOLERANCE),
            "pre_discounted_line_share": sums["discounted"] / sums["lines"],
            "pre_private_label_share": sums["private"] / total,
            "pre_items_per_basket": sums["items"] / n_baskets,
        }
        | {f"pre_share_{name}": sums[f"share_{name}"] / total for name in SHARES}
    )


def _distinct_features(lines: _Lines, inside: slice) -> pd.DataFrame:
    household, product = lines.household[inside], lines.product[inside]
    _, first = np.unique(lines.pair[inside], return_index=True)
    department = lines.department[inside]
    known = department >= 0
    departments = pd.DataFrame({"h": household[known], "d": department[known]}).drop_duplicates()
    in_basket = pd.DataFrame({"b": lines.basket[inside], "p": product}).drop_duplicates()
    basket_household = pd.Series(household, index=lines.basket[inside])
    basket_household = basket_household[~basket_household.index.duplicated()]
    per_basket = in_basket.groupby("b").size()
    n_products = pd.Series(household[first]).value_counts()
    n_departments = departments.groupby("h").size().reindex(n_products.index, fill_value=0)
    return pd.DataFrame(
        {
            "pre_n_products": n_products,
            "pre_n_departments": n_departments,
            "pre_products_per_basket": per_basket.groupby(
                basket_household.loc[per_basket.index].to_numpy()
            ).mean(),
        }
    )


def _exposure_features(
    mailings: pd.DataFrame, redemptions: pd.DataFrame, t0: int, history_days: int
) -> dict[str, pd.Series]:
    before = mailings[mailings["start"] < t0]
    recent = before[before["start"] >= t0 - history_days]
    redeemed = redemptions[(redemptions["day"] < t0) & (redemptions["day"] >= t0 - history_days)]
    counts = {
        f"prior_campaigns_type_{letter.lower()}": recent.loc[
            recent["campaign_type"] == f"Type{letter}", "household_id"
        ].value_counts()
        for letter in "ABC"
    }
    return counts | {
        "prior_redemptions": redeemed["household_id"].value_counts(),
        "active_campaigns": before.loc[before["end"] >= t0, "household_id"].value_counts(),
        "prior_days_since_last": t0 - recent.groupby("household_id")["start"].max(),
    }


def _outcomes(
    lines: _Lines, covered: np.ndarray, t0: int, end: int, post_ok: bool
) -> dict[str, pd.Series]:
    window = lines.baskets_within(t0, t0 + PARAMETERS.outcome_days)
    sums = window.groupby("household_id")[["spend", "all_sales", "discount"]].sum()
    visited = window.loc[window["lines"] > 0, ["household_id", "day"]].drop_duplicates()
    inside = lines.within(t0, t0 + PARAMETERS.outcome_days)
    on_target = np.isin(lines.product[inside], covered)
    target = pd.Series(lines.spend[inside][on_target]).groupby(lines.household[inside][on_target])
    outcomes = {
        "spend_usd": sums["spend"],
        "all_sales_usd": sums["all_sales"],
        "pre_28d_sales_usd": lines.baskets_within(t0 - 28, t0)
        .groupby("household_id")["all_sales"]
        .sum(),
        "visits": visited["household_id"].value_counts(),
        "target_spend_usd": target.sum(),
        "retailer_discount_usd": sums["discount"],
    }
    if post_ok:
        after = lines.baskets_within(end + 1, end + 1 + PARAMETERS.post_days)
        outcomes["post_spend_usd"] = after.groupby("household_id")["spend"].sum()
    return outcomes


def pandas_trials(
    tables: dict[str, pd.DataFrame], only: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Build the trial table of the campaigns ``only`` (or of all) by the documented formulas."""
    lines = _Lines(tables["transactions"], tables["products"])
    last = int(_day_numbers(tables["transactions"]["date"]).max())
    campaigns = tables["campaigns"].sort_values("campaign_id")
    campaigns = campaigns.assign(
        start=_day_numbers(campaigns["start_date"]), end=_day_numbers(campaigns["end_date"])
    )
    chosen = campaigns if only is None else campaigns.loc[only.index].sort_values("campaign_id")
    mailings = tables["campaign_targets"].merge(campaigns, on="campaign_id")
    redemptions = tables["redemptions"].assign(day=_day_numbers(tables["redemptions"]["date"]))
    households = tables["households"].set_index("household_id")
    pre_days = PARAMETERS.pre_days
    parts = []
    for campaign in chosen.itertuples():
        t0, end = int(campaign.start), int(campaign.end)
        baskets = lines.baskets_within(t0 - pre_days, t0)
        features = _visit_features(baskets[baskets["lines"] > 0], t0, pre_days)
        eligible = features.index
        part = pd.concat(
            [
                features,
                _basket_features(baskets, eligible, pre_days),
                _distinct_features(lines, lines.within(t0 - pre_days, t0)),
            ],
            axis="columns",
        )
        known = households.reindex(eligible)
        covered = tables["coupons"].loc[
            tables["coupons"]["campaign_id"] == campaign.campaign_id, "product_id"
        ]
        post_ok = end + PARAMETERS.post_days <= last
        outcomes = _outcomes(lines, covered.unique(), t0, end, post_ok)
        exposure = _exposure_features(mailings, redemptions, t0, PARAMETERS.history_days)
        counted = {
            name: values.reindex(eligible, fill_value=0)
            for name, values in (outcomes | exposure).items()
            if name != "prior_days_since_last"
        }
        own = mailings.loc[mailings["campaign_id"] == campaign.campaign_id, "household_id"]
        redeemed = redemptions.loc[
            redemptions["campaign_id"] == campaign.campaign_id, "household_id"
        ]
        part = part.assign(
            **counted,
            prior_days_since_last=exposure["prior_days_since_last"].reindex(eligible),
            **{name: known[name] for name in COVARIATES if name in known.columns},
            demo_missing=~known["has_demographics"].eq(True),
            campaign_id=campaign.campaign_id,
            campaign_type=campaign.campaign_type,
            start_date=campaign.start_date,
            treatment=eligible.isin(own).astype(np.int64),
            redeemed=eligible.isin(redeemed).astype(np.int64),
        )
        if not post_ok:
            part["post_spend_usd"] = np.nan
        parts.append(part.sort_index().rename_axis("household_id").reset_index())
    trials = pd.concat(parts, ignore_index=True)
    trials = trials.assign(
        other_spend_usd=trials["spend_usd"] - trials["target_spend_usd"],
        margin_usd=MARGIN_RATE * trials["spend_usd"] - trials["retailer_discount_usd"],
    )
    trials = trials[[*LEADING, *COVARIATES]]
    return trials.astype(dict.fromkeys(COVARIATES, "float64"))


def vectorised_pandas(folder: Path, output: Path) -> None:
    """Build the same table with pandas and NumPy."""
    tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES}
    pandas_trials(tables).to_parquet(output, index=False)


# ------------------------------------------------------------------------------------- measurement

CONTESTANTS: dict[str, Callable[[Path, Path], None]] = {
    "ours": ours,
    "sql": hand_sql,
    "pandas": vectorised_pandas,
}


def largest_difference(left: pd.DataFrame, right: pd.DataFrame) -> tuple[str, float]:
    """Column and size of the largest difference; infinite where missing values disagree."""
    worst = ("", 0.0)
    for name in left.columns:
        if name in ("campaign_type", "start_date"):
            same = (left[name].astype(str).str[:10] == right[name].astype(str).str[:10]).all()
            difference = 0.0 if same else float("inf")
        else:
            a, b = (frame[name].to_numpy(dtype=float) for frame in (left, right))
            difference = float(np.nanmax(np.abs(a - b), initial=0.0))
            if not np.array_equal(np.isnan(a), np.isnan(b)):
                difference = float("inf")
        if difference > worst[1]:
            worst = (name, difference)
    return worst


def check_equal(outputs: dict[str, Path]) -> None:
    """Compare the three tables, or stop with the column that differs."""
    frames = {name: pd.read_parquet(path) for name, path in outputs.items()}
    reference = frames["ours"]
    n_features = len(BASE_FEATURES)
    n_campaigns = reference["campaign_id"].nunique()
    print(
        f"{len(reference):,} rows, {n_campaigns} of 27 campaigns with an eligible household, "
        f"{reference.shape[1]} columns ({len(COVARIATES)} covariates, {n_features} of them base)"
    )
    for name, frame in frames.items():
        if list(frame.columns) != list(reference.columns) or len(frame) != len(reference):
            raise SystemExit(f"{name}: other rows or columns than ours")
        column, difference = largest_difference(reference, frame)
        if difference > TOLERANCE:
            raise SystemExit(f"{name}: `{column}` differs from ours by {difference:g}")
        print(f"{name:7s} equal to ours: largest difference {difference:.1e} {column}")


def measure(name: str, folder: Path, output: Path) -> dict[str, float]:
    """Seconds and peak memory of one contestant in a process of its own."""
    command = [sys.executable, __file__, "--contestant", name]
    command += ["--folder", str(folder), "--output", str(output)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _contest(name: str, folder: Path, output: Path) -> None:
    start = time.perf_counter()
    CONTESTANTS[name](folder, output)
    seconds = time.perf_counter() - start
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(json.dumps({"seconds": seconds, "peak_gb": peak_gb}))


def compare(repeats: int) -> int:
    """Run the contest and print it; 0 if the required ratios hold."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_canonical(folder)
        outputs = {name: folder / f"trials_{name}.parquet" for name in CONTESTANTS}
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in CONTESTANTS}
        names = list(CONTESTANTS)
        for repeat in range(repeats):
            turn = repeat % len(names)
            for name in names[turn:] + names[:turn]:
                runs[name].append(measure(name, folder, outputs[name]))
        check_equal(outputs)
    seconds = {name: [run["seconds"] for run in runs[name]] for name in names}
    print(f"\nseconds from Parquet to Parquet, {THREADS} threads, {repeats} interleaved repeats")
    for name in names:
        values = seconds[name]
        peak = max(run["peak_gb"] for run in runs[name])
        print(
            f"{name:7s} median {statistics.median(values):6.2f}   min {min(values):6.2f}   "
            f"max {max(values):6.2f}   peak {peak:.2f} GB"
        )
    to_sql = statistics.median(a / b for a, b in zip(seconds["ours"], seconds["sql"], strict=True))
    to_pandas = statistics.median(
        b / a for a, b in zip(seconds["ours"], seconds["pandas"], strict=True)
    )
    print(f"ours / sql    {to_sql:5.2f}   (required: at most {MAX_RATIO_TO_SQL})")
    print(f"pandas / ours {to_pandas:5.2f}   (required: at least {MIN_RATIO_TO_PANDAS})")
    return 0 if to_sql <= MAX_RATIO_TO_SQL and to_pandas >= MIN_RATIO_TO_PANDAS else 1


def main() -> int:
    """Parse the command line: the whole contest, or one contestant's turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--contestant", choices=list(CONTESTANTS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        _contest(options.contestant, options.folder, options.output)
        return 0
    return compare(options.repeats)


if __name__ == "__main__":
    sys.exit(main())
