"""From a simulated world to trials, by the pipeline's own code, with the truth beside them."""

from __future__ import annotations

from typing import Final

import ibis
import numpy as np
import pandas as pd

from promo_uplift.contracts.columns import CAMPAIGN_ID, HOUSEHOLD_ID
from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.contracts.results import TrialData, TrialTruth
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.simulation.raw_tables import SimulatedWorld
from promo_uplift.sources import canonical_tables
from promo_uplift.trials import build_trials, select_trials, to_trial_data, usable_covariates

KEYS: Final = (HOUSEHOLD_ID, CAMPAIGN_ID)


def world_tables(*, world: SimulatedWorld, n_threads: int | None = None) -> CanonicalTables:
    """Bring the raw tables of a world to the canonical ones, in a database in memory.

    ``n_threads`` limits the engine, for many worlds side by side; None takes its default.
    """
    settings = {} if n_threads is None else {"threads": n_threads}
    connection = ibis.duckdb.connect(**settings)
    raw = {name: connection.create_table(name, table) for name, table in world.raw.items()}
    return canonical_tables(form="package", raw=raw, seed=world.world.seed)


def world_trials(
    *,
    world: SimulatedWorld,
    trials: TrialParameters,
    shift_days: int = 0,
    n_threads: int | None = None,
) -> tuple[TrialData, TrialTruth]:
    """Build the trials of a world as the pipeline does, with what is true of each row.

    Parameters
    ----------
    world : SimulatedWorld
    trials : TrialParameters
        As configured for the pipeline; ``outcome_days`` must be the world's.
    shift_days : int
        Above 0: placebo trials, moved so many days before the mailing. Their true effect is 0 where
        nobody anticipates the mailing, and is stated as 0.
    n_threads : int, optional
        Threads of the engine.

    Returns
    -------
    TrialData
        Outcome ``spend_usd``; covariates that vary.
    TrialTruth
        In the same order of rows. ``propensity`` is the one that the mailing was drawn with.

    Raises
    ------
    TrialError
        If the outcome windows differ, or as the trials' own code says.
    """
    return table_trials(
        tables=world_tables(world=world, n_threads=n_threads),
        world=world,
        trials=trials,
        shift_days=shift_days,
    )


def table_trials(
    *, tables: CanonicalTables, world: SimulatedWorld, trials: TrialParameters, shift_days: int = 0
) -> tuple[TrialData, TrialTruth]:
    """Do as ``world_trials`` does on canonical tables that are there already."""
    known = world.world.parameters.outcome_days
    if trials.outcome_days != known:
        raise TrialError(
            f"`outcome_days` must be the window that the truth is stated for, {known}; got "
            f"{trials.outcome_days}. Set `simulation.outcome_days` to the value of the trials."
        )
    selection = select_trials(tables=tables, parameters=trials, shift_days=shift_days)
    frame = (
        build_trials(tables=tables, selection=selection, parameters=trials, margin_rate=0.0)
        .to_pyarrow()
        .to_pandas(date_as_object=False)
    )
    names, _ = usable_covariates(trials=frame)
    data = to_trial_data(trials=frame, covariates=names, outcome="spend_usd")
    return data, truth_of_rows(rows=frame, truth=world.truth, is_placebo=shift_days > 0)


def truth_of_rows(*, rows: pd.DataFrame, truth: pd.DataFrame, is_placebo: bool) -> TrialTruth:
    """Look up what is true of each row of a trial table, by household and campaign."""
    index = pd.MultiIndex.from_frame(rows[list(KEYS)])
    found = truth.set_index(list(KEYS)).loc[index]

    def column(name: str) -> np.ndarray:
        return found[name].to_numpy(dtype=np.float64)

    if is_placebo:
        unknown = np.full(len(rows), np.nan)
        return TrialTruth(
            cate=np.zeros(len(rows)), propensity=column("propensity"), mu0=unknown, mu1=unknown
        )
    return TrialTruth(
        cate=column("cate_usd"),
        propensity=column("propensity"),
        mu0=column("mu0_usd"),
        mu1=column("mu1_usd"),
    )
