"""What one run says of itself, as plain values: the tracking store is someone else's business."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    Interval,
    TrialData,
)
from promo_uplift.effects import OverlapSummary
from promo_uplift.metrics import SELECTED, RankingMetrics
from promo_uplift.policy import DecidingPolicy, PolicyEvaluation


@dataclass(frozen=True, slots=True)
class LearnerRecord:
    """One learner's part of a run.

    Attributes
    ----------
    learner : str
        Its registry name.
    metrics : dict
        The same metric names as the run's own, for this learner.
    parameters : dict
        Chosen hyperparameters, ``fold_<k>.<name>``.
    trials : DataFrame
        One row per Optuna trial: fold, number, state, loss, seconds, then the parameters.
    """

    learner: str
    metrics: dict[str, float]
    parameters: dict[str, float | int | str | bool]
    trials: pd.DataFrame


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What a run logs besides its catalogued artifacts.

    Attributes
    ----------
    metrics, tags : dict
        Of the parent run.
    learners : tuple of LearnerRecord
        One nested run each.
    inputs : dict of DataFrame
        Tables the run was computed from, logged with digests.
    """

    metrics: dict[str, float]
    tags: dict[str, str]
    learners: tuple[LearnerRecord, ...]
    inputs: dict[str, pd.DataFrame]


def with_interval(name: str, interval: Interval) -> dict[str, float]:
    """``name``, ``name_ci_low``, ``name_ci_high``.

    Examples
    --------
    >>> with_interval("auuc", Interval(1.0, 0.5, 1.5))
    {'auuc': 1.0, 'auuc_ci_low': 0.5, 'auuc_ci_high': 1.5}
    """
    return {
        name: interval.estimate,
        f"{name}_ci_low": interval.ci_low,
        f"{name}_ci_high": interval.ci_high,
    }


def money_tag(policy: PolicyParameters) -> str:
    """Where the money of a run comes from: ``not stated``, ``assumed`` or ``given``."""
    if not policy.are_stated:
        return "not stated"
    return "assumed" if policy.values_are_assumptions else "given"


def figures_of(
    *,
    learner: str,
    ranking: RankingMetrics,
    evaluation: PolicyEvaluation,
    is_money_stated: bool,
) -> dict[str, float]:
    """Ranking and policy figures of one learner under their tracked names.

    Parameters
    ----------
    learner : str
        Registry name, or ``selected``: each fold by the learner that the others chose.
    ranking : RankingMetrics
        Of all learners.
    evaluation : PolicyEvaluation
        Of the policies made with this learner.
    is_money_stated : bool
        Without a stated cost no profit and no share that maximises it are tracked.
    """
    metrics: dict[str, float] = {}
    for name, interval in ranking.figures[learner].items():
        metrics |= with_interval(name, interval)
    for name, interval in ranking.simultaneous.get(learner, {}).items():
        metrics |= {f"{name}_sim_low": interval.ci_low, f"{name}_sim_high": interval.ci_high}
    metrics |= with_interval("ate", ranking.ate)
    if is_money_stated:
        metrics |= with_interval("roi_optimal_share", evaluation.roi_optimal_share)
        metrics |= with_interval("expected_profit_per_household", evaluation.chosen.profit_usd)
    metrics |= with_interval("policy_value", evaluation.chosen.outcome_usd)
    return metrics


def run_record(  # noqa: PLR0913 - one run, named in full by its caller
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: Mapping[str, CrossFittedCate],
    ranking: RankingMetrics,
    losses: pd.DataFrame,
    evaluation: PolicyEvaluation,
    by_learner: Mapping[str, PolicyEvaluation],
    decider: DecidingPolicy,
    overlap: OverlapSummary,
    is_money_stated: bool,
    tags: Mapping[str, str],
    inputs: Mapping[str, pd.DataFrame],
) -> RunRecord:
    """Collect a run's figures under the names that two runs are compared by.

    Parameters
    ----------
    data : TrialData
    nuisances : CrossFittedNuisances
    cross_fitted : mapping of str to CrossFittedCate
    ranking : RankingMetrics
    losses : DataFrame
        The leaderboard: ``learner, dr_loss, r_loss``.
    evaluation : PolicyEvaluation
        Of the policy that chooses among all candidates.
    by_learner : mapping of str to PolicyEvaluation
        Of each learner alone.
    decider : DecidingPolicy
        Makes the list.
    overlap : OverlapSummary
    is_money_stated : bool
    tags : mapping of str to str
    inputs : mapping of str to DataFrame
    """
    metrics = figures_of(
        learner=SELECTED,
        ranking=ranking,
        evaluation=evaluation,
        is_money_stated=is_money_stated,
    )
    metrics |= with_interval("list_share", decider.share)
    if is_money_stated:
        metrics |= with_interval("list_profit_per_household", decider.profit_usd)
        metrics |= with_interval("winners_curse_usd", evaluation.winners_curse_usd)
    for baseline in ("response", "constant"):
        gained = ranking.figures[SELECTED][f"auuc_minus_{baseline}"]
        metrics |= with_interval(f"value_of_modelling_{baseline}", gained)
    best = cross_fitted[evaluation.champion]
    metrics |= {
        "value_of_modelling_seconds": sum(one.seconds for one in cross_fitted.values()),
        "value_of_tuning_seconds": best.seconds_tuning,
        "propensity_auc": overlap.propensity_auc,
        "overlap_share": overlap.overlap_share,
        "clipped_share": overlap.clipped_share,
        "nuisances_reused": float(nuisances.is_reused),
        "n_trials_rows": float(len(data.treatment)),
        "n_households": float(len(set(data.groups.tolist()))),
    }
    lost = losses.set_index("learner")[["dr_loss", "r_loss"]].astype(float).to_dict("index")
    learners = tuple(
        LearnerRecord(
            learner=name,
            metrics=figures_of(
                learner=name,
                ranking=ranking,
                evaluation=by_learner[name],
                is_money_stated=is_money_stated,
            )
            | {str(loss): value for loss, value in lost[name].items()}
            | {
                "seconds": fitted.seconds,
                "seconds_tuning": fitted.seconds_tuning,
                "seconds_fitting": fitted.seconds_fitting,
            },
            parameters={
                f"fold_{fold}.{key}": value
                for fold, chosen in enumerate(fitted.parameters)
                for key, value in chosen.items()
            },
            trials=fitted.tuning,
        )
        for name, fitted in cross_fitted.items()
    )
    stopped = sum(
        int((record.trials["stopped_by"] == "seconds").any())
        for record in learners
        if "stopped_by" in record.trials
    )
    metrics["studies_stopped_by_seconds"] = float(stopped)
    studies = [one.studies for one in cross_fitted.values() if one.studies is not None]
    metrics["studies_stopped_by_no_gain"] = float(
        sum(int((table["stopped_by"] == "no_gain").sum()) for table in studies)
    )
    return RunRecord(
        metrics=metrics,
        tags={**tags, "decides": decider.name, "deployed_learner": decider.learner},
        learners=learners,
        inputs=dict(inputs),
    )
