"""What each covariate adds to each household's effect, whatever the learner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.learner import Learner, SelfExplainedLearner
from promo_uplift.contracts.parameters import ExplanationParameters
from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    FloatArray,
    IntArray,
    TrialData,
)
from promo_uplift.nuisance.parallel import run_in_order
from promo_uplift.nuisance.seeding import derived_rng
from promo_uplift.nuisance.studies import Choice
from promo_uplift.tuning import fit_held_out

Method = Literal["exact", "permutation"]


@dataclass(frozen=True, slots=True)
class Contributions:
    """What each covariate adds to the held-out effects of some rows.

    Attributes
    ----------
    values : float64 (m, p)
        In the outcome's unit. Within a fold each column has mean 0, and a row sums to its
        held-out CATE less the mean of the fold's explained rows.
    rows, fold : int64 (m,)
        Positions of the rows among all, and their folds.
    method : {"exact", "permutation"}
        The learner's own contributions, or what one walk there and back through the covariates,
        in random order, found.
    """

    values: FloatArray
    rows: IntArray
    fold: IntArray
    method: Method


def explain_held_out(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    fitted: CrossFittedCate,
    parameters: ExplanationParameters,
    seed: int,
    n_workers: int,
) -> Contributions:
    """Explain held-out effects: the model of fold k on rows of fold k, which it never saw.

    Each fold's model is fitted again (the same bits). A learner with a method ``explain`` gives its
    own exact contributions; any other gets permutations (:func:`permutation_contributions`).

    Parameters
    ----------
    data, nuisances
        Rows and their nuisances.
    fitted : CrossFittedCate
        The learner's held-out effects and chosen hyperparameters.
    parameters : ExplanationParameters
        How many rows, and how many stand for an unknown covariate.
    seed : int
        The run's; it decides which rows are drawn.
    n_workers : int
        Processes over folds; the result does not depend on it.

    Raises
    ------
    LearnerError
        If a model does not predict the held-out effects: another seed, data or parameters.
    """
    rng = derived_rng(seed=seed, purpose="explanation/rows")
    order = rng.permutation(len(fitted.fold))
    found = run_in_order(
        work=_explain_fold,
        arguments=[
            {
                "name": fitted.learner,
                "choice": fitted.parameters[fold],
                "data": data,
                "nuisances": nuisances,
                "held_out": fitted.cate[fitted.fold == fold, fold],
                "fold": fold,
                "order": order,
                "parameters": parameters,
                "seed": seed,
            }
            for fold in range(nuisances.n_folds)
        ],
        n_workers=n_workers,
        progress=None,
    )
    rows = np.concatenate([rows for rows, _, _ in found])
    return Contributions(
        values=np.concatenate([values for _, values, _ in found]),
        rows=rows,
        fold=fitted.fold[rows],
        method=found[0][2],
    )


def _explain_fold(  # noqa: PLR0913 - one piece of work, named in full by its caller
    *,
    name: str,
    choice: Choice,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    held_out: FloatArray,
    fold: int,
    order: IntArray,
    parameters: ExplanationParameters,
    seed: int,
) -> tuple[IntArray, FloatArray, Method]:
    learner = fit_held_out(
        name=name, data=data, nuisances=nuisances, choice=choice, fold=fold, seed=seed
    )
    _refuse_another_model(
        effects=learner.predict_cate(covariates=data.covariates.loc[nuisances.fold == fold]),
        held_out=held_out,
        fold=fold,
    )
    is_exact = isinstance(learner, SelfExplainedLearner)
    limit = parameters.max_rows if is_exact else parameters.fallback_rows
    drawn = order[:limit]
    rows = np.sort(drawn[nuisances.fold[drawn] == fold])
    within = order[nuisances.fold[order] == fold]
    values, method = explain(
        learner=learner,
        covariates=data.covariates.iloc[rows],
        background=data.covariates.iloc[np.sort(within[: parameters.background_rows])],
        rng=derived_rng(seed=seed, purpose="explanation/permutation", index=(fold,)),
    )
    return rows, values, method


def _refuse_another_model(*, effects: FloatArray, held_out: FloatArray, fold: int) -> None:
    if not np.allclose(effects, held_out):
        away = float(np.abs(effects - held_out).max())
        raise LearnerError(
            f"`cross_fitted` must come from the same data, parameters and seed as the explanation; "
            f"the model of fold {fold} now predicts effects that differ by up to {away:.3g}. Run "
            "causal_estimation again."
        )


def explain(
    *,
    learner: Learner,
    covariates: pd.DataFrame,
    background: pd.DataFrame,
    rng: np.random.Generator,
) -> tuple[FloatArray, Method]:
    """Contribution of each covariate to each row's effect, around their means, ``(m, p)``.

    Parameters
    ----------
    learner : Learner
        Fitted.
    covariates : DataFrame (m, p)
        Rows to explain.
    background : DataFrame (b, p)
        Rows that stand for a covariate that is not known.
    rng : Generator
        Orders of the covariates, where the learner has no contributions of its own.

    Returns
    -------
    values : float64 (m, p)
        Rows sum to the CATE less its mean over ``covariates``.
    method : {"exact", "permutation"}
    """
    if covariates.empty:
        values = np.zeros(covariates.shape)
        return values, "exact" if isinstance(learner, SelfExplainedLearner) else "permutation"
    if isinstance(learner, SelfExplainedLearner):
        values, method = learner.explain(covariates=covariates, background=background), "exact"
    else:
        names = list(covariates.columns)
        values, method = (
            permutation_contributions(
                predict=lambda features: learner.predict_cate(
                    covariates=pd.DataFrame(features, columns=names)
                ),
                features=covariates.to_numpy(dtype=np.float64),
                background=background.to_numpy(dtype=np.float64),
                rng=rng,
            ),
            "permutation",
        )
    return np.asarray(values - values.mean(axis=0), dtype=np.float64), method  # type: ignore[return-value]


def permutation_contributions(
    *,
    predict: Callable[[FloatArray], FloatArray],
    features: FloatArray,
    background: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    r"""Shapley values by one antithetic walk through the features for each row, ``(m, p)``.

    From the background's values to the row's, one feature after the other in random order, and back
    in the same order: each feature's two steps are averaged, over all background rows. Rows sum to
    the prediction less the background's mean exactly; the share of each feature is exact where no
    more than two features interact at once, and else a sample.

    Parameters
    ----------
    predict : callable
        ``(k, p) -> (k,)``.
    features : float64 (m, p)
        Rows to explain.
    background : float64 (b, p)
        Values of features that are not known.
    rng : Generator
        Order of the features, drawn for each row.

    References
    ----------
    Strumbelj & Kononenko (2014), *Knowledge and Information Systems* 41, 647-665; Lundberg & Lee
    (2017), NeurIPS 30. The same estimator as ``shap.PermutationExplainer``, which draws from
    NumPy's global state.
    """
    n_rows, size = features.shape
    values = np.zeros((n_rows, size))
    step = np.arange(2 * size + 1)[:, np.newaxis]
    for row in range(n_rows):
        place = np.empty(size, dtype=np.int64)
        order = rng.permutation(size)
        place[order] = np.arange(size)
        # a feature is known after its step on the way there, until its step on the way back
        known = (place < step) & (step - size <= place)
        hybrids = np.where(known[:, np.newaxis, :], features[row], background)
        means = predict(hybrids.reshape(-1, size)).reshape(2 * size + 1, -1).mean(axis=1)
        steps = np.diff(means)
        values[row] = (steps[place] - steps[size + place]) / 2.0
    return values
