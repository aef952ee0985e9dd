"""Which column of the nuisances a term of a loss rests on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_world import randomised_world

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.tuning import loss_terms
from promo_uplift.tuning.losses import LOSSES


@pytest.fixture
def world():
    data, nuisances = randomised_world(n_households=12, seed=0, effect_usd=3.0)
    column = np.arange(nuisances.n_folds)
    nuisances = replace(nuisances, mu0=nuisances.mu0 + column, mu1=nuisances.mu1 + 2 * column)
    cate = np.random.default_rng(1).normal(size=nuisances.mu0.shape)
    return data, nuisances, cate


@pytest.mark.parametrize("loss", LOSSES)
def test_column_k_is_the_loss_of_column_k(world, loss):
    data, nuisances, cate = world
    terms = loss_terms(loss=loss, cate=cate, data=data, nuisances=nuisances)
    assert terms.shape == cate.shape
    for k in range(nuisances.n_folds):
        expected = LOSSES[loss](
            cate=cate[:, k],
            treatment=data.treatment,
            outcome=data.outcome,
            nuisances=nuisances.excluding(k),
        )
        np.testing.assert_array_equal(terms[:, k], expected)
    assert not np.allclose(terms[:, 0], terms[:, 1])


def test_column_k_does_not_look_at_other_columns(world):
    data, nuisances, cate = world
    before = loss_terms(loss="dr_loss", cate=cate, data=data, nuisances=nuisances)
    elsewhere = cate.copy()
    elsewhere[:, 1:] += 100.0
    after = loss_terms(loss="dr_loss", cate=elsewhere, data=data, nuisances=nuisances)
    np.testing.assert_array_equal(before[:, 0], after[:, 0])
    assert (before[:, 1:] != after[:, 1:]).all()


def test_an_unknown_loss_is_refused(world):
    data, nuisances, cate = world
    with pytest.raises(LearnerError, match="`loss` must be one of r_loss, dr_loss; got `mse`"):
        loss_terms(loss="mse", cate=cate, data=data, nuisances=nuisances)
