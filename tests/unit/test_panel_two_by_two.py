from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from promo_uplift.effects.panel import (
    CampaignPanel,
    PanelRules,
    PanelWindow,
    campaign_panels,
    poisson_ratio,
    twfe,
    two_by_two,
)
from tests.unit.small_panel import World, small_panel

RULES = PanelRules(min_treated=1, min_control=1, min_pre_weeks=1)


def by_hand() -> CampaignPanel:
    """Mailed: 10 -> 16 and 20 -> 24; not mailed: 5 -> 6 and 5 -> 8, per week."""
    before, after = np.array([10.0, 20.0, 5.0, 5.0]), np.array([16.0, 24.0, 6.0, 8.0])
    spend = np.column_stack([before - 1, before + 1, after - 2, after, after + 2, after + 99])
    return CampaignPanel(
        campaign="7",
        campaign_type="A",
        households=np.array([1, 2, 3, 4]),
        treatment=np.array([1, 1, 0, 0]),
        rel_weeks=np.arange(-2, 4),
        calendar_weeks=np.arange(6),
        outcomes={"spend_usd": spend, "log1p_spend": np.log1p(spend)},
    )


def test_the_effect_is_the_difference_of_changes_over_the_window() -> None:
    found = two_by_two(
        panels=[by_hand()],
        outcome="spend_usd",
        window=PanelWindow(2, 3),
        rules=RULES,
        level=0.95,
    )
    one, pooled = found.estimates
    # changes 6, 4 against 1, 3: 5 - 2 = 3 USD a week, 9 in three weeks
    assert one.value == pytest.approx(9.0)
    # influences +-1/2 of each arm, weekly: sqrt(4/3 x 4 x 1/4) x 3
    assert one.se == pytest.approx(3.0 * np.sqrt(4.0 / 3.0))
    assert (one.n, one.n_treated, one.n_households) == (4, 2, 4)
    assert pooled.value == pytest.approx(one.value)
    cells = found.cells.set_index(["arm", "period"])
    assert cells.loc[("treated", "pre"), "mean"] == 15.0
    assert cells.loc[("control", "effect"), "mean"] == 7.0
    assert cells.loc[("control", "effect"), "n_units"] == 2
    assert cells.loc[("control", "effect"), "n_rows"] == 6
    assert cells.loc[("control", "effect"), "sd"] == pytest.approx(
        np.std([4, 6, 8, 6, 8, 10], ddof=1)
    )


def test_logarithms_are_not_added_up_over_weeks() -> None:
    common = {"panels": [by_hand()], "rules": RULES, "level": 0.95}
    short = two_by_two(outcome="log1p_spend", window=PanelWindow(2, 3), **common).estimates[0]
    values = by_hand().values("log1p_spend")
    change = values[:, 2:5].mean(axis=1) - values[:, :2].mean(axis=1)
    assert short.value == pytest.approx(change[:2].mean() - change[2:].mean())


def test_pooled_weights_are_the_mailed_households() -> None:
    big, small = by_hand(), replace(by_hand(), campaign="8", treatment=np.array([1, 0, 0, 0]))
    found = two_by_two(
        panels=[big, small],
        outcome="spend_usd",
        window=PanelWindow(2, 3),
        rules=RULES,
        level=0.95,
    ).estimates
    assert found[2].value == pytest.approx((2 * found[0].value + found[1].value) / 3)
    assert (found[2].n, found[2].n_treated, found[2].n_households) == (8, 3, 4)
    assert list(found[2].influence.index) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("change", "rules", "reason"),
    [
        ({"treatment": np.ones(4, dtype=int)}, RULES, "missing_2x2_cell, control_below_minimum"),
        ({}, replace(RULES, min_treated=3), "treated_below_minimum"),
        ({}, replace(RULES, min_control=3), "control_below_minimum"),
        ({}, replace(RULES, min_pre_weeks=3), "too_few_pre_weeks"),
        ({"rel_weeks": np.arange(-4, 2)}, RULES, "effect_window_not_covered"),
    ],
)
def test_a_campaign_that_cannot_carry_an_estimate_says_why(
    change: dict[str, np.ndarray], rules: PanelRules, reason: str
) -> None:
    panels = [replace(by_hand(), **change)]
    common = {"window": PanelWindow(2, 3), "rules": rules, "level": 0.95}
    found = two_by_two(panels=panels, outcome="spend_usd", **common).estimates
    assert [one.reason for one in found] == [reason, "no_valid_campaign"]
    fitted = twfe(panels=panels, outcomes=["spend_usd", "log1p_spend"], **common)
    assert [one.reason for one in fitted.estimates] == [reason, reason] + 2 * ["no_valid_campaign"]
    assert fitted.rank is None
    ratio = poisson_ratio(panels=panels, outcome="spend_usd", **common).estimates
    assert [one.reason for one in ratio] == [reason, reason] + 2 * ["no_valid_campaign"]


def test_an_invalid_campaign_does_not_enter_the_pooled_effect() -> None:
    panels = campaign_panels(
        panel=small_panel(seed=2, world=World(covered_from=(-6, -1, -6))), outcomes=["spend_usd"]
    )
    common = {
        "outcome": "spend_usd",
        "window": PanelWindow(6, 4),
        "rules": replace(RULES, min_pre_weeks=3),
        "level": 0.95,
    }
    found = two_by_two(panels=panels, **common).estimates
    assert found[1].reason == "too_few_pre_weeks"
    assert found[1].n == len(panels[1].households)
    without = two_by_two(panels=[panels[0], panels[2]], **common).estimates
    assert found[3].value == without[2].value
    assert found[3].se == without[2].se


def test_a_ratio_needs_something_in_every_cell() -> None:
    empty = by_hand().values("spend_usd").copy()
    empty[2:, :2] = 0.0
    negative = by_hand().values("spend_usd") - 20.0
    for values, reason in ((empty, "nothing_in_a_2x2_cell"), (negative, "negative_outcome")):
        found = poisson_ratio(
            panels=[replace(by_hand(), outcomes={"spend_usd": values})],
            outcome="spend_usd",
            window=PanelWindow(2, 3),
            rules=RULES,
            level=0.95,
        ).estimates
        assert [one.reason for one in found] == [reason, reason] + 2 * ["no_valid_campaign"]
