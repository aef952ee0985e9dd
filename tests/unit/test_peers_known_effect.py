"""Every peer on a world whose effect is known: it runs as its library means it to."""

from __future__ import annotations

import numpy as np
import pytest

from promo_uplift.benchmark.peers import (
    PEERS,
    TrainingRows,
    peer_effects,
    peer_propensity,
)
from promo_uplift.contracts.errors import LearnerError

N = 800


def world(seed):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(N, 4))
    propensity = 1.0 / (1.0 + np.exp(-features[:, 0]))
    treatment = (rng.random(N) < propensity).astype(np.int64)
    cate = 5.0 + 4.0 * (features[:, 1] > 0.0)
    outcome = 3.0 * features[:, 0] + cate * treatment + rng.normal(size=N)
    return features, treatment, outcome, cate


@pytest.fixture(scope="module")
def effects():
    features, treatment, outcome, _ = world(1)
    new, _, _, cate = world(2)
    train = TrainingRows(features, treatment, outcome, None)
    propensity = peer_propensity(train=train, new=new)
    found = {
        (library, learner): peer_effects(
            library=library,
            learner=learner,
            train=train,
            new=new,
            propensity=propensity,
            seed=3,
        ).cate
        for library, learner in PEERS
    }
    return found, cate


# Average 7, spread 2. Defaults of 31 leaves on 800 rows overfit the learners that divide by a
# residual or a propensity: their bounds say so.
NOISY = {("econml", "dr_learner"), ("econml", "r_learner"), ("causalml", "r_learner")}


@pytest.mark.parametrize("peer", PEERS, ids=".".join)
def test_a_peer_finds_the_average_and_the_order(peer, effects):
    found, cate = effects
    own = found[peer]
    assert own.shape == (N,)
    assert abs(own.mean() - cate.mean()) < (2.5 if peer in NOISY else 0.8)
    assert np.corrcoef(own, cate)[0, 1] > (0.2 if peer in NOISY else 0.6)


def test_both_libraries_agree_on_the_learner_that_is_the_same(effects):
    found, _ = effects
    for learner in ("s_learner", "t_learner"):
        correlation = np.corrcoef(found["econml", learner], found["causalml", learner])[0, 1]
        assert correlation > 0.98


def small(name="s_learner", library="econml", features=None, propensity=None):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2)) if features is None else features
    train = TrainingRows(x, np.arange(60) % 2, rng.normal(size=60), propensity)
    return peer_effects(
        library=library,
        learner=name,
        train=train,
        new=x,
        propensity=peer_propensity(
            train=TrainingRows(x, train.treatment, train.outcome, np.full(60, 0.5)), new=x
        ),
        seed=1,
    )


def test_a_known_propensity_is_given_as_it_is():
    train = TrainingRows(np.zeros((4, 1)), np.array([0, 1, 0, 1]), np.zeros(4), np.full(4, 0.75))
    given = peer_propensity(train=train, new=np.zeros((2, 1)))
    np.testing.assert_array_equal(given.new, [0.75, 0.75])


def test_equal_seeds_give_equal_effects():
    np.testing.assert_array_equal(
        small("x_learner", "causalml").cate, small("x_learner", "causalml").cate
    )


def test_unknown_peers_are_refused():
    with pytest.raises(LearnerError, match=r"`learner` must be one of.*got `causalml.linear_dml`"):
        small("linear_dml", "causalml")


def test_missing_covariates_are_refused_with_their_number():
    features = np.zeros((60, 2))
    features[3, 1] = np.nan
    with pytest.raises(LearnerError, match="must hold no missing value for a peer; found 2"):
        small(features=features)
