"""Facts of the checks of rankings, policies and reports, against outside truths."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from econml.grf import CausalForest
from scipy.stats import norm
from sklearn.linear_model import LinearRegression
from statsmodels.stats.multitest import multipletests

from promo_uplift import checks
from promo_uplift.checks.baseline import DEFINITIONS
from promo_uplift.checks.many import adjusted
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.results import Interval
from promo_uplift.metrics import HeterogeneityTest
from promo_uplift.policy import PolicyEvaluation, PolicyValue

PAGES = Path(__file__).parents[2] / "docs" / "checks"
CODES = (
    "PU-BASELINE", "PU-GAIN", "PU-CALIBRATION", "PU-NUISANCE", "PU-HONEST-FOREST", "PU-HELD-OUT",
    "PU-WINNER", "PU-COST", "PU-FUNDING", "PU-EVALUE", "PU-BOUNDS", "PU-INTERVAL", "PU-STATED",
    "PU-SEGMENTS", "PU-CLAIM", "PU-MANY", "PU-DRIFT",
)  # fmt: skip


def only(*facts):
    (result,) = checks.run(*facts).results
    return result


@pytest.fixture(scope="module")
def log():
    rng = np.random.default_rng(0)
    n = 400
    x = rng.normal(size=n)
    t = rng.binomial(1, 1.0 / (1.0 + np.exp(-x)))
    y = 50.0 + 20.0 * x + 5.0 * t + rng.normal(scale=10.0, size=n)
    return {"treatment": t, "outcome": y, "scores": 5.0 + rng.normal(scale=20.0, size=n)}


# ----------------------------------------------------------------------------------------- ranking


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_the_random_score_is_the_mean_over_random_orders(log, definition):
    rng = np.random.default_rng(1)
    drawn = [
        checks.RankingScore.of(ranking=rng.random(400), definition=definition, **log)
        for _ in range(400)
    ]
    values = np.array([one.value for one in drawn])
    error = values.std() / np.sqrt(len(values))
    assert len({round(one.random, 9) for one in drawn}) == 1
    assert abs(values.mean() - drawn[0].random) < 4.0 * error


def test_the_ten_bin_area_is_that_of_its_notebook(log):
    """Trapezoid over fractions .1 ... 1 of treated less control means, as the notebook has it."""
    ranking = log["outcome"]
    order = np.argsort(-ranking)
    y, t = log["outcome"][order], log["treatment"][order]
    lift = []
    for fraction in np.arange(1, 11) / 10:
        top = slice(int(len(y) * fraction))
        lift.append(y[top][t[top] == 1].mean() - y[top][t[top] == 0].mean())
    found = checks.RankingScore.of(ranking=ranking, definition="ten_bin_auuc", **log)
    assert found.value == pytest.approx(np.trapezoid(lift, np.arange(1, 11) / 10))
    naive = log["outcome"][log["treatment"] == 1].mean()
    naive -= log["outcome"][log["treatment"] == 0].mean()
    assert found.random == pytest.approx(0.9 * naive)


def test_a_score_equal_to_random_does_not_exceed_it():
    assert only(checks.RankingScore("AUUC", 426.0, 426.0)).failed
    assert not only(checks.RankingScore("AUUC", 426.1, 426.0)).failed
    assert "nobody said" in only(checks.RankingScore("AUUC", 396.3, float("nan"))).sentence


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"definition": "qini"}, "`definition` must be one of"),
        ({"definition": "dr_auuc", "scores": None}, "`scores` must be given"),
        ({"treatment": np.ones(400, dtype=np.int64)}, "both arms"),
    ],
)
def test_a_score_that_cannot_be_computed_is_refused(log, change, message):
    arguments = {"ranking": log["outcome"], "definition": "ten_bin_auuc", **log} | change
    with pytest.raises(CheckError, match=message):
        checks.RankingScore.of(**arguments)


def test_a_gain_curve_may_miss_by_two_errors_and_no_more():
    at = checks.GainCurveEnd(end=14.0, effect=10.0, se=2.0)
    assert not only(at).failed
    assert only(replace(at, end=14.01)).failed
    assert only(replace(at, end=5.99)).failed
    assert only(replace(at, se=0.0)).failed


def test_a_curve_that_stops_early_is_refused():
    with pytest.raises(CheckError, match="must reach 1"):
        checks.GainCurveEnd.of(
            share=np.array([0.0, 0.9]),
            gain=np.array([0.0, 3.0]),
            scores=np.array([1.0, 2.0]),
            groups=np.array([1, 2]),
        )


@pytest.mark.parametrize(
    ("low", "high", "passes"),
    [(0.7, 1.2, True), (0.1, 0.4, True), (-0.2, 0.4, False), (-0.9, -0.2, False), (-1, 1, True)],
)
def test_a_slope_holds_one_or_lies_above_zero(low, high, passes):
    found = only(checks.PredictedEffectSlope(Interval((low + high) / 2.0, low, high)))
    assert found.passed == passes
    says_all = low <= 0.0 and high >= 1.0
    assert ("nor that the differences are not there" in found.sentence) == says_all
    assert ("may be taken as it is" in found.sentence) == (low > 0.0 and high >= 1.0)


def test_the_slope_is_that_of_least_squares_within_folds_and_needs_a_spread(log):
    rng = np.random.default_rng(2)
    cate, fold = rng.normal(size=400), np.arange(400) % 4
    parts = {"scores": log["scores"], "fold": fold, "groups": np.arange(400)}
    draws = {"level": 0.95, "replicates": 50, "seed": 0}
    dummies = (fold[:, None] == np.arange(4)).astype(float)
    expected = np.linalg.lstsq(np.column_stack([cate, dummies]), log["scores"], rcond=None)[0][0]
    found = checks.PredictedEffectSlope.of(cate=cate, **parts, **draws)
    assert found.slope.estimate == pytest.approx(expected)
    flat = checks.PredictedEffectSlope.of(cate=np.full(400, 5.0), **parts, **draws)
    assert not only(flat).applies


def test_the_slope_of_a_run_is_read_from_its_test():
    table = pd.DataFrame(
        {
            "learner": ["t", "t"],
            "regression": ["weighted", "doubly_robust"],
            "slope": [9.0, 0.5],
            "slope_ci_low": [8.0, 0.1],
            "slope_ci_high": [10.0, 0.9],
        }
    )
    test = HeterogeneityTest(table, 0.95)
    found = checks.PredictedEffectSlope.of_test(test=test, learner="t")
    assert found.slope == Interval(0.5, 0.1, 0.9)
    with pytest.raises(CheckError, match="must be tested"):
        checks.PredictedEffectSlope.of_test(test=test, learner="s")


def test_a_model_that_was_fitted_on_the_treatment_moves_with_it():
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"x": rng.normal(size=200), "t": rng.integers(0, 2, 200)})
    y = table["x"] + 2.0 * table["t"]
    for columns, failed in ((["x"], False), (["x", "t"], True)):
        model = LinearRegression().fit(table[columns], y)
        found = checks.OutcomeModel.of_model(
            predict=lambda rows, model=model, columns=columns: model.predict(rows[columns]),
            table=table,
            treatment_name="t",
            seed=1,
        )
        assert only(found).failed == failed
    assert not only(checks.OutcomeModel.of(["x"], "t")).failed
    with pytest.raises(CheckError, match="several values"):
        checks.OutcomeModel.of_model(
            predict=len, table=table.assign(t=1), treatment_name="t", seed=1
        )


def test_a_copy_of_the_treatment_is_found_and_a_covariate_is_not():
    t = np.array([0, 1, 0, 1, 1])
    covariates = pd.DataFrame(
        {"copy": 1 - t, "is_member": [0, 1, 0, 1, 0], "spend": [1.5, 2.5, 3.5, 4.5, 5.5]}
    )
    found = checks.OutcomeModel.of_table(covariates=covariates, treatment=t)
    assert found.treatment_columns == ("copy",)


def test_honesty_is_read_off_forests_and_settings():
    both = [CausalForest(honest=True), CausalForest(honest=False)]
    assert not only(checks.ForestIntervals.of(both[:1], has_intervals=True)).failed
    assert only(checks.ForestIntervals.of(both, has_intervals=True)).value == 1.0
    assert not only(checks.ForestIntervals.of(both, has_intervals=False)).applies
    with pytest.raises(CheckError, match="must each have `honest`"):
        checks.ForestIntervals.of([LinearRegression()], has_intervals=True)


def test_households_are_counted_once_whatever_they_did():
    use = checks.HouseholdUse.of(evaluated=[1, 1, 2, 3], fitted=[2, 9], tuned=[2, 3], chose=[8])
    assert (use.n_evaluated, use.n_used_before) == (3, 2)
    assert use.uses == (("fitted", 1), ("tuned", 2))
    split = checks.HouseholdUse.of_folds(fold=np.array([0, 1, 1, 1]), groups=np.array([7, 7, 8, 8]))
    assert (split.n_evaluated, split.n_used_before) == (2, 1)
    with pytest.raises(CheckError, match="at least one household"):
        checks.HouseholdUse.of(evaluated=[])


# ------------------------------------------------------------------------------------------ policy


def test_the_honest_total_is_the_sum_of_the_selected_scores():
    scores = np.array([3.0, -1.0, 4.0, 2.0])
    selected = np.array([True, False, True, False])
    found = checks.ReportedProfit.of(
        reported=7.0, profit_scores=scores, selected=selected, groups=np.arange(4), level=0.95
    )
    values = np.where(selected, scores, 0.0)
    half = norm.ppf(0.975) * values.std(ddof=1) / np.sqrt(4)
    assert found.honest.estimate == pytest.approx(7.0)
    assert found.honest.ci_high == pytest.approx(7.0 + 4.0 * half)
    assert not only(found).failed


@pytest.mark.parametrize(
    ("reported", "failed"),
    [
        (Interval(9.0, 4.0, 14.0), False),
        (Interval(9.0, 6.51, 11.49), True),
        (Interval(20.1, 10.0, 30.0), True),
        (Interval(-0.1, -10.0, 10.0), True),
    ],
)
def test_a_profit_lies_in_the_honest_interval_and_is_not_too_sure(reported, failed):
    honest = Interval(10.0, 0.0, 20.0)
    narrow = checks.ReportedProfit(reported, Interval(10.0, 5.0, 15.0))
    assert only(replace(narrow, honest=honest)).failed == (failed or reported.ci_low > 4.9)
    assert not only(checks.ReportedProfit(Interval(9.0, 5.0, 15.0), honest)).failed


def test_the_honest_value_of_a_run_is_the_chosen_policys():
    nothing = Interval(0.0, 0.0, 0.0)
    chosen = PolicyValue(nothing, Interval(1.0, 0.5, 1.5), nothing, nothing, nothing, nothing)
    evaluation = PolicyEvaluation(
        "t", nothing, nothing, 0.0, 0.0, chosen, nothing, nothing, nothing, (), (), {}, 0.95, 10
    )
    found = checks.ReportedProfit.of_evaluation(reported=1.6, evaluation=evaluation)
    assert found.honest == chosen.profit_usd
    assert only(found).failed


def test_costs_are_divided_by_contacts():
    cost = np.r_[np.full(410, 12.73), np.zeros(1_149)]
    wrong = only(checks.ContactCost.of(charged_usd=12.73, cost_usd=cost))
    assert wrong.value == pytest.approx(1_559 / 410 - 1.0)
    assert "the cost of each of the 410" in wrong.sentence
    assert not only(checks.ContactCost.of(charged_usd=3.35, cost_usd=cost)).failed
    assert only(checks.ContactCost.of(charged_usd=3.0, cost_usd=cost)).failed
    assert not only(checks.ContactCost.of(charged_usd=0.0, cost_usd=np.zeros(3))).failed
    with pytest.raises(CheckError, match="1 of 2 missing"):
        checks.ContactCost.of(charged_usd=1.0, cost_usd=np.array([1.0, np.nan]))


def test_only_what_exceeds_the_retailers_own_discounts_is_reimbursed():
    fact = checks.CouponFunding(charged_usd=20.0, retailer_usd=19.0, reimbursed_usd=50.0)
    assert only(fact).value == pytest.approx(0.05)
    assert not only(fact).failed
    assert only(replace(fact, charged_usd=20.1)).failed
    assert not only(replace(fact, charged_usd=0.0)).failed
    with pytest.raises(CheckError, match="between 0 and the discounts"):
        checks.CouponFunding.of(
            charged_usd=3.0, retailer_usd=np.array([-1.0]), reimbursed_usd=np.array([-1.0])
        )


# ------------------------------------------------------------------------------------------ report


def test_the_e_value_of_a_risk_ratio_of_3_9_is_7_26():
    """VanderWeele & Ding (2017): RR 3.9 (1.8 to 8.7) has an E-value of 7.26 and a limit of 3.0."""
    log_rr = np.log([3.9, 1.8, 8.7]) / 0.91
    effect = Interval(*(2.0 * log_rr))
    right = checks.StatedEValue.of(stated=7.26, stated_limit=3.0, effect=effect, outcome_sd=2.0)
    assert not only(right).failed
    turned = Interval(-effect.estimate, -effect.ci_high, -effect.ci_low)
    assert (
        checks.StatedEValue.of(stated=7.26, stated_limit=3.0, effect=turned, outcome_sd=2.0)
        == right
    )
    assert only(replace(right, stated_limit=3.1)).failed
    across = Interval(effect.estimate, -0.1, effect.ci_high)
    nothing = checks.StatedEValue.of(stated=7.26, stated_limit=1.0, effect=across, outcome_sd=2.0)
    assert not only(nothing).failed
    missing = checks.StatedEValue.of(stated=7.26, stated_limit=None, effect=effect, outcome_sd=2.0)
    assert only(missing).failed
    with pytest.raises(CheckError, match="above 0"):
        checks.StatedEValue.of(stated=2.0, stated_limit=1.0, effect=effect, outcome_sd=0.0)


def test_bounds_that_follow_the_data_pass():
    rng = np.random.default_rng(4)
    estimate = rng.normal(10.0, 5.0, 50)
    width = rng.uniform(5.0, 9.0, 50)
    fine = checks.EffectBounds(estimate, estimate - width, estimate + width)
    assert not only(fine).failed
    # one effect for all has one width: that is no percentage
    flat = np.full(50, 10.0)
    assert not only(checks.EffectBounds(flat, flat - 3.0, flat + 3.0)).failed
    assert only(replace(fine, low=np.full(50, np.nan))).failed
    another = 1.2 * rng.normal(10.0, 5.0, 50)
    found = only(checks.EffectBounds(another, 0.7 * another, 1.3 * another))
    assert "same percentage" in found.sentence


def test_a_withheld_effect_is_not_published():
    table = pd.DataFrame(
        {
            "lens": ["panel", "panel"],
            "estimator": ["twfe", "did2s"],
            "estimate": [2.0, np.nan],
            "se": [1.0, np.nan],
            "ci_low": [0.0, np.nan],
            "ci_high": [4.0, np.nan],
            "reason": ["", "one cluster"],
        }
    )
    fact = checks.PublishedEffects.of(table)
    assert (len(fact.table), fact.n_withheld) == (1, 1)
    assert not only(fact).failed
    assert "1 are withheld" in only(fact).sentence
    broken = only(checks.PublishedEffects.of(table.drop(columns="reason")))
    assert "panel did2s" in broken.sentence
    assert only(checks.PublishedEffects.of(table[:1].assign(se=0.0))).failed
    with pytest.raises(CheckError, match=r"missing \['se'\]"):
        checks.PublishedEffects.of(table.drop(columns="se"))


@pytest.mark.parametrize(
    ("text", "true", "agrees"),
    [
        ("0.90", 0.904, True),
        ("0.90", 0.906, False),
        ("0.9", 0.906, True),
        (".617", 0.767, False),
        ("$2,426", 2_426.4, True),
        ("-$9,406", -9_406.2, True),
        ("31.3%", 0.3134, True),
        ("31.3 %", 0.3136, False),
        ("45", 30, False),
        ("7", float("nan"), False),
        ("2.5", 2.45, True),
    ],
)
def test_a_figure_is_compared_to_its_printed_precision(text, true, agrees):
    fact = checks.StatedFigures.of(stated={"figure": text}, computed={"figure": true})
    assert only(fact).passed == agrees


def test_words_are_no_figures_and_what_nobody_computed_contradicts():
    with pytest.raises(CheckError, match="must be a figure as printed"):
        checks.StatedFigures.of(stated={"stores": "about 7"}, computed={})
    found = only(checks.StatedFigures.of(stated={"stores": "7"}, computed={}))
    assert "no result has it" in found.sentence


def test_segments_by_name_share_and_action():
    table = pd.DataFrame(
        {
            "name": ["A", "B"],
            "share": [0.667, 0.333],
            "action": ["Mail", " Do not mail "],
            "profit": [1.0, -2.0],
        }
    )
    assert not only(checks.SegmentActions.of(table)).failed
    assert only(checks.SegmentActions.of(table.assign(share=[0.66, 0.33]))).failed
    assert only(checks.SegmentActions.of(table.assign(action="Grow"))).failed
    unsure = table.assign(action="Grow", profit_ci_low=[0.0, -5.0], profit_ci_high=[2.0, 1.0])
    assert not only(checks.SegmentActions.of(unsure)).failed
    with pytest.raises(CheckError, match="no missing value"):
        checks.SegmentActions.of(table.assign(profit=[1.0, np.nan]))
    with pytest.raises(CheckError, match=r"missing \['action'\]"):
        checks.SegmentActions.of(table.drop(columns="action"))


@pytest.mark.parametrize(
    ("says", "figure", "supported"),
    [
        ("above", Interval(2.0, 1.0, 3.0), True),
        ("above", Interval(-4.27, -6.0, -2.0), False),
        ("below", Interval(-4.27, -6.0, -2.0), True),
        ("differs", Interval(-4.27, -6.0, -2.0), True),
        ("differs", Interval(1.0, 0.0, 2.0), False),
    ],
)
def test_a_claim_lies_where_it_says(says, figure, supported):
    found = only(checks.Claims.of(checks.Claim("a claim", says, figure)))
    assert found.passed == supported


def test_a_p_value_at_the_level_touches_0():
    claim = checks.Claim.of_p_value(
        text="a claim", says="below", estimate=-4.27, p_value=0.05, level=0.95
    )
    assert claim.figure.ci_high == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(CheckError, match="strictly between"):
        checks.Claim.of_p_value(text="", says="below", estimate=-1.0, p_value=0.0, level=0.95)


def test_holms_p_values_are_those_of_statsmodels():
    p_values = np.random.default_rng(5).random(40) ** 4
    expected = multipletests(p_values, method="holm")[1]
    np.testing.assert_allclose(adjusted(p_values), expected)


def test_what_stands_among_many_may_be_picked():
    z = np.r_[6.0, 5.0, 2.5, np.linspace(-1.5, 1.5, 47)]
    fact = checks.PickedFindings.of(estimate=z, se=np.ones(50), picked=z > 4.0)
    assert not only(fact).failed
    assert only(replace(fact, picked=z > 2.0)).failed
    assert not only(replace(fact, picked=z > 9.0)).applies
    with pytest.raises(CheckError, match="must be above 0"):
        checks.PickedFindings.of(estimate=z, se=np.zeros(50), picked=z > 4.0)


# ------------------------------------------------------------------------------------------- pages


@pytest.mark.parametrize("code", CODES)
def test_the_example_on_each_page_runs_and_fails_its_check(code, capsys):
    text = (PAGES / f"{code.lower()}.md").read_text(encoding="utf-8")
    for part in ("## What it looks at", "## Why it matters", "## Threshold", "## What to do"):
        assert part in text
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    exec(compile(block, code, "exec"), {})  # noqa: S102 - the page's own example
    assert f"FAILED  {code}: " in capsys.readouterr().out
