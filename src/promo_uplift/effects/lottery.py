"""Whether the assignment was the lottery that the experiment's design says it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.effects.clustered import clustered_mean

PROPENSITY_MODEL = "propensity model"


@dataclass(frozen=True, slots=True)
class LotteryTest:
    """Departures of an experiment's arms from its stated propensity.

    Attributes
    ----------
    largest_z : float
        Largest standardised departure over all tests (without unit).
    largest_name : str
        Covariate that shows it, ``<covariate> is missing``, or ``propensity model``.
    threshold_z : float
        What the largest may reach by chance, Bonferroni over the tests.
    departing : tuple of str
        Every name beyond the threshold, largest first.
    n_tests : int
        Covariates, their missingness and the model.
    """

    largest_z: float
    largest_name: str
    threshold_z: float
    departing: tuple[str, ...]
    n_tests: int

    @property
    def passed(self) -> bool:
        """Whether nothing departs from the lottery."""
        return not self.departing


def lottery_test(
    *,
    covariates: pd.DataFrame,
    treatment: IntArray,
    known: FloatArray,
    modelled: FloatArray,
    groups: IntArray,
    level: float,
) -> LotteryTest:
    r"""Hold the arms of an experiment against its stated propensity.

    Under the design :math:`E[(T - e)\, g(X)] = 0` for every function of what was known before.
    Tested with each covariate and its missingness for :math:`g`, and one-sided with the held-out
    propensity model's :math:`\hat e(X) - e`, whose errors are clustered. A covariate that the
    treatment has moved departs as well.

    Parameters
    ----------
    covariates : DataFrame (n, p)
        Numeric, NaN where missing.
    treatment : int64 (n,)
        1 = treated.
    known : float64 (n,)
        The design's propensity.
    modelled : float64 (n,)
        Held-out propensity of a model of the covariates, unclipped.
    groups : int64 (n,)
        Cluster of each row.
    level : float
        Family-wise level: a true lottery fails with chance ``1 - level`` at most.

    References
    ----------
    Gerber & Green (2012), *Field Experiments*, ch. 4 (randomisation checks); Lee (2018),
    *Biometrics* 74 (one model as the test).
    """
    surprise = treatment - known
    figures: dict[str, float] = {}
    for name in covariates.columns:
        values = covariates[name].to_numpy(dtype=np.float64)
        observed = np.isfinite(values)
        if observed.any() and np.ptp(values[observed]) > 0.0:
            centred = np.where(observed, values - values[observed].mean(), 0.0)
            figures[str(name)] = abs(_z(surprise * centred, groups))
        if observed.any() and not observed.all():
            missing = (~observed).astype(np.float64)
            figures[f"{name} is missing"] = abs(_z(surprise * (missing - missing.mean()), groups))
    figures[PROPENSITY_MODEL] = _z(surprise * (modelled - known), groups)
    threshold = float(norm.isf((1.0 - level) / 2.0 / len(figures)))
    ordered = sorted(figures, key=lambda name: -figures[name])
    return LotteryTest(
        largest_z=figures[ordered[0]],
        largest_name=ordered[0],
        threshold_z=threshold,
        departing=tuple(name for name in ordered if figures[name] > threshold),
        n_tests=len(figures),
    )


def _z(values: FloatArray, groups: IntArray) -> float:
    mean = clustered_mean(values=values, groups=groups)
    return mean.estimate / mean.se if mean.se > 0.0 else 0.0
