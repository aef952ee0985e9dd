"""Household covariates as a matrix: numeric, finite or missing, never coerced in silence."""

from __future__ import annotations

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.results import FloatArray


def covariate_matrix(*, covariates: pd.DataFrame) -> FloatArray:
    """Return the covariates as a float matrix ``(n, p)``; missing values are NaN.

    Of a table of floats it is a view, column by column, that nobody may write to: LightGBM reads
    either order, and a copy would be the largest thing in memory.

    Raises
    ------
    LearnerError
        Naming the columns that are not numeric, or hold infinities.
    """
    not_numeric = [
        str(name)
        for name, dtype in covariates.dtypes.items()
        if not pd.api.types.is_numeric_dtype(dtype)
    ]
    if not_numeric:
        raise LearnerError(
            f"`covariates` must be numeric; {not_numeric} are not. Encode them as ordered codes "
            "or indicators."
        )
    features = covariates.to_numpy(dtype=np.float64, na_value=np.nan)
    infinite = covariates.columns[np.isinf(features).any(axis=0)]
    if len(infinite) > 0:
        raise LearnerError(
            f"`covariates` must be finite or missing; {infinite.astype(str).tolist()} hold "
            "infinities. Repair the feature, or mark the value as missing."
        )
    return features
