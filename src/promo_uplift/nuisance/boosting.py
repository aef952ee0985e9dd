"""LightGBM on one thread, deterministic: the base model of every nuisance and meta-learner."""

from __future__ import annotations

from typing import Any, Literal

import lightgbm as lgb
import numpy as np

from promo_uplift.contracts.parameters import LightGBMParameters
from promo_uplift.contracts.results import BoolArray, FloatArray

Objective = Literal["regression", "binary"]

_FIXED: dict[str, Any] = {
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
#: Bins that serve every size of a leaf.
_SHARED_BINS = {"feature_pre_filter": False}


class BoostedTrees:
    """A fitted LightGBM model: mean outcome in the target's unit, or a probability."""

    def __init__(self, *, booster: Any, knew_missing: BoolArray) -> None:
        self._booster = booster
        self._knew_missing = knew_missing

    def predict(self, *, features: FloatArray) -> FloatArray:
        """Predicted mean (regression) or probability of 1 (binary), ``(m,)``."""
        return np.asarray(self._booster.predict(features, num_threads=1), dtype=np.float64)

    def contributions(self, *, features: FloatArray) -> FloatArray:
        """Return what each feature adds to the prediction, and the base value last, ``(m, p + 1)``.

        Exact path-dependent TreeSHAP; rows sum to the prediction (binary: to its log-odds).

        References
        ----------
        Lundberg et al. (2020), *Nature Machine Intelligence* 2, 56-67,
        doi:10.1038/s42256-019-0138-9.
        """
        return np.asarray(
            self._booster.predict(features, pred_contrib=True, num_threads=1), dtype=np.float64
        )

    def contributions_against(self, *, features: FloatArray, background: FloatArray) -> FloatArray:
        """Return what each feature adds to the prediction over the background's mean, ``(m, p)``.

        Exact interventional TreeSHAP: a feature that has the same value in ``features`` and
        ``background`` adds nothing. Rows sum to the prediction less the background's mean.

        References
        ----------
        Lundberg et al. (2020), *Nature Machine Intelligence* 2, 56-67,
        doi:10.1038/s42256-019-0138-9.
        """
        import shap  # noqa: PLC0415 - two seconds, and few runs explain with it

        explainer = shap.TreeExplainer(
            self._booster,
            data=self._as_split(background),
            feature_perturbation="interventional",
        )
        return np.asarray(
            explainer.shap_values(self._as_split(features), check_additivity=False),
            dtype=np.float64,
        )

    def _as_split(self, features: FloatArray) -> FloatArray:
        """LightGBM takes a missing value for 0 where training had none; the explainer does not."""
        unknown = np.isnan(features) & ~self._knew_missing
        return np.where(unknown, 0.0, features)


def fit_boosted_trees(
    *,
    features: FloatArray,
    target: FloatArray,
    objective: Objective,
    parameters: LightGBMParameters,
    seed: int,
    weight: FloatArray | None = None,
) -> BoostedTrees:
    """Fit gradient-boosted trees; missing features (NaN) go the way that reduces the loss.

    Parameters
    ----------
    features : float64 (n, p)
        Design; NaN is a missing value.
    target : float64 (n,)
        Outcome in its unit ("regression", squared error), or 0/1 ("binary", log-loss).
    objective : {"regression", "binary"}
        Loss.
    parameters : LightGBMParameters
        Size and regularisation.
    seed : int
        Seed of the column subsample.
    weight : float64 (n,), optional
        Weight of each row in the loss, at least 0; scaled to a mean of 1, so that ``reg_lambda``
        means the same with and without.

    Returns
    -------
    BoostedTrees
        Equal inputs give equal bits: one thread, row-wise histograms, ``deterministic``.

    References
    ----------
    Ke et al. (2017), LightGBM, *NeurIPS* 30.
    """
    settings = _settings(objective=objective, parameters=parameters, seed=seed)
    scaled = None if weight is None else weight / weight.mean()
    dataset = lgb.Dataset(features, label=target, weight=scaled, params=settings)
    booster = lgb.train(settings, dataset, num_boost_round=parameters.n_estimators)
    return BoostedTrees(
        booster=booster.free_dataset(),
        knew_missing=np.asarray(np.isnan(features).any(axis=0)),
    )


class BinnedFeatures:
    """A design whose histogram bins are built once, for models of many subsets of its rows.

    Bins are cut at quantiles of all rows' features, those of held-out rows included: covariates
    only, never treatments or outcomes.
    """

    def __init__(self, *, features: FloatArray) -> None:
        self._features = features
        self._binned: dict[int, Any] = {}
        self.knew_missing = np.asarray(np.isnan(features).any(axis=0))

    def subset(self, *, rows: BoolArray, target: FloatArray, max_bin: int) -> Any:
        """LightGBM's data set of the chosen rows ``(n,)`` with their targets ``(m,)``."""
        if max_bin not in self._binned:
            settings = {**_FIXED, **_SHARED_BINS, "max_bin": max_bin}
            self._binned[max_bin] = lgb.Dataset(
                self._features, params=settings, free_raw_data=False
            ).construct()
        part = self._binned[max_bin].subset(np.flatnonzero(rows))
        # A subset wants a label before it is built, and takes it only once it is.
        return part.set_label(target).construct().set_label(target)


def fit_binned_trees(
    *,
    features: BinnedFeatures,
    rows: BoolArray,
    target: FloatArray,
    objective: Objective,
    parameters: LightGBMParameters,
    seed: int,
) -> BoostedTrees:
    """Fit as :func:`fit_boosted_trees`, on rows of a design whose bins are shared.

    Parameters
    ----------
    features : BinnedFeatures
        Design of all rows.
    rows : bool (n,)
        Training rows.
    target : float64 (m,)
        Their targets.
    objective, parameters, seed
        As there.
    """
    settings = _settings(objective=objective, parameters=parameters, seed=seed) | _SHARED_BINS
    dataset = features.subset(rows=rows, target=target, max_bin=parameters.max_bin)
    booster = lgb.train(settings, dataset, num_boost_round=parameters.n_estimators)
    return BoostedTrees(booster=booster.free_dataset(), knew_missing=features.knew_missing)


def _settings(*, objective: Objective, parameters: LightGBMParameters, seed: int) -> dict[str, Any]:
    return {
        **_FIXED,
        "objective": objective,
        "learning_rate": parameters.learning_rate,
        "num_leaves": parameters.num_leaves,
        "min_data_in_leaf": parameters.min_child_samples,
        "lambda_l2": parameters.reg_lambda,
        "feature_fraction": parameters.colsample_bytree,
        "max_bin": parameters.max_bin,
        "seed": seed,
    }
