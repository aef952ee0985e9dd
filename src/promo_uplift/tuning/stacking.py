"""Weights of the ensemble: convex, by an orthogonal loss, on rows that the members never saw."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import numpy as np
from scipy.optimize import nnls

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    FloatArray,
    NuisanceValues,
    TrialData,
)
from promo_uplift.learners.ensemble import ensemble_choice
from promo_uplift.learners.registry import LEARNERS, learner_role
from promo_uplift.nuisance.scores import dr_scores
from promo_uplift.nuisance.studies import TRIAL_COLUMNS
from promo_uplift.tuning.losses import named_loss

CONSTANT = "constant"


def is_combination(name: str) -> bool:
    """Whether a learner combines the others, and so comes after them."""
    return name in LEARNERS and LEARNERS[name].combines


def ensemble_members(learners: Iterable[str]) -> tuple[str, ...]:
    """Members among configured learners: ``constant`` first, then every other effect in USD.

    In the alphabet's order, so that the weights do not depend on the configuration's.

    Raises
    ------
    LearnerError
        If there is nothing to combine with the constant.
    """
    effects = [
        name for name in learners if learner_role(name) == "cate" and not is_combination(name)
    ]
    if not effects:
        raise LearnerError(
            "`estimation.learners` must hold a learner of effects beside `ensemble`, which "
            f"combines the others; found {', '.join(learners)}. Add one, or leave `ensemble` out."
        )
    return (CONSTANT, *sorted(effects))


def simplex_weights(*, residuals: FloatArray) -> FloatArray:
    r"""Convex weights whose combination of columns is smallest, ``(p,)``.

    .. math:: \min_w \lVert A w \rVert^2, \quad w_j \ge 0, \quad \sum_j w_j = 1

    Exact, by one non-negative least squares problem: the minimum over ``u >= 0`` of
    ``|A u|^2 + (sum(u) - 1)^2`` lies at a multiple ``s w`` of the solution, since for a given
    direction the best ``s`` leaves ``|A w|^2 / (1 + |A w|^2)``, which grows with ``|A w|^2``.

    Parameters
    ----------
    residuals : float64 (n, p)
        Residual of each candidate. A column that equals an earlier one gets no weight.

    References
    ----------
    Lawson & Hanson (1995), *Solving Least Squares Problems*, ch. 23,
    doi:10.1137/1.9781611971217.
    """
    triangle: FloatArray = np.asarray(np.linalg.qr(residuals, mode="r"), dtype=np.float64)
    scale = np.sqrt(np.min(np.sum(triangle**2, axis=0)))
    scaled = triangle / scale if scale > 0.0 else triangle
    system = np.vstack([scaled, np.ones(residuals.shape[1])])
    target = np.zeros(len(system))
    target[-1] = 1.0
    solution, _ = nnls(system, target)
    return np.asarray(solution / solution.sum(), dtype=np.float64)


def stacking_residuals(
    *, loss: str, cates: FloatArray, data: TrialData, nuisances: NuisanceValues
) -> FloatArray:
    r"""Residuals of each member, whose squares are its loss, USD, ``(n, p)``.

    Both losses are squares of something linear in the effect, so with weights that sum to one the
    residual of a weighted mean is the weighted mean of the residuals.

    Parameters
    ----------
    loss : {"dr_loss", "r_loss"}
        ``tau - Gamma``, or ``(T - e) tau - (Y - m)``.
    cates : float64 (n, p)
        Effects of members that did not see these rows, USD.
    data, nuisances
        Of the same rows.

    Raises
    ------
    LearnerError
        If the loss is unknown.
    """
    named_loss(loss)
    if loss == "dr_loss":
        target = dr_scores(treatment=data.treatment, outcome=data.outcome, nuisances=nuisances)
        return np.asarray(cates - target[:, np.newaxis], dtype=np.float64)
    residual = data.outcome - nuisances.outcome_mean
    lift = data.treatment - nuisances.propensity
    return np.asarray(lift[:, np.newaxis] * cates - residual[:, np.newaxis], dtype=np.float64)


def combine_cross_fitted(
    *,
    name: str,
    members: Mapping[str, CrossFittedCate],
    data: TrialData,
    nuisances: CrossFittedNuisances,
    loss: str,
) -> CrossFittedCate:
    """Combine cross-fitted members; costs no fit of a model.

    The entry (row of fold ``m``, column ``k``) is weighted by what is best on the rows outside
    both folds, with column ``k`` of members and nuisances: column ``k`` is a function of the rows
    outside fold ``k``, and no row chooses its own weights, off the diagonal either. So the
    ensemble competes for the selection of fold ``k`` on the same terms as its members.

    Parameters
    ----------
    name : str
        The ensemble's name.
    members : mapping of CrossFittedCate
        Of :func:`ensemble_members`, on the same rows.
    data, nuisances
        What they were fitted on.
    loss : {"dr_loss", "r_loss"}
        What the weights minimise.

    Returns
    -------
    CrossFittedCate
        ``parameters[k]`` holds the weights ``weight.<member>`` of the diagonal, and the
        hyperparameters ``<member>.<parameter>`` of those with a weight. ``seconds`` are its own:
        those of its members come on top.
    """
    started = time.perf_counter()
    fold, n_folds = nuisances.fold, nuisances.n_folds
    cate = np.full((len(fold), n_folds), np.nan)
    chosen = []
    for held_out in range(n_folds):
        columns = np.column_stack([member.cate[:, held_out] for member in members.values()])
        residuals = stacking_residuals(
            loss=loss, cates=columns, data=data, nuisances=nuisances.excluding(held_out)
        )
        for one in range(n_folds):
            weights = simplex_weights(residuals=residuals[~np.isin(fold, (one, held_out))])
            cate[fold == one, held_out] = columns[fold == one] @ weights
            if one == held_out:
                chosen.append(
                    ensemble_choice(
                        weights=dict(zip(members, weights.tolist(), strict=True)),
                        choices={key: fit.parameters[held_out] for key, fit in members.items()},
                    )
                )
    return CrossFittedCate(
        learner=name,
        cate=cate,
        fold=fold,
        tuning=members[CONSTANT].tuning.iloc[:0].loc[:, list(TRIAL_COLUMNS)],
        parameters=tuple(chosen),
        seconds=time.perf_counter() - started,
    )


def deployed_weights(
    *,
    members: Mapping[str, CrossFittedCate],
    data: TrialData,
    nuisances: CrossFittedNuisances,
    loss: str,
) -> dict[str, float]:
    """Weights for households to come: best on all rows, by effects that never saw their fold.

    Parameters
    ----------
    members, data, nuisances, loss
        As :func:`combine_cross_fitted`.
    """
    columns = np.column_stack([member.held_out() for member in members.values()])
    residuals = stacking_residuals(
        loss=loss, cates=columns, data=data, nuisances=nuisances.held_out()
    )
    return dict(zip(members, simplex_weights(residuals=residuals).tolist(), strict=True))
