"""Naive, IPW and DR side by side: equal to other libraries, and right where they say they are."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklift.metrics import uplift_at_k

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.parameters import MetricParameters
from promo_uplift.contracts.results import CrossFittedNuisances, TrialData
from promo_uplift.metrics import metric_versions, ranking_metrics
from promo_uplift.metrics.arm_differences import arm_influence
from promo_uplift.metrics.influence import clustered_se
from promo_uplift.nuisance.scores import dr_scores

SHARES = [0.2]
FIGURES = ("auuc", "qini", "autoc", "uplift_at_20")
PARAMETERS = MetricParameters(
    uplift_shares=SHARES, level=0.95, bootstrap_replicates=50, interval="analytic"
)
#: With x uniform, effect 2 + 4 x, ranked by x: Q(q) = 6 q - 2 q^2.
TRUTH = {"auuc": 3.0 - 2.0 / 3.0, "qini": 1.0 / 3.0, "autoc": 1.0, "uplift_at_20": 5.6}


def world(rng, n, *, confounded):
    """Effect 2 + 4 x on a level of 20 x; where confounded, high x is treated more often."""
    x = rng.uniform(size=n)
    propensity = 0.2 + 0.6 * x if confounded else np.full(n, 0.4)
    treatment = (rng.uniform(size=n) < propensity).astype(np.int64)
    mu0, mu1 = 20.0 * x, 22.0 * x + 2.0 + 2.0 * x
    outcome = np.where(treatment == 1, mu1, mu0) + rng.normal(0.0, 3.0, n)
    return x, propensity, treatment, outcome, mu0, mu1


def tables(rng, n, *, confounded, is_known):
    """Versions of a ranking by x; the nuisances are the true ones, one fold learned nothing."""
    x, propensity, treatment, outcome, mu0, mu1 = world(rng, n, confounded=confounded)
    fold = np.arange(n) % 3
    data = TrialData(
        covariates=pd.DataFrame({"x": x}),
        treatment=treatment,
        outcome=outcome,
        redeemed=np.zeros(n),
        groups=np.arange(n),
        campaign=np.ones(n, dtype=np.int64),
    )

    def columns(values):
        return np.repeat(values[:, np.newaxis], 3, axis=1)

    nuisances = CrossFittedNuisances(
        fold=fold,
        propensity=columns(propensity),
        mu0=columns(mu0),
        mu1=columns(mu1),
        redemption=columns(np.zeros(n)),
        raw_propensity_held_out=propensity,
        n_clipped=7,
        clip=0.02,
        tuned=pd.DataFrame(),
        is_propensity_known=is_known,
    )
    rankings = {"by_x": x, "response": -x, "random": rng.normal(size=n), "constant": np.ones(n)}
    ranking = ranking_metrics(
        scores=dr_scores(treatment=treatment, outcome=outcome, nuisances=nuisances.held_out()),
        rankings=rankings,
        fold=fold,
        groups=data.groups,
        parameters=PARAMETERS,
        rng=rng,
    )
    return data, nuisances, rankings, ranking


def versions(rng, n, **kind):
    data, nuisances, rankings, ranking = tables(rng, n, **kind)
    table = metric_versions(
        data=data,
        nuisances=nuisances,
        rankings=rankings,
        ranking=ranking,
        uplift_shares=SHARES,
    )
    return table, ranking


@pytest.fixture(scope="module")
def observed():
    return versions(np.random.default_rng(1), 20_000, confounded=True, is_known=False)


@pytest.fixture(scope="module")
def experiment():
    return versions(np.random.default_rng(2), 20_000, confounded=False, is_known=True)


def of(table, learner="by_x"):
    return table[table["learner"] == learner].set_index(["figure", "version"])


@pytest.mark.parametrize("figure", FIGURES)
def test_in_a_confounded_world_the_naive_version_is_wrong_and_the_others_are_right(
    observed, figure
):
    table = of(observed[0])
    truth = TRUTH[figure]
    naive = table.loc[(figure, "naive")]
    assert not naive["ci_low"] <= truth <= naive["ci_high"]
    for version in ("ipw", "dr"):
        row = table.loc[(figure, version)]
        assert row["ci_low"] <= truth <= row["ci_high"], version


@pytest.mark.parametrize("figure", FIGURES)
def test_in_an_experiment_all_three_agree(experiment, figure):
    table = of(experiment[0])
    for version in ("naive", "ipw", "dr"):
        row = table.loc[(figure, version)]
        assert row["ci_low"] <= TRUTH[figure] <= row["ci_high"], version
    naive, ipw = table.loc[(figure, "naive")], table.loc[(figure, "ipw")]
    assert naive["estimate"] == pytest.approx(ipw["estimate"], rel=1e-9)
    dr = table.loc[(figure, "dr")]
    assert dr["ci_high"] - dr["ci_low"] < naive["ci_high"] - naive["ci_low"]


def test_the_dr_version_is_the_leaderboards(observed):
    table, ranking = observed
    for learner, figures in ranking.figures.items():
        mine = of(table, learner)
        for figure in FIGURES:
            row = mine.loc[(figure, "dr")]
            assert (row["estimate"], row["ci_low"]) == (
                figures[figure].estimate,
                figures[figure].ci_low,
            )
    assert set(table["interval"]) == {"analytic"}
    assert len(table) == len(ranking.figures) * len(FIGURES) * 3


def test_each_version_says_when_it_is_right(observed, experiment):
    sentences = observed[0].groupby("version")["valid_when"].unique()
    assert "nobody drew lots" in sentences["naive"][0]
    assert "7 of 20,000 propensities were clipped" in sentences["ipw"][0]
    assert "or the outcome models" in sentences["dr"][0]
    sentences = experiment[0].groupby("version")["valid_when"].unique()
    assert "so it was here" in sentences["naive"][0]
    uneven, _ = versions(np.random.default_rng(3), 600, confounded=True, is_known=True)
    assert "differed by design" in of(uneven).loc[("auuc", "naive"), "valid_when"]


def test_a_ranking_that_ties_all_has_the_plain_difference_of_the_arms():
    rng = np.random.default_rng(4)
    _, _, treatment, outcome, _, _ = world(rng, 500, confounded=True)
    found = arms(treatment, outcome, np.zeros(500), np.ones(500), np.ones(500))
    difference = outcome[treatment == 1].mean() - outcome[treatment == 0].mean()
    assert found["uplift_at_20"].estimate == pytest.approx(difference)
    assert found["auuc"].estimate == pytest.approx(difference / 2.0)
    assert found["qini"].estimate == pytest.approx(0.0, abs=1e-12)
    assert found["autoc"].estimate == pytest.approx(0.0, abs=1e-12)
    groups = [outcome[treatment == arm] for arm in (0, 1)]
    welch = np.sqrt(sum(group.var() / len(group) for group in groups))
    se = clustered_se(sums=found["uplift_at_20"].terms, n_rows=500)
    assert se == pytest.approx(welch, rel=0.01)


def arms(treatment, outcome, ranking, weight_1, weight_0, fold=None):
    return arm_influence(
        outcome=outcome,
        weight_1=treatment * weight_1,
        weight_0=(1 - treatment) * weight_0,
        ranking=ranking,
        fold=np.zeros(len(treatment), dtype=np.int64) if fold is None else fold,
        uplift_shares=SHARES,
    )


def test_uplift_at_k_is_scikit_uplifts():
    rng = np.random.default_rng(5)
    _, _, treatment, outcome, _, _ = world(rng, 1_000, confounded=True)
    ranking, bought = rng.normal(size=1_000), (outcome > 11.0).astype(float)
    found = arms(treatment, bought, ranking, np.ones(1_000), np.ones(1_000))["uplift_at_20"]
    theirs = uplift_at_k(bought, ranking, treatment, strategy="overall", k=0.2)
    assert found.estimate == pytest.approx(theirs, abs=1e-12)


def test_the_area_is_causalmls():
    metrics = pytest.importorskip("causalml.metrics", reason="no causalml for this Python")
    rng = np.random.default_rng(6)
    _, _, treatment, outcome, _, _ = world(rng, 2_000, confounded=True)
    ranking = rng.normal(size=2_000)
    frame = pd.DataFrame({"model": ranking, "w": treatment, "y": outcome})
    theirs = metrics.auuc_score(frame, outcome_col="y", treatment_col="w", normalize=False)
    found = arms(treatment, outcome, ranking, np.ones(2_000), np.ones(2_000))["auuc"].estimate
    # theirs is in sums over the rows, and the first rows, of one arm, count as 0 there
    assert found == pytest.approx(theirs["model"] / 2_000, rel=0.01)


@pytest.mark.parametrize("confounded", [False, True])
@pytest.mark.parametrize("levels", [0, 25])
def test_the_influence_is_the_derivative_towards_a_row(confounded, levels):
    rng = np.random.default_rng(7)
    n, row, step = 80, 13, 1e-6
    x, propensity, treatment, outcome, _, _ = world(rng, n, confounded=confounded)
    ranking = np.round(levels * x) if levels else x
    found = arms(treatment, outcome, ranking, 1.0 / propensity, 1.0 / (1.0 - propensity))
    before = by_hand(treatment, outcome, ranking, propensity, np.full(n, 1.0 / n))
    counted = np.full(n, (1.0 - step) / n)
    counted[row] += step
    after = by_hand(treatment, outcome, ranking, propensity, counted)
    for name in ("auuc", "qini", "autoc"):
        assert found[name].estimate == pytest.approx(before[name])
        moved = (after[name] - before[name]) / step
        assert found[name].terms[row] == pytest.approx(moved, rel=1e-3, abs=1e-3), name


def by_hand(treatment, outcome, ranking, propensity, counted):
    """Areas from loops over the tops of the ranking."""
    shares, lifts, unknown = [], [], 0
    for level in np.unique(ranking)[::-1]:
        top = ranking >= level
        shares.append(counted[top].sum())
        means = []
        for arm, chance in ((1, propensity), (0, 1.0 - propensity)):
            inside = top & (treatment == arm)
            weight = (counted / chance)[inside]
            means.append(np.average(outcome[inside], weights=weight) if len(weight) else None)
        lifts.append(means)
        unknown += None in means
    for arm in (0, 1):
        first = next(means[arm] for means in lifts if means[arm] is not None)
        for means in lifts:
            means[arm] = first if means[arm] is None else means[arm]
    lift = np.array([one - other for one, other in lifts])
    share = np.r_[0.0, shares]
    auuc = float(np.trapezoid(np.r_[0.0, lift * shares], share))
    return {
        "auuc": auuc,
        "qini": auuc - 0.5 * lift[-1],
        "autoc": float(np.trapezoid(np.r_[lift[0], lift], share)) - lift[-1],
    }


def test_intervals_of_naive_and_ipw_hold_the_truth_as_often_as_they_say():
    simulations, n = 200, 1_200
    hits = {(version, name): 0 for version in ("naive", "ipw") for name in FIGURES}
    for seed in range(simulations):
        rng = np.random.default_rng([seed, 8])
        for version in ("naive", "ipw"):
            x, e, treatment, outcome, _, _ = world(rng, n, confounded=version == "ipw")
            weights = (1.0 / e, 1.0 / (1.0 - e)) if version == "ipw" else (np.ones(n), np.ones(n))
            for name, one in arms(treatment, outcome, x, *weights, fold=np.arange(n) % 2).items():
                se = clustered_se(sums=one.terms, n_rows=n)
                hits[version, name] += abs(one.estimate - TRUTH[name]) <= 1.96 * se
    low, high = (binom.ppf(p, simulations, 0.95) / simulations for p in (5e-5, 1 - 5e-5))
    for key, count in hits.items():
        assert low <= count / simulations <= high, (key, count / simulations)


def test_a_fold_without_an_arm_is_refused():
    treatment, fold = np.array([1, 0, 1, 1]), np.array([0, 0, 1, 1])
    with pytest.raises(MetricError, match=r"both arms in every fold.* 2 rows has no control"):
        arms(treatment, np.ones(4), np.arange(4.0), np.ones(4), np.ones(4), fold=fold)


def test_a_learner_that_was_not_judged_is_refused():
    data, nuisances, rankings, ranking = tables(
        np.random.default_rng(9), 300, confounded=False, is_known=True
    )
    with pytest.raises(MetricError, match=r"missing: \['other'\]"):
        metric_versions(
            data=data,
            nuisances=nuisances,
            rankings=rankings | {"other": np.ones(300)},
            ranking=ranking,
            uplift_shares=SHARES,
        )
