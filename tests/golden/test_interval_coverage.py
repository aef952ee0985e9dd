"""Do 95 % intervals hold the truth 95 % of the time? Two-sided: too often is a defect too."""

import numpy as np
import pytest

from promo_uplift.effects import clustered_mean
from promo_uplift.metrics import fold_rows, household_draws, percentile_interval
from promo_uplift.metrics.ranking import ranking_replicates

SIMULATIONS = 200
HOUSEHOLDS = 250
INTERCEPT, SLOPE = 1.0, 3.0
#: Scores a + b x with x uniform, ranked by x: Q(q) = a q + b (q - q^2 / 2).
TRUTH = {
    "auuc": INTERCEPT / 2 + SLOPE / 3,
    "qini": SLOPE / 12,
    "autoc": SLOPE / 4,
}
#: Binomial(200, .95) lies in [.90, .99] with probability .996.
NOMINAL = (0.90, 0.99)


def simulate(rng):
    """Three campaigns per household that share a large household effect and the ranking."""
    x = np.repeat(rng.uniform(size=HOUSEHOLDS), 3)
    shared = np.repeat(rng.normal(0, 4, HOUSEHOLDS), 3)
    groups = np.repeat(np.arange(HOUSEHOLDS), 3)
    scores = INTERCEPT + SLOPE * x + shared + rng.normal(0, 1, len(x))
    return scores, x, groups


def coverage(clusters):
    hits = dict.fromkeys(TRUTH, 0)
    for seed in range(SIMULATIONS):
        rng = np.random.default_rng(seed)
        scores, ranking, groups = simulate(rng)
        draws = household_draws(groups=clusters(groups), replicates=200, rng=rng)
        folds = fold_rows(fold=groups % 2, draws=draws)
        found = ranking_replicates(scores=scores, ranking=ranking, folds=folds, uplift_shares=[])
        for name, truth in TRUTH.items():
            interval = percentile_interval(values=found[name], level=0.95)
            hits[name] += interval.ci_low <= truth <= interval.ci_high
    return {name: count / SIMULATIONS for name, count in hits.items()}


@pytest.fixture(scope="module")
def clustered():
    return coverage(lambda groups: groups)


@pytest.mark.parametrize("figure", sorted(TRUTH))
def test_the_household_bootstrap_holds_its_level(clustered, figure):
    assert NOMINAL[0] <= clustered[figure] <= NOMINAL[1]


def test_a_bootstrap_of_rows_would_not():
    """Negative control: treating three rows of one household as three households under-covers."""
    by_row = coverage(lambda groups: np.arange(len(groups)))
    assert max(by_row.values()) < NOMINAL[0]


def test_the_sandwich_mean_holds_its_level():
    hits = 0
    for seed in range(SIMULATIONS):
        scores, _, groups = simulate(np.random.default_rng(seed))
        interval = clustered_mean(values=scores, groups=groups).interval(level=0.95)
        hits += interval.ci_low <= INTERCEPT + SLOPE / 2 <= interval.ci_high
    assert NOMINAL[0] <= hits / SIMULATIONS <= NOMINAL[1]
