"""Money that is not known, in every interval: against closed forms; known money adds nothing."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from scipy import stats

from promo_uplift.contracts.parameters import MetricParameters, PolicyParameters
from promo_uplift.metrics.selection import SelectionRule
from promo_uplift.policy import PolicyCandidates, evaluate_policy, policy_curve, policy_scores
from tests.unit.money_worlds import K, known_world

LEVEL, REPLICATES = 0.9, 3_000
Z = stats.norm.ppf(0.95)
KNOWN = {
    "margin_rate": 0.3,
    "contact_cost_usd": 1.5,
    "redemption_cost_usd": 2.0,
    "values_are_assumptions": True,
    "grid_points": 41,
    "support_quantile": 0.0,
}
METRICS = MetricParameters(uplift_shares=[0.1], level=LEVEL, bootstrap_replicates=REPLICATES)


@pytest.fixture(scope="module")
def world():
    data, nuisances, effect = known_world(n=1_200)
    rng = np.random.default_rng(7)
    return data, nuisances, effect[:, np.newaxis] + rng.normal(0.0, 4.0, (len(effect), K))


@pytest.fixture(scope="module")
def evaluated(world):
    found = {}

    def at(**changed):
        key = repr(changed)
        if key not in found:
            found[key] = evaluate(world, PolicyParameters.model_validate(KNOWN | changed))
        return found[key]

    return at


def evaluate(world, money, metrics=METRICS):
    data, nuisances, cate = world
    blunt = np.zeros_like(cate)
    return evaluate_policy(
        scores=policy_scores(data=data, nuisances=nuisances, parameters=money),
        candidates=PolicyCandidates(
            {"blunt": blunt, "sharp": cate},
            {"blunt": blunt + 1.0, "sharp": blunt},
            np.repeat(data.outcome[:, np.newaxis], K, axis=1),
            SelectionRule(0.0, 0.0),
        ),
        fold=nuisances.fold,
        groups=data.groups,
        parameters=money,
        intervals=metrics,
        rng=np.random.default_rng(8),
    )


def width(interval):
    return interval.ci_high - interval.ci_low


def test_known_money_has_the_figures_of_before_money_could_be_unknown(world):
    # recorded before distributions existed, at 60 replicates
    money = PolicyParameters.model_validate(KNOWN)
    found = evaluate(world, money, METRICS.model_copy(update={"bootstrap_replicates": 60}))
    figures = {
        "profit": found.chosen.profit_usd,
        "all": found.baselines["all"].profit_usd,
        "current": found.baselines["current"].profit_usd,
        "share": found.roi_optimal_share,
        "roi": found.roi_at_share,
        "curse": found.winners_curse_usd,
    }
    recorded = {
        "profit": (0.31521042668365, 0.032936995174279296, 0.5514056598828874),
        "all": (-0.49769974073809436, -0.795131344365463, -0.11180085592126418),
        "current": (0.07239679009685987, -0.08372568248826436, 0.3179046011421542),
        "share": (0.375, 0.225, 0.52375),
        "roi": (0.5140673170252864, 0.34302567387437694, 0.9296428194775102),
        "curse": (0.06509936926975968, -0.0010400527526364797, 0.3774129222827125),
    }
    for name, interval in figures.items():
        # the intervals of a chosen policy hold more since: that folds depend on each other
        compared = slice(0, 1) if name in ("profit", "curse") else slice(0, 3)
        expected = pytest.approx(recorded[name][compared], rel=1e-12)
        assert astuple(interval)[compared] == expected, name


def test_a_contact_cost_adds_its_variance_to_the_profit_of_mailing_all(evaluated):
    sd = 0.15
    known = evaluated().baselines["all"].profit_usd
    unknown = evaluated(contact_cost_usd={"normal": {"mean": 1.5, "sd": sd}}).baselines["all"]
    assert unknown.profit_usd.estimate == pytest.approx(known.estimate)
    assert sd > 0.3 * width(known) / (2 * Z)
    expected = np.hypot(width(known), 2 * Z * sd)
    assert width(unknown.profit_usd) == pytest.approx(expected, rel=0.05)
    # what is gained does not depend on money
    assert astuple(unknown.outcome_usd) == astuple(evaluated().baselines["all"].outcome_usd)


def test_a_margin_adds_the_variance_of_a_product(evaluated):
    sd = 0.05
    known = evaluated().baselines["all"]
    unknown = evaluated(margin_rate={"normal": {"mean": 0.3, "sd": sd}}).baselines["all"]
    outcome, spread = known.outcome_usd.estimate, width(known.outcome_usd) / (2 * Z)
    # the margin does not know the effects: sd^2 (mean^2 + variance) is added
    added = sd**2 * (outcome**2 + spread**2)
    assert np.sqrt(added) > 0.5 * width(known.profit_usd) / (2 * Z)
    expected = np.hypot(width(known.profit_usd), 2 * Z * np.sqrt(added))
    assert width(unknown.profit_usd) == pytest.approx(expected, rel=0.05)


def test_amounts_add_up_and_half_a_cost_spreads_half(evaluated):
    contact = {"contact_cost_usd": {"normal": {"mean": 1.5, "sd": 0.15}}}
    redemption = {"redemption_cost_usd": {"uniform": {"low": 0.0, "high": 4.0}}}
    known, one, other, both = (
        width(evaluated(**changed).baselines["all"].profit_usd)
        for changed in ({}, contact, redemption, contact | redemption)
    )
    assert both**2 - known**2 == pytest.approx(one**2 + other**2 - 2 * known**2, rel=0.15)
    half = evaluated(**redemption, retailer_funded_share=0.5).baselines["all"].cost_usd
    whole = evaluated(**redemption).baselines["all"].cost_usd
    assert width(half) == pytest.approx(0.5 * width(whole), rel=1e-6)
    assert whole.estimate == pytest.approx(evaluated().baselines["all"].cost_usd.estimate)
    assert width(whole) > 2.0 * width(evaluated().baselines["all"].cost_usd)


def test_the_decision_is_taken_at_expected_money_and_only_the_optimum_moves(evaluated):
    known = evaluated()
    unknown = evaluated(
        contact_cost_usd={"normal": {"mean": 1.5, "sd": 0.3}},
        margin_rate={"triangular": {"low": 0.1, "mode": 0.3, "high": 0.5}},
    )
    assert unknown.learner_by_fold == known.learner_by_fold
    assert unknown.share_by_fold == known.share_by_fold
    assert unknown.champion == known.champion == "sharp"
    # in most replicates; the mean of a normal law cut at 0 is off in the last digits
    assert astuple(unknown.chosen.share) == pytest.approx(astuple(known.chosen.share), abs=0.026)
    assert unknown.roi_optimal_share.estimate == known.roi_optimal_share.estimate
    assert width(unknown.roi_optimal_share) > 1.3 * width(known.roi_optimal_share)
    assert width(unknown.chosen.profit_usd) > 1.3 * width(known.chosen.profit_usd)
    assert width(unknown.chosen.roi) > 1.3 * width(known.chosen.roi)
    # what was promised is valued under the same money as what was got
    assert width(unknown.optimistic_profit_usd) > 1.3 * width(known.optimistic_profit_usd)
    assert width(unknown.winners_curse_usd) < 0.5 * width(unknown.optimistic_profit_usd)
    assert astuple(unknown.baselines["none"].profit_usd) == (0.0, 0.0, 0.0)


def test_a_chosen_policys_interval_is_widened_for_its_folds_and_not_for_its_money(evaluated):
    sd = 0.4
    known, unknown = evaluated(), evaluated(contact_cost_usd={"normal": {"mean": 1.5, "sd": sd}})
    for name in ("chosen", "random", "response"):
        before, after = (
            one.chosen if name == "chosen" else one.baselines[name] for one in (known, unknown)
        )
        share = before.share.estimate
        # a cost is paid by the share that is contacted
        expected = np.hypot(width(before.profit_usd), 2 * Z * sd * share)
        assert width(after.profit_usd) == pytest.approx(expected, rel=0.04), name
    share = known.chosen.share.estimate
    assert 2 * Z * sd * share > 0.8 * width(known.chosen.profit_usd)
    everyone = [one.baselines["all"].chosen_minus_this_usd for one in (known, unknown)]
    expected = np.hypot(width(everyone[0]), 2 * Z * sd * (1.0 - share))
    assert width(everyone[1]) == pytest.approx(expected, rel=0.04)


def test_the_break_even_effect_has_the_quantiles_of_its_cost(evaluated):
    found = evaluated(
        contact_cost_usd={"uniform": {"low": 1.0, "high": 2.0}}, redemption_cost_usd=0.0
    ).break_even_usd
    assert astuple(found) == pytest.approx((1.5 / 0.3, 1.05 / 0.3, 1.95 / 0.3), rel=0.02)
    assert width(evaluated(redemption_cost_usd=0.0).break_even_usd) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_the_band_of_the_curve_holds_what_the_share_costs(world, share):
    data, nuisances, cate = world
    rows = np.arange(len(nuisances.fold))
    sd = 0.2
    bands = []
    for cost in (1.5, {"normal": {"mean": 1.5, "sd": sd}}):
        money = PolicyParameters.model_validate(KNOWN | {"contact_cost_usd": cost})
        curve = policy_curve(
            scores=policy_scores(data=data, nuisances=nuisances, parameters=money),
            champion="sharp",
            rankings={"sharp": cate[rows, nuisances.fold]},
            fold=nuisances.fold,
            groups=data.groups,
            parameters=money,
            intervals=METRICS,
            rng=np.random.default_rng(9),
        )
        row = curve[(curve["policy"] == "champion") & (curve["share"] == share)].iloc[0]
        name = "profit_usd_per_household"
        bands.append((row[name], row[f"{name}_ci_high"] - row[f"{name}_ci_low"]))
    (value, known), (same, unknown) = bands
    assert same == pytest.approx(value)
    # a cost is paid by the share that is contacted
    assert unknown == pytest.approx(np.hypot(known, 2 * Z * sd * share), rel=0.05)
