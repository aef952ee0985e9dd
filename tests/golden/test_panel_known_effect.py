"""On panels whose effect and trend are known, intervals and tests say so as often as they claim."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from promo_uplift.effects.panel import (
    ErrorSettings,
    PanelRules,
    PanelWindow,
    campaign_panels,
    error_table,
    event_studies,
    placebo_group_table,
    pre_trend,
    two_by_two,
)
from promo_uplift.effects.panel.event_study import EventStudy
from tests.unit.small_panel import World, small_panel

WINDOW = PanelWindow(6, 4)
RULES = PanelRules(min_treated=5, min_control=5, min_pre_weeks=6)
REPEATS = 200
#: Effect per week 3 USD, four weeks.
TRUTH = 12.0
#: 95 % of 200 panels, with three standard errors of that share below.
COVERED = (0.90, 0.995)


def test_intervals_hold_the_effect_and_the_placebo_is_not_fooled() -> None:
    held: list[dict[str, bool]] = []
    values, placebo = [], []
    for seed in range(REPEATS):
        panel = small_panel(seed=seed, world=World(n_households=80))
        panels = campaign_panels(panel=panel, outcomes=["spend_usd"])
        common = {"panels": panels, "outcome": "spend_usd", "window": WINDOW, "rules": RULES}
        means = two_by_two(level=0.95, **common).estimates[-1]
        values.append(means.value)
        table = error_table(
            **common, settings=ErrorSettings(level=0.95, min_clusters=5, reps=199, seed=seed)
        )
        pooled = table[table["campaign"] == "pooled"].set_index("method")
        held.append(
            {"two_by_two": means.ci_low <= TRUTH <= means.ci_high}
            | {
                method: row["ci_low"] <= TRUTH <= row["ci_high"]
                for method, row in pooled.iterrows()
                if method != "two_way_household_week"
            }
        )
        if seed < 20:
            lots = placebo_group_table(**common, repeats=49, seed=seed, tail_share=0.05)
            placebo.append(lots.iloc[-1])
    share = pd.DataFrame(held).mean()
    assert share.between(*COVERED).all(), share
    assert np.mean(values) == pytest.approx(TRUTH, abs=3 * np.std(values) / np.sqrt(REPEATS))
    draws = pd.DataFrame(placebo)
    # the effect is six of its errors; controls among themselves have none
    assert (draws["p_value"] <= 0.04).all()
    assert abs(draws["placebo_mean"].mean()) < 3 * draws["placebo_sd"].mean() / np.sqrt(20 * 10)


def drawn_study(study: EventStudy, coefficients: np.ndarray) -> EventStudy:
    return EventStudy(
        study.campaign,
        study.outcome,
        study.weeks,
        coefficients,
        study.covariance,
        study.influence,
        study.households,
        study.n_units,
        study.n_treated,
    )


def test_a_detectable_trend_is_found_that_often_and_leaves_that_bias() -> None:
    panels = campaign_panels(panel=small_panel(seed=0), outcomes=["spend_usd"])
    study = event_studies(panels=panels, outcome="spend_usd", window=WINDOW, rules=RULES)[-1]
    test = pre_trend(study=study, scale=4.0, level=0.95, powers=(0.5, 0.8))
    rng = np.random.default_rng(5)
    n = 40_000
    noise = rng.multivariate_normal(np.zeros(len(study.weeks)), study.covariance, size=n)
    before = study.is_pre
    sigma = study.covariance[np.ix_(before, before)]
    for one in test.detectable:
        drawn = noise + one.slope * (study.weeks + 1.0)
        effects = drawn @ study.effect_weights(4.0)
        pre = drawn[:, before]
        statistic = (pre * np.linalg.solve(sigma, pre.T).T).sum(axis=1)
        passed = statistic <= 11.0705  # chi-square, 5 degrees, 95 %
        assert 1.0 - passed.mean() == pytest.approx(one.power, abs=0.01)
        error = effects.std()
        assert effects.mean() == pytest.approx(one.bias, abs=4 * error / np.sqrt(n))
        assert effects[passed].mean() == pytest.approx(
            one.bias_if_passed, abs=4 * error / np.sqrt(passed.sum())
        )
        # the two differ by more than the draws' noise, so the test tells them apart
        assert abs(one.bias - one.bias_if_passed) > 4 * error / np.sqrt(n)


def test_a_panel_with_a_trend_has_that_bias() -> None:
    slope, gaps = 1.5, []
    for seed in range(30):
        found = []
        for trend in (0.0, slope):
            panel = small_panel(seed=seed, world=World(trend=trend))
            panels = campaign_panels(panel=panel, outcomes=["spend_usd"])
            common = {"panels": panels, "outcome": "spend_usd", "window": WINDOW, "rules": RULES}
            found.append(two_by_two(level=0.95, **common).estimates[-1].value)
        gaps.append(found[1] - found[0])
    study = event_studies(**common)[-1]
    test = pre_trend(study=study, scale=4.0, level=0.95, powers=(0.8,))
    per_slope = test.detectable[0].bias / test.detectable[0].slope
    assert np.mean(gaps) == pytest.approx(slope * per_slope, rel=0.01)
    assert test.p_value < 0.05


def test_the_test_of_parallel_trends_rejects_as_often_as_it_says() -> None:
    rejected = []
    for seed in range(1000, 1150):
        panel = small_panel(seed=seed, world=World(n_households=250))
        panels = campaign_panels(panel=panel, outcomes=["spend_usd"])
        study = event_studies(panels=panels, outcome="spend_usd", window=WINDOW, rules=RULES)[-1]
        test = pre_trend(study=study, scale=4.0, level=0.95, powers=(0.8,))
        rejected.append(test.p_value < 0.05)
    # 5 % of 150 panels, with three standard errors of that share above
    assert 0.01 <= np.mean(rejected) <= 0.103
