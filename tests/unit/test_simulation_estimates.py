"""What the project's own estimates find in worlds whose effect is known."""

from __future__ import annotations

import numpy as np
import pytest
from simulation_worlds import parameters, profile, trial_parameters

from promo_uplift.contracts.results import NuisanceValues
from promo_uplift.effects import clustered_mean
from promo_uplift.nuisance.scores import dr_scores
from promo_uplift.simulation import simulate_world, world_trials

PROFILE = profile()
N_WORLDS = 4
SPAN = {"first_date": "2017-03-25", "days": 170}


def estimate(*, seed, effect, lottery, n_households=700, **changes):
    """AIPW with the true propensity and a rough outcome model, through the pipeline's own code."""
    world = simulate_world(
        profile=PROFILE,
        parameters=parameters(
            n_households=n_households,
            span=SPAN,
            effect=effect,
            targeting={"confounding": 0.0 if lottery else 1.0, "min_propensity": 0.1},
            n_products=100,
            promotions_per_week=1,
            **changes,
        ),
        seed=seed,
    )
    data, truth = world_trials(world=world, trials=trial_parameters(), n_threads=1)
    # spend before explains spend after: any fixed function keeps the scores unbiased
    baseline = data.covariates["pre_spend_usd"].to_numpy() / 3.0
    nuisances = NuisanceValues(propensity=truth.propensity, mu0=baseline, mu1=baseline)
    scores = dr_scores(treatment=data.treatment, outcome=data.outcome, nuisances=nuisances)
    mean = clustered_mean(values=scores, groups=data.groups)
    return data, truth, mean


#: World -> (effect, whether the list is a lottery).
WORLDS = {
    "an effect, a lottery": (60.0, True),
    "no effect, the fitted rule": (0.0, False),
}


@pytest.mark.parametrize(("usd", "lottery"), WORLDS.values(), ids=WORLDS.keys())
def test_a_constant_effect_is_found_within_the_interval(usd, lottery):
    effect = {"function": "constant", "mean_usd": usd} if usd else {"function": "zero"}
    covered, gaps, errors, naive = [], [], [], []
    for seed in range(N_WORLDS):
        data, truth, mean = estimate(seed=seed, effect=effect, lottery=lottery)
        assert truth.cate == pytest.approx(usd, abs=1e-9)
        interval = mean.interval(level=0.95)
        covered.append(interval.ci_low <= usd <= interval.ci_high)
        gaps.append(mean.estimate - usd)
        errors.append(mean.se)
        naive.append(
            data.outcome[data.treatment == 1].mean() - data.outcome[data.treatment == 0].mean()
        )
    # all but one of four: less would happen in 1 of 70 sets of seeds, and these are fixed
    assert sum(covered) >= N_WORLDS - 1
    assert abs(np.mean(gaps)) < 3.0 * np.mean(errors) / np.sqrt(N_WORLDS)
    assert np.mean(errors) < 20.0
    # the rule is worth adjusting for: a plain difference is far off
    assert lottery or min(naive) > 20.0
