"""Every published mistake of data, design and estimate, planted one at a time: a check says so.

The clean facts come from the packaged year of the Complete Journey; those of estimates from its
shoppers after a lottery with a known effect. Each mistake replaces one fact, and exactly the
checks named here must fail.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from design_world import (
    PRE_DAYS,
    STARTS,
    UNIT,
    World,
    changes,
    clustered_covariance,
    difference,
    event_study,
    interacted_effects,
    interval,
    winsorised,
    without_each,
)
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from promo_uplift import checks
from promo_uplift.checks.agree import LensAgreement
from promo_uplift.checks.arms import Arms
from promo_uplift.checks.bacon import ForbiddenComparisons
from promo_uplift.checks.balance import WeightedBalance
from promo_uplift.checks.clock import ReceiptHours
from promo_uplift.checks.clusters import ClusterCovariance
from promo_uplift.checks.complete_cases import DroppedRows
from promo_uplift.checks.controls import ControlRule
from promo_uplift.checks.coverage import WeekCoverage
from promo_uplift.checks.eligibility import EligibilityAudit
from promo_uplift.checks.history import HistoryLengths
from promo_uplift.checks.honest import HonestBreakdown
from promo_uplift.checks.ids import PUBLISHED, TargetIds
from promo_uplift.checks.influence import HouseholdsLeftOut
from promo_uplift.checks.joins import JoinRates
from promo_uplift.checks.loco import CampaignsLeftOut
from promo_uplift.checks.matched import MatchedTreated
from promo_uplift.checks.placebo_date import PlaceboDate
from promo_uplift.checks.post_treatment import CovariateDepartures
from promo_uplift.checks.pretrend import PreTrend
from promo_uplift.checks.rank import DesignRank
from promo_uplift.checks.refuters import Refuters
from promo_uplift.checks.timing import TreatmentTiming
from promo_uplift.checks.units import UnitsOutcome
from promo_uplift.checks.week import WeekNumbers
from promo_uplift.checks.winsor import Winsorised
from promo_uplift.effects import OverlapSummary
from promo_uplift.features.audit import window_audit
from promo_uplift.features.household_days import lines_between
from promo_uplift.features.windows import TimeZero

MEASUREMENT = "a campaign measurement study"
TARGETING = "a segmentation and targeting study"
BEFORE_AFTER = "a before-after study of stores"
TUTORIALS = "tutorials on a grocery experiment"
SEVERAL = "several studies of these data"

#: Name of the planting function below -> what went wrong, where, which checks say so.
MISTAKES = {
    "swapped_ids": (
        "Household and campaign ids swapped by a load by position",
        MEASUREMENT,
        "PU-IDS",
    ),
    "lost_targets": ("A campaign's targeting rows lost on the way", SEVERAL, "PU-IDS"),
    "text_ids": ("Product ids read as text on one side of a join", SEVERAL, "PU-JOINS"),
    "fake_zeros": ("Weeks outside the data filled with zero sales", MEASUREMENT, "PU-COVERAGE"),
    "fuel_units": (
        "Fuel and coupon lines counted as units",
        f"{MEASUREMENT}; {TARGETING}",
        "PU-UNITS",
    ),
    "week_one_off": (
        "Week = ceil(DAY / 7), one week off on two days of seven",
        TARGETING,
        "PU-WEEK",
    ),
    "utc_as_local": ("UTC timestamps read as the stores' clock", SEVERAL, "PU-CLOCK"),
    "max_over_campaigns": (
        "Treated = treated by any campaign, in every campaign",
        MEASUREMENT,
        "PU-ARMS",
    ),
    "assigned_controls": (
        "Controls = mailed, but did not buy; nobody unmailed",
        MEASUREMENT,
        "PU-ARMS",
    ),
    "both_arms": ("One household in both arms of one campaign", MEASUREMENT, "PU-ARMS"),
    "complete_cases": (
        "The 32 % of households with demographics used alone",
        SEVERAL,
        "PU-COMPLETE-CASES",
    ),
    "shorter_history": ("Controls described by 31 weeks, treated by 58", TARGETING, "PU-HISTORY"),
    "active_later": ("Only who buys after the start is in", TARGETING, "PU-ELIGIBILITY"),
    "never_treated_ever": ("Controls = never mailed, then or later", TARGETING, "PU-CONTROLS"),
    "active_controls": (
        "Controls chosen by buying inside the outcome window",
        TARGETING,
        "PU-CONTROLS",
    ),
    "future_rule": (
        "A control rule that says it reads the outcome window",
        TARGETING,
        "PU-CONTROLS",
    ),
    "treated_by_purchase": (
        "Treatment = a purchase in the outcome window",
        MEASUREMENT,
        "PU-TIMING",
    ),
    "future_covariate": ("A covariate window that runs into the outcome", TARGETING, "PU-WINDOW"),
    "redeemed_covariate": (
        "Who redeemed, used as a covariate of a lottery",
        TUTORIALS,
        "PU-POST-TREATMENT",
    ),
    "response_covariates": (
        "Responses to the message used as covariates",
        TUTORIALS,
        "PU-POST-TREATMENT",
    ),
    "no_overlap": (
        "A targeting rule that separates the arms (AUC .989, 17 % overlap)",
        TARGETING,
        "PU-OVERLAP, PU-SEPARATION",
    ),
    "unweighted": (
        "Covariates up to 2 standard deviations apart, reported and passed over",
        TARGETING,
        "PU-BALANCE",
    ),
    "unmatched": (
        "Treated without a counterpart silently dropped by matching",
        MEASUREMENT,
        "PU-MATCHED",
    ),
    "drift": (
        "The arms drift apart before the start; looked at, not tested",
        MEASUREMENT,
        "PU-PRETREND",
    ),
    "no_power": (
        "A pre-trend test passed by a sample too small to fail it",
        MEASUREMENT,
        "PU-PRETREND",
    ),
    "published_placebo": (
        "A placebo date with 90 % of the effect (18.97 of 21.00)",
        MEASUREMENT,
        "PU-PLACEBO-DATE",
    ),
    "early_effect": (
        "An effect that starts weeks before the campaign",
        MEASUREMENT,
        "PU-PLACEBO-DATE",
    ),
    "nothing_to_find": (
        "Predicted effects as large under shuffled treatments",
        TARGETING,
        "PU-REFUTERS",
    ),
    "published_refuters": (
        "Failed refuters (.747, .561) beside a recommendation",
        TARGETING,
        "PU-REFUTERS",
    ),
    "no_untreated": ("Treatment = after, so that coefficients reach 1e13", BEFORE_AFTER, "PU-RANK"),
    "few_clusters": (
        "130 coefficients with errors from 30 clusters",
        MEASUREMENT,
        "PU-CLUSTERS",
    ),
    "negative_variance": (
        "A clustered covariance with a negative variance, warned of and ignored",
        MEASUREMENT,
        "PU-CLUSTERS",
    ),
    "fragile_trend": (
        "An effect gone with trends half as uneven as before the start",
        MEASUREMENT,
        "PU-HONEST",
    ),
    "published_winsor": (
        "21.00 becomes 15.40, then 2.23 when tails are cut",
        MEASUREMENT,
        "PU-WINSOR",
    ),
    "tail_effect": ("An effect that three treated in a hundred make", MEASUREMENT, "PU-WINSOR"),
    "thirty_households": (
        "Thirty households, of whom each moves the estimate",
        MEASUREMENT,
        "PU-INFLUENCE",
    ),
    "one_household": ("One household makes half of the effect", MEASUREMENT, "PU-INFLUENCE"),
    "one_campaign": ("One campaign makes the pooled effect", MEASUREMENT, "PU-LOCO"),
    "naive_lens": (
        "A naive 471, a weighted 151, a doubly robust 24: one is picked",
        TARGETING,
        "PU-AGREE",
    ),
    "forbidden": ("Two-way effects with nobody untreated", MEASUREMENT, "PU-BACON"),
}


@pytest.fixture(scope="module")
def world():
    return World()


def ids(world, targets):
    types = world.campaigns["campaign_type"].value_counts()
    return TargetIds.of(
        targets=targets,
        households=world.lines["household_id"],
        campaigns=world.campaigns["campaign_id"],
        counts={
            "households": world.lines["household_id"].nunique(),
            "campaigns": len(world.campaigns),
            "targeting rows": len(targets),
            "demographics": int(world.households["has_demographics"].sum()),
            **types.to_dict(),
        },
        published=PUBLISHED["package"],
    )


def joins(world, product_ids):
    listed = world.products.loc[world.products["is_listed"], "product_id"]
    return JoinRates.of(
        {
            "lines to products": (product_ids, listed),
            "coupons to products": (world.coupons["product_id"], world.products["product_id"]),
            "targets to campaigns": (world.targets["campaign_id"], world.campaigns["campaign_id"]),
        }
    )


def panel(world, *, fill):
    """Weeks -2 to 12 of campaign 18, of which the last are after the year."""
    weeks = world.weekly_around(18, range(-2, 13))
    long = weeks.melt(var_name="rel_week", value_name="spend_usd", ignore_index=False)
    start = pd.Timestamp(STARTS[18]) + pd.to_timedelta(7 * long["rel_week"], unit="D")
    is_outside = start + pd.Timedelta(days=6) > pd.Timestamp(world.last)
    return long.assign(week_start=start, spend_usd=long["spend_usd"].mask(is_outside, fill))


def coverage(world, frame):
    return WeekCoverage.of(panel=frame, first=world.first, last=world.last)


def controls(world, rows):
    return ControlRule.of(analysed=rows, before=world.rows[world.rows["treatment"] == 0])


def buyers(world, first_day, end_day):
    """Units of the eligible that bought merchandise in these days from the start."""
    found = []
    for campaign, start in STARTS.items():
        days = (world.lines["date"] - pd.Timestamp(start)).dt.days
        bought = world.lines.loc[days.between(first_day, end_day - 1), "household_id"]
        units = world.eligible[world.eligible["campaign_id"] == campaign]
        found.append(units[units["household_id"].isin(bought)])
    return pd.concat(found)


def covariate_audit(world, end_days):
    """Audit a covariate of spend whose window ends ``end_days`` after the start."""

    def builder(*, tables, time_zeros, pre_days, history_days):
        (zero,) = time_zeros
        day = pd.Timedelta(days=1)
        lines = lines_between(
            tables=tables, first=zero.date - pre_days * day, end=zero.date + end_days * day
        )
        spend = lines.group_by("household_id").aggregate(spend=lines.sales_usd.sum().round(2))
        return spend.mutate(campaign_id=zero.campaign_id).order_by("household_id")

    return window_audit(
        tables=world.tables,
        time_zeros=[TimeZero(8, STARTS[8])],
        pre_days=PRE_DAYS,
        history_days=PRE_DAYS,
        builder=builder,
    )


def logit(world, arms):
    scaled = StandardScaler().fit_transform(world.covariates)
    model = LogisticRegression(C=np.inf, max_iter=1_000).fit(scaled, arms)
    return model.decision_function(scaled)


def matched(world, arms):
    """1:1 nearest neighbours without replacement within a quarter of a standard deviation."""
    score = logit(world, arms)
    caliper = 0.25 * score.std()
    free = np.sort(score[arms == 0])
    is_matched = []
    for value in np.random.default_rng(1).permutation(score[arms == 1]):
        at = np.searchsorted(free, value)
        near = [i for i in (at - 1, at) if 0 <= i < len(free)]
        best = min(near, key=lambda i: abs(free[i] - value), default=None)
        is_matched.append(best is not None and abs(free[best] - value) <= caliper)
        if is_matched[-1]:
            free = np.delete(free, best)
    return MatchedTreated.of(is_matched=is_matched, caliper=0.25)


def pretrend(spend, arms):
    """Leads, and power against the drift that would make the effect by itself."""
    leads, covariance = event_study(spend, arms)
    gap = difference(changes(spend), arms)[0]
    return PreTrend.of(
        leads=leads, covariance=covariance, weeks=range(-7, 0), slope=gap / 6.0, level=0.95
    )


def placebo_date(spend, arms):
    return PlaceboDate.of(
        effect=difference(changes(spend), arms)[:2],
        placebo=difference(changes(spend, start=-4, last=-1), arms)[:2],
        weeks_earlier=4,
    )


def refuters(world, outcome, arms):
    covariates = world.covariates[["spend", "days", "dearest", "recency"]].to_numpy()
    everybody = np.ones(len(arms), dtype=bool)
    half = np.random.default_rng(4).random(len(arms)) < 0.5
    shuffled = np.random.default_rng(5).permutation(arms)
    return Refuters.of(
        effects=interacted_effects(covariates, outcome, arms, everybody),
        placebo_effects=interacted_effects(covariates, outcome, shuffled, everybody),
        subset_effects=interacted_effects(covariates, outcome, arms, half),
    )


def two_by_two(arms, spend):
    """Two rows a household: constant, treatment, after, and both at once."""
    after = np.repeat([0.0, 1.0], len(arms))
    treatment = np.tile(arms, 2).astype(float)
    design = pd.DataFrame(
        {"constant": 1.0, "treatment": treatment, "post": after, "did": treatment * after}
    )
    outcome = pd.concat([spend.loc[:, -8:-1].mean(axis=1), spend.loc[:, 0:3].mean(axis=1)])
    return design, outcome.to_numpy(), np.tile(np.arange(len(arms)), 2)


def winsor(values, arms):
    return Winsorised.of(
        effect=interval(*difference(values, arms)[:2]),
        estimates={s: difference(winsorised(values, s), arms)[0] for s in (0.01, 0.05)},
    )


def households_left_out(values, arms):
    return HouseholdsLeftOut.of(
        effect=interval(*difference(values, arms)[:2]), estimates=without_each(values, arms)
    )


def campaigns_left_out(parts):
    """Of ``{campaign: (values, arms)}``, pooled by stacking."""

    def pooled(names):
        values, arms = (np.concatenate([parts[name][at] for name in names]) for at in (0, 1))
        return difference(values, arms)[:2]

    return CampaignsLeftOut.of(
        effect=interval(*pooled(parts)),
        estimates={name: pooled([n for n in parts if n != name])[0] for name in parts},
    )


def lenses(world, spend, arms):
    """Difference of means after, difference in differences, and regression on the weeks before."""
    after = spend.loc[:, 0:3].mean(axis=1).to_numpy()
    before = spend.loc[:, -8:-1].mean(axis=1).to_numpy()
    scaled = StandardScaler().fit_transform(world.covariates)
    design = np.column_stack([np.ones(len(after)), before, scaled])
    fitted = design @ np.linalg.lstsq(design[arms == 0], after[arms == 0], rcond=None)[0]
    found = {
        "difference of means": difference(after, arms),
        "difference in differences": difference(after - before, arms),
        "regression": difference(after - fitted, arms),
    }
    parts = np.column_stack([part for _, _, part in found.values()])
    return LensAgreement.of(
        estimates={name: gap for name, (gap, _, _) in found.items()}, covariance=parts.T @ parts
    )


def two_way_weights(treated_shares, treated_weeks, n_weeks, never):
    """Weights of Goodman-Bacon's comparisons of timing groups and an untreated one."""
    weights, forbidden = [], []
    for k, (share, week) in enumerate(zip(treated_shares, treated_weeks, strict=True)):
        d = (n_weeks - week) / n_weeks
        if never:
            weights.append(share * never * d * (1.0 - d))
            forbidden.append(False)
        for later, later_week in zip(treated_shares[k + 1 :], treated_weeks[k + 1 :], strict=True):
            late = (n_weeks - later_week) / n_weeks
            weights += [share * later * (d - late) * (1.0 - d), share * later * (d - late) * late]
            forbidden += [False, True]
    return ForbiddenComparisons.of(weights=weights, is_forbidden=forbidden)


