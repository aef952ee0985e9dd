"""An analysis held against the truth of its world: one row per subject and figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from promo_uplift.analysis import Analysis, held_out_scores, overlap_of
from promo_uplift.benchmark.truth import (
    TruePolicies,
    sample_folds,
    true_averages,
    true_policies,
    true_profit,
    true_ranking,
    true_share_profit,
)
from promo_uplift.contracts.parameters import CheckParameters, MetricParameters, PolicyParameters
from promo_uplift.contracts.results import (
    CrossFittedNuisances,
    FloatArray,
    Interval,
    TrialData,
    TrialTruth,
)
from promo_uplift.effects import POOLED, minimum_detectable_effect
from promo_uplift.learners.registry import learner_role
from promo_uplift.metrics import RankingMetrics, group_effects, with_expected_random
from promo_uplift.metrics.folds import FoldRows
from promo_uplift.policy import PolicyEvaluation

#: The project's own choice, made without the truth.
CHAMPION = "champion"
#: The whole run: its checks, its verdict, its sizes.
RUN = "run"
#: Answers of a run that are right or wrong: value 1 = said so, truth 1 = it is so.
DECISIONS = (
    "detects_effect",
    "finds_heterogeneity",
    "ranking_passes",
    "targeting_pays",
    "publishes",
    "overlap_passes",
)
SECONDS = "seconds"
#: Columns that identify a row of results, then what was found and what is true.
KEYS = ("world", "n_households", "depth", "replication", "subject", "figure")
COLUMNS = (*KEYS, "value", "truth", "ci_low", "ci_high", "covered")
#: Below this an effect, or its spread, is none: rounding of sums in USD.
NEGLIGIBLE_USD = 1e-9


@dataclass(slots=True)
class Judgements:
    """Rows collected while an analysis is judged."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, subject: str, figure: str, value: float, truth: float = float("nan")) -> None:
        """Add a figure without an interval."""
        self.rows.append(
            {"subject": subject, "figure": figure, "value": float(value), "truth": float(truth)}
        )

    def interval(self, subject: str, figure: str, found: Interval, truth: float) -> None:
        """Add a figure with its interval; whether the truth lies in it is only said if both exist.

        A truth within rounding of a bound counts as inside.
        """
        row = {
            "subject": subject,
            "figure": figure,
            "value": found.estimate,
            "truth": float(truth),
            "ci_low": found.ci_low,
            "ci_high": found.ci_high,
        }
        if np.isfinite([truth, found.ci_low, found.ci_high]).all():
            row["covered"] = bool(
                found.ci_low - NEGLIGIBLE_USD <= truth <= found.ci_high + NEGLIGIBLE_USD
            )
        self.rows.append(row)

    def table(self) -> pd.DataFrame:
        """All rows; ``covered`` is missing where there is no interval or no truth."""
        columns = [name for name in COLUMNS if name not in KEYS or name in ("subject", "figure")]
        table = pd.DataFrame(self.rows).reindex(columns=columns)
        return table.astype({"covered": "boolean"})


@dataclass(frozen=True, slots=True)
class Question:
    """What a world's rows have to answer, and with which settings.

    Attributes
    ----------
    data : TrialData
    truth : TrialTruth
    metrics, checks, policy
        Of the analysis that is judged.
    quantiles : int
        Groups of predicted effect, 5 for quintiles.
    """

    data: TrialData
    truth: TrialTruth
    metrics: MetricParameters
    checks: CheckParameters
    policy: PolicyParameters
    quantiles: int

    @property
    def is_heterogeneous(self) -> bool:
        """Whether the true effect differs between rows."""
        return bool(np.ptp(self.truth.cate) > NEGLIGIBLE_USD)


