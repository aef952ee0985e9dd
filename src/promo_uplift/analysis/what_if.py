"""What the decision would be at other money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from promo_uplift.contracts.parameters import MetricParameters, PolicyParameters
from promo_uplift.contracts.results import CrossFittedCate, CrossFittedNuisances, TrialData
from promo_uplift.contracts.what_if import WhatIfParameters
from promo_uplift.metrics import with_expected_random
from promo_uplift.policy import breakeven_grid, honest_curves, policy_scores, what_if_table

NOT_STATED: Final = "no cost was stated, so no profit is known at any other either"


@dataclass(frozen=True, slots=True)
class OtherMoney:
    """Tables of :func:`promo_uplift.policy.breakeven_grid` and ``what_if_table``.

    Where nobody stated a cost each is one row with a ``reason``.
    """

    grid: pd.DataFrame
    scenarios: pd.DataFrame


def value_other_money(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    champion: str,
    cross_fitted: Mapping[str, CrossFittedCate],
    policy: PolicyParameters,
    what_if: WhatIfParameters,
    metrics: MetricParameters,
    seed: int,
) -> OtherMoney:
    """Value the champion's ranking over a grid of costs and margins, and under scenarios."""
    if not policy.are_stated:
        nothing = pd.DataFrame({"reason": [NOT_STATED]})
        return OtherMoney(nothing, nothing.copy())
    curves = honest_curves(
        scores=policy_scores(data=data, nuisances=nuisances, parameters=policy),
        ranking=with_expected_random({champion: cross_fitted[champion].cate})[champion],
        fold=nuisances.fold,
        groups=data.groups,
        grid_points=policy.grid_points,
        replicates=metrics.bootstrap_replicates,
        seed=seed,
    )
    grid, scenarios = (
        table(curves=curves, policy=policy, what_if=what_if, level=metrics.level, seed=seed)
        for table in (breakeven_grid, what_if_table)
    )
    return OtherMoney(grid, scenarios)
