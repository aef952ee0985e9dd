"""Folds that learn from each other: the closed-form widening against what simulations show."""

import numpy as np
import pytest

from promo_uplift.contracts.parameters import MetricParameters
from promo_uplift.metrics import group_effects, ranking_metrics
from promo_uplift.metrics.fold_dependence import (
    AUUC_FACTOR,
    QINI_FACTOR,
    SLOPE_FACTOR,
    autoc_factor,
    contrast_factor,
    dependence_factor,
    group_factor,
    top_minus_all_factor,
    widened,
)

FOLDS, ROWS, COVARIATES, SIMULATIONS = 5, 200, 20, 300
METRICS = MetricParameters(uplift_shares=[0.2], level=0.95, bootstrap_replicates=100)
#: Standard deviation over simulations is off by 1 / sqrt(2 * 300) = 4 %.
CLOSE = 0.13


@pytest.mark.parametrize(
    ("factor", "weight"),
    [
        (QINI_FACTOR, lambda rank: rank - 0.5),
        (AUUC_FACTOR, lambda rank: rank),
        (group_factor(low=0.8, high=1.0), lambda rank: float(rank > 0.8)),
        (group_factor(low=0.4, high=0.6), lambda rank: float(0.4 < rank <= 0.6)),
        (contrast_factor(share=0.2), lambda rank: float(rank > 0.8) - float(rank < 0.2)),
        (top_minus_all_factor(share=0.3), lambda rank: float(rank > 0.7) / 0.3 - 1.0),
    ],
)
def test_closed_forms_are_the_integral(factor, weight):
    assert dependence_factor(weight) == pytest.approx(factor, rel=2e-3)


def test_no_weight_is_more_dependent_than_the_prediction_itself():
    assert 1.0 < autoc_factor() < QINI_FACTOR < SLOPE_FACTOR == pytest.approx(np.sqrt(2.0))
    assert group_factor(low=0.0, high=0.5) == group_factor(low=0.5, high=1.0)


def test_widening_moves_replicates_from_the_figure_and_keeps_the_figure():
    found = widened(values=np.array([1.0, 0.0, 3.0]), factor=2.0)
    assert found.tolist() == [1.0, -1.0, 5.0]


def held_out_predictions(x, scores, fold):
    """Ridge regression of the scores, fitted outside each fold: nothing but noise to learn."""
    cate = np.empty(len(scores))
    for number in range(FOLDS):
        train = fold != number
        gram = x[train].T @ x[train] + np.eye(COVARIATES)
        cate[~train] = x[~train] @ np.linalg.solve(gram, x[train].T @ scores[train])
    return cate


def simulate(seed, signal):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, COVARIATES))
    effect = signal * x[:, 0]
    scores = effect + rng.normal(0.0, 5.0, ROWS)
    fold = rng.permutation(np.arange(ROWS) % FOLDS)
    cate = held_out_predictions(x, scores, fold)
    arguments = {"fold": fold, "groups": np.arange(ROWS)}
    found = ranking_metrics(
        scores=scores,
        rankings={"ridge": cate, "random": cate, "response": cate, "constant": cate},
        parameters=METRICS,
        rng=rng,
        **arguments,
    ).figures["ridge"]
    groups = [
        group_effects(
            scores=values,
            cate=cate,
            n_groups=5,
            level=0.95,
            draws=1_000,
            rng=rng,
            **arguments,
        ).table
        for values in (scores, effect)
    ]
    return found, groups


@pytest.fixture(scope="module")
def nothing_to_rank():
    return [simulate(seed, 0.0) for seed in range(SIMULATIONS)]


@pytest.fixture(scope="module")
def something_to_rank():
    return [simulate(seed, 3.0) for seed in range(100)]


def ratio(intervals):
    """Spread of the estimates over what the intervals say that it is."""
    estimates = np.array([one.estimate for one in intervals])
    said = np.array([one.ci_high - one.ci_low for one in intervals]) / (2.0 * 1.96)
    return estimates.std() / np.sqrt(np.mean(said**2))


@pytest.mark.parametrize("figure", ["qini", "calibration_slope", "autoc", "auuc"])
def test_without_a_signal_intervals_are_as_wide_as_the_estimates_spread(nothing_to_rank, figure):
    found = ratio([figures[figure] for figures, _ in nothing_to_rank])
    assert found == pytest.approx(1.0, abs=CLOSE)


def test_without_widening_they_would_be_too_narrow(nothing_to_rank):
    found = ratio([figures["qini"] for figures, _ in nothing_to_rank]) * QINI_FACTOR
    assert found > 1.25


def covers(found, groups):
    true = groups[1]["effect_usd"]
    return groups[0]["ci_low"].le(true) & groups[0]["ci_high"].ge(true)


def test_without_a_signal_claims_are_false_as_often_as_they_may_be(nothing_to_rank):
    claims = np.mean([figures["calibration_slope"].ci_low > 0 for figures, _ in nothing_to_rank])
    assert claims <= 0.05


@pytest.mark.parametrize("group", range(5))
def test_groups_cover_their_true_effect(nothing_to_rank, something_to_rank, group):
    # Binomial(300, .95) lies in [.91, .98] with probability .99; a signal may only widen
    without = np.mean([covers(*one).iloc[group] for one in nothing_to_rank])
    assert 0.91 <= without <= 0.985
    with_signal = np.mean([covers(*one).iloc[group] for one in something_to_rank])
    assert with_signal >= 0.90
