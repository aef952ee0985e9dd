"""Which learner speaks for the project, chosen on training rows without the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    FloatArray,
    TrialData,
)
from promo_uplift.effects import clustered_mean
from promo_uplift.tuning import loss_terms

CONSTANT = "constant"


@dataclass(frozen=True, slots=True)
class ChampionChoice:
    """The learner chosen, and the losses that chose it.

    Attributes
    ----------
    learner : str
        ``constant`` where no candidate's loss is below its by more than chance explains.
    losses : dict of float
        Mean held-out orthogonal loss of each candidate and of ``constant``.
    best, z : str, float
        The candidate with the lowest loss, and its difference to ``constant`` over the
        difference's clustered standard error; below 0 is better.
    """

    learner: str
    losses: dict[str, float]
    best: str
    z: float


def choose_champion(
    *,
    cross_fitted: Mapping[str, CrossFittedCate],
    candidates: Sequence[str],
    data: TrialData,
    nuisances: CrossFittedNuisances,
    loss: str,
    evidence: float,
) -> ChampionChoice:
    r"""Lowest held-out loss among the candidates, or ``constant`` where that may be chance.

    One-sided test of the paired loss difference :math:`d_i` to ``constant``:
    :math:`\bar d / se(\bar d) < -z_{evidence}`. An effect that the data cannot tell from one
    effect for all is best predicted, and acted on, as one.

    Parameters
    ----------
    cross_fitted : mapping of CrossFittedCate
        Must hold ``constant`` and the candidates.
    candidates : sequence of str
    data, nuisances
        Of the training rows.
    loss : str
        ``r_loss`` or ``dr_loss``.
    evidence : float
        Confidence of the test.

    References
    ----------
    Nie & Wager (2021), *Biometrika* 108(2) (R-loss); Dudoit & van der Laan (2005), *Statistical
    Methodology* 2(2), 131-154 (choice by cross-validated risk).
    """
    rows = np.arange(len(nuisances.fold))

    def held_out_terms(name: str) -> FloatArray:
        terms = loss_terms(loss=loss, cate=cross_fitted[name].cate, data=data, nuisances=nuisances)
        return np.asarray(terms[rows, nuisances.fold], dtype=np.float64)

    terms = {name: held_out_terms(name) for name in (CONSTANT, *candidates)}
    losses = {name: float(values.mean()) for name, values in terms.items()}
    best = min(candidates, key=lambda name: losses[name])
    difference = clustered_mean(values=terms[best] - terms[CONSTANT], groups=data.groups)
    z = difference.estimate / difference.se if difference.se > 0.0 else 0.0
    is_shown = z < -float(norm.ppf(evidence))
    return ChampionChoice(learner=best if is_shown else CONSTANT, losses=losses, best=best, z=z)
