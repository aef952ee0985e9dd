"""Average effects against the population that rows were drawn from, not the rows drawn.

A confidence interval of an average effect speaks of the population: it holds the sampling of
households. Held against the mean true effect of the very rows, it would cover too often wherever
effects differ much between households.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from promo_uplift.benchmark.piece import world_trials
from promo_uplift.benchmark.worlds import AnyWorld, BenchmarkParameters, SimulatedWorld
from promo_uplift.nuisance.seeding import derived_seed

EFFECT = "effect_usd"


def population_effects(*, world: AnyWorld, n_households: int, seed: int) -> dict[str, float]:
    """Average effects of a large draw of a closed-form world, USD per row.

    Parameters
    ----------
    world : World
        Of closed form.
    n_households : int
        Size of the draw.
    seed : int

    Returns
    -------
    dict of float
        ``naive_difference`` and ``aipw_ate``: the mean effect; ``aipw_att`` weighted by the true
        propensity; ``ato`` by ``e (1 - e)``. NaN where the world publishes no propensity.
    """
    _, truth = world_trials(world=world, n_households=n_households, seed=seed, simulator=None)
    e = truth.propensity
    mean = float(truth.cate.mean())
    return {
        "naive_difference": mean,
        "aipw_ate": mean,
        "aipw_att": float((e * truth.cate).sum() / e.sum()),
        "ato": float((e * (1.0 - e) * truth.cate).sum() / (e * (1.0 - e)).sum()),
    }


def against_population(
    *, results: pd.DataFrame, benchmark: BenchmarkParameters, seed: int
) -> pd.DataFrame:
    """Return the results with average effects held against their population.

    Worlds of raw tables keep the truth of their rows, and so does the overlap population, which
    the analysis itself defines.

    Parameters
    ----------
    results : DataFrame
        Of :func:`promo_uplift.benchmark.pieces.run_benchmark`.
    benchmark : BenchmarkParameters
        Its worlds, and the size of the draw.
    seed : int
        The benchmark's seed.
    """
    judged = results.copy()
    effects = judged["figure"] == EFFECT
    for name, world in benchmark.worlds.items():
        if isinstance(world, SimulatedWorld):
            continue
        truths = population_effects(
            world=world,
            n_households=benchmark.population_households,
            seed=derived_seed(seed=seed, purpose=f"benchmark/{name}/population"),
        )
        for subject, truth in truths.items():
            rows = effects & (judged["world"] == name) & (judged["subject"] == subject)
            if np.isfinite(truth):
                judged.loc[rows, "truth"] = truth
                inside = judged.loc[rows, ["ci_low", "ci_high"]]
                judged.loc[rows, "covered"] = (inside["ci_low"] <= truth) & (
                    truth <= inside["ci_high"]
                )
    return judged
