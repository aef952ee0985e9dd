"""Tuned against defaults, champion against simple rankings: paired, and right by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest
from test_tuning_crossfit import TREES, TUNED, K, run, tuning, world  # noqa: F401 - a fixture

from promo_uplift.analysis.value import (
    tuning_sentence,
    tuning_table,
    value_figures,
)
from promo_uplift.contracts.parameters import LearnerParameters, MetricParameters, WordingParameters
from promo_uplift.contracts.results import Interval
from promo_uplift.metrics import RankingMetrics, ranking_metrics
from promo_uplift.metrics.differences import auuc_differences
from promo_uplift.tuning.losses import dr_loss
from promo_uplift.tuning.search import Split, fit_on_split

METRICS = MetricParameters(uplift_shares=[0.2], level=0.9, bootstrap_replicates=200)
WORDING = WordingParameters(
    unit="USD",
    decimals=2,
    treatment="mailing",
    treated="mailed",
    subject="household",
    subjects="households",
    horizon="in 28 days",
)


def ranked(n=600, seed=0):
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=n)
    return {
        "scores": signal + rng.normal(size=n),
        "fold": np.arange(n) % 3,
        "groups": np.arange(n),
    }, {
        "good": signal,
        "bad": rng.normal(size=n),
        "constant": np.zeros(n),
        "response": rng.normal(size=n),
        "random": rng.normal(size=n),
    }


def test_differences_are_those_of_the_ranking_table():
    rows, rankings = ranked()
    found = auuc_differences(
        rankings=rankings,
        pairs={"a": ("good", "response"), "b": ("bad", "response")},
        parameters=METRICS,
        rng=np.random.default_rng(3),
        **rows,
    )
    table = ranking_metrics(
        rankings=rankings, parameters=METRICS, rng=np.random.default_rng(3), **rows
    )
    for name, learner in (("a", "good"), ("b", "bad")):
        expected = table.figures[learner]["auuc_minus_response"]
        assert found[name].estimate == pytest.approx(expected.estimate, abs=1e-12)
        assert found[name].ci_low == pytest.approx(expected.ci_low, abs=1e-12)
        assert found[name].ci_high == pytest.approx(expected.ci_high, abs=1e-12)


def test_a_difference_by_hand():
    scores = np.array([4.0, 0.0, 2.0, 6.0])
    rankings = {"up": np.array([4.0, 3.0, 2.0, 1.0]), "down": np.array([1.0, 2.0, 3.0, 4.0])}
    found = auuc_differences(
        scores=scores,
        rankings=rankings,
        pairs={"gain": ("up", "down"), "none": ("up", "up")},
        fold=np.zeros(4, dtype=np.int64),
        groups=np.arange(4),
        parameters=METRICS,
        rng=np.random.default_rng(1),
    )
    # trapezoids through 0, 1, 1, 1.5, 3 and through 0, 1.5, 2, 2, 3 at every quarter
    assert found["gain"].estimate == pytest.approx(
        (1 + 1 + 1.5 + 1.5) / 4 - (1.5 + 2 + 2 + 1.5) / 4
    )
    assert found["none"] == Interval(0.0, 0.0, 0.0)


def test_default_effects_are_those_of_a_fit_with_the_defaults(world):  # noqa: F811
    data, nuisances = world
    result = run(world, "t_learner", TUNED)
    assert any(choice != TREES for choice in result.parameters)
    for fold in range(K):
        mine = nuisances.fold == fold
        split = Split.of(nuisances=nuisances, fold=fold, held_out=fold)
        learner = fit_on_split(name="t_learner", data=data, split=split, choice=TREES, seed=1)
        np.testing.assert_array_equal(
            learner.predict_cate(covariates=data.covariates.loc[mine]), result.default_cate[mine]
        )
    parts = result.seconds_tuning, result.seconds_fitting
    assert result.seconds == pytest.approx(sum(parts), abs=0.05)
    assert min(parts) > 0.0


def cross_fitted(world, **changes):  # noqa: F811
    return {
        "t_learner": run(world, "t_learner", TUNED, **changes),
        **{name: run(world, name, LearnerParameters()) for name in ("constant", "random")},
        "response": run(world, "response", LearnerParameters(defaults=TREES)),
    }


def test_the_figures_of_a_tuned_learner(world):  # noqa: F811
    data, nuisances = world
    fitted = cross_fitted(world, tuning=tuning(loss="dr_loss"))
    values = value_figures(
        data=data, nuisances=nuisances, cross_fitted=fitted, metrics=METRICS, seed=2
    )
    one = fitted["t_learner"]
    losses = [
        dr_loss(
            cate=cate,
            treatment=data.treatment,
            outcome=data.outcome,
            nuisances=nuisances.held_out(),
        ).mean()
        for cate in (one.default_cate, one.held_out())
    ]
    found = values["t_learner"]
    assert found["tuning_loss_gain"].estimate == pytest.approx(losses[0] - losses[1])
    assert found["value_of_tuning"].ci_low <= found["value_of_tuning"].estimate
    assert found["value_of_tuning"].ci_low < found["value_of_tuning"].ci_high
    assert np.isnan(values["response"]["value_of_tuning"].estimate)


def test_a_gain_that_is_not_proven_is_worth_nothing_and_says_so(world):  # noqa: F811
    data, nuisances = world
    fitted = cross_fitted(world, tuning=tuning(check_after_trials=2, gain_level=0.9999))
    one = fitted["t_learner"]
    assert set(one.studies["stopped_by"]) == {"no_gain"}
    assert set(one.studies["used"]) == {"defaults"}
    assert one.parameters == (TREES,) * K
    np.testing.assert_array_equal(one.default_cate, one.held_out())
    values = value_figures(
        data=data, nuisances=nuisances, cross_fitted=fitted, metrics=METRICS, seed=2
    )
    assert values["t_learner"]["value_of_tuning"] == Interval(0.0, 0.0, 0.0)
    table = tuning_table(fitted)
    assert list(table["learner"]) == ["t_learner"] * K
    assert list(table["trials"]) == [2] * K
    assert ((table["gain_ci_low"] <= 0.0) & (table["gain"] >= -1e-9)).all()


def test_the_interval_of_a_studys_gain_is_clustered_and_paired(world):  # noqa: F811
    """By hand from fits of the default and the best on the inner held-out rows."""
    data, nuisances = world
    result = run(world, "t_learner", TUNED, tuning=tuning(check_after_trials=4, gain_level=0.2))
    trials = result.tuning[result.tuning["state"] == "COMPLETE"]
    best = trials.loc[trials.groupby("fold")["loss"].idxmin()].set_index("fold")["num_leaves"]
    fold = int(best.index[best != TREES["num_leaves"]][0])
    tuned = {**TREES, "num_leaves": int(best[fold])}
    sums = {}
    n = 0
    for other in range(K):
        if other == fold:
            continue
        test = nuisances.fold == other
        split = Split.of(nuisances=nuisances, fold=other, held_out=fold)
        residual = data.outcome[test] - split.evaluation.outcome_mean
        weight = data.treatment[test] - split.evaluation.propensity
        terms = [
            (
                residual
                - weight
                * fit_on_split(
                    name="t_learner", data=data, split=split, choice=choice, seed=1
                ).predict_cate(covariates=data.covariates.loc[test])
            )
            ** 2
            for choice in (TREES, tuned)
        ]
        for household, gain in zip(data.groups[test], terms[0] - terms[1], strict=True):
            sums.setdefault(household, []).append(gain)
            n += 1
    mean = sum(map(sum, sums.values())) / n
    deviations = [sum(gains) - mean * len(gains) for gains in sums.values()]
    h = len(sums)
    se = np.sqrt(h / (h - 1) * np.sum(np.square(deviations))) / n
    found = result.studies.loc[fold]
    assert found["gain"] == pytest.approx(mean)
    assert found["gain_ci_low"] == pytest.approx(mean - 0.2533471 * se)  # z of 0.6


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            Interval(0.1, -0.4, 0.6),
            r"gained \+0.10 USD \(-0.40 to \+0.60\).*nothing that this",
        ),
        (Interval(0.5, 0.4, 0.6), r"gained \+0.50 USD \(\+0.40 to \+0.60\) .* curve\.$"),
        (Interval(0.0, 0.0, 0.0), "no proven gain: its defaults are used"),
    ],
)
def test_the_sentence_says_what_tuning_was_worth(value, words):
    ranking = RankingMetrics({"x": {"value_of_tuning": value}}, value, 1, 1, 1, 0.95)
    (sentence,) = tuning_sentence(ranking=ranking, learner="x", wording=WORDING)
    assert re.search(words, sentence)
    untuned = RankingMetrics({"x": {}}, value, 1, 1, 1, 0.95)
    assert tuning_sentence(ranking=untuned, learner="x", wording=WORDING) == ()
