"""Orthogonal losses by hand, and whether they rank effects rightly without knowing them."""

from __future__ import annotations

import numpy as np
import pytest

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.results import NuisanceValues
from promo_uplift.tuning.losses import LOSSES, dr_loss, named_loss, r_loss

NUISANCES = NuisanceValues(np.array([0.5, 0.25]), np.array([10.0, 4.0]), np.array([12.0, 8.0]))
ROWS = {
    "treatment": np.array([1, 0]),
    "outcome": np.array([13.0, 1.0]),
    "nuisances": NUISANCES,
}


def test_r_loss_by_hand():
    # outcome means 11 and 5: residuals 2 and -4; treatment residuals .5 and -.25
    expected = [(2 - 0.5 * 4) ** 2, (-4 + 0.25 * 8) ** 2]
    np.testing.assert_allclose(r_loss(cate=np.array([4.0, 8.0]), **ROWS), expected, atol=1e-12)


def test_dr_loss_by_hand():
    # scores 2 + 1 / .5 = 4 and 4 + 3 / .75 = 8
    np.testing.assert_allclose(dr_loss(cate=np.array([3.0, 10.0]), **ROWS), [1.0, 4.0], atol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_the_true_effect_has_a_lower_loss_than_others_under_confounding(name):
    rng = np.random.default_rng(0)
    n = 20_000
    x = rng.normal(size=(n, 2))
    propensity = 1 / (1 + np.exp(-x[:, 0]))
    treatment = (rng.random(n) < propensity).astype(np.int64)
    tau = 2.0 + 3.0 * (x[:, 1] > 0)
    outcome = 5 * x[:, 0] + tau * treatment + rng.normal(size=n)
    nuisances = NuisanceValues(propensity, 5 * x[:, 0], 5 * x[:, 0] + tau)

    def loss(cate):
        rows = {"treatment": treatment, "outcome": outcome, "nuisances": nuisances}
        return float(np.mean(LOSSES[name](cate=cate, **rows)))

    assert loss(tau) < loss(np.full(n, tau.mean())) < loss(np.zeros(n)) < loss(-tau)


def test_unknown_losses_are_refused_listing_the_known():
    with pytest.raises(LearnerError, match="`loss` must be one of r_loss, dr_loss; got `mse`"):
        named_loss("mse")
