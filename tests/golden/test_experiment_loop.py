"""Plan, lots, result and analysis in worlds whose effects are known, again and again."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from experiment_world import (
    BREAK_EVEN_USD,
    MONEY,
    NOISE_USD,
    REDEEMS,
    WORDING,
    comes_back,
    design,
    past,
)
from scipy.stats import binom, kstest

from promo_uplift.analysis import conclude_experiment
from promo_uplift.experiments import (
    Evidence,
    Prior,
    analyse_experiment,
    assign_households,
    join_result,
    plan_experiment,
    population,
    value_of_information,
)
from promo_uplift.experiments.balance import comparable, joint_balance

REPLICATIONS = 150
#: Chance that a test of a right method fails.
FALSE_ALARM = 1e-3


def loop(*, effect_usd, spread_usd, exaggerated=1.0, n_households=900, replications, **changed):
    """Plan once; then draw, mail and analyse again and again."""
    data, nuisances, effect, predicted = past(
        n_households=n_households,
        effect_usd=effect_usd,
        spread_usd=spread_usd,
        exaggerated=exaggerated,
    )
    parameters = design(**changed)
    eligible = population(
        data=data,
        nuisances=nuisances,
        cate=predicted,
        n_strata=parameters.n_strata,
        segment=None,
    )
    plan = plan_experiment(
        evidence=Evidence(data, nuisances, MONEY, 0.95, 0.8, 28),
        population=eligible,
        parameters=parameters,
    )
    rng, found = np.random.default_rng(5), []
    for seed in range(replications):
        assignment = assign_households(
            population=eligible, plan=plan, policy=MONEY, parameters=parameters, seed=seed
        ).table
        result = comes_back(assignment=assignment, mu0=nuisances.mu0[:, 0], effect=effect, rng=rng)
        found.append(
            analyse_experiment(
                experiment=join_result(result=result, assignment=assignment),
                policy=MONEY,
                level=0.95,
            )
        )
    return SimpleNamespace(plan=plan, effect=effect, found=found, predicted=predicted)


@pytest.fixture(scope="module")
def at_break_even():
    """Everybody responds by the break-even effect, which is what the plan is sized for."""
    return loop(effect_usd=BREAK_EVEN_USD, spread_usd=0.0, replications=REPLICATIONS)


@pytest.fixture(scope="module")
def exaggerated():
    """Effects differ half as much as predicted; several waves of the same households."""
    return loop(
        effect_usd=6.0, spread_usd=4.0, exaggerated=2.0, n_households=450, replications=REPLICATIONS
    )


def coverage(intervals, truth):
    return np.mean([one.ci_low <= truth <= one.ci_high for one in intervals])


def is_rate(share, rate, n):
    """Whether a share of ``n`` replications is what a rate may give."""
    low, high = binom.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], n, rate) / n
    return low <= share <= high


def test_the_planned_size_has_the_planned_power(at_break_even):
    assert at_break_even.plan.is_enough
    assert at_break_even.plan.waves == 1
    detected = np.mean([one.effect_usd.ci_low > 0 for one in at_break_even.found])
    assert is_rate(detected, 0.8, REPLICATIONS)
    # a design of another size would be told apart
    assert not is_rate(0.8, 0.6, REPLICATIONS)


def test_the_effect_and_every_profit_hold_the_truth(at_break_even):
    found = at_break_even.found
    assert is_rate(coverage([one.effect_usd for one in found], BREAK_EVEN_USD), 0.95, REPLICATIONS)
    # mailing all breaks even: its profit is nothing
    assert is_rate(coverage([one.profit_usd["all"] for one in found], 0.0), 0.95, REPLICATIONS)
    assert all(one.redemption_source == "counted" for one in found)


def test_effects_of_every_stratum_hold_the_truth(exaggerated):
    assert exaggerated.plan.waves > 1
    bins = np.argsort(np.argsort(exaggerated.predicted)) * 4 // 450 + 1
    for number in range(1, 5):
        truth = exaggerated.effect[bins == number].mean()
        rows = [
            one.strata[one.strata["stratum"] == f"effect {number}"].iloc[0]
            for one in exaggerated.found
        ]
        held = np.mean(
            [row["effect_ci_low_usd"] <= truth <= row["effect_ci_high_usd"] for row in rows]
        )
        assert held >= binom.ppf(FALSE_ALARM / 4, REPLICATIONS, 0.95) / REPLICATIONS
    low, high = (exaggerated.effect[np.isin(bins, half)].mean() for half in ((1, 2), (3, 4)))
    gradients = [one.gradient_usd for one in exaggerated.found]
    assert is_rate(coverage(gradients, high - low), 0.95, REPLICATIONS)


def test_predictions_that_exaggerate_twofold_are_halved(exaggerated):
    slopes = [one.recalibration.slope for one in exaggerated.found]
    estimates = np.array([one.estimate for one in slopes])
    error = estimates.std() / np.sqrt(REPLICATIONS)
    assert abs(estimates.mean() - 0.5) < 3.5 * error
    assert is_rate(coverage(slopes, 0.5), 0.95, REPLICATIONS)
    assert np.mean([one.ci_high < 1.0 for one in slopes]) > 0.5


def test_recalibrated_effects_hold_the_households_true_effects(exaggerated):
    held = [
        (rows["recalibrated_cate_ci_low_usd"] <= exaggerated.effect)
        & (exaggerated.effect <= rows["recalibrated_cate_ci_high_usd"])
        for rows in (
            one.recalibration.predict(cate=exaggerated.predicted, level=0.95)
            for one in exaggerated.found
        )
    ]
    # one replication's errors are the same two numbers for all households
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)


def test_the_targeted_policy_holds_its_true_profit_and_gain(exaggerated):
    money = MONEY.expected.margin_per_unit * exaggerated.effect - MONEY.contact_cost_usd - REDEEMS
    targeted = exaggerated.predicted > BREAK_EVEN_USD
    gain = (money * targeted).mean() - money.mean()
    found = exaggerated.found
    assert is_rate(
        coverage([one.profit_usd["all"] for one in found], money.mean()), 0.95, REPLICATIONS
    )
    differences = [one.targeted_minus_all_usd for one in found]
    assert (
        coverage(differences, gain) >= binom.ppf(FALSE_ALARM / 2, REPLICATIONS, 0.95) / REPLICATIONS
    )


def test_waves_of_the_same_households_have_the_planned_error(exaggerated):
    """Lots of their own in each wave: a household counts once in each."""
    estimates = np.array([one.effect_usd.estimate for one in exaggerated.found])
    planned = exaggerated.plan.asked("mailing")
    expected = np.sqrt(planned.unit_variance / exaggerated.plan.households)
    assert estimates.std() == pytest.approx(expected, rel=0.15)
    assert np.mean([one.effect.se for one in exaggerated.found]) == pytest.approx(
        estimates.std(), rel=0.15
    )


def test_the_plan_knows_the_noise_of_the_world(at_break_even):
    assert at_break_even.plan.noise.control_usd == pytest.approx(NOISE_USD, rel=0.08)
    assert at_break_even.plan.noise.mailed_usd == pytest.approx(NOISE_USD, rel=0.08)


@pytest.mark.parametrize(
    ("mean", "sd", "error"), [(0.0, 2.0, 1.0), (-1.5, 1.0, 0.5), (2.0, 3.0, 4)]
)
def test_the_value_of_information_is_that_of_simulated_decisions(mean, sd, error):
    rng = np.random.default_rng(3)
    truth = rng.normal(mean, sd, 2_000_000)
    seen = truth + rng.normal(0.0, error, len(truth))
    believed = (mean / sd**2 + seen / error**2) / (1 / sd**2 + 1 / error**2)
    gained = np.where(believed > 0, truth, 0.0) - max(mean, 0.0)
    value = value_of_information(
        prior=Prior(mean, sd), sampling_variance=np.array([error**2, np.inf, 0.0])
    )
    assert value[0] == pytest.approx(gained.mean(), abs=4 * gained.std() / np.sqrt(len(truth)))
    assert value[1] == 0.0
    perfect = np.maximum(truth, 0.0) - max(mean, 0.0)
    assert value[2] == pytest.approx(perfect.mean(), abs=4 * perfect.std() / np.sqrt(len(truth)))
    assert value[2] > value[0] > 0.0


def test_the_joint_test_of_balance_is_right_as_often_as_it_says():
    rng = np.random.default_rng(11)
    x = rng.normal(size=(400, 6))
    x[:, 5] = x[:, 0] + x[:, 1]  # one direction fewer than covariates
    stratum = np.arange(400) // 100
    covariates = comparable(pd.DataFrame(x))
    p_values = []
    for _ in range(400):
        mailed = np.concatenate([rng.permutation(100) < 40 for _ in range(4)])
        joint = joint_balance(covariates=covariates, mailed=mailed, stratum=stratum)
        p_values.append(joint.p_value)
    assert joint.degrees == 5
    assert kstest(p_values, "uniform").pvalue > FALSE_ALARM
    told = joint_balance(covariates=covariates, mailed=x[:, 0] > 0, stratum=stratum)
    assert told.p_value < 1e-6


def concluded(**world):
    data, nuisances, effect, predicted = past(**world)
    parameters = design(max_waves=6)
    eligible = population(data=data, nuisances=nuisances, cate=predicted, n_strata=4, segment=None)
    plan = plan_experiment(
        evidence=Evidence(data, nuisances, MONEY, 0.95, 0.8, 28),
        population=eligible,
        parameters=parameters,
    )
    assignment = assign_households(
        population=eligible, plan=plan, policy=MONEY, parameters=parameters, seed=2
    ).table
    result = comes_back(
        assignment=assignment, mu0=nuisances.mu0[:, 0], effect=effect, rng=np.random.default_rng(4)
    )
    return conclude_experiment(
        result=result,
        assignment=assignment,
        worth_finding_usd=plan.aim.worth_finding_usd,
        policy=MONEY,
        parameters=parameters,
        level=0.95,
        power=0.8,
        wording=WORDING,
    ).verdict


@pytest.mark.parametrize(
    ("effect_usd", "spread_usd", "action"),
    [
        (14.0, 0.5, "mail_all"),
        (-6.0, 0.5, "mail_none"),
        (4.0, 15.0, "target"),
        (4.0, 0.0, "experiment"),
    ],
)
def test_the_verdict_is_that_of_the_world(effect_usd, spread_usd, action):
    verdict = concluded(n_households=2_000, effect_usd=effect_usd, spread_usd=spread_usd)
    assert verdict.action == action
    assert verdict.name == ("experiment_needed" if action == "experiment" else "publish")
    assert (verdict.remaining_for_found is None or verdict.remaining_for_found > 0) == (
        action in ("experiment", "target")
    )
