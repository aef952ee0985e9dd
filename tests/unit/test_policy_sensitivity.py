"""Hidden traits that turn a policy's profit around: bounds against outside truths."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog
from scipy.special import expit

from promo_uplift.analysis.hidden_confounding import sensitivity_sentence
from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import (
    CovariateGroup,
    SensitivityParameters,
    WordingParameters,
)
from promo_uplift.contracts.results import TrialData
from promo_uplift.policy.contacts import contact_weights
from promo_uplift.policy.extremes import extreme_average
from promo_uplift.policy.sensitivity import (
    NOBODY,
    RANDOMISED,
    TOO_FEW,
    Contacts,
    PolicySensitivity,
    ProfitOutcomes,
    bound_policy,
)
from promo_uplift.policy.yardsticks import confounding_yardsticks

PARAMETERS = SensitivityParameters(
    strengths=[1.0, 1.2, 2.0],
    max_strength=10.0,
    tolerance=1e-4,
    replicates=60,
    strata=1,
    min_stratum_rows=20,
    yardsticks=[],
    yardstick_quantile=0.95,
    yardstick_c=0.1,
    yardstick_max_rows=1000,
)


def largest_by_linear_programme(values, weights, strength):
    """Charnes & Cooper: numerators scaled so that the denominator is 1."""
    n = len(values)
    bounds_of_ratio = np.vstack(
        [
            np.column_stack([np.eye(n), -strength * np.ones(n)]),
            np.column_stack([-np.eye(n), np.ones(n) / strength]),
        ]
    )
    solved = linprog(
        np.r_[-weights * values, 0.0],
        A_ub=bounds_of_ratio,
        b_ub=np.zeros(2 * n),
        A_eq=np.r_[weights, 0.0][np.newaxis],
        b_eq=[1.0],
        bounds=(0.0, None),
    )
    assert solved.success
    return -solved.fun


@pytest.mark.parametrize("seed", range(8))
def test_one_sort_solves_the_linear_fractional_programme(seed):
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(size=12), 1)  # with ties
    weights = rng.uniform(0, 3, size=12) * (rng.uniform(size=12) < 0.8)
    strength = 1.0 + rng.exponential()
    largest = extreme_average(values=values, weights=weights, strength=strength, largest=True)
    assert largest == pytest.approx(largest_by_linear_programme(values, weights, strength))
    smallest = extreme_average(values=values, weights=weights, strength=strength, largest=False)
    assert smallest == pytest.approx(-largest_by_linear_programme(-values, weights, strength))


def outcomes_of(rng, n=600, gain=2.0, is_randomised=False):
    x = rng.normal(size=n)
    e = expit(0.6 * x)
    treatment = (rng.uniform(size=n) < e).astype(np.int64)
    seen = 5.0 + x + gain * treatment + rng.normal(size=n)
    return x, ProfitOutcomes(
        treatment=treatment,
        seen=seen,
        predicted_treated=5.2 + 0.8 * x + gain,
        predicted_control=4.9 + 0.8 * x,
        odds=e / (1.0 - e),
        groups=np.arange(n),
        is_randomised=is_randomised,
    )


def bounds(contacts, outcomes, seed=0, factor=1.0, **changed):
    return bound_policy(
        policy="chosen",
        against="none",
        contacts=contacts,
        outcomes=outcomes,
        parameters=PARAMETERS.model_copy(update=changed),
        level=0.95,
        factor=factor,
        rng=np.random.default_rng(seed),
    )


def test_without_a_hidden_trait_it_is_the_normalised_doubly_robust_value():
    x, out = outcomes_of(np.random.default_rng(1))
    w = np.clip(x, 0.0, 1.0)
    t = out.treatment == 1

    def unseen(residual, donors, odds):
        targets = w * ~donors
        return targets.mean() * np.average(residual[donors], weights=(w * odds)[donors])

    value = (w * (out.predicted_treated - out.predicted_control)).mean()
    own = np.where(t, out.seen - out.predicted_treated, out.predicted_control - out.seen)
    value += (w * own).mean()
    value += unseen(out.seen - out.predicted_treated, t, 1.0 / out.odds)
    value -= unseen(out.seen - out.predicted_control, ~t, out.odds)
    found = bounds(Contacts.of_rule(w), out)
    first = found.table.iloc[0]
    assert found.estimate == pytest.approx(value)
    assert first["low"] == pytest.approx(value)
    assert first["high"] == pytest.approx(value)
    # without the normalisation: the doubly robust score
    e = out.odds / (1.0 + out.odds)
    score = out.predicted_treated - out.predicted_control
    score += np.where(t, (out.seen - out.predicted_treated) / e, 0.0)
    score -= np.where(t, 0.0, (out.seen - out.predicted_control) / (1.0 - e))
    assert found.estimate == pytest.approx((w * score).mean(), abs=0.02)


def test_the_mailing_as_it_was_is_the_effect_on_the_mailed():
    _, out = outcomes_of(np.random.default_rng(2))
    t = out.treatment == 1
    displaced = np.average((out.seen - out.predicted_control)[~t], weights=out.odds[~t])
    effect = (out.seen - out.predicted_control)[t].mean() - displaced
    found = bounds(Contacts.as_mailed(len(t)), out)
    assert found.estimate == pytest.approx(t.mean() * effect)
    # what the mailed spent was seen: only the other arm is uncertain, on the low side of all rows
    everybody = bounds(Contacts.of_rule(np.ones(len(t))), out)
    width = np.diff(found.table[["low", "high"]].to_numpy(), axis=1)[-1]
    assert width < np.diff(everybody.table[["low", "high"]].to_numpy(), axis=1)[-1]


def test_bounds_widen_and_meet_zero_at_the_critical_strength():
    x, out = outcomes_of(np.random.default_rng(3), gain=0.6)
    found = bounds(Contacts.of_rule((x > 0).astype(float)), out)
    table = found.table
    assert (np.diff(table["low"]) < 0).all()
    assert (np.diff(table["high"]) > 0).all()
    assert (table["ci_low"] < table["low"]).all()
    assert 1.0 <= found.critical_strength_ci < found.critical_strength < 10.0
    at = bounds(
        Contacts.of_rule((x > 0).astype(float)), out, strengths=[1.0, found.critical_strength]
    )
    assert at.table["low"].iloc[1] == pytest.approx(0.0, abs=1e-3)
    if found.critical_strength_ci > 1.0:
        assert table["ci_low"].iloc[0] > 0.0


def test_a_loss_is_turned_around_by_its_upper_bound():
    x, out = outcomes_of(np.random.default_rng(3), gain=0.6)
    gains = bounds(Contacts.of_rule((x > 0).astype(float)), out)
    loses = bounds(Contacts.of_rule(-(x > 0).astype(float)), out)
    assert loses.estimate == pytest.approx(-gains.estimate)
    assert loses.critical_strength == pytest.approx(gains.critical_strength)
    np.testing.assert_allclose(loses.table["high"], -gains.table["low"])


def test_strata_sharpen_the_bounds_where_the_spread_grows_with_the_mean():
    rng = np.random.default_rng(4)
    x, out = outcomes_of(rng, n=4_000)
    spread = np.exp(2.0 * x) * rng.normal(size=len(x))
    out = ProfitOutcomes(
        treatment=out.treatment,
        seen=out.seen + spread,
        predicted_treated=out.predicted_treated,
        predicted_control=out.predicted_control,
        odds=out.odds,
        groups=out.groups,
        is_randomised=False,
    )
    everybody = Contacts.of_rule(np.ones(len(x)))
    one, many = (bounds(everybody, out, strata=number).table.iloc[-1] for number in (1, 10))
    assert many["high"] - many["low"] < 0.97 * (one["high"] - one["low"])


def confounded(rng, n=1_500, loading=0.4, effect=1.0):
    """Half of the households have a trait that raises spend and the odds of a mailing alike."""
    x, trait = rng.normal(size=n), rng.choice([-1.0, 1.0], size=n)
    complete = expit(0.5 * x + loading * trait)
    high, low = expit(0.5 * x + loading), expit(0.5 * x - loading)
    e = (high + low) / 2.0
    treatment = (rng.uniform(size=n) < complete).astype(np.int64)
    mean = 3.0 + x + 2.0 * trait
    seen = mean + effect * treatment + 0.3 * rng.normal(size=n)
    # what a perfect model of the observed arms would say
    with_trait = (high / (2.0 * e), (1.0 - high) / (2.0 * (1.0 - e)))
    predicted = [3.0 + x + 2.0 * (2.0 * share - 1.0) for share in with_trait]
    odds = e / (1.0 - e)
    strength = max((high / (1 - high) / odds).max(), (odds / (low / (1 - low))).max())
    outcomes = ProfitOutcomes(
        treatment=treatment,
        seen=seen,
        predicted_treated=predicted[0] + effect,
        predicted_control=predicted[1],
        odds=odds,
        groups=np.arange(n),
        is_randomised=False,
    )
    return (x > -0.3).astype(float), outcomes, strength


def test_bounds_hold_the_truth_of_a_hidden_trait_and_narrower_ones_do_not():
    held = {"none": 0, "weaker": 0, "as strong": 0}
    worlds = 60
    for seed in range(worlds):
        w, out, strength = confounded(np.random.default_rng(seed))
        truth = w.mean() * 1.0
        found = bounds(
            Contacts.of_rule(w), out, seed=seed, strengths=[1.0, strength**0.5, strength]
        ).table
        inside = (found["ci_low"] <= truth) & (truth <= found["ci_high"])
        for name, is_inside in zip(held, inside, strict=True):
            held[name] += int(is_inside)
    assert held["as strong"] >= 0.95 * worlds
    assert held["none"] == 0
    assert held["weaker"] < 0.5 * worlds


def test_where_there_are_no_bounds_it_says_why():
    x, randomised = outcomes_of(np.random.default_rng(5), is_randomised=True)
    everybody = Contacts.of_rule(np.ones(len(x)))
    assert bounds(everybody, randomised).reason == RANDOMISED
    _, out = outcomes_of(np.random.default_rng(5))
    assert bounds(everybody.minus(everybody), out).reason == NOBODY
    few = bounds(Contacts.of_rule((x > 2.0).astype(float)), out)
    assert few.reason == TOO_FEW
    assert few.table.empty
    assert np.isnan(few.critical_strength)


def test_yardsticks_find_what_decided_who_was_mailed():
    rng = np.random.default_rng(8)
    n = 4_000
    x = rng.normal(size=(n, 3))
    data = TrialData(
        covariates=pd.DataFrame(x, columns=["strong", "weak_1", "weak_2"]),
        treatment=(rng.uniform(size=n) < expit(1.0 * x[:, 0] + 0.2 * x[:, 1])).astype(np.int64),
        outcome=np.zeros(n),
        redeemed=np.zeros(n),
        groups=np.arange(n),
        campaign=np.ones(n, dtype=np.int64),
    )
    changed = PARAMETERS.model_copy(
        update={
            "yardsticks": [CovariateGroup(name="weak", patterns=["weak_*"])],
            "yardstick_max_rows": 3_500,
        }
    )
    fold = np.arange(n) % 3
    found = confounding_yardsticks(data=data, fold=fold, parameters=changed, rng=rng)
    assert found["covariates"].to_list() == ["strong", "weak"]
    assert found["n_rows"].to_list() == [3_500, 3_500]
    # 95 % of a standard normal lie within 1.96, and its slope on the log-odds is 1
    assert found["strength"].iloc[0] == pytest.approx(np.exp(1.96), rel=0.15)
    assert found["strength"].iloc[1] == pytest.approx(np.exp(0.2 * 1.96), rel=0.15)
    one = changed.model_copy(update={"yardsticks": [CovariateGroup(name="all", patterns=["*"])]})
    assert confounding_yardsticks(data=data, fold=fold, parameters=one, rng=rng).empty


YARDSTICKS = pd.DataFrame({"covariates": ["campaigns", "past spend"], "strength": [4.0, 2.0]})


@pytest.mark.parametrize(
    ("estimate", "critical", "with_interval", "said"),
    [
        (1.5, 2.0**0.5, 1.2, "factor of 1.41 (0.5 times as strong as past spend) turns its gain"),
        (-1.5, 1.1, 1.0, "turns its loss of 1.50 USD per household around; its interval holds 0"),
        (1.5, 4.0, np.inf, "its interval excludes 0 up to 10"),
        (1.5, np.inf, np.inf, "no hidden trait that changes the odds of being mailed by up to"),
        (np.nan, np.nan, np.nan, "no bounds under a hidden trait (because)"),
    ],
)
def test_the_sentence_says_what_the_bounds_mean(estimate, critical, with_interval, said):
    reason = "because" if np.isnan(estimate) else ""
    table = pd.DataFrame()
    words = sensitivity_sentence(
        PolicySensitivity("chosen", "none", estimate, table, critical, with_interval, reason),
        yardsticks=YARDSTICKS,
        yardstick="past spend",
        max_strength=10.0,
        unit="USD",
        wording=WordingParameters(
            unit="USD",
            decimals=2,
            treatment="mailing",
            treated="mailed",
            subject="household",
            subjects="households",
            horizon="",
        ),
    )
    assert said in words


def test_weights_that_are_no_chances_are_refused():
    _, out = outcomes_of(np.random.default_rng(6))
    with pytest.raises(PolicyError, match=r"\[-1, 1\]"):
        bounds(Contacts.of_rule(np.full(len(out.seen), 1.5)), out)
    with pytest.raises(PolicyError, match="one chance per row"):
        bounds(Contacts.of_rule(np.ones(3)), out)


def test_strengths_must_begin_without_a_hidden_trait():
    with pytest.raises(ValueError, match="begin at 1"):
        SensitivityParameters.model_validate(PARAMETERS.model_dump() | {"strengths": [1.1, 1.2]})


def test_blocks_of_replicates_change_nothing(monkeypatch):
    x, out = outcomes_of(np.random.default_rng(7))
    contacts = Contacts.of_rule((x > 0).astype(float))
    whole = bounds(contacts, out)
    monkeypatch.setattr("promo_uplift.policy.sensitivity.BLOCK", 3_000)
    blocked = bounds(contacts, out)
    pd.testing.assert_frame_equal(whole.table, blocked.table)
    assert whole.critical_strength_ci == blocked.critical_strength_ci


def test_a_chosen_learner_without_effects_is_refused():
    with pytest.raises(PolicyError, match="missing"):
        contact_weights(
            cate={"a": np.zeros((2, 1))},
            learner_by_fold=["b"],
            share_by_fold=[0.5],
            fold=np.zeros(2, dtype=np.int64),
        )


@pytest.mark.parametrize("gain", [2.0, -0.6])
def test_a_factor_widens_the_interval_about_the_bounds_and_the_strength_that_it_bears(gain):
    x, out = outcomes_of(np.random.default_rng(4), n=300, gain=gain)
    rule = Contacts.of_rule((x > 0.0).astype(float))
    # so many that the quantile is one of them
    plain, wide = (bounds(rule, out, factor=one, replicates=399) for one in (1.0, 1.3))
    for bound, end in (("low", "ci_low"), ("high", "ci_high")):
        np.testing.assert_array_equal(wide.table[bound], plain.table[bound])
        np.testing.assert_allclose(
            wide.table[end] - wide.table[bound], 1.3 * (plain.table[end] - plain.table[bound])
        )
    assert wide.critical_strength == plain.critical_strength
    assert 1.0 < wide.critical_strength_ci < plain.critical_strength_ci
    # just below that strength the wider interval excludes 0, just above it does not
    near = wide.critical_strength_ci * np.array([0.97, 1.03])
    beside = bounds(rule, out, factor=1.3, replicates=399, strengths=[1.0, *near]).table
    end = beside["ci_low"] if gain > 0 else -beside["ci_high"]
    assert end[1] > 0.0 > end[2]