#: Robust intervals published for a Medicaid expansion (relative magnitudes).
ROBUST = {
    "m": [0.0, 0.5, 1.0, 1.5, 2.0],
    "ci_low": [0.030, 0.0241, 0.0171, 0.00859, -0.00107],
    "ci_high": [0.062, 0.0673, 0.0720, 0.0796, 0.0883],
}


@pytest.fixture(scope="module")
def clean(world):
    """Every fact as it should be, by its type."""
    arms, spend = world.lottery[8]
    values = changes(spend)
    days = np.full(len(world.rows), float(PRE_DAYS))
    design, outcome, clusters = two_by_two(arms, spend)
    propensity = 1.0 / (1.0 + np.exp(-logit(world, world.mailed)))
    stores_clock = world.utc.dt.tz_localize("UTC").dt.tz_convert("America/New_York")
    facts = [
        ids(world, world.targets),
        joins(world, world.lines["product_id"]),
        coverage(world, panel(world, fill=np.nan)),
        UnitsOutcome.of(world.lines[world.lines["is_merchandise"]]),
        WeekNumbers.of(day=world.day, week_no=world.lines["week_no"]),
        ReceiptHours.of(stores_clock),
        Arms.of(rows=world.rows, assigned=world.targets),
        DroppedRows.of(
            treatment=world.rows["treatment"],
            is_dropped=np.zeros(len(world.rows)),
            groups=world.rows["household_id"],
        ),
        HistoryLengths.of(days=days, treatment=world.rows["treatment"]),
        EligibilityAudit.of(analysed=world.eligible, before=world.eligible_before),
        controls(world, world.rows[world.rows["treatment"] == 0]),
        TreatmentTiming.of(np.zeros(int(world.rows["treatment"].sum()))),
        covariate_audit(world, 0),
        CovariateDepartures.of(covariates=world.covariates, treatment=arms, is_lottery=True),
        OverlapSummary(
            propensity_auc=0.87,
            overlap_share=0.85,
            clipped_share=0.01,
            low=0.1,
            high=0.9,
            n_rows=2_331,
        ),
        WeightedBalance.of(
            covariates=world.covariates,
            treatment=world.mailed,
            weights=np.where(world.mailed == 1, 1.0 - propensity, propensity),
        ),
        matched(world, arms),
        pretrend(spend, arms),
        placebo_date(spend, arms),
        refuters(world, values, arms),
        DesignRank.of(design),
        ClusterCovariance.of(
            n_clusters=len(arms),
            covariance=clustered_covariance(design.to_numpy(), outcome, clusters),
        ),
        HonestBreakdown.of(pd.DataFrame(ROBUST)),
        winsor(values, arms),
        households_left_out(values, arms),
        campaigns_left_out({c: (changes(s), a) for c, (a, s) in world.lottery.items()}),
        lenses(world, spend, arms),
        two_way_weights([0.2, 0.2], [40, 60], 100, 0.6),
    ]
    return {type(fact): fact for fact in facts}


