"""`promo_uplift.analyse` on small experiments whose effects are known."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from pydantic import ValidationError

import promo_uplift
from promo_uplift.analysis import households_of_a_table, scores_of
from promo_uplift.contracts.errors import ConfigurationError, LearnerError, ScoringError, TrialError
from promo_uplift.contracts.parameters import ScoringParameters
from promo_uplift.door import ArmsResult, TableResult, table_parameters
from promo_uplift.policy import definition_differences

N = 900
#: Members respond by this much, the others by nothing; half are members.
EFFECT = 6.0
SMALL = {
    "estimation": {
        "n_workers": 1,
        "interval_replicates": 4,
        "learners": {"t_learner": {"defaults": {"min_child_samples": 50}}},
    },
    "metrics": {"bootstrap_replicates": 60},
    "nuisance": {"n_folds": 3},
}


def an_experiment(*, chance=0.5, n=N, seed=1):
    """Rows drawn with a known chance; who is a member responds, who spends much does not."""
    rng = np.random.default_rng(seed)
    member = rng.choice(["yes", "no"], n)
    income = rng.normal(50.0, 10.0, n)
    mailed = rng.binomial(1, chance, n)
    effect = np.where(member == "yes", EFFECT, 0.0)
    return pd.DataFrame(
        {
            "income": income,
            "member": member,
            "before": 0.3 * income + rng.normal(0.0, 2.0, n),
            "mailed": mailed,
            "visits": 0.3 * income
            - (member == "yes") * 5.0
            + effect * mailed
            + rng.normal(0.0, 2.0, n),
        }
    )


def analysed(frame, **changed):
    """Analyse with one learner and little else."""
    asked = {
        "treatment": "mailed",
        "outcome": "visits",
        "learners": ["t_learner"],
        "tuning": 0,
        "unit": "visits",
        "parameters": SMALL,
    }
    return promo_uplift.analyse(frame, **(asked | changed))


@pytest.fixture(scope="module")
def frame():
    return an_experiment()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    store = f"sqlite:///{folder}/mlflow.db"
    # without a place of its own the experiment's artifacts would go to the working folder
    client = MlflowClient(tracking_uri=store)
    client.create_experiment("promo_uplift", artifact_location=(folder / "artifacts").as_uri())
    return store


@pytest.fixture(scope="module")
def plain(frame, store):
    return analysed(frame, propensity=0.5, tracking_uri=store)


@pytest.fixture(scope="module")
def priced(frame):
    return analysed(
        frame,
        propensity=0.5,
        placebo_outcome="before",
        contact_cost=2.0,
        margin_rate=0.5,
        outcome_value=2.0,
    )


@pytest.fixture(scope="module")
def arms():
    rng = np.random.default_rng(4)
    frame = an_experiment(n=1_200)
    arm = rng.choice(["none", "letter", "call"], 1_200)
    frame["visits"] += np.select([arm == "letter", arm == "call"], [2.0, -1.0]) - (
        EFFECT * frame["mailed"] * (frame["member"] == "yes")
    )
    frame["mailed"] = arm
    shares = {"none": 1 / 3, "letter": 1 / 3, "call": 1 / 3}
    return frame, analysed(frame, control="none", propensity=shares)


# -- effects ----------------------------------------------------------------------------------


def ate_of(effects):
    return effects.set_index("estimand").loc["aipw_ate"]


def test_the_known_effect_lies_in_its_interval(plain):
    assert isinstance(plain, TableResult)
    ate = ate_of(plain.effects)
    assert ate["ci_low"] <= EFFECT / 2 <= ate["ci_high"]
    assert ate["ci_high"] - ate["ci_low"] < 1.5
    assert ate["n"] == N
    assert "campaign" not in plain.effects


def test_a_good_experiment_may_be_used_and_says_what_was_not_checked(plain):
    assert (plain.verdict.name, plain.verdict.action) == ("publish", "use_effects")
    outcomes = plain.checks.set_index("code")["outcome"]
    assert outcomes[outcomes == "not applicable"].index.tolist() == [
        "PU-WINDOW",
        "PU-PLACEBO",
        "PU-POLICY",
    ]
    assert outcomes["PU-LOTTERY"] == "passed"
    assert str(plain).startswith("1 against 0\nVERDICT publish: effects and ranking may be used")
    assert repr(plain) == str(plain)


def test_the_stated_propensity_is_used_as_it_is(plain):
    assert set(plain.scores["propensity"]) == {0.5}
    held_out = plain.analysis.nuisances.held_out()
    data = plain.trial.data
    expected = (
        held_out.mu1
        - held_out.mu0
        + (data.treatment - 0.5)
        / 0.25
        * (data.outcome - np.where(data.treatment == 1, held_out.mu1, held_out.mu0))
    )
    np.testing.assert_allclose(plain.scores["dr_score"], expected)


def test_a_stated_propensity_beyond_the_clip_is_not_clipped():
    chance = 0.015
    rng = np.random.default_rng(5)
    frame = an_experiment(chance=chance, n=2_000)
    frame["lot"] = np.where(rng.random(2_000) < 0.5, chance, chance)
    clip = table_parameters()[0].nuisance.propensity_clip
    assert chance < clip
    found = analysed(frame, propensity="lot")
    assert set(found.scores["propensity"]) == {chance}
    assert found.analysis.nuisances.n_clipped == 0
    # learners and their losses do not depend on which propensity was stated for the check
    assert found.checks.set_index("code").loc["PU-CLIPPED", "value"] == 0.0


def test_without_a_stated_propensity_it_is_modelled_and_no_placebo_is_a_failure(frame):
    found = analysed(frame)
    assert found.scores["propensity"].nunique() > 10
    outcomes = found.checks.set_index("code")["outcome"]
    assert outcomes["PU-LOTTERY"] == "not applicable"
    assert outcomes["PU-PLACEBO"] == "failed"
    assert found.verdict.name == "experiment_needed"


def test_a_biased_log_that_is_called_an_experiment_is_refused(frame):
    income = frame["income"].to_numpy()
    kept = np.random.default_rng(6).random(N) < np.where(
        frame["mailed"] == 1, income > 45, income < 55
    )
    log = frame.loc[kept].reset_index(drop=True)
    found = analysed(log, propensity=0.5)
    assert found.verdict.name == "refuse"
    assert "PU-LOTTERY" in found.verdict.reasons
    assert "`income`" in str(found)


def test_an_earlier_outcome_is_tested(priced):
    outcomes = priced.checks.set_index("code")
    assert outcomes.loc["PU-PLACEBO", "outcome"] == "passed"
    assert "the earlier outcome" in outcomes.loc["PU-PLACEBO", "sentence"]
    assert "before" in priced.trial.data.covariates
    assert "before" not in priced.trial.placebo.covariates


def test_the_columns_are_all_reported(plain, frame):
    assert plain.columns["column"].tolist() == list(frame)
    assert plain.columns.loc[plain.columns["used"], "column"].tolist() == list(frame)


# -- who responds, and why --------------------------------------------------------------------


def test_membership_drives_the_effect_and_is_said_to(plain):
    assert plain.blp["p_adjusted"].max() < 0.01
    assert plain.clan["covariate"].iloc[0].startswith("member=")
    assert plain.explanation.warning is None
    assert plain.cate_drivers["covariate"].iloc[0].startswith("member=")
    rules = plain.cate_rules["rule"]
    assert rules.str.startswith("Rows with member ").all()
    assert "the effect" in str(plain.explanation)
    assert "USD" not in str(plain.explanation)


def test_tables_of_heterogeneity_are_in_the_outcomes_unit(plain):
    tables = (plain.blp, plain.gates, plain.clan, plain.cate_drivers, plain.cate_rules)
    names = {name for table in tables for name in table.columns}
    assert {"ate", "effect", "predicted", "mean_abs"} <= names
    assert not [name for name in names if "usd" in name]
    assert (plain.cate_drivers["unit"] == "visits").all()


# -- money ------------------------------------------------------------------------------------


def test_a_stated_cost_gives_a_profit(priced):
    """Margin .5 on 2 USD: members earn 6 - 2 USD, half of the rows; all earn 3 - 2."""
    table = priced.policy_value.set_index("policy")
    assert table.loc["chosen", "profit_usd_per_household"] == pytest.approx(2.0, abs=0.4)
    assert table.loc["all", "profit_usd_per_household"] == pytest.approx(1.0, abs=0.5)
    assert (table["outcome_value_usd"] == 2.0).all()
    assert not table["values_are_assumptions"].any()
    champion = priced.policy_curve[priced.policy_curve["policy"] == "champion"]
    best = champion.loc[champion["profit_usd_per_household"].idxmax()]
    assert best["share"] == pytest.approx(0.5, abs=0.1)
    assert (priced.verdict.name, priced.verdict.action) == ("publish", "target")
    assert "expected_profit_usd" in priced.cate(priced_rows(priced))


def test_the_configured_policies_are_compared(priced):
    """Members earn 6 - 2 USD, half of the rows, and a tree of two leaves can say so."""
    table = priced.policies.set_index("policy")
    assert table.loc["policy_tree", "profit_usd_per_household"] == pytest.approx(2.0, abs=0.4)
    assert table.loc["policy_tree", "profit_usd_minus_all_sim_low"] > 0
    assert table.loc["best_of_all", "profit_usd_per_household"] == pytest.approx(2.0, abs=0.4)
    assert "member=" in table.loc["policy_tree", "rule"]
    assert "demo_income" in table.loc["fairness", "rule"]
    assert set(table.index[table["how"] == "not_valued"]) >= {"segments", "fairness"}


def priced_rows(result):
    return result.trial.encoder.decode(result.trial.data.covariates.head(20))


MONEY = ("profit", "cost", "roi", "usd", "margin", "assum")


def test_without_a_cost_nothing_speaks_of_money(plain, frame):
    tables = (
        plain.leaderboard,
        plain.effects,
        plain.policy_value,
        plain.policy_curve,
        plain.policies,
        plain.scores,
        plain.cate(frame.head()),
    )
    names = {name for table in tables for name in table.columns}
    assert {name for name in names if any(word in name.lower() for word in MONEY)} == set()
    assert "gain_per_household" in plain.policy_curve
    assert not plain.policies["rule"].str.contains("profit").any()
    assert "USD" not in str(plain)
    assert "profit" not in str(plain)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"contact_cost": 1.0}, "`margin_rate` must be given with `contact_cost`"),
        ({"margin_rate": 0.5}, "`contact_cost` must be given with `margin_rate`"),
        ({"outcome_value": 2.0}, "`contact_cost` must be given with `outcome_value`"),
        (
            {"margin_rate": 0.5, "outcome_value": 2.0},
            "`contact_cost` must be given with `margin_rate` and `outcome_value`",
        ),
    ],
)
def test_half_of_the_money_is_refused(frame, given, match):
    with pytest.raises(ConfigurationError, match=match):
        analysed(frame, **given)


def test_a_contact_may_cost_nothing(frame):
    typed, _ = table_parameters({"policy": {"are_stated": True, "contact_cost_usd": 0.0}})
    assert typed.policy.are_stated


# -- several arms -----------------------------------------------------------------------------


def test_each_arm_is_analysed_against_the_control(arms):
    frame, result = arms
    assert isinstance(result, ArmsResult)
    assert list(result.arms) == ["call", "letter"]
    for arm, truth in (("letter", 2.0), ("call", -1.0)):
        ate = ate_of(result[arm].effects)
        assert ate["ci_low"] <= truth <= ate["ci_high"]
        assert ate["n"] == frame["mailed"].isin([arm, "none"]).sum()
        assert set(result[arm].scores["propensity"]) == {0.5}


def test_the_tables_hold_the_arms_below_each_other(arms):
    _, result = arms
    tables = ("leaderboard", "effects", "policy_value", "policy_curve", "checks", "metric_versions")
    for name in (*tables, "blp", "gates", "clan"):
        stacked = getattr(result, name)
        assert stacked.columns[0] == "arm"
        part = stacked[stacked["arm"] == "letter"].drop(columns="arm").reset_index(drop=True)
        own = getattr(result["letter"], name).reset_index(drop=True)
        pd.testing.assert_frame_equal(part, own)
    assert set(result.explanation) == {"call", "letter"}
    assert set(result.champion) == set(result.verdict) == {"call", "letter"}
    assert str(result).count("VERDICT ") == 2
    assert repr(result) == str(result)


def test_the_arms_meet_in_one_cost_curve(arms):
    """The letter adds 2 and the call takes 1: no budget buys a call for long."""
    _, result = arms
    curves = result.cost_curve(costs={"letter": 1.0, "call": 3.0}, budgets=[0.5, 1.0])
    table = curves.table().set_index(["policy", "budget"])
    assert set(table.index.get_level_values("policy")) == {
        "all arms",
        "call",
        "letter",
        "all arms, at random",
    }
    letter = table.loc[("letter", 1.0)]
    assert letter["ci_low"] <= 2.0 <= letter["ci_high"]
    together = curves.differences().set_index(["policy", "budget"])
    assert together.loc[("all arms - call", 1.0), "ci_low"] > 0.0


def test_a_budget_is_allocated_to_the_rows_of_the_table(arms):
    frame, result = arms
    budget = 0.5 * len(frame)
    found = result.allocate(budget=budget, costs={"letter": 1.0, "call": 3.0})
    assert len(found.table) == len(frame)
    assert set(found.table["arm"]) <= {"letter", "call", "none"}
    assert found.counts["letter"] > 10 * found.counts["call"]
    assert found.table["cost"].sum() == found.spend <= budget
    value = found.value.set_index("policy")
    assert value.loc["allocation", "gain_ci_low"] > 0.0
    assert value.loc["call, same budget", "allocation_minus_this_ci_low"] > 0.0
    withheld = tuple(arm for arm, one in result.arms.items() if one.verdict.name != "publish")
    assert found.withheld == withheld
    assert not found.table["recommend"][found.table["arm"].isin(withheld)].any()


def test_one_result_has_its_ranking_under_every_definition(plain):
    rows = plain.rosetta
    assert set(rows["learner"]) == set(plain.leaderboard["learner"])
    assert {"promo_uplift", "scikit-uplift", "causalml", "econml", "grf", "itx"} <= set(
        rows["library"]
    )


def test_new_rows_get_an_effect_of_each_arm(arms):
    frame, result = arms
    found = result.cate(frame.head(5))
    assert len(found) == 5
    assert set(found.columns.get_level_values(0)) == {"call", "letter"}
    pd.testing.assert_frame_equal(found["call"], result["call"].cate(frame.head(5)))


# -- rows to come -----------------------------------------------------------------------------


def test_new_rows_get_an_effect_with_its_interval(plain):
    new = an_experiment(seed=8, n=200).drop(columns=["mailed", "visits"])
    new.index = pd.RangeIndex(1_000, 1_200)
    found = plain.cate(new)
    assert found.index.tolist() == new.index.tolist()
    inside = found[found["in_support"]]
    assert len(inside) > 150
    assert (inside["ci_low"] <= inside["cate"]).all()
    assert (inside["cate"] <= inside["ci_high"]).all()
    members = new.loc[inside.index, "member"] == "yes"
    assert inside.loc[members, "cate"].mean() == pytest.approx(EFFECT, abs=1.0)
    assert inside.loc[~members, "cate"].mean() == pytest.approx(0.0, abs=1.0)


def test_rows_beyond_what_was_seen_get_no_figures(plain, frame):
    new = pd.concat([frame.head(3)] * 1, ignore_index=True)
    new.loc[0, "member"] = "perhaps"
    new.loc[1, "income"] = 1e6
    found = plain.cate(new)
    assert found["cate"].isna().tolist()[:2] == [True, True]
    assert not found["in_support"].iloc[:2].any()
    assert "recommend" not in found.columns  # nobody stated what a treatment costs


@pytest.mark.parametrize("result", ["plain", "priced"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_of_new_rows_is_scored_in_chunks_as_from_python(request, tmp_path, result, kind):
    """Categories stay categories, figures carry the outcome's unit, money is there if stated."""
    fitted = request.getfixturevalue(result)
    new = an_experiment(seed=8, n=200).drop(columns=["mailed", "visits"])
    new.loc[3, "member"] = "perhaps"
    path = tmp_path / f"new.{kind}"
    new.to_csv(path, index=False) if kind == "csv" else new.to_parquet(path)
    scoring = ScoringParameters(
        alias="challenger", table=str(path), as_of=None, id_column=None, chunk_rows=60
    )
    scores = scores_of(
        model=fitted.model,
        households=households_of_a_table(model=fitted.model, scoring=scoring),
        stamp={"model_alias": "challenger"},
        wording=fitted.parameters.wording,
    )
    found = scores.read().to_pandas()
    expected = fitted.cate(new)
    assert list(found.columns) == ["row", *expected.columns, "n_missing", "model_alias"]
    assert found["row"].tolist() == list(range(200))
    pd.testing.assert_frame_equal(found[list(expected.columns)], expected, check_exact=True)
    assert found.loc[3, "support_reason"] == "category_not_seen_in_training:member"
    assert ("recommend" in found.columns) is (result == "priced")


