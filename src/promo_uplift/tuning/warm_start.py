"""Tuned hyperparameters that one run leaves and the next may begin with."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from promo_uplift.contracts.errors import ConfigurationError
from promo_uplift.contracts.parameters import Dimension, LearnerParameters
from promo_uplift.nuisance.studies import Choice

CHAMPION, LEARNERS = "champion", "learners"
Value = float | int | str | bool
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WarmStart:
    """Points of a search space that are tried after the defaults.

    Attributes
    ----------
    points : tuple of dict
        At most one; none where nothing was given, or what was given are the defaults.
    n_moved : int
        Given values that lay outside the space, or contradicted a default that is not searched.
    """

    points: tuple[Choice, ...] = ()
    n_moved: int = 0


def read_warm_start(path: str | None) -> dict[str, Choice]:
    """Parameters by learner, of a ``tuned_parameters.json``; none without a path.

    Raises
    ------
    ConfigurationError
        If the file is missing or holds something else.
    """
    if path is None:
        return {}
    file = Path(path)
    if not file.is_file():
        raise ConfigurationError(
            f"`tuning.warm_start` must name a file; there is none at `{path}`. Give the path of a "
            "`tuned_parameters.json` that a run wrote, or null."
        )
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"`tuning.warm_start` must name a JSON file; `{path}` is none: {error}."
        ) from error
    learners = found.get(LEARNERS) if isinstance(found, dict) else None
    if not isinstance(learners, dict) or not all(
        isinstance(choice, dict) and all(isinstance(value, Value) for value in choice.values())
        for choice in learners.values()
    ):
        raise ConfigurationError(
            f"`tuning.warm_start` must hold `{LEARNERS}: {{learner: {{parameter: value}}}}`; "
            f"`{path}` does not. Give a `tuned_parameters.json` that a run wrote."
        )
    return learners


def fitted_to_space(
    *, name: str, parameters: LearnerParameters, given: Mapping[str, Value] | None
) -> WarmStart:
    """Bring what an earlier run found into this run's search space.

    A number outside its range is moved to the nearest bound; a choice that is not offered, and a
    value that is missing, become the default's. What moved is counted and logged.

    Parameters
    ----------
    name : str
        The learner, for the message.
    parameters : LearnerParameters
        Its defaults and space.
    given : mapping or None
        Parameters of the earlier run; None without one.
    """
    if given is None or not parameters.search_space:
        return WarmStart()
    point: Choice = {}
    for key, axis in parameters.search_space.items():
        point[key] = _on_axis(axis=axis, given=given.get(key), default=parameters.defaults[key])
    moved = {
        key: value
        for key, value in given.items()
        if value != point.get(key, parameters.defaults.get(key))
    }
    if moved:
        logger.warning(
            "Warm start of %s: %d of %d values do not fit the search space and were moved: %s",
            name,
            len(moved),
            len(given),
            ", ".join(f"{key} {value}" for key, value in sorted(moved.items())),
        )
    defaults = {key: parameters.defaults[key] for key in parameters.search_space}
    return WarmStart(points=() if point == defaults else (point,), n_moved=len(moved))


def _on_axis(*, axis: Dimension, given: Value | None, default: Value) -> Value:
    if axis.kind == "categorical":
        return given if axis.choices is not None and given in axis.choices else default
    if given is None or isinstance(given, str | bool) or axis.low is None or axis.high is None:
        return default
    inside = min(max(given, axis.low), axis.high)
    return round(inside) if axis.kind == "int" else float(inside)


def tuned_parameters(
    *,
    champion: str,
    deployed: Mapping[str, Value],
    by_fold: Mapping[str, Sequence[Mapping[str, Value]]],
) -> dict[str, Any]:
    """Collect what the next run may begin with: one set of parameters per learner.

    Parameters
    ----------
    champion : str
        The learner that is deployed.
    deployed : mapping
        Its parameters, tuned over all folds.
    by_fold : mapping of str to sequence of mapping
        Chosen parameters of every learner, one per held-out fold: numbers give their median,
        everything else the most frequent one.

    Examples
    --------
    >>> folds = {"t_learner": [{"depth": 2}, {"depth": 3}, {"depth": 9}], "x_learner": [{"a": 1.5}]}
    >>> tuned_parameters(champion="x_learner", deployed={"a": 1.0}, by_fold=folds)
    {'champion': 'x_learner', 'learners': {'t_learner': {'depth': 3}, 'x_learner': {'a': 1.0}}}
    """
    learners = {
        name: {key: _typical([choice[key] for choice in choices]) for key in choices[0]}
        for name, choices in by_fold.items()
        if choices and choices[0]
    }
    if deployed:
        learners[champion] = dict(deployed)
    return {CHAMPION: champion, LEARNERS: learners}


def _typical(values: Sequence[Value]) -> Value:
    numbers = [value for value in values if not isinstance(value, str | bool)]
    if len(numbers) < len(values):
        return Counter(values).most_common(1)[0][0]
    middle = median(numbers)
    return round(middle) if all(isinstance(value, int) for value in numbers) else float(middle)