def swapped_ids(world):
    return ids(world, world.targets.rename(columns=dict(zip(UNIT, UNIT[::-1], strict=True))))


def lost_targets(world):
    return ids(world, world.targets[world.targets["campaign_id"] != 30])


def text_ids(world):
    return joins(world, world.lines["product_id"].astype(str))


def fake_zeros(world):
    return coverage(world, panel(world, fill=0.0))


def fuel_units(world):
    return UnitsOutcome.of(world.lines)


def week_one_off(world):
    return WeekNumbers.of(day=world.day, week_no=np.ceil(world.day / 7.0))


def utc_as_local(world):
    return ReceiptHours.of(world.utc)


def max_over_campaigns(world):
    ever = world.rows.groupby("household_id")["treatment"].transform("max")
    return Arms.of(rows=world.rows.assign(treatment=ever), assigned=world.targets)


def assigned_controls(world):
    mailed = world.rows[world.rows["treatment"] == 1]
    bought = buyers(world, 0, 28).assign(treatment=1)
    rows = mailed[UNIT].merge(bought, on=UNIT, how="left").fillna({"treatment": 0})
    return Arms.of(rows=rows, assigned=world.targets)


def both_arms(world):
    twice = world.rows.head(1).assign(treatment=lambda one: 1 - one["treatment"])
    return Arms.of(rows=pd.concat([world.rows, twice]), assigned=world.targets)


