"""How alike the arms are in each covariate, before and after they were made comparable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import BoolArray, FloatArray
from promo_uplift.effects.adjusted.matching import Matching
from promo_uplift.effects.adjusted.sample import Sample
from promo_uplift.effects.adjusted.weights import SCHEMES, balancing_weights
from promo_uplift.nuisance.covariates import covariate_matrix

#: Columns of a table of balance.
BALANCE_COLUMNS: Final = (
    "campaign",
    "method",
    "covariate",
    "mean_treated",
    "mean_control",
    "smd",
    "variance_ratio",
    "n_missing",
    "reason",
)


def balance_table(*, sample: Sample, matching: Matching, rank_tolerance: float) -> pd.DataFrame:
    r"""Standardised mean difference of each covariate under each way to compare the arms.

    .. math:: SMD = (\bar x_1 - \bar x_0) / \sqrt{(s_1^2 + s_0^2) / 2}

    Means are weighted; the denominator is the unweighted one throughout, so that a method is not
    praised for a spread that it made. Methods: ``unweighted, ipw_ate, ipw_att, ato, matched``. A
    covariate with missing values is compared where it is present, and its missingness is a
    covariate of its own, ``<name> is missing``.

    Parameters
    ----------
    sample : Sample
        Rows of one campaign, or of all.
    matching : Matching
        Pairs of the same rows.
    rank_tolerance : float
        A covariate is constant where its standard deviation is at most this share of its mean.

    Returns
    -------
    DataFrame
        ``BALANCE_COLUMNS``, one row per method and covariate. ``smd`` and ``variance_ratio``
        (weighted, treated over control) are NaN, with a ``reason``, where an arm has no value or
        the covariate is constant in both.

    Raises
    ------
    MetricError
        If an arm is empty.

    References
    ----------
    Austin (2009), Statistics in Medicine 28(25); Stuart, Lee & Leacy (2013), J. Clinical
    Epidemiology 66(8).
    """
    treated = sample.treated
    if not treated.any() or treated.all():
        raise MetricError(
            f"`treatment` must hold both arms; {int(treated.sum())} of {len(treated)} are treated."
        )
    weights = {
        scheme: balancing_weights(
            scheme=scheme, treated=treated, propensity=sample.nuisances.propensity
        )
        for scheme in SCHEMES
    } | {"matched": matching.weights(len(treated))}
    values, names, n_missing = _comparable(sample.data.covariates)
    arms = _moments(values, {"all": np.ones(len(treated))}, treated)["all"]
    spread = np.sqrt((arms[1][1] + arms[0][1]) / 2.0)
    size = np.nanmax(np.abs([arms[1][0], arms[0][0], np.zeros(len(names))]), axis=0)
    spread = np.where(spread > rank_tolerance * size, spread, np.nan)
    parts = []
    for method, (control, mailed) in _moments(values, weights, treated).items():
        empty = np.isnan(mailed[0]) | np.isnan(control[0])
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = mailed[1] / control[1]
        parts.append(
            pd.DataFrame(
                {
                    "campaign": sample.campaign,
                    "method": method,
                    "covariate": names,
                    "mean_treated": mailed[0],
                    "mean_control": control[0],
                    "smd": (mailed[0] - control[0]) / spread,
                    "variance_ratio": np.where(np.isfinite(ratio), ratio, np.nan),
                    "n_missing": n_missing,
                    "reason": np.select(
                        [empty, np.isnan(spread)], ["an arm has no value", "constant"], ""
                    ),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)[list(BALANCE_COLUMNS)]


def _comparable(covariates: pd.DataFrame) -> tuple[FloatArray, list[str], list[int]]:
    raw = covariate_matrix(covariates=covariates)
    missing = np.isnan(raw)
    gaps = np.flatnonzero(missing.any(axis=0))
    names = [str(name) for name in covariates.columns]
    counts = missing.sum(axis=0)
    return (
        np.column_stack([raw, missing[:, gaps].astype(np.float64)]),
        names + [f"{names[gap]} is missing" for gap in gaps],
        [*counts.tolist(), *([0] * len(gaps))],
    )


def _moments(
    values: FloatArray, weights: Mapping[str, FloatArray], treated: BoolArray
) -> dict[str, tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]]:
    """Weighted mean and variance of each column, of the controls and of the treated."""
    present = (~np.isnan(values)).astype(np.float64)
    filled = np.where(present > 0.0, values, 0.0)
    centre = filled.sum(axis=0) / np.maximum(present.sum(axis=0), 1.0)
    offset = (filled - centre) * present
    square = np.square(offset)
    found = {}
    for method, each in weights.items():
        arms = []
        for arm in (~treated, treated):
            w = np.where(arm, each, 0.0)
            total = w @ present
            with np.errstate(divide="ignore", invalid="ignore"):
                mean = (w @ offset) / total
                # reliability weights: n / (n - 1) where all are equal
                freedom = total - (np.square(w) @ present) / total
                variance = (w @ square - total * mean**2) / freedom
            arms.append((mean + centre, np.maximum(variance, 0.0)))
        found[method] = (arms[0], arms[1])
    return found


def balance_summary(
    *, table: pd.DataFrame, threshold: float, ratio_range: tuple[float, float]
) -> pd.DataFrame:
    """How balanced each method leaves each campaign.

    Parameters
    ----------
    table : DataFrame
        From :func:`balance_table`, of any number of campaigns.
    threshold : float
        A covariate is balanced if its absolute SMD is below this.
    ratio_range : tuple of float
        Variance ratios between these are alike.

    Returns
    -------
    DataFrame
        One row per campaign and method: ``campaign, method, max_abs_smd, worst_covariate,
        share_balanced, share_ratio_inside, n_covariates, n_undefined``. Shares are of the
        covariates whose figure is defined; ``n_undefined`` counts those without an SMD.
    """
    rows = []
    for (campaign, method), part in table.groupby(["campaign", "method"], sort=False):
        size = part["smd"].abs()
        defined, ratio = size.notna(), part["variance_ratio"].dropna()
        some = bool(defined.any())
        rows.append(
            {
                "campaign": campaign,
                "method": method,
                "max_abs_smd": float(size.max()),
                "worst_covariate": part["covariate"].iloc[int(np.nanargmax(size))] if some else "",
                "share_balanced": float((size[defined] < threshold).mean()),
                "share_ratio_inside": float(ratio.between(*ratio_range).mean()),
                "n_covariates": len(part),
                "n_undefined": int((~defined).sum()),
            }
        )
    return pd.DataFrame(rows)
