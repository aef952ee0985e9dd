"""Estimates beside the number of comparable rows that they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.results import BoolArray, FloatArray
from promo_uplift.effects.adjusted.sample import Sample
from promo_uplift.effects.clustered import MIN_CLUSTERS
from promo_uplift.effects.cross_section import EffectTerms
from promo_uplift.effects.estimate import (
    Estimate,
    Label,
    clustered_influence,
    estimates_table,
)


@dataclass(frozen=True, slots=True)
class AdjustedEffect:
    """An estimate with the effective size of each arm.

    Attributes
    ----------
    estimate : Estimate
        The effect, in the outcome's unit.
    effective_treated, effective_control : float
        Kish's size of the weights that the estimator puts on each arm: with 2,000 controls of
        which ten carry the weight, about ten. 0 where there is no estimate.
    note : str
        What was left out or assumed, in words; empty where nothing was.
    """

    estimate: Estimate
    effective_treated: float
    effective_control: float
    note: str = ""


def effective_size(weights: FloatArray) -> float:
    r"""Kish's effective number of rows, :math:`(\sum w)^2 / \sum w^2`; 0 of no weights.

    References
    ----------
    Kish (1965), Survey Sampling, Wiley.
    """
    total = float(np.square(weights).sum())
    return float(weights.sum()) ** 2 / total if total > 0.0 else 0.0


def adjusted_table(effects: Sequence[AdjustedEffect]) -> pd.DataFrame:
    """One row per effect: ``ESTIMATE_COLUMNS``, effective sizes and ``note``."""
    table = estimates_table([one.estimate for one in effects])
    return table.assign(
        effective_treated=[one.effective_treated for one in effects],
        effective_control=[one.effective_control for one in effects],
        note=[one.note for one in effects],
    )


def no_effect(*, sample: Sample, label: Label, reason: str) -> AdjustedEffect:
    """Return an effect without a figure, and why."""
    groups, treated = sample.data.groups, sample.treated
    counts = (len(groups), int(treated.sum()), len(np.unique(groups)))
    return AdjustedEffect(Estimate.none(label=label, reason=reason, counts=counts), 0.0, 0.0)


def from_contributions(
    *,
    sample: Sample,
    label: Label,
    value: float,
    contributions: FloatArray,
    weights: FloatArray,
    population: BoolArray | None = None,
    note: str = "",
) -> AdjustedEffect:
    r"""Effect with an error from household sums of :math:`\psi_i`, in the outcome's unit.

    Parameters
    ----------
    sample : Sample
        The rows, ``n``.
    label : Label
        What it is an effect of.
    value : float
        The estimate.
    contributions : float64 (n,)
        Each row's part of the error; 0 outside the population.
    weights : float64 (n,)
        Weight of each row within its arm, for the effective sizes.
    population : bool (n,), optional
        Rows that carry the estimate; all where not given.
    note : str
        What was left out or assumed.
    """
    inside = np.ones(len(contributions), dtype=np.bool_) if population is None else population
    groups, treated = sample.data.groups[inside], sample.treated[inside]
    influence, se = clustered_influence(contributions=contributions[inside], groups=groups)
    if len(influence) < MIN_CLUSTERS:
        return no_effect(
            sample=sample,
            label=label,
            reason=f"{len(influence)} household carries it; an error needs {MIN_CLUSTERS}",
        )
    estimate = Estimate.normal(
        label=label,
        value=value,
        se=se,
        level=sample.level,
        counts=(len(groups), int(treated.sum()), len(influence)),
        influence=influence,
    )
    sizes = weights[inside]
    return AdjustedEffect(
        estimate, effective_size(sizes[treated]), effective_size(sizes[~treated]), note
    )


def from_terms(
    *, sample: Sample, label: Label, terms: EffectTerms, weights: FloatArray, note: str = ""
) -> AdjustedEffect:
    r"""Effect that is a ratio of means, :math:`\sum \psi_i / \sum w_i`, with its error."""
    rows = terms.rows
    treated = sample.treated[rows]
    total = float(terms.weight[rows].sum())
    if not treated.any() or treated.all() or total <= 0.0:
        return no_effect(
            sample=sample,
            label=label,
            reason=f"its population holds {int(treated.sum())} mailed and {int((~treated).sum())} "
            "other rows",
        )
    value = float(terms.numerator[rows].sum()) / total
    return from_contributions(
        sample=sample,
        label=label,
        value=value,
        contributions=(terms.numerator - value * terms.weight) / total,
        weights=weights,
        population=rows,
        note=note,
    )


def single_arm(sample: Sample) -> str:
    """Why no arm can be compared with another; empty where both are there."""
    n_treated, n = int(sample.treated.sum()), len(sample.treated)
    if 0 < n_treated < n:
        return ""
    return f"one arm only: {n_treated} of {n} rows were mailed"
