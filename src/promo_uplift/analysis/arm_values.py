"""What policies over several arms are worth under a budget, by held-out scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.analysis.arm_offer import NO_COVARIATES, ArmOffer
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.effects import minimum_detectable_effect
from promo_uplift.metrics import HouseholdDraws, percentile_interval

#: The policy that is valued, and the one that does nothing.
ALLOCATION = "allocation"
NOBODY = "none"
#: Share of a budget by which sums of costs may miss it in floating point.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class _Valued:
    """Gain per row on the sample and on each replicate, and spend per row."""

    gain: FloatArray
    spend: float


def value_under_budget(
    *,
    offer: ArmOffer,
    names: tuple[str, ...],
    fold: IntArray,
    budget: float,
    draws: HouseholdDraws,
    level: float,
    power: float,
) -> pd.DataFrame:
    """Value the allocation beside nobody, each arm alone, and all arms at random.

    Parameters
    ----------
    offer : ArmOffer
    names : tuple of str
        Of the arms.
    fold : int64 (n,)
        Each spends its share of the budget on its own rows.
    budget : float
        Over all rows.
    draws : HouseholdDraws
        The same for every policy.
    level, power : float
        Of the intervals, and of the minimum detectable difference.

    Returns
    -------
    DataFrame
        As :attr:`promo_uplift.analysis.ArmAllocation.value`.
    """
    n_rows = len(fold)
    each = budget / n_rows

    def bought(one: ArmOffer) -> _Valued:
        return _bought(offer=one, fold=fold, budget=each, draws=draws, level=level)

    valued = {ALLOCATION: bought(offer)}
    valued[NOBODY] = _Valued(np.zeros(draws.counts.shape[1]), 0.0)
    for place, name in enumerate(names):
        alone = offer.only(place)
        valued[f"{name}, same budget"] = bought(alone)
        valued[f"{name}, for all"] = _everybody(offer=alone, draws=draws)
    valued[NO_COVARIATES] = bought(offer.blind(fold))
    rows = []
    for name, one in valued.items():
        gain = percentile_interval(values=one.gain, level=level)
        less = valued[ALLOCATION].gain - one.gain
        paired = percentile_interval(values=less, level=level)
        rows.append(
            {
                "policy": name,
                "spend": one.spend * n_rows,
                "spend_per_row": one.spend,
                "within_budget": bool(one.spend <= each * (1.0 + ROUNDING)),
                "gain": gain.estimate,
                "gain_ci_low": gain.ci_low,
                "gain_ci_high": gain.ci_high,
                "allocation_minus_this": paired.estimate,
                "allocation_minus_this_ci_low": paired.ci_low,
                "allocation_minus_this_ci_high": paired.ci_high,
                "mde": minimum_detectable_effect(
                    se=float(less[1:].std(ddof=1)), level=level, power=power
                ),
            }
        )
    return pd.DataFrame(rows)


def _bought(
    *, offer: ArmOffer, fold: IntArray, budget: float, draws: HouseholdDraws, level: float
) -> _Valued:
    """Value what a budget per row buys in each fold, and what is free."""
    paid = np.where(np.isfinite(offer.costs), offer.costs, 0.0)
    budgets = [min(budget, float(paid.sum()))]
    sample = HouseholdDraws(draws.code, np.ascontiguousarray(draws.counts[:, :1]))
    # what is "gained" of the costs is what is spent, fold by fold
    spent = offer.curve_of(scores=paid, budgets=budgets, fold=fold, draws=sample, level=level)
    return _Valued(
        gain=offer.curve(budgets=budgets, fold=fold, draws=draws, level=level).gain[0],
        spend=float(spent.gain[0, 0]),
    )


def _everybody(*, offer: ArmOffer, draws: HouseholdDraws) -> _Valued:
    """Value the one arm for everybody to whom it is on offer."""
    return _Valued(gain=offer.for_everybody(draws), spend=float(offer.for_all[0]))
