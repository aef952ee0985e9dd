r"""Whether panel, matching and cross-section agree and, if not, which assumption fails.

Lenses that see the same households err together. The error of their difference is therefore that
of the difference of their influence, :math:`\sum_h (\psi_{ah} - \psi_{bh})`, and most often far
smaller than the two errors side by side suggest: intervals that overlap can disagree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.errors import MetricError
from promo_uplift.effects.agreement import TEST_COLUMNS, by_campaign, equality_tests, name_of
from promo_uplift.effects.disagreement import (
    NO_DIAGNOSTICS,
    DiagnosticLimits,
    LensDiagnostics,
    pointers,
)
from promo_uplift.effects.estimate import Estimate
from promo_uplift.effects.joint import (
    contrasts,
    influence_covariance,
    largest_draws,
)

#: Columns of the table of differences.
RECONCILIATION_COLUMNS: Final = (
    "campaign",
    "outcome",
    "a",
    "b",
    "difference",
    "se",
    "ci_low",
    "ci_high",
    "p_value",
    "p_simultaneous",
    "agrees",
    "mde",
    "assumption",
    "points_to",
    "reason",
)


@dataclass(frozen=True, slots=True)
class ReconciliationParameters:
    """How lenses are compared.

    Attributes
    ----------
    level : float
        Confidence level; lenses disagree where the simultaneous p-value is below ``1 - level``.
    power : float
        Power of the detectable difference.
    draws : int
        Gaussian draws behind simultaneous p-values.
    rank_tolerance : float
        Eigenvalue of the correlation of differences below which one repeats the others.
    limits : DiagnosticLimits
        From where a diagnostic speaks against its assumption.
    """

    level: float
    power: float
    draws: int
    rank_tolerance: float
    limits: DiagnosticLimits

    def __post_init__(self) -> None:
        """Refuse a level or power outside (0, 1), and too few draws for a p-value."""
        for name in ("level", "power"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise MetricError(
                    f"`{name}` must be between 0 and 1, found {getattr(self, name)}. Write it as a "
                    "share, e.g. 0.95."
                )
        if self.draws < 100:
            raise MetricError(f"`draws` must be at least 100 for a p-value, found {self.draws}.")


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Differences between lenses and the tests that there is none.

    Attributes
    ----------
    table : DataFrame
        One row per pair of lenses, columns ``RECONCILIATION_COLUMNS``; differences in USD per
        household. ``agrees`` is missing where no test could be made, ``reason`` says why.
    tests : DataFrame
        Joint test of equality of the lenses that adjust, per campaign and outcome, and for all
        campaigns of an outcome at once; columns ``TEST_COLUMNS``.
    n_draws : int
        Draws behind the simultaneous p-values.
    """

    table: pd.DataFrame
    tests: pd.DataFrame
    n_draws: int


@dataclass(frozen=True, slots=True)
class _Pair:
    a: Estimate
    b: Estimate

    @property
    def reason(self) -> str:
        """Why the two cannot be tested against each other; empty where they can."""
        missing = [f"{name_of(one)}: {one.reason}" for one in (self.a, self.b) if not one.is_valid]
        without = [
            f"{name_of(one)} offers no influence"
            for one in (self.a, self.b)
            if one.is_valid and one.influence is None
        ]
        return "; ".join(missing + without)


def reconcile(
    *,
    estimates: Sequence[Estimate],
    diagnostics: Mapping[tuple[str, str], LensDiagnostics],
    parameters: ReconciliationParameters,
    seed: int,
) -> Reconciliation:
    r"""Differences between lenses, USD per household, with what they point to.

    For every pair of one campaign and outcome: :math:`\hat\theta_a - \hat\theta_b` with
    :math:`\widehat{se}^2 = \frac{H}{H-1} \sum_h (\psi_{ah} - \psi_{bh})^2` over the union of their
    households. ``p_simultaneous`` is max-t over all pairs of all campaigns of an outcome.
    ``mde`` is the difference that this test would have found with the configured power:
    :math:`(c_{max\text{-}t} + z_{power})\, \widehat{se}`.

    Parameters
    ----------
    estimates : sequence of Estimate
        Of one estimand, in USD per household over the effect window. Invalid ones and those
        without influence keep their rows, with the reason.
    diagnostics : mapping of (campaign, outcome) to LensDiagnostics
        What is known of the assumptions; absent: nothing.
    parameters : ReconciliationParameters
        Level, power, limits.
    seed : int
        Of the draws.

    Raises
    ------
    MetricError
        If the estimates are of several estimands, or a lens and estimator repeats within a
        campaign and outcome.

    References
    ----------
    Hausman (1978), Econometrica 46(6), whose test this is without assuming that one of the two is
    efficient; Westfall & Young (1993), *Resampling-Based Multiple Testing*.
    """
    _validate(estimates)
    tables, tests = [], []
    for outcome in dict.fromkeys(one.label.outcome for one in estimates):
        of_outcome = [one for one in estimates if one.label.outcome == outcome]
        pairs = [
            _Pair(a, b) for group in by_campaign(of_outcome) for a, b in combinations(group, 2)
        ]
        tables.append(_differences(pairs, diagnostics, parameters, seed))
        tests.append(
            equality_tests(
                estimates=of_outcome,
                unadjusted=parameters.limits.unadjusted,
                rank_tolerance=parameters.rank_tolerance,
            )
        )
    return Reconciliation(
        _stacked(tables, RECONCILIATION_COLUMNS), _stacked(tests, TEST_COLUMNS), parameters.draws
    )


