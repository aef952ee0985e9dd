"""Spend against the size of a discount, or an exposure, within household and category.

A depth is seen only where something was bought, so how the dose is measured decides what its slope
means (``DOSE_VERSIONS``). Household-by-category effects take what a household always buys,
category-by-week effects what everybody buys in a week: what is left is the same household in weeks
in which its stores discounted more or less than stores did on average.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import pandas as pd
import pyfixest
from pyfixest.core.demean import demean
from pyfixest.errors import NonConvergenceError
from scipy.stats import chi2

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray
from promo_uplift.effects.estimate import Estimate, Label, clustered_influence
from promo_uplift.effects.panel.rank import refuse_rank_deficient

#: How the dose was measured -> under which assumption its slope is an effect.
DOSE_VERSIONS: Final[Mapping[str, str]] = {
    "price_index": (
        "Depth that the household's stores gave all other buyers of the category in that week, for "
        "every week whether or not the household bought. Its slope is the effect of a store's "
        "discounts on spend if, given the household's habits and the week, stores do not time them "
        "to these households' demand, and households do not change store for them."
    ),
    "realised": (
        "Depth of the household's own purchases, known only in weeks in which it bought. Buying is "
        "decided after seeing the price, so its slope compares weeks that the discount itself "
        "selected: an association among purchases, not an effect of discounts on spend."
    ),
    "exposure": (
        "Share of the household's usual products of the category that its stores had on display or "
        "in the mailer in that week. Its slope is an effect under the price index's assumption; "
        "products on display are discounted too, so it holds the discount's effect with it."
    ),
}
KEYS: Final = ("household_id", "category", "week")
#: The estimates are per this much of a dose that runs from 0 to 1: 10 percentage points.
STEP: Final = 0.1
_OUTCOMES: Final = {"log1p": "log1p_spend", "poisson": "log_mean_spend"}
_TOLERANCE: Final = 1e-10  # of the demeaning, far below what is read
_ABSORBED: Final = 1e-6  # of a column's length: below it the fixed effects have taken it


@dataclass(frozen=True, slots=True)
class DoseEffects:
    """Spend against the dose, per 10 percentage points, errors clustered by household.

    Attributes
    ----------
    version, assumption : str
        How the dose was measured, and what its slope means.
    estimates : tuple of Estimate
        ``linear`` (USD), ``log1p`` (log points of 1 + spend: depends on the unit of spend where
        zeros are many, Chen & Roth 2024), ``poisson`` (log of mean spend), ``lead`` (next week's
        dose beside this week's, USD: must be 0), ``linear_beside_lead``, then one
        ``bin_<from>_<to>`` (percentage points) per bin over the first, USD.
    bins_p_value : float
        Joint test that no bin differs from the first; NaN where a bin has no estimate.
    counts : dict
        Rows used and left out, spends below 0 taken as 0 by ``log1p`` and ``poisson``, rows without
        a next week, rows by bin.
    """

    version: str
    assumption: str
    estimates: tuple[Estimate, ...]
    bins_p_value: float
    counts: Mapping[str, int]

    @property
    def lead(self) -> Estimate:
        """What next week's dose adds to this week's spend, USD: the analogue of a pre-trend."""
        return next(one for one in self.estimates if one.label.estimator == "lead")


@dataclass(frozen=True, slots=True)
class DoseSettings:
    """How a dose is analysed.

    Attributes
    ----------
    version : str
        One of ``DOSE_VERSIONS``.
    edges : tuple of float
        Lower edges of the bins, the first 0: ``(0.0, 0.1, 0.2)`` for 0-10, 10-20, 20+ %.
    min_households : int
        A bin with fewer households has no estimate.
    level : float
        Confidence level.

    Raises
    ------
    MetricError
        If the version is unknown, or the edges do not rise from 0 to below 1.
    """

    version: str
    edges: tuple[float, ...]
    min_households: int
    level: float

    def __post_init__(self) -> None:
        """Refuse what the estimation could not read."""
        if self.version not in DOSE_VERSIONS:
            raise MetricError(
                f"`version` must be one of {sorted(DOSE_VERSIONS)}, found {self.version!r}."
            )
        edges = self.edges
        rises = all(low < high for low, high in pairwise(edges))
        if len(edges) < 2 or edges[0] != 0.0 or edges[-1] >= 1.0 or not rises:
            raise MetricError(
                f"`edges` must be two or more, rise from 0 and stay below 1, found {edges}."
            )


def dose_effects(*, panel: pd.DataFrame, settings: DoseSettings) -> DoseEffects:
    r"""Slope of spend on a dose within household and category, with its checks.

    .. math:: y_{hcw} = \alpha_{hc} + \gamma_{cw} + \beta\, d_{hcw} / 0.1 + \varepsilon_{hcw}

    Parameters
    ----------
    panel : DataFrame
        ``household_id``, ``category``, ``week`` (integers, one apart), ``dose`` (0 to 1; missing
        where it is not known: counted and left out), ``spend_usd``.
    settings : DoseSettings
        Version, bins, level.

    Raises
    ------
    MetricError
        If a column is missing, a key repeats, the dose leaves [0, 1], or the fixed effects leave
        nothing of the dose (named).

    References
    ----------
    Frisch & Waugh (1933), Econometrica 1(4); Correia, Guimaraes & Zylkin (2020), Stata J. 20(1)
    (Poisson with fixed effects); Chen & Roth (2024), QJE 139(2); Hausman, Leonard & Zona (1994),
    Annales d'Economie et de Statistique 34 (prices elsewhere, not the buyer's own).
    """
    rows, counts = _rows(panel)
    spend = rows["spend_usd"].to_numpy(dtype=np.float64)
    kept = np.maximum(spend, 0.0)
    counts["spend_below_zero"] = int((spend < 0.0).sum())
    dose = pd.DataFrame({"dose": rows["dose"] / STEP})
    job = _Job(rows, settings, Label("panel", "", settings.version, "pooled", "spend_usd"))
    estimates = [
        _within(job, dose, spend, "linear")[0],
        _within(job, dose, np.log1p(kept), "log1p")[0],
        _poisson(job, kept),
        *_lead(job, dose, spend, counts),
    ]
    bins, p_value = _bins(job, spend, counts)
    return DoseEffects(
        version=settings.version,
        assumption=DOSE_VERSIONS[settings.version],
        estimates=(*estimates, *bins),
        bins_p_value=p_value,
        counts=counts,
    )


@dataclass(frozen=True, slots=True)
class _Job:
    rows: pd.DataFrame
    settings: DoseSettings
    label: Label

    def take(self, mask: np.ndarray) -> _Job:
        return replace(self, rows=self.rows[mask])

    def counts(self) -> tuple[int, int, int]:
        exposed = int((self.rows["dose"] > 0.0).sum())
        return len(self.rows), exposed, int(self.rows["household_id"].nunique())

    def named(self, estimator: str) -> Label:
        outcome = _OUTCOMES.get(estimator, self.label.outcome)
        return replace(self.label, estimator=estimator, outcome=outcome)


def _rows(panel: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    wanted = [*KEYS, "dose", "spend_usd"]
    if lacking := [name for name in wanted if name not in panel.columns]:
        raise MetricError(f"`panel` must have the columns {wanted}; {lacking} are not there.")
    if repeated := int(panel.duplicated(list(KEYS)).sum()):
        raise MetricError(f"`panel` must hold each of {list(KEYS)} once; {repeated} repeat.")
    if missing := int(panel["spend_usd"].isna().sum()):
        raise MetricError(
            f"`spend_usd` must be there in every row; {missing} of {len(panel)} are missing. A "
            "week without a purchase has 0, a week without data has no row."
        )
    dose = panel["dose"].to_numpy(dtype=np.float64)
    if outside := int(((dose < 0.0) | (dose > 1.0)).sum()):
        raise MetricError(
            f"`dose` must lie in [0, 1], a share of the list price or of products; {outside} of "
            f"{len(dose)} do not, e.g. {dose[(dose < 0.0) | (dose > 1.0)][0]}."
        )
    known = ~np.isnan(dose)
    if not known.any():
        raise MetricError(f"`dose` must be known in some row; it is missing in all {len(dose)}.")
    counts = {"rows": len(panel), "rows_without_dose_left_out": int((~known).sum())}
    return panel.loc[known, wanted].reset_index(drop=True), counts


def _within(job: _Job, columns: pd.DataFrame, outcome: FloatArray, *names: str) -> list[Estimate]:
    """Least squares behind the fixed effects, one estimate per column, errors by household."""
    design, left = _demeaned(job, columns, outcome)
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ (design.T @ left)
    parts = (design * (left - design @ beta)[:, np.newaxis]) @ inverse
    found = []
    for k, name in enumerate(names):
        influence, se = clustered_influence(
            contributions=parts[:, k], groups=job.rows["household_id"].to_numpy()
        )
        found.append(
            Estimate.normal(
                label=job.named(name),
                value=float(beta[k]),
                se=se,
                level=job.settings.level,
                counts=job.counts(),
                influence=influence.rename_axis("household_id"),
            )
        )
    return found


def _demeaned(
    job: _Job, columns: pd.DataFrame, outcome: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Columns and outcome less their fixed effects; refused where nothing independent is left."""
    rows = job.rows
    fixed = [rows.groupby(list(pair)).ngroup() for pair in (KEYS[:2], KEYS[1:])]
    raw = np.column_stack([columns.to_numpy(dtype=np.float64), outcome])
    left, converged = demean(
        np.ascontiguousarray(raw),
        np.column_stack(fixed).astype(np.uint64),
        np.ones(len(raw)),
        tol=_TOLERANCE,
    )
    if not converged:
        raise MetricError(
            "the fixed effects must converge; household-by-category and category-by-week do not "
            f"on {len(raw)} rows. Leave out categories or weeks with few rows."
        )
    design = np.array(left[:, :-1])
    length = np.linalg.norm(raw[:, :-1] - raw[:, :-1].mean(axis=0), axis=0)
    design[:, np.linalg.norm(design, axis=0) <= _ABSORBED * length] = 0.0
    try:
        refuse_rank_deficient(pd.DataFrame(design, columns=columns.columns))
    except MetricError as error:
        raise MetricError(
            "`dose` must vary within household and category beyond its week; once household-by-"
            f"category and category-by-week effects are taken out: {error}"
        ) from error
    return design, left[:, -1]


