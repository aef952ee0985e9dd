"""Values of policies against worlds whose best policy is known, and against loops to read."""

from __future__ import annotations

import pickle
from dataclasses import fields, replace

import numpy as np
import pytest

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.metrics.fold_dependence import choice_factor
from promo_uplift.metrics.gain import Weights, gain_at, rank_rows
from promo_uplift.policy import (
    PolicyCandidates,
    evaluate_policy,
    suite_table,
    suite_text,
    value_suite,
)
from promo_uplift.policy.suite_contacts import FitSource
from tests.unit.policy_worlds import (
    EFFECT,
    METRICS,
    MONEY,
    REDEEMS,
    THRESHOLD,
    K,
    policies,
    world,
)

TREE = {"max_depth": 2, "min_leaf_share": 0.05, "min_balancedness_tol": 0.45, "honest": True}
RULES = {
    "roi_optimal": {},
    "break_even": {},
    "risk_adjusted": {"lambdas": [0.0, 0.5]},
    "top_share": {"shares": [0.2, 0.5]},
    "policy_tree": TREE,
}
COST = MONEY.contact_cost_usd + MONEY.redemption_cost_usd * REDEEMS


def suite_of(inputs, scores, observed, made, **changed):
    return value_suite(
        policies=made,
        inputs=inputs,
        scores=scores,
        observed=observed,
        parameters=MONEY,
        intervals=METRICS,
        seed=3,
        **changed,
    )


@pytest.fixture(scope="module")
def known():
    inputs, scores, observed, effect = world()
    return inputs, scores, observed, effect, suite_of(inputs, scores, observed, policies(**RULES))


def diagonal(matrix, fold):
    return matrix[np.arange(len(fold)), fold]


def test_the_tree_finds_the_best_threshold_and_its_value(known):
    """Whoever visits above the threshold earns .5 x 20 - 2.2; the best rule is known."""
    _, _, _, effect, suite = known
    right = effect > 0
    assert np.mean((suite.contacts["policy_tree"] > 0) == right) > 0.99
    assert f"visits > {THRESHOLD:g}" in suite.rules["policy_tree"]
    best = float(np.mean(right * (MONEY.margin_rate * EFFECT - COST)))
    value = suite.valued["policy_tree"].profit_usd
    assert value.ci_low < best < value.ci_high
    assert value.estimate == pytest.approx(best, abs=0.25)
    assert suite.valued["all"].profit_usd.estimate == pytest.approx(
        float(np.mean(MONEY.margin_rate * effect - COST)), abs=0.25
    )


def test_a_value_is_the_mean_of_contacts_times_scores_with_its_clustered_interval(known):
    inputs, scores, _, _, suite = known
    for name in ("policy_tree", "break_even", "random", "top_share_20"):
        terms = suite.contacts[name] * diagonal(scores.profit, inputs.fold)
        found = suite.valued[name].profit_usd
        assert found.estimate == pytest.approx(terms.mean(), abs=1e-12)
        sums = np.bincount(inputs.groups, weights=terms - terms.mean())
        se = np.sqrt((sums**2).sum()) / len(terms)
        wide = choice_factor(n_folds=K) * 2 * 1.96 * se
        assert (found.ci_high - found.ci_low) / wide == pytest.approx(1.0, abs=0.2)


def test_profit_is_margin_on_outcome_less_cost_and_roi_their_ratio(known):
    suite = known[-1]
    for value in suite.valued.values():
        profit = MONEY.margin_rate * value.outcome_usd.estimate - value.cost_usd.estimate
        assert value.profit_usd.estimate == pytest.approx(profit, abs=1e-12)
        if value.cost_usd.estimate > 0:
            assert value.roi.estimate == pytest.approx(profit / value.cost_usd.estimate)
    assert suite.valued["none"].profit_usd.estimate == 0.0
    assert np.isnan(suite.valued["none"].roi.estimate)


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_a_top_share_is_the_gain_curve_times_margin_minus_cost(known, share):
    inputs, scores, _, _, suite = known
    outcome, cost = (diagonal(one, inputs.fold) for one in (scores.outcome, scores.cost))
    expected = 0.0
    for fold in range(K):
        rows = np.flatnonzero(inputs.fold == fold)
        weights = Weights.of(code=np.arange(len(rows)), counts=np.ones((len(rows), 1), np.uint8))
        ranked = rank_rows(ranking=inputs.cate[rows, fold], weights=weights)
        gain, spent = (
            gain_at(ranked=ranked, scores=one[rows], share=share)[0] for one in (outcome, cost)
        )
        expected += len(rows) / len(inputs.fold) * (MONEY.margin_rate * gain - spent)
    found = suite.valued[f"top_share_{share * 100:.0f}"]
    assert found.profit_usd.estimate == pytest.approx(expected, abs=1e-12)
    assert found.share.estimate == pytest.approx(share)


