"""Worlds of raw tables: the simulator's households, through the code that a run's data take."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promo_uplift.benchmark.worlds import SimulatedWorld
from promo_uplift.contracts.errors import ConfigurationError
from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.contracts.results import TrialData, TrialTruth
from promo_uplift.simulation import (
    SimulationParameters,
    WorldProfile,
    simulate_world,
    world_trials,
)

#: Threads of a worker's engine: workers are the parallelism.
ENGINE_THREADS = 1


@dataclass(frozen=True, slots=True)
class RetailSimulator:
    """What simulated worlds are drawn from.

    Attributes
    ----------
    profile : WorldProfile
        Aggregates of the real tables.
    parameters : SimulationParameters
        The run's own; a world overrides some of them.
    trials : TrialParameters
        How trials are cut out of the raw tables.
    """

    profile: WorldProfile
    parameters: SimulationParameters
    trials: TrialParameters

    def digest(self) -> str:
        """Digest of all three, 12 hexadecimal characters."""
        parts = (self.profile, self.parameters, self.trials)
        text = json.dumps([part.model_dump(mode="json") for part in parts], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def overridden(base: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mapping with the leaves of ``changed`` in place of those of ``base``.

    Examples
    --------
    >>> overridden({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
    {'a': {'b': 1, 'c': 3}}
    """
    merged = dict(base)
    for key, value in changed.items():
        inner = merged.get(key)
        if isinstance(inner, Mapping) and isinstance(value, Mapping):
            merged[key] = overridden(inner, value)
        else:
            merged[key] = value
    return merged


def simulated_trials(
    *, world: SimulatedWorld, n_households: int, seed: int, simulator: RetailSimulator | None
) -> tuple[TrialData, TrialTruth]:
    """Trials and truth of a simulated retailer, built as the pipeline builds them.

    Raises
    ------
    ConfigurationError
        If there is no simulator to draw from.
    ValidationError
        If the world's parameters are not the simulator's.
    """
    if simulator is None:
        raise ConfigurationError(
            "`benchmark.worlds` holds a world of kind 'simulated', and there is no simulator to "
            "draw it from. Run the benchmark with the profile of the real tables."
        )
    parameters = SimulationParameters.model_validate(
        overridden(simulator.parameters.model_dump(), world.parameters)
        | {"n_households": n_households}
    )
    simulated = simulate_world(profile=simulator.profile, parameters=parameters, seed=seed)
    return world_trials(world=simulated, trials=simulator.trials, n_threads=ENGINE_THREADS)
