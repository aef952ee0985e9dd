"""Losses that rank CATE models without knowing the effect: orthogonal to nuisance errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.results import (
    CrossFittedNuisances,
    FloatArray,
    IntArray,
    NuisanceValues,
    TrialData,
)
from promo_uplift.nuisance.scores import dr_scores


def r_loss(
    *, cate: FloatArray, treatment: IntArray, outcome: FloatArray, nuisances: NuisanceValues
) -> FloatArray:
    r"""Terms of the R-loss, USD squared per household, ``(n,)``; a lower mean is better.

    .. math:: \left[ (Y_i - m(X_i)) - (T_i - e(X_i)) \, \tau(X_i) \right]^2

    Weights households by overlap. Minimised in expectation by the true CATE.

    Parameters
    ----------
    cate : float64 (n,)
        Predicted effect, USD, from a model that did not see these rows.
    treatment, outcome, nuisances
        Of the same rows.

    References
    ----------
    Nie & Wager (2021), *Biometrika* 108(2), 299-319, eq. (4), doi:10.1093/biomet/asaa076.
    """
    residual = outcome - nuisances.outcome_mean
    return np.asarray((residual - (treatment - nuisances.propensity) * cate) ** 2)


def dr_loss(
    *, cate: FloatArray, treatment: IntArray, outcome: FloatArray, nuisances: NuisanceValues
) -> FloatArray:
    r"""Terms of the DR-loss, USD squared per household, ``(n,)``; a lower mean is better.

    .. math:: \left[ \Gamma_i - \tau(X_i) \right]^2

    Weights every household alike, so a few with weak overlap may dominate it. Minimised in
    expectation by the true CATE.

    Parameters
    ----------
    cate : float64 (n,)
        Predicted effect, USD, from a model that did not see these rows.
    treatment, outcome, nuisances
        Of the same rows.

    References
    ----------
    Kennedy (2023), doi:10.1214/23-EJS2157; as a rule of choice: Saito & Yasui (2020), *ICML*,
    arXiv:1909.05299.
    """
    scores = dr_scores(treatment=treatment, outcome=outcome, nuisances=nuisances)
    return np.asarray((scores - cate) ** 2)


LOSSES: dict[str, Callable[..., FloatArray]] = {"r_loss": r_loss, "dr_loss": dr_loss}


def named_loss(name: str) -> Callable[..., FloatArray]:
    """Look a loss up.

    Raises
    ------
    LearnerError
        If it is unknown, listing the known ones.
    """
    if name not in LOSSES:
        raise LearnerError(f"`loss` must be one of {', '.join(LOSSES)}; got `{name}`.")
    return LOSSES[name]


def loss_terms(
    *, loss: str, cate: FloatArray, data: TrialData, nuisances: CrossFittedNuisances
) -> FloatArray:
    """Terms of a loss for cross-fitted effects, USD squared, ``(n, K)``.

    Column ``k`` uses column ``k`` of effects and nuisances, so it chooses for fold ``k`` on the
    rows outside it, and evaluates on the rows inside.

    Parameters
    ----------
    loss : str
        Name in ``LOSSES``.
    cate : float64 (n, K)
        Cross-fitted effects, USD.
    data, nuisances
        Of the same rows.
    """
    terms = named_loss(loss)
    return np.column_stack(
        [
            terms(
                cate=cate[:, fold],
                treatment=data.treatment,
                outcome=data.outcome,
                nuisances=nuisances.excluding(fold),
            )
            for fold in range(nuisances.n_folds)
        ]
    )
