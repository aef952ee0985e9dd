"""The ledger adds up, counts each discount once, and its intervals are those of the sums."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.effects.estimate import Estimate, Label
from promo_uplift.policy.campaign_effects import (
    LEDGER_OUTCOMES,
    MANUFACTURER_FUNDED,
    PARTS,
    POST,
    RETAILER_FUNDED,
    SPEND,
    CampaignEffects,
    LedgerParameters,
)
from promo_uplift.policy.ledger import incremental_ledger
from promo_uplift.policy.rejection import RejectionRules, campaign_decisions

MONEY = PolicyParameters(
    margin_rate=0.25,
    contact_cost_usd=0.5,
    redemption_cost_usd=2.0,
    values_are_assumptions=True,
    grid_points=11,
    support_quantile=0.0,
)
UNSTATED = MONEY.model_copy(
    update={
        "margin_rate": 1.0,
        "contact_cost_usd": 0.0,
        "redemption_cost_usd": 0.0,
        "are_stated": False,
    }
)
PARAMETERS = LedgerParameters(
    level=0.95, margin_basis="revenue", profit_window="effect", additivity_tolerance=1e-6
)
RULES = RejectionRules(
    max_p_value=0.10, min_effect_usd=0.0, min_roi=0.05, discovery="bh", level=0.95, power=0.8
)


def effect(outcome, value, *, psi=None, se=1.0, campaign="8"):
    influence = None if psi is None else pd.Series(psi, index=np.arange(len(psi)))
    if influence is not None:
        n = len(influence)
        se = float(np.sqrt(n / (n - 1) * np.square(influence).sum()))
    return Estimate.normal(
        label=Label("panel", "two_by_two", "att", campaign, outcome),
        value=value,
        se=se,
        level=0.95,
        counts=(200, 100, 200),
        influence=influence,
    )


def campaign_of(rng, values, *, campaign="8", n_treated=100, n_redeemers=10, households=200):
    """A campaign whose spend is the sum of its parts, in value and in error."""
    outcomes = (*PARTS, *RETAILER_FUNDED, MANUFACTURER_FUNDED, POST)
    psi = {name: rng.normal(0, 0.1, households) for name in outcomes}
    psi[SPEND] = sum(psi[name] for name in PARTS)
    given = {SPEND: sum(values[:3]), **dict(zip(outcomes, values, strict=True))}
    effects = {
        name: effect(name, given[name], psi=psi[name], campaign=campaign)
        for name in LEDGER_OUTCOMES
    }
    return CampaignEffects(campaign, effects, n_treated, n_redeemers, {MANUFACTURER_FUNDED: 40.0})


@pytest.fixture
def one():
    return campaign_of(np.random.default_rng(0), [4.0, -1.0, 2.0, 0.6, 0.1, 0.3, -1.5])


def ledger_of(*campaigns, money=MONEY, **changes):
    return incremental_ledger(
        campaigns=campaigns, money=money, parameters=replace(PARAMETERS, **changes)
    )


@pytest.mark.parametrize(
    ("basis", "rate"), [("revenue", 0.40 / 2.00), ("shelf", 1.0 - 1.60 / 3.34)]
)
def test_the_publishers_example_earns_40_cents_on_either_basis(basis, rate):
    shelf_price = (2.00 + 1.34) / 2
    assert shelf_price == pytest.approx(1.67)
    rng = np.random.default_rng(0)
    values = [2.0, 0.0, 0.0, 1.34, 0.0, 0.55, 0.0]  # and 0.55 that the manufacturer pays back
    ledger = ledger_of(
        campaign_of(rng, values, n_treated=1, n_redeemers=0),
        money=MONEY.model_copy(update={"margin_rate": rate}),
        margin_basis=basis,
    )
    assert ledger.entries["8", "incremental_margin"].value == pytest.approx(2.00 - 2 * 0.80)
    assert ledger.entries["8", "retailer_discount"].value == pytest.approx(1.34)
    assert ledger.entries["8", "manufacturer_coupon"].value == pytest.approx(0.55)


def test_a_coupon_match_costs_the_retailer_what_a_loyalty_discount_does():
    """Goods at 10 USD of shelf value bought for 6: who of the retailer gives 3 USD is the same."""
    money = MONEY.model_copy(update={"margin_rate": 0.4})
    rng = np.random.default_rng(0)
    earned = [
        ledger_of(
            campaign_of(rng, [7.0, 0, 0, loyalty, match, 0, 0], n_treated=1, n_redeemers=0),
            money=money,
            margin_basis="shelf",
        )
        .entries["8", "incremental_margin"]
        .value
        for loyalty, match in ((3.0, 0.0), (0.0, 3.0))
    ]
    assert earned == pytest.approx([1.0, 1.0])


def test_every_entry_by_hand(one):
    ledger = ledger_of(one)
    values = {entry: found.value for (name, entry), found in ledger.entries.items() if name == "8"}
    expected = {
        "target": 400.0,
        "category": -100.0,
        "elsewhere": 200.0,
        "incremental_revenue": 500.0,
        "after": -150.0,
        "net_revenue": 350.0,
        "loyalty_discount": 60.0,
        "coupon_match": 10.0,
        "retailer_discount": 70.0,
        "manufacturer_coupon": 30.0,
        "incremental_margin": 125.0,
        "contact_cost": 50.0,
        "redemption_cost": 20.0,
        "profit": 55.0,
        "roi": 55.0 / 70.0,
        "break_even_effect": 70.0 / 100.0 / 0.25,
    }
    assert values == pytest.approx(expected)
    after = ledger_of(one, profit_window="effect_and_after").entries
    assert after["8", "profit"].value == pytest.approx(0.25 * 350.0 - 70.0)


@pytest.mark.parametrize("basis", ["revenue", "shelf"])
@pytest.mark.parametrize("window", ["effect", "effect_and_after"])
def test_at_the_break_even_effect_profit_is_nothing(one, basis, window):
    entries = ledger_of(one, margin_basis=basis, profit_window=window).entries
    break_even = entries["8", "break_even_effect"].value
    revenue = "incremental_revenue" if window == "effect" else "net_revenue"
    missing = break_even - entries["8", revenue].value / one.n_treated
    moved = dict(one.effects)
    for name in (SPEND, PARTS[0]):
        moved[name] = replace(moved[name], value=moved[name].value + missing)
    again = ledger_of(replace(one, effects=moved), margin_basis=basis, profit_window=window).entries
    assert again["8", "profit"].value == pytest.approx(0.0, abs=1e-9)
    assert again["8", "roi"].value == pytest.approx(0.0, abs=1e-9)


def test_the_interval_of_a_sum_comes_from_the_households_and_not_from_the_errors(one):
    entries = ledger_of(one).entries
    parts = [entries["8", name] for name in ("target", "category", "elsewhere")]
    total = entries["8", "incremental_revenue"]
    psi = sum(one.effects[name].influence for name in PARTS).to_numpy() * one.n_treated
    assert total.se == pytest.approx(np.sqrt(200 / 199 * (psi**2).sum()))
    assert total.se < 0.75 * sum(part.se for part in parts)
    net = entries["8", "net_revenue"]
    both = psi + one.effects[POST].influence.to_numpy() * one.n_treated
    assert net.se == pytest.approx(np.sqrt(200 / 199 * (both**2).sum()))
    assert total.value == sum(part.value for part in parts)
    assert entries["8", "roi"].se == pytest.approx(0.25 * total.se / 70.0)


def test_errors_that_cancel_do_so_in_the_sum():
    rng = np.random.default_rng(2)
    psi = rng.normal(0, 1, 200)
    base = campaign_of(rng, [4.0, -4.0, 0.0, 0, 0, 0, 0])
    effects = dict(base.effects)
    for name, sign in ((PARTS[0], 1.0), (PARTS[1], -1.0), (PARTS[2], 0.0), (SPEND, 0.0)):
        effects[name] = effect(name, 4.0 * sign, psi=sign * psi)
    entries = ledger_of(replace(base, effects=effects)).entries
    assert entries["8", "target"].se > 100.0
    assert entries["8", "incremental_revenue"].se == 0.0


def test_pooled_knows_that_households_are_in_several_campaigns():
    rng = np.random.default_rng(4)
    values = [4.0, -1.0, 2.0, 0.6, 0.1, 0.3, -1.5]
    first = campaign_of(rng, values)
    twice = CampaignEffects(
        "13",
        {
            name: replace(found, label=replace(found.label, campaign="13"))
            for name, found in first.effects.items()
        },
        first.n_treated,
        first.n_redeemers,
        {},
    )
    pooled = ledger_of(first, twice).entries
    for entry in ("incremental_revenue", "net_revenue", "profit"):
        assert pooled["pooled", entry].value == pytest.approx(2 * pooled["8", entry].value)
        assert pooled["pooled", entry].se == pytest.approx(2 * pooled["8", entry].se)
    assert pooled["pooled", "roi"].value == pytest.approx(pooled["8", "roi"].value)
    assert ledger_of(first, twice).n_treated == {"8": 100, "13": 100, "pooled": 200}
    apart = {
        name: replace(found, influence=found.influence.set_axis(found.influence.index + 1000))
        for name, found in twice.effects.items()
    }
    independent = ledger_of(first, replace(twice, effects=apart)).entries
    assert independent["pooled", "profit"].se == pytest.approx(
        np.sqrt(2) * pooled["8", "profit"].se, rel=0.003
    )


def test_parts_that_do_not_add_up_are_refused(one):
    wrong = dict(one.effects)
    wrong[PARTS[1]] = replace(wrong[PARTS[1]], value=0.0)
    with pytest.raises(PolicyError, match=r"add up.*-1 USD per household is missing of 5"):
        ledger_of(replace(one, effects=wrong))
    errs = dict(one.effects)
    errs[PARTS[1]] = replace(errs[PARTS[1]], influence=2.0 * errs[PARTS[1]].influence)
    with pytest.raises(PolicyError, match="`influence`"):
        ledger_of(replace(one, effects=errs))


def test_without_stated_money_there_is_no_return(one):
    ledger = ledger_of(one, money=UNSTATED)
    assert not {"roi", "profit", "incremental_margin", "contact_cost"} & {
        entry for _, entry in ledger.entries
    }
    decisions = campaign_decisions(ledger=ledger, rules=RULES).set_index("campaign")
    assert decisions.loc["8", ["decision", "rule"]].tolist() == ["undecided", "no_roi"]
    assert np.isnan(decisions.loc["8", "roi"])


def test_money_that_makes_no_return_says_why(one):
    free = MONEY.model_copy(update={"contact_cost_usd": 0.0, "redemption_cost_usd": 0.0})
    assert ledger_of(one, money=free).entries["8", "roi"].reason == "no cost above 0 was stated"
    bare = MONEY.model_copy(update={"margin_rate": 0.0})
    assert "margin rate is 0" in ledger_of(one, money=bare).entries["8", "break_even_effect"].reason
    visits = MONEY.model_copy(update={"outcome_value_usd": 2.0})
    with pytest.raises(PolicyError, match="`outcome_value_usd` must be 1"):
        ledger_of(one, money=visits)


def test_an_outcome_without_an_estimate_keeps_its_entries_with_the_reason(one):
    label = one.effects[POST].label
    uncovered = Estimate.none(label=label, reason="7 of 28 days are covered")
    short = replace(one, effects=dict(one.effects) | {POST: uncovered})
    ledger = ledger_of(short, profit_window="effect_and_after")
    for entry in ("after", "net_revenue", "profit", "roi"):
        assert "7 of 28 days" in ledger.entries["8", entry].reason
    assert ledger.entries["8", "incremental_revenue"].is_valid


def relabelled(one, campaign):
    effects = {
        name: replace(effect, label=replace(effect.label, campaign=campaign))
        for name, effect in one.effects.items()
    }
    return replace(one, campaign=campaign, effects=effects)


def test_the_whole_return_is_pooled_over_the_campaigns_whose_weeks_after_are_known(one):
    other = relabelled(one, "13")
    uncovered = Estimate.none(label=other.effects[POST].label, reason="7 of 28 days are covered")
    short = replace(other, effects=dict(other.effects) | {POST: uncovered})
    ledger = ledger_of(one, short, profit_window="effect_and_after")
    assert ledger.campaigns == ("8", "13", "pooled", "pooled_settled")
    assert not ledger.entries["pooled", "profit"].is_valid
    assert ledger.n_treated["pooled_settled"] == one.n_treated
    own, together = (ledger.entries[name, "profit"] for name in ("8", "pooled_settled"))
    assert (own.value, own.se) == pytest.approx((together.value, together.se))
    decisions = campaign_decisions(ledger=ledger, rules=RULES).set_index("campaign")
    assert decisions.loc["pooled_settled", "p_adjusted"] == decisions.loc["8", "p_value"]
    assert ledger_of(one, other).campaigns == ("8", "13", "pooled")


def test_a_campaign_without_an_effect_on_spend_is_left_out_of_the_pool_by_name(one):
    other = CampaignEffects("13", {}, 50, 0, {})
    ledger = ledger_of(one, other)
    assert ledger.left_out == {"13": "not estimated"}
    assert ledger.n_treated["pooled"] == 100
    assert ledger.entries["13", "profit"].reason == "no spend_usd: not estimated"
    row = campaign_decisions(ledger=ledger, rules=RULES).set_index("campaign").loc["13"]
    assert (row["decision"], row["rule"]) == ("undecided", "no_estimate")


def test_the_table_has_units_per_household_figures_and_who_pays(one):
    table = ledger_of(one).table().set_index(["campaign", "entry"])
    assert table.loc[("8", "profit"), "per_household"] == pytest.approx(0.55)
    assert table.loc[("8", "roi"), "unit"] == "share"
    assert np.isnan(table.loc[("8", "roi"), "per_household"])
    assert table.loc[("8", "manufacturer_coupon"), "funded_by"] == "manufacturer"
    assert table.loc[("8", "coupon_match"), "funded_by"] == "retailer"
    given = ledger_of(one).given_usd.iloc[0]
    assert (given["total_usd"], given["per_household_usd"]) == (40.0, 0.4)


def decided(effects_and_errors, **changes):
    campaigns = []
    for number, (value, se) in enumerate(effects_and_errors):
        name = str(number)
        spend = effect(SPEND, value, se=se, campaign=name)
        campaigns.append(CampaignEffects(name, {SPEND: spend}, 100, 0, {}))
    ledger = incremental_ledger(campaigns=campaigns, money=MONEY, parameters=PARAMETERS)
    table = campaign_decisions(ledger=ledger, rules=replace(RULES, **changes))
    return table[table["campaign"] != "pooled"].reset_index(drop=True)


@pytest.mark.parametrize(
    ("value", "se", "decision", "rule"),
    [
        (10.0, 2.0, "works", ""),
        (-10.0, 2.0, "rejected", "effect; roi"),
        (3.0, 2.5, "rejected", "p_value"),  # p 0.23, ROI +50 %
        (2.05, 0.5, "rejected", "roi"),  # ROI +2.5 %
        (-0.1, 1.0, "rejected", "effect; p_value; roi"),
    ],
)
def test_each_rule_is_named(value, se, decision, rule):
    row = decided([(value, se)]).iloc[0]
    assert (row["decision"], row["rule"]) == (decision, rule)
    assert row["effect_usd"] == pytest.approx(value)
    assert row["mde_usd"] == pytest.approx(2.8016 * se, rel=1e-4)


def test_what_passes_alone_and_not_among_many_is_undecided():
    alone = decided([(4.0, 2.2)])
    assert alone["decision"].tolist() == ["works"]
    among = decided([(4.0, 2.2), *[(0.5, 2.0)] * 9])
    assert among["decision"].iloc[0] == "undecided"
    assert among["rule"].iloc[0] == "false_discovery"
    assert among["p_adjusted"].iloc[0] == pytest.approx(min(1.0, 10 * among["p_value"].iloc[0]))


def test_a_rejection_by_p_value_says_whether_a_profit_is_excluded():
    assert decided([(0.1, 5.0)])["why"].iloc[0].endswith("a profit is not excluded")
    assert decided([(0.01, 0.5)])["why"].iloc[0].endswith("a profit is excluded")


def test_inputs_that_cannot_be_a_campaign_are_refused(one):
    with pytest.raises(PolicyError, match="each campaign once"):
        ledger_of(one, one)
    with pytest.raises(PolicyError, match="`n_redeemers` between 0 and it"):
        replace(one, n_redeemers=101)
    with pytest.raises(PolicyError, match=r"found \['visits'\]"):
        replace(one, effects={"visits": one.effects[SPEND]})
    stray = replace(one.effects[SPEND], label=replace(one.effects[SPEND].label, campaign="9"))
    with pytest.raises(PolicyError, match="must be its ATT"):
        ledger_of(replace(one, effects={SPEND: stray}))
    with pytest.raises(PolicyError, match="`margin_basis`"):
        replace(PARAMETERS, margin_basis="gross")
    with pytest.raises(PolicyError, match="`max_p_value`"):
        replace(RULES, max_p_value=10.0)


@pytest.mark.parametrize("basis", ["revenue", "shelf"])
def test_money_that_is_not_known_adds_its_error_to_first_order(one, basis):
    unknown = PolicyParameters.model_validate(
        MONEY.model_dump()
        | {
            "margin_rate": {"normal": {"mean": 0.25, "sd": 0.01}},
            "contact_cost_usd": {"uniform": {"low": 0.4, "high": 0.6}},
            "redemption_cost_usd": {"triangular": {"low": 1.0, "mode": 2.0, "high": 3.0}},
        }
    )
    sharp = {
        name: effect(name, found.value, psi=0.02 * found.influence.to_numpy())
        for name, found in one.effects.items()
    }
    one = replace(one, effects=sharp)
    known = ledger_of(one, margin_basis=basis).entries
    found = ledger_of(one, money=unknown, margin_basis=basis).entries
    rng = np.random.default_rng(4)
    n = 400_000
    # the same money for every figure, the effects apart from it
    margin = rng.normal(0.25, 0.01, n)
    cost = rng.uniform(0.4, 0.6, n) * 100 + rng.triangular(1.0, 2.0, 3.0, n) * 10
    gained, discount = 500.0, 70.0 if basis == "shelf" else 0.0
    earned = margin * (gained + discount) - discount
    drawn = {
        "profit": earned - cost,
        "roi": earned / cost - 1.0,
        "break_even_effect": ((cost + discount) / margin - discount) / 100.0,
        "contact_cost": None,
    }
    for entry, values in drawn.items():
        own, before = found["8", entry], known["8", entry]
        assert own.value == pytest.approx(before.value)
        sd = 100 * 0.2 / np.sqrt(12) if values is None else values.std()
        # ratios are not linear in a cost that varies by a tenth
        exactness = 0.01 if entry in ("profit", "contact_cost") else 0.04
        assert own.se == pytest.approx(np.hypot(before.se, sd), rel=exactness), entry
        assert sd > 0.3 * before.se
    assert found["8", "incremental_revenue"].se == known["8", "incremental_revenue"].se
