"""Rows of replications made into rates, means and their Monte-Carlo intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import norm
from scipy.stats import t as student

from promo_uplift.benchmark.judge import DECISIONS, SECONDS
from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import Interval

#: What a row of the summary is about.
CELL = ("world", "n_households", "subject", "figure")
#: Columns of the summary after those.
FIGURES = (
    "replications",
    "mean",
    "mean_ci_low",
    "mean_ci_high",
    "truth",
    "bias",
    "bias_ci_low",
    "bias_ci_high",
    "rmse",
    "intervals",
    "coverage",
    "coverage_ci_low",
    "coverage_ci_high",
    "width",
)


def wilson_interval(*, successes: int, trials: int, level: float) -> Interval:
    r"""Share of successes with Wilson's score interval.

    .. math::

        \frac{\hat p + z^2 / 2n \pm z \sqrt{\hat p (1 - \hat p) / n + z^2 / 4 n^2}}{1 + z^2 / n}

    Parameters
    ----------
    successes, trials : int
        Counts, ``0 <= successes <= trials``.
    level : float
        Confidence level.

    Raises
    ------
    MetricError
        If there is no trial, or more successes than trials.

    References
    ----------
    Wilson (1927), JASA 22(158); Brown, Cai & DasGupta (2001), Statistical Science 16(2).

    Examples
    --------
    >>> wilson_interval(successes=0, trials=10, level=0.95).ci_high.__round__(3)
    0.278
    """
    if not 0 <= successes <= trials or trials == 0:
        raise MetricError(
            f"`successes` must lie between 0 and `trials` and there must be a trial; found "
            f"{successes} of {trials}."
        )
    z = float(norm.ppf(0.5 + level / 2.0))
    share = successes / trials
    middle = share + z**2 / (2.0 * trials)
    reach = z * float(np.sqrt(share * (1.0 - share) / trials + z**2 / (4.0 * trials**2)))
    scale = 1.0 + z**2 / trials
    return Interval(share, max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale))


def mean_interval(*, values: pd.Series, level: float) -> Interval:
    """Mean over replications with Student's interval; NaN bounds for a single replication."""
    count = len(values)
    mean = float(values.mean()) if count else float("nan")
    if count < 2:
        return Interval(mean, float("nan"), float("nan"))
    reach = float(student.ppf(0.5 + level / 2.0, count - 1)) * float(values.std()) / np.sqrt(count)
    return Interval(mean, mean - reach, mean + reach)


def summarise(*, results: pd.DataFrame, level: float) -> pd.DataFrame:
    """One row per world, size, subject and figure, over its replications.

    Parameters
    ----------
    results : DataFrame
        Rows of all pieces.
    level : float
        Level of the Monte-Carlo intervals.

    Returns
    -------
    DataFrame
        ``world, n_households, subject, figure``, then ``replications`` (with a finite value),
        ``mean`` of the value, mean ``truth``, ``bias`` and ``rmse`` of value against truth,
        ``coverage`` of the truth by the ``intervals`` that could be held against one, their mean
        ``width``, in the order of the results. Means of decisions, and coverages, have Wilson
        intervals, other means Student's. Seconds are not here: see :func:`summarise_seconds`.
    """
    found = results[results["figure"] != SECONDS]
    rows = [
        {**dict(zip(CELL, cell, strict=True)), **_cell(rows=part, figure=str(cell[3]), level=level)}
        for cell, part in found.groupby(list(CELL), sort=False, observed=True)
    ]
    return pd.DataFrame(rows, columns=[*CELL, *FIGURES])


def _cell(*, rows: pd.DataFrame, figure: str, level: float) -> dict[str, float | int]:
    finite = rows[np.isfinite(rows["value"])]
    known = finite[np.isfinite(finite["truth"])]
    covered = rows["covered"].dropna()
    if figure in DECISIONS and len(finite):
        mean = wilson_interval(
            successes=int(finite["value"].sum()), trials=len(finite), level=level
        )
    else:
        mean = mean_interval(values=finite["value"], level=level)
    error = known["value"] - known["truth"]
    bias = mean_interval(values=error, level=level)
    nan = float("nan")
    coverage = Interval(nan, nan, nan)
    if len(covered):
        coverage = wilson_interval(successes=int(covered.sum()), trials=len(covered), level=level)
    return {
        "replications": len(finite),
        "mean": mean.estimate,
        "mean_ci_low": mean.ci_low,
        "mean_ci_high": mean.ci_high,
        "truth": float(known["truth"].mean()) if len(known) else nan,
        "bias": bias.estimate,
        "bias_ci_low": bias.ci_low,
        "bias_ci_high": bias.ci_high,
        "rmse": float(np.sqrt((error**2).mean())) if len(known) else nan,
        "intervals": len(covered),
        "coverage": coverage.estimate,
        "coverage_ci_low": coverage.ci_low,
        "coverage_ci_high": coverage.ci_high,
        "width": float((rows["ci_high"] - rows["ci_low"]).mean()),
    }


def summarise_seconds(*, results: pd.DataFrame) -> pd.DataFrame:
    """Wall seconds by world, size and subject: ``replications, mean, total``."""
    rows = results[results["figure"] == SECONDS]
    cells = rows.groupby(["world", "n_households", "depth", "subject"], sort=False, observed=True)
    table = cells["value"].agg(["size", "mean", "sum"]).reset_index()
    return table.rename(columns={"size": "replications", "mean": "seconds", "sum": "total_seconds"})
