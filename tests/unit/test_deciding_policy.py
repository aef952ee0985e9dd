"""The policy that makes the list: what it may be, its worth, and its rule for a household alone."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from policy_worlds import BASE, METRICS, MONEY, contacts, policies, training, view, world
from scipy.stats import norm

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import PoliciesParameters
from promo_uplift.contracts.results import Interval
from promo_uplift.policy import (
    PolicyEvaluation,
    PolicyValue,
    ScoringModel,
    check_policies,
    chosen_decides,
    frozen_rule,
    household_view,
    named_decides,
    support_ranges,
    value_suite,
)
from promo_uplift.policy.rules.frozen import lowest_certain

RULES = {
    "roi_optimal": {},
    "break_even": {},
    "risk_adjusted": {"lambdas": [0.5]},
    "lower_bound": {"level": 0.8},
    "top_share": {"shares": [0.3]},
    "budget": {"budget_usd": 60.0},
    "policy_tree": {
        "max_depth": 2,
        "min_leaf_share": 0.1,
        "min_balancedness_tol": 0.45,
        "honest": False,
    },
    "segments": {"by": ["spend"], "quantiles": [0.5], "level": 0.5, "min_rows": 5},
    "contact_frequency": {"of": "break_even", "max_contacts": 1},
    "fairness": {"of": "top_share_30", "column": "income", "tolerance": 0.0, "max_groups": 15},
}
BUILT = [*BASE, "roi_optimal", "break_even", "risk_adjusted_0.5", "lower_bound", "top_share_30"]
BUILT += ["budget", "policy_tree", "segments", "contact_frequency", "fairness"]
N = 240


def households(seed=0, **changed):
    """A list of households, each of its own, two income groups and some whose income is missing."""
    rng = np.random.default_rng(seed)
    income = rng.choice([1.0, 2.0, np.nan], N)
    spend = rng.normal(50.0, 10.0, N)
    values = {
        "covariates": pd.DataFrame({"spend": spend, "income": income}),
        # whole numbers: ties that only a lot could part
        "cate": rng.normal(3.0, 6.0, N).round() + 3.0 * (income == 1.0) + 4.0 * (spend > 50.0),
        "cate_se": rng.uniform(0.5, 4.0, N),
        "redemption": rng.choice([0.0, 0.1, 0.2], N),
        "response": np.full(N, np.nan),
        "segment": None,
        "groups": np.arange(N),
        "campaign": np.zeros(N, dtype=np.int64),
        "population": N,
    }
    return replace(view(), **(values | changed))


def fitted(name, seen):
    rng = np.random.default_rng(1)
    profit = 0.5 * seen.cate - 2.0 + rng.normal(0.0, 1.0, N)
    rows = training(
        replace(seen, response=rng.normal(size=N)), profit, fold=np.arange(N, dtype=np.int64) % 3
    )
    return policies(**RULES)[name].fit(training=rows, seed=0)


@pytest.mark.parametrize("name", [one for one in BUILT if one not in ("current", "random")])
def test_a_household_alone_is_decided_as_on_its_list(name):
    """Whoever is contacted for certain stays so; whom only a lot could part is left out."""
    seen = households()
    rule = fitted(name, seen)
    if name == "response":
        with pytest.raises(PolicyError, match="reads the predicted outcome"):
            frozen_rule(name=name, fitted=rule, view=seen)
        return
    on_list = rule.contact(view=seen)
    frozen = frozen_rule(name=name, fitted=rule, view=seen)
    alone = np.array([frozen.contact(view=seen.take(np.array([row])))[0] for row in range(N)])
    np.testing.assert_array_equal(alone, on_list >= 1.0)
    if name not in ("none", "all"):
        assert 0.0 < alone.mean() < 1.0
    assert frozen.describe().startswith(rule.describe()[:20])


def test_only_rules_with_ties_at_the_edge_leave_somebody_to_a_lot():
    seen = households()
    shares = {name: fitted(name, seen).contact(view=seen) for name in ("top_share_30", "fairness")}
    assert all(((one > 0.0) & (one < 1.0)).any() for one in shares.values())


def test_a_frozen_share_does_not_depend_on_who_else_is_scored():
    seen = households()
    frozen = frozen_rule(name="t", fitted=fitted("top_share_30", seen), view=seen)
    best = np.argsort(-seen.cate)[:20]
    assert frozen.contact(view=seen.take(best)).all()
    assert not frozen.contact(view=replace(seen, cate=seen.cate - 100.0)).any()


def test_a_budget_that_is_not_used_up_contacts_whoever_pays():
    seen = households()
    rich = policies(budget={"budget_usd": 1e6})["budget"].fit(training=training(seen), seed=0)
    frozen = frozen_rule(name="budget", fitted=rich, view=seen)
    np.testing.assert_array_equal(
        frozen.contact(view=seen),
        0.5 * seen.cate - MONEY.contact_cost_usd - MONEY.redemption_cost_usd * seen.redemption
        > 0.0,
    )


@pytest.mark.parametrize(
    ("ranking", "certain", "eligible", "threshold"),
    [
        ([3, 1, 2, 2], [1, 0, 0.5, 0.5], None, 3.0),
        ([3, 1, 2, 2], [1, 1, 1, 1], None, -np.inf),
        ([3, 1, 2, 2], [0, 0, 0, 0], None, np.inf),
        ([3, 1, 2, 2], [1, 0, 1, 1], [True, False, True, True], -np.inf),
    ],
)
def test_the_threshold_is_the_lowest_that_is_contacted_for_certain(
    ranking, certain, eligible, threshold
):
    found = lowest_certain(
        ranking=np.array(ranking, dtype=float),
        contacts=np.array(certain, dtype=float),
        eligible=None if eligible is None else np.array(eligible),
    )
    assert found == threshold


class BestHalf:
    """A rule of the user's own that compares rows and does not say so."""

    def contact(self, *, view):
        return (view.cate >= np.median(view.cate)).astype(float)

    def describe(self):
        return "The better half."


