"""Money that is not known in the intervals of every decision, against the variance of a sum."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import norm

from promo_uplift.analysis import policies_to_bound
from promo_uplift.analysis.prospective.evaluate import POLICIES, Outcomes, policy_values
from promo_uplift.contracts.parameters import (
    MetricParameters,
    PolicyParameters,
    SensitivityParameters,
)
from promo_uplift.contracts.results import CrossFittedNuisances, TrialData
from promo_uplift.metrics.bootstrap import household_draws
from promo_uplift.policy import (
    Contacts,
    PolicyRows,
    bound_policy,
    policy_scores,
    profit_outcomes,
    targeting_bound,
    value_suite,
)
from promo_uplift.policy.extremes import Bounds, Moving, Unseen
from promo_uplift.policy.rows import money_error
from tests.unit.policy_worlds import MONEY, policies, world

LEVEL = 0.9
Z = norm.ppf(0.95)


def money(base, **changed):
    return PolicyParameters.model_validate(base.model_dump() | changed)


def normal(mean, sd):
    return {"normal": {"mean": mean, "sd": sd}}


def width(interval):
    return interval.ci_high - interval.ci_low


@pytest.fixture(scope="module")
def suites():
    inputs, scores, observed, _ = world(n_households=400)
    metrics = MetricParameters(uplift_shares=[0.1], level=LEVEL, bootstrap_replicates=4_000)

    def valued(parameters):
        return value_suite(
            policies=policies(top_share={"shares": [0.4]}),
            inputs=inputs,
            scores=scores,
            observed=observed,
            parameters=parameters,
            intervals=metrics,
            seed=1,
            n_workers=1,
        ).valued

    sd = 0.55
    return sd, valued(MONEY), valued(money(MONEY, contact_cost_usd=normal(2.0, sd)))


def test_a_learned_policys_interval_is_widened_for_its_folds_and_not_for_its_money(suites):
    sd, known, unknown = suites
    name = next(one for one in known if one.startswith("top_share"))
    share = known[name].share.estimate
    assert share == pytest.approx(0.4, abs=0.02)
    added = 2 * Z * sd * share
    # where the money were stretched too, the width would be 1.2 times its part more
    assert added > 0.8 * width(known[name].profit_usd)
    expected = np.hypot(width(known[name].profit_usd), added)
    assert width(unknown[name].profit_usd) == pytest.approx(expected, rel=0.04)
    assert width(unknown[name].ipw_profit_usd) == pytest.approx(
        np.hypot(width(known[name].ipw_profit_usd), added), rel=0.04
    )
    # of the difference to everybody, only the contacts that differ
    paired, same = (one[name].minus["all"].pointwise for one in (known, unknown))
    assert width(same) == pytest.approx(
        np.hypot(width(paired), 2 * Z * sd * (1.0 - share)), rel=0.04
    )


def trials(rng, n):
    """A list by ``x`` with a redemption of a third and residuals of spend that redeemers share."""
    x = rng.normal(size=n)
    e = expit(0.5 * x)
    treatment = (rng.uniform(size=n) < e).astype(np.int64)
    redeemed = treatment * (rng.uniform(size=n) < 1 / 3).astype(float)
    outcome = 10.0 + x + 6.0 * treatment + rng.normal(size=n) + 3.0 * redeemed - treatment

    def wide(values):
        return np.repeat(values[:, np.newaxis], 2, axis=1)

    data = TrialData(
        covariates=pd.DataFrame({"x": x}),
        treatment=treatment,
        outcome=outcome,
        redeemed=redeemed,
        groups=np.arange(n),
        campaign=np.ones(n, dtype=np.int64),
    )
    nuisances = CrossFittedNuisances(
        fold=np.arange(n) % 2,
        propensity=wide(e),
        mu0=wide(10.0 + x),
        mu1=wide(16.0 + x),
        redemption=wide(np.full(n, 1 / 3)),
        raw_propensity_held_out=e,
        n_clipped=0,
        clip=0.01,
        tuned=pd.DataFrame(),
    )
    return data, nuisances


SENSITIVITY = SensitivityParameters(
    strengths=[1.0, 1.2, 2.0],
    max_strength=10.0,
    tolerance=0.005,
    replicates=2_000,
    strata=1,
    min_stratum_rows=20,
    yardsticks=[],
    yardstick_quantile=0.95,
    yardstick_c=0.1,
    yardstick_max_rows=1_000,
)


def bounds(parameters, contacts=None, n=600, sensitivity=SENSITIVITY):
    data, nuisances = trials(np.random.default_rng(0), n)
    outcomes = profit_outcomes(data=data, nuisances=nuisances, parameters=parameters)
    return bound_policy(
        policy="chosen",
        against="none",
        contacts=Contacts.of_rule(np.ones(n)) if contacts is None else contacts,
        outcomes=outcomes,
        parameters=sensitivity,
        level=LEVEL,
        factor=1.0,
        rng=np.random.default_rng(1),
    )


@pytest.mark.parametrize(
    ("field", "sd", "times"),
    [("contact_cost_usd", 0.3, 1.0), ("redemption_cost_usd", 0.6, 1 / 3)],
)
def test_a_cost_that_is_not_known_is_in_the_interval_of_the_bounds(field, sd, times):
    unknown = money(MONEY, **{field: normal(2.0, sd)})
    # the law is cut at 0
    before = bounds(money(MONEY, **{field: getattr(unknown, field).mean}))
    after = bounds(unknown)
    assert after.estimate == pytest.approx(before.estimate, abs=1e-6)
    for end in ("low", "high"):
        assert after.table[end].to_numpy() == pytest.approx(before.table[end].to_numpy(), abs=1e-6)
    # without a hidden trait both bounds are the estimate: variances add
    first, second = (one.table.iloc[0] for one in (before, after))
    half_widths = [(one["ci_high"] - one["ci_low"]) / 2 for one in (first, second)]
    assert Z * sd * times > 0.8 * half_widths[0]
    assert half_widths[1] == pytest.approx(np.hypot(half_widths[0], Z * sd * times), rel=0.06)
    # with one a contact's cost, which all pay alike, reaches as much further on either side
    for end, outer in (("low", "ci_low"), ("high", "ci_high")) if times == 1.0 else ():
        reach = [(one.table[end] - one.table[outer]).abs().iloc[-1] for one in (before, after)]
        assert reach[1] == pytest.approx(np.hypot(reach[0], Z * sd * times), rel=0.15)
    assert after.critical_strength == pytest.approx(before.critical_strength, abs=0.01)
    assert after.critical_strength_ci < before.critical_strength_ci


def test_without_costs_the_bounds_are_proportional_to_the_margin():
    free = {"contact_cost_usd": 0.0, "redemption_cost_usd": 0.0}
    after = bounds(
        money(MONEY, **free, margin_rate=normal(0.5, 0.1)),
        n=20_000,
        sensitivity=SENSITIVITY.model_copy(update={"replicates": 600}),
    )
    last = after.table.iloc[-1]
    # so many households that nearly all of the spread is the margin's
    for end, sign in (("low", -1.0), ("high", 1.0)):
        factor = 1.0 + sign * np.sign(last[end]) * Z * 0.1 / 0.5
        assert last[f"ci_{end}"] == pytest.approx(last[end] * factor, rel=0.06)


def test_each_replicate_has_the_bounds_of_its_own_money():
    """Residuals cross when money moves: by hand, one money after another, each sorted anew."""
    rng = np.random.default_rng(3)
    n, replicates = 60, 5
    draws = household_draws(groups=np.arange(n), replicates=replicates, rng=rng)
    base, slope = rng.normal(size=n), rng.normal(size=n)
    deviations = np.r_[0.0, rng.normal(size=replicates)][np.newaxis]
    donors, targets = np.arange(40), np.arange(40, n)
    ones = np.ones(n)

    def at(values, slopes, deviation, block):
        ascending = donors[np.argsort(values[donors], kind="stable")]
        residual = Moving(values, slopes, deviation)
        part = Unseen(((ascending, targets),), residual, odds=ones, weight=ones, sign=1.0)
        return Bounds.of(residual, [part], draws, block).at(np.full(block.stop - block.start, 1.7))

    found = at(base, slope[np.newaxis], deviations, slice(0, 1 + replicates))
    for one in range(1 + replicates):
        own = base + deviations[0, one] * slope
        low, high = at(own, np.zeros((0, n)), np.zeros((0, 1 + replicates)), slice(one, one + 1))
        assert (found[0][one], found[1][one]) == pytest.approx((low[0], high[0]), rel=1e-12)


def test_every_policy_of_the_suite_is_bounded_once():
    n = 12
    fitted = SimpleNamespace(cate=np.arange(2.0 * n).reshape(n, 2), fold=np.arange(n) % 2)
    rule = SimpleNamespace(learner_by_fold=("a", "a"), share_by_fold=(0.5, 0.5))
    suite = SimpleNamespace(
        contacts={
            "none": np.zeros(n),
            "all": np.ones(n),
            "current": np.ones(n),
            "response": np.ones(n),
            "random": np.full(n, 0.3),
            "best_of_all": np.ones(n),
        }
    )
    found = policies_to_bound(
        cross_fitted={"a": fitted}, evaluation=rule, response=rule, suite=suite
    )
    assert list(found) == ["chosen", "response", "all", "current", "random", "best_of_all"]
    assert found["response"].if_treated.mean() == 0.5
    np.testing.assert_array_equal(found["random"].if_control, np.full(n, 0.3))
    # the mailing as it was contacts whom it mailed
    assert (found["current"].if_treated == 1).all()
    assert (found["current"].if_control == 0).all()


def test_the_next_campaigns_values_hold_the_money_of_what_is_contacted():
    rng = np.random.default_rng(2)
    n = 3_000
    unknown = money(MONEY, margin_rate=normal(0.5, 0.04), contact_cost_usd=normal(2.0, 0.2))
    everyone = PolicyRows.everyone(
        outcome=rng.normal(8.0, 20.0, n), redemption=np.full(n, 0.25), parameters=MONEY
    )
    half = everyone.times(np.repeat([1.0, 0.0], n // 2))
    rows = dict.fromkeys(POLICIES, everyone) | {"none": everyone.times(0.0), "chosen": half}
    outcomes = [Outcomes(everyone.outcome, rows, np.arange(n), overlap=None)]
    known, found = (
        policy_values(outcomes=outcomes, policy=one, level=LEVEL) for one in (MONEY, unknown)
    )
    for name, one in (("all", everyone), ("chosen", half)):
        outcome, share = one.outcome.mean(), one.contact.mean()
        profit = np.hypot(
            width(known[name].profit_usd), 2 * Z * np.hypot(0.04 * outcome, 0.2 * share)
        )
        assert width(found[name].profit_usd) == pytest.approx(profit, rel=1e-4)
        cost = np.hypot(width(known[name].cost_usd), 2 * Z * 0.2 * share)
        assert width(found[name].cost_usd) == pytest.approx(cost, rel=1e-4)
        # ROI: by 100,000 draws of the two amounts
        margin, contact = rng.normal(0.5, 0.04, 100_000), rng.normal(2.0, 0.2, 100_000)
        spent = contact * share + MONEY.redemption_cost_usd * one.redemption.mean()
        sd = ((margin * outcome - spent) / spent).std()
        roi = np.hypot(width(known[name].roi), 2 * Z * sd)
        assert width(found[name].roi) == pytest.approx(roi, rel=0.03)
    beyond = found["all"].chosen_minus_this_usd
    other = everyone.outcome.mean() - half.outcome.mean()
    assert width(beyond) == pytest.approx(
        np.hypot(width(known["all"].chosen_minus_this_usd), 2 * Z * np.hypot(0.04 * other, 0.1)),
        rel=1e-4,
    )
    assert width(found["none"].profit_usd) == 0.0


def test_the_error_of_money_is_that_of_its_draws():
    unknown = money(
        MONEY,
        margin_rate={"triangular": {"low": 0.3, "mode": 0.4, "high": 0.8}},
        redemption_cost_usd={"uniform": {"low": 0.0, "high": 2.0}},
        retailer_funded_share={"uniform": {"low": 0.2, "high": 0.8}},
    )
    drawn = unknown.draws(replicates=200_000, rng=np.random.default_rng(0))
    sd = (3.0 * drawn.margin_per_unit - 0.4 * drawn.redemption_cost_usd)[1:].std()
    found = money_error(
        figure=lambda at: 3.0 * at.margin_per_unit - 0.4 * at.redemption_cost_usd,
        parameters=unknown,
    )
    assert found == pytest.approx(sd, rel=0.01)
    assert money_error(figure=lambda at: at.margin_per_unit, parameters=MONEY) == 0.0


def test_limits_of_targeting_hold_the_gain_at_whatever_the_margin_turns_out_to_be():
    """So many households that only the margin is left: its own quantile is the limit."""
    n, rng = 40_000, np.random.default_rng(6)
    data, nuisances = trials(rng, n)
    sd = 0.1
    contacts = {"half": np.repeat([1.0, 0.0], n // 2)}
    free = {"contact_cost_usd": 0.0, "redemption_cost_usd": 0.0}
    metrics = MetricParameters(uplift_shares=[0.1], level=LEVEL, bootstrap_replicates=50)

    def limits(parameters):
        scores = policy_scores(data=data, nuisances=nuisances, parameters=parameters)
        everyone = PolicyRows.held_out(scores=scores, fold=nuisances.fold)
        return everyone, targeting_bound(
            contacts=contacts,
            rankings={"half": data.covariates["x"].to_numpy()},
            everyone=everyone,
            outcomes=profit_outcomes(data=data, nuisances=nuisances, parameters=parameters),
            fold=nuisances.fold,
            metrics=metrics,
            rng=np.random.default_rng(0),
        )

    everyone, known = limits(money(MONEY, **free))
    _, found = limits(money(MONEY, **free, margin_rate=normal(0.5, sd)))
    outcome = everyone.outcome.mean()
    assert width(found.mean_profit_usd) == pytest.approx(
        np.hypot(width(known.mean_profit_usd), 2 * Z * sd * outcome), rel=1e-4
    )
    assert width(found.mean_profit_usd) > 5 * width(known.mean_profit_usd)
    # less than everybody by half of the households, at a margin at least as low as the quantile
    lost = everyone.outcome[n // 2 :].sum() / n
    assert found.best_gain_usd == pytest.approx(-0.5 * lost, rel=1e-4)
    reached = found.best_gain_high_usd - found.best_gain_usd
    assert reached == pytest.approx(norm.ppf(LEVEL) * sd * lost, rel=0.35)
    assert known.best_gain_high_usd - known.best_gain_usd < 0.3 * reached
    assert found.household_sd_high_usd > known.household_sd_high_usd
    assert found.group_sd_usd == pytest.approx(known.group_sd_usd, abs=0.02)
