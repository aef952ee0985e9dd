"""Whether predicted propensities are the shares treated, before and after calibration."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from promo_uplift.contracts.parameters import NuisanceParameters
from promo_uplift.contracts.results import CrossFittedNuisances, FloatArray, IntArray
from promo_uplift.effects.clustered import MIN_CLUSTERS, clustered_mean
from promo_uplift.nuisance.calibration import calibration_test, log_loss

BEFORE: Final = "before"
AFTER: Final = "after"
KNOWN: Final = "known"


def reliability_table(
    *,
    nuisances: CrossFittedNuisances,
    treatment: IntArray,
    groups: IntArray,
    parameters: NuisanceParameters,
    level: float,
) -> pd.DataFrame:
    r"""Reliability of held-out propensities before clipping, in bins of equal size.

    Parameters
    ----------
    nuisances : CrossFittedNuisances
    treatment, groups : int64 (n,)
        Arm and household of each row.
    parameters : NuisanceParameters
        What was asked for, and the number of bins.
    level : float
        Confidence level of the household-clustered intervals.

    Returns
    -------
    DataFrame
        One row per stage (``before``, ``after`` where a fold was calibrated; ``known`` in an
        experiment) and bin: ``stage, bin, n, n_households, predicted, observed, ci_low, ci_high``
        (shares), and, the same on every row of a stage, ``ece`` (expected calibration error,
        :math:`\sum_b n_b |\bar p_b - \bar T_b| / n`), ``log_loss`` (nats), ``statistic``,
        ``degrees`` and ``p_value`` of the test on all rows, ``chosen`` and ``why``. A bin of one
        household has no interval (NaN).

    References
    ----------
    Naeini, Cooper & Hauskrecht (2015), *AAAI*, 2901-2907 (expected calibration error).
    """
    chosen, why = _choice(nuisances=nuisances, parameters=parameters)
    parts = []
    for stage, propensity in _stages(nuisances):
        bins = _binned(
            propensity=propensity,
            treatment=treatment,
            groups=groups,
            n_bins=parameters.reliability_bins,
            level=level,
        )
        gap = (bins["predicted"] - bins["observed"]).abs()
        test = calibration_test(propensity=propensity, treatment=treatment, groups=groups)
        bins.insert(0, "stage", stage)
        parts.append(
            bins.assign(
                ece=float((gap * bins["n"]).sum() / bins["n"].sum()),
                log_loss=log_loss(propensity=propensity, treatment=treatment),
                statistic=test.statistic,
                degrees=test.degrees,
                p_value=test.p_value,
                chosen=chosen,
                why=why,
            )
        )
    return pd.concat(parts, ignore_index=True)


def _stages(nuisances: CrossFittedNuisances) -> list[tuple[str, FloatArray]]:
    if nuisances.is_propensity_known:
        return [(KNOWN, nuisances.held_out().propensity)]
    raw = nuisances.raw_propensity_held_out
    choices, uncalibrated = nuisances.calibration, nuisances.uncalibrated_held_out
    if choices is None or uncalibrated is None or (choices["method"] == "none").all():
        return [(BEFORE, raw)]
    return [(BEFORE, uncalibrated), (AFTER, raw)]


def _choice(*, nuisances: CrossFittedNuisances, parameters: NuisanceParameters) -> tuple[str, str]:
    """Return what was chosen, and why, in words."""
    if nuisances.is_propensity_known:
        return "none", "the propensity is the experiment's own, which is never changed"
    choices = nuisances.calibration
    if choices is None:
        return "none", "`nuisance.calibration` asks for none"
    counts = choices.loc[choices["method"] != "none", "method"].value_counts()
    chosen = ", ".join(f"{name} ({n} of {len(choices)} folds)" for name, n in counts.items())
    if parameters.calibration != "auto":
        return chosen, f"`nuisance.calibration` asks for {parameters.calibration}"
    level = parameters.calibration_level
    rejected = int((choices["p_value"] < level).sum())
    found = (
        f"the test at level {level:g} rejects in {rejected} of {len(choices)} folds "
        f"(smallest p {choices['p_value'].min():.2g})"
    )
    rule = "; there the lowest out-of-fold log-loss decides" if rejected else ""
    return chosen or "none", found + rule


def _binned(
    *, propensity: FloatArray, treatment: IntArray, groups: IntArray, n_bins: int, level: float
) -> pd.DataFrame:
    code: FloatArray = np.asarray(
        pd.qcut(propensity, n_bins, labels=False, duplicates="drop"), dtype=np.float64
    )
    if np.isnan(code).all():  # one propensity for all
        code = np.zeros(len(propensity))
    table = []
    for number, one in enumerate(np.unique(code), start=1):
        rows = code == one
        arm = treatment[rows].astype(np.float64)
        n_households = len(np.unique(groups[rows]))
        low = high = float("nan")
        if n_households >= MIN_CLUSTERS:
            interval = clustered_mean(values=arm, groups=groups[rows]).interval(level=level)
            low, high = interval.ci_low, interval.ci_high
        table.append(
            {
                "bin": number,
                "n": int(rows.sum()),
                "n_households": n_households,
                "predicted": float(propensity[rows].mean()),
                "observed": float(arm.mean()),
                "ci_low": low,
                "ci_high": high,
            }
        )
    return pd.DataFrame(table)
