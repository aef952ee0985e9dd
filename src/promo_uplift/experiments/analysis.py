"""What the experiment found: effects as drawn, profit of policies, and the CATEs recalibrated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.columns import HOUSEHOLD_ID
from promo_uplift.contracts.errors import ExperimentError
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray, Interval
from promo_uplift.effects import ClusteredMean, clustered_mean
from promo_uplift.experiments.outcome import ExperimentData, ResultCounts
from promo_uplift.experiments.recalibration import Recalibration, recalibrate
from promo_uplift.experiments.scores import experiment_scores, redemption_scores
from promo_uplift.metrics.simultaneous import clustered_covariance
from promo_uplift.policy.rows import PolicyRows

#: Households of an arm in a stratum at least, for a spread within it.
MIN_ARM: Final = 2
POLICIES: Final = ("none", "all", "targeted")


@dataclass(frozen=True, slots=True)
class ExperimentFindings:
    """What the experiment found.

    Attributes
    ----------
    counts : ResultCounts
    effect : ClusteredMean
        Effect of having been drawn to be mailed, USD per household.
    effect_usd, gradient_usd : Interval
        The same with its interval; that of the upper half of the effect bins less that of the
        lower (NaN without halves).
    strata : DataFrame
        One row per stratum, one for all: predicted and found effect with interval, USD per
        household, households by arm.
    recalibration : Recalibration
    profit_usd : dict of Interval
        ``none, all, targeted``: profit per household; what is not known of money is in these
        intervals and in those of the differences.
    all_profit : ClusteredMean
        That of mailing all, with the error that more households make smaller.
    all_profit_money_error_usd : float
        Its error from what is not known of money, which they do not; 0 where all is known.
    targeted_minus_all_usd, targeted_minus_none_usd : Interval
        Paired differences of profit.
    targeted_share : float
        Share of the households that the predictions would have targeted.
    level : float
    redemption_source : str
        ``counted`` by the result, or ``predicted`` by the plan.
    """

    counts: ResultCounts
    effect: ClusteredMean
    effect_usd: Interval
    gradient_usd: Interval
    strata: pd.DataFrame
    recalibration: Recalibration
    profit_usd: dict[str, Interval]
    all_profit: ClusteredMean
    all_profit_money_error_usd: float
    targeted_minus_all_usd: Interval
    targeted_minus_none_usd: Interval
    targeted_share: float
    level: float
    redemption_source: str


def analyse_experiment(
    *, experiment: ExperimentData, policy: PolicyParameters, level: float
) -> ExperimentFindings:
    """Effects, profits and recalibration of an experiment with lots drawn within strata.

    By intention to treat: whoever was drawn to be mailed counts as mailed. Everything is a mean of
    the same scores (:func:`experiment_scores`), so that figures agree with each other; errors are
    clustered by household, which may be in several waves.

    Parameters
    ----------
    experiment : ExperimentData
        Of :func:`promo_uplift.experiments.join_result`.
    policy : PolicyParameters
        Margin and costs.
    level : float
        Confidence level.

    Raises
    ------
    ExperimentError
        If a stratum of a wave has fewer than two households with an outcome in an arm.

    References
    ----------
    Lin (2013), Annals of Applied Statistics 7(1), doi:10.1214/12-AOAS583; Liu & Yang (2020),
    Biometrika 107(4) (regression adjustment within strata).
    """
    table = experiment.table
    groups = table[HOUSEHOLD_ID].to_numpy(dtype=np.int64)
    stratum = _strata_of_waves(table, experiment.mailed)
    scores = experiment_scores(
        outcome=experiment.outcome,
        mailed=experiment.mailed,
        stratum=stratum,
        covariate=table["outcome_if_not_mailed"].to_numpy(dtype=np.float64),
    )
    cate = table["cate"].to_numpy(dtype=np.float64)
    effect = clustered_mean(values=scores, groups=groups)
    everyone, source = _everyone(experiment, scores, stratum, policy)
    targeted = table["targeted"].to_numpy(dtype=np.float64)
    rules = {
        "none": everyone.times(0.0),
        "all": everyone,
        "targeted": everyone.times(targeted),
    }

    def profit(one: PolicyRows) -> Interval:
        return one.mean_profit(groups=groups, parameters=policy).interval(level=level)

    intervals = {name: profit(one) for name, one in rules.items()}
    return ExperimentFindings(
        counts=experiment.counts,
        effect=effect,
        effect_usd=effect.interval(level=level),
        gradient_usd=_gradient(table, scores, groups, level),
        strata=_by_stratum(table, scores, experiment.mailed, groups, level),
        recalibration=recalibrate(scores=scores, cate=cate, groups=groups, level=level),
        profit_usd=intervals,
        all_profit=clustered_mean(values=everyone.profit, groups=groups),
        all_profit_money_error_usd=everyone.profit_error(policy),
        targeted_minus_all_usd=profit(rules["targeted"].minus(everyone)),
        targeted_minus_none_usd=intervals["targeted"],
        targeted_share=float(targeted.mean()),
        level=level,
        redemption_source=source,
    )


def _interval(values: FloatArray, groups: IntArray, level: float) -> Interval:
    return clustered_mean(values=values, groups=groups).interval(level=level)


def _strata_of_waves(table: pd.DataFrame, mailed: BoolArray) -> IntArray:
    """Return the number of each row's stratum in its wave: lots were drawn in each of them."""
    found, names = pd.factorize(table["wave"].astype(str) + "; " + table["stratum"].astype(str))
    least = np.minimum(
        np.bincount(found[mailed], minlength=len(names)),
        np.bincount(found[~mailed], minlength=len(names)),
    )
    if (least < MIN_ARM).any():
        told = "; ".join(f"wave {name}" for name in names[least < MIN_ARM])
        raise ExperimentError(
            f"Every stratum must have at least {MIN_ARM} households with an outcome in each arm; "
            f"not so in {told}. Look for a group whose outcomes are missing."
        )
    return np.asarray(found, dtype=np.int64)


