"""A pooled regression of the campaign's effect on ordered codes, and what its tables share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray
from promo_uplift.effects.estimate import Estimate, Label, estimates_table
from promo_uplift.effects.panel.contrasts import Contrasts
from promo_uplift.effects.panel.few_clusters import holm
from promo_uplift.effects.panel.rank import refuse_rank_deficient
from promo_uplift.effects.panel.window import PanelRules


@dataclass(frozen=True, slots=True)
class ModeratorRules:
    """When a level can carry an estimate.

    Attributes
    ----------
    panel : PanelRules
        What a campaign needs at all, and mailed and other units that a level needs over all.
    min_cell : int
        Units of each arm that a level needs in a campaign for the campaign to count in it.

    Raises
    ------
    MetricError
        If ``min_cell`` is below 2: one unit has no error.
    """

    panel: PanelRules
    min_cell: int

    def __post_init__(self) -> None:
        """Refuse cells without an error."""
        if self.min_cell < 2:
            raise MetricError(f"`min_cell` must be at least 2, found {self.min_cell}.")


@dataclass(frozen=True, slots=True)
class ModeratorJob:
    """The stack, the rules, and how an estimate is named, scaled and covered."""

    stack: Contrasts
    rules: ModeratorRules
    label: Label
    scale: float
    level: float

    def estimate(
        self, *, estimator: str, value: float, influence: FloatArray, counts: tuple[int, int, int]
    ) -> Estimate:
        """Estimate from the weekly effect and the households' parts of its error, ``(H,)``."""
        n = counts[2]
        index = pd.Index(self.stack.households, name="household_id")
        parts = pd.Series(self.scale * influence, index=index)
        return Estimate.normal(
            label=replace(self.label, estimator=estimator),
            value=self.scale * value,
            se=float(np.sqrt(n / (n - 1) * np.square(parts).sum())),
            level=self.level,
            counts=counts,
            influence=parts,
        )


def code_slopes(job: ModeratorJob, codes: pd.DataFrame) -> pd.DataFrame:
    """Slope of the effect on each ordered code, alone and beside all others, with its flag."""
    ordered = [name for name in codes.columns if pd.api.types.is_numeric_dtype(codes[name])]
    columns = {name: _columns(job, name, codes[name]) for name in ordered}
    tables = []
    alone: list[tuple[str, str, Estimate]] = []
    for name in ordered:
        alone += _regression(job, columns[name])
    for name in [one for one in codes.columns if one not in ordered]:
        reason = "no ordered code: see the levels"
        label = replace(job.label, estimator="pooled_regression")
        alone.append((name, "per_step", Estimate.none(label=label, reason=reason)))
    families = [(False, alone)]
    if len(ordered) > 1:
        families.append((True, _regression(job, _together(columns))))
    for adjusted, family in families:
        table = estimates_table([one for *_, one in family])
        table.insert(0, "adjusted", adjusted)
        table.insert(0, "term", [term for _, term, _ in family])
        table.insert(0, "moderator", [name for name, *_ in family])
        tables.append(table.assign(p_holm=holm(table["p_value"].to_numpy(dtype=np.float64))))
    return pd.concat(tables, ignore_index=True)


def _columns(job: ModeratorJob, name: str, codes: pd.Series) -> dict[tuple[str, str], FloatArray]:
    """Return the centred code and the flag of missing, per household ``(H,)``."""
    weight = job.stack.treated.sum(axis=1)
    known = codes.notna().to_numpy()
    value = codes.to_numpy(dtype=np.float64)
    total = weight[known].sum()
    mean = float(weight[known] @ value[known] / total) if total > 0.0 else 0.0
    columns = {(name, "per_step"): np.where(known, value - mean, 0.0)}
    if not known.all():
        columns[(name, "missing_minus_mean")] = (~known).astype(np.float64)
    return columns


def _together(
    columns: Mapping[str, Mapping[tuple[str, str], FloatArray]],
) -> dict[tuple[str, str], FloatArray]:
    """All moderators in one regression; flags that are the same households are one column."""
    merged: dict[tuple[str, str], FloatArray] = {}
    for one in columns.values():
        for (name, term), values in one.items():
            same = [key for key, other in merged.items() if np.array_equal(other, values)]
            if term == "missing_minus_mean" and same:
                key = next(iter(same))
                merged[(f"{key[0]}, {name}", term)] = merged.pop(key)
            else:
                merged[(name, term)] = values
    return merged


def _regression(
    job: ModeratorJob, columns: Mapping[tuple[str, str], FloatArray]
) -> list[tuple[str, str, Estimate]]:
    """Effects per unit of the columns: weighted least squares on changes, campaign effects out."""
    stack = job.stack
    household, campaign = np.nonzero(stack.treated + stack.control)
    treated = stack.treated[household, campaign]
    weight = stack.weight[campaign]
    design = {"treatment x post": treated}
    design |= {f"{' '.join(k)} x post": v[household] for k, v in columns.items()}
    design |= {
        f"treatment x {' '.join(k)} x post": v[household] * treated for k, v in columns.items()
    }
    raw = np.column_stack([*design.values(), stack.change[household, campaign]])
    count = np.bincount(campaign)
    means = np.column_stack([np.bincount(campaign, weights=x) / count for x in raw.T])
    left = (raw - means[campaign]) * np.sqrt(weight)[:, np.newaxis]
    x, y = left[:, :-1], left[:, -1]
    label = replace(job.label, estimator="pooled_regression")
    counts = stack.counts
    try:
        refuse_rank_deficient(pd.DataFrame(x, columns=list(design)))
    except MetricError as error:
        none = Estimate.none(label=label, reason=str(error), counts=counts)
        return [(name, term, none) for name, term in columns]
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ (x.T @ y)
    parts = (x * (y - x @ beta)[:, np.newaxis]) @ inverse
    found = []
    first = 1 + len(columns)
    for k, (name, term) in enumerate(columns, start=first):
        influence = np.zeros(len(stack.households))
        np.add.at(influence, household, parts[:, k])
        one = job.estimate(
            estimator="pooled_regression", value=float(beta[k]), influence=influence, counts=counts
        )
        found.append((name, term, one))
    return found