def test_a_missing_covariate_of_a_new_row_is_refused(plain, frame):
    rows = frame.head().drop(columns="income")
    with pytest.raises(ScoringError, match=r"missing 1 of \d+: `income`\."):
        plain.cate(rows)


def test_the_model_carries_what_it_was_made_with(plain, priced):
    contract = plain.model.contract
    assert contract.columns == ("income", "member", "before")
    assert contract.covariates == ("income", "member=no", "member=yes", "before")
    assert contract.data_version == plain.data_version
    assert contract.definition["comparison"] == "1 against 0"
    assert contract.definition["estimation.outcome"] == "outcome"
    assert (contract.definition["policy.are_stated"], contract.is_of_raw_tables) == (False, False)
    differing = definition_differences(
        contract=contract, definition=priced.model.contract.definition
    )
    assert "`policy.contact_cost_usd` 0.0 (now 2.0)" in map(str, differing)


def test_each_arms_model_knows_its_comparison(arms):
    _, result = arms
    said = {arm: one.model.contract.definition["comparison"] for arm, one in result.arms.items()}
    assert said == {"letter": "letter against none", "call": "call against none"}


def test_held_out_intervals_come_when_asked(plain):
    interval = plain.interval
    assert interval.shape == (N, 2)
    assert (interval[:, 0] <= interval[:, 1]).all()


