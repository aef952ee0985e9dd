"""Sizes, costs and worth of the next experiment, against formulas and other libraries."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy.stats import norm
from small_world import randomised_world
from statsmodels.stats.power import NormalIndPower

from promo_uplift.analysis import plan_next_experiment, plan_record, plan_text
from promo_uplift.analysis.experiment import draw_lots, plain, worth_finding
from promo_uplift.contracts.errors import ExperimentError
from promo_uplift.contracts.experiment_parameters import ExperimentParameters
from promo_uplift.contracts.money import Distribution
from promo_uplift.contracts.parameters import PolicyParameters, WordingParameters
from promo_uplift.contracts.results import CrossFittedCate
from promo_uplift.effects import ClusteredMean
from promo_uplift.experiments import (
    ArmNoise,
    Evidence,
    arm_noise,
    households_needed,
    households_per_arm,
    optimal_control_share,
    plan_experiment,
    population,
    power_at,
    power_table,
    residual_sd,
    smallest_effect,
)
from promo_uplift.experiments.economics import value_of_running
from promo_uplift.experiments.population import effect_bins
from promo_uplift.reporting.experiment_figures import power_figure

MONEY = PolicyParameters(
    margin_rate=0.25,
    contact_cost_usd=0.25,
    redemption_cost_usd=1.0,
    values_are_assumptions=True,
    grid_points=11,
    support_quantile=0.0,
)
NO_MONEY = PolicyParameters(
    margin_rate=1.0,
    contact_cost_usd=0.0,
    redemption_cost_usd=0.0,
    values_are_assumptions=True,
    are_stated=False,
    grid_points=11,
    support_quantile=0.0,
)
WORDING = WordingParameters(
    unit="USD",
    decimals=2,
    treatment="mailing",
    treated="mailed",
    subject="household",
    subjects="households",
    horizon="in 28 days",
)
DESIGN = {
    "question": "mailing",
    "control_share": 0.5,
    "unit_cost_usd": 0.0,
    "fixed_cost_usd": 0.0,
    "n_strata": 4,
    "segment": None,
    "min_arm_households": 5,
    "max_waves": 4,
    "days_between_waves": 7,
    "horizon_campaigns": 12,
    "prior_inflation": 1.0,
    "effect_multiples": [2.0, 1.0],
    "power_points": 6,
    "max_smd": 0.4,
    "min_joint_p_value": 0.0,
    "max_draws": 100,
    "min_ratio_p_value": 0.001,
    "min_attrition_p_value": 0.01,
    "max_missing_share": 0.05,
}


def design(**changed):
    return ExperimentParameters(**(DESIGN | changed))


@pytest.fixture(scope="module")
def world():
    """600 households, each in two campaigns; 4 USD of noise; the mailing adds 2 USD."""
    return randomised_world(n_households=600, seed=3, effect_usd=2.0)


def ranked(data):
    """Predicted effects that differ, by a covariate."""
    return 2.0 + data.covariates["visits"].to_numpy()


def planned(world, *, policy=MONEY, cate=None, days=28, **changed):
    data, nuisances = world
    parameters = design(**changed)
    eligible = population(
        data=data,
        nuisances=nuisances,
        cate=ranked(data) if cate is None else cate,
        n_strata=parameters.n_strata,
        segment=parameters.segment,
    )
    return plan_experiment(
        evidence=Evidence(data, nuisances, policy, 0.95, 0.8, days),
        population=eligible,
        parameters=parameters,
    )


class TestSize:
    def test_a_test_of_that_size_has_that_power(self):
        n = households_per_arm(effect_usd=0.5, sd_usd=2.0, level=0.95, power=0.8)
        rng = np.random.default_rng(0)
        arms = rng.normal(0, 2.0, (4_000, 2, n))
        difference = arms[:, 0].mean(axis=1) + 0.5 - arms[:, 1].mean(axis=1)
        found = np.abs(difference) > 1.959964 * 2.0 * np.sqrt(2 / n)
        assert found.mean() == pytest.approx(0.8, abs=0.02)

    @pytest.mark.parametrize("ratio", [1.0, 0.5, 3.0])
    def test_power_is_that_of_statsmodels(self, ratio):
        n_mailed = 400
        n = n_mailed * (1.0 + ratio)
        unit = ArmNoise(3.0, 3.0).unit_variance(control_share=ratio / (1.0 + ratio))
        ours = power_at(effect_usd=0.6, unit_variance=unit, households=np.array([n]), level=0.95)
        theirs = NormalIndPower().power(0.6 / 3.0, n_mailed, 0.05, ratio=ratio)
        assert ours[0] == pytest.approx(theirs, abs=1e-12)

    def test_the_size_is_that_of_statsmodels(self):
        theirs = NormalIndPower().solve_power(0.1, alpha=0.05, power=0.8, ratio=1.0)
        ours = households_per_arm(effect_usd=0.3, sd_usd=3.0, level=0.95, power=0.8)
        assert ours == math.ceil(theirs)

    def test_the_smallest_effect_of_the_size_needed_is_the_effect(self):
        n = households_needed(effect_usd=0.7, unit_variance=50.0, level=0.9, power=0.7)
        found = smallest_effect(unit_variance=50.0, households=n, level=0.9, power=0.7)
        assert found == pytest.approx(0.7)
        assert smallest_effect(unit_variance=50.0, households=0, level=0.9, power=0.7) == math.inf

    @pytest.mark.parametrize("effect", [0.0, np.inf])
    def test_nothing_to_find_has_no_size(self, effect):
        assert households_per_arm(effect_usd=effect, sd_usd=2.0, level=0.95, power=0.8) is None

    def test_an_outcome_that_does_not_vary_is_refused(self):
        with pytest.raises(ExperimentError, match="`sd_usd` must be above 0"):
            households_per_arm(effect_usd=1.0, sd_usd=0.0, level=0.95, power=0.8)
        with pytest.raises(ExperimentError, match="`unit_variance` must be above 0"):
            households_needed(effect_usd=1.0, unit_variance=0.0, level=0.95, power=0.8)

    def test_the_optimal_share_has_the_least_error_for_the_money(self):
        noise, costs = ArmNoise(2.0, 3.0), (0.5, 2.0)
        shares = np.linspace(0.01, 0.99, 9801)
        cost = shares * costs[0] + (1 - shares) * costs[1]
        error = [noise.unit_variance(control_share=share) for share in shares] * cost
        best = optimal_control_share(noise=noise, control_cost_usd=0.5, mailed_cost_usd=2.0)
        assert best == pytest.approx(shares[np.argmin(error)], abs=2e-4)
        # Neyman: equal costs
        equal = optimal_control_share(noise=noise, control_cost_usd=1.0, mailed_cost_usd=1.0)
        assert equal == pytest.approx(2.0 / 5.0)

    def test_free_households_have_no_optimal_share(self, world):
        with pytest.raises(ExperimentError, match=r"`experiment\.unit_cost_usd`"):
            planned(world, control_share="optimal")

    def test_the_noise_is_that_of_the_world_and_the_verdicts(self, world):
        data, nuisances = world
        noise = arm_noise(data=data, nuisances=nuisances)
        assert noise.control_usd == pytest.approx(4.0, rel=0.08)
        assert noise.mailed_usd == pytest.approx(4.0, rel=0.08)
        level = residual_sd(data=data, nuisances=nuisances)
        assert (noise.control_usd**2 + noise.mailed_usd**2) / 2 == pytest.approx(level**2)

    def test_an_outcome_that_covariates_explain_in_full_is_refused(self, world):
        data, nuisances = world
        exact = np.where(data.treatment == 1, nuisances.mu1[:, 0], nuisances.mu0[:, 0])
        with pytest.raises(ExperimentError, match="`outcome` must vary once"):
            arm_noise(data=replace(data, outcome=exact), nuisances=nuisances)


class TestPlan:
    def test_equal_arms_are_those_of_the_verdict(self, world):
        data, nuisances = world
        plan = planned(world)
        mailing = plan.asked("mailing")
        per_arm = households_per_arm(
            effect_usd=1.0,
            sd_usd=residual_sd(data=data, nuisances=nuisances),
            level=0.95,
            power=0.8,
        )
        assert plan.aim.worth_finding_usd == 1.0  # 0.25 / 0.25, nobody redeems
        assert (mailing.control, mailing.mailed) == (per_arm, per_arm)
        assert mailing.power_planned == pytest.approx(0.8, abs=0.002)
        assert mailing.smallest_planned_usd == pytest.approx(1.0, abs=0.002)

    def test_too_few_households_take_more_waves_and_more_days(self, world):
        plan = planned(world)
        assert plan.households_eligible == 600
        assert plan.waves == math.ceil(plan.asked("mailing").households / 600) == 1
        small = planned(randomised_world(n_households=150, seed=3, effect_usd=2.0))
        assert small.waves == 4
        assert small.is_enough
        assert small.duration_days == 4 * 28 + 3 * 7
        assert small.households == small.waves * small.households_per_wave
        assert planned(world, days=None).duration_days is None

    def test_what_the_waves_cannot_show_is_said(self):
        world = randomised_world(n_households=100, seed=3, effect_usd=2.0)
        plan = planned(world, max_waves=2)
        assert not plan.is_enough
        assert (plan.waves, plan.households) == (2, 200)
        power = plan.asked("mailing").power_planned
        unit = plan.asked("mailing").unit_variance
        z = math.sqrt(200 / unit)
        assert power == pytest.approx(norm.cdf(z - 1.959964) + norm.cdf(-z - 1.959964), abs=1e-6)

    def test_halves_take_four_times_the_households_where_noise_is_even(self, world):
        plan = planned(world)
        ratio = plan.asked("targeting").unit_variance / plan.asked("mailing").unit_variance
        assert ratio == pytest.approx(4.0, rel=0.1)
        data, _ = world
        latest = ranked(data)[1::2]  # campaign 13 follows 8
        median = np.median(latest)
        difference = latest[latest > median].mean() - latest[latest <= median].mean()
        assert plan.asked("targeting").expected_usd == pytest.approx(difference, rel=0.02)
        larger = planned(world, question="targeting", max_waves=10)
        assert larger.asked("targeting").power_planned == pytest.approx(0.8, abs=0.005)

    def test_one_effect_for_all_has_no_halves(self, world):
        plan = planned(world, cate=np.full(1200, 2.0))
        assert [one.name for one in plan.strata] == ["effect 1"]
        assert "one effect is predicted for everybody" in plan.asked("targeting").reason
        table = power_table(plan=plan, parameters=design())
        assert set(table["question"]) == {"mailing"}

    def test_without_money_the_effect_worth_finding_is_what_could_have_been_shown(self, world):
        plan = planned(world, policy=NO_MONEY)
        half = plan.present_effect_usd.ci_high - plan.present_effect_usd.estimate
        expected = half / norm.ppf(0.975) * (norm.ppf(0.975) + norm.ppf(0.8))
        assert plan.aim.worth_finding_usd == pytest.approx(expected)
        assert plan.cost is None
        assert plan.value is None

    def test_no_margin_has_no_effect_worth_finding(self, world):
        plan = planned(world, policy=MONEY.model_copy(update={"margin_rate": 0.0}))
        assert plan.asked("mailing").reason == "no finite effect is worth finding"
        assert not plan.is_enough
        assert plain(plan)["aim"]["worth_finding_usd"] is None

    def test_the_cost_is_counted(self, world):
        plan = planned(world, unit_cost_usd=0.1, fixed_cost_usd=50.0)
        data, nuisances = world
        n, cost = plan.households, plan.cost
        assert cost.contacts == n / 2
        assert cost.redemptions == 0.0
        assert cost.spent_usd == pytest.approx(0.25 * n / 2 + 0.1 * n + 50.0)
        residual = data.outcome - nuisances.mu0[:, 0] - 2.0 * data.treatment
        scores = 2.0 + residual * (4.0 * data.treatment - 2.0)
        profit = 0.25 * scores - 0.25
        assert cost.profit_of_contacts_usd.estimate == pytest.approx(profit.mean() * n / 2)
        # the mailing as it was mailed half as well
        assert cost.profit_against_current_usd.ci_low < -0.1 * n - 50.0
        assert cost.profit_against_current_usd.ci_high > -0.1 * n - 50.0

    def test_unknown_money_is_in_the_profit_of_running_and_not_in_what_it_teaches(self, world):
        sd = 0.05
        law = {"normal": {"mean": 0.25, "sd": sd, "low": 0.0, "high": 0.5}}
        unknown = MONEY.model_copy(update={"contact_cost_usd": Distribution.model_validate(law)})
        known, found = planned(world), planned(world, policy=unknown)
        n = known.households
        assert found.households == n
        half_widths = [
            [(one.ci_high - one.ci_low) / 2 for one in pair]
            for pair in (
                (known.cost.profit_of_contacts_usd, found.cost.profit_of_contacts_usd),
                (known.cost.profit_against_current_usd, found.cost.profit_against_current_usd),
            )
        ]
        of_contacts, against = half_widths
        error = 1.959964 * unknown.contact_cost_usd.sd
        assert of_contacts[1] == pytest.approx(np.hypot(of_contacts[0], error * n / 2))
        # as many are contacted as by the mailing as it was, but for the lots
        other = 0.5 - world[0].treatment.mean()
        assert against[1] == pytest.approx(np.hypot(against[0], error * other * n))
        assert found.value.gross_usd == pytest.approx(known.value.gross_usd)
        assert found.value.perfect_usd == pytest.approx(known.value.perfect_usd)

    def test_the_power_table_marks_the_plan_and_one_mailing(self, world):
        table = power_table(plan=planned(world), parameters=design())
        assert set(table["size"]) == {"planned", "one wave", "grid"}
        rows = table[(table["size"] == "planned") & (table["question"] == "mailing")]
        assert rows["multiple"].tolist() == [1.0, 2.0]
        assert rows["power"].iloc[0] == pytest.approx(0.8, abs=0.002)
        grown = table.groupby(["question", "multiple"])["power"]
        assert grown.apply(lambda power: power.is_monotonic_increasing).all()


class TestPopulation:
    def test_a_household_is_in_once_by_its_latest_date(self, world):
        data, nuisances = world
        dates = np.where(np.tile([True, False], 600), "2017-06-01", "2017-02-01")
        later = replace(data, time_zero=dates.astype("datetime64[D]"))
        for given, first, name in ((data, 1, "the number"), (later, 0, "the trial's date")):
            found = population(
                data=given, nuisances=nuisances, cate=ranked(data), n_strata=4, segment=None
            )
            assert found.size == 600
            np.testing.assert_array_equal(found.cate, ranked(data)[first::2])
            assert found.left_out == {"an earlier trial of a household that is in": 600}
            assert found.latest_by.startswith(name)

    def test_bins_are_quantiles_within_folds_and_ties_share_one(self):
        cate = np.array([1.0, 2.0, 3.0, 4.0, 101.0, 102.0, 103.0, 104.0])
        fold = np.repeat([0, 1], 4)
        np.testing.assert_array_equal(
            effect_bins(cate=cate, fold=fold, n_bins=2), [1, 1, 2, 2, 1, 1, 2, 2]
        )
        np.testing.assert_array_equal(effect_bins(cate=np.ones(8), fold=fold, n_bins=4), np.ones(8))

    def test_a_segment_splits_the_bins(self, world):
        data, nuisances = world
        group = np.where(np.arange(1200) % 4 < 2, 0.0, np.nan)
        with_group = replace(data, covariates=data.covariates.assign(card=group))
        found = population(
            data=with_group, nuisances=nuisances, cate=ranked(data), n_strata=2, segment="card"
        )
        assert set(found.stratum) == {
            f"effect {number}, card {value}" for number in (1, 2) for value in ("0", "missing")
        }

    @pytest.mark.parametrize(
        ("segment", "message"), [("crad", "there is no `crad`"), ("spend", "at most 20 values")]
    )
    def test_a_segment_that_is_none_is_refused(self, world, segment, message):
        data, nuisances = world
        with pytest.raises(ExperimentError, match=message):
            population(
                data=data, nuisances=nuisances, cate=ranked(data), n_strata=2, segment=segment
            )

    def test_a_prediction_that_is_not_finite_is_refused(self, world):
        data, nuisances = world
        cate = np.where(np.arange(1200) == 3, np.nan, 1.0)
        with pytest.raises(ExperimentError, match="`cate` must be finite in every row; 1 of 1200"):
            population(data=data, nuisances=nuisances, cate=cate, n_strata=2, segment=None)


class TestWorth:
    def value(self, *, mean=-0.2, **changed):
        return value_of_running(
            profit=ClusteredMean(mean, 0.5, 1000, 1000),
            unit_variance=40.0,
            control_share=0.5,
            planned=300,
            eligible=500,
            parameters=design(**changed),
        )

    def test_it_is_the_formula_times_the_horizon_less_what_is_given_up(self):
        found = self.value(unit_cost_usd=0.05, fixed_cost_usd=20.0)
        learnt = 0.25 / math.sqrt(0.25 + 40.0 / 300)
        distance = 0.2 / learnt
        each = learnt * (norm.pdf(distance) - distance * norm.sf(distance))
        assert found.horizon_households == 6000
        assert found.gross_usd == pytest.approx(6000 * each)
        # by present knowledge nobody is mailed; half of the experiment is
        assert found.cost_usd == pytest.approx(300 * (0.5 * 0.2 + 0.05) + 20.0)
        assert found.net_usd == pytest.approx(found.gross_usd - found.cost_usd)
        assert found.gross_usd < found.perfect_usd

    def test_where_all_would_be_mailed_the_control_arm_is_what_it_costs(self):
        assert self.value(mean=0.2).cost_usd == pytest.approx(300 * 0.5 * 0.2)

    def test_the_best_size_is_the_best_of_all_sizes(self):
        found = self.value()
        others = [
            value_of_running(
                profit=ClusteredMean(-0.2, 0.5, 1000, 1000),
                unit_variance=40.0,
                control_share=0.5,
                planned=n,
                eligible=500,
                parameters=design(),
            ).net_usd
            for n in range(0, 2001, 25)
        ]
        assert found.best_net_usd >= max(others) - 1e-9
        assert 0 < found.best_households < 2000

    def test_what_costs_too_much_is_not_run(self):
        found = self.value(fixed_cost_usd=1e6)
        assert (found.best_households, found.best_net_usd) == (0, 0.0)
        assert found.net_usd < 0

    def test_doubt_makes_knowing_worth_more(self):
        assert self.value(prior_inflation=2.0).gross_usd > self.value().gross_usd


class TestWords:
    def planned(self, world, *, policy=MONEY, cate=None, **changed):
        data, nuisances = world
        parameters = design(**changed)
        cate = ranked(data) if cate is None else cate
        fitted = CrossFittedCate(
            "dr_learner",
            np.repeat(cate[:, None], 3, axis=1),
            nuisances.fold,
            pd.DataFrame(),
            ({},),
            0.0,
        )
        found = plan_next_experiment(
            data=data,
            nuisances=nuisances,
            fitted=fitted,
            evidence=Evidence(data, nuisances, policy, 0.95, 0.8, 28),
            parameters=parameters,
            wording=WORDING,
        )
        return found, draw_lots(experiment=found, policy=policy, parameters=parameters, seed=1)

    def test_the_plan_says_size_questions_cost_and_worth(self, world):
        found, lots = self.planned(world)
        text = " ".join(plan_text(experiment=found, lots=lots, wording=WORDING).split())
        n = found.plan.asked("mailing").households
        assert f"with 80% power takes {n:,} households (1 wave)" in text
        assert "the break-even effect, 1.00 USD" in text
        assert "knowing whether to choose everybody or nobody is worth" in text
        assert "largest standardised mean difference" in text
        record = plan_record(experiment=found, lots=lots, seed=1)
        assert worth_finding(record) == 1.0
        waves = record["lots"]["waves"]["1"]
        assert waves["mailed"] + waves["control"] == found.plan.households

    def test_without_money_it_says_so(self, world):
        found, lots = self.planned(world, policy=NO_MONEY)
        text = " ".join(plan_text(experiment=found, lots=lots, wording=WORDING).split())
        assert "What it costs is not known: state `contact_cost`" in text
        assert "Does the mailing work?" in text

    def test_too_small_a_plan_says_its_power(self):
        world = randomised_world(n_households=100, seed=3, effect_usd=2.0)
        found, _ = self.planned(world, max_waves=1)
        assert "That is all that 1 wave allows" in found.sentences[0]
        assert "not the 80% that was asked for" in found.sentences[0]

    def test_lots_that_cannot_be_drawn_leave_the_reason(self, world):
        found, lots = self.planned(world, min_arm_households=500)
        assert lots.table.empty
        assert "`experiment.min_arm_households`" in lots.refused
        record = plan_record(experiment=found, lots=lots, seed=1)
        assert record["lots"] == {"seed": 1, "refused": lots.refused, "waves": {}}
        assert "No lots were drawn." in plan_text(experiment=found, lots=lots, wording=WORDING)

    def test_a_record_that_is_no_plan_is_refused(self):
        with pytest.raises(ExperimentError, match=r"must hold `aim.worth_finding_usd`; found a"):
            worth_finding({"a": 1})
        assert math.isnan(worth_finding({"aim": {"worth_finding_usd": None}}))

    @pytest.mark.parametrize("cate", [None, np.full(1200, 2.0)])
    def test_the_power_figure_marks_the_plan(self, world, cate):
        found, _ = self.planned(world, cate=cate)
        figure = power_figure(power=found.power, plan=found.plan, wording=WORDING)
        assert len(figure.axes) == (2 if cate is None else 1)
        labels = [text.get_text() for text in figure.axes[-1].get_legend().get_texts()]
        assert f"planned: {found.plan.households:,}" in labels
        assert "one mailing: 600" in labels


@pytest.mark.parametrize(
    "changed",
    [{"control_share": 1.0}, {"prior_inflation": 0.5}, {"question": "both"}, {"n_stratas": 3}],
)
def test_a_wrong_design_is_refused(changed):
    with pytest.raises(ValidationError):
        design(**changed)
