"""Who becomes champion, against a clustered regression of statsmodels and by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import ttest_rel

from promo_uplift.contracts.errors import PolicyError, ScoringError
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.policy import (
    DataContract,
    LoadedModel,
    PolicyRows,
    champion_gate,
    scored_policy_rows,
    standing_policy_rows,
)

MONEY = {
    "margin_rate": 0.25,
    "contact_cost_usd": 0.75,
    "redemption_cost_usd": 1.0,
    "values_are_assumptions": True,
    "grid_points": 11,
    "support_quantile": 0.0,
}
KNOWN = PolicyParameters.model_validate(MONEY)
HOUSEHOLDS = np.repeat(np.arange(40), 3)


def rows_of(profit):
    nothing = np.zeros(len(profit))
    return PolicyRows(nothing, nothing, nothing, nothing, profit)


def gate(*, gain, verdict="publish", level=0.95, noise=1.0):
    rng = np.random.default_rng(0)
    champion = rng.normal(size=len(HOUSEHOLDS))
    challenger = champion + gain + noise * rng.normal(size=len(HOUSEHOLDS))
    decision = champion_gate(
        verdict=verdict,
        challenger=rows_of(challenger),
        champion=rows_of(champion),
        groups=HOUSEHOLDS,
        level=level,
        factor=1.0,
        policy=KNOWN,
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
        challenger=rows_of(np.full(4, -1.0)),
        champion=None,
        groups=np.arange(4),
        level=0.95,
        factor=1.0,
        policy=KNOWN,
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
        challenger=rows_of(challenger),
        champion=rows_of(champion),
        groups=np.arange(4_000),
        level=0.95,
        factor=1.0,
        policy=KNOWN,
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
            challenger=rows_of(thrice),
            champion=rows_of(np.zeros(120)),
            groups=groups,
            level=0.95,
            factor=1.0,
            policy=KNOWN,
        ).difference
        return found.ci_high - found.ci_low

    assert width(HOUSEHOLDS) == pytest.approx(np.sqrt(3) * width(np.arange(120)))


def test_a_factor_is_on_the_error_of_the_rows_and_not_on_that_of_money():
    rng = np.random.default_rng(3)
    rows = replace(rows_of(rng.normal(1.0, 2.0, 120)), contact=np.ones(120))
    unknown = PolicyParameters.model_validate(
        MONEY | {"contact_cost_usd": {"normal": {"mean": 0.75, "sd": 0.2}}}
    )

    def reach(policy, factor):
        found = champion_gate(
            verdict="publish",
            challenger=rows,
            champion=rows_of(np.zeros(120)),
            groups=HOUSEHOLDS,
            level=0.95,
            factor=factor,
            policy=policy,
        ).difference
        return (found.ci_high - found.ci_low) / 2.0

    assert reach(KNOWN, 1.3) == pytest.approx(1.3 * reach(KNOWN, 1.0))
    of_money = np.sqrt(reach(unknown, 1.0) ** 2 - reach(KNOWN, 1.0) ** 2)
    assert of_money > 0.0
    assert reach(unknown, 1.3) == pytest.approx(np.hypot(1.3 * reach(KNOWN, 1.0), of_money))


def test_profits_of_other_rows_are_refused():
    with pytest.raises(PolicyError, match=r"`champion` .* found \(3,\), expected \(4,\)"):
        champion_gate(
            verdict="publish",
            challenger=rows_of(np.zeros(4)),
            champion=rows_of(np.zeros(3)),
            groups=np.arange(4),
            level=0.95,
            factor=1.0,
            policy=KNOWN,
        )


FOLD = np.array([0, 0, 0, 1, 1, 1])
PROFIT = np.arange(12.0).reshape(6, 2)
SCORES = SimpleNamespace(profit=PROFIT, cost=PROFIT, outcome=PROFIT, redemption=PROFIT)


@dataclass
class Standing:
    encoder: None = None
    contract: DataContract | None = None

    def contacted(self, households):
        return households["effect"].to_numpy() >= 2.0


def test_a_standing_model_mails_whom_its_own_rule_contacts():
    covariates = pd.DataFrame({"effect": [2.0, 1.9, np.nan, 5.0, 0.0, 2.1]})
    data = SimpleNamespace(covariates=covariates, encoder=None)
    rows = scored_policy_rows(scores=SCORES, model=Standing(), data=data, fold=FOLD)
    np.testing.assert_array_equal(rows.profit, [0.0, 0.0, 0.0, 7.0, 0.0, 11.0])


MADE_FOR = {"trials.pre_days": 84, "estimation.outcome": "spend_usd", "policy.margin_rate": 0.25}
COVARIATES = pd.DataFrame({"effect": [2.0, 1.9, np.nan, 5.0, 0.0, 2.1]})


class Elsewhere(Standing):
    def contacted(self, households):
        raise ScoringError("Every training covariate must be a column; missing 1 of 1: `spend`.")


def contract(**changed):
    return DataContract(("effect",), ("effect",), "package-1", {**MADE_FOR, **changed})


def registered(model):
    return SimpleNamespace(load=lambda: LoadedModel(model))


def standing_rows(model, challenger=None):
    return standing_policy_rows(
        scores=SCORES,
        standing=None if model is None else registered(model),
        contract=challenger,
        data=SimpleNamespace(covariates=COVARIATES, encoder=None),
        fold=FOLD,
    )


def test_no_standing_champion_has_no_profit_and_no_excuse():
    assert standing_rows(None) == (None, "")


@pytest.mark.parametrize("made_with", [None, contract(), contract(**{"policy.margin_rate": 0.3})])
def test_a_champion_of_the_same_question_is_compared_whatever_its_money(made_with):
    rows, reason = standing_rows(Standing(contract=made_with), contract())
    assert reason == ""
    np.testing.assert_array_equal(rows.profit, [0.0, 0.0, 0.0, 7.0, 0.0, 11.0])


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
    rows, reason = standing_rows(standing, contract())
    assert rows is None
    decision = champion_gate(
        verdict="publish",
        challenger=rows_of(np.full(4, 100.0)),
        champion=rows,
        groups=np.arange(4),
        level=0.95,
        factor=1.0,
        policy=KNOWN,
        incomparable=reason,
    )
    assert not decision.promote
    assert decision.reason.startswith("The standing champion cannot be compared, and stays: ")
    assert said in decision.reason


def test_a_champion_that_cannot_be_loaded_stays_and_the_reason_says_why():
    def load():
        raise ScoringError("Version 1 of `promo_uplift` cannot be used here: no `Ranges.high`.")

    profit, reason = standing_policy_rows(
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
        challenger=rows_of(np.zeros(4)),
        champion=None,
        groups=np.arange(4),
        level=0.95,
        factor=1.0,
        policy=KNOWN,
        incomparable="it was made for something else.",
    )
    assert "bounds_only" in decision.reason


@pytest.mark.parametrize(
    ("changed", "adds"),
    [
        ({}, 0.0),
        # mean outcome, share and redemptions that the two policies differ by
        ({"margin_rate": {"normal": {"mean": 0.25, "sd": 0.04}}}, 0.04 * 3.0),
        ({"contact_cost_usd": {"normal": {"mean": 0.75, "sd": 0.1}}}, 0.1 * 0.5),
        ({"redemption_cost_usd": {"uniform": {"low": 0.0, "high": 2.0}}}, 2 / 12**0.5 * 0.2),
        (
            {
                "contact_cost_usd": {"normal": {"mean": 0.75, "sd": 0.1}},
                "margin_rate": {"normal": {"mean": 0.25, "sd": 0.04}},
            },
            np.hypot(0.05, 0.12),
        ),
    ],
)
def test_unknown_money_widens_the_interval_by_as_much_as_the_policies_differ(changed, adds):
    rng = np.random.default_rng(4)
    n = 900
    outcome = rng.normal(size=n)
    everyone = PolicyRows.everyone(
        outcome=outcome - outcome.mean() + 6.0,
        redemption=np.full(n, 0.4),
        parameters=KNOWN,
    )
    champion = everyone.times(np.repeat([1.0, 0.0], n // 2))
    challenger = PolicyRows(
        champion.contact + 0.5,
        champion.outcome + (everyone.outcome - 3.0),
        champion.redemption + 0.2,
        champion.cost,
        champion.profit + 0.25 * (everyone.outcome - 3.0) - 0.5 * 0.75 - 0.2,
    )

    def half_width(policy):
        found = champion_gate(
            verdict="publish",
            challenger=challenger,
            champion=champion,
            groups=np.arange(n),
            policy=policy,
            level=0.95,
            factor=1.0,
        ).difference
        return (found.ci_high - found.ci_low) / 2.0

    known = half_width(KNOWN)
    assert known == pytest.approx(1.959964 * 0.25 * everyone.outcome.std() / n**0.5)
    unknown = half_width(PolicyParameters.model_validate(MONEY | changed))
    assert unknown == pytest.approx(np.hypot(known, 1.959964 * adds), rel=1e-4)
    if not adds:
        assert unknown == known


def test_what_both_models_contact_alike_owes_nothing_to_money():
    rng = np.random.default_rng(5)
    everyone = PolicyRows.everyone(
        outcome=rng.normal(5.0, 1.0, 60), redemption=np.zeros(60), parameters=KNOWN
    )
    unknown = {"margin_rate": {"uniform": {"low": 0.0, "high": 0.5}}}
    found = champion_gate(
        verdict="publish",
        challenger=everyone,
        champion=everyone,
        groups=np.arange(60),
        policy=PolicyParameters.model_validate(MONEY | unknown),
        level=0.95,
        factor=1.0,
    )
    assert (found.difference.ci_low, found.difference.ci_high) == (0.0, 0.0)
