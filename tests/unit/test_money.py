"""Money that is not known: its laws, its ranges, what is decided on and what is drawn."""

from __future__ import annotations

from math import erf, exp, pi, sqrt

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.integrate import quad

from promo_uplift.contracts.money import Distribution
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.policy.money import money_words
from promo_uplift.provenance import flattened, parameters_text

KNOWN = {
    "margin_rate": 0.25,
    "contact_cost_usd": 0.75,
    "redemption_cost_usd": 2.0,
    "values_are_assumptions": True,
    "grid_points": 11,
    "support_quantile": 0.0,
}


def money(**changed):
    return PolicyParameters.model_validate(KNOWN | changed)


def bell(x, mean, sd):
    return exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * sqrt(2.0 * pi))


def inside(bound, mean, sd):
    return 0.5 * (1.0 + erf((bound - mean) / (sd * sqrt(2.0))))


@pytest.mark.parametrize(
    ("law", "mean", "variance"),
    [
        ({"uniform": {"low": 1.0, "high": 4.0}}, 2.5, 9.0 / 12.0),
        (
            {"triangular": {"low": 1.0, "mode": 2.0, "high": 6.0}},
            3.0,
            (1 + 4 + 36 - 2 - 6 - 12) / 18,
        ),
        ({"triangular": {"low": 0.0, "mode": 0.0, "high": 3.0}}, 1.0, 9.0 / 18.0),
        ({"normal": {"mean": 5.0, "sd": 0.5}}, 5.0, 0.25),
    ],
)
def test_means_and_variances_are_those_of_the_textbook(law, mean, variance):
    found = money(contact_cost_usd=law).contact_cost_usd
    assert found.mean == pytest.approx(mean)
    assert found.sd == pytest.approx(sqrt(variance))
    drawn = found.draw(size=200_000, rng=np.random.default_rng(1))
    assert drawn.mean() == pytest.approx(mean, abs=4 * sqrt(variance / 200_000))
    assert drawn.var() == pytest.approx(variance, rel=0.02)


@pytest.mark.parametrize(
    ("field", "law", "low", "high"),
    [
        ("contact_cost_usd", {"mean": 0.3, "sd": 0.4}, 0.0, 5.0),
        ("contact_cost_usd", {"mean": 0.3, "sd": 0.4, "low": 0.1, "high": 0.6}, 0.1, 0.6),
        ("margin_rate", {"mean": 0.9, "sd": 0.2}, 0.0, 1.0),
    ],
)
def test_a_normal_law_is_cut_at_its_range_and_its_mean_is_that_of_the_rest(field, law, low, high):
    found = getattr(money(**{field: {"normal": law}}), field)
    mean, sd = law["mean"], law["sd"]
    mass = inside(high, mean, sd) - inside(low, mean, sd)
    expected = quad(lambda x: x * bell(x, mean, sd) / mass, low, high)[0]
    square = quad(lambda x: x**2 * bell(x, mean, sd) / mass, low, high)[0]
    assert found.mean == pytest.approx(expected, rel=1e-6)
    assert found.sd == pytest.approx(sqrt(square - expected**2), rel=1e-5)
    assert found.mean != pytest.approx(mean, rel=1e-3)
    drawn = found.draw(size=20_000, rng=np.random.default_rng(2))
    assert low <= drawn.min() <= drawn.max() <= high


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("contact_cost_usd", -0.1, "greater than or equal to 0"),
        ("contact_cost_usd", {"uniform": {"low": -1.0, "high": 1.0}}, r"within \[0, inf\]"),
        ("contact_cost_usd", {"uniform": {"low": 1.0, "high": 1.0}}, "Write a plain number"),
        ("contact_cost_usd", {"normal": {"mean": -1.0, "sd": 1.0}}, "`mean` must lie between"),
        ("contact_cost_usd", {"normal": {"mean": 1.0, "sd": 0.0}}, "greater than 0"),
        ("contact_cost_usd", {"lognormal": {"mean": 1.0, "sd": 1.0}}, "Extra inputs"),
        ("contact_cost_usd", {}, "exactly one of"),
        ("margin_rate", 1.2, "less than or equal to 1"),
        ("margin_rate", {"triangular": {"low": 0.1, "mode": 0.05, "high": 0.3}}, "`low` <= `mode`"),
        ("margin_rate", {"triangular": {"low": 0.1, "mode": 0.5, "high": 1.1}}, r"within \[0, 1\]"),
        ("retailer_funded_share", 1.5, "less than or equal to 1"),
        ("budget_usd", float("inf"), "finite"),
        ("redemption_cost_usd", "1.0", "valid number"),
        (
            "margin_rate",
            {"uniform": {"low": 0.1, "high": 0.2}, "normal": {"mean": 0.1, "sd": 0.1}},
            "exactly one of",
        ),
    ],
)
def test_an_amount_out_of_range_is_refused_under_its_name(field, value, said):
    with pytest.raises(ValidationError, match=said) as error:
        money(**{field: value})
    assert error.value.errors()[0]["loc"][0] == field


