"""Each policy against what can be worked out by hand, a linear programme, or its own promise."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
import pytest
from policy_worlds import BASE, MONEY, contacts, policies, training, view
from scipy.optimize import linprog

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import PoliciesParameters
from promo_uplift.policy import build_policies, expected_profit
from promo_uplift.policy.rules import POLICIES
from promo_uplift.policy.rules.ranking import top_share

TREE = {"max_depth": 2, "min_leaf_share": 0.05, "min_balancedness_tol": 0.45, "honest": False}


def random_view(n, seed, n_groups=None):
    rng = np.random.default_rng(seed)
    return view(
        covariates=pd.DataFrame(
            {"visits": rng.integers(1, 20, n).astype(float), "age": rng.integers(1, 5, n) * 1.0}
        ),
        cate=rng.normal(6.0, 8.0, n),
        cate_se=rng.uniform(0.5, 4.0, n),
        redemption=rng.random(n),
        response=rng.normal(size=n),
        groups=rng.integers(0, n_groups or n, n),
        campaign=rng.integers(0, 9, n),
        population=n,
    )


def test_nobody_everyone_and_the_mailing_as_it_was():
    made = policies()
    assert contacts(made["none"], view()).tolist() == [0.0] * 6
    assert contacts(made["all"], view()).tolist() == [1.0] * 6
    mailed = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    assert contacts(made["current"], view(mailed=mailed)).tolist() == mailed.tolist()


def test_the_mailing_as_it_was_is_unknown_for_households_to_come():
    fitted = policies()["current"].fit(training=training(view()), seed=1)
    with pytest.raises(PolicyError, match="`mailed` must be known"):
        fitted.contact(view=view())


def test_break_even_is_cost_over_margin_with_the_households_own_redemption():
    """Needed: 4 without a redemption, 5 at one half, 6 for sure; 30 and 12 and 9 pay."""
    made = policies(break_even={})
    assert contacts(made["break_even"], view()).tolist() == [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]
    assert (
        "without a redemption that is 4"
        in made["break_even"].fit(training=training(view()), seed=1).describe()
    )


def test_each_lambda_takes_off_its_standard_errors():
    made = policies(risk_adjusted={"lambdas": [0.0, 0.3, 2.0, 3.5]}, break_even={})
    assert (
        contacts(made["risk_adjusted_0"], view()).tolist()
        == contacts(made["break_even"], view()).tolist()
    )
    assert contacts(made["risk_adjusted_0.3"], view()).tolist() == [0, 1, 0, 1, 0, 1]
    assert contacts(made["risk_adjusted_2"], view()).tolist() == [0, 1, 0, 1, 0, 1]
    assert contacts(made["risk_adjusted_3.5"], view()).tolist() == [0, 0, 0, 1, 0, 1]


def test_the_lower_bound_is_the_normal_quantile_of_its_level():
    """9 - 1.96 x 2 = 5.08 pays for 5, and 9 - 2.58 x 2 does not."""
    seen = view()
    assert contacts(policies(lower_bound={"level": 0.95})["lower_bound"], seen)[1] == 1.0
    assert contacts(policies(lower_bound={"level": 0.99})["lower_bound"], seen)[1] == 0.0


@pytest.mark.parametrize("name", ["risk_adjusted_0.3", "lower_bound"])
def test_without_standard_errors_a_policy_says_what_it_lacks(name):
    made = policies(risk_adjusted={"lambdas": [0.0, 0.3]}, lower_bound={"level": 0.9})
    unknown = view(cate_se=np.full(6, np.nan))
    assert "standard error" in made[name].lacks(view=unknown, money=MONEY)
    assert made[name].lacks(view=view(), money=MONEY) is None
    assert made["risk_adjusted_0"].lacks(view=unknown, money=MONEY) is None


def test_tied_rows_at_the_edge_are_contacted_alike():
    ranking = np.array([2.0, 1.0, 1.0, 1.0, 0.0])
    assert top_share(ranking=ranking, share=0.4).tolist() == pytest.approx(
        [1, 1 / 3, 1 / 3, 1 / 3, 0]
    )
    assert top_share(ranking=ranking, share=0.0).sum() == 0.0
    assert top_share(ranking=np.zeros(5), share=0.3) == pytest.approx(np.full(5, 0.3))


def test_the_top_share_takes_tied_rows_alike():
    made = policies(top_share={"shares": [0.5, 0.025]})
    assert set(made) - set(BASE) == {"top_share_50", "top_share_2_5"}
    tied = view(cate=np.array([1.0, 5.0, 5.0, 5.0, 5.0, 9.0]))
    assert contacts(made["top_share_50"], tied) == pytest.approx([0, 0.5, 0.5, 0.5, 0.5, 1.0])


def test_the_best_share_of_the_ranking_is_found_on_training_profit():
    """By effect the profits are 5, 4, -1, -9, 7, -9: the top third earns most."""
    profit = [-9.0, -1.0, 7.0, 4.0, -9.0, 5.0]
    seen = view()
    assert contacts(policies(roi_optimal={})["roi_optimal"], seen, profit).sum() == pytest.approx(
        6 * 0.35, abs=0.11
    )
    blind = contacts(policies()["random"], seen, profit)
    assert np.ptp(blind) == 0.0
    assert blind.sum() == pytest.approx(
        contacts(policies(roi_optimal={})["roi_optimal"], seen, profit).sum()
    )


def linear_programme(profit, cost, budget):
    """Highest predicted profit that a budget can buy."""
    found = linprog(-profit, A_ub=cost[np.newaxis, :], b_ub=[budget], bounds=(0.0, 1.0))
    return -found.fun


@pytest.mark.parametrize("seed", range(8))
def test_the_budget_equals_the_linear_programme(seed):
    seen = random_view(40, seed)
    budget = float(np.random.default_rng(seed).uniform(5.0, 80.0))
    taken = contacts(policies(budget={"budget_usd": budget})["budget"], seen)
    cost = MONEY.contact_cost_usd + MONEY.redemption_cost_usd * seen.redemption
    profit = expected_profit(cate_usd=seen.cate, redemption=seen.redemption, parameters=MONEY)
    assert taken @ cost <= budget + 1e-9
    assert taken @ profit == pytest.approx(linear_programme(profit, cost, budget), abs=1e-7)
    assert np.sum((taken > 0) & (taken < 1)) <= 1


def test_a_list_gets_its_part_of_the_budget():
    seen = random_view(60, 3)
    whole = policies(budget={"budget_usd": 60.0})["budget"]
    part = view(**{name: getattr(seen, name) for name in seen.__slots__} | {"population": 120})
    cost = MONEY.contact_cost_usd + MONEY.redemption_cost_usd * seen.redemption
    assert contacts(whole, part) @ cost == pytest.approx(30.0)


def test_the_tree_finds_the_split_and_says_it_in_the_covariates_unit():
    seen = random_view(800, 5)
    profit = np.where(seen.covariates["visits"] > 12.5, 3.0, -2.0)
    fitted = policies(policy_tree=TREE | {"max_depth": 1})["policy_tree"].fit(
        training=training(seen, profit), seed=1
    )
    assert fitted.describe() == "Contact if visits > 12.5."
    assert fitted.contact(view=seen).tolist() == (profit > 0).astype(float).tolist()


def test_a_deeper_tree_puts_its_leaves_in_words():
    seen = random_view(2_000, 6)
    table = seen.covariates
    right = (table["visits"] > 12.5) & (table["age"] <= 2.0) | (table["visits"] <= 5.0)
    profit = np.where(right, 3.0, -2.0)
    fitted = policies(policy_tree=TREE | {"max_depth": 3})["policy_tree"].fit(
        training=training(seen, profit), seed=1
    )
    assert np.mean(fitted.contact(view=seen) == right) == 1.0
    said = fitted.describe().removeprefix("Contact if ").removesuffix(".")
    query = " or ".join(f"({leaf})" for leaf in said.split("; or if "))
    assert (table.eval(query.replace(" and ", " & ").replace(" or ", " | ")) == right).all()


def test_trees_count_the_missing_values_that_they_fill_in():
    seen = random_view(800, 7)
    table = seen.covariates.assign(age=seen.covariates["age"].where(np.arange(800) % 4 > 0))
    gaps = view(**{name: getattr(seen, name) for name in seen.__slots__} | {"covariates": table})
    profit = np.where(table["age"] > 2.5, 3.0, -2.0)
    fitted = policies(policy_tree=TREE)["policy_tree"].fit(training=training(gaps, profit), seed=1)
    assert "Missing values count as the training median (age 200 of 800 rows)." in fitted.describe()


def test_a_tree_refuses_rows_without_its_covariates():
    seen = random_view(100, 8)
    fitted = policies(policy_tree=TREE)["policy_tree"].fit(
        training=training(seen, seen.cate), seed=1
    )
    with pytest.raises(PolicyError, match="age"):
        fitted.contact(view=view(covariates=pd.DataFrame({"visits": np.ones(6)})))


def test_the_forest_finds_the_split_and_names_what_it_uses():
    seen = random_view(1_500, 9)
    profit = np.where(seen.covariates["visits"] > 12.5, 3.0, -2.0)
    size = TREE | {"n_estimators": 10, "max_samples": 0.5, "max_features": 1.0, "named": 1}
    fitted = policies(policy_forest=size)["policy_forest"].fit(
        training=training(seen, profit), seed=1
    )
    assert np.mean(fitted.contact(view=seen) == (profit > 0)) > 0.95
    assert "most used: visits" in fitted.describe()


def test_segments_are_contacted_where_their_whole_interval_is_above_0():
    seen = random_view(600, 10)
    age = seen.covariates["age"].to_numpy()
    rng = np.random.default_rng(1)
    profit = np.where(age == 4.0, 5.0, np.where(age == 3.0, 0.0, -4.0)) + rng.normal(0, 2.0, 600)
    rules = {"by": ["age"], "quantiles": [0.1, 0.4, 0.65], "level": 0.95, "min_rows": 20}
    fitted = policies(segments=rules)["segments"].fit(training=training(seen, profit), seed=1)
    assert np.array_equal(fitted.contact(view=seen) > 0, age == 4.0)
    assert fitted.describe() == "Contact if age > 3 (1 of 4 segments)."


def test_segments_that_were_given_are_taken_and_an_unknown_one_is_left_alone():
    rules = {"by": [], "quantiles": [0.5], "level": 0.9, "min_rows": 2}
    seen = view(segment=np.array(["new", "new", "new", "old", "old", "old"]))
    policy = policies(segments=rules)["segments"]
    assert "segments" in policy.lacks(view=view(), money=MONEY)
    fitted = policy.fit(training=training(seen, [4.0, 5.0, 4.5, -1.0, -1.0, -2.0]), seed=1)
    other = view(segment=np.array(["new", "lost", "old", "new", "new", "old"]))
    assert fitted.contact(view=other).tolist() == [1.0, 0.0, 0.0, 1.0, 1.0, 0.0]


def test_a_missing_value_is_a_segment_of_its_own():
    rules = {"by": ["age"], "quantiles": [0.5], "level": 0.5, "min_rows": 2}
    groups = np.arange(6)
    age = pd.DataFrame({"age": [1.0, 1.0, 2.0, 2.0, np.nan, np.nan]})
    fitted = policies(segments=rules)["segments"].fit(
        training=training(view(covariates=age, groups=groups), [-1.0, -1.0, -1.0, -1.0, 4.0, 4.1]),
        seed=1,
    )
    assert (
        fitted.contained if hasattr(fitted, "contained") else fitted.contacted == ("age unknown",)
    )


@pytest.mark.parametrize("most", [1, 2])
@pytest.mark.parametrize("seed", range(5))
def test_nobody_is_contacted_too_often_and_the_best_contacts_stay(most, seed):
    seen = random_view(300, seed, n_groups=60)
    made = policies(break_even={}, contact_frequency={"of": "break_even", "max_contacts": most})
    wanted, kept = contacts(made["break_even"], seen), contacts(made["contact_frequency"], seen)
    assert np.bincount(seen.groups, weights=kept).max() == most
    profit = expected_profit(cate_usd=seen.cate, redemption=seen.redemption, parameters=MONEY)
    for household in np.unique(seen.groups):
        rows = seen.groups == household
        best = np.sort(profit[rows][wanted[rows] > 0])[::-1][:most].sum()
        assert kept[rows] @ profit[rows] == pytest.approx(best)


def test_frequency_holds_for_lotteries_and_ties():
    seen = view(cate=np.full(6, 9.0), redemption=np.zeros(6))
    made = policies(
        top_share={"shares": [0.9]}, contact_frequency={"of": "top_share_90", "max_contacts": 1}
    )
    assert contacts(made["contact_frequency"], seen) == pytest.approx(np.full(6, 0.5))


@pytest.mark.parametrize("tolerance", [0.0, 0.02, 0.1, 0.6])
@pytest.mark.parametrize("seed", range(5))
def test_shares_of_groups_are_within_the_tolerance(tolerance, seed):
    seen = random_view(400, seed)
    seen.cate[:] += 6.0 * seen.covariates["age"].to_numpy() - 18.0
    made = policies(
        break_even={},
        fairness={"of": "break_even", "column": "age", "tolerance": tolerance, "max_groups": 9},
    )
    wanted, kept = contacts(made["break_even"], seen), contacts(made["fairness"], seen)
    by_group = pd.Series(kept).groupby(seen.covariates["age"].to_numpy()).mean()
    assert np.abs(by_group - kept.mean()).max() <= tolerance + 1e-9
    before = pd.Series(wanted).groupby(seen.covariates["age"].to_numpy()).mean()
    assert np.abs(before - wanted.mean()).max() > 0.1
    if tolerance == 0.6:
        assert np.array_equal(kept, wanted)


def test_a_column_of_many_values_is_no_column_of_groups():
    made = policies(fairness={"of": "all", "column": "visits", "tolerance": 0.1, "max_groups": 5})
    with pytest.raises(PolicyError, match="`visits` has 6"):
        made["fairness"].fit(training=training(view()), seed=1)


def test_an_absent_column_is_said_and_not_guessed():
    made = policies(
        fairness={"of": "all", "column": "income", "tolerance": 0.1, "max_groups": 5},
        segments={"by": ["income"], "quantiles": [0.5], "level": 0.9, "min_rows": 2},
    )
    assert "income" in made["fairness"].lacks(view=view(), money=MONEY)
    assert "income" in made["segments"].lacks(view=view(), money=MONEY)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"top_shar": {"shares": [0.1]}}, "`top_shar` is unknown. Did you mean `top_share`?"),
        ({"budget": {"budget": 3.0}}, r"`policies.rules.budget.budget`: Extra .*`budget_usd`"),
        ({"budget": {"budget_usd": -3.0}}, "policies.rules.budget.budget_usd"),
        ({"budget": {"budget_usd": "3"}}, "policies.rules.budget.budget_usd"),
        ({"contact_frequency": {"of": "bst", "max_contacts": 1}}, "`policies.rules.contact_frequ"),
        ({"top_share": {"shares": [0.1, 0.1]}, "top_share_10": {}}, "is unknown"),
        ({"mine": {"class": "nothing_there.at_all.Rule"}}, "`policies.rules.mine.class`"),
        (
            {"mine": {"class": "promo_uplift.policy.rules.base.NoSettings"}},
            "must name a class that",
        ),
        ({"all": {"class": "promo_uplift.policy.rules.none.Nobody"}}, "its name must be its own"),
    ],
)
def test_a_wrong_configuration_names_policy_and_field(rules, message):
    with pytest.raises(PolicyError, match=message):
        policies(**rules)


def test_every_baseline_is_asked_for():
    few = PoliciesParameters(
        decides="chosen", learner="shown", error_replicates=0, rules={"none": {}}
    )
    with pytest.raises(PolicyError, match=r"missing: .*'response'"):
        build_policies(few)


def test_two_policies_of_one_name_are_refused():
    with pytest.raises(PolicyError, match=r"`risk_adjusted_0\.3` is taken"):
        policies(
            risk_adjusted={"lambdas": [0.3]},
            **{"risk_adjusted_0.3": {"class": "promo_uplift.policy.rules.none.Nobody"}},
        )


OWN = """
    import numpy as np
    from promo_uplift.contracts.parameters import Parameters
    from promo_uplift.policy.rules import NoSettings, Policy

    class Settings(Parameters):
        visits: float

    class Frequent(Policy):
        Settings = Settings

        def fit(self, *, training, seed):
            return Fitted(self.settings.visits)

    class Fitted:
        def __init__(self, visits):
            self.visits = visits

        def contact(self, *, view):
            return (view.covariates["visits"] > self.visits).astype(float).to_numpy()

        def describe(self):
            return f"Contact above {self.visits:g} visits."

    class OldFit(Policy):
        Settings = NoSettings

        def fit(self, rows):
            return self
"""


def test_a_policy_of_ones_own_is_named_by_its_import_path(tmp_path, monkeypatch):
    (tmp_path / "own_rules.py").write_text(textwrap.dedent(OWN))
    monkeypatch.syspath_prepend(tmp_path)
    made = policies(frequent={"class": "own_rules.Frequent", "visits": 3.0})
    assert contacts(made["frequent"], view()).tolist() == [0, 0, 0, 1, 1, 1]
    with pytest.raises(PolicyError, match="Did you mean `visits`"):
        policies(frequent={"class": "own_rules.Frequent", "visit": 3.0})
    with pytest.raises(PolicyError, match="does not take"):
        policies(old={"class": "own_rules.OldFit"})
    with pytest.raises(PolicyError, match="Its classes"):
        policies(old={"class": "own_rules.Frequnt"})


def test_every_policy_of_the_registry_says_what_it_is():
    for cls in POLICIES.values():
        assert cls.summary.endswith(".")
        assert cls.__doc__