class Above:
    """One that decides each row by itself."""

    def contact(self, *, view):
        return (view.cate > 5.0).astype(float)

    def describe(self):
        return "Above 5."


def test_a_rule_of_ones_own_that_compares_rows_is_refused_for_households_to_come():
    with pytest.raises(
        PolicyError, match=r"`best_half` decides .* by the others .*`frozen\(view\)"
    ):
        frozen_rule(name="best_half", fitted=BestHalf(), view=households())
    rule = Above()
    assert frozen_rule(name="above", fitted=rule, view=households()) is rule


@pytest.mark.parametrize("name", ["risk_adjusted_0.5", "lower_bound", "contact_frequency"])
def test_a_rule_that_needs_errors_is_refused_where_the_model_offers_none(name):
    """Without them it would contact nobody, and say nothing."""
    rules = RULES | {"contact_frequency": {"of": "lower_bound", "max_contacts": 1}}
    seen = households(cate_se=np.full(N, np.nan))
    rule = policies(**rules)[name].fit(training=training(seen), seed=0)
    with pytest.raises(PolicyError, match=rf"`{name}` reads the standard error .*interval_replic"):
        frozen_rule(name=name, fitted=rule, view=seen)
    by_effect = policies(**rules)["break_even"].fit(training=training(seen), seed=0)
    assert frozen_rule(name="break_even", fitted=by_effect, view=seen) is by_effect


def asked(decides="chosen", rules=None, interval_replicates=0, **money):
    check_policies(
        policies=PoliciesParameters(
            decides=decides,
            learner="shown",
            error_replicates=0,
            rules=BASE | {"budget": {}, "break_even": {}} | (rules or {}),
        ),
        policy=MONEY.model_copy(update=money),
        interval_replicates=interval_replicates,
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"decides": "brake_even"}, "`brake_even` is unknown. Did you mean `break_even`"),
        ({"decides": "random"}, "`random` makes no list"),
        ({"decides": "current"}, "`current` makes no list"),
        ({"decides": "response"}, "`response` makes no list"),
        (
            {"decides": "risk_adjusted_0.5", "rules": {"risk_adjusted": {"lambdas": [0.5]}}},
            "`estimation.interval_replicates` is 0: the registered model would offer none",
        ),
        (
            {
                "decides": "contact_frequency",
                "rules": {
                    "lower_bound": {"level": 0.8},
                    "contact_frequency": {"of": "lower_bound", "max_contacts": 1},
                },
            },
            "`policies.decides` is `contact_frequency`, which reads the standard error",
        ),
        ({"budget_usd": 500.0}, "`policy.budget_usd` is 500.00 and `policies.decides` is `chosen`"),
        (
            {
                "decides": "budget",
                "budget_usd": 500.0,
                "rules": {"budget": {"budget_usd": 10.0}},
            },
            "a budget is stated once",
        ),
    ],
)
def test_what_cannot_decide_is_refused_before_anything_is_fitted(given, said):
    with pytest.raises(PolicyError, match=said.replace(".", r"\.")):
        asked(**given)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"decides": "break_even"},
        {"decides": "budget", "budget_usd": 500.0},
        {"decides": "risk_adjusted_0", "rules": {"risk_adjusted": {"lambdas": [0.0]}}},
        {
            "decides": "lower_bound",
            "rules": {"lower_bound": {"level": 0.8}},
            "interval_replicates": 4,
        },
    ],
)
def test_what_can_decide_passes(given):
    asked(**given)


def test_a_budget_is_the_stated_one_and_without_one_nothing_is_valued():
    """1 USD a contact, nobody redeems: a budget of 3 is three households of six."""
    seen = replace(view(), cate=np.array([9.0, 8, 7, 6, 5.5, 5]), redemption=np.zeros(6))
    stated = MONEY.model_copy(update={"budget_usd": 3.0 * MONEY.contact_cost_usd})
    policy = policies(budget={})["budget"]
    assert "`policy.budget_usd`" in policy.lacks(view=seen, money=MONEY)
    assert policy.lacks(view=seen, money=stated) is None
    rule = policy.fit(training=training(seen, money=stated), seed=0)
    np.testing.assert_array_equal(rule.contact(view=seen), [1, 1, 1, 0, 0, 0])
    with pytest.raises(PolicyError, match="must be stated to spend a budget"):
        policy.fit(training=training(seen), seed=0)
    assert contacts(policies(budget={"budget_usd": 2.0 * MONEY.contact_cost_usd})["budget"], seen)[
        :3
    ].tolist() == [1, 1, 0]


