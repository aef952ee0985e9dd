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

from promo_uplift.effects.estimate import Estimate, estimates_table
from promo_uplift.effects.panel.few_clusters import JointTest, cr2_fit
from promo_uplift.effects.panel.store_changes import (
    StoreStudyAnalysis,
    StoreVisits,
    refuse_without_untreated,
    store_changes,
    store_visits,
    wave_visits,
)
from promo_uplift.effects.panel.store_events import event_study
from promo_uplift.effects.panel.store_moderators import (
    MODERATOR_COLUMNS,
    POOLED,
    StoreStack,
    store_counts,
    store_estimate,
    store_label,
    store_moderators,
)
from promo_uplift.sources.store_tables import StoreTables


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
        moderators=store_moderators(stack, found, analysis),
        event_study=events,
        pre_trend=pre_trend,
        counts=counts,
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
) -> tuple[StoreStack | None, list[Estimate], dict[str, int]]:
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
            label = store_label("att", f"{pd.Timestamp(start):%Y-%m-%d}")
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
    return StoreStack(stacked, starts, under / under.sum()), skipped, counts


def _effects(stack: StoreStack, level: float) -> list[Estimate]:
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
        store_estimate(fit, k, store_label("att", scope), level, store_counts(part))
        for k, (scope, part) in enumerate(zip(scopes, members, strict=True))
    ]


def _nothing(skipped: Sequence[Estimate], counts: Mapping[str, int]) -> StoreStudyEffects:
    reason = "no wave has enough stores in both arms"
    nan = float("nan")
    return StoreStudyEffects(
        effects=(Estimate.none(label=store_label("att", POOLED), reason=reason), *skipped),
        moderators=pd.DataFrame(columns=list(MODERATOR_COLUMNS)),
        event_study=pd.DataFrame(columns=["campaign", "term", "reason"]),
        pre_trend=JointTest(nan, nan, nan, nan, reason),
        counts=counts,
    )