def complete_cases(world):
    known = world.households.set_index("household_id")["has_demographics"]
    return DroppedRows.of(
        treatment=world.rows["treatment"],
        is_dropped=~known.reindex(world.rows["household_id"]).to_numpy(),
        groups=world.rows["household_id"],
    )


def shorter_history(world):
    is_treated = world.rows["treatment"] == 1
    return HistoryLengths.of(
        days=np.where(is_treated, 7 * 58, 7 * 31), treatment=world.rows["treatment"]
    )


def active_later(world):
    later = buyers(world, 0, 28)
    return EligibilityAudit.of(analysed=later, before=world.eligible_before)


def never_treated_ever(world):
    ever = world.targets["household_id"]
    return controls(world, world.eligible[~world.eligible["household_id"].isin(ever)])


def active_controls(world):
    unmailed = world.rows[world.rows["treatment"] == 0]
    return controls(world, unmailed.merge(buyers(world, 0, 28), on=UNIT))


def future_rule(world):
    unmailed = world.rows[world.rows["treatment"] == 0]
    return ControlRule.of(analysed=unmailed, before=unmailed, last_day=27)


def treated_by_purchase(world):
    """Day of each mailed household's first purchase of a product with a coupon of campaign 8."""
    couponed = world.coupons.loc[world.coupons["campaign_id"] == 8, "product_id"]
    days = (world.lines["date"] - pd.Timestamp(STARTS[8])).dt.days
    mailed = world.targets.loc[world.targets["campaign_id"] == 8, "household_id"]
    lines = world.lines.assign(day=days)[
        days.between(0, 48)
        & world.lines["product_id"].isin(couponed)
        & world.lines["household_id"].isin(mailed)
    ]
    return TreatmentTiming.of(lines.groupby("household_id")["day"].min())


