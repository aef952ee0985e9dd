"""What a campaign did in the stores that ran it: effect, event study by wave, for which stores.

Each wave is held against the stores that never run the campaign, over its own days before and after
its start, so that no store that already runs it serves as a control (Goodman-Bacon 2021). A store
enters with its change from before to after, its slope on income likewise: with balanced visits the
same figures as a regression with store and day effects, and errors that few stores allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray
from promo_uplift.effects.estimate import ESTIMATE_COLUMNS, Estimate, Label, estimates_table
from promo_uplift.effects.panel.few_clusters import FewClusterFit, JointTest, cr2_fit, holm
from promo_uplift.effects.panel.rank import refuse_rank_deficient
from promo_uplift.effects.panel.store_changes import (
    StoreStudyAnalysis,
    StoreVisits,
    refuse_without_untreated,
    store_changes,
    store_visits,
    wave_visits,
)
from promo_uplift.effects.panel.store_events import event_study
from promo_uplift.sources.store_tables import StoreTables

OUTCOME = "sales_usd"
POOLED = "pooled"
#: Columns of the table of moderators.
MODERATOR_COLUMNS = (*ESTIMATE_COLUMNS, "df", "p_holm")


@dataclass(frozen=True, slots=True)
class StoreStudyEffects:
    """Effects of a campaign on sales in USD per visit. Clusters are stores, intervals are t.

    Attributes
    ----------
    effects : tuple of Estimate
        Pooled (waves weighted by their visits under the campaign), then each wave: average effect
        on visits of the stores that run it. ``n`` counts visits, ``n_treated`` those under the
        campaign, ``n_households`` stores.
    moderators : DataFrame
        ``MODERATOR_COLUMNS``. ``effect_at_reference`` is the effect in a store of mean size in the
        base location on a customer of mean income; then what a standard deviation of store size, a
        location instead of the base one, a standard deviation of income add to it, with Holm's
        p-value over all of them.
    event_study : DataFrame
        See :func:`promo_uplift.effects.panel.store_events.event_study`.
    pre_trend : JointTest
        That no bin before the reference differs from it between the arms.
    counts : dict
        What was used and what was left out.
    """

    effects: tuple[Estimate, ...]
    moderators: pd.DataFrame
    event_study: pd.DataFrame
    pre_trend: JointTest
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Stack:
    """A row per store and wave, what each arm's stores changed by."""

    rows: pd.DataFrame
    starts: list[pd.Timestamp]
    weights: FloatArray

    def waves(self) -> dict[str, FloatArray]:
        names = [f"{start:%Y-%m-%d}" for start in self.starts]
        of = [(self.rows["wave"] == w).to_numpy(np.float64) for w in range(len(names))]
        treated = self.rows["treated"].to_numpy()
        columns = {f"post x wave {name}": one for name, one in zip(names, of, strict=True)}
        return columns | {
            f"treatment x wave {name}": one * treated for name, one in zip(names, of, strict=True)
        }


def store_study_effects(*, tables: StoreTables, analysis: StoreStudyAnalysis) -> StoreStudyEffects:
    """Effect of the campaign on sales per visit, USD, with its event study and moderators.

    Assumes that without the campaign the stores that run it would have changed as those that never
    do (parallel trends; with moderators: at the same size and location), that they did not change
    before ``anticipation_days``, and that no store's campaign reaches another's sales.

    Parameters
    ----------
    tables : StoreTables
        Of :func:`promo_uplift.sources.store_tables.read_store_study`.
    analysis : StoreStudyAnalysis
        Windows, base location, level.

    Raises
    ------
    MetricError
        If no store is without the campaign (the columns that coincide are named), the base
        location is unknown, or an income has no logarithm.

    References
    ----------
    Bertrand, Duflo & Mullainathan (2004), QJE 119(1), on collapsing to before and after; Cengiz,
    Dube, Lindner & Zipperer (2019), QJE 134(3), on stacked waves; Pustejovsky & Tipton (2018).
    """
    found = store_visits(tables, analysis)
    refuse_without_untreated(found)
    stack, skipped, counts = _stack(found, analysis)
    if stack is None:
        return _nothing(skipped, counts)
    events, pre_trend = event_study(
        found=found, starts=stack.starts, weights=stack.weights, analysis=analysis
    )
    return StoreStudyEffects(
        effects=(*_effects(stack, analysis.level), *skipped),
        moderators=_moderators(stack, found, analysis),
        event_study=events,
        pre_trend=pre_trend,
        counts=counts,
    )


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


def store_study_table(study: StoreStudyEffects) -> pd.DataFrame:
    """One tidy table of a store study, for a file.

    Returns
    -------
    DataFrame
        ``part`` (``effect``, ``moderator``, ``event_study``, ``pre_trend``, ``count``), ``term``,
        ``campaign``, ``estimate``, ``se``, ``ci_low``, ``ci_high``, ``p_value``, ``p_holm``,
        ``df``, ``n``, ``n_treated``, ``n_stores``, ``reason``: USD per visit, an F statistic in
        ``pre_trend``, a number in ``count``.
    """
    renamed = {"estimand": "term", "n_households": "n_stores"}
    effects = estimates_table(study.effects).rename(columns=renamed).assign(part="effect")
    moderators = study.moderators.rename(columns=renamed).assign(part="moderator")
    events = study.event_study.assign(part="event_study")
    test = pd.DataFrame(
        {
            "part": ["pre_trend"],
            "term": ["joint_test"],
            "campaign": [POOLED],
            "estimate": [study.pre_trend.statistic],
            "p_value": [study.pre_trend.p_value],
            "df": [study.pre_trend.df_denominator],
            "reason": [study.pre_trend.reason],
        }
    )
    counts = pd.DataFrame(
        [{"part": "count", "term": k, "estimate": float(v)} for k, v in study.counts.items()]
    )
    columns = "part term campaign estimate se ci_low ci_high p_value p_holm df n n_treated n_stores"
    parts = [effects, moderators, events, test, counts]
    table = pd.concat(
        [part.reindex(columns=[*columns.split(), "reason"]) for part in parts], ignore_index=True
    )
    return table.assign(reason=table["reason"].fillna(""), campaign=table["campaign"].fillna(""))


