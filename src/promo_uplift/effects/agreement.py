"""The joint test that all lenses on one campaign say the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from promo_uplift.effects.cross_section import POOLED
from promo_uplift.effects.estimate import Estimate
from promo_uplift.effects.joint import contrasts, joint_zero_test

#: Columns of the table of joint tests.
TEST_COLUMNS: Final = (
    "campaign",
    "outcome",
    "lenses",
    "statistic",
    "df",
    "df_households",
    "p_value",
    "n_redundant",
    "reason",
)
ALL_CAMPAIGNS: Final = "all campaigns"


def name_of(estimate: Estimate) -> str:
    """Lens and estimator, e.g. ``panel: twfe``."""
    return f"{estimate.label.lens}: {estimate.label.estimator}"


def by_campaign(estimates: Sequence[Estimate]) -> list[list[Estimate]]:
    """Group estimates by campaign, in the order in which campaigns appear."""
    campaigns = dict.fromkeys(one.label.campaign for one in estimates)
    return [[one for one in estimates if one.label.campaign == name] for name in campaigns]


def equality_tests(
    *, estimates: Sequence[Estimate], unadjusted: Sequence[str], rank_tolerance: float
) -> list[dict[str, object]]:
    """Test that all adjusting lenses are equal, in each campaign and in all of them at once.

    Parameters
    ----------
    estimates : sequence of Estimate
        Of one outcome and estimand.
    unadjusted : sequence of str
        Estimators that adjust for nothing: not in the test, since they must differ.
    rank_tolerance : float
        See :func:`promo_uplift.effects.joint.joint_zero_test`.

    Returns
    -------
    list of dict
        Rows of ``TEST_COLUMNS``; the last, ``all campaigns``, tests every campaign's differences
        jointly with the households that they share, without ``pooled``, which repeats them.
    """
    groups = [
        [
            one
            for one in group
            if one.is_valid and one.influence is not None and one.label.estimator not in unadjusted
        ]
        for group in by_campaign(estimates)
    ]
    campaigns = [group[0].label.campaign for group in by_campaign(estimates)]
    rows = [
        _test_row(name, [group], rank_tolerance, estimates[0].label.outcome)
        for name, group in zip(campaigns, groups, strict=True)
    ]
    single = [group for name, group in zip(campaigns, groups, strict=True) if name != POOLED]
    return [*rows, _test_row(ALL_CAMPAIGNS, single, rank_tolerance, estimates[0].label.outcome)]


def _test_row(
    campaign: str,
    groups: Sequence[Sequence[Estimate]],
    rank_tolerance: float,
    outcome: str,
) -> dict[str, object]:
    compared = [group for group in groups if len(group) > 1]
    lenses = dict.fromkeys(name_of(one) for group in compared for one in group)
    row: dict[str, object] = {
        "campaign": campaign,
        "outcome": outcome,
        "lenses": ", ".join(lenses),
        "n_redundant": 0,
        "reason": "" if compared else "fewer than two adjusting lenses with an influence",
    }
    if not compared:
        return row
    pairs = [(one, group[0]) for group in compared for one in group[1:]]
    values, psi = contrasts(pairs)
    test = joint_zero_test(values=values, influence=psi, rank_tolerance=rank_tolerance)
    return row | {
        "statistic": test.statistic,
        "df": test.df,
        "df_households": test.df_households,
        "p_value": test.p_value,
        "n_redundant": test.n_redundant,
        "reason": "" if np.isfinite(test.p_value) else "the lenses err as one: nothing to test",
    }
