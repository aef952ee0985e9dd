"""Other money than the stated one: each cell is the direct evaluation at its money."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from promo_uplift.analysis.what_if import NOT_STATED, value_other_money
from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import (
    MetricParameters,
    PolicyParameters,
    WordingParameters,
)
from promo_uplift.contracts.results import Interval
from promo_uplift.contracts.what_if import WhatIfParameters
from promo_uplift.metrics.selection import SelectionRule
from promo_uplift.nuisance.seeding import derived_rng
from promo_uplift.policy import (
    PolicyCandidates,
    breakeven_grid,
    evaluate_policy,
    honest_curves,
    policy_scores,
    what_if_table,
)
from promo_uplift.policy.what_if import winner
from promo_uplift.reporting.policy_figures import breakeven_figure
from tests.unit.money_worlds import K, known_world

SEED, LEVEL, REPLICATES = 11, 0.9, 80
STATED = {
    "margin_rate": 0.3,
    "contact_cost_usd": 1.5,
    "redemption_cost_usd": 2.0,
    "values_are_assumptions": True,
    "grid_points": 21,
    "support_quantile": 0.0,
}
WHAT_IF = {
    "contact_costs_usd": [0.5, 1.0, 3.0],
    "margin_rates": [0.1, 0.4],
    "scenarios": {
        "margin_lower": {"margin_rate": {"plus": -0.1}},
        "half_paid": {"retailer_funded_share": {"times": 0.5}},
        "dear": {"contact_cost_usd": {"to": 4.0}},
        "no_margin_left": {"margin_rate": {"plus": -0.5}},
    },
}
METRICS = MetricParameters(uplift_shares=[0.1], level=LEVEL, bootstrap_replicates=REPLICATES)
UNSTATED = {
    "margin_rate": 1.0,
    "contact_cost_usd": 0.0,
    "redemption_cost_usd": 0.0,
    "are_stated": False,
}


def policy(**changed):
    return PolicyParameters.model_validate(STATED | changed)


def what_if(**changed):
    return WhatIfParameters.model_validate(WHAT_IF | changed)


@pytest.fixture(scope="module")
def world():
    data, nuisances, effect = known_world(n=1_500)
    noise = np.random.default_rng(5).normal(0.0, 4.0, (len(effect), K))
    return data, nuisances, effect[:, np.newaxis] + noise


@pytest.fixture(scope="module")
def curves(world):
    data, nuisances, cate = world
    return honest_curves(
        scores=policy_scores(data=data, nuisances=nuisances, parameters=policy()),
        ranking=cate,
        fold=nuisances.fold,
        groups=data.groups,
        grid_points=STATED["grid_points"],
        replicates=REPLICATES,
        seed=SEED,
    )


def direct(world, money):
    data, nuisances, cate = world
    return evaluate_policy(
        scores=policy_scores(data=data, nuisances=nuisances, parameters=money),
        candidates=PolicyCandidates(
            {"one": cate}, {"one": np.zeros_like(cate)}, cate, SelectionRule(0.0, 0.0)
        ),
        fold=nuisances.fold,
        groups=data.groups,
        parameters=money,
        intervals=METRICS,
        rng=derived_rng(seed=SEED, purpose="policy"),
    )


def interval(row, name):
    return [row[name], row[f"{name}_ci_low"], row[f"{name}_ci_high"]]


def same(found, expected):
    assert found == pytest.approx([expected.estimate, expected.ci_low, expected.ci_high], abs=1e-9)


def assert_is_direct(row, evaluation):
    everyone = evaluation.baselines["all"]
    same(interval(row, "share"), evaluation.chosen.share)
    same(interval(row, "profit_usd_per_household"), evaluation.chosen.profit_usd)
    same(interval(row, "all_profit_usd_per_household"), everyone.profit_usd)
    same(interval(row, "break_even_cate_usd"), evaluation.break_even_usd)
    over = evaluation.baselines[row["better"]].chosen_minus_this_usd
    same(interval(row, "gain_over_better_usd"), over)


def test_every_cell_is_the_evaluation_at_its_money(world, curves):
    grid = breakeven_grid(curves=curves, policy=policy(), what_if=what_if(), level=LEVEL, seed=SEED)
    assert len(grid) == 4 * 3
    assert set(grid["better"]) == {"all", "none"}
    for _, row in grid.iterrows():
        money = policy(margin_rate=row["margin_rate"], contact_cost_usd=row["contact_cost_usd"])
        assert_is_direct(row, direct(world, money))
    (own,) = grid[grid["is_expected_money"]].to_dict("records")
    assert (own["margin_rate"], own["contact_cost_usd"]) == (0.3, 1.5)
    assert own["break_even_cate_usd"] == pytest.approx((1.5 + 2.0 * 0.2) / 0.3, rel=0.05)


def test_a_redemption_cost_that_is_not_known_is_drawn_in_every_cell(world, curves):
    unknown = {"redemption_cost_usd": {"uniform": {"low": 0.0, "high": 4.0}}}
    grid = breakeven_grid(
        curves=curves, policy=policy(**unknown), what_if=what_if(), level=LEVEL, seed=SEED
    )
    row = grid.iloc[4]
    money = policy(
        margin_rate=row["margin_rate"], contact_cost_usd=row["contact_cost_usd"], **unknown
    )
    assert_is_direct(row, direct(world, money))


@pytest.mark.parametrize(
    "stated",
    [
        {},
        {
            "contact_cost_usd": {"triangular": {"low": 1.0, "mode": 1.5, "high": 2.0}},
            "margin_rate": {"normal": {"mean": 0.3, "sd": 0.03}},
        },
    ],
)
def test_scenarios_are_evaluations_beside_the_stated_money(world, curves, stated):
    table = what_if_table(
        curves=curves, policy=policy(**stated), what_if=what_if(), level=LEVEL, seed=SEED
    ).set_index("scenario")
    assert list(table.index) == ["base", *WHAT_IF["scenarios"]]
    base, half = (
        direct(world, policy(**stated)),
        direct(world, policy(**stated, retailer_funded_share=0.5)),
    )
    assert_is_direct(table.loc["base"], base)
    assert_is_direct(table.loc["half_paid"], half)
    assert table.loc["half_paid", "redemption_cost_usd"] == 1.0
    assert table.loc["half_paid", "minus_base_usd"] == pytest.approx(
        half.chosen.profit_usd.estimate - base.chosen.profit_usd.estimate
    )
    assert interval(table.loc["base"], "minus_base_usd") == [0.0, 0.0, 0.0]
    assert table.loc["dear", "contact_cost_usd"] == 4.0
    assert table.loc["dear", "is_other_than_base"] == (
        table.loc["dear", "decision"] != table.loc["base", "decision"]
    )
    refused = table.loc["no_margin_left"]
    assert "what_if.scenarios.no_margin_left" in refused["reason"]
    assert np.isnan(refused["profit_usd_per_household"])


def test_paid_costs_pair_with_the_base_so_that_only_the_change_is_left(curves):
    # with the same share in both, twice a cost less the cost is the cost, draw by draw
    law = {"uniform": {"low": 0.0, "high": 0.01}}
    table = what_if_table(
        curves=curves,
        policy=policy(contact_cost_usd=law, redemption_cost_usd=0.0, margin_rate=1.0),
        what_if=what_if(scenarios={"twice": {"contact_cost_usd": {"times": 2.0}}}),
        level=LEVEL,
        seed=SEED,
    ).set_index("scenario")
    twice = table.loc["twice"]
    assert interval(twice, "share_minus_base") == pytest.approx([0.0, 0.0, 0.0], abs=0.06)
    assert -0.01 < twice["minus_base_usd_ci_low"] < twice["minus_base_usd_ci_high"] < 0.0


@pytest.mark.parametrize(
    ("over_none", "over_all", "all_profit", "wins"),
    [
        ((0.1, 0.5), (0.2, 0.9), (-0.9, -0.1), "target"),
        ((0.1, 0.5), (-0.1, 0.3), (0.1, 0.4), "all"),
        ((-0.1, 0.2), (0.2, 0.9), (-0.9, -0.1), "none"),
        ((-0.1, 0.2), (-0.1, 0.2), (-0.1, 0.1), "nothing proven"),
        ((0.1, 0.5), (-0.1, 0.3), (-0.1, 0.4), "nothing proven"),
    ],
)
def test_what_wins_is_proven_by_intervals_that_exclude_zero(over_none, over_all, all_profit, wins):
    intervals = (Interval(sum(one) / 2, *one) for one in (over_none, over_all, all_profit))
    names = ("over_none", "over_all", "all_profit")
    assert winner(**dict(zip(names, intervals, strict=True))) == wins


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"contact_costs_usd": [1.0, 0.5]}, "`contact_costs_usd` must ascend"),
        ({"margin_rates": [0.1, 0.1]}, "`margin_rates` must ascend"),
        ({"margin_rates": [0.1, 1.1]}, "less than or equal to 1"),
        ({"scenarios": {"base": {"margin_rate": {"to": 0.1}}}}, "must not be named `base`"),
        ({"scenarios": {"a": {}}}, "must change at least one"),
        ({"scenarios": {"a": {"margin_rate": {"to": 0.1, "plus": 0.1}}}}, "exactly one of"),
        ({"scenarios": {"a": {"contact_cost_usd": {"times": -1.0}}}}, "greater than or equal to 0"),
    ],
)
def test_a_grid_or_scenario_that_means_nothing_is_refused(changed, said):
    with pytest.raises(ValidationError, match=said):
        what_if(**changed)


def test_a_ranking_of_another_shape_is_refused(world):
    data, nuisances, cate = world
    with pytest.raises(PolicyError, match="`ranking` must be of shape"):
        honest_curves(
            scores=policy_scores(data=data, nuisances=nuisances, parameters=policy()),
            ranking=cate[:, :1],
            fold=nuisances.fold,
            groups=data.groups,
            grid_points=11,
            replicates=50,
            seed=SEED,
        )


@pytest.mark.parametrize("table", [breakeven_grid, what_if_table])
def test_no_profit_at_any_money_where_nobody_stated_a_cost(world, curves, table):
    money = policy(**UNSTATED)
    with pytest.raises(PolicyError, match="nobody stated a cost"):
        table(curves=curves, policy=money, what_if=what_if(), level=LEVEL, seed=SEED)
    data, nuisances, _ = world
    found = value_other_money(
        data=data,
        nuisances=nuisances,
        champion="one",
        cross_fitted={},
        policy=money,
        what_if=what_if(),
        metrics=METRICS,
        seed=SEED,
    )
    for made in (found.grid, found.scenarios):
        assert made.to_dict("list") == {"reason": [NOT_STATED]}


WORDING = WordingParameters(
    unit="USD",
    decimals=2,
    treatment="mailing",
    treated="mailed",
    subject="household",
    subjects="households",
    horizon="in 28 days",
)


def texts(figure):
    figure.savefig(io.BytesIO(), format="png")
    return [
        text.get_text()
        for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))
        if text.get_text()
    ]


def test_the_map_has_every_cell_a_hatch_where_nothing_is_proven_and_one_frame(curves):
    grid = breakeven_grid(curves=curves, policy=policy(), what_if=what_if(), level=LEVEL, seed=SEED)
    grid.loc[grid.index[:3], "wins"] = "nothing proven"
    grid.loc[grid.index[3:], "wins"] = "target"
    figure = breakeven_figure(grid=grid, parameters=policy(), level=LEVEL, wording=WORDING)
    written = texts(figure)
    axis = figure.axes[0]
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["0.50", "1.00", "1.50", "3.00"]
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["10", "30", "40"]
    assert sum(bool(patch.get_hatch()) for patch in axis.patches) == 3
    (frame,) = [patch for patch in axis.patches if not patch.get_hatch()]
    assert frame.get_xy() == (2, 1)
    cells = [text for text in written if text.endswith(("\n?", "\ntarget"))]
    assert len(cells) == len(grid)
    assert "USD per household" in axis.get_xlabel()
    assert any("ASSUMED, not in the data" in " ".join(text.split()) for text in written)


def test_the_map_says_so_where_nobody_stated_a_cost():
    figure = breakeven_figure(
        grid=pd.DataFrame({"reason": [NOT_STATED]}),
        parameters=policy(**UNSTATED),
        level=LEVEL,
        wording=WORDING,
    )
    written = " ".join(texts(figure))
    assert NOT_STATED in written
    assert "USD" not in written


def test_against_contacting_nobody_the_base_loses_its_own_profit_with_its_own_interval(curves):
    """Where nobody is contacted at the other money, the difference is the base's profit."""
    nobody = what_if(scenarios={"nobody_pays": {"contact_cost_usd": {"to": 400.0}}})
    table = what_if_table(
        curves=curves, policy=policy(), what_if=nobody, level=LEVEL, seed=SEED
    ).set_index("scenario")
    assert table.loc["nobody_pays", "share"] == 0.0
    own = interval(table.loc["base"], "profit_usd_per_household")
    assert interval(table.loc["nobody_pays"], "minus_base_usd") == pytest.approx(
        [-own[0], -own[2], -own[1]]
    )
