"""One piece of the outside benchmark: a set, a replicate and a split, ours and the peers'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from promo_uplift.analysis import AnalysisParameters, cross_fit_learners, estimate_nuisances
from promo_uplift.benchmark.peers import PEERS, TrainingRows, peer_effects, peer_propensity
from promo_uplift.benchmark.sets.bundle import (
    BenchmarkSet,
    SkippedSet,
    numeric_covariates,
    to_trial_data,
)
from promo_uplift.benchmark.sets.champion import ChampionChoice, choose_champion
from promo_uplift.benchmark.sets.lenta import BIASED, SAMPLE
from promo_uplift.benchmark.sets.parameters import OutsideParameters
from promo_uplift.benchmark.sets.positivity import positivity_table
from promo_uplift.benchmark.sets.registry import find_set, load_set, set_spec
from promo_uplift.benchmark.sets.scoring import (
    Figures,
    HeldOutRows,
    experiment_figures,
    held_out_rows,
    imputed,
    truth_figures,
    without_interval,
)
from promo_uplift.benchmark.sets.splitting import RowSplit, drawn_rows, split_set
from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    FloatArray,
    Interval,
    TrialData,
    TrialTruth,
)
from promo_uplift.learners.registry import learner_role
from promo_uplift.tuning import (
    deployed_weights,
    ensemble_members,
    fit_deployed,
    is_combination,
)

OURS, CHAMPION, RUN = "ours", "champion", "run"
#: Half-sample refits of the deployed learners: the fewest, since no interval is read here.
_FEWEST_REFITS = 2
#: Long form of the results.
COLUMNS = (
    "set",
    "replicate",
    "seed",
    "source",
    "learner",
    "figure",
    "value",
    "ci_low",
    "ci_high",
    "note",
)


@dataclass(frozen=True, slots=True)
class SplitSet:
    """A set cut in two, as arrays.

    Attributes
    ----------
    train, test : TrialData
    truth : TrialTruth or None
        Of the test rows.
    notes : tuple of str
        What was left out, in words.
    """

    train: TrialData
    test: TrialData
    truth: TrialTruth | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One learner's effects of the test rows.

    Attributes
    ----------
    source, learner : str
    cate : float64 (n,)
    is_effect : bool
        False for a score that only ranks.
    seconds : float
    """

    source: str
    learner: str
    cate: FloatArray
    is_effect: bool
    seconds: float


def set_pieces(*, parameters: OutsideParameters) -> list[dict[str, Any]]:
    """List what can be run on its own: ``name``, ``replicate`` and ``seed`` of each piece.

    A set that cannot be run is one piece, which says why.

    Raises
    ------
    ConfigurationError
        If a set is unknown.
    """
    pieces = []
    for name in parameters.sets:
        spec = set_spec(name)
        if find_set(name=name, root=parameters.root) is not None:
            pieces.append({"name": name, "replicate": spec.replicates[0], "seed": 0})
            continue
        for replicate in spec.replicates:
            every = spec.design == "randomised" or replicate in parameters.all_seeds
            every = every and name != BIASED  # a question about the log, not about a split
            seeds = parameters.seeds if every else parameters.seeds[:1]
            pieces += [{"name": name, "replicate": replicate, "seed": seed} for seed in seeds]
    return pieces


