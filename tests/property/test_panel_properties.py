from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promo_uplift.effects.panel import (
    CampaignPanel,
    PanelRules,
    PanelWindow,
    campaign_panels,
    event_studies,
    leave_one_household_out,
    twfe,
    two_by_two,
)
from promo_uplift.effects.panel.contrasts import contrasts
from promo_uplift.effects.panel.fixed_effects import within
from promo_uplift.effects.panel.leave_out import estimates_without, full_estimate
from tests.unit.small_panel import World, small_panel

WINDOW = PanelWindow(6, 4)
RULES = PanelRules(min_treated=2, min_control=2, min_pre_weeks=1)
SMALL = World(n_households=25, covered_from=(-6, -4, -6))


def panels_of(seed: int) -> tuple[CampaignPanel, ...]:
    return campaign_panels(panel=small_panel(seed=seed, world=SMALL), outcomes=["spend_usd"])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_household_and_week_effects_do_not_move_an_effect(seed: int) -> None:
    rng = np.random.default_rng(seed)
    panels = panels_of(seed)
    moved = [
        replace(
            one,
            outcomes={
                "spend_usd": 3.0 * one.values("spend_usd")
                + rng.normal(0, 99, size=(len(one.households), 1))
                + rng.normal(0, 99, size=(1, len(one.rel_weeks)))
            },
        )
        for one in panels
    ]
    common = {"outcome": "spend_usd", "window": WINDOW, "rules": RULES, "level": 0.95}
    before = two_by_two(panels=panels, **common).estimates
    after = two_by_two(panels=moved, **common).estimates
    for one, other in zip(before, after, strict=True):
        assert other.value == pytest.approx(3.0 * one.value, abs=1e-9)
        assert other.se == pytest.approx(3.0 * one.se)
    stacks = [contrasts(panels=p, outcome="spend_usd", window=WINDOW) for p in (panels, moved)]
    closed = [within(stack).coefficient for stack in stacks]
    assert closed[1] == pytest.approx(3.0 * closed[0], abs=1e-9)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), estimator=st.sampled_from(["two_by_two", "twfe"]))
def test_leaving_a_household_out_is_the_fit_without_it(seed: int, estimator: str) -> None:
    stack = contrasts(panels=panels_of(seed), outcome="spend_usd", window=WINDOW)
    found = estimates_without(stack=stack, estimator=estimator)
    everyone = np.arange(len(stack.households))
    for out in everyone[::5]:
        rest = stack.take(np.ones(len(stack.campaigns), dtype=bool), everyone != out)
        assert found[out] == pytest.approx(full_estimate(stack=rest, estimator=estimator))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_weekly_effects_make_the_2x2_effect(seed: int) -> None:
    panels = [panels_of(seed)[at] for at in (0, 2)]
    common = {"panels": panels, "outcome": "spend_usd", "window": WINDOW, "rules": RULES}
    effects = two_by_two(level=0.95, **common).estimates
    for study, effect in zip(event_studies(**common), effects, strict=True):
        weights = study.effect_weights(4.0)
        assert weights @ study.coefficients == pytest.approx(effect.value)
        assert np.sqrt(weights @ study.covariance @ weights) == pytest.approx(effect.se)
        np.testing.assert_allclose(study.influence @ weights, effect.influence, atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_swapping_the_arms_turns_the_sign_of_the_fit(seed: int) -> None:
    panels = panels_of(seed)
    swapped = [replace(one, treatment=1 - one.treatment) for one in panels]
    common = {"outcomes": ["spend_usd"], "window": WINDOW, "rules": RULES, "level": 0.95}
    first, second = twfe(panels=panels, **common), twfe(panels=swapped, **common)
    for one, other in zip(first.estimates, second.estimates, strict=True):
        assert other.value == pytest.approx(-one.value, rel=1e-5, abs=1e-6)
        assert other.se == pytest.approx(one.se, rel=1e-5)


def test_the_last_of_an_arm_cannot_be_left_out_and_is_counted() -> None:
    panels = [panels_of(1)[0]]
    lone = np.zeros_like(panels[0].treatment)
    lone[3] = 1
    found = leave_one_household_out(
        panels=[replace(panels[0], treatment=lone)],
        outcome="spend_usd",
        window=WINDOW,
        rules=replace(RULES, min_treated=1),
        estimator="two_by_two",
        tail_share=0.05,
        n_top=2,
    )
    summary = found.summary.set_index("campaign")
    assert summary.loc["1", "n_undefined"] == 1
    assert summary.loc["1", "n_households"] == len(lone)
    assert np.isfinite(summary[["min", "low", "high", "max"]].to_numpy()).all()
    assert list(found.influential["rank"]) == [1, 2, 1, 2]
