"""``ensemble``: a weighted mean of other learners, with weights chosen on rows they never saw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import IntervalNotOffered, LearnerError
from promo_uplift.contracts.learner import Learner
from promo_uplift.contracts.results import FloatArray, IntArray, NuisanceValues
from promo_uplift.learners.base import checked_training_set

Choice = Mapping[str, float | int | str | bool]
_WEIGHT = "weight"


class Ensemble:
    r"""CATE as a convex combination of its members' effects, USD.

    .. math:: \hat\tau(x) = \sum_j w_j \hat\tau_j(x), \quad w_j \ge 0, \quad \sum_j w_j = 1

    The weights are given, as hyperparameters are; :mod:`promo_uplift.tuning.stacking` chooses
    them on held-out effects. A fit fits the members. With ``constant`` among them the ensemble
    can shrink towards the average effect. Scope: that of its members.

    References
    ----------
    Wolpert (1992), doi:10.1016/S0893-6080(05)80023-1; Breiman (1996), *Machine Learning* 24,
    49-64, for non-negative weights; for effects, stacked on an orthogonal loss: Nie & Wager
    (2021), *Biometrika* 108(2), 299-319, doi:10.1093/biomet/asaa076.
    """

    def __init__(self, *, members: Mapping[str, Learner], weights: Mapping[str, float]) -> None:
        self._members = dict(members)
        self.weights = {name: float(weights[name]) for name in self._members}

    @property
    def members(self) -> dict[str, Learner]:
        """Members with a weight above 0, by name."""
        return dict(self._members)

    def fit(
        self,
        *,
        covariates: pd.DataFrame,
        treatment: IntArray,
        outcome: FloatArray,
        nuisances: NuisanceValues,
        groups: IntArray,
        rng: np.random.Generator,
    ) -> Self:
        """Fit every member on the training rows.

        Raises
        ------
        LearnerError
            As :meth:`promo_uplift.learners.base.BaseLearner.fit`.
        """
        checked_training_set(
            covariates=covariates,
            treatment=treatment,
            outcome=outcome,
            nuisances=nuisances,
            groups=groups,
        )
        rngs = rng.spawn(len(self._members))
        for member, own in zip(self._members.values(), rngs, strict=True):
            member.fit(
                covariates=covariates,
                treatment=treatment,
                outcome=outcome,
                nuisances=nuisances,
                groups=groups,
                rng=own,
            )
        return self

    def predict_cate(self, *, covariates: pd.DataFrame) -> FloatArray:
        """Effect of the mailing, USD per household, ``(m,)``."""
        effect = np.zeros(len(covariates))
        for name, member in self._members.items():
            effect += self.weights[name] * member.predict_cate(covariates=covariates)
        return effect

    def predict_interval(self, *, covariates: pd.DataFrame, level: float) -> FloatArray:
        """Refuse: an ensemble has no interval of its own.

        Raises
        ------
        IntervalNotOffered
            Always; ``with_half_sample_interval`` adds a sampling interval to any learner.
        """
        raise IntervalNotOffered(
            "Ensemble has no pointwise interval. Wrap its builder in `with_half_sample_interval`."
        )


def ensemble_choice(
    *, weights: Mapping[str, float], choices: Mapping[str, Choice]
) -> dict[str, float | int | str | bool]:
    """Put weights and members' hyperparameters into one flat choice, under dotted names.

    ``{"weight.t_learner": 0.4, "t_learner.num_leaves": 4, ...}``; a member without weight is not
    fitted and keeps its weight only.
    """
    flat: dict[str, float | int | str | bool] = {
        f"{_WEIGHT}.{name}": float(weight) for name, weight in weights.items()
    }
    for name, weight in weights.items():
        if weight > 0.0:
            flat |= {f"{name}.{key}": value for key, value in choices[name].items()}
    return flat


def member_choices(choice: Choice) -> tuple[dict[str, float], dict[str, Choice]]:
    """Take a flat choice apart: weights above 0, and those members' hyperparameters.

    Raises
    ------
    LearnerError
        If a key belongs to no member with a weight, or the weights are not convex.
    """
    weights = {
        key.removeprefix(f"{_WEIGHT}."): float(value)
        for key, value in choice.items()
        if key.startswith(f"{_WEIGHT}.")
    }
    if not weights or min(weights.values()) < 0.0 or not np.isclose(sum(weights.values()), 1.0):
        raise LearnerError(
            f"`ensemble` was given wrong parameters: weights must be at least 0 and sum to 1; "
            f"found {weights}."
        )
    members: dict[str, dict[str, float | int | str | bool]] = {
        name: {} for name, weight in weights.items() if weight > 0.0
    }
    for key, value in choice.items():
        name, _, parameter = key.partition(".")
        if name in members and parameter:
            members[name][parameter] = value
        elif name != _WEIGHT:
            raise LearnerError(
                f"`ensemble` was given wrong parameters: `{key}` belongs to no member with a "
                f"weight. Members: {', '.join(members)}."
            )
    return {name: weights[name] for name in members}, dict(members)
