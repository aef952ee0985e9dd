"""Decisions in worlds whose right answer is known."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from in_memory import EFFECT_USD, run, true_effect

from promo_uplift.effects import clustered_mean
from promo_uplift.nuisance.seeding import derived_rng
from promo_uplift.pipelines import targeting_policy
from promo_uplift.policy import (
    Contacts,
    LoadedModel,
    bound_policy,
    policy_scores,
    profit_outcomes,
)

#: Margin .25, contact 2.00, redemption 1.00 at a rate of .1: a responder earns 7.5 - 2.1.
PROFIT_USD = 0.25 * EFFECT_USD - 2.1


def test_a_strong_heterogeneous_effect_of_a_randomised_mailing_is_published(strong):
    verdict = strong.made["verdict"]
    assert (verdict.name, verdict.action, verdict.reasons) == ("publish", "target", ())
    outcomes = strong.made["checks"].set_index("code")["outcome"]
    # nobody drew these lots by a propensity that was stated
    assert outcomes.pop("PU-LOTTERY") == "not applicable"
    assert set(outcomes) == {"passed"}
    assert strong.made["verdict_text"].startswith("VERDICT publish")


def test_the_chosen_share_and_its_honest_profit_are_the_worlds(strong):
    evaluation = strong.made["policy_evaluation"]
    assert evaluation.champion in {"t_learner", "dr_learner"}
    assert evaluation.roi_optimal_share.estimate == pytest.approx(0.5, abs=0.1)
    profit = evaluation.chosen.profit_usd
    assert profit.estimate == pytest.approx(PROFIT_USD / 2, rel=0.2)
    assert profit.ci_low < PROFIT_USD / 2 < profit.ci_high
    assert profit.estimate <= evaluation.optimistic_profit_usd.estimate


def test_the_champion_beats_every_simple_policy(strong):
    table = strong.made["policy_value"].set_index("policy")
    for policy in ("none", "all", "current", "random", "response"):
        assert table.loc[policy, "chosen_minus_this_usd_ci_low"] > 0
    assert table.loc["all", "profit_usd_per_household"] == pytest.approx(
        0.25 * EFFECT_USD / 2 - 2.1, abs=0.6
    )
    assert not table["values_are_assumptions"].any()


def test_other_money_begins_with_the_stated_one(strong):
    grid, scenarios = strong.made["breakeven_grid"], strong.made["what_if"]
    champion = strong.made["policy_evaluation"].champion
    alone = strong.made["policy_by_learner"][champion].chosen.profit_usd
    (own,) = grid[grid["is_expected_money"]].to_dict("records")
    base, doubled = scenarios.to_dict("records")
    for row in (own, base):
        assert row["profit_usd_per_household"] == pytest.approx(alone.estimate)
        assert row["profit_usd_per_household_ci_low"] == pytest.approx(alone.ci_low)
    assert own["wins"] == base["decision"] == "target"
    assert doubled["contact_cost_usd"] == 2 * base["contact_cost_usd"]
    assert doubled["minus_base_usd_ci_high"] < 0


def test_a_hidden_trait_would_have_to_be_strong_to_turn_a_strong_effect_around(strong):
    table = strong.made["policy_sensitivity"].set_index(["policy", "against", "strength"])
    chosen = table.loc[("chosen", "none")]
    assert chosen.loc[1.0, "profit_usd"] == pytest.approx(
        strong.made["policy_evaluation"].chosen.profit_usd.estimate, abs=0.2
    )
    assert chosen.loc[1.5, "profit_usd_ci_low"] > 0
    assert 1.5 < chosen.loc[1.0, "critical_strength_ci"] < chosen.loc[1.0, "critical_strength"]
    compared = strong.made["policy_comparison"].query("how not in ['not_valued', 'optimistic']")
    bounded = set(table.index.get_level_values("policy"))
    assert bounded == {"chosen", *compared["policy"]} - {"none"}
    assert {"response", "all", "current", "policy_tree", "best_of_all"} <= bounded
    assert not table.index.duplicated().any()
    # nobody's covariates moved the odds: the list was drawn
    yardsticks = strong.made["confounding_yardsticks"].set_index("covariates")
    assert set(yardsticks.index) == {"past spend", "demo_age"}
    assert (yardsticks["strength"] < 1.5).all()
    assert strong.made["policy_sensitivity_text"].startswith("The chosen policy against none: a")


def test_every_policy_is_compared_and_the_tree_says_the_worlds_rule(strong):
    table = strong.made["policy_comparison"].set_index("policy")
    tree = table.loc["policy_tree"]
    assert "pre_visits > 10.5" in tree["rule"]
    low, high = (tree[f"profit_usd_per_household_ci_{end}"] for end in ("low", "high"))
    assert low < PROFIT_USD / 2 < high
    assert tree["profit_usd_minus_all_sim_low"] > 0
    assert table.loc["lower_bound", "how"] == "honest"
    assert table.loc["segments", "how"] == "not_valued"
    assert table.loc["best_of_all", "profit_usd_per_household"] > 0
    for baseline in ("none", "all", "current"):
        value = strong.made["policy_value"].set_index("policy").loc[baseline]
        assert table.loc[baseline, "profit_usd_per_household"] == pytest.approx(
            value["profit_usd_per_household"]
        )
    assert "pre_visits > 10.5" in strong.made["policy_rules"]


def test_where_nothing_pays_no_policy_earns_anything(nothing):
    table = nothing.made["policy_comparison"].set_index("policy")
    others = table.drop(index=["winner_as_read", "segments"])
    assert (others["profit_usd_per_household_ci_low"] <= 0).all()
    assert table.loc["best_of_all", "profit_usd_per_household"] < 0.5


def test_the_list_recommends_the_households_that_respond(strong):
    listed = strong.made["targeting_list"]
    trials = strong.inputs["trials"]
    rows = listed.merge(trials, on=["household_id", "campaign_id"], validate="1:1")
    assert len(rows) == len(trials)
    right = true_effect(rows, EFFECT_USD) > 0
    recommended = rows["recommend"].to_numpy()
    assert right[recommended].mean() > 0.9
    assert recommended[right].mean() > 0.8
    bounds = rows[["cate_ci_low_usd", "cate_usd", "cate_ci_high_usd"]].to_numpy()
    assert (np.diff(bounds, axis=1) >= 0).all()


@pytest.fixture(scope="module")
def by_tree(strong):
    """The same world, decided by the policy tree."""
    policies = strong.inputs["params:policies"].model_copy(update={"decides": "policy_tree"})
    after = (
        targeting_policy.create_pipeline()
        .from_nodes("decide")
        .only_nodes(
            "decide",
            "bound_households",
            "deploy",
            "reach_verdict",
            "list_households",
            "build_scoring_model",
            "enter_registry",
        )
    )
    known = strong.inputs | strong.made | {"params:policies": policies}
    return run(after, {name: known[name] for name in after.inputs()})


def test_a_named_policy_makes_list_verdict_and_model(strong, by_tree):
    """The tree's rule is the world's: who visits more than 10.5 times responds."""
    comparison = strong.made["policy_comparison"].set_index("policy").loc["policy_tree"]
    verdict = by_tree["verdict"]
    assert (verdict.name, verdict.action) == ("publish", "target")
    assert verdict.advice.startswith("Let the policy `policy_tree` choose ")
    assert "pre_visits > 10.5" in verdict.advice
    assert f"{comparison['profit_usd_per_household']:+.2f} USD" in verdict.advice
    checks = by_tree["checks"].set_index("code")
    assert checks.loc["PU-POLICY", "value"] == pytest.approx(
        min(comparison[f"profit_usd_minus_{one}_sim_low"] for one in ("none", "all"))
    )
    listed = by_tree["targeting_list"].merge(
        strong.inputs["trials"], on=["household_id", "campaign_id"], validate="1:1"
    )
    assert set(listed["policy"]) == {"policy_tree"}
    np.testing.assert_array_equal(listed["recommend"], listed["pre_visits"] > 10.5)
    model = by_tree["scoring_model"]
    scored = model.score(strong.inputs["trials"])
    np.testing.assert_array_equal(
        scored["recommend"], (strong.inputs["trials"]["pre_visits"] > 10.5) & scored["in_support"]
    )
    assert by_tree["registered_model"].gate.promote


def test_nothing_to_find_is_not_published(nothing):
    verdict = nothing.made["verdict"]
    assert verdict.name == "experiment_needed"
    assert {"PU-RANKING", "PU-POLICY"} <= set(verdict.reasons)
    listed = nothing.made["targeting_list"]
    assert not listed["recommend"].any()
    assert set(listed["reason"]) == {"verdict_withholds"}


def test_where_mailing_is_sure_to_lose_the_advice_is_not_to_mail(nothing):
    """The comparison is sound and costs are known: the answer is none, not an experiment."""
    assert nothing.made["verdict"].action == "mail_none"
    everyone = nothing.made["policy_evaluation"].baselines["all"].profit_usd
    assert everyone.ci_high < 0


def test_a_failed_window_audit_refuses_even_the_strong_world(strong):
    audit = {"n_covariates": 3, "n_rows": 2_000, "changed": ["pre_visits"], "passed": False}
    pipeline = targeting_policy.create_pipeline().only_nodes("reach_verdict")
    inputs = {**strong.inputs, **strong.made, "window_audit": audit}
    made = run(pipeline, {name: inputs[name] for name in pipeline.inputs()})
    assert (made["verdict"].name, made["verdict"].reasons) == ("refuse", ("PU-WINDOW",))


def test_the_first_published_model_becomes_champion(strong, nothing):
    assert strong.made["registered_model"].gate.promote
    assert not nothing.made["registered_model"].gate.promote


def gate_against(strong, model):
    standing = SimpleNamespace(load=lambda: LoadedModel(model))
    pipeline = targeting_policy.create_pipeline().only_nodes("enter_registry")
    inputs = {**strong.inputs, **strong.made, "standing_champion": standing}
    made = run(pipeline, {name: inputs[name] for name in pipeline.inputs()})
    return made["registered_model"].gate


def test_a_standing_champion_that_mails_nobody_is_replaced(strong, nothing):
    gate = gate_against(strong, nothing.made["scoring_model"])
    assert gate.promote
    assert gate.difference.ci_low > 0


def test_the_gate_doubts_a_rule_learned_on_the_other_folds_as_its_profits_interval_does(strong):
    """Against a model that mails nobody the difference is the profit; three folds: 1.169."""
    nobody = replace(strong.made["scoring_model"], cate_threshold_usd=float("inf"))
    found = gate_against(strong, nobody).difference
    nuisances, rows = strong.made["nuisances"], np.arange(2_000)
    scores = policy_scores(
        data=strong.made["trial_data"],
        nuisances=nuisances,
        parameters=strong.inputs["params:policy"],
    )
    profit = strong.made["deciding_policy"].contacts * scores.profit[rows, nuisances.fold]
    plain = clustered_mean(values=profit, groups=strong.made["trial_data"].groups)
    assert found.estimate == pytest.approx(plain.estimate)
    reach = (found.ci_high - found.ci_low) / 2
    assert reach == pytest.approx(1.959964 * 1.169 * plain.se, rel=2e-3)


def test_bounds_under_a_hidden_trait_doubt_learned_rules_as_much_and_fixed_ones_not(strong):
    """By the factor of a profit's own interval, 1.169 with three folds."""
    table = strong.made["policy_sensitivity"].set_index(["policy", "against", "strength"])
    for name, factor in (("all", 1.0), ("policy_tree", 1.169), ("break_even", 1.169)):
        row = table.loc[(name, "none", 1.0)]
        known = plain_bounds(strong, name)
        assert row["profit_usd_ci_high"] - row["profit_usd"] == pytest.approx(
            factor * (known["ci_high"] - known["high"]), rel=2e-3
        )