def test_expected_money_is_what_the_retailer_pays_on_average():
    found = money(
        redemption_cost_usd={"uniform": {"low": 1.0, "high": 2.0}},
        retailer_funded_share={"triangular": {"low": 0.0, "mode": 0.5, "high": 1.0}},
        outcome_value_usd=4.0,
        budget_usd={"uniform": {"low": 100.0, "high": 300.0}},
    ).expected
    assert found.redemption_cost_usd == pytest.approx(0.75)
    assert found.margin_per_unit == pytest.approx(1.0)
    assert found.break_even_cate_usd == pytest.approx(0.75)
    assert found.budget_usd == pytest.approx(200.0)


def test_draws_begin_with_expected_money_and_each_amount_has_its_own():
    uncertain = {"uniform": {"low": 0.5, "high": 1.0}}
    policy = money(contact_cost_usd=uncertain, redemption_cost_usd=uncertain)
    rng = np.random.default_rng(3)
    before = rng.bit_generator.state
    drawn = policy.draws(replicates=5_000, rng=rng)
    assert rng.bit_generator.state == before
    assert drawn.contact_cost_usd[0] == drawn.redemption_cost_usd[0] == 0.75
    assert (drawn.margin_per_unit == 0.25).all()
    correlation = np.corrcoef(drawn.contact_cost_usd[1:], drawn.redemption_cost_usd[1:])[0, 1]
    assert abs(correlation) < 4.0 / np.sqrt(5_000)
    again = policy.draws(replicates=5_000, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(again.contact_cost_usd, drawn.contact_cost_usd)
    # another amount that is not known leaves this one's draws as they are
    more = money(contact_cost_usd=uncertain, margin_rate={"normal": {"mean": 0.3, "sd": 0.1}})
    np.testing.assert_array_equal(
        more.draws(replicates=5_000, rng=np.random.default_rng(3)).contact_cost_usd,
        drawn.contact_cost_usd,
    )


def test_known_money_is_not_drawn():
    assert not money(budget_usd={"uniform": {"low": 1.0, "high": 2.0}}).is_uncertain
    assert money().draws(replicates=10, rng=np.random.default_rng(0)) is None


def test_a_distribution_is_logged_by_its_leaves_and_read_back():
    policy = money(margin_rate={"triangular": {"low": 0.1, "mode": 0.2, "high": 0.3}})
    logged = flattened("policy", policy)
    assert logged["policy.margin_rate.triangular.mode"] == 0.2
    assert logged["policy.contact_cost_usd"] == 0.75
    assert not [name for name in logged if "normal" in name or "uniform" in name]
    assert "triangular" in parameters_text({"policy": policy})
    assert PolicyParameters.model_validate(policy.model_dump()) == policy


def test_no_budget_and_no_distribution_where_nobody_stated_a_cost():
    free = {"margin_rate": 1.0, "contact_cost_usd": 0.0, "redemption_cost_usd": 0.0}
    assert not money(**free, are_stated=False).are_stated
    for changed in (
        {"budget_usd": 10.0},
        {"contact_cost_usd": {"uniform": {"low": 0.0, "high": 0.1}}},
    ):
        with pytest.raises(ValidationError, match="`are_stated` must be true where"):
            money(**(free | changed), are_stated=False)


def test_words_give_the_retailers_cost_and_the_spread_of_what_is_not_known():
    policy = money(
        redemption_cost_usd={"uniform": {"low": 1.0, "high": 3.0}}, retailer_funded_share=0.5
    )
    words = money_words(parameters=policy, redeeming="redemption")
    # a width of 2 / sqrt(12), of which half is the retailer's
    assert words == "margin 25%, contact 0.75 USD, redemption 1.00 USD (sd 0.29)"


def test_a_law_times_and_plus_something_is_a_law_of_its_kind():
    law = Distribution.model_validate({"normal": {"mean": 1.0, "sd": 0.2, "low": 0.5}})
    moved = Distribution.model_validate(law.changed(times=2.0, plus=1.0))
    assert moved.mean == pytest.approx(2.0 * law.mean + 1.0)
    assert moved.sd == pytest.approx(2.0 * law.sd)