def _stacked(rows: Sequence[list[dict[str, object]]], columns: Sequence[str]) -> pd.DataFrame:
    flat = [row for part in rows for row in part]
    table = pd.DataFrame(flat, columns=list(columns))
    return table.astype({"agrees": "boolean"}) if "agrees" in columns else table


def _validate(estimates: Sequence[Estimate]) -> None:
    estimands = sorted({one.label.estimand for one in estimates})
    if len(estimands) > 1:
        raise MetricError(
            f"`estimates` must be of one estimand to be compared, found {estimands}. Lenses that "
            "estimate different things differ without disagreeing: compare the ATTs."
        )
    seen = Counter((one.label.campaign, one.label.outcome, name_of(one)) for one in estimates)
    if repeated := [key for key, count in seen.items() if count > 1]:
        raise MetricError(
            f"`estimates` must hold each lens and estimator once per campaign and outcome; "
            f"repeated: {repeated}. Give variants names of their own."
        )


def _differences(
    pairs: Sequence[_Pair],
    diagnostics: Mapping[tuple[str, str], LensDiagnostics],
    parameters: ReconciliationParameters,
    seed: int,
) -> list[dict[str, object]]:
    tested = [pair for pair in pairs if not pair.reason]
    errors = _standard_errors(tested, parameters, seed)
    rows: list[dict[str, object]] = []
    for pair in pairs:
        row: dict[str, object] = {
            "campaign": pair.a.label.campaign,
            "outcome": pair.a.label.outcome,
            "a": name_of(pair.a),
            "b": name_of(pair.b),
            "difference": pair.a.value - pair.b.value,
            "reason": pair.reason,
        }
        rows.append(row)
        if pair.reason:
            row |= {"assumption": "", "points_to": f"not tested: {pair.reason}", "agrees": None}
            continue
        se, p_simultaneous, critical = errors[id(pair)]
        row |= _row(pair, se, p_simultaneous, critical, parameters)
        key = (pair.a.label.campaign, pair.a.label.outcome)
        row |= _what_it_points_to(pair, row, diagnostics.get(key, NO_DIAGNOSTICS), parameters)
    return rows


def _standard_errors(
    pairs: Sequence[_Pair], parameters: ReconciliationParameters, seed: int
) -> dict[int, tuple[float, float, float]]:
    """Return each pair's standard error, simultaneous p-value and critical value, by identity."""
    if not pairs:
        return {}
    values, psi = contrasts([(pair.a, pair.b) for pair in pairs])
    covariance = influence_covariance(psi)
    se = np.sqrt(np.diag(covariance))
    largest = largest_draws(covariance=covariance, draws=parameters.draws, seed=seed)
    critical = float(np.quantile(largest, parameters.level))
    with np.errstate(divide="ignore", invalid="ignore"):  # two figures that err as one
        statistics = np.where(values == 0.0, 0.0, np.abs(values) / se)
    exceeding = len(largest) - np.searchsorted(largest, statistics, side="left")
    p_values = np.where(statistics == 0.0, 1.0, (1.0 + exceeding) / (1.0 + len(largest)))
    return {
        id(pair): (float(one), float(p_value), critical)
        for pair, one, p_value in zip(pairs, se, p_values, strict=True)
    }


def _row(
    pair: _Pair,
    se: float,
    p_simultaneous: float,
    critical: float,
    parameters: ReconciliationParameters,
) -> dict[str, object]:
    difference = pair.a.value - pair.b.value
    half = float(norm.ppf(0.5 + parameters.level / 2.0)) * se
    if se > 0.0:
        p_value = float(2.0 * norm.sf(abs(difference) / se))
    else:
        p_value = float(p_simultaneous == 1.0)
    return {
        "se": se,
        "ci_low": difference - half,
        "ci_high": difference + half,
        "p_value": p_value,
        "p_simultaneous": p_simultaneous,
        "agrees": p_simultaneous >= 1.0 - parameters.level,
        "mde": (critical + float(norm.ppf(parameters.power))) * se,
    }


def _what_it_points_to(
    pair: _Pair,
    row: Mapping[str, object],
    found: LensDiagnostics,
    parameters: ReconciliationParameters,
) -> dict[str, object]:
    if row["agrees"]:
        text = (
            f"no difference found; one of {row['mde']:.2f} USD or more would have been found with "
            f"{parameters.power:.0%} power"
        )
        return {"assumption": "", "points_to": text if row["se"] else "the same figure"}
    reasons = pointers(
        a=pair.a.label,
        b=pair.b.label,
        difference=pair.a.value - pair.b.value,
        found=found,
        limits=parameters.limits,
    )
    assumptions = dict.fromkeys(one.assumption for one in reasons)
    return {
        "assumption": "; ".join(assumptions),
        "points_to": "; ".join(one.sentence for one in reasons),
    }
