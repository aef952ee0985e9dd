"""The wild bootstrap is that of fits: every sign pattern, each with its own fixed effects."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from promo_uplift.contracts.errors import MetricError
from promo_uplift.effects.panel import CampaignPanel, PanelWindow, campaign_panels, wild_bootstrap
from promo_uplift.effects.panel.contrasts import contrasts
from promo_uplift.effects.panel.fixed_effects import long_frame
from tests.unit.small_panel import World, small_panel

WINDOW = PanelWindow(3, 2)


def few(n_households: int) -> tuple[CampaignPanel, ...]:
    world = World(n_households=n_households, n_campaigns=2, joins=0.9, effect=6.0)
    return campaign_panels(panel=small_panel(seed=6, world=world), outcomes=["spend_usd"])


def fitted_p_value(panels: tuple[CampaignPanel, ...]) -> Callable[[float], float]:
    """Enumerated p-value of a hypothesis by least squares with dummies, draw by draw."""
    rows = long_frame(panels=panels, outcomes=["spend_usd"], window=WINDOW)
    _, group = np.unique(rows["household"], return_inverse=True)
    units, periods = rows["unit"].to_numpy(), rows["period"].to_numpy()
    effects = np.column_stack([np.eye(units.max() + 1)[units], np.eye(periods.max() + 1)[periods]])
    keep = np.eye(len(rows)) - effects @ np.linalg.pinv(effects)
    d, y = rows["treatment_x_post"].to_numpy(), rows["spend_usd"].to_numpy()
    d_within = keep @ d

    def t_statistic(outcome: np.ndarray, at: float) -> float:
        b = d_within @ outcome / (d_within @ d_within)
        scores = np.bincount(group, weights=d_within * (keep @ outcome - b * d_within))
        return float((b - at) * (d_within @ d_within) / np.linalg.norm(scores))

    def p_value(at: float) -> float:
        restricted = keep @ (y - at * d)
        fitted = y - restricted
        observed = abs(t_statistic(y, at))
        patterns = product((-1.0, 1.0), repeat=group.max() + 1)
        drawn = [t_statistic(fitted + np.array(v)[group] * restricted, at) for v in patterns]
        return float((np.abs(drawn) >= observed * (1 - 1e-9)).mean())

    return p_value


def test_all_sign_patterns_give_the_p_value_and_interval_of_fits() -> None:
    panels = few(9)
    stack = contrasts(panels=panels, outcome="spend_usd", window=WINDOW)
    found = wild_bootstrap(stack=stack, reps=2**9, seed=0, level=0.9)
    assert found.is_enumerated
    assert (found.n_clusters, found.n_draws) == (9, 512)
    p_value = fitted_p_value(panels)
    assert found.p_value == p_value(0.0)
    for bound, outward in ((found.ci_low, -1e-4), (found.ci_high, 1e-4)):
        assert p_value(bound - outward) > 0.1 >= p_value(bound + outward)


def test_drawn_patterns_come_near_the_enumerated_ones() -> None:
    stack = contrasts(panels=few(12), outcome="spend_usd", window=WINDOW)
    every = wild_bootstrap(stack=stack, reps=2**12, seed=0, level=0.9)
    drawn = wild_bootstrap(stack=stack, reps=2**12 - 1, seed=0, level=0.9)
    assert (every.is_enumerated, drawn.is_enumerated) == (True, False)
    # three standard errors of a share of 4,095 draws
    assert drawn.p_value == pytest.approx(every.p_value, abs=3 * 0.5 / np.sqrt(4095))
    assert drawn.ci_low == pytest.approx(every.ci_low, abs=0.3 * every.se)
    assert drawn == wild_bootstrap(stack=stack, reps=2**12 - 1, seed=0, level=0.9)
    assert drawn != wild_bootstrap(stack=stack, reps=2**12 - 1, seed=1, level=0.9)


def test_an_interval_that_draws_cannot_bound_is_infinite() -> None:
    stack = contrasts(panels=few(5), outcome="spend_usd", window=WINDOW)
    # 32 patterns: the smallest p-value is 2 / 32, so no value is rejected at 5 %
    found = wild_bootstrap(stack=stack, reps=999, seed=0, level=0.95)
    assert (found.ci_low, found.ci_high) == (-np.inf, np.inf)
    assert found.p_value >= 2 / 32


def test_nothing_to_draw_is_refused() -> None:
    stack = contrasts(panels=few(5), outcome="spend_usd", window=WINDOW)
    with pytest.raises(MetricError, match="`reps` be at least 2, found 5 and 1"):
        wild_bootstrap(stack=stack, reps=1, seed=0, level=0.95)