def run_piece(
    *,
    name: str,
    replicate: int,
    seed: int,
    analysis: AnalysisParameters,
    parameters: OutsideParameters,
) -> pd.DataFrame:
    """Fit ours and the peers on one split and score both on its held-out rows.

    Every argument can be pickled and the result is a function of them, so pieces can be kept in
    files, resumed and run side by side.

    Parameters
    ----------
    name, replicate : str, int
        The set.
    seed : int
        Of the split and of every model.
    analysis : AnalysisParameters
        How ours is run; its learners with their spaces.
    parameters : OutsideParameters

    Returns
    -------
    DataFrame
        ``set, replicate, seed, source, learner, figure, value, ci_low, ci_high, note``. ``source``
        is ``ours``, ``econml`` or ``causalml``; learner ``champion`` is ours as chosen without
        the truth, with its name in ``note``; learner ``run`` carries sizes and seconds. A set
        whose files are absent is one row with the figure ``skipped`` and the reason in ``note``.

    Raises
    ------
    SourceError
        If a file is there and not as published.
    """
    bench = load_set(name=name, root=parameters.root, replicate=replicate)
    if isinstance(bench, SkippedSet):
        return skipped_rows(bench)
    if name == BIASED:
        found = positivity_table(
            log=bench,
            experiment=load_set(name=SAMPLE, root=parameters.root),
            analysis=analysis,
            seed=seed,
        )
        return biased_rows(found, name=name, replicate=replicate, seed=seed)
    split = cut_set(bench=bench, seed=seed, parameters=parameters)
    ours, choice = our_predictions(split=split, analysis=analysis, parameters=parameters, seed=seed)
    predictions = [*ours, *peer_predictions(split=split, parameters=parameters, seed=seed)]
    rows = held_out_rows(
        train=split.train,
        test=split.test,
        model=analysis.nuisance.model,
        replicates=0 if split.truth is not None else parameters.bootstrap_replicates,
        seed=seed,
    )
    table = [
        _row(one.source, one.learner, figure, interval)
        for one in predictions
        for figure, interval in _figures(one, split, rows, parameters).items()
    ]
    loss_name = analysis.estimation.selection_loss
    chosen = [row for row in table if row["source"] == OURS and row["learner"] == choice.learner]
    table += [{**row, "learner": CHAMPION, "note": choice.learner} for row in chosen]
    table += [
        _row(OURS, learner, f"held_out_{loss_name}", without_interval(loss))
        for learner, loss in choice.losses.items()
    ]
    table += [
        _row(OURS, RUN, "z_against_constant", without_interval(choice.z), choice.best),
        _row(OURS, RUN, "n_train", without_interval(len(split.train.outcome))),
        _row(OURS, RUN, "n_test", without_interval(len(split.test.outcome))),
        _row(OURS, RUN, "seconds", without_interval(sum(one.seconds for one in ours))),
        *(_row(OURS, RUN, "left_out", without_interval(np.nan), note) for note in split.notes),
    ]
    keys = {"set": name, "replicate": replicate, "seed": seed}
    return pd.DataFrame([{**keys, **row} for row in table])[list(COLUMNS)]


def run_set(
    *,
    name: str,
    root: str | None,
    seeds: Sequence[int],
    analysis: AnalysisParameters,
    parameters: OutsideParameters,
) -> pd.DataFrame:
    """Run every replicate of one set on its seeds, in this process; see :func:`run_piece`.

    Parameters
    ----------
    name : str
    root : str or None
        Replaces ``parameters.root``.
    seeds : sequence of int
        Replace ``parameters.seeds``.
    analysis, parameters
        As there.
    """
    own = parameters.model_copy(update={"root": root, "seeds": list(seeds), "sets": [name]})
    return pd.concat(
        [
            run_piece(**piece, analysis=analysis, parameters=own)
            for piece in set_pieces(parameters=own)
        ],
        ignore_index=True,
    )


def skipped_rows(skipped: SkippedSet) -> pd.DataFrame:
    """Return the one row of a set that was not run."""
    row = {**_row(RUN, RUN, "skipped", without_interval(np.nan), skipped.reason)}
    return pd.DataFrame([{**row, "set": skipped.name, "replicate": 0, "seed": 0}])[list(COLUMNS)]


def biased_rows(table: pd.DataFrame, *, name: str, replicate: int, seed: int) -> pd.DataFrame:
    """Return the verdict and bounds of a biased log in the long form of the other sets."""
    long = table.rename(columns={"subject": "learner"}).assign(
        source=OURS, set=name, replicate=replicate, seed=seed
    )
    return long[list(COLUMNS)]