def plain_bounds(strong, name):
    """Bounds of a policy of the suite at strength 1, without a factor."""
    outcomes = profit_outcomes(
        data=strong.made["trial_data"],
        nuisances=strong.made["nuisances"],
        parameters=strong.inputs["params:policy"],
    )

    return bound_policy(
        policy=name,
        against="none",
        contacts=Contacts.of_rule(strong.made["policy_suite"].contacts[name]),
        outcomes=outcomes,
        parameters=strong.inputs["params:sensitivity"],
        level=strong.inputs["params:metrics"].level,
        factor=1.0,
        rng=derived_rng(seed=strong.inputs["params:seed"], purpose="hidden_confounding"),
    ).table.iloc[0]


def test_the_same_model_does_not_replace_itself(strong):
    gate = gate_against(strong, strong.made["scoring_model"])
    assert not gate.promote
    assert gate.difference.estimate < 0.5


def test_the_scoring_model_decides_about_new_households(strong):
    model = strong.made["scoring_model"]
    households = strong.inputs["trials"][list(model.covariates)].head(200)
    scored = model.score(households)
    responds = true_effect(households, EFFECT_USD) > 0
    inside = scored["in_support"].to_numpy()
    assert inside.mean() > 0.95
    assert scored.loc[inside & responds, "recommend"].mean() > 0.8
    assert scored.loc[inside & ~responds, "recommend"].mean() < 0.1
    far = model.score(households.head(1).assign(pre_spend_usd=1e6))
    assert far["cate_usd"].isna().all()
    assert not far["in_support"].any()


