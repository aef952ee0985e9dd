"""Who becomes champion, against a clustered regression of statsmodels and by hand."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import ttest_rel

from promo_uplift.contracts.errors import PolicyError, ScoringError
from promo_uplift.policy import (
    DataContract,
    LoadedModel,
    champion_gate,
    chosen_policy_profit,
    scored_policy_profit,
    standing_policy_profit,
)

HOUSEHOLDS = np.repeat(np.arange(40), 3)


def gate(*, gain, verdict="publish", level=0.95, noise=1.0):
    rng = np.random.default_rng(0)
    champion = rng.normal(size=len(HOUSEHOLDS))
    challenger = champion + gain + noise * rng.normal(size=len(HOUSEHOLDS))
    decision = champion_gate(
        verdict=verdict,
        challenger_profit_usd=challenger,
        champion_profit_usd=champion,
        groups=HOUSEHOLDS,
        level=level,
        is_money_stated=True,
    )
    return decision, challenger - champion


@pytest.mark.parametrize("verdict", ["bounds_only", "experiment_needed", "refuse"])
def test_no_verdict_but_publish_promotes_even_a_far_better_model(verdict):
    decision, _ = gate(gain=100.0, verdict=verdict)
    assert not decision.promote
    assert decision.difference is None
    assert verdict in decision.reason


def test_the_first_publishable_model_becomes_champion():
    decision = champion_gate(
        verdict="publish",
        challenger_profit_usd=np.full(4, -1.0),
        champion_profit_usd=None,
        groups=np.arange(4),
        level=0.95,
        is_money_stated=True,
    )
    assert decision.promote
    assert decision.difference is None
    assert "no champion stands" in decision.reason


@pytest.mark.parametrize(("gain", "promotes"), [(5.0, True), (0.0, False), (-5.0, False)])
def test_a_standing_champion_yields_only_to_an_interval_above_zero(gain, promotes):
    decision, _ = gate(gain=gain)
    assert decision.promote is promotes
    assert (decision.difference.ci_low > 0) is promotes
    assert ("is above the" in decision.reason) is promotes


def test_a_gain_that_is_not_sure_does_not_promote():
    decision, difference = gate(gain=0.2)
    assert difference.mean() > 0
    assert not decision.promote


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_interval_is_that_of_a_clustered_regression_on_a_constant(level):
    decision, difference = gate(gain=0.3, level=level)
    fit = sm.OLS(difference, np.ones(len(difference))).fit(
        cov_type="cluster",
        cov_kwds={"groups": HOUSEHOLDS, "use_correction": False},
    )
    low, high = fit.conf_int(alpha=1 - level)[0]
    found = decision.difference
    np.testing.assert_allclose(
        [found.estimate, found.ci_low, found.ci_high], [fit.params[0], low, high], rtol=1e-10
    )


def test_with_one_row_per_household_it_is_the_paired_t_test_but_for_its_small_sample():
    rng = np.random.default_rng(2)
    champion, challenger = rng.normal(size=4_000), rng.normal(0.1, 1.0, size=4_000)
    decision = champion_gate(
        verdict="publish",
        challenger_profit_usd=challenger,
        champion_profit_usd=champion,
        groups=np.arange(4_000),
        level=0.95,
        is_money_stated=True,
    )
    interval = ttest_rel(challenger, champion).confidence_interval(0.95)
    assert decision.difference.ci_low == pytest.approx(interval.low, abs=1e-4)
    assert decision.difference.ci_high == pytest.approx(interval.high, abs=1e-4)


def test_rows_of_one_household_are_not_independent():
    """Three equal rows of a household hold one household's news: the error grows by root 3."""
    base = np.random.default_rng(1).normal(size=40)
    thrice = np.repeat(base, 3)

    def width(groups):
        found = champion_gate(
            verdict="publish",
            challenger_profit_usd=thrice,
            champion_profit_usd=np.zeros(120),
            groups=groups,
            level=0.95,
            is_money_stated=True,
        ).difference
        return found.ci_high - found.ci_low

    assert width(HOUSEHOLDS) == pytest.approx(np.sqrt(3) * width(np.arange(120)))


def test_profits_of_other_rows_are_refused():
    with pytest.raises(
        PolicyError, match=r"`champion_profit_usd` .* found \(3,\), expected \(4,\)"
    ):
        champion_gate(
            verdict="publish",
            challenger_profit_usd=np.zeros(4),
            champion_profit_usd=np.zeros(3),
            groups=np.arange(4),
            level=0.95,
            is_money_stated=True,
        )


FOLD = np.array([0, 0, 0, 1, 1, 1])
SCORES = SimpleNamespace(profit=np.arange(12.0).reshape(6, 2))


