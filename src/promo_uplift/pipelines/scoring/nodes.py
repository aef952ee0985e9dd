"""From the registry and a table, or a date, to scores and what became of every household."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import ibis
import pandas as pd

from promo_uplift import analysis
from promo_uplift.analysis import CanonicalData
from promo_uplift.contracts.errors import ScoringError
from promo_uplift.contracts.parameters import (
    EstimationParameters,
    PolicyParameters,
    ScoringParameters,
    SourceParameters,
    TrialParameters,
    WordingParameters,
)
from promo_uplift.contracts.streams import TableStream
from promo_uplift.policy import (
    CHAMPION,
    RegisteredVersion,
    choose_version,
    definition_of_raw_tables,
    standing_sentence,
)

logger = logging.getLogger(__name__)


def score_households(
    registered_versions: dict[str, RegisteredVersion],
    canonical_data: Callable[[], CanonicalData],
    scoring: ScoringParameters,
    trials: TrialParameters,
    estimation: EstimationParameters,
    source: SourceParameters,
    policy: PolicyParameters,
    wording: WordingParameters,
) -> tuple[TableStream, dict[str, Any]]:
    """Load the model behind the alias; score its households when the scores are written."""
    if scoring.table is None and scoring.as_of is None:
        raise ScoringError(
            "`scoring` must say whom to score: give a CSV or Parquet file with --params "
            "scoring.table=<file>, or a date with --params scoring.as_of=<year-month-day>."
        )
    version = choose_version(versions=registered_versions, alias=scoring.alias)
    standing = standing_sentence(versions=registered_versions, alias=scoring.alias)
    loaded = version.load()
    model = loaded.model
    definition = definition_of_raw_tables(
        trials=trials, estimation=estimation, source=source, policy=policy
    )
    households = (
        analysis.households_of_a_table(model=model, scoring=scoring)
        if scoring.as_of is None
        else analysis.households_of_a_cut(
            model=model,
            definition=definition,
            open_data=canonical_data,
            scoring=scoring,
            trials=trials,
        )
    )
    differences = analysis.differences_now(
        version=version, contract=model.contract, definition=definition, what=households.what
    )
    subject = analysis.scoring_subject(
        version=version,
        loaded=loaded,
        households=households,
        differences=differences,
        standing=standing,
        alias=scoring.alias,
    )
    logger.log(logging.INFO if scoring.alias == CHAMPION else logging.WARNING, "%s", standing)
    for text in subject["warnings"]:
        logger.warning("%s", text)
    scores = analysis.scores_of(
        model=model,
        households=households,
        stamp={"model_alias": scoring.alias, "model_version": version.number},
        wording=wording,
    )
    return scores, subject


def report_scores(
    scores: ibis.Table, subject: dict[str, Any], wording: WordingParameters
) -> tuple[dict[str, Any], pd.DataFrame, str]:
    """Count what became of the households, from the file that was written."""
    report = analysis.scoring_report(scores=scores, subject=subject)
    text = analysis.scoring_text(report=report, wording=wording)
    return report, analysis.report_table(report=report), text
