"""Cost curves against the optimal linear program, by hand, and against known truths."""

import numpy as np
import pytest
from econml.validate.utils import calculate_dr_outcomes
from gain_areas import curve
from scipy.optimize import linprog

from promo_uplift.contracts.errors import LearnerError, MetricError
from promo_uplift.metrics import average_arms, cost_curve, cost_path, household_draws
from promo_uplift.nuisance.scores import multi_arm_scores


def optimal(rewards, costs, budget):
    """Highest mean predicted reward at a mean cost of at most ``budget``: a linear program."""
    n, arms = rewards.shape
    offered = np.isfinite(costs)
    one_arm = np.kron(np.eye(n), np.ones(arms))
    spend = np.where(offered, costs, 0.0).ravel()
    found = linprog(
        -np.where(offered, rewards, -1e6).ravel(),
        A_ub=np.vstack([one_arm, spend]),
        b_ub=np.r_[np.ones(n), n * budget],
        bounds=(0.0, 1.0),
        method="highs",
    )
    assert found.status == 0
    return -found.fun / n


def small_case(seed):
    """Ties, dominated arms, negative rewards, equal costs, arms that are not on offer."""
    rng = np.random.default_rng(seed)
    n, arms = int(rng.integers(2, 25)), int(rng.integers(1, 6))
    rewards = rng.normal(0.3, 1.0, (n, arms))
    costs = rng.uniform(0.2, 3.0, (n, arms))
    if seed % 3 == 1:
        rewards, costs = np.round(2.0 * rewards) / 2.0, np.round(2.0 * costs) / 2.0 + 0.5
    if seed % 3 == 2:
        costs = np.broadcast_to(rng.uniform(0.5, 2.0, arms), (n, arms)).copy()
        costs[rng.random((n, arms)) < 0.2] = np.inf
    return rewards, costs


