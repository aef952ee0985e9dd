"""History and importances: the numbers behind them, what is drawn, what is said instead."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.parameters import LearnerParameters
from promo_uplift.reporting.tuning_figures import (
    best_so_far,
    tuning_history_figure,
    tuning_importances_figure,
)
from promo_uplift.tuning.importance import Importances, importances, relative_losses

SPACE = LearnerParameters.model_validate(
    {
        "defaults": {"loud": 0.5, "quiet": 5, "rule": "a"},
        "search_space": {
            "loud": {"kind": "float", "low": 0.0, "high": 1.0},
            "quiet": {"kind": "int", "low": 1, "high": 9},
            "rule": {"kind": "categorical", "choices": ["a", "b"]},
        },
    }
).search_space

TRIALS = pd.DataFrame(
    [
        (0, 0, "COMPLETE", 10.0, "no_gain"),
        (0, 1, "PRUNED", 1.0, "no_gain"),
        (0, 2, "FAIL", np.nan, "no_gain"),
        (0, 3, "COMPLETE", 9.0, "no_gain"),
        (1, 0, "COMPLETE", 200.0, "trials"),
        (1, 1, "COMPLETE", 220.0, "trials"),
        (1, 2, "COMPLETE", 180.0, "trials"),
        (1, 3, "COMPLETE", 190.0, "trials"),
    ],
    columns=["fold", "number", "state", "loss", "stopped_by"],
)


def searched(n, weight, seed=0):
    """Trials whose loss is moved by ``loud`` (by ``weight``) and a little by ``quiet``."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "fold": np.arange(n) % 3,
            "number": np.arange(n) // 3,
            "state": "COMPLETE",
            "loud": rng.uniform(size=n),
            "quiet": rng.integers(1, 10, n),
            "rule": rng.choice(["a", "b"], n),
            "stopped_by": "trials",
        }
    )
    level = 100.0 * (1 + frame["fold"])  # folds differ far more than trials do
    return frame.assign(loss=level * (5.0 + weight * frame["loud"] + 0.1 * frame["quiet"]))


def test_losses_are_relative_to_the_defaults_of_their_fold():
    found = relative_losses(TRIALS)
    np.testing.assert_allclose(found, [1.0, np.nan, np.nan, 0.9, 1.0, 1.1, 0.9, 0.95])


def test_the_best_so_far_by_hand():
    lines = best_so_far(TRIALS)
    assert list(lines.index) == [1, 2, 3, 4]
    np.testing.assert_allclose(lines[0], [0.0, 0.0, -0.1, np.nan])  # a failed trial is no trial
    np.testing.assert_allclose(lines[1], [0.0, 0.0, -0.1, -0.1])


def importance_of(trials, min_trials=20, seed=1):
    return importances(trials=trials, search_space=SPACE, min_trials=min_trials, seed=seed)


def test_the_hyperparameter_that_moves_the_loss_is_found_across_folds():
    found = importance_of(searched(60, weight=10.0))
    assert next(iter(found.shares)) == "loud"
    assert found.shares["loud"] > 0.8
    assert sum(found.shares.values()) == pytest.approx(1.0)
    assert found.n_trials == 60
    assert next(iter(importance_of(searched(60, weight=0.0)).shares)) == "quiet"
    assert importance_of(searched(60, weight=10.0)) == found  # seeded


def test_too_few_trials_claim_nothing():
    few = searched(19, weight=10.0)
    assert importance_of(few) == Importances({}, 19)
    pruned = searched(30, weight=10.0)
    pruned.loc[pruned.index[9:], "state"] = "PRUNED"
    assert importance_of(pruned) == Importances({}, 9)
    flat = searched(30, weight=10.0).assign(loss=5.0)
    assert importance_of(flat) == Importances({}, 30)


def texts(figure):
    words = [artist.get_text() for artist in figure.findobj() if hasattr(artist, "get_text")]
    return "\n".join(words)


def png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def test_the_history_has_a_panel_a_learner_and_says_where_it_stopped():
    figure = tuning_history_figure(trials={"x_learner": TRIALS, "t_learner": TRIALS})
    shown = figure.axes
    assert [axis.get_title(loc="left") for axis in shown] == ["x_learner", "t_learner"]
    assert "the gain's interval holds 0" in texts(figure)
    assert "out of time" not in texts(figure)  # no study was
    ends = [line for line in shown[0].lines if line.get_marker() in ("X", "o")]
    points = {(float(line.get_xdata()[0]), round(float(line.get_ydata()[0]), 6)) for line in ends}
    assert points == {(3.0, -0.1), (4.0, -0.1)}
    assert png(figure).startswith(b"\x89PNG")


def test_importances_draw_what_is_known_and_name_the_rest():
    figure = tuning_importances_figure(
        found={
            "x_learner": Importances({"loud": 0.75, "quiet": 0.25}, 40),
            "t_learner": Importances({}, 12),
        },
        min_trials=20,
    )
    words = texts(figure)
    assert "x_learner (40 trials)" in words
    assert "75%" in words
    assert "t_learner (12)" in words.replace("\n", " ")
    assert "below 20" in words.replace("\n", " ")
    assert png(figure).startswith(b"\x89PNG")


def test_without_tuning_the_figures_say_so():
    for figure in (
        tuning_history_figure(trials={}),
        tuning_importances_figure(found={}, min_trials=20),
    ):
        assert "No learner was tuned" in texts(figure)
        assert png(figure).startswith(b"\x89PNG")
    few = tuning_importances_figure(found={"x": Importances({}, 3)}, min_trials=20)
    assert "x (3)" in texts(few)
