"""The packaged year as it is, and the same shoppers after a lottery with a known effect."""

from __future__ import annotations

import datetime as dt
from functools import cached_property

import ibis
import numpy as np
import pandas as pd

from promo_uplift.contracts.results import Interval
from promo_uplift.contracts.tables import DAY_OF_2017_01_01
from promo_uplift.features.audit import without_future
from promo_uplift.features.eligibility import eligible_households
from promo_uplift.features.windows import TimeZero
from promo_uplift.sources import canonical_tables, source_files

UNIT = ["campaign_id", "household_id"]
STARTS = {8: dt.date(2017, 5, 8), 13: dt.date(2017, 8, 8), 18: dt.date(2017, 10, 30)}
PRE_DAYS, WEEKS = 84, range(-8, 4)
#: Of the lottery: USD a week, of which the second part is for households of mean spend.
EFFECT_USD, SEED = 12.0, 20170508


def _pandas(table, *columns):
    return table.select(*columns).to_pyarrow().to_pandas(date_as_object=False)


class World:
    """Everything that is planted into, each part built once."""

    def __init__(self):
        self.con = ibis.duckdb.connect(threads=1)
        self.files = source_files(form="package")
        raw = {n: self.con.read_parquet(p) for n, p in self.files.items() if n != "promotions"}
        self.tables = canonical_tables(form="package", raw=raw, seed=0)
        columns = ("household_id", "basket_id", "date", "week_no", "product_id", "quantity")
        self.lines = _pandas(self.tables.transactions, *columns, "sales_usd", "is_merchandise")
        self.targets = _pandas(self.tables.campaign_targets, *UNIT)
        self.campaigns = _pandas(self.tables.campaigns, "campaign_id", "campaign_type")
        self.households = _pandas(self.tables.households, "household_id", "has_demographics")
        self.products = _pandas(self.tables.products, "product_id", "is_listed")
        self.coupons = _pandas(self.tables.coupons, "campaign_id", "product_id")
        self.first, self.last = (self.lines["date"].agg(how).date() for how in ("min", "max"))

    @cached_property
    def day(self):
        return (self.lines["date"] - pd.Timestamp(2017, 1, 1)).dt.days + DAY_OF_2017_01_01

    @cached_property
    def utc(self):
        """The package's timestamp of each receipt, as it stands there: UTC without saying so."""
        table = self.con.read_parquet(self.files["transactions"])
        receipts = table.select("basket_id", "transaction_timestamp").distinct()
        return receipts.to_pyarrow().to_pandas()["transaction_timestamp"]

    @cached_property
    def eligible(self):
        """Eligible units of the three campaigns, from the whole data."""
        return self._eligible(self.tables, STARTS)

    @cached_property
    def eligible_before(self):
        """The same from what lies before each campaign's start."""
        return pd.concat(
            self._eligible(without_future(tables=self.tables, time_zero=start), {campaign: start})
            for campaign, start in STARTS.items()
        )

    @staticmethod
    def _eligible(tables, starts):
        zeros = [TimeZero(campaign, start) for campaign, start in starts.items()]
        table = eligible_households(tables=tables, time_zeros=zeros, pre_days=PRE_DAYS)
        frame = table.to_pyarrow().to_pandas()
        return frame.sort_values(UNIT, ignore_index=True)

    @cached_property
    def rows(self):
        """Eligible units with the arm that the retailer chose."""
        mailed = self.targets.assign(treatment=1)
        rows = self.eligible.merge(mailed, on=UNIT, how="left")
        return rows.fillna({"treatment": 0}).astype({"treatment": int})

    @cached_property
    def weekly(self):
        """Merchandise spend of each eligible unit (rows) in each week (columns)."""
        return {campaign: self.weekly_around(campaign, WEEKS) for campaign in STARTS}

    def weekly_around(self, campaign, weeks):
        start = pd.Timestamp(STARTS[campaign])
        lines = self.lines[self.lines["is_merchandise"]]
        lines = lines.assign(week=(lines["date"] - start).dt.days // 7)
        sums = lines.pivot_table(
            index="household_id", columns="week", values="sales_usd", aggfunc="sum"
        )
        units = self.eligible.loc[self.eligible["campaign_id"] == campaign, "household_id"]
        return sums.reindex(index=units, columns=list(weeks)).fillna(0.0)

    @cached_property
    def covariates(self):
        """What each unit of campaign 8 bought in the twelve weeks before, and demographics."""
        start = pd.Timestamp(STARTS[8])
        lines = self.lines[(self.lines["date"] < start) & self.lines["is_merchandise"]]
        lines = lines[lines["date"] >= start - pd.Timedelta(days=PRE_DAYS)]
        by = lines.groupby("household_id")
        weeks = self.weekly[8].loc[:, -8:-1]
        frame = pd.DataFrame(
            {
                "spend": by["sales_usd"].sum(),
                "days": by["date"].nunique(),
                "baskets": by["basket_id"].nunique(),
                "products": by["product_id"].nunique(),
                "units": by["quantity"].sum(),
                "dearest": by["sales_usd"].max(),
                "recency": (start - by["date"].max()).dt.days,
                "first": (start - by["date"].min()).dt.days,
            }
        ).reindex(weeks.index)
        known = self.households.set_index("household_id")["has_demographics"]
        return frame.assign(
            has_demographics=known.reindex(frame.index).astype(float),
            spread=weeks.std(axis=1),
            active_weeks=(weeks > 0.0).sum(axis=1).astype(float),
        ).astype(float)

    @cached_property
    def mailed(self):
        """Arm that the retailer chose in campaign 8, in the order of its units."""
        return self.rows.loc[self.rows["campaign_id"] == 8, "treatment"].to_numpy()

    def lots(self, n):
        """Arms drawn by lot, half of ``n`` each."""
        return np.random.default_rng(SEED).permutation(np.arange(n) % 2)

    @cached_property
    def lottery(self):
        """Campaign -> (arms by lot, weekly spend with the known effect from the start on)."""
        return {campaign: self._mailed_by_lot(campaign) for campaign in STARTS}

    def _mailed_by_lot(self, campaign):
        weekly = self.weekly[campaign]
        arms = self.lots(len(weekly))
        spend = weekly.to_numpy().copy()
        relative = weekly.loc[:, -8:-1].mean(axis=1).to_numpy()
        effect = EFFECT_USD * (0.5 + 0.5 * relative / relative.mean())
        spend[:, np.array(WEEKS) >= 0] += (arms * effect)[:, np.newaxis]
        return arms, pd.DataFrame(spend, index=weekly.index, columns=weekly.columns)


def changes(spend, *, start=0, first=-8, last=3):
    """Mean weekly spend in ``[start, last]`` minus that in ``[first, start)``, per household."""
    after = spend.loc[:, start:last].mean(axis=1)
    return (after - spend.loc[:, first : start - 1].mean(axis=1)).to_numpy()


def difference(values, arms):
    """Difference of means of the arms, its standard error, and each row's part of the error."""
    one, other = values[arms == 1], values[arms == 0]
    gap = float(one.mean() - other.mean())
    parts = np.where(
        arms == 1, (values - one.mean()) / len(one), -(values - other.mean()) / len(other)
    )
    return gap, float(np.sqrt(np.square(parts).sum())), parts


def interval(estimate, se):
    return Interval(estimate, estimate - 1.96 * se, estimate + 1.96 * se)


def without_each(values, arms):
    """Difference of means without each row."""
    totals = {arm: values[arms == arm].sum() for arm in (0, 1)}
    counts = {arm: int((arms == arm).sum()) for arm in (0, 1)}
    means = {arm: totals[arm] / counts[arm] for arm in (0, 1)}
    return {
        row: (
            (totals[1] - value) / (counts[1] - 1) - means[0]
            if arm
            else means[1] - (totals[0] - value) / (counts[0] - 1)
        )
        for row, (value, arm) in enumerate(zip(values, arms, strict=True))
    }


def winsorised(values, share):
    return np.clip(values, *np.quantile(values, [share, 1.0 - share]))


def event_study(spend, arms, weeks=range(-8, -1)):
    """Leads against the last week before the start, and their covariance."""
    gaps = spend[list(weeks)].to_numpy() - spend[[-1]].to_numpy()
    parts = np.column_stack([difference(column, arms)[2] for column in gaps.T])
    return [difference(column, arms)[0] for column in gaps.T], parts.T @ parts


def interacted_effects(covariates, outcome, arms, fitted):
    """Effect of each row by a regression on ``fitted`` rows: the arm times each covariate."""
    z = (covariates - covariates.mean(axis=0)) / covariates.std(axis=0)
    base = np.column_stack([np.ones(len(z)), z])
    design = np.column_stack([base, base * arms[:, np.newaxis]])
    coefficients = np.linalg.lstsq(design[fitted], outcome[fitted], rcond=None)[0]
    return base @ coefficients[base.shape[1] :]


def clustered_covariance(design, outcome, clusters):
    """Least squares' clustered covariance, pseudo-inverse where the design needs one."""
    bread = np.linalg.pinv(design.T @ design)
    residual = outcome - design @ (bread @ design.T @ outcome)
    sums = pd.DataFrame(design * residual[:, np.newaxis]).groupby(np.asarray(clusters)).sum()
    return bread @ (sums.to_numpy().T @ sums.to_numpy()) @ bread
