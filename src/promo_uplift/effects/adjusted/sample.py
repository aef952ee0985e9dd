"""The rows of one campaign, or of all, with the nuisances that every estimator here takes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import (
    BoolArray,
    FloatArray,
    IntArray,
    NuisanceValues,
    TrialData,
)
from promo_uplift.effects.cross_section import POOLED
from promo_uplift.effects.estimate import Label


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows that one estimate is made of, ``n`` of them.

    Attributes
    ----------
    campaign : str
        Campaign id as text, or ``pooled``.
    rows : bool (N,)
        Which of the ``N`` stacked rows these are.
    data : TrialData
        The rows.
    nuisances : NuisanceValues
        Held-out nuisances of the rows.
    raw_propensity : float64 (n,)
        Held-out propensity before clipping.
    outcome_name : str
        Name of the outcome.
    level : float
        Confidence level of every interval.
    """

    campaign: str
    rows: BoolArray
    data: TrialData
    nuisances: NuisanceValues
    raw_propensity: FloatArray
    outcome_name: str
    level: float

    @property
    def treated(self) -> BoolArray:
        """Which rows were mailed, ``(n,)``."""
        return np.asarray(self.data.treatment == 1, dtype=np.bool_)

    def label(self, *, estimator: str, estimand: str, lens: str = "cross_section") -> Label:
        """Return the label of an estimate on these rows."""
        return Label(lens, estimator, estimand, self.campaign, self.outcome_name)

    def take(self, rows: BoolArray) -> Sample:
        """Return the sample that holds the chosen rows only."""
        inside = self.rows.copy()
        inside[np.flatnonzero(inside)] = rows
        return replace(
            self,
            rows=inside,
            data=take_rows(data=self.data, rows=rows),
            nuisances=self.nuisances.take(rows),
            raw_propensity=self.raw_propensity[rows],
        )


def take_rows(*, data: TrialData, rows: BoolArray | IntArray) -> TrialData:
    """Return the same trials with the chosen rows, in the order of ``rows``."""
    return replace(
        data,
        covariates=data.covariates.loc[rows]
        if rows.dtype == np.bool_
        else data.covariates.iloc[rows],
        treatment=data.treatment[rows],
        outcome=data.outcome[rows],
        redeemed=data.redeemed[rows],
        groups=data.groups[rows],
        campaign=data.campaign[rows],
        known_propensity=None if data.known_propensity is None else data.known_propensity[rows],
        row=None if data.row is None else data.row[rows],
    )


def pooled_sample(
    *,
    data: TrialData,
    nuisances: NuisanceValues,
    raw_propensity: FloatArray,
    outcome_name: str,
    level: float,
) -> Sample:
    """Return all rows as one sample.

    Raises
    ------
    MetricError
        If lengths differ, an outcome or nuisance is not finite, or a propensity is not strictly
        between 0 and 1.
    """
    figures = {
        "outcome": data.outcome,
        "propensity": nuisances.propensity,
        "mu0": nuisances.mu0,
        "mu1": nuisances.mu1,
        "raw_propensity": raw_propensity,
    }
    n = len(data.treatment)
    for name, values in figures.items():
        if len(values) != n:
            raise MetricError(
                f"`{name}` must have one entry per row, {n}; found {len(values)}. Take the same "
                "rows of each."
            )
        if broken := int(np.sum(~np.isfinite(values))):
            raise MetricError(
                f"`{name}` must be finite; {broken} of {n} are not. Look for missing outcomes or "
                "nuisances upstream."
            )
    e = nuisances.propensity
    if outside := int(np.sum((e <= 0.0) | (e >= 1.0))):
        raise MetricError(
            f"`propensity` must lie strictly between 0 and 1; {outside} of {n} do not. Clip it."
        )
    everyone = np.ones(n, dtype=np.bool_)
    return Sample(POOLED, everyone, data, nuisances, raw_propensity, outcome_name, level)


def campaign_samples(*, pooled: Sample) -> tuple[Sample, ...]:
    """One sample per campaign, by id, then the pooled one itself."""
    ids = np.unique(pooled.data.campaign)
    each = [
        replace(pooled.take(pooled.data.campaign == campaign), campaign=str(campaign))
        for campaign in ids
    ]
    return (*each, pooled)