# -- reproduction -----------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_figures_and_the_table_stays(frame, plain):
    before = frame.copy(deep=True)
    again = analysed(frame, propensity=0.5)
    for name in ("effects", "policy_value", "policy_curve", "checks", "scores"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(plain, name))
    boards = [one.leaderboard.filter(regex="^(?!seconds)") for one in (again, plain)]
    pd.testing.assert_frame_equal(*boards)
    pd.testing.assert_frame_equal(frame, before)
    assert str(again) == str(plain)


def test_another_seed_gives_other_figures(frame, plain):
    other = analysed(frame, propensity=0.5, seed=1)
    assert ate_of(other.effects)["estimate"] != ate_of(plain.effects)["estimate"]
    assert ate_of(other.effects)["estimate"] == pytest.approx(
        ate_of(plain.effects)["estimate"], abs=0.5
    )


# -- tracking ---------------------------------------------------------------------------------


def test_a_store_gets_a_run_with_the_projects_names(plain, store):
    client = MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name("promo_uplift")
    runs = client.search_runs([experiment.experiment_id])
    (run,) = [one for one in runs if "mlflow.parentRunId" not in one.data.tags]
    assert run.info.status == "FINISHED"
    metrics, tags = run.data.metrics, run.data.tags
    for name in ("auuc", "qini", "autoc", "uplift_at_10", "ate", "policy_value"):
        for suffix in ("", "_ci_low", "_ci_high"):
            assert f"{name}{suffix}" in metrics
    assert {"overlap_share", "propensity_auc", "n_trials_rows"} <= set(metrics)
    assert not [name for name in metrics if any(word in name for word in MONEY)]
    assert metrics["ate"] == pytest.approx(ate_of(plain.effects)["estimate"])
    assert tags["verdict"] == "publish"
    assert tags["champion"] == plain.champion
    assert tags["treatment_definition"] == "1 against 0"
    assert tags["money"] == "not stated"
    assert tags["data_version"].startswith("table-")
    names = {one.path for one in client.list_artifacts(run.info.run_id)}
    assert {"leaderboard.csv", "effects.csv", "policy_curve.csv", "verdict.txt"} <= names
    assert {"blp.csv", "gates.csv", "clan.csv", "cate_rules.csv", "explanation.txt"} <= names
    children = [one for one in runs if "mlflow.parentRunId" in one.data.tags]
    assert {one.info.run_name for one in children} >= {"t_learner", "zero", "constant"}