def future_covariate(world):
    return covariate_audit(world, 7)


def redeemed_covariate(world):
    arms, _ = world.lottery[8]
    redeemed = arms * (np.random.default_rng(3).random(len(arms)) < 0.147)
    return CovariateDepartures.of(
        covariates=world.covariates.assign(redeemed=redeemed), treatment=arms, is_lottery=True
    )


def response_covariates(world):
    usual = tuple((f"x{n}", size) for n, size in enumerate(np.linspace(0.02, 0.002, 21)))
    return CovariateDepartures((("response_sms", 0.198), ("response_viber", 0.068), *usual), True)


def no_overlap(world):
    return OverlapSummary(
        propensity_auc=0.989,
        overlap_share=0.17,
        clipped_share=0.01,
        low=0.1,
        high=0.9,
        n_rows=2_430,
    )


def unweighted(world):
    return WeightedBalance.of(covariates=world.covariates, treatment=world.mailed)


def unmatched(world):
    return matched(world, world.mailed)


def drift(world):
    arms, spend = world.lottery[8]
    return pretrend(spend + np.outer(arms, 1.5 * spend.columns.to_numpy()), arms)


def no_power(world):
    arms, spend = world.lottery[8]
    few = np.random.default_rng(0).choice(len(arms), 80, replace=False)
    return pretrend(spend.iloc[few], arms[few])


