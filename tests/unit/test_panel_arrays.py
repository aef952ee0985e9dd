from __future__ import annotations

import numpy as np
import pytest

from promo_uplift.contracts.errors import MetricError, TrialError
from promo_uplift.effects.panel import (
    LOG_SPEND,
    PanelRules,
    PanelWindow,
    campaign_panels,
    why_invalid,
)
from tests.unit.small_panel import World, small_panel


def test_each_campaign_is_a_balanced_matrix_of_the_rows() -> None:
    panel = small_panel(seed=3)
    found = campaign_panels(panel=panel, outcomes=["spend_usd", LOG_SPEND])
    rows = panel.set_index(["campaign_id", "household_id", "rel_week"])
    for one in found:
        assert one.values("spend_usd").shape == (len(one.households), len(one.rel_weeks))
        for household, week in ((0, 0), (5, 7), (-1, -1)):
            row = rows.loc[(int(one.campaign), one.households[household], one.rel_weeks[week])]
            assert one.values("spend_usd")[household, week] == row["spend_usd"]
            assert one.values(LOG_SPEND)[household, week] == np.log1p(row["spend_usd"])
            assert one.treatment[household] == row["treatment"]
    assert [one.campaign for one in found] == ["1", "2", "3"]


def test_weeks_without_data_are_absent_and_a_campaign_without_any_stays() -> None:
    panel = small_panel(seed=3, world=World(covered_from=(-6, -2, 99)))
    found = campaign_panels(panel=panel, outcomes=["visits"])
    assert [len(one.rel_weeks) for one in found] == [12, 8, 0]
    assert found[2].values("visits").shape == (len(found[2].households), 0)
    rules = PanelRules(min_treated=2, min_control=2, min_pre_weeks=3)
    assert [why_invalid(panel=one, window=PanelWindow(6, 4), rules=rules) for one in found] == [
        "",
        "too_few_pre_weeks",
        "missing_2x2_cell, too_few_pre_weeks, effect_window_not_covered",
    ]


def test_negative_spend_is_counted_where_its_logarithm_is_cut() -> None:
    panel = small_panel(seed=3)
    panel.loc[panel.index[:2], "spend_usd"] = -1.0
    found = campaign_panels(panel=panel, outcomes=["spend_usd", LOG_SPEND])
    assert sum(one.n_clipped for one in found) == int((panel["spend_usd"] < 0).sum()) > 0
    assert min(one.values(LOG_SPEND).min() for one in found) == 0.0


def test_a_household_without_a_covered_week_is_refused() -> None:
    panel = small_panel(seed=3).sort_values(["campaign_id", "household_id", "rel_week"])
    with pytest.raises(TrialError, match="every household in every covered week of campaign 1"):
        campaign_panels(panel=panel.iloc[1:], outcomes=["spend_usd"])


def test_an_outcome_that_does_not_exist_is_refused() -> None:
    panel = small_panel(seed=3)
    with pytest.raises(TrialError, match="`outcomes` must come from"):
        campaign_panels(panel=panel, outcomes=["profit"])
    one = campaign_panels(panel=panel, outcomes=["visits"])[0]
    with pytest.raises(TrialError, match="found `spend_usd`"):
        one.values("spend_usd")


def test_a_window_without_a_week_is_refused() -> None:
    with pytest.raises(MetricError, match="at least 1, found 0 and 4"):
        PanelWindow(0, 4)
