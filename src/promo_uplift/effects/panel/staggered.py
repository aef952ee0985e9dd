"""Campaigns that reach households at different times: four estimators without forbidden contrasts.

Callaway & Sant'Anna (2021), Sun & Abraham (2021), Borusyak, Jaravel & Spiess (2024) and stacking
(Wing, Freedman & Hollingsworth 2024), by diff-diff; every warning of it becomes a note.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.results import FloatArray
from promo_uplift.effects.estimate import Estimate, Label
from promo_uplift.effects.panel.group_time import GroupTimeEffects, PreTest
from promo_uplift.effects.panel.staggered_fits import (
    StaggeredFit,
    StaggeredSettings,
    callaway_santanna,
    imputation,
    stacked,
    sun_abraham,
)

STAGGERED_ESTIMATORS: Final = ("callaway_santanna", "sun_abraham", "imputation", "stacked")
EVENT_STUDY_COLUMNS: Final = ("estimator", "event_time", "estimate", "se", "ci_low", "ci_high")


@dataclass(frozen=True, slots=True)
class StaggeredEffects:
    """What four estimators say of campaigns that start at different times.

    Attributes
    ----------
    estimates : tuple of Estimate
        One per estimator: effect per treated household summed over the effect window.
    event_study : DataFrame
        ``EVENT_STUDY_COLUMNS``, outcome's unit per household and period. A reference period, 0 by
        construction, has no row.
    group_time : DataFrame
        cohort, period, event_time, estimate, se, ci_low, ci_high of Callaway & Sant'Anna.
    aggregates : DataFrame
        aggregation (``group``, ``dynamic``, ``group_overall``), cohort, estimate, se, ci_low,
        ci_high: their aggregates over all periods from treatment on, per household and period.
    pre_test : PreTest
        Joint test of the group-time effects before treatment.
    effects : GroupTimeEffects or None
        The cells with their influence, for paths and robust intervals.
    notes : DataFrame
        estimator, note: what was left out, and every warning of the library.
    """

    estimates: tuple[Estimate, ...]
    event_study: pd.DataFrame
    group_time: pd.DataFrame
    aggregates: pd.DataFrame
    pre_test: PreTest
    effects: GroupTimeEffects | None
    notes: pd.DataFrame


def staggered_effects(
    *,
    panel: pd.DataFrame,
    outcome: str,
    campaign: str,
    settings: StaggeredSettings,
    covariates: Sequence[str] = (),
) -> StaggeredEffects:
    """Effect of a first mailing on treated households, by four estimators.

    Each averages the effects of the first ``effect_periods`` periods from treatment on and
    multiplies by their number: the effect per treated household over the window. Imputation
    weights household-periods alike, the others periods; they coincide where every cohort is seen
    over the whole window.

    Parameters
    ----------
    panel : DataFrame
        household_id, period (int), cohort (int; 0 = never treated, else first treated period),
        the outcome, and the covariates (constant within a household; Callaway & Sant'Anna only).
    outcome : str
        Column of the outcome per household and period.
    campaign : str
        Name of the estimates' campaign, e.g. ``pooled``.
    settings : StaggeredSettings
        Control group, window and levels.
    covariates : sequence of str
        Covariates of the doubly robust group-time effects.

    Raises
    ------
    TrialError
        If the panel lacks a column, repeats a key, changes a household's cohort, has a missing
        value, or has no treated or no never-treated household.
    """
    frame, left_out = _usable(panel, outcome, covariates)
    fits: dict[str, Callable[[], StaggeredFit]] = {
        "callaway_santanna": lambda: callaway_santanna(frame, outcome, settings, covariates),
        "sun_abraham": lambda: sun_abraham(frame, outcome, settings),
        "imputation": lambda: imputation(frame, outcome, settings),
        "stacked": lambda: stacked(frame, outcome, settings),
    }
    estimates, events, notes = [], [], [("all", note) for note in left_out]
    effects = None
    for name, fit in fits.items():
        label = Label("panel", name, "att", campaign, outcome)
        counts = (
            len(frame),
            int(frame.loc[frame["cohort"] > 0, "household_id"].nunique()),
            int(frame["household_id"].nunique()),
        )
        try:
            one = fit()
        except (ValueError, np.linalg.LinAlgError) as error:
            estimates.append(Estimate.none(label=label, reason=str(error), counts=counts))
            continue
        estimates.append(_estimate(label, one, settings, counts))
        events += [(name, *row, *_bounds(row[1], row[2], settings)) for row in one.event_study]
        notes += [(name, note) for note in one.notes]
        effects = one.effects if name == "callaway_santanna" else effects
    return StaggeredEffects(
        tuple(estimates),
        pd.DataFrame(events, columns=list(EVENT_STUDY_COLUMNS)),
        _group_time_table(effects, settings),
        _aggregates_table(effects, settings),
        effects.pre_test()
        if effects
        else PreTest(np.nan, 0, np.nan, "no group-time effects; see the estimates' reasons"),
        effects,
        pd.DataFrame(notes, columns=["estimator", "note"]),
    )


def _estimate(
    label: Label, fit: StaggeredFit, settings: StaggeredSettings, counts: tuple[int, int, int]
) -> Estimate:
    periods = settings.effect_periods
    counts = (fit.n_rows, *counts[1:])
    if not np.isfinite(fit.value + fit.se):
        reason = "; ".join(fit.notes) or "the library returned no figure"
        return Estimate.none(label=label, reason=reason, counts=counts)
    return Estimate.normal(
        label=label,
        value=periods * fit.value,
        se=periods * fit.se,
        level=settings.level,
        counts=counts,
        influence=None if fit.influence is None else periods * fit.influence,
    )


def _usable(
    panel: pd.DataFrame, outcome: str, covariates: Sequence[str]
) -> tuple[pd.DataFrame, list[str]]:
    """Rows that every estimator can use, and notes on the others."""
    needed = ["household_id", "period", "cohort", outcome, *covariates]
    if lacking := [name for name in needed if name not in panel.columns]:
        raise TrialError(f"`panel` must have the columns {lacking}; found {list(panel.columns)}.")
    frame = panel[needed]
    if missing := int(frame.isna().any(axis=1).sum()):
        raise TrialError(
            f"`panel` must have no missing value; found {missing} rows. Leave out periods that the "
            "data does not cover."
        )
    if repeated := int(frame.duplicated(["household_id", "period"]).sum()):
        raise TrialError(f"`panel` must hold a household and period once; {repeated} rows repeat.")
    if mixed := int((frame.groupby("household_id")["cohort"].agg(np.ptp) != 0).sum()):
        raise TrialError(f"`cohort` must be one per household; {mixed} households change theirs.")
    is_always = (frame["cohort"] > 0) & (frame["cohort"] <= frame["period"].min())
    is_never = (frame["cohort"] == 0) | (frame["cohort"] > frame["period"].max())
    notes = []
    if count := int(frame.loc[is_always, "household_id"].nunique()):
        notes.append(f"{count} households left out: treated in or before the first period")
    if count := int(frame.loc[is_never & (frame["cohort"] > 0), "household_id"].nunique()):
        notes.append(f"{count} households first treated after the last period count as untreated")
    frame = frame.assign(cohort=frame["cohort"].mask(is_never, 0))[~is_always]
    if (frame["cohort"] == 0).all() or not (frame["cohort"] == 0).any():
        raise TrialError(
            "`panel` must hold households treated within it and households never treated; found "
            f"cohorts {sorted(frame['cohort'].unique())}."
        )
    return frame.reset_index(drop=True), notes


def _bounds(value: float, se: float, settings: StaggeredSettings) -> tuple[float, float]:
    half = float(norm.ppf(0.5 + settings.level / 2.0)) * se
    return value - half, value + half


def _row(value: float, psi: FloatArray, settings: StaggeredSettings) -> tuple[float, ...]:
    se = float(np.sqrt(psi @ psi))
    return (value, se, *_bounds(value, se, settings))


def _group_time_table(
    effects: GroupTimeEffects | None, settings: StaggeredSettings
) -> pd.DataFrame:
    names = ["cohort", "period", "event_time", "estimate", "se", "ci_low", "ci_high"]
    if effects is None:
        return pd.DataFrame(columns=names)
    values = effects.cells["estimate"].to_numpy()
    rows = [
        _row(value, psi, settings) for value, psi in zip(values, effects.influence.T, strict=True)
    ]
    tail = pd.DataFrame(rows, columns=names[3:], index=effects.cells.index)
    return pd.concat([effects.cells[names[:3]], tail], axis=1)


def _aggregates_table(
    effects: GroupTimeEffects | None, settings: StaggeredSettings
) -> pd.DataFrame:
    names = ["aggregation", "cohort", "estimate", "se", "ci_low", "ci_high"]
    if effects is None:
        return pd.DataFrame(columns=names)
    after = effects.cells[effects.cells["event_time"] >= 0]
    if after.empty:
        return pd.DataFrame(columns=names)
    rows = [
        ("group", cohort, *_row(*effects.of_cohort(cohort), settings))
        for cohort in sorted(after["cohort"].unique())
    ]
    times = [time for time in effects.event_times() if time >= 0]
    rows.append(("dynamic", 0, *_row(*effects.over_event_times(times), settings)))
    rows.append(("group_overall", 0, *_row(*effects.over_cohorts(), settings)))
    return pd.DataFrame(rows, columns=names)
