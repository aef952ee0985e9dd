"""The profile says of tables what they were drawn from, and holds no row of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from simulation_worlds import parameters, profile

from promo_uplift.contracts.errors import SourceError
from promo_uplift.contracts.tables import CATEGORIES
from promo_uplift.simulation import (
    ProfileParameters,
    WorldProfile,
    fit_figure,
    fit_profile,
    goodness_of_fit,
    marginals,
    simulate_world,
    world_tables,
)

TRUE = profile()
FITTING = ProfileParameters(grid_points=41, min_cell_share=0.001, history_days=84, repeat_days=126)


def drawn(**changes):
    values = {
        "n_households": 1000,
        "n_products": 4000,
        "span": {"first_date": "2017-01-01", "days": 365},
        "effect": {"function": "zero"},
        "campaigns": {"calendar": "staggered", "mailed_share": None},
        "missing_demographics_share": None,
    }
    return simulate_world(profile=TRUE, parameters=parameters(**{**values, **changes}), seed=3)


@pytest.fixture(scope="module")
def world():
    return drawn()


@pytest.fixture(scope="module")
def tables(world):
    return world_tables(world=world, n_threads=1)


@pytest.fixture(scope="module")
def found(tables, world):
    timestamps = tables.transactions.get_backend().table("transactions")
    return fit_profile(tables=tables, timestamps=timestamps, parameters=FITTING)


def test_traits_come_back(found):
    """Fitted to a world, the profile is the one that the world was drawn from."""
    for name in ("visits_per_week", "usd_per_week", "discount_rate", "private_share"):
        got, true = np.array(found.trait_grids[name]), np.array(TRUE.trait_grids[name])
        assert np.median(got) == pytest.approx(np.median(true), rel=0.12), name
        # in a small shop the categories decide much of who can buy a private label
        if name != "private_share":
            spread, true_spread = np.log(got[32] / got[8]), np.log(true[32] / true[8])
            assert spread == pytest.approx(true_spread, rel=0.2), name
    assert found.trait_correlation[0][1] == pytest.approx(0.8, abs=0.08)
    assert found.trait_correlation[2][3] == pytest.approx(0.4, abs=0.1)


def test_drift_comes_back(found):
    assert found.weekly_variance == pytest.approx(TRUE.weekly_variance, rel=0.4)
    assert found.weekly_decay == pytest.approx(TRUE.weekly_decay, abs=0.06)


def test_shares_come_back(found):
    for name in CATEGORIES:
        assert found.category_lines[name] == pytest.approx(TRUE.category_lines[name], rel=0.15)
    cells = {(c.category, c.brand, c.commodity): c for c in found.products}
    for cell in TRUE.products:
        got = cells[cell.category, cell.brand, cell.commodity]
        assert got.price_usd == pytest.approx(cell.price_usd, rel=0.1)
        assert got.department == cell.department
    assert sum(c.share for c in found.products) == pytest.approx(1.0)
    assert found.home_store_share == pytest.approx(0.75 + 0.25 * 0.3, abs=0.05)
    assert found.quantity_shares[:3] == pytest.approx(TRUE.quantity_shares, abs=0.05)
    assert found.fuel_price_usd == pytest.approx(2.5, rel=0.01)
    assert found.missing_demographics_share == pytest.approx(0.6, abs=0.04)
    assert found.demographics_slope == pytest.approx(1.0, rel=0.25)


def test_seasons_and_hours_come_back(found):
    assert found.weekday == pytest.approx(TRUE.weekday, abs=0.05)
    assert found.week_of_year == pytest.approx(TRUE.week_of_year, abs=0.2)
    assert found.hour[8:] == pytest.approx([1 / 16] * 16, abs=0.005)
    assert max(found.hour[:8]) < 1e-9


def test_campaigns_come_back(found):
    facts = {c.campaign_id: c for c in found.campaigns}
    for true in TRUE.campaigns:
        got = facts[true.campaign_id]
        assert (got.campaign_type, got.start_date, got.end_date) == (
            true.campaign_type,
            true.start_date,
            true.end_date,
        )
        assert got.mailed_share == pytest.approx(true.mailed_share, abs=0.05)
        assert got.target_sales_share == pytest.approx(true.target_sales_share, abs=0.05)
        assert got.n_coupons <= true.n_coupons
    assert facts[13].redemption_share == pytest.approx(0.15, abs=0.05)


def test_the_targeting_rule_comes_back(found):
    slopes = found.targeting["TypeA"]
    assert slopes["log_spend"] + slopes["log_visits"] == pytest.approx(1.2, abs=0.25)
    assert slopes["mailed_before"] == pytest.approx(0.5, abs=0.2)
    assert slopes["has_demographics"] == pytest.approx(0.3, abs=0.15)


def test_the_profile_is_json_and_back(found):
    text = json.dumps(found.model_dump(mode="json"))
    assert WorldProfile.model_validate(json.loads(text)) == found


def test_the_profile_holds_aggregates_only(found, tables):
    """No list is as long as households or products, and nobody's largest value is in a grid."""
    spend = tables.transactions.filter(tables.transactions.is_merchandise)
    top = (
        spend.group_by("household_id").agg(usd=spend.sales_usd.sum()).usd.max().to_pyarrow().as_py()
    )
    assert max(found.trait_grids["usd_per_week"]) * 365 / 7 < top
    for name, value in found.model_dump().items():
        if isinstance(value, list):
            assert len(value) < 100, name


def test_history_that_no_campaign_has_is_refused(tables):
    timestamps = tables.transactions.get_backend().table("transactions")
    wanted = FITTING.model_copy(update={"history_days": 300})
    with pytest.raises(SourceError, match="`history_days` must leave a campaign with 300"):
        fit_profile(tables=tables, timestamps=timestamps, parameters=wanted)


def test_the_fit_of_two_draws_of_one_world_is_near_and_of_another_one_far(tables):
    other = drawn(n_households=1000, span={"first_date": "2017-01-01", "days": 300})
    poorer = TRUE.model_copy(
        update={
            "trait_grids": {
                **TRUE.trait_grids,
                "usd_per_week": [v / 2.0 for v in TRUE.trait_grids["usd_per_week"]],
            }
        }
    )
    far = simulate_world(
        profile=poorer,
        parameters=parameters(n_households=600, effect={"function": "zero"}),
        seed=5,
    )
    one = marginals(tables=tables)
    near = goodness_of_fit(
        real=one, simulated=marginals(tables=world_tables(world=other, n_threads=1))
    ).set_index("figure")
    apart = goodness_of_fit(
        real=one, simulated=marginals(tables=world_tables(world=far, n_threads=1))
    ).set_index("figure")
    same = goodness_of_fit(real=one, simulated=one).set_index("figure")
    assert (same[["ks", "wasserstein_sd"]].dropna() == 0.0).all().all()
    for name in ("basket_usd", "spend_28d_usd", "basket_mean_usd"):
        assert near.loc[name, "ks"] < 0.06
        assert apart.loc[name, "ks"] > 0.15
    assert near.loc["auc_of_pre_spend", "simulated"] == pytest.approx(
        near.loc["auc_of_pre_spend", "real"], abs=0.06
    )


def test_the_figure_shows_nine_panels_with_their_distances(tables):
    one = marginals(tables=tables)
    figure = fit_figure(real=one, simulated=one, fit=goodness_of_fit(real=one, simulated=one))
    assert len(figure.axes) == 9
    texts = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert sum("KS) 0.0%" in text for text in texts) == 6
