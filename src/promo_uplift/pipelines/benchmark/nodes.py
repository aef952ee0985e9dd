"""From worlds with a known truth to the trust card."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from promo_uplift.benchmark.card import CLAIMS, is_in_money, trust_card
from promo_uplift.benchmark.figures import (
    coverage_figure,
    discovery_figure,
    mde_figure,
    pehe_figure,
    regret_figure,
)
from promo_uplift.benchmark.judge import CHAMPION
from promo_uplift.benchmark.outside import outside_paragraph
from promo_uplift.benchmark.pieces import run_benchmark
from promo_uplift.benchmark.population import against_population
from promo_uplift.benchmark.record import benchmark_record
from promo_uplift.benchmark.simulated import RetailSimulator
from promo_uplift.benchmark.summary import summarise, summarise_seconds
from promo_uplift.benchmark.worlds import BenchmarkParameters
from promo_uplift.contracts.parameters import (
    AnalysisParameters,
    CheckParameters,
    EstimationParameters,
    MetricParameters,
    NuisanceParameters,
    PolicyParameters,
    TrialParameters,
    TuningParameters,
    WordingParameters,
)
from promo_uplift.reporting.run_record import RunRecord
from promo_uplift.simulation import SimulationParameters, WorldProfile


def run_worlds(
    nuisance: NuisanceParameters,
    estimation: EstimationParameters,
    tuning: TuningParameters,
    metrics: MetricParameters,
    policy: PolicyParameters,
    checks: CheckParameters,
    wording: WordingParameters,
    benchmark: BenchmarkParameters,
    profile: dict[str, Any],
    simulation: SimulationParameters,
    trials: TrialParameters,
    seed: int,
) -> pd.DataFrame:
    """Simulate, analyse and judge every replication of every world that has no file yet."""
    return run_benchmark(
        benchmark=benchmark,
        parameters=AnalysisParameters(
            nuisance=nuisance,
            estimation=estimation,
            tuning=tuning,
            metrics=metrics,
            policy=policy,
            checks=checks,
            wording=wording,
        ),
        seed=seed,
        simulator=retail_simulator(profile=profile, simulation=simulation, trials=trials),
    )


def retail_simulator(
    *, profile: dict[str, Any], simulation: SimulationParameters, trials: TrialParameters
) -> RetailSimulator:
    """Put together what simulated worlds are drawn from."""
    return RetailSimulator(
        profile=WorldProfile.model_validate(profile), parameters=simulation, trials=trials
    )


def summarise_worlds(
    results: pd.DataFrame, metrics: MetricParameters, benchmark: BenchmarkParameters, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Coverage, bias, rates and means with Monte-Carlo intervals; seconds apart."""
    judged = against_population(results=results, benchmark=benchmark, seed=seed)
    return summarise(results=judged, level=metrics.level), summarise_seconds(results=results)


def draw_benchmark(
    summary: pd.DataFrame,
    benchmark: BenchmarkParameters,
    estimation: EstimationParameters,
    metrics: MetricParameters,
) -> tuple[Figure, Figure, Figure, Figure, Figure]:
    """Draw coverage, errors, regret, discoveries and the smallest visible effects."""
    return (
        coverage_figure(summary=summary, card=benchmark.card, level=metrics.level),
        pehe_figure(summary=summary),
        regret_figure(summary=summary, learners=[CHAMPION, *estimation.candidates]),
        discovery_figure(summary=summary, decisions=CLAIMS, card=benchmark.card),
        mde_figure(
            summary=summary,
            worlds=[name for name, world in benchmark.worlds.items() if is_in_money(world)],
        ),
    )


def write_trust_card(
    summary: pd.DataFrame,
    outside: pd.DataFrame,
    comparison: pd.DataFrame,
    benchmark: BenchmarkParameters,
    metrics: MetricParameters,
    checks: CheckParameters,
) -> str:
    """Write the card from the tables alone."""
    return trust_card(
        summary=summary,
        benchmark=benchmark,
        level=metrics.level,
        power=checks.power,
        outside=outside_paragraph(rows=outside, comparison=comparison),
    )


def record_benchmark(summary: pd.DataFrame) -> RunRecord:
    """Collect what the tracking store keeps."""
    return benchmark_record(summary=summary)