def _poisson(job: _Job, spend: FloatArray) -> Estimate:
    """Log of mean spend per 10 points; cells that never spend say nothing and are left out."""
    rows = job.rows.assign(spend=spend, tenths=job.rows["dose"] / STEP)
    label, mask = job.named("poisson"), _spends_somewhere(rows)
    part = job.take(mask)
    if not mask.any():
        return Estimate.none(label=label, reason="nobody spends", counts=job.counts())
    try:
        fit = pyfixest.fepois(
            "spend ~ tenths | household_id^category + category^week",
            data=rows[mask],
            vcov={"CRV1": "household_id"},
            ssc=pyfixest.ssc(k_adj=False),
            fixef_rm="none",
        )
    except (ValueError, NonConvergenceError) as error:
        return Estimate.none(label=label, reason=f"no fit: {error}", counts=part.counts())
    if "tenths" not in fit.coef().index:
        reason = "the fixed effects leave nothing of the dose where something was spent"
        return Estimate.none(label=label, reason=reason, counts=part.counts())
    return Estimate.normal(
        label=label,
        value=float(fit.coef()["tenths"]),
        se=float(fit.se()["tenths"]),
        level=job.settings.level,
        counts=part.counts(),
    )


def _spends_somewhere(rows: pd.DataFrame) -> np.ndarray:
    """Rows whose household-by-category and category-by-week both hold a purchase among them."""
    mask = np.ones(len(rows), dtype=bool)
    while True:
        spends = (rows["spend"] > 0.0) & mask
        kept = mask.copy()
        for pair in (KEYS[:2], KEYS[1:]):
            kept &= spends.groupby([rows[key] for key in pair]).transform("any").to_numpy()
        if (kept == mask).all():
            return mask
        mask = kept