def _stack(
    found: StoreVisits, analysis: StoreStudyAnalysis
) -> tuple[_Stack | None, list[Estimate], dict[str, int]]:
    """Rows of the waves that can be estimated, the others as estimates without a figure."""
    never = int(found.stores["campaign_start"].isna().sum())
    counts = {
        "visits": len(found.visits),
        "visits_without_income": found.n_without_income,
        "stores_without_campaign": never,
        "stores_with_campaign": len(found.stores) - never,
    }
    tables: list[pd.DataFrame] = []
    starts: list[pd.Timestamp] = []
    skipped: list[Estimate] = []
    anticipated = 0
    for start in sorted(found.stores["campaign_start"].dropna().unique()):
        visits, of_wave = wave_visits(found, pd.Timestamp(start))
        early = visits["rel_day"].between(-analysis.anticipation_days, -1).to_numpy()
        anticipated += int((early & (of_wave[visits["store"]] > 0)).sum())
        kept = visits[~early]
        rows = store_changes(
            visits=kept, is_after=(kept["rel_day"] >= 0).to_numpy(), n_stores=len(found.stores)
        )
        rows = rows.assign(wave=len(starts), treated=of_wave[rows["store"]])
        smallest = int(min(rows["treated"].sum(), (1.0 - rows["treated"]).sum()))
        if smallest < analysis.min_stores:
            reason = (
                f"an arm has {smallest} stores with visits before and after, `min_stores` is "
                f"{analysis.min_stores}"
            )
            label = _label("att", f"{pd.Timestamp(start):%Y-%m-%d}")
            skipped.append(Estimate.none(label=label, reason=reason))
            continue
        starts.append(pd.Timestamp(start))
        tables.append(rows)
    counts |= {"visits_in_anticipation_left_out": anticipated, "waves_left_out": len(skipped)}
    if not tables:
        return None, skipped, counts
    stacked = pd.concat(tables, ignore_index=True)
    under = (stacked["n_after"] * stacked["treated"]).groupby(stacked["wave"]).sum().to_numpy()
    counts["store_waves_without_income_slope"] = int(stacked["change_of_slope"].isna().sum())
    return _Stack(stacked, starts, under / under.sum()), skipped, counts


def _effects(stack: _Stack, level: float) -> list[Estimate]:
    columns, rows, n_waves = stack.waves(), stack.rows, len(stack.starts)
    contrasts = np.zeros((1 + n_waves, 2 * n_waves))
    contrasts[0, n_waves:] = stack.weights
    contrasts[1:, n_waves:] = np.eye(n_waves)
    fit = cr2_fit(
        design=np.column_stack(list(columns.values())),
        outcomes=rows[["change"]].to_numpy(),
        clusters=rows["store"].to_numpy(),
        contrasts=contrasts,
    )
    scopes = [POOLED, *(f"{start:%Y-%m-%d}" for start in stack.starts)]
    members = [rows, *(rows[rows["wave"] == w] for w in range(n_waves))]
    return [
        _estimate(fit, k, _label("att", scope), level, _counts(part))
        for k, (scope, part) in enumerate(zip(scopes, members, strict=True))
    ]


def _moderators(stack: _Stack, found: StoreVisits, analysis: StoreStudyAnalysis) -> pd.DataFrame:
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
        labels = [_label(name, label[1], label[0]) for name in wanted]
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
        counts = _counts(rows[known])
        estimates += [_estimate(fit, k, one, level, counts) for k, one in enumerate(labels)]
        freedom += fit.df.tolist()
    table = estimates_table(estimates).assign(df=freedom)
    is_reference = table["estimand"].str.endswith("_at_reference").to_numpy()
    adjusted = np.full(len(table), np.nan)
    adjusted[~is_reference] = holm(table["p_value"].to_numpy()[~is_reference])
    return table.assign(p_holm=adjusted)


def _estimate(
    fit: FewClusterFit, k: int, label: Label, level: float, counts: tuple[int, int, int]
) -> Estimate:
    value, half = float(fit.value[k, 0]), float(fit.half_width(level=level)[k, 0])
    if not np.isfinite(half):
        return Estimate.none(
            label=label, reason="no stores' variation is left for an error", counts=counts
        )
    se, p_value = float(fit.se[k, 0]), float(fit.p_values()[k, 0])
    return Estimate(label, value, se, value - half, value + half, p_value, *counts)


def _counts(rows: pd.DataFrame) -> tuple[int, int, int]:
    each = rows.drop_duplicates("store")
    under = int((rows["n_after"] * rows["treated"]).sum())
    return int(each["n"].sum()), under, len(each)


def _label(estimand: str, campaign: str, estimator: str = "store_did") -> Label:
    return Label("panel", estimator, estimand, campaign, OUTCOME)


def _nothing(skipped: Sequence[Estimate], counts: Mapping[str, int]) -> StoreStudyEffects:
    reason = "no wave has enough stores in both arms"
    nan = float("nan")
    return StoreStudyEffects(
        effects=(Estimate.none(label=_label("att", POOLED), reason=reason), *skipped),
        moderators=pd.DataFrame(columns=list(MODERATOR_COLUMNS)),
        event_study=pd.DataFrame(columns=["campaign", "term", "reason"]),
        pre_trend=JointTest(nan, nan, nan, nan, reason),
        counts=counts,
    )
