"""In which stores and for whom a store study's effect, or its plain change, is larger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray
from promo_uplift.effects.estimate import ESTIMATE_COLUMNS, Estimate, Label, estimates_table
from promo_uplift.effects.panel.few_clusters import FewClusterFit, cr2_fit, holm
from promo_uplift.effects.panel.rank import refuse_rank_deficient
from promo_uplift.effects.panel.store_changes import (
    StoreStudyAnalysis,
    StoreVisits,
    store_changes,
    store_visits,
)
from promo_uplift.sources.store_tables import StoreTables

OUTCOME = "sales_usd"
POOLED = "pooled"
#: Columns of the table of moderators.
MODERATOR_COLUMNS = (*ESTIMATE_COLUMNS, "df", "p_holm")


@dataclass(frozen=True, slots=True)
class StoreStack:
    """A row per store and wave, what each arm's stores changed by."""

    rows: pd.DataFrame
    starts: list[pd.Timestamp]
    weights: FloatArray

    def waves(self) -> dict[str, FloatArray]:
        """Columns of the change without and with the campaign, one of each per wave."""
        names = [f"{start:%Y-%m-%d}" for start in self.starts]
        of = [(self.rows["wave"] == w).to_numpy(np.float64) for w in range(len(names))]
        treated = self.rows["treated"].to_numpy()
        columns = {f"post x wave {name}": one for name, one in zip(names, of, strict=True)}
        return columns | {
            f"treatment x wave {name}": one * treated for name, one in zip(names, of, strict=True)
        }


def before_after_association(*, tables: StoreTables, analysis: StoreStudyAnalysis) -> pd.DataFrame:
    """How sales per visit changed from before to after, and where more: no effect of anything.

    Without stores that do not run the campaign the season is in these figures. They describe, and
    show whether a claim such as "stronger in urban stores" has even that support.

    Returns
    -------
    DataFrame
        ``MODERATOR_COLUMNS``; ``estimand`` ``change_at_reference`` and the differences by size,
        location and income, ``estimator`` ``before_after``.

    Raises
    ------
    MetricError
        If the base location is unknown or an income has no logarithm.
    """
    found = store_visits(tables, analysis)
    rows = store_changes(
        visits=found.visits,
        is_after=found.visits["is_after"].to_numpy(),
        n_stores=len(found.stores),
    ).assign(wave=0, treated=0.0)
    traits = _traits(rows, found, analysis.base_location)
    columns = {"change_at_reference": np.ones(len(rows))} | traits
    return _moderator_table(
        rows=rows,
        level_columns=columns,
        slope_columns={"change": np.ones(len(rows))},
        terms={name: {name: 1.0} for name in columns},
        slope_term={"change": 1.0},
        label=("before_after", "all"),
        level=analysis.level,
    )


def store_moderators(
    stack: StoreStack, found: StoreVisits, analysis: StoreStudyAnalysis
) -> pd.DataFrame:
    """Effect at the reference, and what size, location and income add to it."""
    rows, waves = stack.rows, stack.waves()
    treated = rows["treated"].to_numpy()
    traits = _traits(rows, found, analysis.base_location)
    columns = waves | {f"post x {name}": one for name, one in traits.items()}
    columns |= {f"treatment x {name}": one * treated for name, one in traits.items()}
    names = [name for name in waves if name.startswith("treatment")]
    pooled = dict(zip(names, stack.weights, strict=True))
    terms = {"effect_at_reference": pooled}
    terms |= {name: {f"treatment x {name}": 1.0} for name in traits}
    return _moderator_table(
        rows=rows,
        level_columns=columns,
        slope_columns=waves,
        terms=terms,
        slope_term=pooled,
        label=("store_did", POOLED),
        level=analysis.level,
    )


def _traits(rows: pd.DataFrame, found: StoreVisits, base_location: str) -> dict[str, FloatArray]:
    stores = found.stores.iloc[rows["store"].to_numpy()]
    traits = {"per_size_sd": stores["size_sd"].to_numpy(dtype=np.float64)}
    for name in sorted(set(stores["location"]) - {base_location}):
        traits[f"{name}_minus_{base_location}"] = (stores["location"] == name).to_numpy(np.float64)
    return traits


def _moderator_table(
    *,
    rows: pd.DataFrame,
    level_columns: Mapping[str, FloatArray],
    slope_columns: Mapping[str, FloatArray],
    terms: Mapping[str, Mapping[str, float]],
    slope_term: Mapping[str, float],
    label: tuple[str, str],
    level: float,
) -> pd.DataFrame:
    known = rows["change_of_slope"].notna().to_numpy()
    jobs = (
        (level_columns, "change_at_mean_income", terms),
        (slope_columns, "change_of_slope", {"per_income_sd": slope_term}),
    )
    estimates: list[Estimate] = []
    freedom: list[float] = []
    for columns, outcome, wanted in jobs:
        design = pd.DataFrame({name: one[known] for name, one in columns.items()})
        labels = [store_label(name, label[1], label[0]) for name in wanted]
        try:
            refuse_rank_deficient(design)
        except MetricError as error:
            estimates += [Estimate.none(label=one, reason=str(error)) for one in labels]
            freedom += [float("nan")] * len(labels)
            continue
        fit = cr2_fit(
            design=design.to_numpy(),
            outcomes=rows.loc[known, [outcome]].to_numpy(),
            clusters=rows.loc[known, "store"].to_numpy(),
            contrasts=np.array([[w.get(name, 0.0) for name in columns] for w in wanted.values()]),
        )
        counts = store_counts(rows[known])
        estimates += [store_estimate(fit, k, one, level, counts) for k, one in enumerate(labels)]
        freedom += fit.df.tolist()
    table = estimates_table(estimates).assign(df=freedom)
    is_reference = table["estimand"].str.endswith("_at_reference").to_numpy()
    adjusted = np.full(len(table), np.nan)
    adjusted[~is_reference] = holm(table["p_value"].to_numpy()[~is_reference])
    return table.assign(p_holm=adjusted)


def store_estimate(
    fit: FewClusterFit, k: int, label: Label, level: float, counts: tuple[int, int, int]
) -> Estimate:
    """Return the fit's contrast ``k`` with its t interval."""
    value, half = float(fit.value[k, 0]), float(fit.half_width(level=level)[k, 0])
    if not np.isfinite(half):
        return Estimate.none(
            label=label, reason="no stores' variation is left for an error", counts=counts
        )
    se, p_value = float(fit.se[k, 0]), float(fit.p_values()[k, 0])
    return Estimate(label, value, se, value - half, value + half, p_value, *counts)


def store_counts(rows: pd.DataFrame) -> tuple[int, int, int]:
    """Visits, visits under the campaign, stores."""
    each = rows.drop_duplicates("store")
    under = int((rows["n_after"] * rows["treated"]).sum())
    return int(each["n"].sum()), under, len(each)


def store_label(estimand: str, campaign: str, estimator: str = "store_did") -> Label:
    """Return the label of a figure of a store study."""
    return Label("panel", estimator, estimand, campaign, OUTCOME)
