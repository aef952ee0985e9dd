"""Estimation on a trial table with a known effect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from in_memory import COVARIATES, EFFECT_USD, LEARNERS, parameters, run, trial_table, true_effect
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from promo_uplift.contracts.errors import CheckError, LearnerError, TrialError
from promo_uplift.hooks import refuse_unknown_names
from promo_uplift.pipelines import causal_estimation, data_engineering
from promo_uplift.pipelines.causal_estimation import nodes

AVERAGE_USD = EFFECT_USD / 2
PREPARED = data_engineering.create_pipeline().only_nodes("prepare_trial_data")


def test_the_average_effect_is_found(strong):
    effects = strong.made["effects"].set_index(["campaign", "estimand"])
    for estimand in ("naive_difference", "aipw_ate", "aipw_att", "ato"):
        row = effects.loc[("pooled", estimand)]
        assert row["estimate_usd"] == pytest.approx(AVERAGE_USD, abs=4 * row["se"])
    ate = effects.loc[("pooled", "aipw_ate")]
    assert ate["ci_low"] <= AVERAGE_USD <= ate["ci_high"]
    assert (ate["n"], ate["n_households"]) == (2_000, 1_000)
    assert ate["se"] < effects.loc[("pooled", "naive_difference"), "se"]


def test_no_effect_is_found_where_there_is_none(nothing):
    effects = nothing.made["effects"].set_index(["campaign", "estimand"])
    row = effects.loc[("pooled", "aipw_ate")]
    assert row["ci_low"] <= 0 <= row["ci_high"]
    assert row["ci_high"] - row["ci_low"] < AVERAGE_USD / 2


def test_the_placebo_finds_nothing(strong):
    placebo = strong.made["placebo"]
    assert placebo.effect.ci_low <= 0 <= placebo.effect.ci_high
    assert placebo.days == 28
    assert placebo.n_rows == 2_000
    assert set(strong.made["placebo_effects"]["campaign"]) == {"8", "13", "pooled"}


def test_without_a_campaign_that_allows_one_there_is_no_placebo_figure(strong):
    pipeline = PREPARED + causal_estimation.create_pipeline().only_nodes("estimate_placebo")
    empty = {"placebo_trials": strong.inputs["placebo_trials"].head(0)}
    given = {**strong.inputs, **empty}
    made = run(pipeline, {name: given[name] for name in pipeline.inputs()})
    assert np.isnan(made["placebo"].effect.estimate)
    assert made["placebo"].n_rows == 0
    assert made["placebo_effects"].empty


def test_the_leaderboard_ranks_effect_models_above_predicted_spend(strong):
    board = strong.made["leaderboard"].set_index("learner")
    assert set(board.index) == set(LEARNERS)
    assert board.index[0] in {"t_learner", "dr_learner"}
    for learner in ("t_learner", "dr_learner"):
        assert board.loc[learner, "auuc_minus_response_ci_low"] > 0
        assert board.loc[learner, "auuc_minus_random_ci_low"] > 0
        assert 0.7 < board.loc[learner, "calibration_slope"] < 1.3
    # a perfect ranking has Q(q) = 30 q up to one half: AUUC 30 (1/8 + 1/4)
    assert board["auuc"].max() == pytest.approx(EFFECT_USD * 3 / 8, rel=0.1)
    assert board.loc["constant", "auuc"] == pytest.approx(AVERAGE_USD / 2, rel=0.1)


def test_a_learner_that_does_not_compete_is_shown_and_never_chosen(strong):
    given = {**strong.inputs, **strong.made}
    oracle = true_effect(strong.inputs["trials"], EFFECT_USD)
    every_fold = np.repeat(oracle[:, np.newaxis], 3, axis=1)
    perfect = replace(given["cross_fitted"]["t_learner"], cate=every_fold)
    given["cross_fitted"] = {**given["cross_fitted"], "t_learner": perfect}
    names = ("trial_data", "nuisances", "cross_fitted")
    for candidates in (["t_learner", "dr_learner"], ["dr_learner"]):
        estimation = given["params:estimation"].model_copy(update={"candidates": candidates})
        selection, table = nodes.choose_champion(*(given[name] for name in names), estimation)
        _, board = nodes.rank_learners(
            *(given[name] for name in names),
            selection,
            estimation,
            given["params:metrics"],
            given["params:seed"],
        )
        assert table["learner"].tolist() == ["constant", *candidates]
        assert selection.champion == candidates[0]  # the truth itself, wherever it competes
        assert set(board["learner"]) == set(LEARNERS)
        assert board.loc[board["is_champion"], "learner"].tolist() == candidates[:1]


def test_scores_of_every_row_are_held_out_effects(strong):
    trials, scores = strong.inputs["trials"], strong.made["cate_scores"]
    assert scores["household_id"].tolist() == trials["household_id"].tolist()
    assert [name for name in scores if name.startswith(("cate_usd_", "score_"))] == [
        f"{'score' if name in ('response', 'random') else 'cate_usd'}_{name}" for name in LEARNERS
    ]
    assert not scores.isna().any(axis=None)
    assert scores.groupby("household_id")["fold"].nunique().eq(1).all()
    error = scores["cate_usd_t_learner"] - true_effect(trials, EFFECT_USD)
    assert np.sqrt(np.mean(error**2)) < 0.3 * EFFECT_USD
    assert scores["dr_score_usd"].mean() == pytest.approx(AVERAGE_USD, abs=2)


def test_equal_inputs_give_equal_results(strong):
    again = run(PREPARED + causal_estimation.create_pipeline(), strong.inputs | parameters())
    for name in ("cate_scores", "effects"):
        assert again[name].equals(strong.made[name])


def test_a_second_run_takes_nuisances_and_the_placebos_from_the_store(strong, tmp_path):
    nuisance = parameters()["params:nuisance"].model_copy(update={"store": str(tmp_path)})
    pipeline = PREPARED + causal_estimation.create_pipeline().only_nodes(
        "estimate_nuisances", "estimate_placebo", "assess_reliability"
    )
    given = strong.inputs | parameters(nuisance=nuisance)
    first, second = (
        run(pipeline, {name: given[name] for name in pipeline.inputs()}) for _ in range(2)
    )
    assert not first["nuisances"].is_reused
    assert second["nuisances"].is_reused
    assert len(list(tmp_path.iterdir())) == 2  # of the trials and of the placebo
    np.testing.assert_array_equal(second["nuisances"].mu1, strong.made["nuisances"].mu1)
    assert second["placebo"] == first["placebo"] == strong.made["placebo"]
    assert second["reliability"].equals(strong.made["reliability"])
    assert set(second["reliability"]["stage"]) == {"before"}


@pytest.mark.parametrize("table", ["trials", "placebo_trials"])
def test_a_single_arm_is_refused_before_any_fit(table):
    inputs = {
        "trials": trial_table(effect_usd=0.0, n_households=20),
        "placebo_trials": trial_table(effect_usd=0.0, n_households=20),
        "covariate_names": COVARIATES,
        **parameters(),
    }
    inputs[table] = inputs[table].assign(treatment=1)
    catalog = DataCatalog({name: MemoryDataset(value) for name, value in inputs.items()})
    with pytest.raises(TrialError, match="treated and control households"):
        SequentialRunner().run(PREPARED, catalog)


def with_wrong_learner():
    known = parameters()["params:estimation"]
    learners = {**known.learners, "x_lerner": known.learners["t_learner"]}
    return {"params:estimation": known.model_copy(update={"learners": learners})}


def with_wrong_checks(*, added=(), removed=()):
    known = parameters()["params:checks"]
    on_fail = {code: allows for code, allows in known.on_fail.items() if code not in removed}
    on_fail |= dict.fromkeys(added, "refuse")
    return {"params:checks": known.model_copy(update={"on_fail": on_fail})}


@pytest.mark.parametrize(
    ("changed", "error", "match"),
    [
        (with_wrong_learner(), LearnerError, "Did you mean `x_learner`"),
        (with_wrong_checks(added=["PU-NOTHING"]), CheckError, "unknown: .'PU-NOTHING'."),
        (with_wrong_checks(removed=["PU-WINDOW"]), CheckError, "missing: .'PU-WINDOW'."),
    ],
)
def test_unknown_names_are_refused_before_any_node(changed, error, match):
    """By the hook that sees the catalog; nothing has run by then."""
    given = parameters() | changed
    with pytest.raises(error, match=match):
        refuse_unknown_names(estimation=given["params:estimation"], checks=given["params:checks"])


def test_whatever_fits_a_model_waits_for_these_refusals():
    pipeline = PREPARED + causal_estimation.create_pipeline()
    later = pipeline.from_nodes("prepare_trial_data").nodes
    assert {node.name for node in pipeline.nodes} == {node.name for node in later}


def test_every_ranking_stands_under_every_definition(strong):
    """The project's own rows of the Rosetta table are the leaderboard's numbers."""
    rosetta, board = strong.made["rosetta"], strong.made["leaderboard"].set_index("learner")
    assert set(rosetta["learner"]) == set(board.index)
    assert {"random", "response"} <= set(rosetta["learner"])
    assert set(rosetta.groupby("learner").size()) == {len(rosetta) // len(board)}
    ours = rosetta.loc[(rosetta["function"] == "doubly robust") & (rosetta["figure"] == "qini")]
    for learner, value in zip(ours["learner"], ours["value"], strict=True):
        assert value == pytest.approx(board.loc[learner, "qini"], abs=1e-9)
    sklift = rosetta.loc[rosetta["library"] == "scikit-uplift"]
    assert sklift["note"].str.contains("0 and 1 only").all()  # spend is no 0/1 outcome


def test_every_learner_of_effects_is_tested_for_heterogeneity(strong, nothing):
    for made, differs in ((strong.made, True), (nothing.made, False)):
        blp = made["blp"].set_index(["learner", "regression"])
        assert set(blp.index) == {
            (learner, regression)
            for learner in ("t_learner", "dr_learner")
            for regression in ("doubly_robust", "weighted")
        }
        assert ((blp["p_adjusted"] < 0.05) == differs).all()
        gates = made["gates"].set_index(["learner", "group"])
        apart = gates.xs("most minus least", level="group")
        assert (apart["ci_low"] > 0).all() == differs
        # where nobody differs, one of twenty such readings is "contradicted" by chance
        assert (apart["reading"] == "contradicted").sum() <= (0 if differs else 1)
        assert len(gates) == 2 * (5 + 1)


def test_every_learner_has_three_versions_of_each_figure(strong):
    table, board = strong.made["metric_versions"], strong.made["leaderboard"].set_index("learner")
    assert set(table["version"]) == {"naive", "ipw", "dr"}
    sizes = table.groupby("learner").size()
    assert set(sizes.index) == set(board.index)
    assert sizes.eq(3 * len({"auuc", "qini", "autoc", "uplift_at_10", "uplift_at_30"})).all()
    for row in table[table["version"] == "dr"].itertuples():
        assert row.estimate == board.loc[row.learner, row.figure]
        assert row.ci_low == board.loc[row.learner, f"{row.figure}_ci_low"]


def test_the_leaderboard_says_what_tuning_and_modelling_were_worth(strong):
    table = strong.made["leaderboard"].set_index("learner")
    tuned = {name for name, one in strong.made["cross_fitted"].items() if len(one.tuning)}
    assert set(table.index[table["value_of_tuning"].notna()]) == tuned != set()
    for figure in ("value_of_tuning", "tuning_loss_gain"):
        rows = table.loc[sorted(tuned)]
        assert (rows[f"{figure}_ci_low"] <= rows[figure]).all()
        assert (rows[figure] <= rows[f"{figure}_ci_high"]).all()
    assert table.loc["dr_learner", "auuc_minus_constant_ci_low"] > 0.0  # a strong effect to rank by
    assert table.loc["constant", "auuc_minus_constant"] == 0.0
    parts = table["seconds_tuning"] + table["seconds_fitting"]
    assert (parts <= table["seconds"] + 1e-6).all()
    assert (table.loc[sorted(tuned), "seconds_tuning"] > 0.0).all()
    assert set(strong.made["tuning_studies"]["learner"]) == tuned
