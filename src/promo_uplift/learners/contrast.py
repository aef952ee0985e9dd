"""What each covariate adds to the effect in a model that has the treatment as its last feature."""

from __future__ import annotations

import numpy as np

from promo_uplift.contracts.results import FloatArray
from promo_uplift.nuisance.boosting import BoostedTrees


def treatment_contrast(
    *,
    model: BoostedTrees,
    features: FloatArray,
    background: FloatArray,
    doses: tuple[float, float],
) -> FloatArray:
    r"""Contribution of each covariate to the effect of one unit of treatment, ``(m, p)``.

    :math:`(f(x, d_1) - f(x, d_0)) / (d_1 - d_0)` in the target's unit; doses 0 and 1 of two arms.

    Interventional TreeSHAP with the treatment fixed to one value in rows and background alike, so
    that it takes no share: an interaction of covariate and treatment belongs to the covariate in
    full. Rows sum to the effect less the background's mean effect.

    Parameters
    ----------
    model : BoostedTrees
        Fitted on the covariates and, last, the treatment.
    features : float64 (m, p)
        Covariates of the rows.
    background : float64 (b, p)
        Covariates of the rows that stand for a covariate that is not known.
    doses : tuple of float
        Lower and higher treatment that are contrasted.
    """
    low, high = doses
    more, less = (
        model.contributions_against(
            features=_with_treatment(features, arm), background=_with_treatment(background, arm)
        )[:, :-1]
        for arm in (high, low)
    )
    return np.asarray((more - less) / (high - low), dtype=np.float64)


def _with_treatment(features: FloatArray, arm: float) -> FloatArray:
    return np.column_stack([features, np.full(len(features), arm)])
