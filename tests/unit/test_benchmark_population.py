"""Average effects are held against the population, not against the rows that were drawn."""

import numpy as np
import pandas as pd
import pytest
from benchmark_worlds import analysis_parameters, benchmark_parameters, nie_wager_world

from promo_uplift.benchmark.piece import with_nuisance_of
from promo_uplift.benchmark.population import against_population, population_effects

#: Nie & Wager's setup b is a lottery with effect x1 + log(1 + exp(x2)), x standard normal.
SETUP_B = nie_wager_world(setup="b")


def expected_effect():
    """E[log(1 + exp(Z))] of a standard normal, by Gauss-Hermite quadrature; E[x1] = 0."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    return float((weights * np.log1p(np.exp(nodes))).sum() / weights.sum())


def test_the_population_has_the_effect_of_the_formula():
    found = population_effects(world=SETUP_B, n_households=200_000, seed=1)
    assert found["aipw_ate"] == pytest.approx(expected_effect(), abs=0.01)
    for estimand in ("aipw_att", "ato", "naive_difference"):
        assert found[estimand] == pytest.approx(found["aipw_ate"], abs=0.01)


def row(**changed):
    values = {
        "world": "b",
        "n_households": 300,
        "depth": "full",
        "replication": 0,
        "subject": "aipw_ate",
        "figure": "effect_usd",
        "value": 0.8,
        "truth": 0.3,
        "ci_low": 0.7,
        "ci_high": 0.9,
        "covered": False,
    }
    return values | changed


def test_only_average_effects_are_held_against_the_population(tmp_path):
    benchmark = benchmark_parameters(folder=tmp_path, worlds={"b": SETUP_B})
    rows = [
        row(),
        row(ci_low=0.3, ci_high=0.5),
        row(subject="aipw_ate_overlap"),
        row(figure="qini_usd"),
        row(world="of raw tables"),
    ]
    results = pd.DataFrame(rows)
    judged = against_population(results=results, benchmark=benchmark, seed=1)
    assert judged["truth"].iloc[:2].tolist() == pytest.approx([expected_effect()] * 2, abs=0.03)
    assert judged["covered"].tolist() == [True, False, False, False, False]
    pd.testing.assert_frame_equal(judged.iloc[2:], results.iloc[2:])


def test_a_world_may_size_its_nuisances():
    parameters = analysis_parameters()
    world = nie_wager_world(nuisance={"num_leaves": 3})
    sized = with_nuisance_of(world=world, parameters=parameters).nuisance.model
    assert sized.defaults == {**parameters.nuisance.model.defaults, "num_leaves": 3}
    assert with_nuisance_of(world=SETUP_B, parameters=parameters) is parameters
