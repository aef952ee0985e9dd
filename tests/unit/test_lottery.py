"""An experiment's arms against its stated propensity: closed forms, false alarms, detection."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from promo_uplift.effects import lottery_test

N = 400


def covariates_of(rng, n=N):
    """Skewed, heavy-tailed, binary and partly missing, as real tables have them."""
    return pd.DataFrame(
        {
            "spend": rng.gamma(1.0, 50.0, n),
            "visits": rng.poisson(3.0, n).astype(float),
            "member": rng.integers(0, 2, n).astype(float),
            "age": np.where(rng.random(n) < 0.3, np.nan, rng.normal(40.0, 10.0, n)),
        }
    )


def departures(covariates, treatment, *, known=0.5, modelled=None, groups=None, level=0.95):
    n = len(covariates)
    known = np.broadcast_to(np.asarray(known, dtype=float), n)
    return lottery_test(
        covariates=covariates,
        treatment=treatment,
        known=known,
        modelled=known if modelled is None else modelled,
        groups=np.arange(n) if groups is None else groups,
        level=level,
    )


def test_one_covariate_gives_the_closed_form():
    rng = np.random.default_rng(0)
    x, treatment = rng.normal(size=N), rng.integers(0, 2, N)
    found = departures(pd.DataFrame({"x": x}), treatment)
    products = (treatment - 0.5) * (x - x.mean())
    z = products.mean() / (products.std(ddof=1) / np.sqrt(N))
    assert found.largest_z == pytest.approx(abs(z), rel=1e-2)
    assert (found.largest_name, found.n_tests) == ("x", 2)
    # two tests, two-sided: Bonferroni at one fortieth a side, halved
    assert found.threshold_z == pytest.approx(norm.isf(0.05 / 4))


def test_the_covariates_missingness_and_the_model_are_counted():
    rng = np.random.default_rng(1)
    covariates = covariates_of(rng).assign(same=1.0, never=np.nan)
    found = departures(covariates, rng.integers(0, 2, N))
    assert found.n_tests == 4 + 1 + 1
    assert found.passed


def test_clusters_widen_the_errors():
    """Every row four times, in clusters: the same departure as of one copy."""
    rng = np.random.default_rng(2)
    x, treatment = pd.DataFrame({"x": rng.normal(size=N)}), rng.integers(0, 2, N)
    once = departures(x, treatment)
    copied = pd.concat([x] * 4, ignore_index=True)
    groups = np.tile(np.arange(N), 4)
    clustered = departures(copied, np.tile(treatment, 4), groups=groups)
    naive = departures(copied, np.tile(treatment, 4))
    assert clustered.largest_z == pytest.approx(once.largest_z, rel=0.01)
    assert naive.largest_z == pytest.approx(2.0 * once.largest_z, rel=0.01)


@pytest.mark.parametrize("known", [0.5, 0.1, "unequal"])
def test_true_lotteries_rarely_fail(known):
    """At most 5 %, within four Monte-Carlo errors; also with skewed covariates and chances."""
    rng = np.random.default_rng(3)
    draws, failures = 400, 0
    for _ in range(draws):
        covariates = covariates_of(rng)
        chance = rng.uniform(0.2, 0.8, N) if known == "unequal" else np.full(N, known)
        noise = np.clip(chance + rng.normal(0.0, 0.02, N), 0.01, 0.99)
        treatment = rng.binomial(1, chance)
        failures += not departures(covariates, treatment, known=chance, modelled=noise).passed
    assert failures / draws <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / draws)
    # a test that never fails would be no test: with a level of one half it often does
    loose = sum(
        not departures(covariates_of(rng), rng.integers(0, 2, N), level=0.5).passed
        for _ in range(100)
    )
    assert loose > 10


def test_a_biased_log_is_found():
    rng = np.random.default_rng(4)
    covariates = covariates_of(rng, 2_000)
    chance = 1.0 / (1.0 + np.exp(-(covariates["visits"] - 3.0) / 2.0))
    found = departures(covariates, rng.binomial(1, chance))
    assert not found.passed
    assert found.departing[0] == "visits"
    assert found.largest_z > 10.0


def test_a_wrong_share_is_found_by_the_model():
    """Independent of every covariate, but not drawn with the chance that was stated."""
    rng = np.random.default_rng(5)
    treatment = rng.binomial(1, 0.6, 2_000)
    found = departures(covariates_of(rng, 2_000), treatment, modelled=np.full(2_000, 0.6))
    assert found.departing[0] == "propensity model"


def test_an_interaction_that_no_covariate_shows_is_found_by_the_model():
    rng = np.random.default_rng(6)
    x = pd.DataFrame(rng.choice([-1.0, 1.0], (4_000, 2)), columns=["a", "b"])
    chance = 0.5 + 0.2 * x["a"] * x["b"]
    treatment = rng.binomial(1, chance)
    found = departures(x, treatment, modelled=chance.to_numpy())
    assert found.departing == ("propensity model",)


def test_a_covariate_from_after_the_treatment_is_found():
    rng = np.random.default_rng(7)
    treatment = rng.integers(0, 2, 2_000)
    covariates = covariates_of(rng, 2_000)
    covariates["clicks"] = rng.poisson(1.0 + treatment)
    found = departures(covariates, treatment)
    assert found.departing[0] == "clicks"
    assert found.largest_z > 10.0


def test_rows_lost_from_one_arm_are_found_by_what_is_missing():
    rng = np.random.default_rng(8)
    treatment = rng.integers(0, 2, 2_000)
    covariates = covariates_of(rng, 2_000)
    lost = (treatment == 1) & (rng.random(2_000) < 0.3)
    covariates.loc[lost, "age"] = np.nan
    assert "age is missing" in departures(covariates, treatment).departing


def test_what_departs_is_listed_largest_first():
    rng = np.random.default_rng(9)
    treatment = rng.integers(0, 2, 2_000)
    moved = pd.DataFrame(
        {name: rng.normal(size=2_000) + by * treatment for name, by in (("a", 0.3), ("b", 1.0))}
    )
    found = departures(moved, treatment)
    assert found.departing == ("b", "a")
    assert found.largest_name == "b"
