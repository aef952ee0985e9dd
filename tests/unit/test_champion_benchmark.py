"""The champion against peers: figures by hand, and one draw of a tiny world."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from benchmark_worlds import analysis_parameters, benchmark_parameters, spend_world
from sets_settings import outside_parameters

from benchmarks.champion import (
    BEST,
    CONSTANT,
    LIST,
    figures,
    over_replications,
    replication,
    report,
)
from promo_uplift.benchmark.peers import PEERS, TrainingRows, peer_effects, peer_propensity
from promo_uplift.benchmark.piece import sized_parameters, world_trials
from promo_uplift.contracts.results import TrialTruth
from promo_uplift.nuisance.seeding import derived_seed

PEER = "econml.t_learner"
WORLD = spend_world(effect_usd=25.0, log_spend_sd=0.4, zero_share=0.0, log_odds_sd=0.0)
#: A draw in which the choice without the truth is another than with it.
NUMBER = 5
SIZES = benchmark_parameters(folder="never", worlds={"tiny": spend_world()}).analysis
SIZED = sized_parameters(parameters=analysis_parameters(), sizes=SIZES)
#: By the lowest loss, so that choices by chance occur in few draws.
LOWEST = {"selection_standard_errors": 0.0, "selection_clearance": 0.0}
PARAMETERS = SIZED.model_copy(update={"estimation": SIZED.estimation.model_copy(update=LOWEST)})


def test_figures_by_hand():
    truth = TrialTruth(
        cate=np.array([10.0, 0.0, 4.0, 2.0]),
        propensity=np.full(4, 0.5),
        mu0=np.zeros(4),
        mu1=np.array([10.0, 0.0, 4.0, 2.0]),
    )
    found = figures(cate=np.array([4.0, 5.0, 2.0, 6.0]), truth=truth, policy=PARAMETERS.policy)
    # errors -6, 5, -2 and 4
    assert found["pehe"] == pytest.approx(np.sqrt(81 / 4))
    # gains less the straight line: -.5, -1.5, 0 against the oracle's 1.5, 1.5, 1
    assert found["qini_normalised"] == pytest.approx(-2.0 / 4.0)
    # a quarter of the effect less .75: 1.75, -.75, .25, -.25; all but the third are contacted
    assert found["regret_usd"] == pytest.approx(2.0 / 4 - 0.75 / 4)
    # the first, too, is left out where the list begins at 5
    listed = figures(
        cate=np.array([4.0, 5.0, 2.0, 6.0]), truth=truth, policy=PARAMETERS.policy, threshold=5.0
    )
    assert listed["regret_usd"] == pytest.approx(2.0 / 4 + 1.0 / 4)


def test_money_that_nobody_stated_and_an_effect_without_an_order_have_no_figure():
    truth = TrialTruth(cate=np.ones(4), propensity=np.full(4, 0.5), mu0=np.zeros(4), mu1=np.ones(4))
    policy = PARAMETERS.policy.model_copy(update={"are_stated": False})
    assert figures(cate=np.zeros(4), truth=truth, policy=policy) == {"pehe": 1.0}


def test_means_are_resampled_by_world_and_replication():
    values = pd.DataFrame([[-1.0, -3.0], [4.0, 4.0]])
    mean = over_replications(values, lambda means: means.mean(axis=0))
    assert mean.estimate == pytest.approx(1.0)
    # -3 (the first world twice, its lowest draw always) has 1 in 64, -2.5 has 1 in 16 more
    assert (mean.ci_low, mean.ci_high) == (-2.5, 4.0)
    lower = over_replications(values, lambda means: (means < 0.0).sum(axis=0))
    assert (lower.estimate, lower.ci_low, lower.ci_high) == (1.0, 0.0, 2.0)


@pytest.fixture(scope="module")
def drawn():
    return replication(
        name="tiny",
        world=WORLD,
        number=NUMBER,
        n_households=300,
        parameters=PARAMETERS,
        outside=outside_parameters(root=None),
        left_out=[name for _, name in PEERS if name != "t_learner"],
    )


@pytest.fixture(scope="module")
def rows():
    own = derived_seed(seed=20261125, purpose="champion/tiny", index=(300, NUMBER))
    return own, *(
        world_trials(
            world=WORLD,
            n_households=300,
            seed=derived_seed(seed=own, purpose=part),
            simulator=None,
        )
        for part in ("world", "new rows")
    )


def test_a_draw_has_ours_the_champion_and_the_peer(drawn):
    by_name = drawn.set_index("learner")
    assert set(by_name.index) == {
        "champion",
        LIST,
        BEST,
        "ours.zero",
        CONSTANT,
        "ours.t_learner",
        PEER,
        "causalml.t_learner",
    }
    chosen = f"ours.{by_name.loc['champion', 'note']}"
    assert (chosen, by_name.loc[BEST, "note"]) == ("ours.t_learner", "constant")
    for figure in ("pehe", "qini_normalised", "regret_usd"):
        assert by_name.loc["champion", figure] == by_name.loc[chosen, figure]
    competing = by_name.loc[[CONSTANT, "ours.t_learner"], "pehe"]
    assert by_name.loc[BEST, "pehe"] == competing.min()
    assert by_name.loc[CONSTANT, "pehe_over_constant"] == 1.0


def test_peers_and_the_constant_are_judged_on_new_rows_of_the_world(drawn, rows):
    own, (train, _), (test, truth) = rows
    assert not np.array_equal(train.outcome, test.outcome)
    by_name = drawn.set_index("learner")
    training = TrainingRows(
        features=train.covariates.to_numpy(),
        treatment=train.treatment,
        outcome=train.outcome,
        propensity=None,
    )
    new = test.covariates.to_numpy()
    cate = peer_effects(
        library="econml",
        learner="t_learner",
        train=training,
        new=new,
        propensity=peer_propensity(train=training, new=new),
        seed=own,
    ).cate
    error = np.sqrt(np.mean((cate - truth.cate) ** 2))
    assert by_name.loc[PEER, "pehe"] == pytest.approx(error)
    profit = 0.25 * truth.cate - 0.75
    oracle = np.maximum(profit, 0.0).mean()
    contacted = profit[0.25 * cate > 0.75].sum() / len(cate)
    assert by_name.loc[PEER, "regret_usd"] == pytest.approx(oracle - contacted)
    # one effect for all contacts everybody or nobody
    assert by_name.loc[CONSTANT, "regret_usd"] in (
        pytest.approx(oracle - profit.mean()),
        pytest.approx(oracle),
    )
    assert by_name.loc[CONSTANT, "pehe"] >= truth.cate.std()


def test_the_report_names_worlds_where_the_promise_is_not_kept(drawn):
    broken = drawn.copy()
    is_champion = broken["learner"] == "champion"
    lowest = broken.loc[broken["learner"].str.endswith("l.t_learner"), "regret_usd"].min()
    broken.loc[is_champion, "regret_usd"] = lowest + 0.01
    broken.loc[is_champion, "pehe_over_constant"] = 1.5
    broken.loc[is_champion, "pehe"] = 1e6
    text = report(broken)
    assert "champion: regret lower than every peer's in 0 of 1 worlds; not in: tiny" in text
    assert f"tiny {NUMBER}: 1.500 with" in text
    assert "beyond the mean's error" in text
    kept = drawn.copy()
    kept.loc[is_champion, "regret_usd"] = lowest - 0.01
    kept.loc[is_champion, "pehe_over_constant"] = 0.9
    kept.loc[is_champion, "pehe"] = 0.0
    text = report(kept)
    assert "champion: regret lower than every peer's in 1 of 1 worlds; not in: none" in text
    assert "above 1 in 0 of 1 replications" in text
    assert "beyond the mean's error" not in text
