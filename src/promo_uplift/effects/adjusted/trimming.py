"""The effect as fewer and fewer households of extreme propensity are kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import MetricError
from promo_uplift.effects.adjusted.effect import adjusted_table
from promo_uplift.effects.adjusted.estimators import doubly_robust_effects
from promo_uplift.effects.adjusted.sample import Sample


def trimming_path(*, sample: Sample, trims: Sequence[float]) -> pd.DataFrame:
    """Doubly robust ATE and ATT among rows whose unclipped propensity is in ``[a, 1 - a]``.

    An effect that moves as rows of poor overlap leave rests on them. Each line is of another
    population, so lines may differ without any of them being wrong.

    Parameters
    ----------
    sample : Sample
        Rows of one campaign, or of all.
    trims : sequence of float
        Values of ``a``, from 0 to below one half.

    Returns
    -------
    DataFrame
        ``trim, n_dropped, share_kept`` and the columns of
        :func:`promo_uplift.effects.adjusted.effect.adjusted_table`; two rows per trim.

    Raises
    ------
    MetricError
        If a trim lies outside [0, .5).

    References
    ----------
    Crump, Hotz, Imbens & Mitnik (2009), Biometrika 96(1).
    """
    if outside := [trim for trim in trims if not 0.0 <= trim < 0.5]:
        raise MetricError(f"`trims` must lie in [0, 0.5), found {outside}.")
    n = len(sample.raw_propensity)
    parts = []
    for trim in trims:
        kept = (sample.raw_propensity >= trim) & (sample.raw_propensity <= 1.0 - trim)
        effects = doubly_robust_effects(sample=sample.take(kept), overlap=(0.0, 1.0))
        table = adjusted_table(
            [one for one in effects if one.estimate.label.estimand in ("ate", "att")]
        )
        table.insert(0, "trim", trim)
        table.insert(1, "n_dropped", int(np.sum(~kept)))
        table.insert(2, "share_kept", float(kept.sum()) / n)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)
