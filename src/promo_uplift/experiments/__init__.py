"""The experiment that would settle the decision: planned, drawn, and analysed."""

from promo_uplift.experiments.analysis import ExperimentFindings, analyse_experiment
from promo_uplift.experiments.assignment import Assignment, assign_households
from promo_uplift.experiments.outcome import ExperimentData, ResultCounts, join_result
from promo_uplift.experiments.plan import (
    Evidence,
    ExperimentPlan,
    plan_experiment,
)
from promo_uplift.experiments.population import Population, population
from promo_uplift.experiments.power import power_table
from promo_uplift.experiments.questions import Question
from promo_uplift.experiments.reading import read_result
from promo_uplift.experiments.recalibration import Recalibration, recalibrate
from promo_uplift.experiments.scores import experiment_scores
from promo_uplift.experiments.size import (
    ArmNoise,
    arm_noise,
    households_needed,
    households_per_arm,
    optimal_control_share,
    power_at,
    residual_sd,
    smallest_effect,
)
from promo_uplift.experiments.value import Prior, unit_normal_loss, value_of_information

__all__ = [
    "ArmNoise",
    "Assignment",
    "Evidence",
    "ExperimentData",
    "ExperimentFindings",
    "ExperimentPlan",
    "Population",
    "Prior",
    "Question",
    "Recalibration",
    "ResultCounts",
    "analyse_experiment",
    "arm_noise",
    "assign_households",
    "experiment_scores",
    "households_needed",
    "households_per_arm",
    "join_result",
    "optimal_control_share",
    "plan_experiment",
    "population",
    "power_at",
    "power_table",
    "read_result",
    "recalibrate",
    "residual_sd",
    "smallest_effect",
    "unit_normal_loss",
    "value_of_information",
]
