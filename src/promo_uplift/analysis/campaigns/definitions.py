"""The answer under other definitions of who is treated and who is a control."""

from __future__ import annotations

from typing import Final

import pandas as pd

from promo_uplift.analysis.campaigns.adjusted_lens import (
    ATT,
    AdjustedSettings,
    linear_fitter,
)
from promo_uplift.contracts.campaign_parameters import AdjustedParameters, DefinitionParameters
from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.contracts.results import TrialData
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.effects import POOLED
from promo_uplift.effects.adjusted import doubly_robust_effects, pooled_sample
from promo_uplift.effects.adjusted.estimators import weighted_effects
from promo_uplift.effects.estimate import Estimate, Label, estimates_table
from promo_uplift.trials import build_trials, select_trials, to_trial_data, usable_covariates
from promo_uplift.trials.treatments import (
    COUPON_EXPOSURE,
    TREATMENT_DEFINITIONS,
    refuse_unknown_categories,
)

#: Columns before those of a table of estimates.
LEADING: Final = ("treatment_definition", "control_definition", "is_decided_after_time_zero")


def campaign_trials(
    *, tables: CanonicalTables, parameters: TrialParameters, outcome: str, shift_days: int = 0
) -> tuple[TrialData | None, pd.DataFrame]:
    """Trials of these parameters as arrays, and the report; None where no campaign has any.

    Covariates that do not vary are left out, as in the main trials.
    """
    selection = select_trials(tables=tables, parameters=parameters, shift_days=shift_days)
    if not selection.campaigns:
        return None, selection.report
    frame = (
        build_trials(tables=tables, selection=selection, parameters=parameters, margin_rate=0.0)
        .to_pyarrow()
        .to_pandas(date_as_object=False)
    )
    names, _ = usable_covariates(trials=frame)
    return to_trial_data(trials=frame, covariates=names, outcome=outcome), selection.report


def definitions_table(
    *,
    tables: CanonicalTables,
    trials: TrialParameters,
    definitions: DefinitionParameters,
    adjusted: AdjustedParameters,
    settings: AdjustedSettings,
) -> pd.DataFrame:
    """Effect on the treated, pooled over campaigns, under every pair of definitions, USD.

    Parameters
    ----------
    tables : CanonicalTables
        The whole data.
    trials : TrialParameters
        Campaigns and windows; the definitions are replaced.
    definitions : DefinitionParameters
        What is tried.
    adjusted, settings : AdjustedParameters, AdjustedSettings
        Nuisances, level, overlap.

    Returns
    -------
    DataFrame
        ``LEADING`` and the columns of a table of estimates: the naive difference and the doubly
        robust effect on the treated. The outcome is the one that the definition is meant for. A
        definition that is decided after time zero says so: its figure describes, and is no effect.
        One that leaves no campaign has its reason.

    Raises
    ------
    TrialError
        If the category is no commodity of the products.
    """
    if COUPON_EXPOSURE in definitions.treatments:
        refuse_unknown_categories(
            tables=tables,
            categories=[definitions.category],
            field="campaigns.definitions.category",
        )
    rows = []
    for treatment in definitions.treatments:
        stated = TREATMENT_DEFINITIONS[treatment].definition
        for control in definitions.controls:
            parameters = trials.model_copy(
                update={
                    "treatment_definition": treatment,
                    "control_definition": control,
                    "category": definitions.category if treatment == COUPON_EXPOSURE else None,
                }
            )
            found = estimates_table(
                _effects(tables, parameters, stated.outcome, adjusted, settings)
            )
            found.insert(0, LEADING[2], stated.is_decided_after_time_zero)
            found.insert(0, LEADING[1], control)
            found.insert(0, LEADING[0], treatment)
            rows.append(found)
    return pd.concat(rows, ignore_index=True)


def _effects(
    tables: CanonicalTables,
    parameters: TrialParameters,
    outcome: str,
    adjusted: AdjustedParameters,
    settings: AdjustedSettings,
) -> list[Estimate]:
    labels = [
        Label("cross_section", "naive", "difference", POOLED, outcome),
        Label("cross_section", "aipw", ATT, POOLED, outcome),
    ]
    try:
        data, _ = campaign_trials(tables=tables, parameters=parameters, outcome=outcome)
    except TrialError as refusal:
        return [Estimate.none(label=label, reason=str(refusal)) for label in labels]
    if data is None:
        return [Estimate.none(label=label, reason="no campaign is left") for label in labels]
    nuisances = linear_fitter(parameters=adjusted, seed=settings.seed)(data)
    sample = pooled_sample(
        data=data,
        nuisances=nuisances.held_out,
        raw_propensity=nuisances.raw_propensity,
        outcome_name=outcome,
        level=settings.level,
    )
    found = (
        *weighted_effects(sample=sample),
        *doubly_robust_effects(sample=sample, overlap=settings.overlap),
    )
    wanted = {(label.estimator, label.estimand) for label in labels}
    return [
        one.estimate
        for one in found
        if (one.estimate.label.estimator, one.estimate.label.estimand) in wanted
    ]
