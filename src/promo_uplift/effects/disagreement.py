"""What two lenses that disagree point to, read off the diagnostics of their assumptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import Interval
from promo_uplift.effects.estimate import Label

#: Assumption -> what it says when the diagnostics speak against it.
SELECTION: Final = "selection"
PARALLEL_TRENDS: Final = "parallel_trends"
STABLE_CONFOUNDING: Final = "stable_confounding"
OVERLAP: Final = "overlap"
BALANCE: Final = "balance"
HETEROGENEITY: Final = "heterogeneous_timing"
FUNCTIONAL_FORM: Final = "functional_form"
ERRORS: Final = "standard_error"
UNEXPLAINED: Final = "unexplained"


@dataclass(frozen=True, slots=True)
class LensDiagnostics:
    """What is known of the lenses' assumptions for one campaign and outcome; NaN or None: unknown.

    Attributes
    ----------
    pre_trend_p : float
        P-value of the joint test of the leads of the event study.
    pre_trend_power : float
        Its power against a trend that would explain an effect of the size found.
    placebo : Interval or None
        Effect of the mailing on the outcome before it, USD per household: 0 by construction.
    overlap_share : float
        Share of rows with a propensity in the overlap.
    matched_share : float
        Share of treated households that found a match within the caliper.
    max_smd_after : float
        Largest absolute standardised mean difference after weighting or matching.
    se_ratio : float
        Largest over smallest standard error of one point estimate under the errors compared
        (clustered, HC, two-way, wild bootstrap).
    """

    pre_trend_p: float
    pre_trend_power: float
    placebo: Interval | None
    overlap_share: float
    matched_share: float
    max_smd_after: float
    se_ratio: float


#: Nothing is known of a campaign's assumptions.
NO_DIAGNOSTICS: Final = LensDiagnostics(np.nan, np.nan, None, np.nan, np.nan, np.nan, np.nan)


@dataclass(frozen=True, slots=True)
class DiagnosticLimits:
    """From where a diagnostic speaks against its assumption.

    Attributes
    ----------
    alpha : float
        Size of the test of pre-trends.
    min_pre_trend_power : float
        Below it a test that finds no pre-trend says little.
    min_overlap_share, min_matched_share : float
        Shares below which a lens speaks about a part of the treated.
    max_smd : float
        Standardised mean difference up to which a covariate is balanced.
    max_se_ratio : float
        Above it the choice of the error decides.
    unadjusted : tuple of str
        Names of estimators that adjust for nothing.
    """

    alpha: float
    min_pre_trend_power: float
    min_overlap_share: float
    min_matched_share: float
    max_smd: float
    max_se_ratio: float
    unadjusted: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse shares outside (0, 1) and limits that nothing can pass."""
        for name in ("alpha", "min_pre_trend_power", "min_overlap_share", "min_matched_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise MetricError(
                    f"`{name}` must be between 0 and 1, found {getattr(self, name)}. Write it as a "
                    "share."
                )
        if self.max_smd <= 0.0 or self.max_se_ratio < 1.0:
            raise MetricError(
                "`max_smd` must be above 0 and `max_se_ratio` at least 1, found "
                f"{self.max_smd} and {self.max_se_ratio}."
            )


@dataclass(frozen=True, slots=True)
class Pointer:
    """An assumption that a disagreement points to, and the finding that points there."""

    assumption: str
    sentence: str


def pointers(
    *, a: Label, b: Label, difference: float, found: LensDiagnostics, limits: DiagnosticLimits
) -> tuple[Pointer, ...]:
    """Assumptions that the disagreement of two lenses points to; never empty.

    Each rests on a diagnostic that is known and beyond its limit; where none is, the difference is
    ``unexplained`` and the sentence says which of the two designs' assumptions are left.

    Parameters
    ----------
    a, b : Label
        The two estimates.
    difference : float
        The first less the second, USD per household.
    found : LensDiagnostics
        Of their campaign and outcome.
    limits : DiagnosticLimits
        From where a diagnostic counts.
    """
    crude = [one.estimator in limits.unadjusted for one in (a, b)]
    if any(crude) and not all(crude):
        # the part of the unadjusted figure that adjustment removes
        bias = difference if crude[0] else -difference
        return (
            Pointer(
                SELECTION,
                f"selection: {bias:+.2f} USD of the unadjusted figure is who was chosen",
            ),
        )
    lenses = {a.lens, b.lens}
    if lenses == {"panel"}:
        return (
            Pointer(
                HETEROGENEITY,
                "effects that differ by start or week: the two weigh comparisons differently",
            ),
        )
    reasons = [*_coverage(found, limits, is_matching="matching" in lenses)]
    if "panel" in lenses:
        reasons = [*_trends(found, limits), *_confounding(found), *reasons]
    return tuple(reasons) or (_nothing_found(lenses, found, limits),)


def _trends(found: LensDiagnostics, limits: DiagnosticLimits) -> list[Pointer]:
    if found.pre_trend_p < limits.alpha:
        return [
            Pointer(
                PARALLEL_TRENDS,
                f"parallel trends: the leads are not 0 (p = {found.pre_trend_p:.3g}), so the "
                "panel's figure carries a trend",
            )
        ]
    if found.pre_trend_power < limits.min_pre_trend_power:
        return [
            Pointer(
                PARALLEL_TRENDS,
                "parallel trends, not shown: the test of the leads would find such a trend with "
                f"{found.pre_trend_power:.0%} power only",
            )
        ]
    return []


def _confounding(found: LensDiagnostics) -> list[Pointer]:
    placebo = found.placebo
    if placebo is None or placebo.ci_low <= 0.0 <= placebo.ci_high:
        return []
    return [
        Pointer(
            STABLE_CONFOUNDING,
            f"unmeasured confounding that is stable over time, or regression to the mean: an "
            f"outcome before the mailing 'responds' by {placebo.estimate:+.2f} USD "
            f"({placebo.ci_low:+.2f} to {placebo.ci_high:+.2f}); the panel takes out the first and "
            "is hurt by the second",
        )
    ]


def _coverage(
    found: LensDiagnostics, limits: DiagnosticLimits, *, is_matching: bool
) -> list[Pointer]:
    reasons = []
    if found.overlap_share < limits.min_overlap_share:
        reasons.append(
            Pointer(
                OVERLAP,
                f"overlap: {found.overlap_share:.0%} of rows have a comparison; the rest is "
                "extrapolated by one and not by the other",
            )
        )
    if is_matching and found.matched_share < limits.min_matched_share:
        reasons.append(
            Pointer(
                OVERLAP,
                f"another population: {found.matched_share:.0%} of the treated are matched",
            )
        )
    if found.max_smd_after > limits.max_smd:
        reasons.append(
            Pointer(
                BALANCE,
                f"balance: a covariate still differs by {found.max_smd_after:.2f} SD after "
                "adjustment",
            )
        )
    return reasons


def _nothing_found(lenses: set[str], found: LensDiagnostics, limits: DiagnosticLimits) -> Pointer:
    if found.se_ratio > limits.max_se_ratio:
        return Pointer(
            ERRORS,
            f"the error: standard errors of one figure differ {found.se_ratio:.1f}-fold between "
            "methods, so the test of the difference may be off",
        )
    if "panel" in lenses:
        return Pointer(
            UNEXPLAINED,
            "no diagnostic tells: either parallel trends or unconfoundedness fails",
        )
    return Pointer(
        FUNCTIONAL_FORM,
        "functional form: both adjust for the same covariates, so a model of the outcome or of "
        "the propensity is wrong",
    )
