"""The event study of a store study: bins of days around the start, and the test before it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import t

from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.effects.panel.few_clusters import JointTest, cr2_fit, joint_test
from promo_uplift.effects.panel.store_changes import (
    StoreStudyAnalysis,
    StoreVisits,
    mean_by,
    wave_visits,
)

#: Columns of the event study.
EVENT_COLUMNS = (
    "campaign",
    "term",
    "day_from",
    "day_to",
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "p_value",
    "df",
    "n_stores",
)


def event_study(
    *,
    found: StoreVisits,
    starts: list[pd.Timestamp],
    weights: FloatArray,
    analysis: StoreStudyAnalysis,
) -> tuple[pd.DataFrame, JointTest]:
    """Difference between the arms by bin of days around the start, against the reference bin.

    The reference is the last whole bin before the ``anticipation_days``; only whole bins are shown.

    Parameters
    ----------
    found : StoreVisits
        Visits and stores.
    starts : list of Timestamp
        Waves.
    weights : float64 (W,)
        Their weights in the pooled study, which has the bins that all waves have.
    analysis : StoreStudyAnalysis
        Bins and level.

    Returns
    -------
    DataFrame, JointTest
        ``EVENT_COLUMNS``, USD per visit, first ``pooled``, then each wave by its date; and the test
        that all pooled bins before the reference are 0. A store without visits in one of the bins
        takes no part.
    """
    waves = [_wave(found, start, analysis) for start in starts]
    common = sorted(set.intersection(*(set(bins) for _, bins in waves)))
    pooled, test = _bins(waves, common, weights, analysis)
    tables = [pooled.assign(campaign="pooled")]
    for start, wave in zip(starts, waves, strict=True):
        alone, _ = _bins([wave], wave[1], np.ones(1), analysis)
        tables.append(alone.assign(campaign=f"{start:%Y-%m-%d}"))
    return pd.concat(tables, ignore_index=True)[list(EVENT_COLUMNS)], test


def _wave(
    found: StoreVisits, start: pd.Timestamp, analysis: StoreStudyAnalysis
) -> tuple[pd.DataFrame, list[int]]:
    """Store means by bin: ``store``, ``treated``, then the bins; and the whole bins."""
    visits, of_wave = wave_visits(found, start)
    day = visits["rel_day"].to_numpy()
    inside = (day >= 0) | (day < -analysis.anticipation_days)
    place = np.where(day >= 0, day, day + analysis.anticipation_days) // analysis.bin_days
    first, last = int(day.min()) + analysis.anticipation_days, int(day.max())
    whole = list(range(-(-first // analysis.bin_days), (last + 1) // analysis.bin_days))
    kept = inside & np.isin(place, whole)
    n_stores, n_bins = len(of_wave), len(whole)
    code: IntArray = visits["store"].to_numpy()[kept] * n_bins + place[kept] - (whole or [0])[0]
    means = mean_by(visits["sales_usd"].to_numpy()[kept], code, n_stores * n_bins)
    table = pd.DataFrame(means.reshape(n_stores, n_bins), columns=whole)
    table.insert(0, "treated", of_wave)
    table.insert(0, "store", np.arange(n_stores))
    return table, whole


def _bins(
    waves: list[tuple[pd.DataFrame, list[int]]],
    bins: list[int],
    weights: FloatArray,
    analysis: StoreStudyAnalysis,
) -> tuple[pd.DataFrame, JointTest]:
    shown = [one for one in bins if one != -1]
    nan = float("nan")
    if -1 not in bins or not shown:
        reason = "no whole bin of days before the start to hold the others against"
        return pd.DataFrame(columns=list(EVENT_COLUMNS)), JointTest(nan, nan, nan, nan, reason)
    whole = [table[table[bins].notna().all(axis=1)] for table, _ in waves]
    rows = pd.concat(
        [table[["store", "treated", *bins]].assign(wave=w) for w, table in enumerate(whole)]
    )
    of = np.equal.outer(rows["wave"].to_numpy(), np.arange(len(waves))).astype(np.float64)
    treated = of * rows["treated"].to_numpy()[:, np.newaxis]
    fit = cr2_fit(
        design=np.hstack([of, treated]),
        outcomes=rows[shown].to_numpy() - rows[[-1]].to_numpy(),
        clusters=rows["store"].to_numpy(),
        contrasts=np.concatenate([np.zeros(len(waves)), weights])[np.newaxis],
    )
    value, se, df = fit.value[0], fit.se[0], float(fit.df[0])
    half = float(t.ppf(0.5 + analysis.level / 2.0, df)) * se
    begin = np.array(shown) * analysis.bin_days
    begin = np.where(begin < 0, begin - analysis.anticipation_days, begin)
    table = pd.DataFrame(
        {
            "term": [f"bin_{one:+d}" for one in shown],
            "day_from": begin,
            "day_to": begin + analysis.bin_days - 1,
            "estimate": value,
            "se": se,
            "ci_low": value - half,
            "ci_high": value + half,
            "p_value": fit.p_values()[0],
            "df": df,
            "n_stores": rows["store"].nunique(),
        }
    )
    leads = np.array([one < -1 for one in shown])
    return table, joint_test(value=value[leads], parts=fit.parts[:, 0][:, leads], df=df)
