"""Tables of an outcome that is not money, in the outcome's own unit."""

from __future__ import annotations

from typing import Final

import pandas as pd

from promo_uplift.contracts.parameters import PolicyParameters, WordingParameters

USD: Final = "USD"
#: What is in the outcome's unit; everything else that ends in ``_usd`` is money.
OUTCOME_FIGURES: Final = (
    "estimate_usd",
    "outcome_usd",
    "mu0_usd",
    "mu1_usd",
    "dr_score_usd",
    "cate_usd",
    "break_even_cate_usd",
    "cate_ci_low_usd",
    "cate_ci_high_usd",
    "ci_low_usd",
    "ci_high_usd",
    "incremental_outcome_usd",
    "ate_usd",
    "effect_usd",
    "effect_ci_low_usd",
    "effect_ci_high_usd",
    "true_effect_usd",
    "smallest_effect_usd",
    "recalibrated_cate_usd",
    "recalibrated_cate_ci_low_usd",
    "recalibrated_cate_ci_high_usd",
    "predicted_usd",
    "toc_usd",
    "mean_abs_usd",
    "fold_low_usd",
    "fold_high_usd",
    "below_mean_usd",
    "above_mean_usd",
    "missing_usd",
)
#: What a table says of money and whom to choose; without a stated cost none of it is known.
MONEY: Final = (
    "expected_profit_usd",
    "cost_usd_per_household",
    "incremental_outcome_usd_per_household",
    "roi",
    "margin_rate",
    "outcome_value_usd",
    "contact_cost_usd",
    "redemption_cost_usd",
    "values_are_assumptions",
    "recommend",
    "reason",
)


def in_outcome_unit(
    table: pd.DataFrame, *, policy: PolicyParameters, wording: WordingParameters
) -> pd.DataFrame:
    """Name a table's columns after what they hold.

    ``_usd`` is left out of the outcome's figures where its unit is another one. Where nobody
    stated a cost, columns of money are left out, and ``profit`` is called ``gain``: the outcome
    itself.

    Parameters
    ----------
    table : DataFrame
        Any table of results.
    policy : PolicyParameters
        Whether money was stated.
    wording : WordingParameters
        The outcome's unit.
    """
    if not policy.are_stated:
        money = [name for name in table.columns if str(name).startswith(MONEY)]
        table = table.drop(columns=money).rename(
            columns=lambda name: name.replace("profit_usd", "gain_usd")
        )
    if wording.unit == USD:
        return table
    return table.rename(columns=lambda name: _renamed(str(name), policy))


def _renamed(name: str, policy: PolicyParameters) -> str:
    is_outcome = name.startswith(OUTCOME_FIGURES) or not policy.are_stated
    return name.replace("_usd", "") if is_outcome else name
