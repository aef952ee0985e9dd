"""What each covariate adds to the effect in a model that has the treatment as its last feature."""

from __future__ import annotations

import numpy as np

from promo_uplift.contracts.results import FloatArray
from promo_uplift.nuisance.boosting import BoostedTrees


def treatment_contrast(
    *, model: BoostedTrees, features: FloatArray, background: FloatArray
) -> FloatArray:
    r"""Contribution of each covariate to :math:`f(x, 1) - f(x, 0)`, ``(m, p)``, target's unit.

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
    """
    treated, control = (
        model.contributions_against(
            features=_with_treatment(features, arm), background=_with_treatment(background, arm)
        )[:, :-1]
        for arm in (1.0, 0.0)
    )
    return np.asarray(treated - control, dtype=np.float64)


def _with_treatment(features: FloatArray, arm: float) -> FloatArray:
    return np.column_stack([features, np.full(len(features), arm)])
