from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from promo_uplift.contracts.errors import MetricError
from promo_uplift.effects.panel import (
    ErrorSettings,
    PanelRules,
    PanelWindow,
    RobustnessSettings,
    campaign_panels,
    error_table,
    event_studies,
    event_study_table,
    leave_one_household_out,
    placebo_group_table,
    pre_trend,
    pre_trends_table,
    robustness,
    robustness_table,
    two_by_two,
)
from promo_uplift.effects.panel.contrasts import contrasts
from promo_uplift.effects.panel.placebo_group import placebo_draws
from promo_uplift.effects.panel.two_by_two import two_by_two_influence
from tests.unit.small_panel import World, small_panel

WINDOW = PanelWindow(6, 4)
RULES = PanelRules(min_treated=5, min_control=5, min_pre_weeks=2)
SETTINGS = RobustnessSettings(
    level=0.95, winsor_shares=(0.01, 0.05), placebo_weeks=4, pre_windows=(3, 6)
)
PANELS = campaign_panels(
    panel=small_panel(seed=1, world=World(covered_from=(-6, -3, -6))), outcomes=["spend_usd"]
)
COMMON = {"panels": PANELS, "outcome": "spend_usd", "window": WINDOW, "rules": RULES}


def test_every_variant_has_its_rows_or_its_reason() -> None:
    table = robustness_table(robustness(**COMMON, settings=SETTINGS))
    counts = table.groupby("variant", sort=False).size()
    assert counts.to_dict() == {
        "winsorised_0.01": 4,
        "winsorised_0.05": 4,
        "placebo_date": 4,
        "pre_weeks_3": 4,
        "pre_weeks_6": 4,
        "without_campaign_1": 1,
        "without_campaign_2": 1,
        "without_campaign_3": 1,
    }
    assert (table["estimate"].isna() == (table["reason"] != "")).all()
    rows = table.set_index(["variant", "campaign"])
    assert rows.loc[("pre_weeks_6", "2"), "reason"] == "too_few_pre_weeks"
    plain = two_by_two(**COMMON, level=0.95).estimates
    assert rows.loc[("pre_weeks_6", "1"), "estimate"] == plain[0].value
    alone = two_by_two(**(COMMON | {"panels": PANELS[1:]}), level=0.95).estimates[-1]
    assert rows.loc[("without_campaign_1", "pooled"), "estimate"] == pytest.approx(alone.value)
    assert rows.loc[("without_campaign_1", "pooled"), "se"] == pytest.approx(alone.se)


def test_winsorising_takes_an_outlier_out_and_counts_it() -> None:
    values = PANELS[0].values("spend_usd").copy()
    mailed = int(np.flatnonzero(PANELS[0].treatment)[0])
    values[mailed, 7] += 1e6
    wild = [replace(PANELS[0], outcomes={"spend_usd": values})]
    common = COMMON | {"panels": wild}
    assert abs(two_by_two(**common, level=0.95).estimates[0].value) > 1e4
    cut = robustness_table(robustness(**common, settings=SETTINGS)).set_index(
        ["variant", "campaign"]
    )
    assert abs(cut.loc[("winsorised_0.01", "1"), "estimate"]) < 30
    # one value in a hundred at each end of 109 x 10
    assert cut.loc[("winsorised_0.01", "1"), "n_changed"] == 22
    assert values[mailed, 7] > 1e6 - 1


def test_the_placebo_date_does_not_see_the_weeks_since_the_mailing() -> None:
    broken = [
        replace(
            one,
            outcomes={
                "spend_usd": np.where(one.rel_weeks >= 0, 1e9, one.values("spend_usd")),
            },
        )
        for one in PANELS
    ]
    tables = [
        robustness_table(robustness(**(COMMON | {"panels": panels}), settings=SETTINGS))
        for panels in (PANELS, broken)
    ]
    first, second = (one[one["variant"] == "placebo_date"]["estimate"] for one in tables)
    np.testing.assert_array_equal(first, second)
    # by hand: weeks -4..-1 against -6, -5
    one = PANELS[0]
    spend = one.values("spend_usd")
    change = spend[:, 2:6].mean(axis=1) - spend[:, :2].mean(axis=1)
    arm = one.treatment == 1
    assert first.iloc[0] == pytest.approx(4.0 * (change[arm].mean() - change[~arm].mean()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"winsor_shares": (0.5,)}, "`winsor_shares` must lie between 0 and 0.5"),
        ({"placebo_weeks": 3}, "`placebo_weeks` must be at least the effect window"),
        ({"placebo_weeks": 6}, "`placebo_weeks` must be at least the effect window"),
    ],
)
def test_settings_without_a_meaning_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(MetricError, match=message):
        robustness(**COMMON, settings=replace(SETTINGS, **change))


