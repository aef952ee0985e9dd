"""What cannot be estimated says why; effective sizes, inputs and labels."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import NuisanceValues
from promo_uplift.effects.adjusted import (
    RegressionRules,
    adjusted_effects,
    adjusted_table,
    campaign_samples,
    dose_effect,
    redeemer_effect,
)
from promo_uplift.effects.adjusted.effect import effective_size
from promo_uplift.effects.adjusted.instrument import _Moments
from promo_uplift.effects.adjusted.regression import independent_columns, least_squares
from promo_uplift.effects.adjusted.weights import balancing_weights
from promo_uplift.effects.estimate import ESTIMATE_COLUMNS, Label
from tests.unit.adjusted_worlds import OVERLAP, RULES, by_name, confounded, sample_of

N_ESTIMATES = 11


def effects_of(data, nuisances, rules=RULES):
    return adjusted_effects(sample=sample_of(data, nuisances), overlap=OVERLAP, rules=rules)


def test_every_campaign_and_the_pooled_sample_have_every_estimate():
    data, nuisances, _ = confounded()
    samples = campaign_samples(pooled=sample_of(data, nuisances))
    assert [one.campaign for one in samples] == ["8", "13", "pooled"]
    table = adjusted_table(
        [
            effect
            for one in samples
            for effect in adjusted_effects(sample=one, overlap=OVERLAP, rules=RULES)
        ]
    )
    assert list(table.columns) == [
        *ESTIMATE_COLUMNS,
        "effective_treated",
        "effective_control",
        "note",
    ]
    assert table.groupby("campaign").size().to_dict() == dict.fromkeys(
        ("8", "13", "pooled"), N_ESTIMATES
    )
    assert (table["reason"] == "").all()
    att = table[(table["campaign"] == "8") & (table["estimator"] == "aipw")].iloc[1]
    rows = data.campaign == 8
    assert (att["n"], att["n_treated"]) == (rows.sum(), data.treatment[rows].sum())
    assert att["effective_treated"] == pytest.approx(att["n_treated"])
    assert att["effective_control"] < (rows.sum() - att["n_treated"])


def test_kish_by_hand():
    assert effective_size(np.array([1.0, 1.0, 1.0])) == pytest.approx(3.0)
    assert effective_size(np.array([3.0, 1.0])) == pytest.approx(1.6)
    assert effective_size(np.array([])) == 0.0


def test_one_arm_has_no_effect_and_a_reason():
    data, nuisances, _ = confounded(n_households=30)
    found = effects_of(replace(data, treatment=np.zeros_like(data.treatment)), nuisances)
    assert len(found) == N_ESTIMATES
    assert {one.estimate.reason for one in found} == {"one arm only: 0 of 60 rows were mailed"}
    assert {one.estimate.n for one in found} == {60}


def test_a_covariate_that_is_the_treatment_leaves_no_regression():
    data, nuisances, _ = confounded()
    leak = replace(data, covariates=data.covariates.assign(leak=2.0 * data.treatment - 7.0))
    found = by_name(effects_of(leak, nuisances))
    assert found["ols", "regression_weighted"].estimate.reason == (
        "the covariates add up to the treatment"
    )
    assert "these columns add nothing: leak" in found["ols_interacted", "att"].estimate.reason
    assert found["aipw", "att"].estimate.is_valid


def test_few_mailed_rows_have_an_effect_on_the_mailed_and_none_on_all():
    data, nuisances, _ = confounded()
    few = (data.treatment == 1) & (data.campaign == 8)
    few[np.flatnonzero(few)[8:]] = False
    one, _, _ = campaign_samples(pooled=sample_of(replace(data, treatment=few * 1), nuisances))
    found = by_name(adjusted_effects(sample=one, overlap=OVERLAP, rules=RULES))
    assert found["ols_interacted", "ate"].estimate.reason == (
        "the mailed arm has 8 rows for 3 columns"
    )
    assert found["ols_interacted", "att"].estimate.is_valid
    loose = RegressionRules(rank_tolerance=1e-7, rows_per_column=1.0)
    found = by_name(adjusted_effects(sample=one, overlap=OVERLAP, rules=loose))
    assert found["ols_interacted", "ate"].estimate.is_valid


def test_an_empty_overlap_is_a_reason():
    data, nuisances, _ = confounded()
    sample = sample_of(data, nuisances, np.full(len(data.treatment), 0.99))
    found = by_name(adjusted_effects(sample=sample, overlap=OVERLAP, rules=RULES))
    assert found["aipw", "ate_overlap"].estimate.reason == (
        "its population holds 0 mailed and 0 other rows"
    )


def test_one_household_has_no_error():
    data, nuisances, _ = confounded(n_households=30)
    alone = replace(data, groups=np.ones_like(data.groups))
    reasons = {one.estimate.reason for one in effects_of(alone, nuisances)}
    assert reasons == {"1 household carries it; an error needs 2"}


def test_more_columns_than_rows_leave_no_regression():
    data, nuisances, _ = confounded(n_households=10)
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(size=(20, 40)), columns=[f"x{j}" for j in range(40)])
    found = by_name(effects_of(replace(data, covariates=wide), nuisances))
    assert "rows for" in found["ols", "regression_weighted"].estimate.reason
    with pytest.raises(MetricError, match="more rows than columns, found 20 and 40"):
        least_squares(values=wide.to_numpy(), target=data.outcome)


def test_independent_columns_are_the_first_that_are_new():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 3))
    zeros = np.zeros(50)
    values = np.column_stack(
        [zeros, x[:, 0], 3 * x[:, 0], x[:, 1], x[:, 0] - x[:, 1], x[:, 2], np.ones(50)]
    )
    keep = independent_columns(values=values, tolerance=1e-7)
    assert keep.tolist() == [False, True, False, True, False, True, True]
    wide = rng.normal(size=(3, 5))
    assert independent_columns(values=wide, tolerance=1e-7).tolist() == [True] * 3 + [False] * 2


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"mu0": np.nan}, r"`mu0` must be finite; 1 of 60"),
        ({"propensity": 1.0}, r"`propensity` must lie strictly between 0 and 1; 1 of 60"),
    ],
)
def test_broken_nuisances_are_refused(broken, message):
    data, nuisances, _ = confounded(n_households=30)
    name, value = next(iter(broken.items()))
    values = getattr(nuisances, name).copy()
    values[3] = value
    with pytest.raises(MetricError, match=message):
        sample_of(data, replace(nuisances, **{name: values}))


def test_nuisances_of_other_rows_are_refused():
    data, nuisances, _ = confounded(n_households=30)
    with pytest.raises(MetricError, match="`propensity` must have one entry per row, 60; found 58"):
        sample_of(data, nuisances.take(np.arange(58)))


def test_an_unknown_scheme_is_refused():
    with pytest.raises(MetricError, match="`scheme` must be one of"):
        balancing_weights(scheme="entropy", treated=np.array([True]), propensity=np.array([0.5]))


def test_who_redeems_without_a_mailing_is_counted_and_ends_the_analysis():
    data, nuisances, _ = confounded(n_households=30)
    redemption = np.full(60, 0.1)
    nobody = redeemer_effect(
        sample=sample_of(data, nuisances), redemption=redemption, population="att"
    )
    assert nobody.effect.estimate.reason == "nobody redeemed"
    stray = replace(data, redeemed=np.ones(60))
    n_control = int((data.treatment == 0).sum())
    found = redeemer_effect(
        sample=sample_of(stray, nuisances), redemption=redemption, population="att"
    )
    assert found.effect.estimate.reason.startswith(f"{n_control} rows redeemed without a mailing")
    assert np.isnan(found.f_statistic)


@pytest.mark.parametrize(
    ("share", "effect", "shape"),
    [(0.5, 1.0, "interval"), (0.05, 1.0, "rays"), (0.05, 0.02, "line")],
)
def test_the_anderson_rubin_set_is_what_the_test_does_not_reject(share, effect, shape):
    one = _Moments(effect, share, 0.04, 0.001, 0.0025)
    low, high, found = one.anderson_rubin(level=0.95)
    assert found == shape
    grid = np.linspace(-200, 200, 4_001)
    variance = 0.04 - 2 * grid * 0.001 + grid**2 * 0.0025
    kept = np.abs(effect - grid * share) <= 1.959964 * np.sqrt(variance)
    inside = (grid >= low) & (grid <= high)
    np.testing.assert_array_equal(kept, ~inside if shape == "rays" else inside)


def dose(**changes):
    n = 40
    x = np.linspace(-1.0, 1.0, n)
    given = {
        "label": Label("cross_section", "plr", "slope", "pooled", "spend_usd"),
        "dose": x + np.tile([0.1, -0.1], n // 2),
        "outcome": 3.0 * np.tile([0.1, -0.1], n // 2) + 10.0 * x,
        "means": (x, 10.0 * x),
        "groups": np.arange(n) // 2,
        "level": 0.95,
        "least_variation": 0.001,
    }
    return dose_effect(**(given | changes))


def test_a_dose_without_noise_is_found_and_its_refusals():
    assert dose().value == pytest.approx(3.0)
    assert (dose().n, dose().n_households) == (40, 20)
    assert "covariates leave" in dose(least_variation=0.5).reason
    assert "covariates leave 0" in dose(dose=np.zeros(40), means=(np.zeros(40),) * 2).reason
    assert "1 household" in dose(groups=np.zeros(40, dtype=int)).reason
    with pytest.raises(MetricError, match="`outcome` must hold one finite value per row, 40"):
        dose(outcome=np.full(40, np.nan))


def test_inputs_are_never_changed():
    data, nuisances, _ = confounded(n_households=50)
    before = [one.copy() for one in (data.outcome, nuisances.propensity, nuisances.mu0)]
    table = data.covariates.copy()
    effects_of(data, nuisances)
    after = (data.outcome, nuisances.propensity, nuisances.mu0)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    pd.testing.assert_frame_equal(table, data.covariates)


def test_nuisances_keep_a_given_mean():
    data, nuisances, _ = confounded()
    given = NuisanceValues(
        nuisances.propensity, nuisances.mu0, nuisances.mu1, nuisances.outcome_mean
    )
    ours = by_name(effects_of(data, given))["plr", "ato"].estimate
    assert ours.value == by_name(effects_of(data, nuisances))["plr", "ato"].estimate.value