def judge_effects(
    *,
    rows: Judgements,
    question: Question,
    nuisances: CrossFittedNuisances,
    effects: pd.DataFrame,
) -> None:
    """Add pooled average effects against the truth of their own populations, and the overlap."""
    data, checks = question.data, question.checks
    raw = nuisances.assignment_propensity()
    truths = true_averages(
        truth=question.truth,
        treatment=data.treatment,
        in_overlap=(raw >= checks.overlap_low) & (raw <= checks.overlap_high),
    )
    pooled = effects[effects["campaign"] == POOLED]
    for estimand, estimate, low, high, se in pooled[
        ["estimand", "estimate_usd", "ci_low", "ci_high", "se"]
    ].itertuples(index=False):
        truth = truths[str(estimand)]
        rows.interval(str(estimand), "effect_usd", Interval(estimate, low, high), truth)
        mde = minimum_detectable_effect(se=se, level=question.metrics.level, power=checks.power)
        rows.add(str(estimand), "mde_usd", mde)
        rows.add(
            str(estimand), "detects_effect", low > 0.0 or high < 0.0, abs(truth) > NEGLIGIBLE_USD
        )
    overlap = overlap_of(data=data, nuisances=nuisances, checks=checks)
    rows.add(RUN, "overlap_share", overlap.overlap_share)
    rows.add(RUN, "propensity_auc", overlap.propensity_auc)
    rows.add(RUN, "clipped_share", overlap.clipped_share)
    rows.add(
        RUN,
        "overlap_passes",
        overlap.overlap_share >= checks.min_overlap_share
        and overlap.propensity_auc <= checks.max_propensity_auc
        and overlap.clipped_share <= checks.max_clipped_share,
    )
    rows.add(RUN, "rows", len(data.treatment))
    rows.add(
        RUN, "residual_sd_usd", float((data.outcome - nuisances.held_out().outcome_mean).std())
    )


def judge_ranking(
    *,
    rows: Judgements,
    question: Question,
    folds: tuple[FoldRows, ...],
    learner: str,
    cate: FloatArray,
    ranking: RankingMetrics,
) -> None:
    """Add a ranking's areas and slope against those under the true effects, and its regret."""
    figures = ranking.figures[learner]
    own = true_ranking(cate=question.truth.cate, ranking=cate, folds=folds)
    oracle = true_ranking(cate=question.truth.cate, ranking=question.truth.cate, folds=folds)
    rows.interval(learner, "auuc_usd", figures["auuc"], own.auuc)
    rows.interval(learner, "qini_usd", figures["qini"], own.qini)
    rows.interval(learner, "calibration_slope", figures["calibration_slope"], own.calibration_slope)
    rows.add(learner, "qini_regret_usd", oracle.qini - own.qini)
    if question.is_heterogeneous:
        rows.add(learner, "qini_normalised", own.qini / oracle.qini)
        if oracle.auuc > NEGLIGIBLE_USD:
            rows.add(learner, "auuc_normalised", own.auuc / oracle.auuc)
    slope_low = figures["calibration_slope"].ci_low
    if np.isfinite(slope_low):
        rows.add(learner, "finds_heterogeneity", slope_low > 0.0, question.is_heterogeneous)


def judge_groups(
    *,
    rows: Judgements,
    question: Question,
    nuisances: CrossFittedNuisances,
    learner: str,
    cate: FloatArray,
) -> None:
    """Add the effect found in each group of predicted effect against the true mean effect there."""

    def groups(scores: FloatArray) -> pd.DataFrame:
        return group_effects(
            scores=scores,
            cate=cate,
            fold=nuisances.fold,
            groups=question.data.groups,
            n_groups=question.quantiles,
            level=question.metrics.level,
            draws=question.metrics.simultaneous_draws,
            rng=np.random.default_rng(0),  # of the bands, which are not judged
        ).table

    found = groups(held_out_scores(data=question.data, nuisances=nuisances))
    true = groups(question.truth.cate)["effect_usd"]
    for number, estimate, low, high, truth in zip(
        found["group"], found["effect_usd"], found["ci_low"], found["ci_high"], true, strict=True
    ):
        figure = f"group_{number}_of_{question.quantiles}_usd"
        rows.interval(learner, figure, Interval(estimate, low, high), float(truth))


def judge_cate(*, rows: Judgements, question: Question, cates: Mapping[str, FloatArray]) -> None:
    """Add the error of each learner's held-out effects, and its ratio to both baselines'."""
    truth = question.truth.cate
    errors = {name: float(np.sqrt(np.mean((cate - truth) ** 2))) for name, cate in cates.items()}
    for name, cate in cates.items():
        rows.add(name, "pehe_usd", errors[name])
        rows.add(name, "cate_bias_usd", float((cate - truth).mean()))
        for baseline in ("zero", "constant"):
            if errors[baseline] > NEGLIGIBLE_USD:
                rows.add(name, f"pehe_over_{baseline}", errors[name] / errors[baseline])