def test_a_placebo_draw_is_the_effect_of_its_lot() -> None:
    stack = contrasts(panels=PANELS, outcome="spend_usd", window=WINDOW)
    found = placebo_draws(stack=stack, repeats=3, seed=8)
    lots = np.random.default_rng(8).random((len(stack.households), 3), dtype=np.float32)
    share = stack.treated.sum(axis=0) / (stack.treated + stack.control).sum(axis=0)
    controls = stack.control.sum(axis=1) > 0
    for draw in range(3):
        mailed = stack.control * (lots[:, [draw]] < share)
        lot = replace(stack, treated=mailed, control=stack.control - mailed)
        lot = lot.take(np.ones(3, dtype=bool), controls)
        value, influence = two_by_two_influence(lot)
        assert found.effects[draw] == pytest.approx(value)
        n = len(influence)
        assert found.se[draw] == pytest.approx(np.sqrt(n / (n - 1) * (influence**2).sum()))


def test_a_campaign_without_an_estimate_has_a_reason_in_every_table() -> None:
    rules = replace(RULES, min_treated=36)
    common = COMMON | {"rules": rules}
    errors = error_table(
        **common, settings=ErrorSettings(level=0.95, min_clusters=5, reps=19, seed=0)
    )
    lots = placebo_group_table(**common, repeats=9, seed=0, tail_share=0.05)
    without = leave_one_household_out(**common, estimator="twfe", tail_share=0.05, n_top=1).summary
    studies = event_studies(**common)
    weeks = event_study_table(studies=studies, level=0.95)
    tests = pre_trends_table(
        [pre_trend(study=one, scale=4.0, level=0.95, powers=(0.5, 0.8)) for one in studies]
    )
    for table in (errors, lots, without, weeks, tests):
        reasons = table.groupby("campaign", sort=False)["reason"].agg(set).to_dict()
        assert list(reasons) == ["1", "2", "3", "pooled"]
        assert reasons["2"] == reasons["3"] == {"treated_below_minimum"}
        assert reasons["1"] == reasons["pooled"] == {""}
    assert {"slope_50", "bias_if_passed_80"} <= set(tests.columns)


def test_few_clusters_are_a_reason_and_not_an_error() -> None:
    settings = ErrorSettings(level=0.95, min_clusters=12, reps=19, seed=0)
    table = error_table(**COMMON, settings=settings).set_index(["campaign", "method"])
    # ten weeks around one campaign; the stack's calendar weeks are more
    assert table.loc[("1", "two_way_household_week"), "reason"] == "too_few_clusters"
    assert table.loc[("1", "two_way_household_week"), "n_clusters"] == 10
    assert np.isnan(table.loc[("1", "two_way_household_week"), "se"])
    assert table.loc[("pooled", "two_way_household_week"), "reason"] == ""


def test_weeks_that_repeat_each_other_leave_no_pre_trend_test() -> None:
    one = PANELS[0]
    spend = one.values("spend_usd").copy()
    spend[:, 1] = spend[:, 0]
    copied = [replace(one, outcomes={"spend_usd": spend})]
    study = event_studies(**(COMMON | {"panels": copied}))[0]
    test = pre_trend(study=study, scale=4.0, level=0.95, powers=(0.8,))
    assert test.reason == "covariance_not_positive_definite"
    with pytest.raises(MetricError, match="`powers` must lie between"):
        pre_trend(study=study, scale=4.0, level=0.95, powers=(0.04,))