@pytest.mark.parametrize("seed", range(24))
def test_the_path_is_the_optimal_linear_program_at_every_budget(seed):
    rewards, costs = small_case(seed)
    path = cost_path(rewards=rewards, costs=costs)
    end = path.spend[-1] if len(path.row) else 1.0
    budgets = np.linspace(0.0, 1.2 * end, 13)
    best = [optimal(rewards, costs, budget) for budget in budgets]
    np.testing.assert_allclose(path.predicted_reward(budgets), best, atol=1e-6)
    if rewards.shape[0] > 1:
        valued = cost_curve(
            rewards=rewards,
            costs=costs,
            scores=rewards,
            budgets=budgets,
            groups=np.arange(len(rewards)),
            replicates=2,
        )
        np.testing.assert_allclose(valued.gain[:, 0], best, atol=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_an_assignment_keeps_the_budget_and_misses_the_optimum_by_less_than_a_step(seed):
    rewards, costs = small_case(seed)
    path = cost_path(rewards=rewards, costs=costs)
    n = len(rewards)
    for budget in np.linspace(0.0, path.spend[-1] if len(path.row) else 1.0, 7):
        arms = path.assignment(budget=budget)
        treated = np.flatnonzero(arms >= 0)
        assert costs[treated, arms[treated]].sum() <= n * budget + 1e-9
        missed = optimal(rewards, costs, budget) - rewards[treated, arms[treated]].sum() / n
        assert missed >= -1e-9
        assert missed <= (path.reward.max() / n if len(path.row) else 0.0) + 1e-9


def test_three_households_by_hand():
    """Two arms of cost 1 and 3.

    Household 0 promises 4 and 6: steps of 4 per 1, then 2 per 2. Household 1 promises 1 and 9: its
    first arm lies below the line from nothing to the second, one step of 9 per 3. Household 2
    promises -1 and 0: never bought. Order of reward per cost: 4, 3, 1.
    """
    path = cost_path(
        rewards=np.array([[4.0, 6.0], [1.0, 9.0], [-1.0, 0.0]]), costs=np.array([1.0, 3.0])
    )
    assert path.row.tolist() == [0, 1, 0]
    assert path.arm.tolist() == [0, 1, 1]
    assert path.before.tolist() == [-1, -1, 0]
    np.testing.assert_allclose(path.spend * 3, [1.0, 4.0, 6.0])
    assert path.assignment(budget=4.0 / 3).tolist() == [0, 1, -1]
    # 2.9 do not buy household 1's step, but they buy household 0's second
    assert path.assignment(budget=3.9 / 3).tolist() == [1, -1, -1]
    assert path.assignment(budget=10.0).tolist() == [1, 1, -1]
    valued = cost_curve(
        rewards=np.array([[4.0, 6.0], [1.0, 9.0], [-1.0, 0.0]]),
        costs=np.array([1.0, 3.0]),
        scores=np.array([[3.0, 2.0], [50.0, 6.0], [7.0, 7.0]]),
        budgets=np.array([0.5, 1.0, 2.5, 4.0, 6.0, 9.0]) / 3,
        groups=np.arange(3),
        replicates=2,
    )
    np.testing.assert_allclose(valued.gain[:, 0] * 3, [1.5, 3.0, 6.0, 9.0, 8.0, 8.0])
    # areas: .25 x 1.5 -> .375; 1 x 3 / 2; + 1.5 x (3 + 6) / 2; + ... ; + 2 x (9 + 8) / 2; + 3 x 8
    np.testing.assert_allclose(valued.area[:, 0] * 9, [0.375, 1.5, 8.25, 19.5, 36.5, 60.5])
    assert valued.spend_all[0] == pytest.approx(2.0)


def one_arm(seed, levels=None, n=400):
    rng = np.random.default_rng(seed)
    cate = rng.normal(5.0, 1.0, n) if levels is None else rng.integers(1, levels, n).astype(float)
    return cate, rng.normal(cate, 4.0), rng.integers(0, 120, n)


@pytest.mark.parametrize("levels", [None, 6], ids=["distinct", "ties"])
def test_one_arm_of_unit_cost_is_our_gain_curve(levels):
    cate, scores, groups = one_arm(1, levels)
    shares = np.linspace(0.0, 1.0, 41)
    found = cost_curve(
        rewards=cate[:, None],
        costs=np.ones(1),
        scores=scores[:, None],
        budgets=shares,
        groups=groups,
        replicates=5,
    )
    np.testing.assert_allclose(found.gain[:, 0], curve(scores, cate, shares), atol=1e-12)
    line = found.minus(
        cost_curve(
            rewards=average_arms(cate[:, None]),
            costs=np.ones(1),
            scores=scores[:, None],
            budgets=shares,
            groups=groups,
            draws=found.draws,
        )
    )
    ours = np.trapezoid(curve(scores, cate, np.arange(401) / 400), dx=1 / 400) - scores.mean() / 2
    if levels is None:
        assert line.area[-1, 0] == pytest.approx(ours, abs=1e-10)


def test_replicates_are_the_curve_of_the_rows_drawn():
    """A household drawn twice counts as two: the curve of the repeated rows, in the same order."""
    rng = np.random.default_rng(2)
    n = 60
    rewards, costs = rng.normal(0.5, 1, (n, 3)), rng.uniform(0.5, 2, (n, 3))
    scores, groups = rng.normal(rewards, 2), rng.integers(0, 20, n)
    budgets = np.linspace(0.0, 2.0, 9)
    draws = household_draws(groups=groups, replicates=4, rng=rng)
    whole = cost_curve(
        rewards=rewards, costs=costs, scores=scores, budgets=budgets, groups=groups, draws=draws
    )
    for replicate in range(5):
        rows = np.repeat(np.arange(n), draws.counts[draws.code, replicate])
        alone = cost_curve(
            rewards=rewards[rows],
            costs=costs[rows],
            scores=scores[rows],
            budgets=budgets,
            groups=np.arange(len(rows)),
            replicates=2,
        )
        np.testing.assert_allclose(whole.gain[:, replicate], alone.gain[:, 0], atol=1e-10)
        np.testing.assert_allclose(whole.area[:, replicate], alone.area[:, 0], atol=1e-10)


def test_the_order_of_rows_and_of_arms_does_not_matter():
    rewards, costs = small_case(1)
    n, arms = rewards.shape
    rng = np.random.default_rng(0)
    scores, groups = rng.normal(size=(n, arms)), np.arange(n)
    budgets = np.linspace(0.0, 1.0, 7)
    before = cost_curve(
        rewards=rewards, costs=costs, scores=scores, budgets=budgets, groups=groups, replicates=2
    )
    rows = rng.permutation(n)
    after = cost_curve(
        rewards=rewards[rows],
        costs=costs[rows],
        scores=scores[rows],
        budgets=budgets,
        groups=groups,
        replicates=2,
    )
    np.testing.assert_allclose(after.gain[:, 0], before.gain[:, 0], atol=1e-12)


def test_folds_spend_the_budget_on_their_own_rows():
    rng = np.random.default_rng(4)
    n = 90
    rewards, costs = rng.normal(0.5, 1, (n, 2)), rng.uniform(0.5, 2, (n, 2))
    scores, fold = rng.normal(rewards, 2), np.arange(n) % 3
    budgets = np.linspace(0.0, 1.0, 5)
    together = cost_curve(
        rewards=rewards,
        costs=costs,
        scores=scores,
        budgets=budgets,
        groups=np.arange(n),
        fold=fold,
        replicates=2,
    )
    by_hand = np.mean(
        [
            cost_curve(
                rewards=rewards[fold == k],
                costs=costs[fold == k],
                scores=scores[fold == k],
                budgets=budgets,
                groups=np.arange(30),
                replicates=2,
            ).gain[:, 0]
            for k in range(3)
        ],
        axis=0,
    )
    np.testing.assert_allclose(together.gain[:, 0], by_hand, atol=1e-12)


def noisy_world(rng, n):
    """Two arms, effects that depend on one covariate, scores with the effect as their mean."""
    x = rng.normal(size=n)
    effects = np.column_stack([0.5 + x, 1.0 + 1.5 * x])
    noise = rng.normal(0.0, 3.0, (n, 1)) + rng.normal(0.0, 2.0, (n, 2))
    return effects + rng.normal(0.0, 0.5, (n, 2)), effects + noise, effects


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Gain at a budget, the area, and the paired difference to one arm, over 300 samples.

    The truth is the gain of the same rule in a population of 400,000. A 95 % interval of 300
    samples holds it 274 to 296 times with probability .999.
    """
    costs, budgets = np.array([1.0, 2.0]), np.array([0.3, 0.8])
    big = noisy_world(np.random.default_rng(0), 400_000)

    def both(world, **more):
        rewards, scores, _ = world
        two = cost_curve(rewards=rewards, costs=costs, scores=scores, budgets=budgets, **more)
        one = cost_curve(
            rewards=rewards[:, :1],
            costs=costs[:1],
            scores=scores[:, :1],
            budgets=budgets,
            groups=more["groups"],
            draws=two.draws,
        )
        return two, two.minus(one)

    truth = both((big[0], big[2], None), groups=np.arange(400_000) % 2, replicates=1)
    held = np.zeros(3, dtype=int)
    for seed in range(300):
        world = noisy_world(np.random.default_rng(1000 + seed), 500)
        curves = both(world, groups=np.arange(500), replicates=200, seed=seed)
        intervals = [
            (curves[0].gain_at(0.8), truth[0].gain[1, 0]),
            (curves[0].area_to(0.8), truth[0].area[1, 0]),
            (curves[1].gain_at(0.3), truth[1].gain[0, 0]),
        ]
        held += [one.ci_low <= true <= one.ci_high for one, true in intervals]
    assert (held >= 272).all()
    assert (held <= 297).all()


def test_multi_arm_scores_are_econmls():
    rng = np.random.default_rng(8)
    n, arms = 200, 3
    arm = rng.integers(0, arms + 1, n)
    propensity = rng.dirichlet(np.full(arms + 1, 20.0), n)
    mu, outcome = rng.normal(size=(n, arms + 1)), rng.normal(size=n)
    ours = multi_arm_scores(arm=arm, outcome=outcome, propensity=propensity, mu=mu)
    theirs = calculate_dr_outcomes(arm, outcome, mu, propensity)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_multi_arm_scores_average_to_the_effects_if_either_nuisance_is_right():
    rng = np.random.default_rng(9)
    n = 200_000
    x = rng.normal(size=n)
    raw = np.exp(np.column_stack([np.zeros(n), 0.5 * x, -0.5 * x]))
    propensity = raw / raw.sum(axis=1, keepdims=True)
    arm = (rng.random((n, 1)) > np.cumsum(propensity, axis=1)).sum(axis=1)
    mu = np.column_stack([x, x + 1.0, 2.0 * x + 2.0])
    outcome = mu[np.arange(n), arm] + rng.normal(size=n)
    wrong_mu, wrong_e = np.zeros((n, 3)), np.full((n, 3), 1.0 / 3.0)
    for e, m in ((propensity, wrong_mu), (wrong_e, mu)):
        scores = multi_arm_scores(arm=arm, outcome=outcome, propensity=e, mu=m)
        error = scores.std(axis=0) / np.sqrt(n)
        assert (np.abs(scores.mean(axis=0) - [1.0, 2.0]) < 4.0 * error).all()
    both_wrong = multi_arm_scores(arm=arm, outcome=outcome, propensity=wrong_e, mu=wrong_mu)
    assert abs(both_wrong.mean(axis=0)[0] - 1.0) > 0.1


GOOD = {
    "rewards": np.ones((4, 2)),
    "costs": np.ones(2),
    "scores": np.ones((4, 2)),
    "budgets": [0.5],
    "groups": np.arange(4),
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rewards": np.ones(4)}, "one column per arm"),
        ({"rewards": np.full((4, 2), np.nan)}, "`rewards` must be finite; 8"),
        ({"costs": np.ones(3)}, "`costs` must have shape"),
        ({"costs": np.array([0.0, 1.0])}, "above 0"),
        ({"costs": np.array([np.nan, 1.0])}, "above 0"),
        ({"scores": np.ones((4, 3))}, "`scores`"),
        ({"scores": np.full((4, 2), np.inf)}, "`scores`"),
        ({"budgets": []}, "`budgets`"),
        ({"budgets": [1.0, 0.5]}, "`budgets`"),
        ({"budgets": [-1.0]}, "`budgets`"),
        ({"groups": np.arange(3)}, "`groups`"),
        ({"fold": np.zeros(5, dtype=int)}, "`fold`"),
    ],
)
def test_refusals_name_the_field(change, says):
    with pytest.raises(MetricError, match=says):
        cost_curve(**(GOOD | change))


def test_curves_of_other_draws_or_budgets_are_not_compared():
    first = cost_curve(**GOOD)
    with pytest.raises(MetricError, match="same `budgets` and `draws`"):
        first.minus(cost_curve(**GOOD))
    with pytest.raises(MetricError, match="`budget` must be one of"):
        first.gain_at(0.7)


def test_nothing_that_promises_a_gain_is_an_empty_path():
    curve_ = cost_curve(**(GOOD | {"rewards": np.full((4, 2), -1.0)}))
    assert curve_.gain.tolist() == np.zeros_like(curve_.gain).tolist()
    assert (
        cost_path(rewards=np.zeros((4, 2)), costs=np.ones(2)).assignment(budget=9.0).tolist()
        == [-1] * 4
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"arm": np.array([0, 3])}, "`arm` must hold 0"),
        ({"propensity": np.full((2, 3), 0.5)}, "add up to 1"),
        ({"propensity": np.array([[1.0, 0.0, 0.0]] * 2)}, "above 0"),
        ({"mu": np.zeros((2, 2))}, "one column per arm"),
    ],
)
def test_scores_refuse_what_does_not_fit(change, says):
    good = {
        "arm": np.array([0, 2]),
        "outcome": np.zeros(2),
        "propensity": np.full((2, 3), 1.0 / 3.0),
        "mu": np.zeros((2, 3)),
    }
    with pytest.raises(LearnerError, match=says):
        multi_arm_scores(**(good | change))
