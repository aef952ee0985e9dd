"""Which hyperparameters moved the loss, from the trials that a run left."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import optuna
import pandas as pd
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

from promo_uplift.contracts.parameters import Dimension
from promo_uplift.nuisance.studies import quiet_optuna

COMPLETE = TrialState.COMPLETE.name


@dataclass(frozen=True, slots=True)
class Importances:
    """Share of the loss's variation over the space that each hyperparameter explains.

    Attributes
    ----------
    shares : dict of str to float
        Largest first, adding up to 1; empty where there are too few trials, or all losses agree.
    n_trials : int
        Complete trials of all folds.
    """

    shares: dict[str, float]
    n_trials: int


def relative_losses(trials: pd.DataFrame) -> pd.Series:
    """Loss of each complete trial over that of its fold's defaults; NaN for the others.

    Parameters
    ----------
    trials : DataFrame
        ``fold``, ``number``, ``state``, ``loss``; the first complete trial of a fold has the
        defaults.
    """
    complete = trials[trials["state"] == COMPLETE].sort_values(["fold", "number"])
    first = complete.groupby("fold")["loss"].first()
    relative: pd.Series = complete["loss"] / complete["fold"].map(first)
    return relative.reindex(trials.index)


def importances(
    *,
    trials: pd.DataFrame,
    search_space: Mapping[str, Dimension],
    min_trials: int,
    seed: int,
) -> Importances:
    """Functional-ANOVA importances over the trials of all folds together.

    Folds differ in the level of their loss, so each trial counts by its loss over that of its
    fold's defaults. Pruned trials have no loss to count.

    Parameters
    ----------
    trials : DataFrame
        One row per trial, as in ``CrossFittedCate.tuning``.
    search_space : mapping of str to Dimension
        What was searched.
    min_trials : int
        With fewer complete trials nothing is claimed.
    seed : int
        Of the forest behind it.

    References
    ----------
    Hutter, Hoos & Leyton-Brown (2014), An efficient approach for assessing hyperparameter
    importance, *ICML*, PMLR 32(1), 754-762.
    """
    trials = trials.assign(relative=relative_losses(trials)).dropna(subset="relative")
    relative, n_trials = trials["relative"], len(trials)
    if n_trials < min_trials or relative.min() == relative.max():
        return Importances({}, n_trials)
    space = {key: _distribution(axis) for key, axis in search_space.items()}
    with quiet_optuna(), warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.study.create_study(storage=optuna.storages.InMemoryStorage())
        for row in trials.to_dict("records"):
            study.add_trial(
                optuna.trial.create_trial(
                    params={key: _plain(row[key], space[key]) for key in space},
                    distributions=space,
                    value=float(row["relative"]),
                )
            )
        shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed))
    return Importances(dict(shares), n_trials)


def _distribution(axis: Dimension) -> BaseDistribution:
    if axis.kind == "categorical":
        return CategoricalDistribution(axis.choices or ())
    if axis.low is None or axis.high is None:
        raise TypeError(f"a numeric dimension has two bounds, got {axis}")
    if axis.kind == "int":
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _plain(value: object, axis: BaseDistribution) -> object:
    return int(value) if isinstance(axis, IntDistribution) else value  # type: ignore[call-overload]
