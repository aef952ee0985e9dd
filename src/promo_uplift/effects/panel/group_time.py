"""Group-time effects with their households' influence, and their aggregates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import BoolArray, FloatArray
from promo_uplift.effects.panel.event_study_path import EventStudyPath


@dataclass(frozen=True, slots=True)
class PreTest:
    """Joint test that every effect before treatment is 0.

    Attributes
    ----------
    statistic : float
        Wald statistic.
    n_cells : int
        Group-time effects tested: its degrees of freedom.
    p_value : float
        From the chi-squared distribution; missing where ``reason`` says why.
    reason : str
        Why there is no test; empty if there is one.
    """

    statistic: float
    n_cells: int
    p_value: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GroupTimeEffects:
    """ATT(g, t) in the outcome's unit per household and period (Callaway & Sant'Anna 2021).

    Attributes
    ----------
    cells : DataFrame
        cohort, period, event_time, estimate, one row per estimable cell; a universal base's own
        cells (0 by construction) are left out.
    influence : float64 (households, cells)
        Each household's part of each cell's error; squares sum to the squared standard error.
    households : Index
        Ids of the rows of ``influence``.
    cohort : int64 (households,)
        Cohort of each household; 0 = never treated.
    """

    cells: pd.DataFrame
    influence: FloatArray
    households: pd.Index
    cohort: FloatArray

    @classmethod
    def from_library(
        cls, effects: Mapping[Any, Mapping[str, Any]], kit: Any, households: pd.Index
    ) -> GroupTimeEffects:
        """Take the cells and their influence functions out of diff-diff's fit.

        ``households`` are the panel's, ascending: the library numbers them in this order.
        """
        rows, columns = [], []
        for (cohort, period), one in effects.items():
            parts = kit.influence.get((cohort, period))
            if parts is None or not np.isfinite(one["effect"]) or not one["se"] > 0.0:
                continue
            psi = np.zeros(len(households))
            psi[parts["treated_idx"]] += parts["treated_inf"]
            psi[parts["control_idx"]] += parts["control_inf"]
            rows.append((int(cohort), int(period), int(period - cohort), float(one["effect"])))
            columns.append(psi)
        cells = pd.DataFrame(rows, columns=["cohort", "period", "event_time", "estimate"])
        influence = np.column_stack(columns) if columns else np.empty((len(households), 0))
        return cls(cells, influence, households, np.asarray(kit.bookkeeping["unit_cohorts"]))

    def at_event_time(self, event_time: int) -> tuple[float, FloatArray]:
        """Cohort-size weighted effect so many periods after treatment, and its influence."""
        return self._weighted(self.cells["event_time"].to_numpy() == event_time)

    def of_cohort(self, cohort: int) -> tuple[float, FloatArray]:
        """Mean effect of a cohort over its periods from treatment on, and its influence."""
        chosen = (self.cells["cohort"] == cohort) & (self.cells["event_time"] >= 0)
        index = np.flatnonzero(chosen)
        values = self.cells["estimate"].to_numpy()[index]
        return float(values.mean()), self.influence[:, index].mean(axis=1)

    def over_cohorts(self) -> tuple[float, FloatArray]:
        """Cohort-size weighted mean of the cohorts' means, and its influence."""
        cohorts = sorted(self.cells.loc[self.cells["event_time"] >= 0, "cohort"].unique())
        parts = [self.of_cohort(one) for one in cohorts]
        values = np.array([value for value, _ in parts])
        return self._by_size(np.array(cohorts), values, np.column_stack([psi for _, psi in parts]))

    def over_event_times(self, event_times: list[int]) -> tuple[float, FloatArray]:
        """Mean of the effects at these event times, and its influence."""
        parts = [self.at_event_time(one) for one in event_times]
        psi = np.column_stack([part for _, part in parts]).mean(axis=1)
        return float(np.mean([value for value, _ in parts])), psi

    def event_times(self) -> list[int]:
        """Event times that have a cell, in order."""
        return [int(one) for one in sorted(self.cells["event_time"].unique())]

    def pre_test(self) -> PreTest:
        """Wald test of the cells before treatment (Callaway & Sant'Anna's pre-test)."""
        before = np.flatnonzero(self.cells["event_time"] < 0)
        k = len(before)
        if k == 0:
            return PreTest(np.nan, 0, np.nan, "no cohort has an effect before treatment")
        psi = self.influence[:, before]
        covariance = psi.T @ psi
        if np.linalg.matrix_rank(covariance) < k:
            reason = f"the covariance of the {k} effects before treatment has not full rank"
            return PreTest(np.nan, k, np.nan, reason)
        values = self.cells["estimate"].to_numpy()[before]
        statistic = float(values @ np.linalg.solve(covariance, values))
        return PreTest(statistic, k, float(chi2.sf(statistic, k)))

    def path(self, *, n_pre: int, n_post: int) -> EventStudyPath:
        """Event study against the period before treatment, for intervals that are robust to trends.

        Parameters
        ----------
        n_pre, n_post : int
            Most periods to take before the reference period, and from treatment on.

        Raises
        ------
        MetricError
            If the cells have a varying base (period -1 has an effect of its own), or the event
            times have a gap.
        """
        times = self.event_times()
        if -1 in times:
            raise MetricError(
                "`base_period` must be `universal` for a path against one reference period; found "
                "an effect in period -1. Estimate the group-time effects with a universal base."
            )
        kept = [one for one in times if -1 - n_pre <= one < n_post]
        before = [one for one in kept if one < 0]
        after = [one for one in kept if one >= 0]
        if before != list(range(-1 - len(before), -1)) or after != list(range(len(after))):
            raise MetricError(
                f"event times must follow one another; found {kept}. Take fewer periods."
            )
        parts = [self.at_event_time(one) for one in kept]
        psi = np.column_stack([part for _, part in parts])
        return EventStudyPath(np.array([value for value, _ in parts]), psi.T @ psi, len(before))

    def _weighted(self, chosen: BoolArray) -> tuple[float, FloatArray]:
        index = np.flatnonzero(chosen)
        return self._by_size(
            self.cells["cohort"].to_numpy()[index],
            self.cells["estimate"].to_numpy()[index],
            self.influence[:, index],
        )

    def _by_size(
        self, cohorts: FloatArray, values: FloatArray, psi: FloatArray
    ) -> tuple[float, FloatArray]:
        """Mean weighted by the cohorts' sizes, which are estimates too and add to the error."""
        is_member = self.cohort[:, None] == cohorts
        sizes = is_member.sum(axis=0)
        value = float(sizes @ values / sizes.sum())
        return value, (psi @ sizes + is_member @ (values - value)) / sizes.sum()
