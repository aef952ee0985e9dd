"""What must hold for any ranking, whatever the data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promo_uplift.contracts.parameters import MetricParameters
from promo_uplift.metrics import fold_rows, household_draws, ranking_metrics
from promo_uplift.metrics.ranking import ranking_replicates

EXACT = 1e-9
PARAMETERS = MetricParameters(uplift_shares=[0.1, 0.3], level=0.9, bootstrap_replicates=50)
FEW = settings(max_examples=60, deadline=None)


@st.composite
def worlds(draw):
    """Scores, rankings with many ties, folds by household."""
    n = draw(st.integers(6, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    groups = np.sort(rng.integers(0, max(4, n // 2), n))
    fold = groups % draw(st.integers(1, 3))
    levels = draw(st.integers(1, 8))
    return rng.normal(0, 10, n), rng.integers(0, levels, n).astype(float), fold, groups


def figures(scores, ranking, fold, groups):
    draws = household_draws(groups=groups, replicates=3, rng=np.random.default_rng(0))
    folds = fold_rows(fold=fold, draws=draws)
    return ranking_replicates(
        scores=scores, ranking=ranking, folds=folds, uplift_shares=PARAMETERS.uplift_shares
    )


def same(one, other):
    for name in one:
        np.testing.assert_allclose(one[name], other[name], atol=EXACT)


@FEW
@given(worlds())
def test_a_monotone_transform_of_the_ranking_changes_nothing(world):
    scores, ranking, fold, groups = world
    same(
        figures(scores, ranking, fold, groups),
        figures(scores, np.exp(ranking / 3) - 100, fold, groups),
    )


@FEW
@given(worlds(), st.integers(0, 2**32 - 1))
def test_the_order_of_rows_and_of_tied_rows_changes_nothing(world, seed):
    scores, ranking, fold, groups = world
    order = np.random.default_rng(seed).permutation(len(scores))
    same(
        figures(scores, ranking, fold, groups),
        figures(scores[order], ranking[order], fold[order], groups[order]),
    )


@FEW
@given(worlds())
def test_shifting_one_folds_predictions_changes_nothing(world):
    """Folds have models of their own: their levels must not be compared."""
    scores, ranking, fold, groups = world
    same(figures(scores, ranking, fold, groups), figures(scores, ranking + 50 * fold, fold, groups))


@FEW
@given(worlds())
def test_a_constant_ranking_has_no_qini_and_half_of_everything(world):
    scores, ranking, fold, groups = world
    found = figures(scores, np.zeros_like(ranking), fold, groups)
    np.testing.assert_allclose(found["qini"], 0.0, atol=EXACT)
    np.testing.assert_allclose(found["autoc"], 0.0, atol=EXACT)
    assert found["auuc"][0] == pytest.approx(scores.mean() / 2, abs=EXACT)
    assert found["uplift_at_10"][0] == pytest.approx(scores.mean(), abs=EXACT)


@FEW
@given(worlds())
def test_turning_the_ranking_around_flips_qini(world):
    scores, ranking, fold, groups = world
    up, down = (figures(scores, sign * ranking, fold, groups) for sign in (1, -1))
    np.testing.assert_allclose(up["qini"], -down["qini"], atol=EXACT)


@FEW
@given(worlds(), st.floats(-5, 5))
def test_the_same_dollar_for_everybody_moves_auuc_by_half_and_no_other(world, dollars):
    scores, ranking, fold, groups = world
    before = figures(scores, ranking, fold, groups)
    after = figures(scores + dollars, ranking, fold, groups)
    np.testing.assert_allclose(after["auuc"], before["auuc"] + dollars / 2, atol=EXACT)
    for name in ("qini", "autoc"):
        np.testing.assert_allclose(after[name], before[name], atol=EXACT)


@FEW
@given(worlds())
def test_no_ranking_beats_the_scores_themselves(world):
    scores, ranking, fold, groups = world
    best = figures(scores, scores, fold, groups)
    for name, value in figures(scores, ranking, fold, groups).items():
        assert value[0] <= best[name][0] + EXACT


@settings(max_examples=10, deadline=None)
@given(worlds())
def test_arguments_are_left_as_they_were(world):
    scores, ranking, fold, groups = world
    if len(np.unique(groups)) < 2:
        return
    rankings = {
        "random": ranking,
        "response": -ranking,
        "model": ranking + 1,
        "constant": fold * 1.0,
    }
    before = [values.copy() for values in (scores, ranking, fold, groups)]
    ranking_metrics(
        scores=scores,
        rankings=rankings,
        fold=fold,
        groups=groups,
        parameters=PARAMETERS,
        rng=np.random.default_rng(0),
    )
    for old, new in zip(before, (scores, ranking, fold, groups), strict=True):
        np.testing.assert_array_equal(old, new)