@pytest.fixture(scope="module")
def suite():
    inputs, scores, observed, _ = world()
    return value_suite(
        policies=policies(break_even={}, budget={}),
        inputs=inputs,
        scores=scores,
        observed=observed,
        parameters=MONEY,
        intervals=METRICS,
        seed=3,
    )


def test_a_named_policy_is_judged_by_intervals_that_hold_for_all_of_them_at_once(suite):
    """Who names one may have read the table."""
    found = named_decides(name="break_even", suite=suite, learner="causal_forest")
    value = suite.valued["break_even"]
    assert found.profit_usd == value.profit_usd
    assert found.gains_usd == {one: value.minus[one].simultaneous for one in ("none", "all")}
    pointwise = value.minus["none"].pointwise
    assert found.gains_usd["none"].ci_low < pointwise.ci_low
    np.testing.assert_array_equal(found.listed, suite.contacts["break_even"])
    assert found.rule.startswith("Contact where the predicted effect")


def test_a_policy_that_was_not_valued_cannot_decide(suite):
    with pytest.raises(PolicyError, match=r"`budget` is not\. Not valued\. It needs a budget"):
        named_decides(name="budget", suite=suite, learner="causal_forest")


def test_the_chosen_share_is_listed_within_each_fold():
    fold = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    cate = np.array([1.0, 2, 3, 4, 10, 20, 30, 40])
    nothing = Interval(0.0, 0.0, 0.0)
    value = PolicyValue(nothing, nothing, nothing, nothing, nothing, nothing)
    evaluation = PolicyEvaluation(
        champion="causal_forest",
        roi_optimal_share=Interval(0.5, 0.2, 0.8),
        roi_at_share=nothing,
        max_ratio_share=0.0,
        max_ratio=0.0,
        chosen=value,
        optimistic_profit_usd=nothing,
        winners_curse_usd=nothing,
        break_even_usd=nothing,
        learner_by_fold=("causal_forest",) * 2,
        share_by_fold=(0.5, 0.5),
        baselines={"none": value, "all": value},
        level=0.95,
        replicates=10,
    )
    found = chosen_decides(evaluation=evaluation, contacts=np.zeros(8), cate=cate, fold=fold)
    assert found.listed.tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    assert found.rule == ""
    assert found.learner == evaluation.champion


@dataclass
class Household:
    """Effect and error as two covariates say them; everybody overlaps."""

    def predict_cate(self, *, covariates):
        return covariates["effect"].to_numpy()

    def predict_interval(self, *, covariates, level):
        reach = norm.ppf(0.5 + level / 2.0) * covariates["error"].to_numpy()
        effect = covariates["effect"].to_numpy()
        return np.column_stack([effect - reach, effect + reach])

    def predict_propensity(self, *, covariates):
        return np.full(len(covariates), 0.5)

    def predict_redemption(self, *, covariates):
        return np.full(len(covariates), 0.5)


def test_a_scoring_model_decides_by_the_policys_rule():
    """Effect less half a standard error against (2 + 1 * 0.5) / 0.5 = 5 USD."""
    frame = pd.DataFrame({"effect": [4.0, 5.0, 6.0, 6.0], "error": [0.1, 0.1, 1.9, 2.1]})
    rule = policies(risk_adjusted={"lambdas": [0.5]})["risk_adjusted_0.5"]
    model = ScoringModel(
        learner=Household(),
        propensity_model=Household(),
        redemption_model=Household(),
        covariates=("effect", "error"),
        ranges=support_ranges(covariates=frame, quantile=0.0, overlap_low=0.1, overlap_high=0.9),
        parameters=MONEY,
        verdict_name="publish",
        cate_threshold_usd=float("inf"),
        level=0.8,
        policy="risk_adjusted_0.5",
        rule=rule.fit(training=training(view()), seed=0),
    )
    found = model.score(frame)
    assert found["recommend"].tolist() == [False, False, True, False]
    assert found["reason"].tolist() == [
        "not_contacted_by_policy",
        "not_contacted_by_policy",
        "targeted_interval_includes_break_even",
        "not_contacted_by_policy",
    ]
    assert model.contacted(frame).tolist() == [False, False, True, False]
    withheld = replace(model, verdict_name="experiment_needed")
    assert not withheld.score(frame)["recommend"].any()
    assert withheld.contacted(frame).tolist() == [False, False, True, False]
    errors = household_view(
        covariates=frame, predictions=model.predictions(frame), level=model.level
    ).cate_se
    np.testing.assert_allclose(errors, frame["error"], rtol=1e-12)
