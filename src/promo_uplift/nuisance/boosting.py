"""LightGBM on one thread, deterministic: the base model of every nuisance and meta-learner."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import lightgbm as lgb
import numpy as np

from promo_uplift.contracts.parameters import LightGBMParameters
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray

Objective = Literal["regression", "binary"]

_FIXED: dict[str, Any] = {
    "num_threads": 1,
    "deterministic": True,
    "force_col_wise": True,  # the same bits as row-wise, and faster on one thread
    "feature_pre_filter": False,  # bins serve every size of a leaf
    "verbosity": -1,
}


class BoostedTrees:
    """A fitted LightGBM model: mean outcome in the target's unit, or a probability."""

    def __init__(self, *, booster: Any, knew_missing: BoolArray) -> None:
        self._booster = booster
        self._knew_missing = knew_missing

    @property
    def booster(self) -> Any:
        """LightGBM's own model."""
        return self._booster

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


class BinnedFeatures:
    """Features of rows, whose histogram bins are built once, for models of any of the rows.

    Bins are cut at quantiles of all rows' features, those of held-out rows included: covariates
    only, never treatments or outcomes. They are built at the first fit, and do not travel to
    another process.

    Parameters
    ----------
    *parts : float (n, p_i)
        Columns side by side, NaN where missing; they are never copied into one matrix of all rows.
    """

    def __init__(self, *parts: FloatArray) -> None:
        self._parts = parts
        self._binned: dict[int, Any] = {}
        self._knew_missing = np.concatenate([np.isnan(part).any(axis=0) for part in parts])
        self._rows = np.arange(len(parts[0]))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_binned": {}}

    def restricted(self, *, rows: BoolArray | IntArray) -> BinnedFeatures:
        """Design of the chosen rows only, with the bins of all.

        For rows that were chosen by what a fold must not tell, such as an arm: bins of theirs
        would tell it.
        """
        chosen = copy.copy(self)
        chosen._rows = self._rows[rows]
        return chosen

    def take(self, *, rows: BoolArray | IntArray) -> FloatArray:
        """Features of the chosen rows, float64 ``(m, p)``."""
        chosen = [part[self._rows[rows]] for part in self._parts]
        return chosen[0] if len(chosen) == 1 else np.hstack(chosen)

    def have(self, *, rows: IntArray, features: FloatArray) -> bool:
        """Whether the chosen rows are the matrix ``(m, p)``, value by value; column by column."""
        columns = [column for part in self._parts for column in part.T]
        return features.shape == (len(rows), len(columns)) and all(
            np.array_equal(column[self._rows[rows]], other, equal_nan=True)
            for column, other in zip(columns, features.T, strict=True)
        )

    def fit(
        self,
        *,
        rows: BoolArray | IntArray,
        target: FloatArray,
        objective: Objective,
        parameters: LightGBMParameters,
        seed: int,
        weight: FloatArray | None = None,
        last: FloatArray | None = None,
    ) -> BoostedTrees:
        """Fit gradient-boosted trees; missing features (NaN) go the way that reduces the loss.

        Parameters
        ----------
        rows : bool (n,) or int (m,)
            Training rows, in ascending order.
        target : float64 (m,)
            Outcome in its unit ("regression", squared error), or 0/1 ("binary", log-loss).
        objective : {"regression", "binary"}
            Loss.
        parameters : LightGBMParameters
            Size and regularisation.
        seed : int
            Seed of the column subsample.
        weight : float64 (m,), optional
            Weight of each row in the loss, at least 0; scaled to a mean of 1, so that
            ``reg_lambda`` means the same with and without.
        last : float64 (m,), optional
            One more feature, after all others: the treatment of a model that has it as a feature.

        Returns
        -------
        BoostedTrees
            Equal inputs give equal bits: one thread, column-wise histograms, ``deterministic``.

        References
        ----------
        Ke et al. (2017), LightGBM, *NeurIPS* 30.
        """
        part = self._of_all_rows(parameters.max_bin).subset(self._rows[rows])
        # A subset wants a label before it is built, and takes it only once it is.
        part.set_label(target).construct().set_label(target)
        knew_missing = self._knew_missing
        if last is not None:
            _add_columns(part, _binned(last[:, np.newaxis], max_bin=parameters.max_bin))
            knew_missing = np.append(knew_missing, False)
        if weight is not None:
            part.set_weight(weight / weight.mean())
        settings = _settings(objective=objective, parameters=parameters, seed=seed)
        booster = lgb.train(settings, part, num_boost_round=parameters.n_estimators)
        return BoostedTrees(booster=booster.free_dataset(), knew_missing=knew_missing)

    def _of_all_rows(self, max_bin: int) -> Any:
        if max_bin not in self._binned:
            first, *others = (_binned(part, max_bin=max_bin) for part in self._parts)
            for other in others:
                _add_columns(first, other)
            self._binned[max_bin] = first
        return self._binned[max_bin]


@dataclass(frozen=True, slots=True)
class BinnedRows:
    """Chosen rows of a design with shared bins.

    Attributes
    ----------
    design : BinnedFeatures
        Features of ``n`` rows.
    rows : int64 (m,)
        Positions of the chosen ones, ascending.
    """

    design: BinnedFeatures
    rows: IntArray

    @classmethod
    def chosen(cls, *, design: BinnedFeatures, rows: BoolArray) -> BinnedRows:
        """Rows ``(n,)`` of a design."""
        return cls(design=design, rows=np.flatnonzero(rows))

    def are(self, *, features: FloatArray) -> bool:
        """Whether these rows are the matrix ``(m, p)``, value by value."""
        return self.design.have(rows=self.rows, features=features)

    def fit(self, *, among: BoolArray | None = None, **wanted: Any) -> BoostedTrees:
        """:meth:`BinnedFeatures.fit` on these rows, or on those ``among`` them, bool ``(m,)``."""
        rows = self.rows if among is None else self.rows[among]
        return self.design.fit(rows=rows, **wanted)


def _add_columns(binned: Any, other: Any) -> None:
    with warnings.catch_warnings():
        # LightGBM says that it has no raw values to join as well: none are kept, to save memory
        warnings.filterwarnings("ignore", message="Cannot add features from NoneType")
        warnings.filterwarnings("ignore", message="Resetting categorical features")
        binned.add_features_from(other)


def _binned(features: FloatArray, *, max_bin: int) -> Any:
    return lgb.Dataset(features, params={**_FIXED, "max_bin": max_bin}).construct()


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
