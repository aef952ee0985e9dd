"""Intervals of held-out effects: shape, centre, width, and whether they hold their level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_world import randomised_world

from promo_uplift.contracts.parameters import LearnerParameters, TuningParameters
from promo_uplift.tuning import cross_fit_learner, cross_fitted_errors, held_out_interval

EFFECT_USD = 2.0
#: Few trees of large leaves: in a world with one effect for all, little bias and little to refit.
TREES = LearnerParameters(
    defaults={
        "n_estimators": 6,
        "learning_rate": 0.3,
        "num_leaves": 2,
        "min_child_samples": 30,
        "reg_lambda": 1.0,
        "colsample_bytree": 1.0,
    }
)
UNTUNED = TuningParameters(
    loss="r_loss", n_trials=0, timeout_seconds=60.0, n_startup_trials=1, pruner_warmup_folds=0
)


def interval_of(data, nuisances, *, replicates=12, n_workers=1, level=0.95, seed=3):
    fitted = cross_fit_learner(
        name="dr_learner",
        data=data,
        nuisances=nuisances,
        parameters=TREES,
        tuning=UNTUNED,
        seed=seed,
        n_workers=1,
    )
    bounds = held_out_interval(
        fitted=fitted,
        data=data,
        nuisances=nuisances,
        level=level,
        n_replicates=replicates,
        seed=seed,
        n_workers=n_workers,
    )
    return fitted.held_out(), bounds


def widths(n_households, **options):
    world = randomised_world(n_households=n_households, seed=1, effect_usd=EFFECT_USD)
    _, bounds = interval_of(*world, **options)
    return bounds[:, 1] - bounds[:, 0]


def test_one_interval_per_row_around_the_held_out_effect():
    world = randomised_world(n_households=100, seed=1, effect_usd=EFFECT_USD)
    cate, bounds = interval_of(*world)
    assert bounds.shape == (200, 2)
    np.testing.assert_allclose(bounds.mean(axis=1), cate, rtol=0, atol=1e-12)
    assert (bounds[:, 1] > bounds[:, 0]).all()


def test_the_width_shrinks_as_one_over_the_root_of_the_households():
    """Sixteen times the households: a quarter of the width, two-sided."""
    ratio = widths(1600).mean() / widths(100).mean()
    assert 0.15 < ratio < 0.40


def test_the_width_follows_the_level():
    np.testing.assert_allclose(
        widths(60, level=0.95), widths(60, level=0.6827) * 1.959964, rtol=1e-3
    )


def test_the_number_of_workers_changes_nothing():
    np.testing.assert_array_equal(widths(60, n_workers=1), widths(60, n_workers=2))


@pytest.fixture(scope="module")
def hits():
    """Share of rows whose 95 % interval holds the effect, in each of 60 worlds."""
    shares = []
    for seed in range(60):
        world = randomised_world(n_households=150, seed=seed, effect_usd=EFFECT_USD)
        _, bounds = interval_of(*world, seed=seed)
        shares.append(np.mean((bounds[:, 0] <= EFFECT_USD) & (bounds[:, 1] >= EFFECT_USD)))
    return np.array(shares)


def test_a_constant_effect_is_held_about_as_often_as_promised(hits):
    """A spread of 12 refits behind a normal quantile: t with 11 degrees, so .924 at level .95.

    Rows of a world share their fits; the shares' standard error over 60 worlds is .01.
    """
    assert 0.885 <= hits.mean() <= 0.965


def test_no_replicate_offers_no_interval():
    world = randomised_world(n_households=100, seed=1, effect_usd=EFFECT_USD)
    cate, bounds = interval_of(*world, replicates=0)
    assert bounds.shape == (200, 2)
    assert np.isnan(bounds).all()
    assert np.isfinite(cate).all()


def errors_of(data, nuisances, *, replicates=4):
    fitted = cross_fit_learner(
        name="dr_learner",
        data=data,
        nuisances=nuisances,
        parameters=TREES,
        tuning=UNTUNED,
        seed=3,
        n_workers=1,
    )
    options = {"fitted": fitted, "data": data, "nuisances": nuisances, "n_replicates": replicates}
    errors = cross_fitted_errors(**options, seed=3, n_workers=1)
    return errors, held_out_interval(**options, level=0.95, seed=3, n_workers=1)


def test_the_errors_of_the_diagonal_are_those_of_the_interval():
    world = randomised_world(n_households=120, seed=1, effect_usd=EFFECT_USD)
    errors, bounds = errors_of(*world)
    fold = world[1].fold
    widths = (bounds[:, 1] - bounds[:, 0]) / 2.0
    assert errors[np.arange(len(fold)), fold] * 1.959964 == pytest.approx(widths, rel=1e-6)
    assert np.all(errors > 0.0)


def test_the_errors_of_a_column_know_nothing_of_its_fold():
    data, nuisances = randomised_world(n_households=120, seed=1, effect_usd=EFFECT_USD, n_folds=4)
    before, _ = errors_of(data, nuisances)
    moved = replace(data, outcome=data.outcome + 50.0 * (nuisances.fold == 2))
    after, _ = errors_of(moved, nuisances)
    assert np.array_equal(after[:, 2], before[:, 2])
    assert not np.array_equal(after[:, 1], before[:, 1])


def test_without_refits_there_are_no_errors():
    world = randomised_world(n_households=60, seed=1, effect_usd=EFFECT_USD)
    assert np.isnan(errors_of(*world, replicates=0)[0]).all()
