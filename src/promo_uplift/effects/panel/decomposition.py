"""What a two-way fixed-effects coefficient is made of (Goodman-Bacon 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd
from diff_diff import BaconDecomposition

from promo_uplift.contracts.errors import TrialError
from promo_uplift.effects.panel.staggered_fits import captured

FORBIDDEN: Final = "later_vs_earlier"
COMPARISON_COLUMNS: Final = (
    "kind",
    "treated_cohort",
    "control_cohort",
    "estimate",
    "weight",
    "n_treated",
    "n_control",
)


@dataclass(frozen=True, slots=True)
class BaconResult:
    """The two-by-two comparisons behind a two-way fixed-effects coefficient.

    Attributes
    ----------
    twfe : float
        The coefficient, outcome's unit per household and period.
    comparisons : DataFrame
        ``COMPARISON_COLUMNS``; ``kind`` is ``treated_vs_never``, ``earlier_vs_later`` or
        ``later_vs_earlier`` (forbidden: households treated earlier serve as controls). Cohort 0 is
        never treated. Weights sum to 1 and the weighted estimates to ``twfe``.
    forbidden_weight : float
        Weight of the forbidden comparisons.
    forbidden_part : float
        What they add to ``twfe``, in its unit.
    notes : tuple of str
        Warnings of the library, and households that count as untreated.
    """

    twfe: float
    comparisons: pd.DataFrame
    forbidden_weight: float
    forbidden_part: float
    notes: tuple[str, ...]

    @property
    def forbidden_share(self) -> float:
        """Share of the coefficient that comes from forbidden comparisons; may leave [0, 1]."""
        return self.forbidden_part / self.twfe if self.twfe else float("nan")


def bacon_decomposition(*, panel: pd.DataFrame, outcome: str) -> BaconResult:
    """Split the two-way fixed-effects coefficient into its two-by-two comparisons.

    Parameters
    ----------
    panel : DataFrame
        household_id, period (int), cohort (int; 0 = never treated) and the outcome, balanced.
    outcome : str
        Column of the outcome.

    Raises
    ------
    TrialError
        If a household misses a period, or no cohort is treated within the panel.
    """
    n_periods = panel["period"].nunique()
    seen = panel.groupby("household_id")["period"].nunique()
    if short := int((seen != n_periods).sum()):
        raise TrialError(
            f"`panel` must hold all {n_periods} periods of each household for a decomposition; "
            f"{short} households miss some. Leave them out and say so."
        )
    is_treated = (panel["cohort"] > panel["period"].min()) & (
        panel["cohort"] <= panel["period"].max()
    )
    if not is_treated.any():
        raise TrialError("`panel` must hold a cohort whose treatment starts within it; found none.")
    # a later start is an untreated household here
    frame = panel.assign(cohort=panel["cohort"].mask(panel["cohort"] > panel["period"].max(), 0))
    result, notes = captured(
        lambda: BaconDecomposition(weights="exact").fit(
            frame, outcome=outcome, unit="household_id", time="period", first_treat="cohort"
        )
    )
    table = (
        result.to_dataframe()
        .rename(
            columns={
                "comparison_type": "kind",
                "treated_group": "treated_cohort",
                "control_group": "control_cohort",
            }
        )
        .assign(control_cohort=lambda t: t["control_cohort"].replace("never_treated", 0))
    )[list(COMPARISON_COLUMNS)]
    forbidden = table[table["kind"] == FORBIDDEN]
    return BaconResult(
        twfe=float(result.twfe_estimate),
        comparisons=table,
        forbidden_weight=float(forbidden["weight"].sum()),
        forbidden_part=float((forbidden["weight"] * forbidden["estimate"]).sum()),
        notes=tuple(notes),
    )
