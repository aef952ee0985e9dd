"""Off-policy values against Open Bandit's own library, on its data with its true propensities.

Saito, Aihara, Matsutani & Narita (2021), arXiv:2008.07146: ZOZOTOWN's log of 10,000 rounds for each
policy and campaign, as the package ``obp`` ships it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import obp
import pandas as pd
import pytest

from promo_uplift.policy import LoggedActions, off_policy_values

TOLERANCE = 1e-6
SWITCH_AT = 1.5


@pytest.fixture(scope="module")
def estimators():
    """The package's estimators alone: numpy, though their annotations and neighbours name torch."""
    torch, package = ModuleType("torch"), ModuleType("obp.ope")
    torch.Tensor = type("Tensor", (), {})
    torch.tensor = torch.Tensor
    package.__path__ = [str(Path(obp.__file__).parent / "ope")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch", torch)
        patch.setitem(sys.modules, "obp.ope", package)
        return import_module("obp.ope.estimators")


def theirs(ope):
    """Their estimators by our names."""
    return {
        "ipw": ope.InverseProbabilityWeighting(),
        "self_normalised_ipw": ope.SelfNormalizedInverseProbabilityWeighting(),
        "direct": ope.DirectMethod(),
        "doubly_robust": ope.DoublyRobust(),
        "self_normalised_dr": ope.SelfNormalizedDoublyRobust(),
        "switch_dr": ope.SwitchDoublyRobust(tau=SWITCH_AT),
    }


def rounds(policy, campaign):
    """Rounds that a policy logged: item shown, its propensity, whether it was clicked."""
    folder = Path(obp.__file__).parent / "dataset" / "obd" / policy / campaign
    return pd.read_csv(folder / f"{campaign}.csv", index_col=0)


def shares(table, n_items):
    """How often each item was shown in each of the three places: a policy without a context."""
    counts = np.zeros((4, n_items))
    np.add.at(counts, (table["position"].to_numpy(), table["item_id"].to_numpy()), 1.0)
    return counts[1:] / counts[1:].sum(axis=1, keepdims=True)


@pytest.mark.parametrize("campaign", ["men", "women"])
@pytest.mark.parametrize("logger", ["random", "bts"])
def test_values_are_obps_on_open_bandit(estimators, logger, campaign):
    log = rounds(logger, campaign)
    other = rounds({"random": "bts", "bts": "random"}[logger], campaign)
    n_items = int(max(log["item_id"].max(), other["item_id"].max())) + 1
    place = log["position"].to_numpy() - 1
    action, reward = log["item_id"].to_numpy(), log["click"].to_numpy(dtype=float)
    policy = shares(other, n_items)[place]
    # clicks of each item, shrunk to the mean, and by the user's affinity to it
    clicks = np.bincount(action, weights=reward, minlength=n_items)
    shown = np.bincount(action, minlength=n_items)
    affinity = log.filter(like="affinity").to_numpy()[:, :n_items]
    model = (clicks + 50.0 * reward.mean()) / (shown + 50.0) * (1.0 + 0.1 * affinity)
    ours = off_policy_values(
        logged=LoggedActions(
            action=action,
            probability=log["propensity_score"].to_numpy(),
            reward=reward,
            groups=np.arange(len(log)),
        ),
        policy=policy,
        reward_model=model,
        switch_at=SWITCH_AT,
        level=0.95,
    )
    assert 0 < ours.weights.n_switched < len(log)
    assert set(ours.by_estimator) == set(theirs(estimators))
    asked = {
        "reward": reward,
        "action": action,
        "position": np.zeros(len(log), dtype=int),
        "pscore": log["propensity_score"].to_numpy(),
        "action_dist": policy[:, :, np.newaxis],
        "estimated_rewards_by_reg_model": model[:, :, np.newaxis],
    }
    for name, estimator in theirs(estimators).items():
        expected = estimator.estimate_policy_value(**asked)
        assert ours.by_estimator[name].estimate == pytest.approx(expected, rel=0.0, abs=TOLERANCE)
        # their bootstrap of the rounds has the same spread, as far as 400 draws know its tails
        bounds = estimator.estimate_interval(
            **asked, alpha=0.05, n_bootstrap_samples=400, random_state=1
        )
        width = bounds["95.0% CI (upper)"] - bounds["95.0% CI (lower)"]
        if not name.startswith("self_normalised"):  # theirs holds the mean weight fixed
            assert 2 * 1.96 * ours.by_estimator[name].se == pytest.approx(width, rel=0.2)


def test_what_the_other_policy_earned_lies_in_the_interval():
    """Thompson sampling valued from the uniform log, beside the clicks that it did bring."""
    log, live = rounds("random", "all"), rounds("bts", "all")
    n_items = int(max(log["item_id"].max(), live["item_id"].max())) + 1
    ours = off_policy_values(
        logged=LoggedActions(
            action=log["item_id"].to_numpy(),
            probability=log["propensity_score"].to_numpy(),
            reward=log["click"].to_numpy(dtype=float),
            groups=np.arange(len(log)),
        ),
        policy=shares(live, n_items)[log["position"].to_numpy() - 1],
        level=0.95,
    )
    found = ours.interval("self_normalised_ipw")
    assert found.ci_low < live["click"].mean() < found.ci_high
    assert ours.weights.mean == pytest.approx(1.0, abs=0.05)
