"""Bounds where the arms do not overlap: closed forms, both extremes, and the truth inside."""

from __future__ import annotations

import numpy as np
import pytest

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import NuisanceValues
from promo_uplift.effects import manski_bounds, overlap_bounds
from promo_uplift.nuisance.scores import dr_scores


def bounds(*, scores, treatment, outcome, inside, outcome_range=(0.0, 1.0)):
    return overlap_bounds(
        scores=np.asarray(scores, dtype=float),
        treatment=np.asarray(treatment),
        outcome=np.asarray(outcome, dtype=float),
        groups=np.arange(len(treatment)),
        inside=np.asarray(inside),
        outcome_range=outcome_range,
        level=0.95,
    )


def test_four_rows_by_hand():
    # inside: .2 and .4; outside: treated with 1 -> [0, 1], control with 0 -> [0, 1]
    found = bounds(
        scores=[0.2, 0.4, 9.0, 9.0],
        treatment=[1, 0, 1, 0],
        outcome=[1, 0, 1, 0],
        inside=[True, True, False, False],
    )
    assert (found.low, found.high) == pytest.approx((0.15, 0.65))
    assert found.share_inside == 0.5
    assert found.ci_low < found.low < found.high < found.ci_high


def test_with_nobody_inside_it_is_manskis_interval():
    rng = np.random.default_rng(0)
    treatment, outcome = rng.integers(0, 2, 500), rng.random(500)
    found = bounds(
        scores=np.zeros(500),
        treatment=treatment,
        outcome=outcome,
        inside=np.zeros(500, dtype=bool),
        outcome_range=None,
    )
    manski = manski_bounds(treatment=treatment, outcome=outcome)
    assert (found.low, found.high) == pytest.approx((manski.low, manski.high))


def test_with_everybody_inside_it_is_a_point():
    scores = np.random.default_rng(1).normal(size=300)
    found = bounds(
        scores=scores,
        treatment=np.arange(300) % 2,
        outcome=np.zeros(300),
        inside=np.ones(300, dtype=bool),
    )
    assert found.low == found.high == pytest.approx(scores.mean())
    error = scores.std(ddof=1) / np.sqrt(300)
    assert found.ci_high - found.ci_low == pytest.approx(2 * 1.96 * error, rel=0.01)


def test_width_is_the_share_outside_times_the_outcomes_range():
    rng = np.random.default_rng(2)
    inside = rng.random(400) < 0.7
    found = bounds(
        scores=rng.normal(size=400),
        treatment=rng.integers(0, 2, 400),
        outcome=3.0 * rng.random(400),
        inside=inside,
        outcome_range=(0.0, 3.0),
    )
    assert found.high - found.low == pytest.approx(3.0 * (1.0 - inside.mean()))


def test_the_truth_lies_inside_where_a_rule_keeps_treatment_from_some():
    rng = np.random.default_rng(3)
    n = 20_000
    barred = rng.random(n) < 0.2
    cate = np.where(barred, 0.3, 0.05)
    treatment = np.where(barred, 0, rng.integers(0, 2, n))
    outcome = (rng.random(n) < 0.4 + cate * treatment).astype(float)
    known = NuisanceValues(np.full(n, 0.5), np.full(n, 0.4), np.full(n, 0.45))
    found = bounds(
        scores=dr_scores(treatment=treatment, outcome=outcome, nuisances=known),
        treatment=treatment,
        outcome=outcome,
        inside=~barred,
    )
    assert found.low < cate.mean() < found.high
    # inside: .8 x .05; outside: a control's effect is between -Y and 1 - Y, Y = .4 on average
    assert (found.low, found.high) == pytest.approx((0.04 - 0.08, 0.04 + 0.12), abs=0.02)


def test_an_outcome_beyond_its_range_is_refused():
    with pytest.raises(
        MetricError, match=r"`outcome_range` must hold every outcome; 1 of 2.*e.g. 7"
    ):
        bounds(scores=[0, 0], treatment=[1, 0], outcome=[7, 0], inside=[False, False])
