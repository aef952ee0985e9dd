"""Household traits of the real tables, and how visits drift and baskets vary."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata

from promo_uplift.contracts.results import FloatArray
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.simulation.baskets import frame_of
from promo_uplift.simulation.profile import TRAITS, quantile_grid

#: Households with fewer baskets say little of their own discount rate or basket.
FEW_BASKETS: Final = 5
_LAGS: Final = range(1, 27)
_DECAYS: Final = np.linspace(0.5, 0.99, 50)


def household_traits(
    *, baskets: pd.DataFrame, tables: CanonicalTables, first: pd.Timestamp, last: pd.Timestamp
) -> pd.DataFrame:
    """One row per household that shops: its traits and whether demographics are known."""
    weeks = ((last - first).days + 1) / 7.0
    sums = baskets.groupby("household_id").agg(
        baskets=("spend", "size"),
        spend=("spend", "sum"),
        lines=("lines", "sum"),
        discount=("discount", "sum"),
    )
    lines = tables.transactions.filter(tables.transactions.is_merchandise)
    brand = lines.left_join(tables.products.select("product_id", "brand"), "product_id")
    private = frame_of(
        brand.group_by("household_id").agg(private=(brand.brand == "Private").cast("int64").sum())
    ).set_index("household_id")["private"]
    known = frame_of(tables.households.select("household_id", "has_demographics"))
    return sums.assign(
        visits_per_week=sums["baskets"] / weeks,
        usd_per_week=sums["spend"] / weeks,
        discount_rate=sums["discount"] / (sums["spend"] + sums["discount"]).clip(lower=0.01),
        private_share=private.reindex(sums.index, fill_value=0) / sums["lines"],
        has_demographics=known.set_index("household_id")["has_demographics"]
        .reindex(sums.index)
        .astype(bool),
    )


def trait_grids(
    *, households: pd.DataFrame, points: int
) -> tuple[dict[str, list[float]], list[list[float]]]:
    """Quantiles of each trait, and the correlation of their normal scores."""
    grids = {}
    regular = households[households["baskets"] >= FEW_BASKETS]
    for name in TRAITS:
        rows = households if name.endswith("_per_week") else regular
        grids[name] = quantile_grid(rows[name].to_numpy(dtype=np.float64), points)
    scores = np.column_stack(
        [norm.ppf((rankdata(regular[name]) - 0.5) / len(regular)) for name in TRAITS]
    )
    return grids, [[float(v) for v in row] for row in np.corrcoef(scores, rowvar=False)]


def rates_behind(
    *, grids: dict[str, list[float]], counts: FloatArray, basket_cv2: float, drift: float
) -> dict[str, list[float]]:
    """Shrink visits and spend to the rates behind them.

    A household's visits in a year vary around its rate by counting and by drift, its spend also by
    the size of baskets. What these add to the variance over households is taken off, on the log
    scale and with the mean kept.
    """
    cv2 = counts.var() / counts.mean() ** 2
    noise = {"visits_per_week": 1.0, "usd_per_week": 1.0 + basket_cv2}
    shrunk = dict(grids)
    for name, extra in noise.items():
        values = np.asarray(grids[name])
        behind = max((cv2 - extra / counts.mean() - drift) / (1.0 + drift), 0.0)
        rates = values ** np.sqrt(np.log1p(behind) / np.log1p(cv2))
        shrunk[name] = [float(v) for v in rates * (values.mean() / rates.mean())]
    return shrunk


def basket_factor(*, shopping: pd.DataFrame, points: int) -> list[float]:
    """Quantiles of the lines of a basket relative to its household's mean."""
    groups = shopping.groupby("household_id")["lines"]
    mean, size = groups.transform("mean"), groups.transform("size")
    many = size >= FEW_BASKETS
    return quantile_grid((shopping["lines"] / mean)[many].to_numpy(np.float64), points)


def weekly_drift(
    *, shopping: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp
) -> tuple[float, float]:
    """Variance of the weekly visit rate around a household's mean, and its decay per week.

    Autocovariances of weekly counts, relative to squared means, at lags of 1 to 26 weeks. Around a
    mean of the same weeks they are ``a (r^k - mean of r^|i-j|)``: the decay ``r`` is searched and
    ``a`` is then least squares. Lag 0 is left out: it holds the counting noise.
    """
    n_weeks = ((last - first).days + 1) // 7
    week = (shopping["date"] - first).dt.days // 7
    counts = (
        pd.crosstab(shopping["household_id"], week)
        .reindex(columns=range(n_weeks), fill_value=0)
        .to_numpy(dtype=np.float64)
    )
    counts = counts / np.maximum(counts.mean(axis=0) / counts.mean(), 0.1)
    squares = (counts.mean(axis=1) ** 2).sum()
    found = np.array(
        [
            (counts[:, : n_weeks - k] * counts[:, k:]).sum() / (squares * (n_weeks - k)) - 1.0
            for k in _LAGS
        ]
    )
    best = (np.inf, 0.0, 0.0)
    for decay in _DECAYS:
        shape = decay ** np.array(_LAGS) - mean_decay(decay, n_weeks=n_weeks)
        scale = max(float(found @ shape / (shape @ shape)), 0.0)
        best = min(best, (float(((found - scale * shape) ** 2).sum()), scale, float(decay)))
    return best[1], best[2]


def mean_decay(decay: float, *, n_weeks: int) -> float:
    """Mean of ``decay^|i - j|`` over all pairs of weeks: what drift leaves in the mean of them."""
    week = np.arange(n_weeks)
    return float((decay ** np.abs(np.subtract.outer(week, week))).mean())
