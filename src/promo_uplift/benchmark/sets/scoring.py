"""One ranking's figures on held-out rows: against the truth, or by scores of the experiment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promo_uplift.benchmark.sets.parameters import OutsideParameters
from promo_uplift.benchmark.truth import sample_folds, true_ranking
from promo_uplift.contracts.parameters import LearnerParameters
from promo_uplift.contracts.results import (
    FloatArray,
    Interval,
    NuisanceValues,
    TrialData,
    TrialTruth,
)
from promo_uplift.metrics import (
    FoldRows,
    calibration_slope,
    fold_rows,
    household_draws,
    percentile_interval,
)
from promo_uplift.metrics.arm_curves import (
    PREFIX,
    arm_figures,
    binned_calibration_slope,
)
from promo_uplift.metrics.ranking import ranking_replicates
from promo_uplift.nuisance.models import NUISANCES, fit_nuisance, nuisance_features
from promo_uplift.nuisance.scores import dr_scores
from promo_uplift.nuisance.seeding import derived_rng, derived_seed

Figures = dict[str, Interval]
#: Below this the true effect, or its ranking's area, is the same for everybody.
NEGLIGIBLE = 1e-9


def without_interval(value: float) -> Interval:
    """Return a figure that comes without an interval."""
    return Interval(float(value), float("nan"), float("nan"))


def truth_figures(*, cate: FloatArray, is_effect: bool, truth: TrialTruth) -> Figures:
    r"""Figures against the true effect; no interval: the truth of these rows is known.

    ``pehe`` :math:`= \sqrt{E (\hat\tau - \tau)^2}` and ``ate_error`` in the outcome's unit, for
    effects only; ``qini_normalised`` and ``auuc_normalised`` divided by the oracle's on the same
    rows, left out where the effect is the same for everybody.

    Parameters
    ----------
    cate : float64 (n,)
        Prediction on rows that were not trained on.
    is_effect : bool
        False for a score that only ranks.
    truth : TrialTruth
        Of the same rows.

    References
    ----------
    Hill (2011), *J. Computational and Graphical Statistics* 20(1), 217-240 (PEHE).
    """
    figures: Figures = {}
    if is_effect:
        error = cate - truth.cate
        figures["pehe"] = without_interval(float(np.sqrt(np.mean(error**2))))
        figures["ate_error"] = without_interval(abs(float(error.mean())))
    if np.ptp(truth.cate) > NEGLIGIBLE:
        rows = np.arange(len(cate))
        folds = sample_folds(fold=np.zeros(len(cate), dtype=np.int64), groups=rows)
        own = true_ranking(cate=truth.cate, ranking=cate, folds=folds)
        oracle = true_ranking(cate=truth.cate, ranking=truth.cate, folds=folds)
        figures["qini_normalised"] = without_interval(own.qini / oracle.qini)
        figures["auuc_normalised"] = without_interval(own.auuc / oracle.auuc)
    return figures


@dataclass(frozen=True, slots=True)
class HeldOutRows:
    """Held-out rows of an experiment with their scores and bootstrap weights.

    Attributes
    ----------
    data : TrialData
        The rows.
    scores : float64 (n,)
        Doubly robust scores: known propensity, outcome models of the training rows.
    folds : tuple of FoldRows
        All rows as one fold.
    weights : float64 (n, 1 + B)
        How often each row counts: column 0 is the sample, the others bootstrap replicates.
    """

    data: TrialData
    scores: FloatArray | None
    folds: tuple[FoldRows, ...]
    weights: FloatArray


def held_out_rows(
    *,
    train: TrialData,
    test: TrialData,
    model: LearnerParameters,
    replicates: int,
    seed: int,
) -> HeldOutRows:
    """Held-out rows with scores whose outcome models saw the training rows only.

    Without a known propensity there are no scores: outcome models and a propensity of an
    observational set would be one more estimate to trust.

    Parameters
    ----------
    train, test : TrialData
    model : LearnerParameters
        Size of the two outcome models.
    replicates : int
        Bootstrap replicates of clusters.
    seed : int
    """
    draws = household_draws(
        groups=test.groups,
        replicates=replicates,
        rng=derived_rng(seed=seed, purpose="outside/test rows"),
    )
    weights = draws.counts[draws.code].astype(np.float64)
    folds = fold_rows(fold=np.zeros(len(test.outcome), dtype=np.int64), draws=draws)
    if test.known_propensity is None:
        return HeldOutRows(data=test, scores=None, folds=folds, weights=weights)
    campaigns = np.unique(train.campaign)
    features = nuisance_features(data=train, campaigns=campaigns)
    new = nuisance_features(data=test, campaigns=campaigns).take(rows=np.arange(len(test.outcome)))
    means = {}
    for name in ("mu0", "mu1"):
        spec = NUISANCES[name]
        rows = spec.rows(train)
        means[name] = fit_nuisance(
            spec=spec,
            features=features,
            rows=rows,
            target=spec.target(train)[rows],
            choice=model.defaults,
            seed=derived_seed(seed=seed, purpose=f"outside/{name}"),
        ).predict(features=new)
    scores = dr_scores(
        treatment=test.treatment,
        outcome=test.outcome,
        nuisances=NuisanceValues(test.known_propensity, means["mu0"], means["mu1"]),
    )
    return HeldOutRows(data=test, scores=scores, folds=folds, weights=weights)


def experiment_figures(
    *, cate: FloatArray, is_effect: bool, rows: HeldOutRows, parameters: OutsideParameters
) -> Figures:
    """Figures without a truth: the project's own on scores, then the published definitions.

    Parameters
    ----------
    cate : float64 (n,)
        Prediction on the held-out rows.
    is_effect : bool
        False for a score that only ranks: it has no calibration slope.
    rows : HeldOutRows
    parameters : OutsideParameters
    """
    level = parameters.level
    figures: Figures = {}
    if rows.scores is not None:
        own = ranking_replicates(
            scores=rows.scores,
            ranking=cate,
            folds=rows.folds,
            uplift_shares=parameters.uplift_shares,
        )
        if is_effect:
            own["calibration_slope"] = calibration_slope(
                scores=rows.scores, cate=cate, folds=rows.folds
            )
        figures |= {
            name: percentile_interval(values=values, level=level) for name, values in own.items()
        }
    figures |= {
        name: (
            percentile_interval(values=values, level=level)
            if len(values) > 1
            else without_interval(float(values[0]))
        )
        for name, values in _by_arms(cate=cate, rows=rows, parameters=parameters).items()
    }
    if is_effect:
        figures[f"{PREFIX}calibration_slope"] = without_interval(
            binned_calibration_slope(
                treatment=rows.data.treatment,
                outcome=rows.data.outcome,
                cate=cate,
                n_bins=parameters.calibration_bins,
                min_arm=parameters.calibration_min_arm,
                tie_seed=parameters.tie_seed,
            )
        )
    return figures


def _by_arms(
    *, cate: FloatArray, rows: HeldOutRows, parameters: OutsideParameters
) -> dict[str, FloatArray]:
    """Figures by arm differences; a ranking that ties all rows is averaged over its orders."""
    n_orders = parameters.tie_orders if np.ptp(cate) == 0.0 else 1
    orders = [
        arm_figures(
            treatment=rows.data.treatment,
            outcome=rows.data.outcome,
            ranking=cate,
            weights=rows.weights,
            uplift_shares=parameters.uplift_shares,
            tie_seed=parameters.tie_seed + number,
        )
        for number in range(n_orders)
    ]
    return {name: np.mean([one[name] for one in orders], axis=0) for name in orders[0]}


def imputed(*, train: FloatArray, new: FloatArray) -> tuple[FloatArray, FloatArray, int]:
    """Replace missing covariates by training medians (0 where a column has none), and count them.

    For the peers, several of which refuse missing values.

    Returns
    -------
    train, new : float64
        Copies without missing values.
    n_imputed : int
        Cells replaced in both.
    """
    gaps = np.isnan(train)
    medians = np.array(
        [
            np.median(column[~gap]) if not gap.all() else 0.0
            for column, gap in zip(train.T, gaps.T, strict=True)
        ]
    )
    n_imputed = int(gaps.sum() + np.isnan(new).sum())
    return np.where(gaps, medians, train), np.where(np.isnan(new), medians, new), n_imputed