def test_a_strong_world_is_explained_by_what_drives_it(strong):
    made = strong.made
    assert made["explanation"].warning is None
    top = made["cate_drivers"].iloc[0]
    assert (top["covariate"], top["direction"]) == ("pre_visits", "rises")
    assert made["explanation"].rules.first_split == "pre_visits"
    assert made["clan"]["covariate"].iloc[0] == "pre_visits"
    assert made["clan"]["difference"].iloc[0] > 5
    best = made["cate_rules"].iloc[0]
    assert best["ci_low"] <= EFFECT_USD <= best["ci_high"]
    assert best["text"].split(";")[0] in " ".join(made["explanation_text"].split())
    assert "Effects differ between households" in " ".join(made["verdict_text"].split())


def test_where_there_is_nothing_explanation_and_verdict_warn(nothing):
    made = nothing.made
    warning = made["explanation"].warning
    assert warning.startswith("The test finds no heterogeneity (p = ")
    assert warning in " ".join(made["explanation_text"].split())
    shown = made["selection"].shown
    assert shown != made["selection"].champion == "constant"
    said = f"the drivers of {shown}'s effects explain the model, not the households."
    assert said in " ".join(made["verdict_text"].split())


def test_the_parameters_of_every_candidate_are_left_for_a_later_run(strong):
    left = strong.made["tuned_parameters"]
    deployed = strong.made["deployed_learner"]
    assert left["champion"] == deployed.name
    assert left["learners"][deployed.name] == deployed.parameters
    tuned = {
        name
        for name in strong.inputs["params:estimation"].candidates
        if strong.made["cross_fitted"][name].parameters[0]
    }
    assert set(left["learners"]) == tuned
