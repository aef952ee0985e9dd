"""The record of a run: names, champion's figures, one part per learner."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.results import CrossFittedCate, Interval
from promo_uplift.reporting.run_record import figures_of, money_tag, run_record, with_interval


def interval(value):
    return Interval(value, value - 1.0, value + 1.0)


def evaluation(champion, value):
    return SimpleNamespace(
        champion=champion,
        roi_optimal_share=interval(value),
        chosen=SimpleNamespace(profit_usd=interval(value + 10), outcome_usd=interval(value + 20)),
        winners_curse_usd=interval(value + 30),
    )


def fitted(name, trials):
    return CrossFittedCate(
        learner=name,
        cate=np.zeros((4, 2)),
        fold=np.array([0, 1, 0, 1]),
        tuning=pd.DataFrame(trials),
        parameters=({"num_leaves": 2}, {"num_leaves": 3}),
        seconds=1.5,
    )


RANKING = SimpleNamespace(
    figures={
        "dr_learner": {"auuc": interval(5.0), "calibration_slope": interval(1.0)},
        "selected": {
            "auuc": interval(4.5),
            "calibration_slope": interval(0.9),
            "auuc_minus_response": interval(1.5),
            "auuc_minus_constant": interval(0.5),
        },
        "zero": {"auuc": interval(4.0), "calibration_slope": interval(float("nan"))},
    },
    ate=interval(8.0),
    simultaneous={"selected": {"auuc_minus_random": interval(2.0)}},
)
TRIAL = {"fold": 0, "number": 0, "state": "COMPLETE", "loss": 1.0, "seconds": 0.1}


def record(stopped_by="trials", *, is_money_stated=True):
    return run_record(
        data=SimpleNamespace(treatment=np.array([0, 1, 0, 1]), groups=np.array([7, 7, 8, 9])),
        nuisances=SimpleNamespace(is_reused=True),
        cross_fitted={
            "dr_learner": fitted("dr_learner", [{**TRIAL, "stopped_by": stopped_by}]),
            "zero": fitted("zero", []),
        },
        ranking=RANKING,
        losses=pd.DataFrame(
            {"learner": ["zero", "dr_learner"], "dr_loss": [9, 8], "r_loss": [7.0, 6.0]}
        ),
        evaluation=evaluation("dr_learner", 0.5),
        by_learner={name: evaluation(name, v) for name, v in (("dr_learner", 0.6), ("zero", 0.0))},
        decider=SimpleNamespace(
            name="budget", learner="dr_learner", share=interval(0.2), profit_usd=interval(3.0)
        ),
        overlap=SimpleNamespace(propensity_auc=0.7, overlap_share=0.9, clipped_share=0.01),
        is_money_stated=is_money_stated,
        tags={"verdict": "publish"},
        inputs={"trials": pd.DataFrame({"a": [1]})},
    )


def test_a_figure_with_its_interval():
    assert with_interval("auuc", Interval(1.0, 0.5, 1.5)) == {
        "auuc": 1.0,
        "auuc_ci_low": 0.5,
        "auuc_ci_high": 1.5,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("auuc", 4.5),
        ("ate", 8.0),
        ("roi_optimal_share", 0.5),
        ("expected_profit_per_household", 10.5),
        ("policy_value", 20.5),
        ("winners_curse_usd", 30.5),
        ("list_share", 0.2),
        ("list_profit_per_household", 3.0),
    ],
)
def test_the_run_carries_the_champions_figures_with_intervals(name, value):
    metrics = record().metrics
    found = [metrics[f"{name}{suffix}"] for suffix in ("", "_ci_low", "_ci_high")]
    assert found == [value, value - 1, value + 1]


def test_the_run_carries_the_intervals_that_hold_for_all_learners_at_once():
    metrics = record().metrics
    assert metrics["auuc_minus_random_sim_low"] == 1.0
    assert metrics["auuc_minus_random_sim_high"] == 3.0


def test_the_run_carries_sizes_and_overlap():
    metrics = record().metrics
    assert metrics["n_trials_rows"] == 4.0
    assert metrics["n_households"] == 3.0
    assert (metrics["propensity_auc"], metrics["overlap_share"], metrics["clipped_share"]) == (
        0.7,
        0.9,
        0.01,
    )


def test_each_learner_has_the_same_names_for_its_own_policy():
    learners = {one.learner: one for one in record().learners}
    assert list(learners) == ["dr_learner", "zero"]
    champion = learners["dr_learner"]
    ranking_and_policy = figures_of(
        learner="dr_learner",
        ranking=RANKING,
        evaluation=evaluation("dr_learner", 0.6),
        is_money_stated=True,
    )
    assert champion.metrics == {
        **ranking_and_policy,
        "dr_loss": 8.0,
        "r_loss": 6.0,
        "seconds": 1.5,
        "seconds_tuning": 0.0,
        "seconds_fitting": 0.0,
    }
    assert champion.metrics["roi_optimal_share"] == 0.6
    assert champion.parameters == {"fold_0.num_leaves": 2, "fold_1.num_leaves": 3}
    assert len(champion.trials) == 1
    assert learners["zero"].metrics["dr_loss"] == 9.0


@pytest.mark.parametrize(("stopped_by", "studies"), [("trials", 0.0), ("seconds", 1.0)])
def test_learners_whose_search_ran_out_of_time_are_counted(stopped_by, studies):
    assert record(stopped_by).metrics["studies_stopped_by_seconds"] == studies


def test_tags_and_inputs_are_kept():
    found = record()
    assert found.tags == {
        "verdict": "publish",
        "decides": "budget",
        "deployed_learner": "dr_learner",
    }
    assert list(found.inputs) == ["trials"]


def test_without_a_stated_cost_no_figure_speaks_of_money():
    found = record(is_money_stated=False)
    names = set(found.metrics).union(*(one.metrics for one in found.learners))
    assert not {name for name in names if any(word in name for word in ("profit", "usd", "roi"))}
    assert names == {
        name
        for name in set(record().metrics).union(*(one.metrics for one in record().learners))
        if not any(word in name for word in ("profit", "usd", "roi"))
    }


@pytest.mark.parametrize(
    ("are_stated", "are_assumptions", "tag"),
    [(True, True, "assumed"), (True, False, "given"), (False, False, "not stated")],
)
def test_the_tag_says_where_money_comes_from(are_stated, are_assumptions, tag):
    money = SimpleNamespace(are_stated=are_stated, values_are_assumptions=are_assumptions)
    assert money_tag(money) == tag