def published_placebo(world):
    return PlaceboDate.of(effect=(21.00, 7.67), placebo=(18.97, 9.46), weeks_earlier=4)


def early_effect(world):
    arms, spend = world.lottery[8]
    early = np.isin(spend.columns, range(-4, 0)) * 10.0
    return placebo_date(spend + np.outer(arms, early), arms)


def nothing_to_find(world):
    arms, _ = world.lottery[8]
    return refuters(world, changes(world.weekly[8]), arms)


def published_refuters(world):
    return Refuters(placebo_ratio=0.747, subset_correlation=0.561)


def no_untreated(world):
    arms, spend = world.lottery[8]
    return DesignRank.of(
        two_by_two(np.ones_like(arms), spend)[0].assign(treatment=lambda d: d["post"])
    )


def few_clusters(world):
    """Thirty households in 100 weeks: a dummy for each, and for each week."""
    households, weeks = np.divmod(np.arange(30 * 100), 100)
    design = np.column_stack(
        [np.eye(30)[households], np.eye(100)[weeks][:, 1:], (households < 15) & (weeks >= 50)]
    ).astype(float)
    outcome = np.random.default_rng(4).gamma(0.6, 60.0, len(design))
    return ClusterCovariance.of(
        n_clusters=30, covariance=clustered_covariance(design, outcome, households)
    )


