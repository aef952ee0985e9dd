"""Gain curve, AUUC, Qini and AUTOC against closed forms and a naive oracle."""

from itertools import permutations, product

import numpy as np
import pytest
import statsmodels.api as sm
from gain_areas import areas, curve, of_rows

from promo_uplift.metrics import calibration_slope, fold_rows, household_draws
from promo_uplift.metrics.gain import gain_at, gain_at_own, rank_rows

EXACT = 1e-10
#: Rank sums of a line differ from the integral by O(1 / n^2) at n = 20,000.
LINE_TOLERANCE = 1e-6


@pytest.mark.parametrize(("a", "b"), [(3.0, 4.0), (0.0, -2.0), (-1.0, 0.5)])
def test_a_straight_line_of_effects_has_known_areas(a, b):
    """Scores a - b u at rank u: Q = a q - b q^2 / 2."""
    n = 20_000
    u = (np.arange(n) + 0.5) / n
    found = areas(a - b * u, -u)
    assert found["auuc"] == pytest.approx(a / 2 - b / 6, abs=LINE_TOLERANCE)
    assert found["qini"] == pytest.approx(b / 12, abs=LINE_TOLERANCE)
    # the logarithm at the top of the list converges as log(n) / n only
    assert found["autoc"] == pytest.approx(b / 4, abs=abs(b) * np.log(n) / n)
    ranked = rank_rows(ranking=-u, weights=of_rows(np.ones((n, 1))))
    for k in (0.1, 0.2, 0.3):
        top = gain_at(ranked=ranked, scores=a - b * u, share=k)[0] / k
        assert top == pytest.approx(a - b * k / 2, abs=LINE_TOLERANCE)


def naive_auuc(scores, order):
    """O(n^2): Q(k / n) summed anew for each k, trapezoid over the shares."""
    n = len(scores)
    points = [sum(scores[i] for i in order[:k]) / n for k in range(n + 1)]
    return sum((points[k] + points[k + 1]) / 2 / n for k in range(n))


def orders_of(ranking):
    """Every order that sorts ``ranking`` downwards."""
    levels = sorted(set(ranking), reverse=True)
    blocks = [[i for i, r in enumerate(ranking) if r == level] for level in levels]
    for parts in product(*[list(permutations(block)) for block in blocks]):
        yield [i for part in parts for i in part]


@pytest.mark.parametrize(
    "ranking", [[4, 2, 2, 1, 2, 0], [1, 1, 1, 1, 1], [5, 4, 3, 2, 1], [2, 2, 1, 1]]
)
def test_auuc_is_the_mean_of_a_naive_oracle_over_all_orders_of_the_ties(ranking):
    scores = np.random.default_rng(len(ranking)).normal(size=len(ranking))
    oracle = np.mean([naive_auuc(scores, order) for order in orders_of(ranking)])
    assert areas(scores, np.array(ranking, dtype=float))["auuc"] == pytest.approx(oracle, abs=EXACT)


def test_autoc_is_the_integral_of_the_piecewise_linear_curve():
    rng = np.random.default_rng(3)
    scores, ranking = rng.normal(size=40), np.round(rng.normal(size=40), 1)
    shares = np.linspace(0.0, 1.0, 400_001)
    gain = curve(scores, ranking, shares)
    middle = (shares[1:] + shares[:-1]) / 2
    oracle = np.mean((gain[1:] + gain[:-1]) / 2 / middle) - scores.mean()
    assert areas(scores, ranking)["autoc"] == pytest.approx(oracle, abs=1e-5)


def test_weights_count_like_copies_of_a_row():
    rng = np.random.default_rng(4)
    scores, ranking = rng.normal(size=60), np.round(rng.normal(size=60), 1)
    weights = rng.integers(0, 4, 60)
    copied = areas(np.repeat(scores, weights), np.repeat(ranking, weights))
    weighted = areas(scores, ranking, weights.astype(float))
    assert weighted == pytest.approx(copied, abs=EXACT)


def test_each_replicate_may_have_its_own_share():
    rng = np.random.default_rng(5)
    scores, weights = rng.normal(size=30), rng.integers(0, 3, (30, 4)).astype(float)
    ranked = rank_rows(ranking=rng.normal(size=30), weights=of_rows(weights))
    share = np.array([0.0, 0.25, 0.5, 1.0])
    own = gain_at_own(ranked=ranked, scores=scores, share=share)
    for replicate, q in enumerate(share):
        at = gain_at(ranked=ranked, scores=scores, share=q)[replicate]
        assert own[replicate] == pytest.approx(at, abs=EXACT)


def test_the_calibration_slope_is_least_squares_with_fold_effects():
    """Frisch-Waugh: centring within folds equals a dummy per fold; weights as in WLS."""
    rng = np.random.default_rng(31)
    n = 300
    fold = np.repeat(np.arange(3), 100)
    cate = rng.normal(size=n) + 5 * fold
    scores = 0.7 * cate + rng.normal(size=n) - 9 * fold
    draws = household_draws(groups=np.arange(n), replicates=4, rng=rng)
    ours = calibration_slope(scores=scores, cate=cate, folds=fold_rows(fold=fold, draws=draws))
    design = np.column_stack([cate, fold == 0, fold == 1, fold == 2]).astype(float)
    weights = draws.weights(np.arange(n))
    oracle = [sm.WLS(scores, design, weights=weights[:, r]).fit().params[0] for r in range(5)]
    np.testing.assert_allclose(ours, oracle, rtol=1e-9)
