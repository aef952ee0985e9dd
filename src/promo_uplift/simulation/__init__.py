"""A world with a known truth: fitted to the real tables, written as their raw tables."""

from promo_uplift.contracts.streams import TableStream, write_stream
from promo_uplift.simulation.fit_figure import fit_figure
from promo_uplift.simulation.fitting import fit_profile
from promo_uplift.simulation.marginals import Marginals, goodness_of_fit, marginals
from promo_uplift.simulation.parameters import ProfileParameters, SimulationParameters
from promo_uplift.simulation.policies import true_policy_values
from promo_uplift.simulation.profile import WorldProfile
from promo_uplift.simulation.raw_tables import (
    SimulatedWorld,
    raw_streams,
    simulate_world,
    write_world,
)
from promo_uplift.simulation.store_study import (
    StoreStudy,
    StoreStudyParameters,
    simulate_store_study,
)
from promo_uplift.simulation.trials import table_trials, world_tables, world_trials
from promo_uplift.simulation.world import World, build_world

__all__ = [
    "Marginals",
    "ProfileParameters",
    "SimulatedWorld",
    "SimulationParameters",
    "StoreStudy",
    "StoreStudyParameters",
    "TableStream",
    "World",
    "WorldProfile",
    "build_world",
    "fit_figure",
    "fit_profile",
    "goodness_of_fit",
    "marginals",
    "raw_streams",
    "simulate_store_study",
    "simulate_world",
    "table_trials",
    "true_policy_values",
    "world_tables",
    "world_trials",
    "write_stream",
    "write_world",
]
