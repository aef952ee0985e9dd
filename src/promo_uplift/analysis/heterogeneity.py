"""Do effects differ, for whom, and by what: tests, groups, and the champion explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from promo_uplift.analysis.estimation import held_out_scores
from promo_uplift.contracts.parameters import (
    EstimationParameters,
    ExplanationParameters,
    MetricParameters,
    WordingParameters,
)
from promo_uplift.contracts.results import CrossFittedCate, CrossFittedNuisances, TrialData
from promo_uplift.explanation import (
    Explanation,
    driver_table,
    effect_rules,
    explain_held_out,
    explanation_text,
    warning_of,
)
from promo_uplift.learners.registry import learner_role
from promo_uplift.metrics import (
    GroupEffects,
    HeterogeneityTest,
    affected_groups,
    group_effects,
    heterogeneity_test,
)
from promo_uplift.nuisance.seeding import derived_rng

GATES = (
    "learner",
    "group",
    "predicted_usd",
    "effect_usd",
    "se",
    "ci_low",
    "ci_high",
    "band_low",
    "band_high",
    "n",
    "reading",
)
#: Characters per line of an explanation.
TEXT_WIDTH = 96


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """Whether effects differ, by every learner of effects.

    Attributes
    ----------
    test : HeterogeneityTest
        Best linear predictors.
    groups : dict of GroupEffects
        Effects found in groups of predicted effect, of each learner.
    """

    test: HeterogeneityTest
    groups: dict[str, GroupEffects]

    @property
    def blp(self) -> pd.DataFrame:
        """One row per learner and regression."""
        return self.test.table

    @property
    def gates(self) -> pd.DataFrame:
        """One row per learner and group, and one for the last group minus the first.

        ``reading`` says on that last row how the found effects go with the predicted ones.
        """
        tables = []
        for name, found in self.groups.items():
            difference = found.difference
            contrast = {
                "group": "most minus least",
                "predicted_usd": found.predicted_difference,
                "effect_usd": difference.estimate,
                "se": found.difference_se,
                "ci_low": difference.ci_low,
                "ci_high": difference.ci_high,
                "n": int(found.table["n"].iloc[[0, -1]].sum()),
                "reading": found.reading,
            }
            table = found.table.assign(group=found.table["group"].astype(str))
            table = pd.concat([table, pd.DataFrame([contrast])], ignore_index=True)
            table.insert(0, "learner", name)
            tables.append(table)
        if not tables:
            return pd.DataFrame(columns=list(GATES))
        return pd.concat(tables, ignore_index=True)[list(GATES)]


def find_heterogeneity(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: Mapping[str, CrossFittedCate],
    metrics: MetricParameters,
    seed: int,
) -> Heterogeneity:
    """Test every learner of effects for heterogeneity, and value its groups."""
    scores = held_out_scores(data=data, nuisances=nuisances)
    cates = {
        name: fitted.held_out()
        for name, fitted in cross_fitted.items()
        if learner_role(name) == "cate"
    }
    return Heterogeneity(
        test=heterogeneity_test(
            scores=scores,
            cates=cates,
            treatment=data.treatment,
            outcome=data.outcome,
            nuisances=nuisances.held_out(),
            fold=nuisances.fold,
            groups=data.groups,
            level=metrics.level,
            draws=metrics.simultaneous_draws,
            rng=derived_rng(seed=seed, purpose="heterogeneity/test"),
        ),
        groups={
            name: group_effects(
                scores=scores,
                cate=cate,
                fold=nuisances.fold,
                groups=data.groups,
                n_groups=metrics.effect_groups,
                level=metrics.level,
                draws=metrics.simultaneous_draws,
                rng=derived_rng(seed=seed, purpose=f"heterogeneity/groups/{name}"),
            )
            for name, cate in cates.items()
        },
    )


def describe_affected(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    fitted: CrossFittedCate,
    metrics: MetricParameters,
    seed: int,
) -> pd.DataFrame:
    """Every covariate among the rows predicted to respond most and least."""
    return affected_groups(
        covariates=data.covariates,
        cate=fitted.held_out(),
        fold=nuisances.fold,
        groups=data.groups,
        n_groups=metrics.effect_groups,
        level=metrics.level,
        draws=metrics.simultaneous_draws,
        rng=derived_rng(seed=seed, purpose="heterogeneity/affected"),
    )


def explain_effects(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    fitted: CrossFittedCate,
    heterogeneity: Heterogeneity,
    estimation: EstimationParameters,
    metrics: MetricParameters,
    explanation: ExplanationParameters,
    wording: WordingParameters,
    seed: int,
) -> Explanation:
    """Say what drives a learner's held-out effects, and warn where no heterogeneity is shown."""
    name = fitted.learner
    contributions = explain_held_out(
        data=data,
        nuisances=nuisances,
        fitted=fitted,
        parameters=explanation,
        seed=seed,
        n_workers=estimation.n_workers,
    )
    drivers = driver_table(
        contributions=contributions,
        covariates=data.covariates,
        min_rank_correlation=explanation.min_rank_correlation,
        unit=wording.unit,
    )
    rules = effect_rules(
        covariates=data.covariates,
        fitted=fitted,
        scores=held_out_scores(data=data, nuisances=nuisances),
        groups=data.groups,
        parameters=explanation,
        wording=wording,
        level=metrics.level,
        draws=metrics.simultaneous_draws,
        seed=seed,
    )
    warning = warning_of(test=heterogeneity.test, learner=name, wording=wording)
    return Explanation(
        learner=name,
        contributions=contributions,
        drivers=drivers,
        rules=rules,
        warning=warning,
        text=explanation_text(
            learner=name,
            test=heterogeneity.test,
            drivers=drivers,
            rules=rules,
            warning=warning,
            wording=wording,
            shown=explanation.shown,
            width=TEXT_WIDTH,
        ),
    )
