r"""The incremental ledger: what a campaign added, who paid for it, and whether it paid off.

Who pays, and what is counted once
----------------------------------
``sales_value`` is what the retailer receives: its own loyalty discount and its match of coupons
are already out, a manufacturer's coupon is still in, since the manufacturer pays it back. The
publisher's example: two units at a shelf price of 1.67 USD, of which the loyalty card takes 1.34
USD, are recorded as sales of 2.00 USD. Were the goods bought for 1.60 USD, the retailer earned
0.40 USD. So:

- ``margin_basis`` ``revenue``: the margin rate is margin on what the retailer receives (0.40 / 2.00
  = 20 %). Margin is rate x revenue; discounts are **not** taken off again, since they already
  lowered the revenue.
- ``margin_basis`` ``shelf``: the margin rate is that at shelf prices (1 - 1.60 / 3.34 = 52.1 %).
  Margin is rate x (revenue + retailer-funded discount) - retailer-funded discount, 0.40 USD again.

Rate x revenue - discount would be neither: it takes the discount off twice. A manufacturer's coupon
is no cost on either basis and is reported apart. ``redemption_cost_usd`` is therefore what handling
a redemption costs: no face value, which the manufacturer pays back, and no match, which is out of
the revenue already. Contact and redemption costs are inputs and are never read off
``coupon_disc``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.money import Money
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.effects import POOLED
from promo_uplift.effects.estimate import Estimate, Label
from promo_uplift.effects.joint import weighted_sum
from promo_uplift.policy.campaign_effects import (
    MANUFACTURER_FUNDED,
    PARTS,
    POST,
    RETAILER_FUNDED,
    SPEND,
    CampaignEffects,
    LedgerParameters,
    validate_effects,
)
from promo_uplift.policy.money import money_sds

#: Columns of the ledger's table.
LEDGER_COLUMNS: Final = (
    "campaign",
    "entry",
    "funded_by",
    "unit",
    "value",
    "se",
    "ci_low",
    "ci_high",
    "p_value",
    "per_household",
    "n_treated",
    "reason",
)
#: All campaigns whose weeks after the end the data covers, where it does not cover all: the ones
#: whose forward-buying, and so whose whole return, is known.
SETTLED: Final = "pooled_settled"
#: Campaigns taken together.
TOGETHER: Final = (POOLED, SETTLED)
#: Who pays for an entry that is a cost or a discount.
FUNDED_BY: Final = {
    "loyalty_discount": "retailer",
    "coupon_match": "retailer",
    "retailer_discount": "retailer",
    "manufacturer_coupon": "manufacturer",
    "contact_cost": "retailer",
    "redemption_cost": "retailer",
}


@dataclass(frozen=True, slots=True)
class Ledger:
    """Entries of every campaign and of all together.

    Attributes
    ----------
    entries : mapping of (campaign, entry) to Estimate
        Totals in USD, with the influence of their error; ``roi`` is a share and
        ``break_even_effect`` USD per treated household.
    n_treated : mapping of campaign to int
        Households mailed; of ``pooled`` mailings of the campaigns in it.
    given_usd : DataFrame
        Discounts that the treated received, USD: ``campaign``, ``outcome``, ``funded_by``,
        ``total_usd``, ``per_household_usd``; counted, not caused.
    left_out : mapping of campaign to str
        Campaigns without an effect on spend, which ``pooled`` does not hold, and why.
    """

    entries: Mapping[tuple[str, str], Estimate]
    n_treated: Mapping[str, int]
    given_usd: pd.DataFrame
    left_out: Mapping[str, str]

    @property
    def campaigns(self) -> tuple[str, ...]:
        """Campaigns in order, then ``pooled`` and, where it differs, ``pooled_settled``."""
        return tuple(self.n_treated)

    def table(self) -> pd.DataFrame:
        """One row per campaign and entry, columns ``LEDGER_COLUMNS``."""
        rows = []
        for (campaign, entry), one in self.entries.items():
            is_total = entry not in ("roi", "break_even_effect")
            n_treated = self.n_treated[campaign]
            rows.append(
                {
                    "campaign": campaign,
                    "entry": entry,
                    "funded_by": FUNDED_BY.get(entry, ""),
                    "unit": {"roi": "share", "break_even_effect": "USD per treated household"}.get(
                        entry, "USD"
                    ),
                    "value": one.value,
                    "se": one.se,
                    "ci_low": one.ci_low,
                    "ci_high": one.ci_high,
                    "p_value": one.p_value,
                    "per_household": one.value / n_treated if is_total else np.nan,
                    "n_treated": n_treated,
                    "reason": one.reason,
                }
            )
        return pd.DataFrame(rows, columns=list(LEDGER_COLUMNS))


def incremental_ledger(
    *,
    campaigns: Sequence[CampaignEffects],
    money: PolicyParameters,
    parameters: LedgerParameters,
) -> Ledger:
    r"""Incremental revenue, margin, discounts and return of each campaign and of all, USD.

    With :math:`N` households mailed and :math:`\hat\tau` the average effect on them:

    - ``incremental_revenue`` :math:`N \hat\tau_{spend}` = ``target`` + ``category`` (negative:
      cannibalisation) + ``elsewhere`` (positive: halo), exactly; ``after`` (negative:
      forward-buying); ``net_revenue`` = ``incremental_revenue`` + ``after``;
    - ``loyalty_discount``, ``coupon_match``, their sum ``retailer_discount``,
      ``manufacturer_coupon``: discounts that the campaign caused;
    - where money is stated: ``incremental_margin`` on the revenue of ``profit_window`` (see the
      module; what the campaign does to discounts after it is not measured and taken as nothing),
      ``contact_cost``, ``redemption_cost`` of those that did redeem, ``profit``, ``roi`` = profit /
      costs and ``break_even_effect``, the effect on that revenue at which profit is 0.

    An entry of one effect has that effect's interval times :math:`N`; a sum has the error of the
    sum of influences, over campaigns too, since a household is in several. :math:`N` and redeemers
    are counts, without an error. Money that is a distribution is the same for all campaigns and
    independent of the effects: to first order, half the change of a figure between one standard
    deviation above and below the mean of an amount adds to its error, while ``influence`` stays
    that of the effects. Who has no estimate (no overlap, no covered window)
    is taken to respond like those who have.

    Parameters
    ----------
    campaigns : sequence of CampaignEffects
        Effects and counts.
    money : PolicyParameters
        Margin and costs; where nobody stated them the ledger ends with revenue and discounts.
    parameters : LedgerParameters
        Level, basis of the margin, window of the profit.

    Raises
    ------
    PolicyError
        If a campaign repeats, an effect is not its ATT, parts do not add up to spend, or the
        outcome is not worth 1 USD.
    """
    names = [one.campaign for one in campaigns]
    if len(set(names)) < len(names) or set(TOGETHER) & set(names):
        raise PolicyError(
            f"`campaigns` must hold each campaign once, none of {list(TOGETHER)}; found {names}. "
            "The ledger adds them up itself."
        )
    if money.outcome_value_usd != 1.0:
        raise PolicyError(
            f"`outcome_value_usd` must be 1 for a ledger in USD, found {money.outcome_value_usd}."
        )
    for one in campaigns:
        validate_effects(one, tolerance=parameters.additivity_tolerance)
    left_out = {one.campaign: one.effect(SPEND).reason for one in campaigns}
    left_out = {name: reason for name, reason in left_out.items() if reason}
    pooled = [one for one in campaigns if one.campaign not in left_out]
    entries: dict[tuple[str, str], Estimate] = {}
    n_treated: dict[str, int] = {}
    groups = [(one.campaign, [one]) for one in campaigns]
    groups += [(POOLED, pooled)] if pooled else []
    settled = [one for one in pooled if one.effect(POST).is_valid]
    groups += [(SETTLED, settled)] if 0 < len(settled) < len(pooled) else []
    for name, group in groups:
        n_treated[name] = sum(one.n_treated for one in group)
        account = _Account(name, group, money, parameters, _counts(group), money.expected)
        entries |= account.entries()
    return Ledger(entries, n_treated, _given(campaigns), left_out)


@dataclass(frozen=True, slots=True)
class _Account:
    """The entries of one campaign, or of several together."""

    name: str
    campaigns: Sequence[CampaignEffects]
    money: PolicyParameters
    parameters: LedgerParameters
    counts: tuple[int, int, int]
    at: Money

    def entries(self) -> dict[tuple[str, str], Estimate]:
        """Every entry by (campaign, name)."""
        found = {
            "target": self._sum("target", {PARTS[0]: 1.0}),
            "category": self._sum("category", {PARTS[1]: 1.0}),
            "elsewhere": self._sum("elsewhere", {PARTS[2]: 1.0}),
            "incremental_revenue": self._sum("incremental_revenue", {SPEND: 1.0}),
            "after": self._sum("after", {POST: 1.0}),
            "net_revenue": self._sum("net_revenue", {SPEND: 1.0, POST: 1.0}),
            "loyalty_discount": self._sum("loyalty_discount", {RETAILER_FUNDED[0]: 1.0}),
            "coupon_match": self._sum("coupon_match", {RETAILER_FUNDED[1]: 1.0}),
            "retailer_discount": self._sum(
                "retailer_discount", dict.fromkeys(RETAILER_FUNDED, 1.0)
            ),
            "manufacturer_coupon": self._sum("manufacturer_coupon", {MANUFACTURER_FUNDED: 1.0}),
        }
        if self.money.are_stated:
            found |= self._with_money_error(self._money_entries())
        return {(self.name, entry): one for entry, one in found.items()}

    def _with_money_error(self, entries: dict[str, Estimate]) -> dict[str, Estimate]:
        """Add the error of money that is not known to that of the effects."""
        moved = []
        for name, sd in money_sds(self.money).items():
            if sd > 0.0:
                middle = getattr(self.at, name)
                ends = (
                    replace(self, at=replace(self.at, **{name: middle + step}))
                    for step in (sd, -sd)
                )
                moved.append([one._money_entries() for one in ends])
        if not moved:
            return entries
        widened = {}
        for entry, one in entries.items():
            if not one.is_valid:
                widened[entry] = one
                continue
            halves = [0.5 * (above[entry].value - below[entry].value) for above, below in moved]
            widened[entry] = Estimate.normal(
                label=one.label,
                value=one.value,
                se=float(np.linalg.norm([one.se, *halves])),
                level=self.parameters.level,
                counts=self.counts,
                influence=one.influence,
            )
        return widened

    def _money_entries(self) -> dict[str, Estimate]:
        contact = self.at.contact_cost_usd * self._n
        redemption = self.at.redemption_cost_usd * sum(c.n_redeemers for c in self.campaigns)
        cost, margin = contact + redemption, self._margin_weights()
        found = {
            "incremental_margin": self._sum("incremental_margin", margin),
            "contact_cost": self._known("contact_cost", contact),
            "redemption_cost": self._known("redemption_cost", redemption),
            "profit": self._sum("profit", margin, constant=-cost),
        }
        if cost > 0.0:
            per_cost = {outcome: weight / cost for outcome, weight in margin.items()}
            found["roi"] = self._sum("roi", per_cost, constant=-1.0)
        else:
            found["roi"] = self._none("roi", "no cost above 0 was stated")
        found["break_even_effect"] = self._break_even(cost)
        return found

    def _revenue(self) -> tuple[str, ...]:
        return (SPEND,) if self.parameters.profit_window == "effect" else (SPEND, POST)

    def _margin_weights(self) -> dict[str, float]:
        """Incremental margin per USD of each outcome."""
        rate = self.at.margin_rate
        weights = dict.fromkeys(self._revenue(), rate)
        if self.parameters.margin_basis == "shelf":
            weights |= dict.fromkeys(RETAILER_FUNDED, rate - 1.0)
        return weights

    def _break_even(self, cost: float) -> Estimate:
        rate, entry = self.at.margin_rate, "break_even_effect"
        if rate == 0.0:
            return self._none(entry, "the margin rate is 0: no effect on spend pays for a cost")
        weights = self._margin_weights()
        discounts = {
            outcome: -weight / rate / self._n
            for outcome, weight in weights.items()
            if outcome in RETAILER_FUNDED
        }
        known = cost / rate / self._n
        if not discounts:
            return self._known(entry, known)
        return self._sum(entry, discounts, constant=known)

    @property
    def _n(self) -> int:
        return sum(one.n_treated for one in self.campaigns)

    def _label(self, entry: str) -> Label:
        first = self.campaigns[0].effect(SPEND).label
        return replace(first, estimand="total", campaign=self.name, outcome=entry)

    def _sum(self, entry: str, weights: Mapping[str, float], constant: float = 0.0) -> Estimate:
        """Weighted total of effects over the households mailed, with its joint error."""
        parts = [
            (weight * campaign.n_treated, campaign.effect(outcome))
            for campaign in self.campaigns
            for outcome, weight in weights.items()
        ]
        return weighted_sum(
            label=self._label(entry),
            parts=parts,
            level=self.parameters.level,
            counts=self.counts,
            constant=constant,
        )

    def _known(self, entry: str, value: float) -> Estimate:
        """Give a figure that is an input or a count: its error is 0."""
        return Estimate.normal(
            label=self._label(entry),
            value=value,
            se=0.0,
            level=self.parameters.level,
            counts=self.counts,
        )

    def _none(self, entry: str, reason: str) -> Estimate:
        return Estimate.none(label=self._label(entry), reason=reason, counts=self.counts)


def _counts(campaigns: Sequence[CampaignEffects]) -> tuple[int, int, int]:
    """Rows, mailings and households behind the effects on spend."""
    spend = [one.effect(SPEND) for one in campaigns]
    indices = [one.influence.index for one in spend if one.influence is not None]
    households = pd.Index([]) if not indices else indices[0].append(indices[1:]).unique()
    n_households = len(households) or max(one.n_households for one in spend)
    return sum(one.n for one in spend), sum(one.n_treated for one in campaigns), n_households


def _given(campaigns: Sequence[CampaignEffects]) -> pd.DataFrame:
    rows = [
        {
            "campaign": one.campaign,
            "outcome": outcome,
            "funded_by": "manufacturer" if outcome == MANUFACTURER_FUNDED else "retailer",
            "total_usd": total,
            "per_household_usd": total / one.n_treated,
        }
        for one in campaigns
        for outcome, total in one.given_usd.items()
    ]
    columns = ["campaign", "outcome", "funded_by", "total_usd", "per_household_usd"]
    return pd.DataFrame(rows, columns=columns)
