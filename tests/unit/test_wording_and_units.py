"""Words and columns say what a figure is: the outcome's unit, or money that somebody stated."""

from __future__ import annotations

import pandas as pd
import pytest
from pydantic import ValidationError

from promo_uplift.analysis import in_outcome_unit
from promo_uplift.contracts.parameters import PolicyParameters, WordingParameters
from promo_uplift.contracts.results import Interval

WORDS = {
    "unit": "USD",
    "decimals": 2,
    "treatment": "mailing",
    "treated": "mailed",
    "subject": "household",
    "subjects": "households",
    "horizon": "in 28 days",
}
MONEY = {
    "margin_rate": 0.25,
    "contact_cost_usd": 0.75,
    "redemption_cost_usd": 1.0,
    "values_are_assumptions": True,
    "grid_points": 11,
    "support_quantile": 0.0,
}
FREE = {"margin_rate": 1.0, "contact_cost_usd": 0.0, "redemption_cost_usd": 0.0}


def wording(**changed):
    return WordingParameters.model_validate(WORDS | changed)


def policy(**changed):
    return PolicyParameters.model_validate(MONEY | changed)


@pytest.mark.parametrize(
    ("decimals", "value", "text"),
    [
        (2, 4.5, "+4.50"),
        (2, -0.004, "-0.00"),
        (0, 12.6, "+13"),
        (None, 0.076621, "+0.0766"),
        (None, -0.00012345, "-0.000123"),
        (None, 12345.0, "+1.23e+04"),
    ],
)
def test_figures_have_their_decimals_or_three_digits(decimals, value, text):
    assert wording(decimals=decimals).number(value) == text


def test_a_figure_carries_its_unit_its_sign_and_its_interval():
    words = wording(unit="visits", decimals=None)
    assert words.amount(0.0452) == "+0.0452 visits"
    assert words.size(-0.0452) == "0.0452 visits"
    assert words.interval(Interval(0.05, -0.01, 0.11)) == "+0.05 visits (-0.01 to +0.11)"


def test_the_horizon_follows_the_unit_or_is_left_out():
    assert wording().after == " in 28 days"
    assert wording(horizon="").after == ""


@pytest.mark.parametrize("name", ["unit", "treatment", "treated", "subject", "subjects"])
def test_an_empty_word_is_refused(name):
    with pytest.raises(ValidationError, match=name):
        wording(**{name: ""})


@pytest.mark.parametrize(
    "money", [{}, {"margin_rate": 0.5}, {"contact_cost_usd": 0.1}, {"redemption_cost_usd": 1.0}]
)
def test_money_that_nobody_stated_is_none(money):
    free = FREE if money else {}
    with pytest.raises(ValidationError, match="`are_stated` must be true where"):
        policy(**(free | money), are_stated=False)
    assert policy(**FREE, are_stated=False).expected.margin_per_unit == 1.0


def test_the_value_of_a_unit_multiplies_the_margin():
    visits = policy(outcome_value_usd=20.0)
    assert visits.expected.margin_per_unit == pytest.approx(5.0)
    assert visits.expected.break_even_cate_usd == pytest.approx(0.15)


TABLE = pd.DataFrame(
    {
        "policy": ["all"],
        "estimate_usd": [1.0],
        "profit_usd_per_household": [2.0],
        "profit_usd_per_household_ci_low": [1.5],
        "chosen_minus_this_usd": [0.5],
        "expected_profit_usd": [0.1],
        "cost_usd_per_household": [0.3],
        "incremental_outcome_usd_per_household": [3.0],
        "roi": [4.0],
        "roi_ci_low": [3.0],
        "cate_usd": [5.0],
        "cate_usd_t_learner": [5.0],
        "margin_rate": [0.25],
        "outcome_value_usd": [1.0],
        "contact_cost_usd": [0.75],
        "redemption_cost_usd": [1.0],
        "values_are_assumptions": [True],
    }
)


def test_a_table_in_usd_with_stated_money_stays_as_it_is():
    found = in_outcome_unit(TABLE, policy=policy(), wording=wording())
    pd.testing.assert_frame_equal(found, TABLE)


def test_where_the_outcome_is_no_money_only_money_ends_in_usd():
    found = in_outcome_unit(TABLE, policy=policy(), wording=wording(unit="visits"))
    assert {name for name in found if "usd" in name} == {
        "profit_usd_per_household",
        "profit_usd_per_household_ci_low",
        "chosen_minus_this_usd",
        "expected_profit_usd",
        "cost_usd_per_household",
        "outcome_value_usd",
        "contact_cost_usd",
        "redemption_cost_usd",
    }
    assert {"estimate", "cate", "cate_t_learner", "incremental_outcome_per_household"} <= set(found)
    assert found.to_numpy().tolist() == TABLE.to_numpy().tolist()


@pytest.mark.parametrize("unit", ["USD", "visits"])
def test_without_a_stated_cost_no_column_speaks_of_money(unit):
    free = policy(**FREE, are_stated=False)
    found = in_outcome_unit(TABLE, policy=free, wording=wording(unit=unit))
    for name in found:
        assert not any(word in name for word in ("profit", "cost", "roi", "margin", "assum"))
    gain = "gain_usd_per_household" if unit == "USD" else "gain_per_household"
    assert found[gain].tolist() == [2.0]
    assert any("usd" in name for name in found) == (unit == "USD")


def test_the_table_itself_is_not_changed():
    before = TABLE.copy(deep=True)
    in_outcome_unit(TABLE, policy=policy(**FREE, are_stated=False), wording=wording(unit="visits"))
    pd.testing.assert_frame_equal(TABLE, before)