def _everyone(
    experiment: ExperimentData, scores: FloatArray, stratum: IntArray, policy: PolicyParameters
) -> tuple[PolicyRows, str]:
    """Worth of contacting each household; redemptions counted where the result has them."""
    table, redeemed = experiment.table, experiment.redeemed
    predicted = table["redemption_probability"].to_numpy(dtype=np.float64)
    source = "predicted"
    rate = predicted
    if redeemed is not None and not np.isnan(redeemed).any():
        source = "counted"
        rate = redemption_scores(mailed=experiment.mailed, redeemed=redeemed, stratum=stratum)
    return PolicyRows.everyone(outcome=scores, redemption=rate, parameters=policy), source


def _gradient(table: pd.DataFrame, scores: FloatArray, groups: IntArray, level: float) -> Interval:
    bins = table["effect_bin"].to_numpy(dtype=np.int64)
    place = 2 * bins - (int(bins.max()) + 1)
    upper, lower = (place > 0).astype(np.float64), (place < 0).astype(np.float64)
    if not (upper.any() and lower.any()):
        return Interval(float("nan"), float("nan"), float("nan"))
    influence = np.zeros(len(scores))
    estimate = 0.0
    for half, sign in ((upper, 1.0), (lower, -1.0)):
        mean = float(half @ scores) / half.sum()
        estimate += sign * mean
        influence += sign * half * (scores - mean) / half.sum()
    error = float(np.sqrt(clustered_covariance(influence=influence[:, None], groups=groups)[0, 0]))
    half_width = float(norm.ppf(0.5 + level / 2.0)) * error
    return Interval(estimate, estimate - half_width, estimate + half_width)


def _by_stratum(
    table: pd.DataFrame, scores: FloatArray, mailed: BoolArray, groups: IntArray, level: float
) -> pd.DataFrame:
    every = np.ones(len(table), dtype=np.bool_)
    parts = {"all": every} | {
        str(name): (table["stratum"] == name).to_numpy() for name in sorted(set(table["stratum"]))
    }
    cate = table["cate"].to_numpy(dtype=np.float64)
    rows = []
    for name, inside in parts.items():
        found = _interval(scores[inside], groups[inside], level)
        rows.append(
            {
                "stratum": name,
                "predicted_usd": float(cate[inside].mean()),
                "effect_usd": found.estimate,
                "effect_ci_low_usd": found.ci_low,
                "effect_ci_high_usd": found.ci_high,
                "n_mailed": int(mailed[inside].sum()),
                "n_control": int((~mailed[inside]).sum()),
                "n_households": len(np.unique(groups[inside])),
            }
        )
    return pd.DataFrame(rows)