def test_the_ranked_shares_equal_those_of_the_policy_evaluation(known):
    """Another road to the same figures: choice and value of one learner, and its baselines."""
    inputs, scores, _, _, suite = known
    found = evaluate_policy(
        scores=scores,
        candidates=PolicyCandidates(
            cate={"one": inputs.cate},
            losses={"one": np.zeros_like(inputs.cate)},
            response=inputs.response,
        ),
        fold=inputs.fold,
        groups=inputs.groups,
        parameters=MONEY,
        intervals=METRICS,
        rng=np.random.default_rng(1),
    )
    for name, value in {"roi_optimal": found.chosen, **found.baselines}.items():
        mine = suite.valued[name]
        assert mine.profit_usd.estimate == pytest.approx(value.profit_usd.estimate, abs=1e-10)
        assert mine.share.estimate == pytest.approx(value.share.estimate, abs=1e-10)


def hajek(rows, contact, observed):
    """Normalised inverse propensity value against nobody, written out."""
    profit_1 = (
        MONEY.margin_rate * observed.outcome
        - MONEY.contact_cost_usd
        - MONEY.redemption_cost_usd * observed.redeemed
    )
    top = bottom = other_top = other_bottom = 0.0
    for i in rows:
        if observed.treatment[i] == 1:
            weight = contact[i] / observed.propensity[i]
            top, bottom = top + weight * profit_1[i], bottom + weight
        else:
            weight = contact[i] / (1 - observed.propensity[i])
            other_top += weight * MONEY.margin_rate * observed.outcome[i]
            other_bottom += weight
    return top / bottom - other_top / other_bottom


@pytest.mark.parametrize("name", ["policy_tree", "all", "random", "top_share_20"])
def test_the_weighted_value_equals_a_loop_and_is_near_the_doubly_robust(known, name):
    _, _, observed, _, suite = known
    contact = suite.contacts[name]
    by_hand = contact.mean() * hajek(range(len(contact)), contact, observed)
    value = suite.valued[name]
    assert value.ipw_profit_usd.estimate == pytest.approx(by_hand, abs=1e-10)
    assert value.ipw_profit_usd.estimate == pytest.approx(value.profit_usd.estimate, abs=0.6)
    assert suite.valued["none"].ipw_profit_usd.estimate == 0.0


def test_the_mailing_as_it_was_is_weighted_to_the_mailed(known):
    inputs, scores, observed, effect, suite = known
    value = suite.valued["current"]
    mailed = inputs.treatment == 1
    truth = float(np.mean(mailed * (MONEY.margin_rate * effect - COST)))
    assert value.profit_usd.estimate == pytest.approx(scores.current_profit.mean(), abs=1e-12)
    odds = observed.propensity / (1 - observed.propensity)
    control = np.average(observed.outcome[~mailed], weights=odds[~mailed])
    by_hand = mailed.mean() * (
        MONEY.margin_rate * (observed.outcome[mailed].mean() - control)
        - MONEY.contact_cost_usd
        - MONEY.redemption_cost_usd * observed.redeemed[mailed].mean()
    )
    assert value.ipw_profit_usd.estimate == pytest.approx(by_hand, abs=1e-10)
    assert value.profit_usd.ci_low < truth < value.profit_usd.ci_high


def spread(interval):
    return interval.ci_high - interval.ci_low


def test_differences_are_paired_and_bands_are_wider_than_intervals(known):
    suite = known[-1]
    for name, value in suite.valued.items():
        for baseline, found in value.minus.items():
            gap = value.profit_usd.estimate - suite.valued[baseline].profit_usd.estimate
            assert found.pointwise.estimate == pytest.approx(gap, abs=1e-12)
            if name == baseline:
                assert found.simultaneous.ci_low == found.simultaneous.ci_high == 0.0
    against_all = suite.valued["policy_tree"].minus["all"]
    assert against_all.pointwise.ci_low > 0.5
    width = spread(against_all.pointwise)
    assert width < spread(against_all.simultaneous) < 2.0 * width
    assert width < spread(suite.valued["all"].profit_usd)


