"""Average effects over several fold plans: the median, its error widened by their spread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.effects.cross_section import COLUMNS


def median_effects(*, tables: Sequence[pd.DataFrame], level: float) -> pd.DataFrame:
    r"""Aggregate tables of effects of several fold plans.

    .. math:: \tilde\theta = \mathrm{median}_s\, \hat\theta_s, \qquad
       \tilde\sigma^2 = \mathrm{median}_s
       \left\{ \hat\sigma_s^2 + (\hat\theta_s - \tilde\theta)^2 \right\}

    Parameters
    ----------
    tables : sequence of DataFrame
        Of :func:`promo_uplift.effects.cross_section.cross_section_effects`, with the same rows in
        the same order; the first one's counts are kept.
    level : float
        Confidence level of the intervals.

    Returns
    -------
    DataFrame
        The same columns; one table comes back as it is. A figure that is undefined in one plan is
        undefined.

    References
    ----------
    Chernozhukov et al. (2018), *The Econometrics Journal* 21(1), C1-C68, definition 3.3,
    doi:10.1111/ectj.12097.
    """
    first = tables[0]
    if len(tables) == 1:
        return first
    estimates = np.stack([table["estimate_usd"].to_numpy() for table in tables])
    errors = np.stack([table["se"].to_numpy() for table in tables])
    median = np.median(estimates, axis=0)
    error = np.sqrt(np.median(errors**2 + (estimates - median) ** 2, axis=0))
    half = float(norm.ppf(0.5 + level / 2.0)) * error
    return first.assign(
        estimate_usd=median,
        ci_low=median - half,
        ci_high=median + half,
        se=error,
        n_repeats=len(tables),
    )[list(COLUMNS)]