# -- the ensemble, and a learner by import path ------------------------------------------------

BY_PATH = {
    "class": "promo_uplift.learners.t_learner.TLearner",
    "parameters": "promo_uplift.contracts.parameters.LightGBMParameters",
    "defaults": {
        "n_estimators": 80,
        "learning_rate": 0.05,
        "num_leaves": 6,
        "min_child_samples": 50,
        "reg_lambda": 10.0,
        "colsample_bytree": 0.8,
    },
}


@pytest.fixture(scope="module")
def combined(frame):
    own = {**SMALL["estimation"], "learners": {"mine": BY_PATH}}
    return analysed(frame, learners=["ensemble"], parameters={**SMALL, "estimation": own})


def test_an_own_learner_is_judged_and_the_ensemble_of_it_may_be_champion(combined):
    assert set(combined.leaderboard["learner"]) >= {"mine", "ensemble"}
    assert combined.champion == "ensemble"
    for chosen in combined.analysis.cross_fitted["ensemble"].parameters:
        # half of the rows respond by 6, the others by nothing: heterogeneity is worth a weight
        assert chosen["weight.mine"] > 0.5
        assert chosen["weight.mine"] + chosen["weight.constant"] == pytest.approx(1.0)


def test_the_ensemble_scores_new_rows_with_an_interval(combined):
    new = an_experiment(seed=2, n=200)
    found = combined.cate(new)
    copy = pickle.loads(pickle.dumps(combined.model))  # noqa: S301 - our own object
    np.testing.assert_array_equal(copy.score(new)["cate_usd"], found["cate"])
    members = (new["member"] == "yes") & found["in_support"]
    others = (new["member"] == "no") & found["in_support"]
    assert found.loc[members, "cate"].mean() == pytest.approx(EFFECT, abs=1.0)
    assert found.loc[others, "cate"].mean() == pytest.approx(0.0, abs=1.0)
    assert (found["ci_low"] < found["ci_high"])[members].all()
    assert np.isfinite(combined.interval).all()


