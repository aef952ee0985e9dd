"""E-values, robustness values and refuters on cases whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from promo_uplift.contracts.errors import MetricError
from promo_uplift.effects.adjusted import (
    RefuterRules,
    adjusted_coefficient,
    doubly_robust_effects,
    e_value,
    e_value_of_risk_ratio,
    refutations_table,
    refute,
    regression_sensitivity,
    robustness_value,
)
from promo_uplift.effects.adjusted.estimators import weighted_effects
from promo_uplift.effects.adjusted.outcome_regression import regression_effects
from promo_uplift.effects.adjusted.refuters import _dummy_outcome
from promo_uplift.effects.estimate import Estimate, Label
from promo_uplift.nuisance.linear import linear_nuisances
from promo_uplift.trials.splits import household_folds
from tests.unit.adjusted_worlds import LEVEL, OVERLAP, RULES, confounded, sample_of

LABEL = Label("cross_section", "aipw", "att", "pooled", "spend_usd")
DRAWS = RefuterRules(n_draws=12, subset_share=0.8, seed=5)


def normal(value, se):
    return Estimate.normal(label=LABEL, value=value, se=se, level=0.95, counts=(9, 4, 9))


def test_the_published_e_values():
    """VanderWeele & Ding (2017): breastfeeding, 3.9 (1.8 to 8.7); a protective one, 0.80."""
    assert e_value_of_risk_ratio(3.9) == pytest.approx(7.26, abs=0.005)
    assert e_value_of_risk_ratio(1.8) == pytest.approx(3.0, abs=0.005)
    assert e_value_of_risk_ratio(0.8) == pytest.approx(1.81, abs=0.005)
    assert e_value_of_risk_ratio(1.0) == 1.0
    with pytest.raises(MetricError, match="`risk_ratio` must be finite and above 0"):
        e_value_of_risk_ratio(0.0)


def test_the_e_value_of_a_standardised_effect():
    found = e_value(estimate=normal(10.0, 2.0), outcome_sd=20.0)
    assert found.standardised == pytest.approx(0.5)
    assert found.risk_ratio == pytest.approx(np.exp(0.455))
    ratio = np.exp(0.91 * (10.0 - 1.959964 * 2.0) / 20.0)
    assert found.limit == pytest.approx(ratio + np.sqrt(ratio * (ratio - 1)))
    assert 1.0 < found.limit < found.point


def test_a_negative_effect_has_the_e_value_of_its_mirror():
    up, down = (e_value(estimate=normal(v, 2.0), outcome_sd=20.0) for v in (10.0, -10.0))
    assert (up.point, up.limit) == pytest.approx((down.point, down.limit))


def test_an_interval_that_holds_nothing_needs_no_confounder():
    assert e_value(estimate=normal(3.0, 2.0), outcome_sd=20.0).limit == 1.0
    none = e_value(estimate=Estimate.none(label=LABEL, reason="why"), outcome_sd=20.0)
    assert none.reason == "why"
    assert np.isnan(none.point)
    with pytest.raises(MetricError, match="`outcome_sd`"):
        e_value(estimate=normal(3.0, 2.0), outcome_sd=0.0)


def test_a_confounder_of_the_robustness_value_explains_it_all():
    rv = robustness_value(t=5.0, dof=500, share=1.0, alpha=None)
    value, _ = adjusted_coefficient(estimate=10.0, se=2.0, dof=500, r2_treatment=rv, r2_outcome=rv)
    assert value == pytest.approx(0.0, abs=1e-9)
    half = robustness_value(t=5.0, dof=500, share=0.5, alpha=None)
    value, _ = adjusted_coefficient(
        estimate=-10.0, se=2.0, dof=500, r2_treatment=half, r2_outcome=half
    )
    assert value == pytest.approx(-5.0)
    assert robustness_value(t=1.0, dof=500, share=1.0, alpha=0.05) == 0.0


@pytest.mark.parametrize(("t", "dof"), [(2.5, 100), (60.0, 100), (9.0, 6)])
def test_the_robustness_value_is_sensemakrs(t, dof):
    theirs = pytest.importorskip("sensemakr", reason="development dependency pysensemakr")
    expected = theirs.robustness_value(t_statistic=t, dof=dof, q=1, alpha=0.05).iloc[0]
    assert robustness_value(t=t, dof=dof, share=1.0, alpha=0.05) == pytest.approx(expected)


def test_regression_sensitivity_is_of_the_regression_that_is_reported():
    data, nuisances, _ = confounded()
    gaps = data.covariates.assign(c=1.0 * (np.arange(len(data.treatment)) % 3), twin=0.0)
    gaps["twin"] = gaps["a"]
    gaps.loc[::5, "c"] = np.nan
    sample = sample_of(replace(data, covariates=gaps), nuisances)
    found = regression_sensitivity(
        sample=sample, covariates=["a", "c", "twin"], multiples=(1.0, 500.0), rules=RULES
    )
    ols = regression_effects(sample=sample, rules=RULES)[0].estimate
    assert found.estimate == pytest.approx(ols.value)
    rows = found.benchmarks.set_index(["covariate", "multiple"])
    assert rows.loc[("a", 1.0), "estimate"] < rows.loc[("c", 1.0), "estimate"] < found.estimate
    assert rows.loc[("twin", 1.0), "reason"] == "the covariate is redundant beside the others"
    assert "that strong" in rows.loc[("a", 500.0), "reason"]
    with pytest.raises(MetricError, match=r"`covariates` must be among .* found \['d'\]"):
        regression_sensitivity(sample=sample, covariates=["d"], multiples=(1.0,), rules=RULES)


def test_no_regression_has_no_sensitivity():
    data, nuisances, _ = confounded()
    leak = replace(data, covariates=data.covariates.assign(leak=1.0 * data.treatment))
    found = regression_sensitivity(
        sample=sample_of(leak, nuisances), covariates=["a"], multiples=(1.0,), rules=RULES
    )
    assert found.reason == "the covariates add up to the treatment"
    assert found.benchmarks.empty


def aipw_att(data, nuisances):
    return doubly_robust_effects(sample=sample_of(data, nuisances), overlap=OVERLAP)[1].estimate


def naive(data, nuisances):
    return weighted_effects(sample=sample_of(data, nuisances))[0].estimate


def cheap_nuisances(data):
    return linear_nuisances(
        data=data,
        fold=household_folds(groups=data.groups, n_folds=2, seed=0),
        clip=0.01,
        logistic_c=1.0,
        ridge_alphas=[1.0, 10.0],
    ).held_out


def refuted(estimate, rules=DRAWS, data=None):
    found = refute(
        data=confounded(n_households=500, seed=3)[0] if data is None else data,
        fit_nuisances=cheap_nuisances,
        estimate=estimate,
        rules=rules,
    )
    return {one.refuter: one for one in found}


@pytest.fixture(scope="module")
def robust():
    return refuted(aipw_att)


def test_an_adjusted_estimate_passes_every_refuter(robust):
    for name in ("placebo_treatment", "dummy_outcome"):
        one = robust[name]
        assert one.expected == 0.0
        assert abs(one.ratio) < 0.25
        assert one.p_value > 0.05
        assert one.rejected_share < 0.3
    for name in ("random_common_cause", "data_subset"):
        one = robust[name]
        assert one.expected == one.original
        assert one.ratio == pytest.approx(1.0, abs=0.1)
        assert one.same_sign_share == 1.0
    assert 0 < robust["random_common_cause"].stability < robust["data_subset"].stability < 0.2
    assert all((one.n_draws, one.n_failed, one.reason) == (12, 0, "") for one in robust.values())


def test_the_naive_difference_fails_the_dummy_outcome():
    """Negative control: it finds the same difference where the mailing changes nothing."""
    one = refuted(naive)["dummy_outcome"]
    assert one.ratio > 0.5
    assert one.p_value < 0.001
    assert one.shift_se > 5
    assert one.rejected_share == 1.0


def test_the_dummy_outcome_is_what_a_household_spends_without_a_mailing():
    data, nuisances, _ = confounded()
    exact = replace(data, outcome=np.where(data.treatment == 1, 1e6, nuisances.mu0))
    changed = _dummy_outcome(exact, nuisances, np.random.default_rng(0))
    np.testing.assert_allclose(changed.outcome, nuisances.mu0)


def test_draws_are_seeded(robust):
    assert refuted(aipw_att) == robust
    other = refuted(aipw_att, rules=replace(DRAWS, seed=6, n_draws=2))
    assert other["data_subset"].mean != robust["data_subset"].mean
    table = refutations_table(list(robust.values()))
    assert table["refuter"].tolist() == list(robust)


def test_an_estimate_without_a_figure_cannot_be_refuted():
    nothing = refuted(lambda data, nuisances: Estimate.none(label=LABEL, reason="too few"))
    assert {one.reason for one in nothing.values()} == {"too few"}
    assert {one.n_draws for one in nothing.values()} == {0}


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (replace(DRAWS, n_draws=1), "`n_draws` must be at least 2"),
        (replace(DRAWS, subset_share=1.0), "`subset_share` must lie between 0 and 1"),
    ],
)
def test_rules_that_draw_nothing_are_refused(rules, message):
    with pytest.raises(MetricError, match=message):
        refuted(aipw_att, rules=rules)


def test_the_level_of_the_sample_reaches_the_estimates():
    data, nuisances, _ = confounded()
    one = aipw_att(data, nuisances)
    assert one.ci_high - one.value == pytest.approx(1.959964 * one.se)
    assert LEVEL == 0.95
