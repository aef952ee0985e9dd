"""A log in which some were never treated: what the verdict says, and whether the bounds hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.analysis import Analysis, AnalysisParameters, analyse_trials, held_out_scores
from promo_uplift.benchmark.sets.bundle import (
    BenchmarkSet,
    SkippedSet,
    numeric_covariates,
    to_trial_data,
)
from promo_uplift.contracts.parameters import BASELINES
from promo_uplift.contracts.results import TrialData
from promo_uplift.effects import OverlapBounds, clustered_mean, manski_bounds, overlap_bounds

#: How the log is brought in: as what it is, or with the experiment's propensity, which is wrong.
AS_OBSERVED, AS_EXPERIMENT = "as_observed", "as_experiment"
COLUMNS = ("subject", "figure", "value", "ci_low", "ci_high", "note")


def positivity_table(
    *,
    log: BenchmarkSet,
    experiment: BenchmarkSet | SkippedSet,
    analysis: AnalysisParameters,
    seed: int,
) -> pd.DataFrame:
    """Verdict and bounds of a biased log, observed or wrongly declared an experiment.

    Parameters
    ----------
    log : BenchmarkSet
        The biased log.
    experiment : BenchmarkSet or SkippedSet
        The experiment from which rows were removed; its average effect is the truth.
    analysis : AnalysisParameters
        Its baselines and its first candidate are run: the verdict rests on the comparison, not on
        who ranks.
    seed : int

    Returns
    -------
    DataFrame
        ``subject, figure, value, ci_low, ci_high, note``. Subjects ``as_observed`` and
        ``as_experiment`` carry ``verdict`` (its name in ``note``, failed checks after a colon),
        ``naive``, ``aipw_ate``, ``manski_bounds`` and ``overlap_bounds``, with the bounds in
        ``ci_low`` and ``ci_high`` (the latter's sampling error included) and ``value`` their
        middle; subject ``truth`` the experiment's effect.
    """
    rows: list[dict[str, object]] = []
    declared = None
    if isinstance(experiment, BenchmarkSet):
        declared = experiment.known_propensity
        rows.append(_truth(experiment, level=analysis.metrics.level))
    data = to_trial_data(bench=log, covariates=numeric_covariates(bench=log))
    for subject, propensity in ((AS_OBSERVED, None), (AS_EXPERIMENT, declared)):
        if subject == AS_EXPERIMENT and propensity is None:
            continue
        known = None if propensity is None else np.full(log.n_rows, propensity)
        stated = replace(data, known_propensity=known)
        rows += _judged(subject, log, stated, _small(analysis), seed)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def log_bounds(
    *, log: BenchmarkSet, data: TrialData, analysis: Analysis, low: float, high: float, level: float
) -> OverlapBounds:
    """Bounds of a log's average effect: overlap by the estimated propensity in ``[low, high]``."""
    estimated = analysis.nuisances.raw_propensity_held_out
    return overlap_bounds(
        scores=held_out_scores(data=data, nuisances=analysis.nuisances),
        treatment=data.treatment,
        outcome=data.outcome,
        groups=data.groups,
        inside=(estimated >= low) & (estimated <= high),
        outcome_range=log.outcome_range,
        level=level,
    )


def _judged(
    subject: str, log: BenchmarkSet, data: TrialData, parameters: AnalysisParameters, seed: int
) -> list[dict[str, object]]:
    analysis = analyse_trials(data=data, parameters=parameters, seed=seed)
    verdict, level = analysis.verdict, parameters.metrics.level
    manski = manski_bounds(treatment=data.treatment, outcome=data.outcome)
    checks = parameters.checks
    tight = log_bounds(
        log=log,
        data=data,
        analysis=analysis,
        low=checks.overlap_low,
        high=checks.overlap_high,
        level=level,
    )
    treated = data.treatment == 1
    naive = float(data.outcome[treated].mean() - data.outcome[~treated].mean())
    scores = held_out_scores(data=data, nuisances=analysis.nuisances)
    adjusted = clustered_mean(values=scores, groups=data.groups).interval(level=level)
    return [
        _row(subject, "verdict", note=f"{verdict.name}: {', '.join(verdict.reasons)}"),
        _row(subject, "naive", naive),
        _row(subject, "aipw_ate", adjusted.estimate, adjusted.ci_low, adjusted.ci_high),
        _row(subject, "manski_bounds", (manski.low + manski.high) / 2, manski.low, manski.high),
        _row(subject, "overlap_bounds", (tight.low + tight.high) / 2, tight.ci_low, tight.ci_high),
        _row(subject, "share_of_overlap", tight.share_inside),
    ]


def _truth(experiment: BenchmarkSet, *, level: float) -> dict[str, object]:
    treated = experiment.frame[experiment.treatment].to_numpy() == 1
    outcome = experiment.frame[experiment.outcome].to_numpy(dtype=np.float64)
    arms = outcome[treated], outcome[~treated]
    effect = float(arms[0].mean() - arms[1].mean())
    error = float(np.sqrt(sum(arm.var(ddof=1) / len(arm) for arm in arms)))
    half = float(norm.ppf(0.5 + level / 2.0)) * error
    return _row("truth", "ate", effect, effect - half, effect + half)


def _small(analysis: AnalysisParameters) -> AnalysisParameters:
    """Return the same rules with the fewest learners and nothing tuned."""
    estimation = analysis.estimation
    candidate = estimation.candidates[0]
    kept = (*BASELINES, candidate)
    return analysis.model_copy(
        update={
            "nuisance": analysis.nuisance.model_copy(update={"n_trials": 0}),
            "estimation": estimation.model_copy(
                update={
                    "learners": {name: estimation.learners[name] for name in kept},
                    "candidates": [candidate],
                    "n_workers": 1,
                }
            ),
            "tuning": analysis.tuning.model_copy(
                update={"n_trials": 0, "storage": None, "progress": False}
            ),
        }
    )


def _row(
    subject: str,
    figure: str,
    value: float = float("nan"),
    ci_low: float = float("nan"),
    ci_high: float = float("nan"),
    note: str = "",
) -> dict[str, object]:
    return dict(zip(COLUMNS, (subject, figure, value, ci_low, ci_high, note), strict=True))