def cut_set(*, bench: BenchmarkSet, seed: int, parameters: OutsideParameters) -> SplitSet:
    """Draw clusters if there are too many, encode the covariates, and hold rows out."""
    notes = []
    drawn = drawn_rows(bench=bench, max_groups=parameters.max_groups, seed=seed)
    if drawn is not None:
        notes.append(
            f"{parameters.max_groups} clusters by lot of {len(np.unique(bench.group_codes()))}"
        )
        bench = bench.take(drawn)
    split: RowSplit = split_set(bench=bench, seed=seed, shares=parameters.training_shares)
    covariates = numeric_covariates(bench=bench)
    parts = {
        part: to_trial_data(
            bench=bench.take(rows), covariates=covariates.iloc[rows].reset_index(drop=True)
        )
        for part, rows in (("train", split.train), ("test", split.test))
    }
    held_out = bench.take(split.test)
    return SplitSet(
        train=parts["train"], test=parts["test"], truth=held_out.truth, notes=tuple(notes)
    )


def sized_analysis(
    *, analysis: AnalysisParameters, n_train: int, parameters: OutsideParameters
) -> AnalysisParameters:
    """Return the table's own parameters with the folds and trials that the rows allow."""
    is_large = n_train >= parameters.large_rows
    left_out = parameters.left_out_of_large if is_large else []
    estimation = analysis.estimation
    learners = {
        name: learner for name, learner in estimation.learners.items() if name not in left_out
    }
    return analysis.model_copy(
        update={
            "nuisance": analysis.nuisance.model_copy(
                update={
                    "n_folds": parameters.large_folds if is_large else analysis.nuisance.n_folds,
                    "store": None,
                    "n_trials": 0,
                }
            ),
            "estimation": estimation.model_copy(
                update={
                    "learners": learners,
                    "candidates": [name for name in estimation.candidates if name in learners],
                    "n_workers": 1,
                }
            ),
            "tuning": analysis.tuning.model_copy(
                update={
                    "n_trials": parameters.large_trials if is_large else parameters.small_trials,
                    "storage": None,
                    "progress": False,
                }
            ),
        }
    )


def our_predictions(
    *, split: SplitSet, analysis: AnalysisParameters, parameters: OutsideParameters, seed: int
) -> tuple[list[Prediction], ChampionChoice]:
    """Run ours on the training rows: nuisances, learners, the champion, and each one deployed.

    Returns
    -------
    predictions : list of Prediction
        Effects of the held-out rows by every learner.
    choice : ChampionChoice
        Made on training rows alone.
    """
    sized = sized_analysis(
        analysis=analysis, n_train=len(split.train.outcome), parameters=parameters
    )
    estimation = sized.estimation
    nuisances = estimate_nuisances(
        data=split.train,
        nuisance=sized.nuisance,
        n_workers=1,
        tuning=sized.tuning,
        seed=seed,
    )
    cross_fitted = cross_fit_learners(
        data=split.train,
        nuisances=nuisances,
        nuisance=sized.nuisance,
        estimation=estimation,
        tuning=sized.tuning,
        seed=seed,
    )
    choice = choose_champion(
        cross_fitted=cross_fitted,
        candidates=[name for name in estimation.candidates if name in cross_fitted],
        data=split.train,
        nuisances=nuisances,
        loss=estimation.selection_loss,
        evidence=parameters.evidence,
    )
    return deployed_predictions(
        train=split.train,
        covariates=split.test.covariates,
        nuisances=nuisances,
        cross_fitted=cross_fitted,
        analysis=sized,
        seed=seed,
        interval_replicates=_FEWEST_REFITS,
    ), choice


