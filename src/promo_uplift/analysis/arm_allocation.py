"""A budget spent on several arms: who gets which, or none, and what that is worth, held out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from promo_uplift.analysis.arm_offer import ArmOffer, Costs
from promo_uplift.analysis.arm_values import ALLOCATION, NOBODY, value_under_budget
from promo_uplift.analysis.arms import ArmEffects
from promo_uplift.contracts.parameters import PolicyParameters, VerdictName
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray
from promo_uplift.metrics import household_draws
from promo_uplift.metrics.cost_curve import NO_ARM
from promo_uplift.policy import ALLOCATION_REASONS, REASONS, allocate

WITHHELD = "verdict_withholds"
PUBLISH: VerdictName = "publish"


@dataclass(frozen=True, slots=True)
class ArmAllocation:
    """Who gets which arm under a budget, and what that is worth on held-out folds.

    Attributes
    ----------
    table : DataFrame
        One row per row of the user's table: ``row, group, arm`` (the control's name where no arm),
        ``recommend`` (False too where the arm's own verdict is not ``publish``), ``reason,
        reason_text, predicted_effect, predicted_profit_usd`` (with a stated margin), ``cost``.
    value : DataFrame
        One row per policy: ``policy``; ``spend`` over all rows and ``spend_per_row``;
        ``within_budget``; ``gain`` per row over treating nobody (profit in USD with a stated
        margin, else the outcome's unit); the paired ``allocation_minus_this``, both with
        ``_ci_low, _ci_high``; and ``mde``, the smallest such difference that would have shown.
    budget, spend : float
        Stated and used by the allocation, over all rows.
    counts : dict of int
        Rows that get each arm.
    shadow_prices : tuple of float
        By fold: predicted reward of one more unit of budget. What differs between folds is the
        noise of the predictions.
    gap : float
        Predicted reward by which the allocation may be below the best one, over all rows.
    withheld : tuple of str
        Arms for which nobody is recommended: their own verdict is not ``publish``.
    is_profit : bool
        Whether rewards are profits in USD; else they are the outcome itself.
    level : float
        Confidence level.
    """

    table: pd.DataFrame
    value: pd.DataFrame
    budget: float
    spend: float
    counts: dict[str, int]
    shadow_prices: tuple[float, ...]
    gap: float
    withheld: tuple[str, ...]
    is_profit: bool
    level: float

    def __str__(self) -> str:
        """Return the allocation and its value in words."""
        unit = "profit, USD per row" if self.is_profit else "outcome gained per row"
        given = ", ".join(f"{count:,} {arm}" for arm, count in self.counts.items())
        nobody = len(self.table) - sum(self.counts.values())
        # the verdicts came after the budget was spent
        as_if = ", as if no arm were withheld" if self.withheld else ""
        lines = [
            f"Budget {self.budget:,.2f}, spent {self.spend:,.2f}: {given}, {nobody:,} none.",
            f"Value on held-out folds{as_if} ({unit}; {self.level:.0%} intervals draw households):",
        ]
        for one in self.value.to_dict("records"):
            line = f"  {one['policy']}: {_interval(one, 'gain')}"
            if one["policy"] != ALLOCATION:
                line += f"; allocation less this {_interval(one, 'allocation_minus_this')}"
            lines.append(line + ("" if one["within_budget"] else "; over the budget"))
        if self.withheld:
            lines.append(
                f"Nobody is recommended for {', '.join(self.withheld)}: the checks do not allow it."
            )
        concluded = self._conclusion()
        if len(self.withheld) < len(self.counts):
            lines.append(f"Were no arm withheld: {concluded}" if self.withheld else concluded)
        return "\n".join(lines)

    def _conclusion(self) -> str:
        others = self.value.loc[(self.value["policy"] != ALLOCATION) & self.value["within_budget"]]
        unproven = others.loc[~(others["allocation_minus_this_ci_low"] > 0.0)]
        if unproven.empty:
            return "The allocation is shown to gain more than every other policy in the budget."
        names = ", ".join(unproven["policy"])
        if NOBODY in set(unproven["policy"]):
            mde = float(unproven.loc[unproven["policy"] == NOBODY, "mde"].iloc[0])
            visible = f"{mde:.4g} per row would have shown. "
            said = "The allocation is not shown to gain anything; " + visible
            shown = ", ".join(others.loc[others["gain_ci_low"] > 0.0, "policy"])
            if shown:
                return f"{said}In the budget, this is shown to gain something: {shown}."
            return f"{said}Spend nothing, or try it in an experiment."
        return f"The allocation is shown to gain something, but not more than: {names}."


def _interval(row: Mapping[Hashable, Any], figure: str) -> str:
    low, high = row[f"{figure}_ci_low"], row[f"{figure}_ci_high"]
    return f"{row[figure]:.4g} ({low:.4g} to {high:.4g})"


def allocate_arms(
    *,
    effects: ArmEffects,
    control: str,
    costs: Costs,
    budget: float,
    policy: PolicyParameters,
    verdicts: Mapping[str, VerdictName],
    replicates: int,
    level: float,
    power: float,
    seed: int,
) -> ArmAllocation:
    r"""Spend a budget on the arms by their held-out effects, and value it by scores.

    With a stated margin :math:`m` the reward of an arm is its predicted profit,
    :math:`m\,\hat\tau_a(x) - c_a`, and what does not pay is not given; without one it is the
    predicted effect. Every fold spends its share of the budget on its own rows, with models that
    never saw it, and is valued by the doubly robust scores of the same rows. The budget was not
    chosen on the data and the learner was named beforehand, so no choice has to be corrected for.

    Parameters
    ----------
    effects : ArmEffects
        Held-out effects and scores, the outcome's unit.
    control : str
        Its name in the table: what those get who get no arm.
    costs : mapping of str to float or float64 (n,)
        Of each arm, 0 or more: for a row, or row by row (infinite: not on offer).
    budget : float
        Over all rows, in the unit of the costs; infinite: no limit.
    policy : PolicyParameters
        Margin, and whether it was stated. One that is a distribution is spent at its mean and
        drawn into the intervals; costs are those given here.
    verdicts : mapping of str to str
        Of each arm against the control; anything but ``publish`` recommends nobody for it.
    replicates, level, seed
        Of the household bootstrap, the same draws for every policy.
    power : float
        Of the minimum detectable difference.

    Returns
    -------
    ArmAllocation
        Beside ``none``; each arm alone under the same budget (``A, same budget``) and for
        everybody, whatever it costs (``A, for all``); and ``all arms, at random``, the best mix
        within the budget that knows no covariates, in expectation.

    Raises
    ------
    PolicyError
        If an arm has no cost, a cost or the budget is negative or NaN, or costs have another
        length than the table.

    References
    ----------
    Sverdrup, Wu, Athey & Wager (2023), arXiv:2306.11979.
    """
    offer = ArmOffer.of(
        effects=effects, costs=costs, policy=policy, replicates=replicates, seed=seed
    )
    n_rows = len(offer.costs)
    arm, reason = np.full(n_rows, NO_ARM), np.zeros(n_rows, dtype=np.int64)
    prices, gap = [], 0.0
    for number in np.unique(effects.fold):
        rows = np.flatnonzero(effects.fold == number)
        found = allocate(
            rewards=offer.rewards[rows], costs=offer.costs[rows], budget=budget * len(rows) / n_rows
        )
        arm[rows], reason[rows] = found.arm, found.reason
        prices.append(found.shadow_price)
        gap += found.gap
    table = _households(
        effects=effects, offer=offer, arm=arm, reason=reason, control=control, verdicts=verdicts,
        is_profit=policy.are_stated,
    )  # fmt: skip
    draws = household_draws(
        groups=effects.groups, replicates=replicates, rng=np.random.default_rng(seed)
    )
    return ArmAllocation(
        table=table,
        value=value_under_budget(
            offer=offer,
            names=effects.names,
            fold=effects.fold,
            budget=budget,
            draws=draws,
            level=level,
            power=power,
        ),
        budget=float(budget),
        spend=float(table["cost"].sum()),
        counts={name: int((arm == place).sum()) for place, name in enumerate(effects.names)},
        shadow_prices=tuple(prices),
        gap=gap,
        withheld=tuple(name for name in effects.names if verdicts[name] != PUBLISH),
        is_profit=policy.are_stated,
        level=level,
    )


def _households(
    *,
    effects: ArmEffects,
    offer: ArmOffer,
    arm: IntArray,
    reason: IntArray,
    control: str,
    verdicts: Mapping[str, VerdictName],
    is_profit: bool,
) -> pd.DataFrame:
    rows, place = np.arange(len(arm)), np.maximum(arm, 0)
    is_given: BoolArray = arm != NO_ARM
    allowed = np.array([verdicts[name] == PUBLISH for name in effects.names])[place]
    texts = {**ALLOCATION_REASONS, WITHHELD: REASONS[WITHHELD]}
    code = np.where(
        is_given & ~allowed, WITHHELD, np.array(list(ALLOCATION_REASONS), dtype=object)[reason]
    )

    def of_arm(values: FloatArray) -> FloatArray:
        return np.where(is_given, values[rows, place], 0.0)

    table = pd.DataFrame(
        {
            "row": rows,
            "group": effects.groups,
            "arm": np.where(is_given, np.array(effects.names, dtype=object)[place], control),
            "recommend": is_given & allowed,
            "reason": code,
            "reason_text": [texts[one] for one in code],
            "predicted_effect": of_arm(effects.cate),
        }
    )
    if is_profit:
        table["predicted_profit_usd"] = of_arm(offer.rewards)
    return table.assign(cost=of_arm(offer.costs))
