"""A table with two arms and a control through the pipeline: against the truth and the door."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from in_memory import run
from pydantic import ValidationError

import promo_uplift
from promo_uplift.analysis import read_arms
from promo_uplift.contracts.arm_parameters import ArmsParameters
from promo_uplift.contracts.errors import LearnerError, PolicyError, TrialError
from promo_uplift.contracts.parameters import PolicyParameters, TableParameters
from promo_uplift.door import table_parameters
from promo_uplift.pipelines import arms as arms_pipeline
from promo_uplift.pipelines.arms import nodes
from promo_uplift.policy import allocate

N, SEED = 1_500, 7
SHARES = {"none": 0.4, "letter": 0.3, "call": 0.3}
BUDGET = 1_200.0
SMALL = {
    "estimation": {
        "n_workers": 1,
        "candidates": ["t_learner"],
        "learners": {"t_learner": {"defaults": {"min_child_samples": 50}}},
    },
    "metrics": {"bootstrap_replicates": 60},
    "nuisance": {"n_folds": 3, "n_trials": 0, "store": None},
    "tuning": {"n_trials": 0, "storage": None},
    "wording": {"unit": "visits"},
}
COSTS = {"letter": 1.0, "call": "call_usd"}
ARMS = {"costs": COSTS, "budget_usd": BUDGET, "learner": None, "replicates": 60, "budgets": None}
STATED = {"are_stated": True, "margin_rate": 0.5}


def world(n=N):
    """Who is a member gains by a letter, the others by a call, which costs more in the south."""
    rng = np.random.default_rng(3)
    member, south = rng.random(n) < 0.5, rng.random(n) < 0.5
    code = rng.choice(3, n, p=list(SHARES.values()))
    truth = np.column_stack([np.where(member, 3.0, -1.0), np.where(member, 1.0, 8.0)])
    effects = np.column_stack([np.zeros(n), truth])
    noise = rng.normal(0.0, 1.0, n)
    frame = pd.DataFrame(
        {
            "id": rng.permutation(n),
            "member": np.where(member, "yes", "no"),
            "town": np.where(south, "south", "north"),
            "age": rng.normal(40.0, 9.0, n),
            "arm": np.array(list(SHARES))[code],
            "visits": 10.0 + 2.0 * south + effects[np.arange(n), code] + noise,
            "call_usd": np.where(south, 6.0, 4.0),
        }
    )
    return frame, truth


@cache
def configured():
    return table_parameters(SMALL)


def parameters(path, *, arms=None, table=None, policy=None):
    """Typed parameters of a small run, as the nodes receive them."""
    typed, roles = configured()
    named = {"path": str(path), "treatment": "arm", "outcome": "visits", "control": "none"}
    given = {name: getattr(typed, name) for name in type(typed).model_fields}
    given |= {
        "policy": PolicyParameters.model_validate(typed.policy.model_dump() | (policy or {})),
        "table": TableParameters.model_validate(
            {**roles, **named, "propensity": SHARES, **(table or {})}
        ),
        "arms": ArmsParameters.model_validate(ARMS | (arms or {})),
        "seed": SEED,
    }
    return {f"params:{name}": value for name, value in given.items()}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("arms") / "table.csv"
    world()[0].to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def made(path):
    return run(arms_pipeline.create_pipeline(), parameters(path))


@pytest.fixture(scope="module")
def priced(tmp_path_factory):
    """A smaller table with a stated margin, whose arms cost the same in every row."""
    path = tmp_path_factory.mktemp("priced") / "table.csv"
    world(900)[0].drop(columns="call_usd").to_csv(path, index=False)
    asked = {"costs": {"letter": 1.0, "call": 1.0}, "budget_usd": 400.0}
    made = run(arms_pipeline.create_pipeline(), parameters(path, arms=asked, policy=STATED))
    return made, pd.read_csv(path)


def called(frame, **money):
    return promo_uplift.analyse(
        frame,
        treatment="arm",
        outcome="visits",
        control="none",
        propensity=SHARES,
        parameters=SMALL,
        seed=SEED,
        **money,
    )


def test_the_allocation_is_that_of_the_python_call_to_the_last_bit(made, path):
    frame = pd.read_csv(path)
    costs = {"letter": 1.0, "call": frame["call_usd"].to_numpy()}
    result = called(frame.drop(columns="call_usd"))
    theirs = result.allocate(budget=BUDGET, costs=costs, replicates=60)
    pd.testing.assert_frame_equal(made["arm_allocation"], theirs.table, check_exact=True)
    pd.testing.assert_frame_equal(made["arm_value"], theirs.value, check_exact=True)
    assert made["arm_allocation_text"].endswith(str(theirs))
    assert str(result) == made["arm_verdict_text"]
    steps = made["arm_curves"].curves["all arms"].budgets
    curves = result.cost_curve(costs=costs, budgets=steps, replicates=60)
    ours = made["arm_cost_curve"]
    both = pd.concat([curves.table(), curves.differences()], ignore_index=True)
    pd.testing.assert_frame_equal(ours[list(both)], both, check_exact=True)
    assert np.allclose(ours["budget_all_rows"], ours["budget"] * N)


def test_with_a_margin_each_verdict_is_reached_at_the_arms_own_cost(priced):
    """Where all arms cost the same, that is the one cost that the Python call knows."""
    made, frame = priced
    result = called(frame, contact_cost=1.0, margin_rate=0.5)
    theirs = result.allocate(budget=400.0, costs={"letter": 1.0, "call": 1.0}, replicates=60)
    pd.testing.assert_frame_equal(made["arm_allocation"], theirs.table, check_exact=True)
    pd.testing.assert_frame_equal(made["arm_value"], theirs.value, check_exact=True)
    assert made["arm_verdict_text"] == str(result)
    assert "predicted_profit_usd" in made["arm_allocation"]
    text = " ".join(made["arm_allocation_text"].split())
    assert "Margin (as given): 0.5 USD per unit of the outcome." in text
    assert made["arms_run"].tags["money"] == "given"
    assert "arms_profit_per_row" in made["arms_run"].metrics


def test_each_gets_its_best_arm_and_the_value_is_near_the_optimum(made):
    frame, truth = world()
    table = made["arm_allocation"]
    costs = np.column_stack([np.ones(N), frame["call_usd"]])
    best = allocate(rewards=truth, costs=costs, budget=BUDGET)
    position = table["arm"].map({"none": 0, "letter": 1, "call": 2}).to_numpy()
    true = np.column_stack([np.zeros(N), truth])[np.arange(N), position].mean()
    assert true > 0.97 * best.reward / N
    assert table["cost"].sum() <= BUDGET
    # a letter buys 3 for 1; what is left of the budget buys calls, 2 for 1, in the north
    letters = table["arm"] == "letter"
    assert (letters == (frame["member"] == "yes")).mean() > 0.97
    calls = table["arm"] == "call"
    assert ((frame["member"] == "no") & (frame["town"] == "north"))[calls].mean() > 0.97
    value = made["arm_value"].set_index("policy")
    own = value.loc["allocation"]
    assert own["gain_ci_low"] < true < own["gain_ci_high"]
    within = value[value["within_budget"]].drop(index="allocation")
    assert (within["allocation_minus_this_ci_low"] > 0.0).all()


def test_at_the_budget_the_curve_has_the_value(made):
    curve = made["arm_cost_curve"].set_index(["policy", "budget"])
    value = made["arm_value"].set_index("policy")
    here = curve.loc[("all arms", BUDGET / N)]
    assert here["budget_all_rows"] == pytest.approx(BUDGET)
    assert here["gain"] == value.loc["allocation", "gain"]
    assert here["ci_high"] == value.loc["allocation", "gain_ci_high"]
    assert (curve.xs(0.0, level="budget")["gain"] == 0.0).all()


def test_every_row_and_column_is_accounted_for(made):
    frame, _ = world()
    table, columns = made["arm_allocation"], made["arm_columns"]
    assert table["row"].tolist() == list(range(N))
    assert table.equals(made["arm_allocation_parquet"])
    for arm in ("letter", "call"):
        own = columns[columns["arm"] == arm].set_index("column")
        assert set(own.index) == set(frame.columns)
        assert own.loc["call_usd", "role"] == "cost of call"
        assert "an identifier" in own.loc["id", "reason"]
    counts = frame["arm"].value_counts()
    text = " ".join(made["arm_allocation_text"].split())
    assert (
        f"ARMS 1,500 rows, none left out: {counts['none']} none, {counts['call']} call, "
        f"{counts['letter']} letter (control first)." in text
    )
    assert "`call_usd`, on offer to 1,500 rows" in text
    assert "No margin was stated" in text
    effects = made["arm_effects"].set_index(["arm", "estimand"])
    assert effects.loc[("letter", "aipw_ate"), "ci_low"] < 1.0
    assert effects.loc[("letter", "aipw_ate"), "ci_high"] > 1.0
    assert set(made["arm_checks"]["arm"]) == {"letter", "call"}


def test_the_run_is_recorded_with_verdicts_and_counts(made):
    record, table = made["arms_run"], made["arm_allocation"]
    assert record.tags["treatment_definition"] == "call, letter against none"
    assert record.tags["money"] == "not stated"
    assert record.tags["data_version"].startswith("table-")
    verdicts = {arm: one.verdict.name for arm, one in made["arm_analyses"].items()}
    assert record.tags["arms_verdict"] == "; ".join(f"{a}: {v}" for a, v in verdicts.items())
    assert record.metrics["arms_rows"] == N
    assert record.metrics["arms_rows_given"] == (table["arm"] != "none").sum()
    assert record.metrics["arms_spend_usd"] == table["cost"].sum()
    assert record.metrics["arms_gain_per_row"] == made["arm_value"]["gain"].iloc[0]


def test_an_arm_whose_verdict_is_not_publish_is_held_back_and_counted(made, path):
    given = parameters(path)
    analyses = {
        arm: replace(
            one,
            verdict=replace(
                one.verdict,
                name="refuse" if arm == "call" else "publish",
                reasons=("PU-OVERLAP",) if arm == "call" else (),
            ),
        )
        for arm, one in made["arm_analyses"].items()
    }
    found, table, _, value, text = nodes.allocate_budget(
        made["arms_table"],
        made["arms_cross_fitted"],
        analyses,
        *(given[f"params:{name}"] for name in ("arms", "policy", "metrics", "checks", "seed")),
    )
    calls = table["arm"] == "call"
    assert calls.any()
    assert not table["recommend"][calls].any()
    assert set(table["reason"][calls]) == {"verdict_withholds"}
    assert table["recommend"][table["arm"] == "letter"].all()
    assert found.withheld == ("call",)
    assert value.equals(made["arm_value"])
    text = " ".join(text.split())
    assert "call: refuse: PU-OVERLAP." in text
    letters = (table["arm"] == "letter").sum()
    assert f"RECOMMEND 0 call, {letters} letter, for {letters:,.2f} USD; {calls.sum()} rows" in text


def texts_of(figure):
    found = figure.findobj(lambda artist: hasattr(artist, "get_text"))
    return " | ".join(" ".join(one.get_text().split()) for one in found)


def test_the_figure_shows_every_policy_and_the_stated_budget(made, priced):
    figure = made["arm_cost_curve_figure"]
    (axis,) = figure.axes
    text = texts_of(figure)
    for label in ("all arms, each its best use", "letter, alone", "call, alone", "at random"):
        assert label in text
    own = made["arm_value"].iloc[0]
    assert f"the budget of 1,200 USD: {own['gain']:.3g} (" in text
    assert "Gain, visits per row" in text
    assert "no profit" in text
    joint = axis.lines[0]
    assert joint.get_xdata()[0] == joint.get_ydata()[0] == 0.0
    assert BUDGET in np.round(joint.get_xdata(), 6)
    assert len(axis.collections) >= 1  # the band
    assert "Profit, USD per row" in texts_of(priced[0]["arm_cost_curve_figure"])


# -- refusals ---------------------------------------------------------------------------------


def opened(*, frame=None, **changed):
    given = parameters("unused.csv", **changed)
    names = ("table", "arms", "estimation", "policy")
    return read_arms(
        frame=world(60)[0] if frame is None else frame,
        **{name: given[f"params:{name}"] for name in names},
    )


def test_a_cost_may_be_infinite_where_the_arm_is_not_on_offer():
    frame, _ = world(60)
    frame["call_usd"] = np.where(frame["town"] == "south", np.inf, 4.0)
    read = opened(frame=frame)
    assert read.cost_of("call") == 4.0
    assert "call_usd" not in read.arms.covariates
    named = opened(table={"covariates": ["age", "call_usd"]})
    assert list(named.arms.covariates) == ["age", "call_usd"]


def test_numbers_and_texts_name_the_same_arm():
    frame, _ = world(60)
    frame["arm"] = frame["arm"].map({"none": 0, "letter": 1, "call": 2})
    table = {"control": None, "propensity": None}
    read = opened(frame=frame, arms={"costs": {1: 1.0, "2": 3.0}}, table=table)
    assert read.costs == {"1": 1.0, "2": 3.0}
    with pytest.raises(PolicyError, match="must name each arm once"):
        opened(frame=frame, arms={"costs": {1: 1.0, "1": 2.0, 2: 3.0}}, table=table)


CONTACT = {"policy": STATED | {"contact_cost_usd": 1.0}}
TWICE = {"policy": STATED | {"budget_usd": 5.0}}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"arms": {"costs": None}}, "`arms.costs` must give the cost of each arm"),
        ({"arms": {"budget_usd": None}}, "`arms.budget_usd` must say what may be spent"),
        (TWICE, "`policy.budget_usd` must be null .* a budget is stated once"),
        (CONTACT, "`policy.contact_cost_usd` must be 0 .* A cost is stated once"),
        ({"arms": {"costs": {"letter": 1.0}}}, r"every arm .*\['call', 'letter'\]; got \['letter'"),
        ({"arms": {"costs": COSTS | {"none": 1.0}}}, "of nothing else.*control .'none'. costs"),
        ({"arms": {"costs": {"letter": 0.0, "call": 0.0}}}, "above 0 for one arm on offer"),
        ({"arms": {"costs": COSTS | {"call": "call_us"}}}, "Did you mean `call_usd`"),
        ({"arms": {"costs": COSTS | {"call": "visits"}}}, "one role; `visits` is both outcome"),
        ({"arms": {"costs": COSTS | {"call": "town"}}}, "`town`, the cost of 'call'.*numbers"),
        ({"table": {"arm": "call"}}, "`table.arm` must be null here"),
        ({"table": {"treatment": "town", "control": "north", "propensity": None}}, "found one arm"),
        ({"table": {"treatment": "amr"}}, "Did you mean `arm`"),
        ({"arms": {"learner": "no_such"}}, "`learner` must be one of the configured"),
        ({"arms": {"learner": "random"}}, "`learner` must predict an effect by itself"),
    ],
)
def test_what_has_no_meaning_is_refused_by_name_before_anything_is_fitted(change, says):
    with pytest.raises((PolicyError, TrialError, LearnerError), match=says):
        opened(**change)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([np.nan, 1.0], "30 of 60 are missing or negative"),
        ([-1.0, 1.0], "30 of 60 are missing or negative"),
        ([np.inf, np.inf], "must be finite somewhere"),
        ([True, False], "must hold numbers"),
    ],
)
def test_a_column_of_costs_that_are_none_is_refused(values, says):
    frame = world(60)[0].assign(call_usd=np.resize(values, 60))
    with pytest.raises(PolicyError, match=f"`call_usd`, the cost of 'call'.*{says}"):
        opened(frame=frame)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"costs": {"letter": -1.0}}, "costs.letter"),
        ({"costs": {"letter": True}}, "costs.letter"),
        ({"costs": {"letter": np.inf}}, "costs.letter"),
        ({"costs": {"letter": ""}}, "costs.letter"),
        ({"budget_usd": -1.0}, "budget_usd"),
        ({"budget_usd": "5"}, "budget_usd"),
        ({"replicates": 10}, "replicates"),
        ({"budgets": [2.0, 1.0]}, "`budgets` must hold one at least and ascend"),
        ({"budgets": []}, "`budgets` must hold one at least and ascend"),
        ({"budget": 5.0}, "budget"),
    ],
)
def test_a_wrong_parameter_is_refused_by_its_type(change, says):
    with pytest.raises(ValidationError, match=says):
        ArmsParameters.model_validate(ARMS | change)
