"""The honest value against a loop that anybody can read, and against worlds with known truth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import MetricParameters, PolicyParameters
from promo_uplift.contracts.results import CrossFittedNuisances, TrialData
from promo_uplift.policy import (
    PolicyCandidates,
    evaluate_policy,
    policy_curve,
    policy_scores,
    policy_table,
)

K = 3
MONEY = PolicyParameters(
    margin_rate=0.3,
    contact_cost_usd=1.5,
    redemption_cost_usd=2.0,
    values_are_assumptions=True,
    grid_points=41,
    support_quantile=0.0,
)
FEW = MetricParameters(uplift_shares=[0.1], level=0.95, bootstrap_replicates=60)
REDEEMS = 0.2


def world(n=3_000, seed=0, slope=6.0):
    """Known nuisances; the effect is 5 + slope x, half the rows pay for their contact."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n // 2), 2)
    x = np.repeat(rng.normal(size=n // 2), 2)
    effect = 5.0 + slope * x
    propensity = 1.0 / (1.0 + np.exp(-x))
    treatment = rng.binomial(1, propensity).astype(np.int64)
    mu0 = 80.0 + 20.0 * rng.normal(size=n)
    fold = groups % K

    def wide(values):
        return np.repeat(values[:, np.newaxis], K, axis=1)

    nuisances = CrossFittedNuisances(
        fold=fold,
        propensity=wide(propensity),
        mu0=wide(mu0),
        mu1=wide(mu0 + effect),
        redemption=wide(np.full(n, REDEEMS)),
        raw_propensity_held_out=propensity,
        n_clipped=0,
        clip=0.01,
        tuned=pd.DataFrame(),
    )
    data = TrialData(
        covariates=pd.DataFrame({"x": x}),
        treatment=treatment,
        outcome=mu0 + effect * treatment + rng.normal(0, 10, n),
        redeemed=treatment * rng.binomial(1, REDEEMS, n).astype(float),
        groups=groups,
        campaign=np.ones(n, dtype=np.int64),
    )
    return data, nuisances, effect


def candidates(data, scores, effect, rng):
    cate = {
        "sharp": effect[:, np.newaxis] + rng.normal(0, 1, (len(effect), K)),
        "blunt": effect[:, np.newaxis] + rng.normal(0, 8, (len(effect), K)),
    }
    losses = {name: (scores.outcome - values) ** 2 for name, values in cate.items()}
    return PolicyCandidates(cate, losses, np.repeat(data.outcome[:, np.newaxis], K, axis=1))


@pytest.fixture(scope="module")
def known():
    data, nuisances, effect = world()
    scores = policy_scores(data=data, nuisances=nuisances, parameters=MONEY)
    choices = candidates(data, scores, effect, np.random.default_rng(7))
    found = evaluate_policy(
        scores=scores,
        candidates=choices,
        fold=nuisances.fold,
        groups=data.groups,
        parameters=MONEY,
        intervals=FEW,
        rng=np.random.default_rng(8),
    )
    return data, nuisances, effect, scores, choices, found


def top_gain(values, ranking, share):
    """Mean of ``values`` over the top share, per row of all, the last row in part."""
    order = np.argsort(-ranking)
    exact = share * len(values)
    whole = int(np.floor(exact + 1e-9))
    gain = values[order[:whole]].sum()
    if whole < len(values):
        gain += (exact - whole) * values[order[whole]]
    return gain / len(values)


def test_the_estimate_is_that_of_a_plain_loop(known):
    _, nuisances, _, scores, choices, found = known
    fold, shares = nuisances.fold, np.linspace(0, 1, MONEY.grid_points)
    profit = outcome = 0.0
    for k in range(K):
        outside = fold != k
        losses = {name: loss[outside, k].mean() for name, loss in choices.losses.items()}
        learner = min(losses, key=losses.get)
        ranking = choices.cate[learner][:, k]
        curve = [
            np.average(
                [
                    top_gain(scores.profit[fold == m, k], ranking[fold == m], q)
                    for m in range(K)
                    if m != k
                ],
                weights=[(fold == m).sum() for m in range(K) if m != k],
            )
            for q in shares
        ]
        share = shares[int(np.argmax(curve))]
        inside = fold == k
        assert (found.learner_by_fold[k], found.share_by_fold[k]) == (learner, share)
        part = inside.mean()
        profit += part * top_gain(scores.profit[inside, k], ranking[inside], share)
        outcome += part * top_gain(scores.outcome[inside, k], ranking[inside], share)
    assert found.chosen.profit_usd.estimate == pytest.approx(profit, abs=1e-9)
    assert found.chosen.outcome_usd.estimate == pytest.approx(outcome, abs=1e-9)


def test_profit_is_margin_times_outcome_less_cost(known):
    found = known[-1]
    for value in (found.chosen, *found.baselines.values()):
        assert value.profit_usd.estimate == pytest.approx(
            MONEY.margin_rate * value.outcome_usd.estimate - value.cost_usd.estimate
        )


def test_intervals_hold_the_truth_of_the_world(known):
    data, _, effect, _, _, found = known
    profit = MONEY.margin_rate * effect - MONEY.contact_cost_usd - 2.0 * REDEEMS
    best = np.maximum(profit, 0).mean()
    assert found.champion == "sharp"
    assert found.chosen.profit_usd.ci_low < best < found.chosen.profit_usd.ci_high + 0.1
    share = found.roi_optimal_share
    assert share.ci_low <= (profit > 0).mean() <= share.ci_high
    everybody = found.baselines["all"].profit_usd
    assert everybody.ci_low < profit.mean() < everybody.ci_high
    current = found.baselines["current"].profit_usd
    assert current.ci_low < (data.treatment * profit).mean() < current.ci_high
    assert found.baselines["current"].share.estimate == pytest.approx(data.treatment.mean())


def test_baselines_are_what_they_say(known):
    found = known[-1]
    none, random = found.baselines["none"], found.baselines["random"]
    assert none.profit_usd.estimate == none.profit_usd.ci_high == 0.0
    assert np.isnan(none.roi.estimate)
    assert found.baselines["all"].share.estimate == 1.0
    assert random.share == found.chosen.share
    assert none.chosen_minus_this_usd == found.chosen.profit_usd
    assert found.baselines["response"].chosen_minus_this_usd.ci_low > 0
    assert random.chosen_minus_this_usd.ci_low > 0


def test_the_roi_is_read_at_the_profit_maximising_share_and_its_own_maximum_apart(known):
    found = known[-1]
    assert found.max_ratio >= found.roi_at_share.estimate
    assert 0 < found.max_ratio_share < found.roi_optimal_share.estimate


def test_the_fold_that_is_valued_has_no_say_in_the_choice(known):
    """Wreck fold k's own rows in column k: what is chosen for k must not move."""
    data, nuisances, _, scores, choices, found = known
    rng = np.random.default_rng(9)
    profit = scores.profit.copy()
    losses = {name: values.copy() for name, values in choices.losses.items()}
    rows = np.arange(len(profit))
    profit[rows, nuisances.fold] = rng.normal(0, 1_000, len(profit))
    for values in losses.values():
        values[rows, nuisances.fold] = rng.normal(0, 1e9, len(profit))
    wrecked = evaluate_policy(
        scores=replace(scores, profit=profit),
        candidates=replace(choices, losses=losses),
        fold=nuisances.fold,
        groups=data.groups,
        parameters=MONEY,
        intervals=FEW,
        rng=np.random.default_rng(8),
    )
    assert wrecked.learner_by_fold == found.learner_by_fold
    assert wrecked.share_by_fold == found.share_by_fold
    assert wrecked.chosen.profit_usd.estimate != found.chosen.profit_usd.estimate


def test_noise_promises_a_profit_only_where_it_chose_itself():
    """One effect for all, below break-even: the maximum read off is the winner's curse."""
    optimistic, honest = [], []
    for seed in range(25):
        data, nuisances, _ = world(n=900, seed=seed, slope=0.0)
        scores = policy_scores(data=data, nuisances=nuisances, parameters=MONEY)
        noise = np.random.default_rng(100 + seed)
        cate = {f"noise_{i}": noise.normal(size=(900, K)) for i in range(4)}
        losses = {name: noise.normal(size=(900, K)) for name in cate}
        found = evaluate_policy(
            scores=scores,
            candidates=PolicyCandidates(cate, losses, noise.normal(size=(900, K))),
            fold=nuisances.fold,
            groups=data.groups,
            parameters=MONEY,
            intervals=FEW.model_copy(update={"bootstrap_replicates": 1}),
            rng=noise,
        )
        optimistic.append(found.optimistic_profit_usd.estimate)
        honest.append(found.chosen.profit_usd.estimate)
        gap = found.winners_curse_usd.estimate
        assert gap == pytest.approx(optimistic[-1] - honest[-1])
    error = np.std(honest) / np.sqrt(len(honest))
    assert MONEY.margin_rate * 5.0 < MONEY.contact_cost_usd + 2.0 * REDEEMS
    assert min(optimistic) >= 0
    assert np.mean(optimistic) > 0.03
    assert np.mean(honest) < 3 * error


def test_scores_are_worked_by_hand_on_two_rows():
    def wide(*values):
        return np.repeat(np.array(values)[:, np.newaxis], K, axis=1)

    nuisances = CrossFittedNuisances(
        fold=np.array([0, 1]),
        propensity=wide(0.5, 0.25),
        mu0=wide(10.0, 20.0),
        mu1=wide(12.0, 21.0),
        redemption=wide(0.1, 0.2),
        raw_propensity_held_out=np.array([0.5, 0.25]),
        n_clipped=0,
        clip=0.01,
        tuned=pd.DataFrame(),
    )
    data = TrialData(
        covariates=pd.DataFrame({"x": [0.0, 0.0]}),
        treatment=np.array([1, 0]),
        outcome=np.array([13.0, 26.0]),
        redeemed=np.array([1.0, 0.0]),
        groups=np.array([1, 2]),
        campaign=np.array([8, 8]),
    )
    found = policy_scores(data=data, nuisances=nuisances, parameters=MONEY)
    outcome = [12 - 10 + (13 - 12) / 0.5, 21 - 20 - (26 - 20) / 0.75]
    cost = [1.5 + 2 * (0.1 + (1 - 0.1) / 0.5), 1.5 + 2 * 0.2]
    np.testing.assert_allclose(found.outcome[:, 0], outcome)
    np.testing.assert_allclose(found.cost[:, 0], cost)
    np.testing.assert_allclose(found.profit[:, 0], 0.3 * np.array(outcome) - cost)
    np.testing.assert_allclose(found.current_outcome, [13 - 10, -(26 - 20) * 0.25 / 0.75])
    np.testing.assert_allclose(found.current_cost, [1.5 + 2.0, 0.0])


def test_a_redemption_without_a_mailing_is_refused(known):
    data, nuisances, *_ = known
    with pytest.raises(PolicyError, match="redeemed without a mailing"):
        policy_scores(
            data=replace(data, redeemed=np.ones(len(data.outcome))),
            nuisances=nuisances,
            parameters=MONEY,
        )


def test_learners_without_a_loss_are_refused_by_name(known):
    data, nuisances, _, scores, choices, _ = known
    broken = replace(choices, losses={"sharp": choices.losses["sharp"]})
    with pytest.raises(PolicyError, match="same learners"):
        evaluate_policy(
            scores=scores,
            candidates=broken,
            fold=nuisances.fold,
            groups=data.groups,
            parameters=MONEY,
            intervals=FEW,
            rng=np.random.default_rng(0),
        )


def test_the_curve_meets_the_table_and_states_the_money(known):
    data, nuisances, _, scores, choices, found = known
    rows = np.arange(len(nuisances.fold))
    curve = policy_curve(
        scores=scores,
        champion="sharp",
        rankings={
            "sharp": choices.cate["sharp"][rows, nuisances.fold],
            "response": choices.response[rows, nuisances.fold],
        },
        fold=nuisances.fold,
        groups=data.groups,
        parameters=MONEY,
        intervals=FEW,
        rng=np.random.default_rng(8),
    )
    champion = curve[curve["policy"] == "champion"].set_index("share")
    profit = champion["profit_usd_per_household"]
    assert profit.idxmax() == found.roi_optimal_share.estimate
    assert profit.loc[1.0] == pytest.approx(found.baselines["all"].profit_usd.estimate)
    assert profit.loc[0.0] == 0.0
    random = curve[curve["policy"] == "random"]
    np.testing.assert_allclose(
        random["profit_usd_per_household"], random["share"] * profit.loc[1.0], atol=1e-9
    )
    for table in (curve, policy_table(evaluation=found, parameters=MONEY)):
        assert (table["margin_rate"] == 0.3).all()
        assert table["values_are_assumptions"].all()


def test_the_table_shows_the_honest_beside_the_optimistic(known):
    found = known[-1]
    table = policy_table(evaluation=found, parameters=MONEY).set_index("policy")
    assert list(table.index) == [
        *("chosen", "none", "all", "current", "random", "response", "in_sample_maximum")
    ]
    assert table.loc["in_sample_maximum", "how"] == "optimistic"
    assert table.loc["chosen", "how"] == "honest"
    gap = table.loc["in_sample_maximum", "chosen_minus_this_usd"]
    assert gap == pytest.approx(-found.winners_curse_usd.estimate)
