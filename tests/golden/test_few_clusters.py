"""CR2 errors and degrees of freedom: closed forms, and another library's port of clubSandwich."""

from __future__ import annotations

import numpy as np
import pytest
from diff_diff.linalg import compute_robust_vcov
from scipy.stats import f, ttest_1samp

from promo_uplift.effects.panel.few_clusters import cr2_fit, holm, joint_test


def world(seed=3, n=60, clusters=11):
    rng = np.random.default_rng(seed)
    code = np.sort(rng.integers(0, clusters, n))
    design = np.column_stack([np.ones(n), rng.standard_normal(n), (code % 3 == 0).astype(float)])
    outcomes = rng.standard_normal((n, 2)) + rng.standard_normal(clusters)[code][:, None]
    return design, outcomes, code


def test_errors_and_degrees_of_freedom_equal_diff_diffs():
    design, outcomes, code = world()
    fit = cr2_fit(design=design, outcomes=outcomes, clusters=code, contrasts=np.eye(3))
    for k in range(2):
        beta = np.linalg.lstsq(design, outcomes[:, k], rcond=None)[0]
        covariance, freedom = compute_robust_vcov(
            design,
            outcomes[:, k] - design @ beta,
            cluster_ids=code,
            vcov_type="hc2_bm",
            return_dof=True,
        )
        assert fit.value[:, k] == pytest.approx(beta)
        assert fit.se[:, k] == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-10)
        assert fit.df == pytest.approx(freedom, rel=1e-8)


def test_two_groups_have_welchs_error_and_the_known_degrees_of_freedom():
    rng = np.random.default_rng(5)
    sizes = (7, 12)
    arm = np.repeat([0.0, 1.0], sizes)
    values = rng.standard_normal(19)
    fit = cr2_fit(
        design=np.column_stack([np.ones(19), arm]),
        outcomes=values[:, None],
        clusters=np.arange(19),
        contrasts=np.array([[0.0, 1.0]]),
    )
    variances = [values[arm == a].var(ddof=1) / n for a, n in zip((0, 1), sizes, strict=True)]
    assert fit.se[0, 0] == pytest.approx(np.sqrt(sum(variances)))
    known = sum(1 / n for n in sizes) ** 2 / sum(1 / n**2 / (n - 1) for n in sizes)
    assert fit.df[0] == pytest.approx(known)


def test_one_mean_is_the_t_test():
    values = np.random.default_rng(6).standard_normal(9) + 0.5
    fit = cr2_fit(
        design=np.ones((9, 1)),
        outcomes=values[:, None],
        clusters=np.arange(9),
        contrasts=np.ones((1, 1)),
    )
    expected = ttest_1samp(values, 0.0)
    assert fit.p_values()[0, 0] == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval(0.9)
    assert 2.0 * fit.half_width(level=0.9)[0, 0] == pytest.approx(high - low)


def test_the_joint_test_of_means_is_hotellings():
    values = np.random.default_rng(7).standard_normal((20, 3)) + 0.2
    fit = cr2_fit(
        design=np.ones((20, 1)),
        outcomes=values,
        clusters=np.arange(20),
        contrasts=np.ones((1, 1)),
    )
    found = joint_test(value=fit.value[0], parts=fit.parts[:, 0], df=float(fit.df[0]))
    mean, covariance = values.mean(axis=0), np.cov(values.T) / 20
    hotelling = mean @ np.linalg.solve(covariance, mean)
    statistic = (20 - 3) / (19 * 3) * hotelling
    assert found.statistic == pytest.approx(statistic)
    assert found.p_value == pytest.approx(f.sf(statistic, 3, 17))


def test_too_few_degrees_of_freedom_give_a_reason():
    found = joint_test(value=np.zeros(4), parts=np.zeros((9, 4)), df=2.5)
    assert np.isnan(found.p_value)
    assert found.reason == "2.5 degrees of freedom cannot test 4 figures together"


def test_holm_by_hand():
    found = holm(np.array([0.04, np.nan, 0.01, 0.03]))
    assert found == pytest.approx([0.06, np.nan, 0.03, 0.06], nan_ok=True)
    assert len(holm(np.array([]))) == 0