def test_an_ensemble_of_the_constant_alone_is_refused(frame):
    with pytest.raises(LearnerError, match="must hold a learner of effects beside `ensemble`"):
        analysed(frame, learners=["ensemble"])


# -- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "error", "match"),
    [
        ({"treatment": "maild"}, TrialError, "Did you mean `mailed`"),
        ({"outcome": "member"}, TrialError, "`member` must be a number"),
        ({"learners": ["x_lerner"]}, ValidationError, "missing: .*'x_lerner'"),
        ({"parameters": {"estimate": {}}}, ConfigurationError, "must hold only .*got estimate"),
        ({"parameters": {"metrics": {"levl": 0.9}}}, ValidationError, "levl"),
        ({"parameters": {"checks": {"power": 2.0}}}, ValidationError, "power"),
        ({"tuning": -1}, ValidationError, "n_trials"),
        ({"contact_cost": -1.0, "margin_rate": 0.5}, ValidationError, "contact_cost_usd"),
        ({"unit": ""}, ValidationError, "unit"),
    ],
)
def test_what_has_no_meaning_is_refused_before_anything_is_fitted(frame, changed, error, match):
    with pytest.raises(error, match=match):
        analysed(frame, **changed)


def test_an_unknown_setting_of_a_learner_is_refused(frame):
    wrong = {"estimation": {"learners": {"t_learner": {"defaults": {"depth": 3}}}}}
    with pytest.raises(LearnerError, match="depth"):
        analysed(frame, parameters=wrong)


