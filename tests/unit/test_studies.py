"""The Optuna loop: first trial, budgets, pruning, resuming, refusals."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import optuna
import pytest

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.parameters import LearnerParameters
from promo_uplift.contracts.results import Interval
from promo_uplift.nuisance.studies import (
    ALL_FOLDS,
    TRIAL_COLUMNS,
    StudyPlan,
    check_search_space,
    run_study,
)

SPACE = {
    "depth": {"kind": "int", "low": 1, "high": 9},
    "rate": {"kind": "float", "low": 0.01, "high": 1.0, "log": True},
    "rule": {"kind": "categorical", "choices": ["a", "b"]},
}
DEFAULTS = {"depth": 9, "rate": 1.0, "rule": "b", "fixed": 3}


def plan(**changes):
    settings = {
        "name": "digest/thing",
        "fold": 2,
        "parameters": LearnerParameters.model_validate(
            {"defaults": DEFAULTS, "search_space": SPACE}
        ),
        "n_trials": 12,
        "timeout_seconds": 60.0,
        "n_startup_trials": 3,
        "pruner_warmup_folds": 0,
        "seed": 4,
        "storage": None,
    }
    return StudyPlan(**{**settings, **changes})


def bowl(choice, split):
    """Lowest at depth 4, rate 0.1, rule a; the splits differ by a constant."""
    return (
        (choice["depth"] - 4) ** 2
        + np.log10(choice["rate"] * 10) ** 2
        + (choice["rule"] == "b")
        + split
    )


def finished(result):
    return result.trials[result.trials["state"] != "FAIL"].drop(columns=["number", "seconds"])


def test_the_default_is_the_first_trial_and_the_best_one_is_returned():
    result = run_study(plan=plan(), split_loss=bowl, n_splits=3)
    first = result.trials.iloc[0]
    assert {key: first[key] for key in SPACE} == {key: DEFAULTS[key] for key in SPACE}
    assert first["loss"] == pytest.approx(25 + 1 + 1 + 1)  # the bowl, by hand
    complete = result.trials[result.trials["state"] == "COMPLETE"]
    assert result.loss == complete["loss"].min() < first["loss"]
    assert np.mean([bowl(result.parameters, split) for split in range(3)]) == pytest.approx(
        result.loss
    )
    assert result.parameters["fixed"] == 3
    assert list(result.trials.columns) == [*TRIAL_COLUMNS, *SPACE]
    assert set(result.trials["stopped_by"]) == {"trials"}
    assert set(result.trials["fold"]) == {2}
    assert len(result.trials) == 12


def test_a_better_default_is_kept():
    best = LearnerParameters.model_validate(
        {"defaults": {**DEFAULTS, "depth": 4, "rate": 0.1, "rule": "a"}, "search_space": SPACE}
    )
    result = run_study(plan=plan(parameters=best), split_loss=bowl, n_splits=2)
    assert result.parameters == best.defaults


def test_equal_seeds_give_equal_studies_and_other_seeds_other_ones():
    first, again, other = (
        run_study(plan=plan(seed=seed), split_loss=bowl, n_splits=3) for seed in (4, 4, 5)
    )
    assert finished(first).equals(finished(again))
    assert not finished(first).equals(finished(other))


def test_bad_trials_are_pruned_before_their_last_split():
    calls = []

    def counted(choice, split):
        calls.append(split)
        return bowl(choice, split)

    result = run_study(plan=plan(n_trials=20), split_loss=counted, n_splits=4)
    n_pruned = int((result.trials["state"] == "PRUNED").sum())
    assert n_pruned > 0
    assert len(calls) < 20 * 4
    unpruned = run_study(plan=plan(n_trials=20, pruner_warmup_folds=4), split_loss=bowl, n_splits=4)
    assert set(unpruned.trials["state"]) == {"COMPLETE"}


def test_a_time_budget_that_binds_is_visible_and_the_default_always_runs():
    def slow(choice, split):
        time.sleep(0.05)
        return bowl(choice, split)

    result = run_study(plan=plan(timeout_seconds=0.01), split_loss=slow, n_splits=1)
    assert len(result.trials) == 1
    assert set(result.trials["stopped_by"]) == {"seconds"}
    assert result.parameters == DEFAULTS


@pytest.mark.parametrize("nothing", [{"n_trials": 0}, {"parameters": LearnerParameters()}])
def test_without_budget_or_space_the_defaults_are_used_without_a_fit(nothing):
    def never(choice, split):
        raise AssertionError("nothing to search, yet a fit was asked for")

    untuned = plan(**nothing)
    result = run_study(plan=untuned, split_loss=never, n_splits=3)
    assert result.parameters == untuned.parameters.defaults
    assert np.isnan(result.loss)
    assert len(result.trials) == 0
    assert list(result.trials.columns[: len(TRIAL_COLUMNS)]) == list(TRIAL_COLUMNS)


def test_an_interrupted_study_ends_where_an_uninterrupted_one_does(tmp_path):
    uninterrupted = run_study(plan=plan(), split_loss=bowl, n_splits=3)
    journal = str(tmp_path / "new folder" / "studies.log")
    n_calls = 0

    def dies(choice, split):
        nonlocal n_calls
        n_calls += 1
        if n_calls == 14:
            raise KeyboardInterrupt
        return bowl(choice, split)

    with pytest.raises(KeyboardInterrupt):
        run_study(plan=plan(storage=journal), split_loss=dies, n_splits=3)
    resumed_fits = []

    def counted(choice, split):
        resumed_fits.append(split)
        return bowl(choice, split)

    resumed = run_study(plan=plan(storage=journal), split_loss=counted, n_splits=3)
    assert finished(resumed).reset_index(drop=True).equals(finished(uninterrupted))
    assert resumed.parameters == uninterrupted.parameters
    assert (resumed.trials["state"] == "FAIL").sum() == 1
    n_total = sum(uninterrupted.trials["state"] == "COMPLETE") * 3
    assert len(resumed_fits) < n_total - 3  # completed trials are not redone


def test_a_finished_study_is_not_redone(tmp_path):
    stored = plan(storage=str(tmp_path / "studies.log"))
    first = run_study(plan=stored, split_loss=bowl, n_splits=3)

    def never(choice, split):
        raise AssertionError("a finished trial was redone")

    assert run_study(plan=stored, split_loss=never, n_splits=3).trials.equals(first.trials)


def test_more_trials_continue_a_study_and_another_space_begins_a_new_one(tmp_path):
    journal = str(tmp_path / "studies.log")
    run_study(plan=plan(storage=journal, n_trials=5), split_loss=bowl, n_splits=3)
    more = run_study(plan=plan(storage=journal, n_trials=12), split_loss=bowl, n_splits=3)
    assert finished(more).equals(finished(run_study(plan=plan(), split_loss=bowl, n_splits=3)))
    narrower = LearnerParameters.model_validate(
        {"defaults": DEFAULTS, "search_space": {"depth": SPACE["depth"]}}
    )
    other = run_study(
        plan=plan(storage=journal, parameters=narrower, n_trials=4), split_loss=bowl, n_splits=3
    )
    assert len(other.trials) == 4


def test_a_line_that_a_kill_tore_is_cut(tmp_path):
    journal = tmp_path / "studies.log"
    stored = plan(storage=str(journal), n_trials=5)
    first = run_study(plan=stored, split_loss=bowl, n_splits=3)
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 6, "worker')
    again = run_study(plan=stored, split_loss=bowl, n_splits=3)
    assert again.trials.equals(first.trials)
    assert journal.read_bytes().startswith(whole)
    assert b'"worker\n' not in journal.read_bytes()


def test_optunas_verbosity_is_left_as_it_was():
    before = optuna.logging.get_verbosity()
    run_study(plan=plan(n_trials=2), split_loss=bowl, n_splits=1)
    assert optuna.logging.get_verbosity() == before


def test_a_loss_that_is_not_finite_stops_the_study():
    with pytest.raises(LearnerError, match=r"`digest/thing`: the loss .* inner fold 0 gave nan"):
        run_study(plan=plan(), split_loss=lambda choice, split: float("nan"), n_splits=2)


@pytest.mark.parametrize(
    ("defaults", "message"),
    [
        ({"rate": 0.1, "rule": "a"}, r"`thing.defaults` must hold .*`depth` is missing"),
        ({"depth": 30, "rate": 0.1, "rule": "a"}, r"`thing.defaults.depth` .* \[1, 9\], got 30"),
        ({"depth": 3, "rate": 0.1, "rule": "z"}, r"`thing.defaults.rule` .*, got 'z'"),
        ({"depth": True, "rate": 0.1, "rule": "a"}, r"`thing.defaults.depth`"),
    ],
)
def test_a_default_outside_its_space_is_refused(defaults, message):
    parameters = LearnerParameters.model_validate({"defaults": defaults, "search_space": SPACE})
    with pytest.raises(LearnerError, match=message):
        check_search_space(name="thing", parameters=parameters)


def test_a_default_in_its_space_is_accepted():
    check_search_space(name="thing", parameters=plan().parameters)


def test_studies_of_other_folds_seeds_or_data_have_other_names():
    names = {
        plan().study_name,
        plan(fold=3).study_name,
        plan(fold=ALL_FOLDS).study_name,
        plan(seed=9).study_name,
        plan(name="other/thing").study_name,
    }
    assert len(names) == 5
    assert Path(plan().study_name).parts[:2] == ("digest", "thing")


def gain_of(low):
    """A gain whose interval begins at ``low``, and the choices it was asked for."""
    asked = []

    def gain(choice):
        asked.append(dict(choice))
        return Interval(low + 1.0, low, low + 2.0)

    return gain, asked


def test_a_study_without_a_proven_gain_ends_and_keeps_the_defaults():
    gain, asked = gain_of(-0.5)
    result = run_study(plan=plan(check_after_trials=5), split_loss=bowl, n_splits=3, gain=gain)
    assert len(result.trials) == 5
    assert set(result.trials["stopped_by"]) == {result.stopped_by} == {"no_gain"}
    assert result.parameters == DEFAULTS
    assert result.loss == result.trials.loc[0, "loss"] == pytest.approx(28.0)
    assert result.gain == Interval(0.5, -0.5, 1.5)
    assert len(asked) == 1  # and the same trial is not asked about twice


def test_a_proven_gain_goes_on_and_is_used():
    gain, asked = gain_of(0.1)
    result = run_study(plan=plan(check_after_trials=5), split_loss=bowl, n_splits=3, gain=gain)
    free = run_study(plan=plan(), split_loss=bowl, n_splits=3)
    assert result.stopped_by == "trials"
    assert result.parameters == free.parameters == asked[-1]
    assert finished(result).equals(finished(free))


def test_a_gain_that_is_lost_by_the_end_is_not_used():
    def gain(choice):
        is_last = choice["depth"] == last.parameters["depth"] and choice == last.parameters
        return Interval(1.0, -1.0, 3.0) if is_last else Interval(2.0, 1.0, 3.0)

    last = run_study(plan=plan(n_trials=20), split_loss=bowl, n_splits=3)
    early = run_study(plan=plan(n_trials=5), split_loss=bowl, n_splits=3)
    assert early.parameters != last.parameters
    result = run_study(
        plan=plan(n_trials=20, check_after_trials=5), split_loss=bowl, n_splits=3, gain=gain
    )
    assert result.stopped_by == "trials"
    assert result.parameters == DEFAULTS


def test_without_a_check_the_best_trial_is_used_as_it_is():
    gain, asked = gain_of(-0.5)
    result = run_study(plan=plan(), split_loss=bowl, n_splits=3, gain=gain)
    assert result.gain is None
    assert asked == []
    assert result.parameters != DEFAULTS


def test_pruned_trials_count_as_finished_and_are_never_the_best():
    gain, _ = gain_of(0.1)
    result = run_study(
        plan=plan(n_trials=20, check_after_trials=10), split_loss=bowl, n_splits=4, gain=gain
    )
    states = result.trials["state"].value_counts()
    assert states["PRUNED"] > 0
    assert states.sum() == 20
    complete = result.trials[result.trials["state"] == "COMPLETE"]
    assert result.loss == complete["loss"].min()


@pytest.mark.parametrize("low", [-0.5, 0.1])
def test_a_study_killed_at_any_trial_decides_the_same(tmp_path, low):
    gain, _ = gain_of(low)
    whole = run_study(plan=plan(check_after_trials=5), split_loss=bowl, n_splits=3, gain=gain)
    for dies_at in (2, 8, 13, 15, 20):
        stored = plan(check_after_trials=5, storage=f"sqlite:///{tmp_path}/{low}-{dies_at}.db")
        n_calls = 0

        def dies(choice, split):
            nonlocal n_calls
            n_calls += 1
            if n_calls == dies_at:  # noqa: B023 - called before the next round
                raise KeyboardInterrupt
            return bowl(choice, split)

        with suppress(KeyboardInterrupt):
            run_study(plan=stored, split_loss=dies, n_splits=3, gain=gain)
        resumed = run_study(plan=stored, split_loss=bowl, n_splits=3, gain=gain)
        assert resumed.parameters == whole.parameters
        assert (resumed.stopped_by, resumed.gain) == (whole.stopped_by, whole.gain)
        assert finished(resumed).reset_index(drop=True).equals(finished(whole))


def test_a_decision_is_kept_in_the_storage(tmp_path):
    stored = plan(check_after_trials=5, storage=str(tmp_path / "studies.log"))
    gain, _ = gain_of(-0.5)
    first = run_study(plan=stored, split_loss=bowl, n_splits=3, gain=gain)
    nobody, asked = gain_of(9.0)
    again = run_study(plan=stored, split_loss=bowl, n_splits=3, gain=nobody)
    assert asked == []
    assert again.parameters == first.parameters


WARM = ({"depth": 4, "rate": 0.1, "rule": "a"}, {"depth": 1, "rate": 0.5, "rule": "b"})


def tried(result):
    return [
        {key: row[key] for key in SPACE} for row in finished(result)[list(SPACE)].to_dict("records")
    ]


def test_a_warm_start_follows_the_defaults():
    result = run_study(plan=plan(warm_start=WARM), split_loss=bowl, n_splits=1)
    assert tried(result)[:3] == [{key: DEFAULTS[key] for key in SPACE}, *WARM]
    assert len(result.trials) == 12
    assert result.loss == pytest.approx(0.0)  # the warm point is the bottom of the bowl
    assert plan(warm_start=WARM).study_name != plan().study_name


@pytest.mark.parametrize("dies_at", [1, 2, 3, 4, 5])
def test_a_warm_start_survives_a_kill(tmp_path, dies_at):
    stored = plan(warm_start=WARM, n_trials=4, storage=str(tmp_path / "studies.log"))
    n_calls = 0

    def dies(choice, split):
        nonlocal n_calls
        n_calls += 1
        if n_calls == dies_at:
            raise KeyboardInterrupt
        return bowl(choice, split)

    with suppress(KeyboardInterrupt):
        run_study(plan=stored, split_loss=dies, n_splits=1)
    resumed = run_study(plan=stored, split_loss=bowl, n_splits=1)
    whole = run_study(plan=plan(warm_start=WARM, n_trials=4), split_loss=bowl, n_splits=1)
    assert tried(resumed) == tried(whole)
    assert len(finished(resumed)) == 4