def judge_policy(
    *,
    rows: Judgements,
    question: Question,
    folds: tuple[FoldRows, ...],
    subject: str,
    evaluation: PolicyEvaluation,
    cates: Mapping[str, FloatArray],
    held_out: Mapping[str, FloatArray],
) -> None:
    """Add the policy's profit against the true profit of that very policy, and its regret.

    Without a stated cost there is no profit to judge.
    """
    if not question.policy.are_stated:
        return
    profit = true_profit(truth=question.truth, parameters=question.policy)
    best: TruePolicies = true_policies(profit=profit)
    numbers = [part.fold for part in folds]
    chosen = true_share_profit(
        profit=profit,
        rankings=[
            cates[learner][:, number]
            for learner, number in zip(evaluation.learner_by_fold, numbers, strict=True)
        ],
        shares=evaluation.share_by_fold,
        folds=folds,
    )
    promised = true_share_profit(
        profit=profit,
        rankings=[held_out[evaluation.champion]] * len(folds),
        shares=[evaluation.roi_optimal_share.estimate] * len(folds),
        folds=folds,
    )
    rows.interval(subject, "profit_usd", evaluation.chosen.profit_usd, chosen)
    rows.interval(subject, "optimistic_profit_usd", evaluation.optimistic_profit_usd, promised)
    rows.add(subject, "policy_regret_usd", best.oracle - chosen)
    rows.add(subject, "policy_gain_usd", chosen - best.best_simple)
    gains = [evaluation.baselines[name].chosen_minus_this_usd for name in ("none", "all")]
    rows.add(
        subject,
        "targeting_pays",
        min(gain.ci_low for gain in gains) > 0.0,
        chosen - best.best_simple > NEGLIGIBLE_USD,
    )


def judge_analysis(*, question: Question, analysis: Analysis) -> pd.DataFrame:
    """Hold a whole analysis against the truth.

    Returns
    -------
    DataFrame
        ``subject, figure, value, truth, ci_low, ci_high, covered``. Subjects are the estimands,
        the learners, ``champion`` (whatever was chosen) and ``run``. Figures end in their unit
        where they have one; ratios to a baseline without error are left out, and so are
        normalised areas where the truth ranks nobody.
    """
    rows = Judgements()
    nuisances = analysis.nuisances
    folds = sample_folds(fold=nuisances.fold, groups=question.data.groups)
    judge_effects(rows=rows, question=question, nuisances=nuisances, effects=analysis.effects)
    effects = {name: fitted.cate for name, fitted in analysis.cross_fitted.items()}
    cates = with_expected_random(effects)
    held_out = with_expected_random(
        {name: fitted.held_out() for name, fitted in analysis.cross_fitted.items()}
    )
    champion = analysis.evaluation.champion
    roles = {name: learner_role(name) for name in held_out}
    judge_cate(
        rows=rows,
        question=question,
        cates={name: held_out[name] for name, role in roles.items() if role != "ranking_only"},
    )
    for name, role in roles.items():
        judge_ranking(
            rows=rows,
            question=question,
            folds=folds,
            learner=name,
            cate=held_out[name],
            ranking=analysis.ranking,
        )
        judge_policy(
            rows=rows,
            question=question,
            folds=folds,
            subject=name,
            evaluation=analysis.by_learner[name],
            cates=cates,
            held_out=held_out,
        )
        if role == "cate":
            judge_groups(
                rows=rows,
                question=question,
                nuisances=nuisances,
                learner=name,
                cate=held_out[name],
            )
        rows.add(name, SECONDS, analysis.cross_fitted[name].seconds)
    of_champion = [row for row in rows.rows if row["subject"] == champion]
    rows.rows += [
        {**row, "subject": CHAMPION}
        for row in of_champion
        if row["figure"] not in (SECONDS, "profit_usd", "optimistic_profit_usd")
        and not str(row["figure"]).startswith(("policy_", "targeting_"))
    ]
    judge_policy(
        rows=rows,
        question=question,
        folds=folds,
        subject=CHAMPION,
        evaluation=analysis.evaluation,
        cates=cates,
        held_out=held_out,
    )
    passed = {check.code: check.passed for check in analysis.checks}
    rows.add(RUN, "ranking_passes", passed["PU-RANKING"], question.is_heterogeneous)
    rows.add(RUN, "publishes", analysis.verdict.name == "publish")
    for stage, seconds in analysis.seconds.items():
        rows.add(f"stage: {stage}", SECONDS, seconds)
    return rows.table()
