"""How strong the observed covariates are, in the currency of a hidden trait's strength."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from promo_uplift.contracts.parameters import CovariateGroup, SensitivityParameters
from promo_uplift.contracts.results import FloatArray, IntArray, TrialData
from promo_uplift.nuisance.linear import linear_propensity

COLUMNS = ("covariates", "n_covariates", "strength", "largest", "n_rows")


def covariate_groups(
    *, names: Sequence[str], yardsticks: Sequence[CovariateGroup]
) -> dict[str, list[str]]:
    """Covariates by group: the first whose pattern fits; one that fits none stands alone.

    Parameters
    ----------
    names : sequence of str
        Covariates.
    yardsticks : sequence of CovariateGroup
        Matched with case.

    Examples
    --------
    >>> group = CovariateGroup(name="past spend", patterns=["pre_*"])
    >>> covariate_groups(names=["pre_spend", "age"], yardsticks=[group])
    {'past spend': ['pre_spend'], 'age': ['age']}
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        group = next(
            (
                one.name
                for one in yardsticks
                if any(fnmatchcase(name, pattern) for pattern in one.patterns)
            ),
            name,
        )
        groups.setdefault(group, []).append(name)
    return groups


def confounding_yardsticks(
    *,
    data: TrialData,
    fold: IntArray,
    parameters: SensitivityParameters,
    rng: np.random.Generator,
) -> pd.DataFrame:
    r"""How much each group of covariates changes the odds of being treated, beside all others.

    The propensity is fitted with and without the group, on other folds. The strength is a quantile
    over rows of :math:`\max(o / o_{-g},\, o_{-g} / o)` with :math:`o = e / (1 - e)`: the factor by
    which the group, had nobody seen it, would have moved the odds of most rows.

    Parameters
    ----------
    data : TrialData
        Rows.
    fold : int64 (n,)
        Fold of each row, constant within a household.
    parameters : SensitivityParameters
        Groups, quantile, penalty, rows at most.
    rng : Generator
        Source of the lot where there are more rows.

    Returns
    -------
    DataFrame
        ``covariates`` (the group), ``n_covariates``, ``strength`` (at the quantile), ``largest``
        (over rows), ``n_rows`` that it rests on; strongest first. Empty with fewer than two groups.

    Notes
    -----
    What the other covariates also know does not count: of two that say the same, neither is strong.
    So groups should hold what belongs together.

    References
    ----------
    Kallus & Zhou (2021), *Management Science* 67(5), section 7; Hsu & Small (2013), *Biometrics*
    69(4) (calibration by observed covariates).
    """
    data, fold = _drawn(data, fold, parameters.yardstick_max_rows, rng)
    names = [str(name) for name in data.covariates.columns]
    groups = covariate_groups(names=names, yardsticks=parameters.yardsticks)
    if len(groups) < 2:
        return pd.DataFrame(columns=list(COLUMNS))
    c = parameters.yardstick_c
    everything = _log_odds(linear_propensity(data=data, fold=fold, logistic_c=c))
    rows = []
    for group, left_out in groups.items():
        kept = [name for name in names if name not in left_out]
        fewer = replace(data, covariates=data.covariates[kept])
        without = _log_odds(linear_propensity(data=fewer, fold=fold, logistic_c=c))
        factor = np.exp(np.abs(everything - without))
        at = float(np.quantile(factor, parameters.yardstick_quantile))
        rows.append((group, len(left_out), at, float(factor.max()), len(fold)))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values("strength", ascending=False, kind="stable", ignore_index=True)


def _log_odds(propensity: FloatArray) -> FloatArray:
    found: FloatArray = np.log(propensity) - np.log1p(-propensity)
    return found


def _drawn(
    data: TrialData, fold: IntArray, max_rows: int, rng: np.random.Generator
) -> tuple[TrialData, IntArray]:
    """Return at most so many rows, drawn by lot."""
    if len(fold) <= max_rows:
        return data, fold
    rows = np.sort(rng.choice(len(fold), size=max_rows, replace=False))
    drawn = replace(
        data,
        covariates=data.covariates.iloc[rows],
        treatment=data.treatment[rows],
        outcome=data.outcome[rows],
        redeemed=data.redeemed[rows],
        groups=data.groups[rows],
        campaign=data.campaign[rows],
    )
    return drawn, fold[rows]