def test_the_chosen_policy_mails_each_folds_top_share_with_the_learner_chosen_for_it():
    cate = {
        "a": np.array([[3, 0], [2, 0], [1, 0], [0, 9], [0, 9], [0, 9]], dtype=float),
        "b": np.array([[0, 0], [0, 0], [0, 0], [0, 1], [0, 3], [0, 2]], dtype=float),
    }
    evaluation = SimpleNamespace(learner_by_fold=("a", "b"), share_by_fold=(1 / 3, 2 / 3))
    profit = chosen_policy_profit(scores=SCORES, cate=cate, evaluation=evaluation, fold=FOLD)
    # fold 0 by a: its first row, column 0; fold 1 by b: its second and third, column 1
    np.testing.assert_array_equal(profit, [0.0, 0.0, 0.0, 0.0, 9.0, 11.0])


@dataclass
class Standing:
    cate_threshold_usd: float = 2.0
    encoder: None = None
    contract: DataContract | None = None

    def score(self, households):
        return pd.DataFrame({"cate_usd": households["effect"]})


def test_a_standing_model_mails_from_its_own_threshold_and_nobody_that_it_cannot_score():
    covariates = pd.DataFrame({"effect": [2.0, 1.9, np.nan, 5.0, 0.0, 2.1]})
    data = SimpleNamespace(covariates=covariates, encoder=None)
    profit = scored_policy_profit(scores=SCORES, model=Standing(), data=data, fold=FOLD)
    np.testing.assert_array_equal(profit, [0.0, 0.0, 0.0, 7.0, 0.0, 11.0])


MADE_FOR = {"trials.pre_days": 84, "estimation.outcome": "spend_usd", "policy.margin_rate": 0.25}
COVARIATES = pd.DataFrame({"effect": [2.0, 1.9, np.nan, 5.0, 0.0, 2.1]})


class Elsewhere(Standing):
    def score(self, households):
        raise ScoringError("Every training covariate must be a column; missing 1 of 1: `spend`.")


def contract(**changed):
    return DataContract(("effect",), ("effect",), "package-1", {**MADE_FOR, **changed})


def registered(model):
    return SimpleNamespace(load=lambda: LoadedModel(model))


def standing_profit(model, challenger=None):
    return standing_policy_profit(
        scores=SCORES,
        standing=None if model is None else registered(model),
        contract=challenger,
        data=SimpleNamespace(covariates=COVARIATES, encoder=None),
        fold=FOLD,
    )


def test_no_standing_champion_has_no_profit_and_no_excuse():
    assert standing_profit(None) == (None, "")


@pytest.mark.parametrize("made_with", [None, contract(), contract(**{"policy.margin_rate": 0.3})])
def test_a_champion_of_the_same_question_is_compared_whatever_its_money(made_with):
    profit, reason = standing_profit(Standing(contract=made_with), contract())
    assert reason == ""
    np.testing.assert_array_equal(profit, [0.0, 0.0, 0.0, 7.0, 0.0, 11.0])


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (Elsewhere(), "missing 1 of 1: `spend`"),
        (Standing(contract=contract(**{"trials.pre_days": 56})), "`trials.pre_days` 56 (now 84)"),
        (Standing(contract=contract(**{"estimation.outcome": "visits"})), "`estimation.outcome`"),
    ],
)
def test_a_champion_that_cannot_be_compared_stays_and_the_reason_says_why(standing, said):
    """The run goes on: its model is the challenger."""
    profit, reason = standing_profit(standing, contract())
    assert profit is None
    decision = champion_gate(
        verdict="publish",
        challenger_profit_usd=np.full(4, 100.0),
        champion_profit_usd=profit,
        groups=np.arange(4),
        level=0.95,
        is_money_stated=True,
        incomparable=reason,
    )
    assert not decision.promote
    assert decision.reason.startswith("The standing champion cannot be compared, and stays: ")
    assert said in decision.reason


def test_a_champion_that_cannot_be_loaded_stays_and_the_reason_says_why():
    def load():
        raise ScoringError("Version 1 of `promo_uplift` cannot be used here: no `Ranges.high`.")

    profit, reason = standing_policy_profit(
        scores=SCORES,
        standing=SimpleNamespace(load=load),
        contract=contract(),
        data=SimpleNamespace(covariates=COVARIATES, encoder=None),
        fold=FOLD,
    )
    assert profit is None
    assert "cannot be used here: no `Ranges.high`" in reason


def test_a_verdict_that_does_not_allow_it_is_said_before_a_champion_that_cannot_be_compared():
    decision = champion_gate(
        verdict="bounds_only",
        challenger_profit_usd=np.zeros(4),
        champion_profit_usd=None,
        groups=np.arange(4),
        level=0.95,
        is_money_stated=True,
        incomparable="it was made for something else.",
    )
    assert "bounds_only" in decision.reason