def negative_variance(world):
    return ClusterCovariance.of(n_clusters=2_264, covariance=[[58.8, 0.0], [0.0, -0.4]])


def fragile_trend(world):
    wider = pd.DataFrame(ROBUST).assign(m=[0.0, 0.125, 0.25, 0.375, 0.5])
    return HonestBreakdown.of(wider)


def published_winsor(world):
    return Winsorised.of(effect=interval(21.00, 7.67), estimates={0.01: 15.40, 0.05: 2.23})


def tail_effect(world):
    arms, _ = world.lottery[8]
    few = arms * (np.random.default_rng(6).random(len(arms)) < 0.03)
    return winsor(changes(world.weekly[8]) + 400.0 * few, arms)


def thirty_households(world):
    arms, spend = world.lottery[8]
    few = np.concatenate([np.flatnonzero(arms == arm)[:15] for arm in (0, 1)])
    return households_left_out(changes(spend)[few], arms[few])


def one_household(world):
    arms, spend = world.lottery[8]
    values = changes(spend).copy()
    values[np.flatnonzero(arms == 1)[0]] += 12.0 * (arms == 1).sum()
    return households_left_out(values, arms)


def one_campaign(world):
    parts = {c: (changes(world.weekly[c]), arms) for c, (arms, _) in world.lottery.items()}
    values, arms = parts[8]
    return campaigns_left_out(parts | {8: (values + 20.0 * arms, arms)})


def naive_lens(world):
    return lenses(world, world.weekly[8], world.mailed)


def forbidden(world):
    return two_way_weights([0.5, 0.5], [40, 60], 100, 0.0)


def test_the_clean_original_raises_nothing(clean):
    report = checks.run(*clean.values())
    assert [str(result.sentence) for result in report.results if result.failed] == []
    assert {code for _, _, codes in MISTAKES.values() for code in codes.split(", ")} <= {
        result.code for result in report.results if result.passed
    }


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_alone_fails_the_check_that_is_named(name, world, clean):
    planted = globals()[name](world)
    assert type(planted) in clean
    assert planted != clean[type(planted)]
    report = checks.run(*(clean | {type(planted): planted}).values())
    assert report.failed == tuple(MISTAKES[name][2].split(", "))
    assert report.verdict != "publish"


def test_a_pass_without_power_allows_bounds_and_a_drift_asks_for_an_experiment(world):
    (weak,), (moved,) = (checks.run(plant(world)).results for plant in (no_power, drift))
    assert (weak.allows, moved.allows) == ("bounds_only", "experiment_needed")
    assert "too little to lean on" in weak.sentence


def test_complete_cases_on_demographics_are_refused_and_the_sentence_says_why(world):
    (result,) = checks.run(complete_cases(world)).results
    assert result.allows == "refuse"
    assert "foretells the arm" in result.sentence
