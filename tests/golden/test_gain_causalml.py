"""causalml, fed with doubly robust scores as its true effect, ranks the same quantity."""

import numpy as np
import pandas as pd
import pytest
from gain_areas import areas, curve

metrics = pytest.importorskip("causalml.metrics", reason="causalml has no wheel for Python 3.13")

EXACT = 1e-10


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(11)
    n = 500
    ranking = rng.normal(size=n)
    return ranking, ranking + rng.normal(0, 3, n), rng.integers(0, 2, n)


def test_cumulative_gain_is_n_times_our_curve(world):
    ranking, scores, _ = world
    frame = pd.DataFrame({"tau": scores, "model": ranking})
    theirs = metrics.get_cumgain(frame, treatment_effect_col="tau", normalize=False)["model"]
    n = len(scores)
    ours = curve(scores, ranking, np.arange(n + 1) / n)
    np.testing.assert_allclose(ours * n, theirs.to_numpy(), atol=1e-8)


def test_auuc_score_is_ours_by_exact_algebra(world):
    """Theirs is the mean of n Q(k / n) over k = 0..n; ours the trapezoid of Q."""
    ranking, scores, _ = world
    frame = pd.DataFrame({"tau": scores, "model": ranking})
    theirs = metrics.auuc_score(frame, treatment_effect_col="tau", normalize=False)["model"]
    n = len(scores)
    found = areas(scores, ranking)
    assert found["auuc"] == pytest.approx(((n + 1) * theirs / n - found["q1"] / 2) / n, abs=EXACT)


def test_qini_score_is_ours_where_all_rows_are_treated(world):
    """Theirs scales the curve by the treated so far, which is k only if all are treated.

    It then is the mean of n (Q(k/n) - k/n Q(1)) over k = 0..n, whose end points are 0: n / (n +
    1) times n times our trapezoid.
    """
    ranking, scores, _ = world
    frame = pd.DataFrame({"tau": scores, "w": 1, "model": ranking})
    theirs = metrics.qini_score(frame, treatment_effect_col="tau", normalize=False)["model"]
    n = len(scores)
    assert areas(scores, ranking)["qini"] == pytest.approx(theirs * (n + 1) / n**2, abs=EXACT)


def test_qini_score_differs_where_some_rows_are_controls(world):
    ranking, scores, treatment = world
    frame = pd.DataFrame({"tau": scores, "w": treatment, "model": ranking})
    theirs = metrics.qini_score(frame, treatment_effect_col="tau", normalize=False)["model"]
    n = len(scores)
    ours = areas(scores, ranking)["qini"]
    assert abs(theirs * (n + 1) / n**2 - ours) > 0.1 * abs(ours)


def test_auuc_score_depends_on_the_order_of_ties_and_ours_does_not(world):
    _, scores, _ = world
    up, down = np.sort(scores), np.sort(scores)[::-1]
    theirs, ours = [], []
    for ordered in (up, down):
        frame = pd.DataFrame({"tau": ordered, "model": 1.0})
        theirs.append(
            metrics.auuc_score(frame, treatment_effect_col="tau", normalize=False)["model"]
        )
        ours.append(areas(ordered, np.ones(len(ordered)))["auuc"])
    assert abs(theirs[0] - theirs[1]) > 1.0
    assert ours[0] == pytest.approx(ours[1], abs=EXACT)


def test_the_mean_of_its_toc_is_the_published_autoc_and_ours_up_to_log_n_over_n(world):
    ranking, scores, _ = world
    frame = pd.DataFrame({"tau": scores, "model": ranking})
    published = metrics.get_toc(frame, treatment_effect_col="tau")["model"].iloc[1:].mean()
    ours = areas(scores, ranking)["autoc"]
    n = len(scores)
    assert ours == pytest.approx(published, abs=np.ptp(scores) * np.log(n) / n)
    assert ours != pytest.approx(published, abs=EXACT)