# -- parameters -------------------------------------------------------------------------------


def test_only_named_candidates_and_the_baselines_are_fitted(plain):
    assert set(plain.leaderboard["learner"]) == {
        "zero",
        "constant",
        "response",
        "random",
        "t_learner",
    }
    assert plain.champion == "t_learner"


def test_no_trials_mean_the_defaults_of_learners_and_nuisances(plain):
    assert plain.parameters.tuning.n_trials == plain.parameters.nuisance.n_trials == 0
    assert plain.analysis.cross_fitted["t_learner"].tuning.empty


def test_nothing_given_takes_the_configured_numbers():
    typed, table = table_parameters()
    assert not typed.policy.are_stated
    assert len(typed.estimation.candidates) > 3
    assert typed.nuisance.n_trials > 0
    assert table["treatment"] is None


def test_a_parameter_given_twice_takes_the_nested_one():
    typed, _ = table_parameters({"nuisance": {"n_folds": 4}, "wording": {"unit": "clicks"}})
    assert (typed.nuisance.n_folds, typed.wording.unit) == (4, "clicks")
    assert typed.nuisance.propensity_clip == table_parameters()[0].nuisance.propensity_clip


def test_the_call_is_found_on_the_package_and_nothing_else_is():
    assert promo_uplift.analyse is not None
    with pytest.raises(AttributeError, match="no attribute 'analyze'"):
        promo_uplift.analyze  # noqa: B018


def test_a_named_policy_decides_of_a_table_too():
    """Members respond by 6 at a margin of 1: a contact of 2 USD pays for them, and only them."""
    decided = {"decides": "break_even", "error_replicates": 0}
    found = analysed(
        an_experiment(n=2_000),
        propensity=0.5,
        contact_cost=2.0,
        margin_rate=1.0,
        parameters={**SMALL, "policies": decided},
    )
    table = found.policies.set_index("policy").loc["break_even"]
    assert found.analysis.suite is found.policy_suite
    assert (found.verdict.name, found.verdict.action) == ("publish", "target")
    assert "Let the policy `break_even` choose" in found.verdict.advice
    assert table["profit_usd_per_household"] == pytest.approx(2.0, abs=0.5)  # (6 - 2) / 2
    assert f"{table['profit_usd_per_household']:+.2f} USD" in found.verdict.advice
    assert found.model.policy == "break_even"
    new = an_experiment(n=400, seed=9)
    scored = found.cate(new)
    inside = scored["in_support"].to_numpy()
    assert inside.mean() > 0.8
    right = scored["recommend"].to_numpy() == (new["member"] == "yes").to_numpy()
    assert right[inside].mean() > 0.95