def deployed_predictions(
    *,
    train: TrialData,
    covariates: pd.DataFrame,
    nuisances: CrossFittedNuisances,
    cross_fitted: Mapping[str, CrossFittedCate],
    analysis: AnalysisParameters,
    seed: int,
    interval_replicates: int,
) -> list[Prediction]:
    """Deploy every learner that could run on the training rows, and predict other rows.

    Parameters
    ----------
    train : TrialData
        Rows to fit on.
    covariates : DataFrame (m, p)
        Of the rows to predict.
    nuisances, cross_fitted
        Of the training rows.
    analysis : AnalysisParameters
        How ours is run.
    seed : int
    interval_replicates : int
        Half-sample refits of each; their effects differ with it by other random numbers only.

    Returns
    -------
    list of Prediction
        In the order of the configured learners.
    """
    estimation = analysis.estimation
    predictions: dict[str, Prediction] = {}
    for name, learner in estimation.learners.items():
        if name not in cross_fitted:  # left out: it cannot run here
            continue
        if is_combination(name):
            continue
        deployed = fit_deployed(
            name=name,
            data=train,
            nuisances=nuisances,
            parameters=learner,
            tuning=analysis.tuning,
            seed=seed,
            interval_replicates=interval_replicates,
        )
        predictions[name] = Prediction(
            source=OURS,
            learner=name,
            cate=deployed.learner.predict_cate(covariates=covariates),
            is_effect=learner_role(name) != "ranking_only",
            seconds=cross_fitted[name].seconds + deployed.seconds,
        )
    for name in filter(is_combination, estimation.learners):
        weights = deployed_weights(
            members={
                one: cross_fitted[one]
                for one in ensemble_members(estimation.learners)
                if one in cross_fitted
            },
            data=train,
            nuisances=nuisances,
            loss=estimation.ensemble_loss,
        )
        predictions[name] = Prediction(
            source=OURS,
            learner=name,
            # the members are fitted already: the ensemble is their weighted mean
            cate=np.sum([w * predictions[one].cate for one, w in weights.items()], axis=0),
            is_effect=True,
            seconds=cross_fitted[name].seconds,
        )
    return [predictions[name] for name in estimation.learners if name in predictions]


def peer_predictions(
    *, split: SplitSet, parameters: OutsideParameters, seed: int
) -> list[Prediction]:
    """Run every peer on the same training rows, for the same held-out rows."""
    if not parameters.peers:
        return []
    is_large = len(split.train.outcome) >= parameters.large_rows
    features, new, _ = imputed(
        train=split.train.covariates.to_numpy(), new=split.test.covariates.to_numpy()
    )
    train = TrainingRows(
        features=features,
        treatment=split.train.treatment,
        outcome=split.train.outcome,
        propensity=split.train.known_propensity,
    )
    propensity = peer_propensity(train=train, new=new)
    predictions = []
    for library, learner in PEERS:
        if is_large and learner in parameters.left_out_of_large:
            continue
        effects = peer_effects(
            library=library,
            learner=learner,
            train=train,
            new=new,
            propensity=propensity,
            seed=seed,
        )
        predictions.append(
            Prediction(
                source=library,
                learner=learner,
                cate=effects.cate,
                is_effect=True,
                seconds=effects.seconds,
            )
        )
    return predictions


def _figures(
    one: Prediction, split: SplitSet, rows: HeldOutRows, parameters: OutsideParameters
) -> Figures:
    cate = one.cate
    if one.source == OURS and one.learner == "random":
        cate = np.zeros_like(cate)  # a tie over all rows: the mean over all orders
    figures = experiment_figures(
        cate=cate, is_effect=one.is_effect, rows=rows, parameters=parameters
    )
    if split.truth is not None:
        figures |= truth_figures(cate=cate, is_effect=one.is_effect, truth=split.truth)
    return figures | {"seconds": without_interval(one.seconds)}


def _row(
    source: str, learner: str, figure: str, interval: Interval, note: str = ""
) -> Mapping[str, Any]:
    return {
        "source": source,
        "learner": learner,
        "figure": figure,
        "value": interval.estimate,
        "ci_low": interval.ci_low,
        "ci_high": interval.ci_high,
        "note": note,
    }


__all__ = [
    "CHAMPION",
    "COLUMNS",
    "OURS",
    "RUN",
    "Prediction",
    "SplitSet",
    "cut_set",
    "deployed_predictions",
    "our_predictions",
    "peer_predictions",
    "run_piece",
    "run_set",
    "set_pieces",
    "sized_analysis",
    "skipped_rows",
]
