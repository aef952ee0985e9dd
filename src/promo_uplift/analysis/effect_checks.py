"""What the checks say of the effects, before anybody decides on them."""

from __future__ import annotations

from typing import Final

import pandas as pd

from promo_uplift.checks import (
    DESIGN,
    Evidence,
    HouseholdUse,
    PublishedEffects,
    Report,
    not_looked_at,
    report_of,
    run_checks,
)
from promo_uplift.checks.timing import TreatmentTiming
from promo_uplift.contracts.parameters import (
    CheckParameters,
    MetricParameters,
    WordingParameters,
)
from promo_uplift.contracts.results import CrossFittedNuisances, TrialData
from promo_uplift.effects import (
    LotteryTest,
    OverlapSummary,
    PlaceboEffect,
    lottery_test,
    overlap_summary,
)
from promo_uplift.features import WindowAudit
from promo_uplift.metrics import RankingMetrics
from promo_uplift.trials.treatments import TREATMENT_DEFINITIONS

#: What effects must have been held against, whatever else was.
EXPECTED: Final = (*DESIGN, "PU-RANKING")


def overlap_of(
    *, data: TrialData, nuisances: CrossFittedNuisances, checks: CheckParameters
) -> OverlapSummary:
    """How far the arms share the same rows, by the design's propensity where it is known."""
    return overlap_summary(
        treatment=data.treatment,
        raw_propensity=nuisances.assignment_propensity(),
        n_clipped=nuisances.n_clipped,
        fold=nuisances.fold,
        low=checks.overlap_low,
        high=checks.overlap_high,
    )


def lottery_of(
    *, data: TrialData, nuisances: CrossFittedNuisances, metrics: MetricParameters
) -> LotteryTest | None:
    """Test the arms of an experiment against its stated propensity; None where nobody drew lots."""
    if data.known_propensity is None:
        return None
    return lottery_test(
        covariates=data.covariates,
        treatment=data.treatment,
        known=data.known_propensity,
        modelled=nuisances.raw_propensity_held_out,
        groups=data.groups,
        level=metrics.level,
    )


def timing_of(treatment_definition: str | None) -> TreatmentTiming | None:
    """Return what the treatment's definition says of itself; None where a table brought its own."""
    if treatment_definition is None:
        return None
    stated = TREATMENT_DEFINITIONS[treatment_definition].definition
    is_late = stated.is_decided_after_time_zero
    return TreatmentTiming.stated(is_decided_before=not is_late, last_day=1 if is_late else -1)


def check_effects(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    ranking: RankingMetrics,
    placebo: PlaceboEffect,
    windows: WindowAudit | None,
    treatment_definition: str | None,
    effects: pd.DataFrame,
    metrics: MetricParameters,
    checks: CheckParameters,
    wording: WordingParameters,
) -> Report:
    """Run every check of the comparison and of the ranking; no money is looked at.

    ``effects`` is the table of average effects; ``treatment_definition`` None where a table
    brought its own treatment.
    """
    facts = (
        windows,
        lottery_of(data=data, nuisances=nuisances, metrics=metrics),
        overlap_of(data=data, nuisances=nuisances, checks=checks),
        placebo,
        ranking,
        timing_of(treatment_definition),
        HouseholdUse.of_folds(fold=nuisances.fold, groups=data.groups),
        PublishedEffects.of(_published(effects)),
    )
    evidence = Evidence(facts=tuple(fact for fact in facts if fact is not None), wording=wording)
    results = run_checks(evidence=evidence, parameters=checks, expected=EXPECTED)
    done = {result.code for result in results}
    missing = {code: names for code, names in not_looked_at(evidence).items() if code not in done}
    return report_of(results=results, missing=missing)


def _published(effects: pd.DataFrame) -> pd.DataFrame:
    """Effects without their unit's name; one whose population lacks an arm is withheld."""
    table = effects.rename(columns=lambda name: "estimate" if "estimate" in name else name)
    empty = table["estimate"].isna()
    return table.assign(reason=empty.map({True: "a population without both arms", False: ""}))
