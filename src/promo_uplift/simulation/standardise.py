"""Standard scores of a trait over the households of a world."""

from __future__ import annotations

import numpy as np

from promo_uplift.contracts.results import FloatArray


def standardised(values: FloatArray) -> FloatArray:
    """Return the values with mean 0 and standard deviation 1; zeros where they do not vary."""
    spread = float(np.std(values))
    if spread == 0.0:
        return np.zeros(len(values))
    result: FloatArray = (values - np.mean(values)) / spread
    return result
