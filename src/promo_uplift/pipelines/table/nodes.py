"""The second door: a table instead of a retailer's raw data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from promo_uplift.contracts.parameters import TableParameters
from promo_uplift.contracts.results import TrialData
from promo_uplift.sources import read_table_file, table_version
from promo_uplift.trials import one_trial, table_trials, without_rows


def open_table(
    table: TableParameters,
) -> tuple[pd.DataFrame, TrialData, TrialData, pd.DataFrame, dict[str, Any], str]:
    """Read the table, its treatment, its outcome and its covariates; refuse what has no meaning."""
    path = None if table.path is None else Path(table.path)
    frame = read_table_file(path=path)
    trial = one_trial(table_trials(frame=frame, parameters=table))
    data = trial.data
    trials = data.covariates.assign(
        row=data.row,
        group=data.groups,
        treatment=data.treatment.astype(np.int8),
        outcome=data.outcome,
    )
    return (
        trials,
        data,
        without_rows(data) if trial.placebo is None else trial.placebo,
        trial.report.assign(arm=trial.arm, control=trial.control),
        {},
        table_version(frame),
    )
