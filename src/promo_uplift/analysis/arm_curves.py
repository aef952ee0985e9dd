"""Gain over the budget: of all arms together, of each alone, and of all at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.analysis.arm_offer import ALL_ARMS, NO_COVARIATES, ArmOffer, Costs
from promo_uplift.analysis.arms import ArmEffects
from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import FloatArray
from promo_uplift.metrics import CostCurve, household_draws

#: Budgets of a curve for which none are given.
N_BUDGETS = 20


@dataclass(frozen=True, slots=True)
class ArmCurves:
    """Cost curves of all arms together, of each alone, and of all without covariates.

    Attributes
    ----------
    curves : dict of CostCurve
        By policy, on the same household draws.
    effects : ArmEffects
    """

    curves: dict[str, CostCurve]
    effects: ArmEffects

    def table(self) -> pd.DataFrame:
        """Gain over the budget, per household, one row per policy and budget."""
        return self._stacked(self.curves)

    def differences(self) -> pd.DataFrame:
        """Gain of all arms together less that of each other policy, paired, by budget."""
        joint = self.curves[ALL_ARMS]
        return self._stacked(
            {
                f"{ALL_ARMS} - {name}": joint.minus(one)
                for name, one in self.curves.items()
                if name != ALL_ARMS
            }
        )

    @staticmethod
    def _stacked(curves: Mapping[str, CostCurve]) -> pd.DataFrame:
        tables = {name: one.table() for name, one in curves.items()}
        stacked = pd.concat(tables, names=["policy", "_"])
        return stacked.reset_index("policy").reset_index(drop=True)


def arm_cost_curves(
    *,
    effects: ArmEffects,
    costs: Costs | None,
    budgets: Sequence[float] | None,
    replicates: int,
    level: float,
    seed: int,
    policy: PolicyParameters | None = None,
    budget: float | None = None,
) -> ArmCurves:
    """Value what a budget buys with all arms, with each alone, and without covariates.

    Parameters
    ----------
    effects : ArmEffects
    costs : mapping of str to float or float64 (n,), optional
        Cost of each arm, 0 or more, for a row or row by row (infinite: not on offer); None: 1 each.
    budgets : sequence of float, optional
        Per row, ascending; None: even steps up to the dearest arm for all.
    replicates, level, seed
        Of the household bootstrap, the same draws for every curve.
    policy : PolicyParameters, optional
        With a stated margin arms are bought for their profit, as :func:`allocate_arms` does, and
        the gain is profit in USD; None: the outcome.
    budget : float, optional
        One more, over all rows, as :func:`allocate_arms` takes it; with it comes a budget of 0.

    Raises
    ------
    PolicyError
        If an arm has no cost, no arm costs anything, or costs are missing where a margin is stated.
    MetricError
        As :func:`promo_uplift.metrics.cost_curve`.
    """
    if costs is None and policy is not None and policy.are_stated:
        raise PolicyError("`costs` must be given where a margin is stated: there is no profit yet.")
    priced: Costs = dict.fromkeys(effects.names, 1.0) if costs is None else costs
    offer = ArmOffer.of(
        effects=effects, costs=priced, policy=policy, replicates=replicates, seed=seed
    )
    steps = _steps(offer=offer, budgets=budgets, budget=budget)
    draws = household_draws(
        groups=effects.groups, replicates=replicates, rng=np.random.default_rng(seed)
    )

    def curve(one: ArmOffer) -> CostCurve:
        return one.curve(budgets=steps, fold=effects.fold, draws=draws, level=level)

    curves = {ALL_ARMS: curve(offer)}
    curves |= {name: curve(offer.only(place)) for place, name in enumerate(effects.names)}
    curves[NO_COVARIATES] = curve(offer.blind(effects.fold))
    return ArmCurves(curves=curves, effects=effects)


def _steps(*, offer: ArmOffer, budgets: Sequence[float] | None, budget: float | None) -> FloatArray:
    dearest = float(offer.for_all.max())
    if dearest == 0.0:
        raise PolicyError(
            "`costs` must be above 0 for one arm on offer at least: without any there is no budget "
            "to spend. Give every row the arm that promises it most."
        )
    steps = np.asarray(
        np.linspace(0.0, dearest, N_BUDGETS + 1)[1:] if budgets is None else budgets,
        dtype=np.float64,
    )
    if budget is None or not np.isfinite(budget):
        return steps
    for own in (0.0, budget / len(offer.costs)):
        steps = np.sort(np.append(steps[~np.isclose(steps, own, rtol=1e-9, atol=0.0)], own))
    return steps
