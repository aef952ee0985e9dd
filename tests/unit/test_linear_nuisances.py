"""Penalised linear nuisances: what they leave out, what they find, what they refuse."""

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.results import TrialData
from promo_uplift.nuisance.linear import linear_features, linear_nuisances
from promo_uplift.nuisance.scores import dr_scores
from promo_uplift.trials import household_folds

ALPHAS = [1.0, 10.0, 100.0, 1000.0]


def trials(*, n=3000, seed=0, effect=5.0, n_campaigns=2):
    rng = np.random.default_rng(seed)
    household = np.repeat(np.arange(1, n // n_campaigns + 1), n_campaigns)
    campaign = np.tile(np.arange(8, 8 + n_campaigns), n // n_campaigns)
    x = rng.normal(size=(len(household), 4))
    treatment = rng.binomial(1, 1 / (1 + np.exp(-x[:, 0] - 0.3)))
    outcome = 20.0 + 8.0 * x[:, 0] + 3.0 * x[:, 1] + effect * treatment + rng.normal(0, 4, len(x))
    return TrialData(
        covariates=pd.DataFrame(x, columns=list("abcd")),
        treatment=treatment,
        outcome=outcome,
        redeemed=np.zeros(len(x)),
        groups=household,
        campaign=campaign,
    )


def fit(data, **other):
    fold = household_folds(groups=data.groups, n_folds=5, seed=3)
    given = {"clip": 0.02, "logistic_c": 1.0, "ridge_alphas": ALPHAS} | other
    return linear_nuisances(data=data, fold=fold, **given)


def test_the_doubly_robust_mean_finds_a_known_effect_that_the_difference_misses():
    found = []
    for seed in range(20):
        data = trials(seed=seed)
        scores = dr_scores(
            treatment=data.treatment, outcome=data.outcome, nuisances=fit(data).held_out
        )
        found.append(scores.mean())
    naive = data.outcome[data.treatment == 1].mean() - data.outcome[data.treatment == 0].mean()
    assert np.mean(found) == pytest.approx(5.0, abs=0.1)
    assert naive > 9.0


def test_no_row_informs_its_own_nuisances():
    data = trials()
    before = fit(data)
    held_out = before.fold == 2
    changed = TrialData(
        covariates=data.covariates,
        treatment=np.where(held_out, 1 - data.treatment, data.treatment),
        outcome=np.where(held_out, data.outcome * 7.0, data.outcome),
        redeemed=data.redeemed,
        groups=data.groups,
        campaign=data.campaign,
    )
    after = fit(changed)
    for name in ("propensity", "mu0", "mu1"):
        old, new = getattr(before.held_out, name), getattr(after.held_out, name)
        np.testing.assert_array_equal(old[held_out], new[held_out])
        assert not np.array_equal(old[~held_out], new[~held_out])


def test_a_campaign_is_fitted_by_itself():
    data = trials()
    alone = data.campaign == 8
    one = TrialData(
        covariates=data.covariates[alone].reset_index(drop=True),
        treatment=data.treatment[alone],
        outcome=data.outcome[alone],
        redeemed=data.redeemed[alone],
        groups=data.groups[alone],
        campaign=data.campaign[alone],
    )
    np.testing.assert_allclose(fit(one).held_out.mu0, fit(data).held_out.mu0[alone], rtol=1e-10)


def test_missing_covariates_get_a_flag_and_never_negative_ones_a_logarithm():
    data = trials(n=10)
    data.covariates["a"] = [np.nan, *range(9)]
    features = linear_features(data=data)
    assert features.shape == (10, 4 + 1 + 1)
    np.testing.assert_array_equal(features[:, 4], np.log1p([0.0, *range(9)]))
    np.testing.assert_array_equal(features[:, 5], [1.0, *[0.0] * 9])


def test_clipped_rows_are_counted_and_a_known_propensity_is_kept():
    data = trials()
    found = fit(data, clip=0.3)
    outside = (found.raw_propensity < 0.3) | (found.raw_propensity > 0.7)
    assert found.n_clipped == outside.sum() > 100
    assert found.held_out.propensity.min() == 0.3


def test_a_training_set_without_an_arm_is_refused_by_campaign_and_fold():
    data = trials(n=60)
    lonely = np.zeros(len(data.treatment), dtype=np.int64)
    lonely[0] = lonely[1] = 1
    data = TrialData(
        data.covariates, lonely, data.outcome, data.redeemed, data.groups, data.campaign
    )
    with pytest.raises(LearnerError, match=r"campaign 8; without fold . 0 of 24 rows"):
        fit(data)
