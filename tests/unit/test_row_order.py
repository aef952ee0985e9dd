"""The order of rows by ranking: any values, ties as they came, the last bits as well."""

import numpy as np
import pytest

from promo_uplift.metrics.order import best_first, tie_starts

RNG = np.random.default_rng(0)
SHARED = RNG.normal(size=5_000)
RANKINGS = {
    "normal": SHARED,
    "single precision": SHARED.astype(np.float32).astype(np.float64),
    "many ties": np.round(SHARED, 1),
    "all tied": np.full(300, -2.5),
    "one row": np.array([3.0]),
    "no rows": np.empty(0),
    "last bits only": 1e6 * (1.0 + 2.0**-50 * RNG.integers(0, 100, 3_000)),
    "all sizes": np.sign(SHARED) * 10.0 ** (70.0 * SHARED),
    "extremes": np.array([0.0, np.inf, -1e-308, 5e-324, -np.inf, -0.0, 1.0, -5e-324]),
    "every second row": np.repeat(SHARED, 2)[::2],
    "whole numbers": RNG.integers(-3, 4, 1_000),
}


@pytest.mark.parametrize("name", sorted(RANKINGS))
def test_rows_stand_from_the_highest_down_and_ties_as_they_came(name):
    ranking = RANKINGS[name]
    before = ranking.copy()
    order, ordered = best_first(ranking)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(order, np.argsort(-ranking, kind="stable"))
    np.testing.assert_array_equal(ordered, ranking[order])
    np.testing.assert_array_equal(ranking, before)


def test_last_bits_are_more_than_the_row_number_leaves():
    """Negative control: without its second look the sort would not tell these apart."""
    ranking = RANKINGS["last bits only"]
    assert len(np.unique(ranking.view(np.int64) >> len(ranking).bit_length())) < 10
    assert len(np.unique(ranking)) > 50


def test_blocks_of_equal_rankings():
    assert tie_starts(np.array([3.0, 3.0, 1.0, 0.0, -0.0])).tolist() == [0, 2, 3, 5]
    assert tie_starts(np.array([3.0, 2.0])).tolist() == [0, 1, 2]
