"""Figures and the run's record, from the results of a known world."""

from __future__ import annotations

from pathlib import Path

import pytest
from in_memory import LEARNERS, run
from matplotlib.figure import Figure

from promo_uplift.pipelines import reporting


@pytest.fixture(scope="module")
def report(strong):
    pipeline = reporting.create_pipeline()
    given = {**strong.inputs, **strong.made, "data_version": "test-1"}
    return run(pipeline, {name: given[name] for name in pipeline.inputs()})


def test_every_figure_has_labelled_axes_and_a_title(report):
    figures = {name: one for name, one in report.items() if name.endswith("_figure")}
    assert len(figures) == 15
    for figure in figures.values():
        assert isinstance(figure, Figure)
        scales = [axes for axes in figure.axes if axes.get_label() == "<colorbar>"]
        assert all(axes.get_ylabel() for axes in scales)
        for axes in set(figure.axes) - set(scales):
            assert axes.get_xlabel()
            assert axes.get_title(loc="left")


def test_the_figures_show_this_runs_champion_and_share(report, strong):
    evaluation = strong.made["policy_evaluation"]
    (curves,) = report["uplift_curves_figure"].axes
    assert f"{evaluation.champion} (champion)" in curves.get_legend_handles_labels()[1]
    (profit,) = report["profit_curve_figure"].axes
    share = f"best share {evaluation.roi_optimal_share.estimate:.0%}"
    assert any(label.startswith(share) for label in profit.get_legend_handles_labels()[1])


def test_the_record_says_what_the_run_decided(report, strong):
    record = report["mlflow_run"]
    assert record.tags == {
        "verdict": "publish",
        "verdict_reasons": "",
        "champion": strong.made["policy_evaluation"].champion,
        "treatment_definition": "campaign_targeted",
        "data_version": "test-1",
        "money": "given",
        "decides": "chosen",
        "deployed_learner": strong.made["policy_evaluation"].champion,
    }
    assert record.inputs["trials"].equals(strong.inputs["trials"])
    assert [one.learner for one in record.learners] == list(LEARNERS)


def test_the_records_metrics_are_the_tables_of_the_run(report, strong):
    metrics = report["mlflow_run"].metrics
    board = strong.made["leaderboard"].set_index("learner")
    row = board.loc[strong.made["policy_evaluation"].champion]
    for name in ("auuc", "qini", "autoc", "calibration_slope", "uplift_at_10"):
        for suffix in ("", "_ci_low", "_ci_high"):
            assert metrics[name + suffix] == row[name + suffix]
    chosen = strong.made["policy_value"].set_index("policy").loc["chosen"]
    assert metrics["expected_profit_per_household"] == chosen["profit_usd_per_household"]
    assert metrics["policy_value"] == chosen["incremental_outcome_usd_per_household"]
    assert metrics["overlap_share"] > 0.95
    assert metrics["n_households"] == 1_000


def test_trials_of_a_tuned_learner_are_in_the_record(report):
    trials = {one.learner: one.trials for one in report["mlflow_run"].learners}
    assert len(trials["dr_learner"]) == 3 * 2
    assert set(trials["dr_learner"]["fold"]) == {0, 1, 2}


def test_every_metric_of_the_record_is_documented(report):
    page = (Path(__file__).parents[2] / "docs" / "outputs.md").read_text(encoding="utf-8")
    record = report["mlflow_run"]
    names = set(record.metrics).union(*(one.metrics for one in record.learners))
    ends = ("_ci_low", "_ci_high", "_sim_low", "_sim_high")
    assert all(end in page for end in ends)
    plain = {name for name in names if not name.endswith(ends)}
    assert len(plain) > 20
    assert {name for name in plain if f"`{name}`" not in page} == set()
    assert {tag for tag in record.tags if f"`{tag}`" not in page} == set()


def test_the_toc_of_champion_and_baselines_is_a_table_too(report, strong):
    toc = report["toc"]
    champion = strong.made["policy_evaluation"].champion
    assert set(toc["learner"]) == {champion, "response", "random"}
    top = toc[toc["learner"] == champion].set_index("share")
    assert top["band_low"].iloc[0] > 0  # half of the households respond, and they come first
    assert top["toc_usd"].iloc[-1] == pytest.approx(0.0, abs=1e-9)


def test_the_record_says_what_modelling_was_worth(report):
    metrics = report["mlflow_run"].metrics
    for simple in ("response", "constant"):
        name = f"value_of_modelling_{simple}"
        assert 0.0 < metrics[f"{name}_ci_low"] < metrics[name] < metrics[f"{name}_ci_high"]
    assert metrics["value_of_modelling_seconds"] > metrics["value_of_tuning_seconds"] >= 0.0
