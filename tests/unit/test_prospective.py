"""Decide on the past, judge on the next campaign: plan, leaks, values, tables."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from prospective_worlds import COST_USD, MARGIN, OUTCOME_DAYS, prospective, settings, world, zeros
from scipy.stats import binom

from promo_uplift.analysis.prospective import (
    TREND,
    calibration_table,
    coverage_table,
    decide,
    judge_predictions,
    plan_campaigns,
    prospective_record,
    prospective_settings,
    prospective_text,
    time_zeros,
    validate_prospectively,
    value_table,
)
from promo_uplift.analysis.prospective.freeze import folds_of
from promo_uplift.contracts.errors import LearnerError, TrialError
from promo_uplift.contracts.results import Interval
from promo_uplift.effects.adjusted.sample import take_rows

SETTINGS = settings()


def validate(data, dates, *, given_settings=SETTINGS, **changed):
    return validate_prospectively(
        data=data,
        zeros=dates,
        outcome_days=OUTCOME_DAYS,
        settings=given_settings,
        parameters=prospective(**changed),
        seed=3,
    )


@pytest.fixture(scope="module")
def small():
    data, effect = world(strengths=(1.5, 1.5, 1.5), seed=5)
    return data, effect, validate(data, zeros(3))


# -------------------------------------------------------------------------------------------- plan


def plans(data, dates, **changed):
    return plan_campaigns(
        data=data, zeros=dates, outcome_days=OUTCOME_DAYS, parameters=prospective(**changed)
    )


def test_a_campaign_trains_only_if_its_outcomes_were_known_on_the_first_day():
    data, _ = world(strengths=(1, 1, 1), n_households=200)
    first = dt.date(2017, 3, 1)
    for days, training in ((28, (1, 2)), (27, (1,))):
        dates = {1: first, 2: first + dt.timedelta(40), 3: first + dt.timedelta(40 + days)}
        last = plans(data, dates)[2]
        assert last.training == training
        assert last.overlapping == tuple({1, 2} - set(training))
        assert last.overlapping_rows.sum() == 200 * len(last.overlapping)
        assert last.trained_until < last.time_zero


def test_campaigns_of_one_day_do_not_train_for_each_other():
    data, _ = world(strengths=(1, 1), n_households=200)
    dates = dict.fromkeys((1, 2), dt.date(2017, 3, 1))
    assert [(one.training, one.overlapping) for one in plans(data, dates)] == [((), ())] * 2


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"min_training_campaigns": 2}, "1 earlier campaigns with known outcomes, 2 needed"),
        ({"min_training_rows": 300}, "200 rows of earlier campaigns, 300 needed"),
        ({"min_rows": 300}, "200 rows of the campaign, 300 needed"),
        ({"min_arm_rows": 150}, "rows in an arm of earlier campaigns, 150 needed"),
        ({"campaigns": [1]}, "not asked for"),
    ],
)
def test_a_campaign_that_is_not_judged_says_why(changed, reason):
    data, _ = world(strengths=(1, 1), n_households=200)
    assert reason in plans(data, zeros(2), **changed)[1].reason


def test_a_campaign_that_the_trials_lack_is_refused():
    data, _ = world(strengths=(1, 1), n_households=200)
    with pytest.raises(TrialError, match=r"prospective.campaigns.*\[9\]"):
        plans(data, zeros(2), campaigns=[9])
    with pytest.raises(TrialError, match=r"\[2\] lack one"):
        plans(data, {1: dt.date(2017, 3, 1)})


def test_the_first_day_comes_from_the_trial_table():
    frame = pd.DataFrame(
        {
            "campaign_id": [8, 8, 13],
            "start_date": pd.to_datetime(["2017-05-08"] * 2 + ["2017-08-08"]),
        }
    )
    assert time_zeros(trials=frame) == {8: dt.date(2017, 5, 8), 13: dt.date(2017, 8, 8)}
    frame.loc[1, "start_date"] = pd.Timestamp("2017-05-09")
    with pytest.raises(TrialError, match=r"\[8\] have several"):
        time_zeros(trials=frame)


def test_a_learner_that_the_run_lacks_is_refused():
    with pytest.raises(LearnerError, match="causal_forest"):
        prospective_settings(settings=SETTINGS, parameters=prospective(learners=["causal_forest"]))


def test_no_warm_start_and_the_given_budget(small):
    warm = SETTINGS.model_copy(
        update={"tuning": SETTINGS.tuning.model_copy(update={"warm_start": "tuned.json"})}
    )
    cut = prospective_settings(settings=warm, parameters=prospective(n_trials=3))
    assert cut.tuning.warm_start is None
    assert cut.tuning.n_trials == cut.nuisance.n_trials == 3
    assert list(cut.estimation.learners) == [
        "zero", "constant", "random", "response", "linear_dml",
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------- leaks


def decided(found, campaign):
    (one,) = [one for one in found.campaigns if one.plan.campaign == campaign]
    return one.decision


def same_decision(one, other):
    assert (one.champion, one.shown, one.shares) == (other.champion, other.shown, other.shares)
    np.testing.assert_array_equal(one.predicted, other.predicted)
    np.testing.assert_array_equal(one.held_out, other.held_out)
    for policy, contact in one.contacts.items():
        np.testing.assert_array_equal(contact, other.contacts[policy])
    assert one.support.reasons == other.support.reasons
    assert one.promised_profit_usd == other.promised_profit_usd


@hypothesis_settings(max_examples=3, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(seed=st.integers(0, 2**31), scale=st.sampled_from([1.0, 1e3]))
def test_outcomes_of_a_campaign_and_later_change_nothing_that_was_decided_for_it(
    small, seed, scale
):
    data, _, before = small
    rng = np.random.default_rng(seed)
    ahead = data.campaign >= 2
    outcome, treatment = data.outcome.copy(), data.treatment.copy()
    outcome[ahead] = rng.normal(scale=scale, size=ahead.sum())
    treatment[ahead] = rng.integers(0, 2, ahead.sum())
    changed = dataclasses.replace(data, outcome=outcome, treatment=treatment)
    after = validate(changed, zeros(3), campaigns=[2])
    same_decision(decided(before, 2), decided(after, 2))
    # and the judgement does move
    assert after.policies["2"]["all"] != before.policies["2"]["all"]


def test_what_is_left_out_for_overlap_decides_nothing(small):
    data, _, _ = small
    first = dt.date(2017, 3, 1)
    dates = {1: first, 2: first + dt.timedelta(60), 3: first + dt.timedelta(70)}
    before = validate(data, dates, campaigns=[3])
    outcome = data.outcome.copy()
    outcome[data.campaign == 2] = 1e4
    after = validate(dataclasses.replace(data, outcome=outcome), dates, campaigns=[3])
    same_decision(decided(before, 3), decided(after, 3))
    table = coverage_table(found=after, data=data).set_index("campaign")
    assert table.loc[3, "overlapping_campaigns"] == "2"
    assert table.loc[3, "n_overlapping_rows"] == 300
    # its outcomes would have decided, had they been known
    known = validate(dataclasses.replace(data, outcome=outcome), zeros(3), campaigns=[3])
    assert not np.array_equal(decided(known, 3).predicted, decided(after, 3).predicted)


def test_a_decision_needs_no_outcome_of_its_campaign(small):
    data, _, found = small
    cut = prospective_settings(settings=SETTINGS, parameters=prospective())
    alone = decide(
        past=take_rows(data=data, rows=data.campaign == 1),
        covariates=data.covariates[data.campaign == 2].reset_index(drop=True),
        groups=data.groups[data.campaign == 2],
        settings=cut,
        seed=3,
    )
    same_decision(alone, decided(found, 2))


def test_a_campaigns_household_has_the_fold_that_it_had_in_the_past():
    past, fold = np.array([4, 2, 9, 4]), np.array([1, 0, 2, 1])
    found = folds_of(groups=np.array([9, 4, 7, 2, 7, 11]), past=past, fold=fold, seed=1)
    assert found[[0, 1, 3]].tolist() == [2, 1, 0]
    assert found[2] == found[4]  # a new household has one fold, too
    assert set(found) <= {0, 1, 2}


def test_the_model_that_judges_a_household_against_its_past_never_saw_it(small):
    data, _, before = small
    fold = decided(before, 2).fold
    told = (data.campaign == 1) & np.isin(data.groups, data.groups[data.campaign == 2][fold == 1])
    outcome = np.where(told, 1.0 + 2.0 * data.outcome, data.outcome)
    after = validate(dataclasses.replace(data, outcome=outcome), zeros(3), campaigns=[2])
    one, other = decided(before, 2), decided(after, 2)
    assert one.shown == other.shown
    np.testing.assert_array_equal(one.fold, other.fold)
    np.testing.assert_array_equal(one.held_out[fold == 1], other.held_out[fold == 1])
    assert not np.isclose(one.held_out[fold != 1], other.held_out[fold != 1]).any()
    assert not np.isclose(one.predicted, other.predicted).any()


# ------------------------------------------------------------------------------------------ values


def test_baselines_are_what_their_names_say(small):
    data, _, found = small
    one = found.campaigns[-1]
    policies = found.policies[str(one.plan.campaign)]
    everyone = MARGIN * one.outcomes.scores.mean() - COST_USD
    assert policies["none"].profit_usd.estimate == 0.0
    assert policies["all"].profit_usd.estimate == pytest.approx(everyone)
    assert policies["random"].profit_usd.estimate == pytest.approx(
        one.decision.shares["chosen"] * everyone, rel=0.02
    )
    mailed = data.treatment[one.plan.rows].mean()
    assert policies["current"].share.estimate == pytest.approx(mailed)
    for name, value in policies.items():
        gain = policies["chosen"].profit_usd.estimate - value.profit_usd.estimate
        assert value.chosen_minus_this_usd.estimate == pytest.approx(gain), name


def test_pooled_values_are_means_over_all_rows(small):
    *_, found = small
    n = [len(one.outcomes.groups) for one in found.campaigns]
    for name, value in found.policies["pooled"].items():
        parts = [
            found.policies[str(one.plan.campaign)][name].profit_usd.estimate
            for one in found.campaigns
        ]
        assert value.profit_usd.estimate == pytest.approx(np.average(parts, weights=n))


def test_a_response_that_lasts_pays_on_the_next_campaign(small):
    *_, found = small
    pooled = found.policies["pooled"]
    assert pooled["shown"].profit_usd.ci_low > 0.0
    assert found.rankings["pooled"]["qini"].ci_low > 0.0


TIMES = 24


def test_intervals_of_the_next_campaign_hold_the_true_value_and_slope():
    held = np.zeros(3, dtype=int)
    for seed in range(TIMES):
        data, effect = world(strengths=(1, 1), n_households=250, seed=100 + seed)
        found = validate(data, zeros(2))
        (one,) = found.campaigns
        tau, predicted = effect[one.plan.rows], one.decision.predicted
        centred = predicted - predicted.mean()
        truths = (
            centred @ tau / (centred @ centred),
            (one.decision.contacts["shown"] * (MARGIN * tau - COST_USD)).mean(),
            (one.decision.contacts["chosen"] * (MARGIN * tau - COST_USD)).mean(),
        )
        intervals = (
            found.fact.drift.pooled.slope,
            found.policies["2"]["shown"].profit_usd,
            found.policies["2"]["chosen"].profit_usd,
        )
        held += [
            i.ci_low - 1e-12 <= t <= i.ci_high + 1e-12
            for t, i in zip(truths, intervals, strict=True)
        ]
    assert held.min() >= binom.ppf(0.001, TIMES, 0.95)


@pytest.mark.parametrize("last", [0.0, -1.5])
def test_an_effect_that_vanishes_or_turns_after_the_second_campaign_is_flagged(last):
    data, _ = world(strengths=(1.5, 1.5, last, last), n_households=600, seed=2)
    found = validate(data, zeros(4))
    report = judge_predictions(found=found, checks=SETTINGS.checks, wording=SETTINGS.wording)
    assert "PU-DRIFT" in report.failed
    (drift,) = [one for one in report.results if one.code == "PU-DRIFT"]
    assert drift.threshold == SETTINGS.checks.min_drift_p > drift.value
    assert report.verdict == "experiment_needed"


# ------------------------------------------------------------------------------------------ tables


def test_tables_hold_a_row_for_each_campaign_policy_and_the_pool(small):
    data, _, found = small
    values = value_table(found=found, policy=SETTINGS.policy)
    assert values["campaign"].unique().tolist() == ["2", "3", "pooled"]
    assert not values.duplicated(["campaign", "policy"]).any()
    calibration = calibration_table(found=found)
    assert calibration["campaign"].tolist() == ["2", "3", "pooled", TREND]
    assert calibration["n"].tolist()[:3] == [300, 300, 600]
    assert calibration["domain_auc"].iloc[:2].between(0.3, 0.7).all()  # nothing drifts here
    coverage = coverage_table(found=found, data=data)
    assert coverage["used"].tolist() == [False, True, True]
    assert (coverage["reason"] == "").tolist() == coverage["used"].tolist()


def test_where_nothing_can_be_judged_everything_says_so():
    data, _ = world(strengths=(1,), n_households=200)
    found = validate(data, zeros(1))
    assert found.fact is None
    report = judge_predictions(found=found, checks=SETTINGS.checks, wording=SETTINGS.wording)
    text = prospective_text(
        found=found, report=report, policy=SETTINGS.policy, wording=SETTINGS.wording
    )
    assert "No campaign could be judged by an earlier one." in text
    assert prospective_record(report)["verdict"] == "experiment_needed"
    assert calibration_table(found=found).empty
    assert value_table(found=found, policy=SETTINGS.policy).empty


def test_the_text_names_past_decision_promise_and_findings(small):
    *_, found = small
    report = judge_predictions(found=found, checks=SETTINGS.checks, wording=SETTINGS.wording)
    text = prospective_text(
        found=found, report=report, policy=SETTINGS.policy, wording=SETTINGS.wording
    )
    flat = " ".join(text.split())
    assert "campaign 3 (2017-06-29), by 1, 2:" in flat
    assert "profit promised" in flat
    assert "PU-DRIFT next campaigns" in flat
    assert prospective_record(report)["verdict"] == report.verdict


def test_a_decision_for_everybody_earns_nothing_over_everybody_and_says_so(small):
    *_, found = small
    fact = dataclasses.replace(
        found.fact, gains={"none": Interval(2.0, 1.0, 3.0), "all": Interval(0.0, 0.0, 0.0)}
    )
    report = judge_predictions(
        found=dataclasses.replace(found, fact=fact),
        checks=SETTINGS.checks,
        wording=SETTINGS.wording,
    )
    (drift,) = [one for one in report.results if one.code == "PU-DRIFT"]
    assert not drift.passed
    assert "+2.00 USD (+1.00 to +3.00) over none, nothing over all, which is what" in drift.sentence