def _lead(
    job: _Job, dose: pd.DataFrame, spend: FloatArray, counts: dict[str, int]
) -> list[Estimate]:
    """Next week's dose, and this week's beside it."""
    rows = job.rows
    following = rows.assign(week=rows["week"] - 1, next_dose=rows["dose"] / STEP)
    joined = rows[list(KEYS)].merge(
        following[[*KEYS, "next_dose"]], on=list(KEYS), how="left", validate="one_to_one"
    )
    has = joined["next_dose"].notna().to_numpy()
    counts["rows_without_next_week"] = int((~has).sum())
    names = ("lead", "linear_beside_lead")
    columns = pd.DataFrame({"next_week_dose": joined["next_dose"], "dose": dose["dose"]})
    part = job.take(has)
    if not has.any():
        reason = "no row has a dose in the week after it"
        return [Estimate.none(label=job.named(name), reason=reason) for name in names]
    try:
        return _within(part, columns[has], spend[has], *names)
    except MetricError as error:
        return [Estimate.none(label=job.named(name), reason=str(error)) for name in names]


def _bins(job: _Job, spend: FloatArray, counts: dict[str, int]) -> tuple[list[Estimate], float]:
    """Spend in each bin over the first, and the joint p-value."""
    edges, rows = job.settings.edges, job.rows
    place = np.searchsorted(edges, rows["dose"].to_numpy(), side="right") - 1
    tops = [*(f"{100 * edge:g}" for edge in edges[1:]), "100"]
    names = [f"bin_{100 * low:g}_{top}" for low, top in zip(edges, tops, strict=True)]
    members = [int(rows.loc[place == b, "household_id"].nunique()) for b in range(len(edges))]
    counts |= {f"rows_{name}": int((place == b).sum()) for b, name in enumerate(names)}
    if small := [n for n, m in zip(names, members, strict=True) if m < job.settings.min_households]:
        reason = f"{small} have fewer than {job.settings.min_households} households"
        return [Estimate.none(label=job.named(n), reason=reason) for n in names[1:]], float("nan")
    columns = pd.DataFrame({n: (place == b) * 1.0 for b, n in enumerate(names) if b > 0})
    try:
        found = _within(job, columns, spend, *names[1:])
    except MetricError as error:
        none = [Estimate.none(label=job.named(n), reason=str(error)) for n in names[1:]]
        return none, float("nan")
    return found, _joint_p_value(found)


def _joint_p_value(estimates: Sequence[Estimate]) -> float:
    parts = np.column_stack([np.asarray(one.influence) for one in estimates])
    covariance = len(parts) / (len(parts) - 1) * parts.T @ parts
    value = np.array([one.value for one in estimates])
    return float(chi2.sf(value @ np.linalg.solve(covariance, value), len(value)))
