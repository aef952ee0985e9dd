"""Policies beside each other, and profit over the share contacted, as tables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from promo_uplift.contracts.parameters import MetricParameters, PolicyParameters
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.metrics.bootstrap import household_draws
from promo_uplift.metrics.folds import fold_rows
from promo_uplift.policy.book import Book
from promo_uplift.policy.choice import profit_curves
from promo_uplift.policy.money import PolicyScores, assumption_columns
from promo_uplift.policy.value import PolicyEvaluation, PolicyValue


def policy_table(*, evaluation: PolicyEvaluation, parameters: PolicyParameters) -> pd.DataFrame:
    """One row per policy, USD per household and campaign; the chosen one first.

    Returns
    -------
    DataFrame
        ``policy, share, profit_usd_per_household, incremental_outcome_usd_per_household,
        cost_usd_per_household, roi, chosen_minus_this_usd`` (each with ``_ci_low``, ``_ci_high``),
        ``how`` (``honest``: valued outside the data that chose it; ``fixed``: nothing was chosen;
        ``optimistic``: read off the data that chose it, profit only), and the money assumed.
    """
    policies = {"chosen": evaluation.chosen, **evaluation.baselines}
    honest = ("chosen", "random", "response")
    rows = [
        {
            "policy": name,
            **_value_columns(value),
            "how": "honest" if name in honest else "fixed",
        }
        for name, value in policies.items()
    ]
    best = evaluation.optimistic_profit_usd
    rows.append(
        {
            "policy": "in_sample_maximum",
            "profit_usd_per_household": best.estimate,
            "profit_usd_per_household_ci_low": best.ci_low,
            "profit_usd_per_household_ci_high": best.ci_high,
            "chosen_minus_this_usd": -evaluation.winners_curse_usd.estimate,
            "chosen_minus_this_usd_ci_low": -evaluation.winners_curse_usd.ci_high,
            "chosen_minus_this_usd_ci_high": -evaluation.winners_curse_usd.ci_low,
            "how": "optimistic",
        }
    )
    return pd.DataFrame(rows).assign(**assumption_columns(parameters))


def _value_columns(value: PolicyValue) -> dict[str, float]:
    named = {
        "share": value.share,
        "profit_usd_per_household": value.profit_usd,
        "incremental_outcome_usd_per_household": value.outcome_usd,
        "cost_usd_per_household": value.cost_usd,
        "roi": value.roi,
        "chosen_minus_this_usd": value.chosen_minus_this_usd,
    }
    columns: dict[str, float] = {}
    for name, interval in named.items():
        columns[name] = interval.estimate
        columns[f"{name}_ci_low"] = interval.ci_low
        columns[f"{name}_ci_high"] = interval.ci_high
    return columns


def _role(learner: str, champion: str) -> str:
    if learner == champion:
        return "champion"
    return learner if learner in ("response", "random") else "shown"


def policy_curve(
    *,
    scores: PolicyScores,
    champion: str,
    rankings: Mapping[str, FloatArray],
    fold: IntArray,
    groups: IntArray,
    parameters: PolicyParameters,
    intervals: MetricParameters,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Profit over the share contacted, USD per household, on held-out folds.

    Parameters
    ----------
    scores : PolicyScores
        Scores in USD.
    champion : str
        Its name among ``rankings``.
    rankings : mapping of str to float64 (n,)
        Held-out effects of the champion, of another learner to show beside it if there is one, and
        the score of the ``response`` baseline.
    fold, groups : int64 (n,)
        Fold and household of each row.
    parameters : PolicyParameters
        Grid of shares and the money assumed; what is a distribution is drawn in each replicate.
    intervals : MetricParameters
        Confidence level and household-bootstrap replicates.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        ``policy`` (champion, response, random; ``shown`` for another learner), ``learner, share,
        profit_usd_per_household`` with ``_ci_low, _ci_high``,
        ``incremental_outcome_usd_per_household, cost_usd_per_household, roi``, and the money
        assumed. ``random`` is its expectation, without a draw.
    """
    level, replicates = intervals.level, intervals.bootstrap_replicates
    money = parameters.draws(replicates=replicates, rng=rng)
    draws = household_draws(groups=groups, replicates=replicates, rng=rng)
    folds = fold_rows(fold=fold, draws=draws)
    shares = np.linspace(0.0, 1.0, parameters.grid_points)
    rows = np.arange(len(fold))
    book = Book(scores, parameters.expected, money)
    # tied rows count as the mean over their orders, so one tie over all rows is a blind draw
    ranked = {**rankings, "random": np.zeros(len(fold))}
    sample = np.array([0])
    tables = []
    for name, ranking in ranked.items():
        curves = book.curves(ranking=ranking, fold=fold, folds=folds, shares=shares)
        profit, cost = curves.paid, curves.cost(sample)
        outcome = profit_curves(
            profit=scores.outcome[rows, fold],
            ranking=ranking,
            folds=folds,
            shares=shares,
            replicates=sample,
        )
        low, high = np.quantile(profit[:, 1:], [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=1)
        spent = cost[:, 0] > 0.0
        roi = np.where(spent, profit[:, 0] / np.where(spent, cost[:, 0], 1.0), np.nan)
        tables.append(
            pd.DataFrame(
                {
                    "policy": _role(name, champion),
                    "learner": name,
                    "share": shares,
                    "profit_usd_per_household": profit[:, 0],
                    "profit_usd_per_household_ci_low": low,
                    "profit_usd_per_household_ci_high": high,
                    "incremental_outcome_usd_per_household": outcome[:, 0],
                    "cost_usd_per_household": cost[:, 0],
                    "roi": roi,
                }
            )
        )
    return pd.concat(tables, ignore_index=True).assign(**assumption_columns(parameters))
