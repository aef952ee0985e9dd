"""From a decided world to lots, and from their result to a verdict, through both pipelines."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from in_memory import EFFECT_USD, RESPONDING_VISITS, run

from promo_uplift.pipelines import experiment, experiment_result


def made_of(world):
    inputs = {**world.inputs, **world.made}
    pipeline = experiment.create_pipeline()
    return run(pipeline, {name: inputs[name] for name in pipeline.inputs()})


@pytest.fixture(scope="module")
def drawn(strong):
    return made_of(strong)


def comes_back(strong, drawn, *, effect_usd):
    """Whoever visits often responds; spend before explains some of the outcome."""
    lots = drawn["experiment_assignment"]
    latest = strong.inputs["trials"].drop_duplicates("household_id", keep="last")
    rows = lots.merge(latest, on="household_id", validate="m:1")
    effect = np.where(rows["pre_visits"] > RESPONDING_VISITS, effect_usd, 0.0)
    outcome = 20.0 + 0.2 * rows["pre_spend_usd"] + effect * (rows["arm"] == "mail")
    noise = np.random.default_rng(8).normal(0.0, 12.0, len(rows))
    return rows[["wave", "household_id"]].assign(outcome=outcome + noise)


def analysed(strong, drawn, result):
    pipeline = experiment_result.create_pipeline()
    inputs = {**strong.inputs, **drawn, "experiment_outcomes": result}
    # what a later run reads is what was written down
    inputs["experiment_plan"] = json.loads(json.dumps(drawn["experiment_plan"]))
    return run(pipeline, {name: inputs[name] for name in pipeline.inputs()})


def test_the_plan_is_that_of_the_worlds_noise_and_money(strong, drawn):
    plan, verdict = drawn["experiment_plan"], strong.made["verdict"]
    assert plan["aim"]["worth_finding_usd"] == pytest.approx(verdict.break_even_usd)
    mailing = next(one for one in plan["questions"] if one["name"] == "mailing")
    assert mailing["control"] == mailing["mailed"] == verdict.households_per_arm
    assert plan["outcome_days"] == 28
    assert drawn["experiment_text"].startswith("NEXT EXPERIMENT")
    lots = drawn["experiment_assignment"]
    assert len(lots) == plan["households"]
    assert (lots.groupby("stratum")["cate"].mean().diff().dropna() > 0).all()
    assert set(drawn["experiment_power"]["question"]) == {"mailing", "targeting"}
    assert drawn["experiment_balance"]["smd"].abs().max() <= 0.5


def test_an_experiment_that_confirms_publishes_and_targets(strong, drawn):
    found = analysed(strong, drawn, comes_back(strong, drawn, effect_usd=EFFECT_USD))
    verdict = found["experiment_result"]["verdict"]
    assert (verdict["name"], verdict["action"]) == ("publish", "target")
    assert found["experiment_verdict_text"].startswith("EXPERIMENT publish: target.")
    slope = found["experiment_result"]["recalibration"]["slope"]
    assert slope["ci_low"] < 1.0 < slope["ci_high"]
    table = found["experiment_effects"].set_index("stratum")
    truth = EFFECT_USD / 2
    assert table.loc["all", "effect_ci_low_usd"] < truth < table.loc["all", "effect_ci_high_usd"]
    record = found["experiment_run"]
    effect = found["experiment_result"]["effect_usd"]
    assert record.metrics["experiment_effect_usd_ci_low"] == effect["ci_low"]
    assert record.tags["experiment_action"] == "target"
    households = drawn["experiment_assignment"]["household_id"]
    assert set(found["recalibrated_cate"]["household_id"]) == set(households)
    json.dumps(found["experiment_result"])


def test_an_experiment_that_finds_nothing_says_so(strong, drawn):
    found = analysed(strong, drawn, comes_back(strong, drawn, effect_usd=0.0))
    verdict = found["experiment_result"]["verdict"]
    assert verdict["action"] == "mail_none"
    slope = found["experiment_result"]["recalibration"]["slope"]
    assert slope["ci_high"] < 0.3


def test_where_nothing_was_found_the_experiment_is_planned_all_the_same(nothing):
    made = made_of(nothing)
    assert isinstance(made["experiment_assignment"], pd.DataFrame)
    assert made["experiment_plan"]["questions"][0]["households"] > 0


def test_the_pages_example_runs_and_has_the_pipelines_figures(
    strong, drawn, tmp_path, monkeypatch, capsys
):
    page = Path(__file__).resolve().parents[2] / "docs/how-to/run-the-next-experiment.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    result = comes_back(strong, drawn, effect_usd=EFFECT_USD)
    for folder in ("01_raw", "08_reporting"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    result.to_csv(tmp_path / "data/01_raw/experiment_result.csv", index=False)
    reports = tmp_path / "data/08_reporting"
    drawn["experiment_assignment"].to_csv(reports / "experiment_assignment.csv", index=False)
    text = json.dumps(drawn["experiment_plan"])
    (reports / "experiment_plan.json").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(code, {})  # noqa: S102 - the page's own code
    effect = analysed(strong, drawn, result)["experiment_result"]["effect_usd"]
    assert f"estimate={effect['estimate']:.6f}"[:-2] in capsys.readouterr().out