def test_best_of_all_is_chosen_where_it_is_not_valued(known):
    """The same nested choice, written out with the policies themselves."""
    inputs, scores, _, _, suite = known
    made = policies(**RULES)
    assert set(suite.not_chosen) == {"current", "random"}
    source = FitSource(inputs=inputs, scores=scores, money=MONEY, seed=3)
    best = []
    for k in range(K):
        value = {}
        for name in set(made) - {"current", "random"}:
            total = 0.0
            for m in set(range(K)) - {k}:
                train = np.flatnonzero((inputs.fold != k) & (inputs.fold != m))
                apply = np.flatnonzero(inputs.fold == m)
                fitted = made[name].fit(
                    training=source.training(rows=train, column=k),
                    seed=source.seed_of(name, (k, m)),
                )
                contact = fitted.contact(view=inputs.view(rows=apply, column=k))
                total += contact @ scores.profit[apply, k]
            value[name] = total
        best.append(max(value, key=value.__getitem__))
    assert suite.chosen_by_fold == tuple(best)
    for fold, name in enumerate(best):
        rows = inputs.fold == fold
        assert np.array_equal(suite.contacts["best_of_all"][rows], suite.contacts[name][rows])
    assert suite.valued["best_of_all"].how == "honest"


def lost_world(seed):
    """Nobody responds, and effects are predicted by luck: every contact loses its cost."""
    inputs, scores, observed, effect = world(n_households=150, seed=seed, noise=60.0)
    luck = np.random.default_rng(seed).normal(size=inputs.cate.shape)
    lost = replace(
        scores,
        profit=scores.profit - MONEY.margin_rate * effect[:, np.newaxis],
        outcome=scores.outcome - effect[:, np.newaxis],
    )
    return replace(inputs, cate=luck), lost, observed


def test_the_honest_choice_holds_the_truth_and_the_winner_as_read_promises_too_much():
    """Eleven policies that differ by noise, in forty worlds without an effect."""
    shares = [0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.12]
    made = policies(top_share={"shares": shares})
    bias, covers = ({"best_of_all": [], "winner_as_read": []} for _ in range(2))
    for seed in range(40):
        inputs, scores, observed = lost_world(seed)
        suite = suite_of(inputs, scores, observed, made)
        assert suite.valued["winner_as_read"].how == "optimistic"
        candidates = set(made) - {"current", "random"}
        assert suite.valued["winner_as_read"].profit_usd.estimate == max(
            suite.valued[name].profit_usd.estimate for name in candidates
        )
        for name, errors in bias.items():
            value = suite.valued[name]
            truth = -COST * value.share.estimate
            errors.append(value.profit_usd.estimate - truth)
            covers[name].append(value.profit_usd.ci_low <= truth <= value.profit_usd.ci_high)
    honest, read = np.array(bias["best_of_all"]), np.array(bias["winner_as_read"])
    assert abs(honest.mean()) < 2.5 * honest.std() / np.sqrt(len(honest))
    assert read.mean() > 4.0 * read.std() / np.sqrt(len(read))
    assert np.mean(covers["best_of_all"]) >= 0.9


@pytest.mark.parametrize("n_folds", [3, 5, 10])
def test_the_factor_of_a_choice_is_that_of_choosing_all_or_nobody_by_the_other_folds(n_folds):
    noise = np.random.default_rng(1).normal(size=(200_000, n_folds))
    taken = noise.sum(axis=1, keepdims=True) - noise > 0
    error = np.sum(noise * taken, axis=1)
    naive = np.sum(taken, axis=1)
    found = np.sqrt(np.mean(error**2) / np.mean(naive))
    assert choice_factor(n_folds=n_folds) == pytest.approx(found, rel=0.01)


