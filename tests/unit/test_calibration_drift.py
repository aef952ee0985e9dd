"""Calibration over campaigns: against statsmodels, and its errors against many drawn worlds."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import binom

from promo_uplift.contracts.errors import MetricError
from promo_uplift.metrics.drift import Predictions, calibration_drift

LEVEL = 0.95


def drawn(seed, *, n=300):
    rng = np.random.default_rng(seed)
    groups = rng.permutation(400)[:n]
    predicted = rng.normal(5.0, 3.0, n)
    scores = 2.0 + 0.7 * predicted + rng.normal(scale=20.0, size=n) + 0.02 * groups
    return Predictions(scores, predicted, groups)


@pytest.fixture(scope="module")
def three():
    campaigns = {8: drawn(1), 13: drawn(2), 18: drawn(3, n=200)}
    past = {name: drawn(10 + name) for name in campaigns}
    return campaigns, past, calibration_drift(campaigns=campaigns, past=past, level=LEVEL)


def clustered(y, x, groups):
    """Least squares with errors summed by cluster, H / (H - 1) as here."""
    fit = sm.OLS(y, x).fit()
    found = fit.get_robustcov_results(
        "cluster", groups=groups, use_correction=False, df_correction=False
    )
    size = len(np.unique(groups))
    return found.params, found.bse * np.sqrt(size / (size - 1))


def close(interval, value, error):
    half = 1.959963984540054 * error
    assert interval.estimate == pytest.approx(value, rel=1e-10)
    assert interval.ci_high - interval.ci_low == pytest.approx(2.0 * half, rel=1e-9)


def test_each_campaigns_line_is_that_of_statsmodels(three):
    campaigns, _, found = three
    for one, rows in zip(found.each, campaigns.values(), strict=True):
        params, bse = clustered(rows.scores, sm.add_constant(rows.predicted), rows.groups)
        close(one.intercept, params[0], bse[0])
        close(one.slope, params[1], bse[1])
        gap, se = clustered(rows.scores - rows.predicted, np.ones(len(rows.scores)), rows.groups)
        close(one.gap, gap[0], se[0])
        assert one.gap.estimate == pytest.approx(one.found.estimate - one.predicted)


def test_the_pooled_slope_is_that_of_statsmodels_with_an_intercept_for_each_campaign(three):
    campaigns, _, found = three
    scores, predicted, groups = (
        np.concatenate([getattr(one, name) for one in campaigns.values()])
        for name in ("scores", "predicted", "groups")
    )
    which = np.repeat(np.eye(3), [len(one.scores) for one in campaigns.values()], axis=0)
    params, bse = clustered(scores, np.column_stack([which, predicted]), groups)
    close(found.pooled.slope, params[-1], bse[-1])
    assert found.pooled.n == len(scores)
    assert found.pooled.n_households == len(np.unique(groups)) < len(scores)


def test_a_change_is_the_difference_of_two_lines_whose_households_are_shared(three):
    campaigns, past, found = three
    for one, name in zip(found.changes, campaigns, strict=True):
        now, was = campaigns[name], past[name]
        both = [np.r_[now.scores - now.predicted, was.scores - was.predicted]]
        is_now = np.r_[np.ones(len(now.scores)), np.zeros(len(was.scores))]
        params, _ = clustered(
            both[0], np.column_stack([is_now, 1.0 - is_now]), np.r_[now.groups, was.groups]
        )
        assert one.gap.estimate == pytest.approx(params[0] - params[1])
        joint = sm.OLS(both[0], sm.add_constant(is_now)).fit()
        robust = joint.get_robustcov_results(
            "cluster",
            groups=np.r_[now.groups, was.groups],
            use_correction=False,
            df_correction=False,
        )
        width = (one.gap.ci_high - one.gap.ci_low) / 2.0 / 1.959963984540054
        assert width == pytest.approx(robust.bse[1], rel=0.01)


def test_a_change_within_the_folds_models_is_that_of_statsmodels(three):
    """One intercept for each model and side, one slope for each side, errors by household."""
    campaigns, past, _ = three
    now, was = campaigns[8], past[8]
    folds = {"now": now.groups % 3, "was": was.groups % 3}
    found = calibration_drift(
        campaigns={8: now},
        past={8: Predictions(was.scores, was.predicted, was.groups, folds["was"])},
        held_out={8: Predictions(now.scores, now.predicted, now.groups, folds["now"])},
        level=LEVEL,
    )
    scores, predicted, groups = (
        np.r_[getattr(now, name), getattr(was, name)] for name in ("scores", "predicted", "groups")
    )
    is_now = np.r_[np.ones(len(now.scores)), np.zeros(len(was.scores))]
    model = np.r_[folds["now"], 3 + folds["was"]]
    # the error of the past counts for more, since its folds learn from each other
    design = np.column_stack([model[:, None] == np.arange(6), predicted, is_now * predicted])
    params, _ = clustered(scores, design.astype(float), groups)
    assert found.change.slope.estimate == pytest.approx(params[-1])
    assert found.each[0].slope.estimate != pytest.approx(params[-1] + params[-2])


def test_two_campaigns_trend_is_their_difference():
    campaigns = {1: drawn(1), 2: drawn(2)}
    past = {1: drawn(4), 2: drawn(5)}
    found = calibration_drift(campaigns=campaigns, past=past, level=LEVEL)
    first, second = found.changes
    assert found.trend.gap.estimate == pytest.approx(second.gap.estimate - first.gap.estimate)
    assert found.trend.slope.estimate == pytest.approx(second.slope.estimate - first.slope.estimate)


def test_one_effect_for_all_has_a_level_and_no_slope():
    flat = Predictions(drawn(1).scores, np.full(300, 0.1), drawn(1).groups)
    found = calibration_drift(campaigns={1: flat}, past={1: flat}, level=LEVEL)
    assert np.isnan(found.pooled.slope.estimate)
    assert np.isnan(found.pooled.intercept.ci_low)
    assert set(found.p_values) == set()  # the same rows: no change and no error
    assert np.isnan(found.trend.gap.estimate)


@pytest.mark.parametrize(
    ("campaigns", "past", "message"),
    [
        ({}, {}, "at least one campaign"),
        ({1: drawn(1)}, {}, r"`past` and `held_out`.*\[1\] have none"),
        ({1: Predictions(np.array([np.nan]), np.ones(1), np.ones(1, int))}, None, "1 values"),
        ({1: Predictions(np.ones(2), np.ones(1), np.ones(2, int))}, None, r"lengths \[1, 2\]"),
    ],
)
def test_broken_input_is_refused_by_name(campaigns, past, message):
    with pytest.raises(MetricError, match=message):
        calibration_drift(
            campaigns=campaigns, past=dict.fromkeys(campaigns, drawn(1)) if past is None else past,
            level=LEVEL,
        )  # fmt: skip


# ------------------------------------------------------- a stationary world raises no false alarms


def least_squares(x, y):
    return np.linalg.lstsq(np.column_stack([np.ones(len(x)), x]), y, rcond=None)[0]


def predict(coefficients, x):
    return coefficients[0] + x @ coefficients[1:]


def campaigns_of(rng, *, strengths, n=500, k=5, p=3):
    """Scores of campaigns on the same households, and linear learners of what came before each."""
    lasting, level = rng.normal(size=(n, p)), rng.normal(scale=15.0, size=n)
    groups, fold = np.arange(n), np.arange(n) % k
    x = [lasting + 0.3 * rng.normal(size=(n, p)) for _ in strengths]
    sign = [rng.choice([-1.0, 1.0], n) for _ in strengths]  # of the weight: a lottery
    effect = [s * (8.0 + 8.0 * one[:, 0]) for s, one in zip(strengths, x, strict=True)]
    scores = [
        e + 2.0 * t * (level + rng.normal(scale=20.0, size=n))
        for e, t in zip(effect, sign, strict=True)
    ]
    frozen, held_out, past = {}, {}, {}
    for j in range(1, len(strengths)):
        xs, ys, folds = np.concatenate(x[:j]), np.concatenate(scores[:j]), np.tile(fold, j)
        then, now = np.empty(len(ys)), np.empty(n)
        for part in range(k):
            out = folds == part
            fitted = least_squares(xs[~out], ys[~out])
            then[out] = predict(fitted, xs[out])
            now[fold == part] = predict(fitted, x[j][fold == part])
        frozen[j] = Predictions(scores[j], predict(least_squares(xs, ys), x[j]), groups)
        held_out[j] = Predictions(scores[j], now, groups, fold)
        past[j] = Predictions(ys, then, np.tile(groups, j), folds)
    return frozen, held_out, past, effect


def repeated(strengths, *, times, **changed):
    for seed in range(times):
        rng = np.random.default_rng(seed)
        frozen, held_out, past, effect = campaigns_of(rng, strengths=strengths, **changed)
        found = calibration_drift(campaigns=frozen, past=past, held_out=held_out, level=LEVEL)
        yield found, frozen, effect


TIMES = 200


def claims_drift(found):
    return min(found.p_values.values()) * len(found.p_values) < 0.05


def test_where_nothing_changes_intervals_hold_and_drift_is_rarely_claimed():
    alarms, held, any_alarm, careless = {}, 0, 0, 0
    for found, campaigns, effect in repeated((1.0, 1.0, 1.0, 1.0), times=TIMES):
        centred = np.concatenate(
            [one.predicted - one.predicted.mean() for one in campaigns.values()]
        )
        true = centred @ np.concatenate([effect[j] for j in campaigns]) / (centred @ centred)
        held += found.pooled.slope.ci_low <= true <= found.pooled.slope.ci_high
        for name, p in found.p_values.items():
            alarms[name] = alarms.get(name, 0) + (p < 0.05)
        any_alarm += claims_drift(found)
        careless += not found.pooled.gap.ci_low <= 0.0 <= found.pooled.gap.ci_high
    assert binom.ppf(0.001, TIMES, 0.95) <= held
    assert max(alarms.values()) <= binom.ppf(0.999, TIMES, 0.05)
    assert any_alarm <= binom.ppf(0.999, TIMES, 0.05)
    # predictions miss by the error of their past, which an interval given them does not know
    assert careless > binom.ppf(0.999, TIMES, 0.05)


@pytest.mark.parametrize("p", [1, 8])
def test_few_households_and_few_folds_claim_no_drift_too_often(p):
    """Where models of a fold less are clearly worse: the frozen model on the campaign is not."""
    alarms = frozen_alarms = 0
    for seed in range(2 * TIMES):
        frozen, held_out, past, _ = campaigns_of(
            np.random.default_rng(seed), strengths=(1.0, 1.0), n=150, k=3, p=p
        )
        alarms += claims_drift(
            calibration_drift(campaigns=frozen, past=past, held_out=held_out, level=LEVEL)
        )
        one_model = {
            j: Predictions(then.scores, then.predicted, then.groups) for j, then in past.items()
        }
        frozen_alarms += claims_drift(
            calibration_drift(campaigns=frozen, past=one_model, level=LEVEL)
        )
    assert alarms <= binom.ppf(0.99, 2 * TIMES, 0.05) < frozen_alarms


@pytest.mark.parametrize("strengths", [(1.0, 1.0, -1.0, -1.0), (1.0, 1.0, 0.0, 0.0)])
def test_an_effect_that_vanishes_or_turns_is_seen(strengths):
    seen = sum(claims_drift(found) for found, _, _ in repeated(strengths, times=30, n=1_000))
    assert seen >= 27
