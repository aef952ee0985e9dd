"""Synthetic difference-in-differences of one campaign (Arkhangelsky et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from diff_diff import SyntheticDiD

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import IntArray
from promo_uplift.effects.estimate import Estimate, Label, clustered_influence
from promo_uplift.effects.panel.staggered_fits import captured

_MIN_ARM = 2
_FEWEST_DRAWS = 2  # of a reference for the fit before treatment, which is not used here


@dataclass(frozen=True, slots=True)
class SyntheticDid:
    """Synthetic difference-in-differences and what it was built from.

    Attributes
    ----------
    estimate : Estimate
        Effect per treated household summed over the effect window. Its error is the jackknife over
        households with fixed weights: conservative (the paper's Theorem 3).
    control_weights : Series or None
        Weight of each control household; they sum to 1.
    period_weights : Series or None
        Weight of each period before treatment; they sum to 1.
    paths : DataFrame or None
        period, treated, synthetic: mean outcome of the treated, weighted outcome of the controls.
    effective_controls : float
        1 / sum of squared weights: equal weights of so many households carry as much.
    fit_error : float
        Root mean squared difference of the paths before treatment, their mean difference aside.
    notes : tuple of str
        Warnings of the library.
    """

    estimate: Estimate
    control_weights: pd.Series | None
    period_weights: pd.Series | None
    paths: pd.DataFrame | None
    effective_controls: float
    fit_error: float
    notes: tuple[str, ...]


def synthetic_did(
    *,
    outcomes: pd.DataFrame,
    treatment: IntArray,
    first_period: int,
    label: Label,
    level: float,
) -> SyntheticDid:
    """Weight control households and periods so that the arms ran parallel before the campaign.

    Parameters
    ----------
    outcomes : DataFrame (households, periods)
        Outcome per period, household ids as index, periods (int) as columns in order.
    treatment : int64 (households,)
        1 = mailed.
    first_period : int
        First treated period.
    label : Label
        What the estimate is of.
    level : float
        Coverage of the interval.

    Raises
    ------
    MetricError
        If a value is missing, a household repeats, shapes disagree, or fewer than two periods lie
        before ``first_period`` or none from it on.
    """
    _refuse(outcomes, treatment, first_period)
    is_treated = treatment == 1
    counts = (int(outcomes.size), int(is_treated.sum()), len(outcomes))
    if min(counts[1], counts[2] - counts[1]) < _MIN_ARM:
        reason = f"{counts[1]} of {counts[2]} households are treated: an arm has fewer than two"
        none = Estimate.none(label=label, reason=reason, counts=counts)
        return SyntheticDid(none, None, None, None, float("nan"), float("nan"), ())
    periods = outcomes.columns.to_numpy(dtype=np.int64)
    after = periods[periods >= first_period].tolist()
    long = pd.DataFrame(
        {
            "household": np.repeat(outcomes.index.to_numpy(), len(periods)),
            "period": np.tile(periods, len(outcomes)),
            "outcome": outcomes.to_numpy(dtype=np.float64).ravel(),
            "treated": np.repeat(is_treated.astype(int), len(periods)),
        }
    )
    estimator = SyntheticDiD(
        variance_method="jackknife", n_bootstrap=_FEWEST_DRAWS, seed=0, alpha=1.0 - level
    )
    result, notes = captured(
        lambda: estimator.fit(long, "outcome", "treated", "household", "period", post_periods=after)
    )
    weights = pd.Series(result.unit_weights, name="weight")
    estimate = _estimate(result, len(after), label, level, counts)
    pre, post = result.synthetic_pre_trajectory, result.synthetic_post_trajectory
    treated = np.append(result.treated_pre_trajectory, result.treated_post_trajectory)
    paths = pd.DataFrame({"period": periods, "treated": treated, "synthetic": np.append(pre, post)})
    return SyntheticDid(
        estimate,
        weights,
        pd.Series(result.time_weights, name="weight"),
        paths,
        float(1.0 / np.square(weights).sum()),
        float(result.pre_treatment_fit),
        tuple(notes),
    )


def _estimate(
    result: SyntheticDiD, n_after: int, label: Label, level: float, counts: tuple[int, int, int]
) -> Estimate:
    """Scale to the window; each household's influence is what leaving it out moves."""
    if not np.isfinite(result.se):
        reason = "the weights rest on one control household, so no error can be had"
        return Estimate.none(label=label, reason=reason, counts=counts)
    left_out = result.get_loo_effects_df()
    n = len(left_out)
    values = left_out["att_loo"].to_numpy()
    contributions = n_after * (n - 1) / n * (values.mean() - values)
    influence, se = clustered_influence(
        contributions=contributions, groups=left_out["unit"].to_numpy()
    )
    return Estimate.normal(
        label=label,
        value=n_after * float(result.att),
        se=se,
        level=level,
        counts=counts,
        influence=influence,
    )


def _refuse(outcomes: pd.DataFrame, treatment: IntArray, first_period: int) -> None:
    if outcomes.isna().any(axis=None) or not outcomes.index.is_unique:
        raise MetricError(
            "`outcomes` must hold every period of each household once; found "
            f"{int(outcomes.isna().sum().sum())} missing values and "
            f"{int(outcomes.index.duplicated().sum())} repeated households. Leave out periods that "
            "the data does not cover."
        )
    if treatment.shape != (len(outcomes),) or not np.isin(treatment, (0, 1)).all():
        raise MetricError(
            f"`treatment` must be 0 or 1 for each of {len(outcomes)} households, found shape "
            f"{treatment.shape} and values {np.unique(treatment)[:5].tolist()}."
        )
    before = int((outcomes.columns.to_numpy(dtype=np.int64) < first_period).sum())
    if before < _MIN_ARM or before == outcomes.shape[1]:
        raise MetricError(
            f"`first_period` must leave two periods before it and one from it on; found {before} "
            f"of {outcomes.shape[1]} periods before {first_period}."
        )