def test_without_errors_those_policies_are_left_out_with_a_reason():
    inputs, scores, observed, _ = world(n_households=200)
    made = policies(risk_adjusted={"lambdas": [0.0, 0.5]}, lower_bound={"level": 0.9})
    none = replace(inputs, cate_se=np.full_like(inputs.cate, np.nan))
    suite = suite_of(none, scores, observed, made)
    assert set(suite.not_valued) == {"risk_adjusted_0.5", "lower_bound"}
    table = suite_table(suite=suite, parameters=MONEY).set_index("policy")
    assert table.loc["lower_bound", "how"] == "not_valued"
    assert "standard error" in table.loc["lower_bound", "rule"]
    assert "lower_bound\n  Not valued." in suite_text(suite=suite, parameters=MONEY, width=90)
    diagonal_only = np.full_like(inputs.cate, np.nan)
    diagonal_only[np.arange(len(inputs.fold)), inputs.fold] = 4.0
    suite = suite_of(replace(inputs, cate_se=diagonal_only), scores, observed, made)
    assert suite.not_valued == {}
    assert {"risk_adjusted_0.5", "lower_bound"} <= set(suite.not_chosen)


def test_the_table_has_a_row_per_policy_and_every_column_a_figure(known):
    suite = known[-1]
    table = suite_table(suite=suite, parameters=MONEY).set_index("policy")
    assert list(table.index[-2:]) == ["best_of_all", "winner_as_read"]
    assert set(table["how"]) == {"fixed", "honest", "optimistic"}
    undefined = table.isna().any(axis=1)
    assert list(table.index[undefined]) == ["none"]
    assert table.loc["policy_tree", "profit_usd_minus_all_sim_low"] > 0
    text = suite_text(suite=suite, parameters=MONEY, width=90)
    assert "policy_tree\n  Contact if visits > 12.5" in text
    assert max(len(line) for line in text.splitlines()) <= 90


def test_policies_and_suites_travel_between_processes(known):
    inputs, *_, suite = known
    made = pickle.loads(pickle.dumps(policies(**RULES)))  # noqa: S301
    assert list(made) == list(policies(**RULES))
    again = pickle.loads(pickle.dumps(suite))  # noqa: S301
    view = inputs.view(rows=np.arange(50), column=0)
    for name, fitted in suite.fitted.items():
        if name != "current":
            assert np.array_equal(again.fitted[name].contact(view=view), fitted.contact(view=view))
    assert again.rules == suite.rules


def test_the_order_of_rows_does_not_matter():
    inputs, scores, observed, _ = world(n_households=150)
    made = policies(roi_optimal={}, budget={"budget_usd": 90.0}, break_even={})
    order = np.random.default_rng(0).permutation(len(inputs.fold))
    moved = replace(
        inputs,
        covariates=inputs.covariates.iloc[order],
        **{
            one.name: getattr(inputs, one.name)[order]
            for one in fields(inputs)
            if one.name not in ("covariates", "segment")
        },
    )
    scores_moved = type(scores)(*(getattr(scores, name)[order] for name in scores.__slots__))
    observed_moved = type(observed)(
        *(getattr(observed, name)[order] for name in observed.__slots__)
    )
    one = suite_of(inputs, scores, observed, made)
    two = suite_of(moved, scores_moved, observed_moved, made)
    for name, value in one.valued.items():
        assert two.valued[name].profit_usd.estimate == pytest.approx(
            value.profit_usd.estimate, abs=1e-10
        )


class Wrong:
    """A policy that contacts with probability 2."""

    is_the_mailing_as_it_was = False

    def lacks(self, *, view, money):
        return None

    def fit(self, *, training, seed):
        return self

    def contact(self, *, view):
        return np.full(len(view), 2.0)

    def describe(self):
        return "Twice."


def test_a_policy_that_returns_no_probability_is_refused():
    inputs, scores, observed, _ = world(n_households=50)
    with pytest.raises(PolicyError, match="of policy `wrong` must return one probability"):
        suite_of(inputs, scores, observed, policies() | {"wrong": Wrong()})


def test_baselines_and_matrices_of_the_right_shape_are_asked_for():
    inputs, scores, observed, _ = world(n_households=50)
    with pytest.raises(PolicyError, match="must hold the baselines"):
        suite_of(inputs, scores, observed, {"none": policies()["none"]})
    with pytest.raises(PolicyError, match="`response` must be of shape"):
        replace(inputs, response=inputs.response[:, :2])
    with pytest.raises(PolicyError, match="`cate` must be finite; 1 of"):
        replace(inputs, cate=np.where(np.arange(100)[:, None] + np.arange(K) == 0, np.nan, 1.0))
