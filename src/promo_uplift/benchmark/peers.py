"""The learners of econml and causalml at their defaults on LightGBM, for a fair comparison.

Base models are LightGBM with its own defaults (100 trees, 31 leaves, 20 rows a leaf) on one
thread; everything else is the library's default, except what makes a run repeatable (seeds) and
what the library cannot do without (listed in :data:`CHANGES`).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from causalml.inference.meta import (
    BaseDRRegressor,
    BaseRRegressor,
    BaseSRegressor,
    BaseTRegressor,
    BaseXRegressor,
)
from causalml.propensity import LogisticRegressionPropensityModel
from econml.dml import CausalForestDML, LinearDML, NonParamDML
from econml.dr import DRLearner
from econml.metalearners import SLearner, TLearner, XLearner
from lightgbm import LGBMClassifier, LGBMRegressor

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.results import FloatArray, IntArray

Library = Literal["econml", "causalml"]

#: What is not a default, and why.
CHANGES = (
    "LightGBM: n_jobs 1, a fixed random_state, verbosity -1",
    "econml: discrete_treatment where the class asks; random_state; CausalForestDML n_jobs 1",
    "causalml: `p` is given (the known propensity, or its own logistic model clipped to "
    "[.02, .98] without calibration), since its default calibration lets propensities reach "
    "the clip",
    "missing covariates are replaced by training medians: several of the classes refuse them",
)
#: Clip of causalml's propensity model, as that library recommends to have one.
_CAUSALML_CLIP = (0.02, 0.98)


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """Rows that a peer is fitted on.

    Attributes
    ----------
    features : float64 (n, p)
        Covariates without missing values.
    treatment : int64 (n,)
        0 or 1.
    outcome : float64 (n,)
        Outcome in its unit.
    propensity : float64 (n,) or None
        Known P(treated), or None.
    """

    features: FloatArray
    treatment: IntArray
    outcome: FloatArray
    propensity: FloatArray | None


@dataclass(frozen=True, slots=True)
class PeerPropensity:
    """P(treated) of training and new rows, for the learners that ask for one.

    Attributes
    ----------
    train : float64 (n,)
    new : float64 (m,)
    """

    train: FloatArray
    new: FloatArray


@dataclass(frozen=True, slots=True)
class PeerEffects:
    """Effects of one peer on rows that it did not see.

    Attributes
    ----------
    cate : float64 (m,)
        Predicted effect, in the outcome's unit.
    seconds : float
        Wall time of fitting and predicting.
    """

    cate: FloatArray
    seconds: float


def _regressor(seed: int) -> Any:
    return LGBMRegressor(n_jobs=1, random_state=seed, verbosity=-1)


def _classifier(seed: int) -> Any:
    return LGBMClassifier(n_jobs=1, random_state=seed, verbosity=-1)


def _econml(name: str, seed: int) -> Any:
    builders: dict[str, Callable[[], Any]] = {
        "s_learner": lambda: SLearner(overall_model=_regressor(seed)),
        "t_learner": lambda: TLearner(models=_regressor(seed)),
        "x_learner": lambda: XLearner(models=_regressor(seed), propensity_model=_classifier(seed)),
        "dr_learner": lambda: DRLearner(
            model_propensity=_classifier(seed),
            model_regression=_regressor(seed),
            model_final=_regressor(seed),
            random_state=seed,
        ),
        "r_learner": lambda: NonParamDML(
            model_y=_regressor(seed),
            model_t=_classifier(seed),
            model_final=_regressor(seed),
            discrete_treatment=True,
            random_state=seed,
        ),
        "linear_dml": lambda: LinearDML(
            model_y=_regressor(seed),
            model_t=_classifier(seed),
            discrete_treatment=True,
            random_state=seed,
        ),
        "causal_forest": lambda: CausalForestDML(
            model_y=_regressor(seed),
            model_t=_classifier(seed),
            discrete_treatment=True,
            n_jobs=1,
            random_state=seed,
        ),
    }
    return builders[name]()


def _fit_econml(name: str, train: TrainingRows, new: FloatArray, seed: int) -> FloatArray:
    model = _econml(name, seed).fit(train.outcome, train.treatment, X=train.features)
    return np.asarray(model.effect(new), dtype=np.float64).reshape(-1)


_CAUSALML: dict[str, Any] = {
    "s_learner": BaseSRegressor,
    "t_learner": BaseTRegressor,
    "x_learner": BaseXRegressor,
    "r_learner": BaseRRegressor,
    "dr_learner": BaseDRRegressor,
}


def _fit_causalml(
    name: str, train: TrainingRows, new: FloatArray, propensity: PeerPropensity, seed: int
) -> FloatArray:
    np.random.seed(seed)  # noqa: NPY002 - some of causalml's splits take no seed of their own
    model = _CAUSALML[name](learner=_regressor(seed))
    rows: dict[str, Any] = {"X": train.features, "treatment": train.treatment, "y": train.outcome}
    if name not in ("s_learner", "t_learner"):
        rows["p"] = propensity.train
    if name == "dr_learner":
        rows["seed"] = seed
    model.fit(**rows)
    asks_again = name in ("x_learner", "dr_learner")
    cate = model.predict(new, p=propensity.new) if asks_again else model.predict(new)
    return np.asarray(cate, dtype=np.float64).reshape(-1)


def peer_propensity(*, train: TrainingRows, new: FloatArray) -> PeerPropensity:
    """Propensity that causalml's learners are given: the known one, or its own logistic model.

    Parameters
    ----------
    train : TrainingRows
    new : float64 (m, p)
        Covariates of the rows to predict.
    """
    if train.propensity is not None:
        return PeerPropensity(train.propensity, np.full(len(new), float(train.propensity.mean())))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of causalml, about scikit-learn's next version
        model = LogisticRegressionPropensityModel(clip_bounds=_CAUSALML_CLIP, calibrate=False)
        model.fit(train.features, train.treatment)
        return PeerPropensity(
            np.asarray(model.predict(train.features), dtype=np.float64),
            np.asarray(model.predict(new), dtype=np.float64),
        )


ECONML = (
    "s_learner",
    "t_learner",
    "x_learner",
    "dr_learner",
    "r_learner",
    "linear_dml",
    "causal_forest",
)
#: Every peer: library and learner.
PEERS: tuple[tuple[Library, str], ...] = (
    *(("econml", name) for name in ECONML),
    *(("causalml", name) for name in _CAUSALML),
)


def peer_effects(
    *,
    library: Library,
    learner: str,
    train: TrainingRows,
    new: FloatArray,
    propensity: PeerPropensity,
    seed: int,
) -> PeerEffects:
    """Fit one peer and predict the effect of new rows, in the outcome's unit.

    Parameters
    ----------
    library : {"econml", "causalml"}
        Where the learner comes from.
    learner : str
        One of :data:`PEERS` of that library; ``r_learner`` of econml is ``NonParamDML``.
    train : TrainingRows
        Rows to fit on.
    new : float64 (m, p)
        Covariates of other rows, without missing values.
    propensity : PeerPropensity
        Of :func:`peer_propensity`: the same for all peers.
    seed : int
        Seed of every model and split.

    Raises
    ------
    LearnerError
        If the peer is unknown, or a covariate is missing.

    References
    ----------
    Battocchi et al. (2019), EconML; Chen et al. (2020), CausalML, arXiv:2002.11631.
    """
    if (library, learner) not in PEERS:
        raise LearnerError(
            f"`learner` must be one of {[f'{place}.{name}' for place, name in PEERS]}; "
            f"got `{library}.{learner}`."
        )
    n_missing = int(np.isnan(train.features).sum() + np.isnan(new).sum())
    if n_missing:
        raise LearnerError(
            f"`features` must hold no missing value for a peer; found {n_missing}. "
            "Impute training medians, and say so."
        )
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of both libraries, about scikit-learn's next version
        if library == "econml":
            cate = _fit_econml(learner, train, new, seed)
        else:
            cate = _fit_causalml(learner, train, new, propensity, seed)
    return PeerEffects(cate=cate, seconds=time.perf_counter() - started)
