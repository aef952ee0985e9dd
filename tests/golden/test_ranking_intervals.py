"""Both kinds of interval hold a known truth as often as they say, and agree with each other."""

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.ranking_worlds import WORLDS
from promo_uplift.contracts.parameters import MetricParameters
from promo_uplift.metrics import (
    calibration_slope,
    fold_rows,
    household_draws,
    percentile_interval,
    ranking_metrics,
)
from promo_uplift.metrics.fold_dependence import QINI_FACTOR
from promo_uplift.metrics.influence import (
    Influence,
    area_influence,
    clustered_se,
    ranking_influence,
    slope_influence,
)
from promo_uplift.metrics.ranking import ranking_replicates

SHARES = [0.1, 0.3]
HOUSEHOLDS, SIMULATIONS, REPLICATES = 1_000, 200, 200
FIGURES = ("auuc", "qini", "autoc", "calibration_slope", "uplift_at_10", "uplift_at_30")
#: A coverage of 95 % lies in these bounds in all but one of 10,000 experiments of this size: wide
#: enough for two methods, five worlds and six figures, too narrow for 88 % or for 99.5 %.
LOWEST, HIGHEST = (binom.ppf(p, SIMULATIONS, 0.95) / SIMULATIONS for p in (5e-5, 1 - 5e-5))


def influences(scores, ranking, fold):
    found = ranking_influence(scores=scores, ranking=ranking, fold=fold, uplift_shares=SHARES)
    return found | {"calibration_slope": slope_influence(scores=scores, cate=ranking, fold=fold)}


def errors(scores, ranking, fold, groups):
    households = groups.max() + 1
    return {
        name: clustered_se(
            sums=one.by_household(code=groups, n_households=households), n_rows=len(scores)
        )
        for name, one in influences(scores, ranking, fold).items()
    }


def replicated(scores, ranking, fold, groups, replicates, rng):
    draws = household_draws(groups=groups, replicates=replicates, rng=rng)
    folds = fold_rows(fold=fold, draws=draws)
    found = ranking_replicates(scores=scores, ranking=ranking, folds=folds, uplift_shares=SHARES)
    return found | {
        "calibration_slope": calibration_slope(scores=scores, cate=ranking, folds=folds)
    }


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_analytic_and_bootstrap_are_one_figure_with_one_error(name):
    rng = np.random.default_rng(1)
    scores, ranking, groups = WORLDS[name].draw(rng, 2_000)
    fold = groups % 5
    values = replicated(scores, ranking, fold, groups, 1_000, rng)
    se = errors(scores, ranking, fold, groups)
    for figure, influence in influences(scores, ranking, fold).items():
        assert influence.estimate == pytest.approx(values[figure][0], rel=1e-9)
        assert influence.terms.mean() == pytest.approx(0.0, abs=1e-9)
        # a standard deviation of 1,000 replicates is off by 1 / sqrt(2,000) = 2.2 %
        assert se[figure] == pytest.approx(values[figure][1:].std(), rel=0.09), figure


@pytest.mark.parametrize("levels", [0, 7])
def test_the_influence_is_the_derivative_towards_a_row(levels):
    """A row counted a little more often moves each area by its influence, over the rows."""
    rng = np.random.default_rng(3)
    n, row, step = 60, 11, 1e-5
    scores = rng.normal(2.0, 3.0, n)
    ranking = rng.normal(size=n) if levels == 0 else rng.integers(0, levels, n).astype(float)
    fold = np.zeros(n, dtype=np.int64)
    found = ranking_influence(scores=scores, ranking=ranking, fold=fold, uplift_shares=[])
    before = areas_by_hand(scores, ranking, np.full(n, 1.0 / n))
    weights = np.full(n, (1.0 - step) / n)
    weights[row] += step
    after = areas_by_hand(scores, ranking, weights)
    for name in ("auuc", "qini", "autoc"):
        moved = (after[name] - before[name]) / step
        assert found[name].terms[row] == pytest.approx(moved, rel=1e-3), name


def areas_by_hand(scores, ranking, weights):
    """Areas under a curve that is linear within a tied block, on a fine grid of shares."""
    levels = np.unique(ranking)[::-1]
    width = np.array([weights[ranking == level].sum() for level in levels])
    gain = np.array([(weights * scores)[ranking == level].sum() for level in levels])
    ends, reached = np.r_[0.0, np.cumsum(width)], np.r_[0.0, np.cumsum(gain)]
    auuc = float(np.trapezoid(reached, ends))
    slope = gain / width
    # within a block Q(q) / q = slope + (reached - slope * start) / q
    start, end = ends[:-1], ends[1:]
    rest = reached[:-1] - slope * start
    logs = np.log(np.divide(end, start, out=np.ones_like(end), where=start > 0.0))
    autoc = float(np.sum(slope * width + rest * logs)) - reached[-1]
    return {
        "auuc": auuc,
        "qini": auuc - 0.5 * reached[-1],
        "autoc": autoc,
    }


@pytest.fixture(scope="module")
def coverage():
    """Share of 95 % intervals of each kind that hold the truth."""
    found = {}
    for name in ("large effect", "small effect", "many ties"):
        world = WORLDS[name]
        truth = world.truth(tuple(SHARES))
        hits = {(kind, figure): 0 for kind in ("analytic", "bootstrap") for figure in FIGURES}
        for seed in range(SIMULATIONS):
            rng = np.random.default_rng([seed, 1])
            scores, ranking, groups = world.draw(rng, HOUSEHOLDS)
            fold = groups % 5
            values = replicated(scores, ranking, fold, groups, REPLICATES, rng)
            for figure, se in errors(scores, ranking, fold, groups).items():
                off = abs(values[figure][0] - truth[figure])
                hits["analytic", figure] += off <= 1.96 * se
                interval = percentile_interval(values=values[figure], level=0.95)
                hits["bootstrap", figure] += interval.ci_low <= truth[figure] <= interval.ci_high
        found[name] = {key: count / SIMULATIONS for key, count in hits.items()}
    return found


@pytest.mark.parametrize("kind", ["analytic", "bootstrap"])
def test_intervals_of_both_kinds_hold_the_truth_as_often_as_they_say(coverage, kind):
    assert LOWEST > 0.87
    assert HIGHEST <= 0.995
    for world, found in coverage.items():
        for figure in FIGURES:
            assert LOWEST <= found[kind, figure] <= HIGHEST, (world, figure, found[kind, figure])


def test_an_influence_of_rows_instead_of_households_would_not():
    """Negative control: three rows of a household are not three households."""
    world, hits = WORLDS["small effect"], 0
    truth = world.truth(())["auuc"]
    for seed in range(SIMULATIONS):
        scores, ranking, _ = world.draw(np.random.default_rng([seed, 2]), 300)
        one = area_influence(scores=scores, ranking=ranking)["auuc"]
        se = clustered_se(sums=one.terms, n_rows=len(scores))
        hits += abs(one.estimate - truth) <= 1.96 * se
    assert hits / SIMULATIONS < LOWEST


def test_a_few_households_cover_too_little_and_so_get_the_bootstrap():
    """Where `auto` must not be analytic: the reason for `analytic_from_households`."""
    world, hits = WORLDS["large effect"], 0
    truth = world.truth(tuple(SHARES))["autoc"]
    for seed in range(SIMULATIONS):
        scores, ranking, groups = world.draw(np.random.default_rng([seed, 3]), 30)
        fold = groups % 5
        found = influences(scores, ranking, fold)["autoc"].estimate
        hits += abs(found - truth) <= 1.96 * errors(scores, ranking, fold, groups)["autoc"]
    assert hits / SIMULATIONS < LOWEST
    auto = MetricParameters(
        uplift_shares=SHARES, level=0.95, bootstrap_replicates=50, interval="auto"
    )
    assert not auto.is_analytic(n_rows=10**6, n_households=999)
    assert not auto.is_analytic(n_rows=19_999, n_households=10**4)
    assert auto.is_analytic(n_rows=20_000, n_households=1_000)


def judged(kind, seed=0, households=600):
    rng = np.random.default_rng(seed)
    scores, ranking, groups = WORLDS["large effect"].draw(rng, households)
    n = len(scores)
    rankings = {
        "good": ranking,
        "same": 2.0 * ranking,
        "noise": rng.normal(size=n),
        "response": rng.normal(size=n),
        "random": rng.normal(size=n),
        "constant": (groups % 3).astype(float),
    }
    parameters = MetricParameters(
        uplift_shares=SHARES, level=0.95, bootstrap_replicates=800, interval=kind
    )
    return ranking_metrics(
        scores=scores,
        rankings=rankings,
        fold=groups % 3,
        groups=groups,
        parameters=parameters,
        rng=rng,
    )


def test_both_kinds_give_the_same_leaderboard():
    one, other = judged("analytic"), judged("bootstrap")
    assert (one.method, one.replicates) == ("analytic", 0)
    assert (other.method, other.replicates) == ("bootstrap", 800)
    assert one.n_households == other.n_households
    for learner, figures in other.figures.items():
        assert list(figures) == list(one.figures[learner])
        for figure, found in figures.items():
            mine = one.figures[learner][figure]
            if np.isnan(found.estimate):
                assert np.isnan(mine.ci_low)
                continue
            width = found.ci_high - found.ci_low
            assert mine.estimate == pytest.approx(found.estimate, abs=1e-9)
            assert mine.ci_low == pytest.approx(found.ci_low, abs=0.12 * width + 1e-9)
            assert mine.ci_high == pytest.approx(found.ci_high, abs=0.12 * width + 1e-9)
        for figure, found in other.simultaneous[learner].items():
            mine, width = one.simultaneous[learner][figure], found.ci_high - found.ci_low
            assert mine.ci_low == pytest.approx(found.ci_low, abs=0.1 * width + 1e-9)


@pytest.mark.parametrize("kind", ["analytic", "bootstrap"])
def test_differences_are_paired_and_wider_for_all_at_once(kind):
    found = judged(kind)
    good, same = found.figures["good"], found.figures["same"]
    assert good["qini_minus_random"] == same["qini_minus_random"]
    assert good["auuc_minus_constant"].estimate == pytest.approx(good["qini"].estimate)
    none = found.figures["response"]["qini_minus_response"]
    assert (none.ci_low, none.estimate, none.ci_high) == (0.0, 0.0, 0.0)
    for name in ("good", "noise"):
        for figure, wide in found.simultaneous[name].items():
            narrow = found.figures[name][figure]
            ratio = (wide.ci_high - wide.ci_low) / (narrow.ci_high - narrow.ci_low)
            assert 1.05 < ratio < 1.6, (name, figure)
    assert set(found.simultaneous["good"]) == {name for name in good if "_minus_" in name}


def test_the_analytic_interval_is_widened_for_folds_as_the_bootstrap_is():
    rng = np.random.default_rng(0)
    scores, ranking, groups = WORLDS["small effect"].draw(rng, 300)
    found = judged_alone(scores, ranking, groups)["qini"]
    se = errors(scores, ranking, groups % 3, groups)["qini"]
    assert found.ci_high - found.estimate == pytest.approx(1.959964 * QINI_FACTOR * se, rel=1e-5)


def judged_alone(scores, ranking, groups):
    parameters = MetricParameters(
        uplift_shares=SHARES, level=0.95, bootstrap_replicates=50, interval="analytic"
    )
    names = ("model", "random", "response", "constant")
    found = ranking_metrics(
        scores=scores,
        rankings=dict.fromkeys(names, ranking),
        fold=groups % 3,
        groups=groups,
        parameters=parameters,
        rng=np.random.default_rng(0),
    )
    return found.figures["model"]


def test_household_sums_are_of_the_influence():
    influence = Influence(0.0, np.array([1.0, -2.0, 4.0]))
    sums = influence.by_household(code=np.array([1, 0, 1]), n_households=2)
    assert sums.tolist() == [-2.0, 5.0]
    assert clustered_se(sums=sums, n_rows=3) == pytest.approx(np.sqrt(2.0 * 29.0) / 3.0)


@pytest.mark.parametrize("kind", ["analytic", "bootstrap"])
def test_intervals_for_all_learners_at_once_all_hold_in_95_percent(kind):
    """Six learners that rank by nothing, three of them near copies: every true difference is 0."""
    simulations, learners = 200, 6
    parameters = MetricParameters(
        uplift_shares=SHARES, level=0.95, bootstrap_replicates=200, interval=kind
    )
    all_at_once, each_alone = 0, 0
    for seed in range(simulations):
        rng = np.random.default_rng([seed, 4])
        n = 400
        groups = np.repeat(np.arange(n // 2), 2)
        shared = rng.normal(size=n)
        rankings = {
            f"noise_{number}": rng.normal(size=n) + (4.0 * shared if number % 2 else 0.0)
            for number in range(learners)
        }
        rankings |= {"response": rng.normal(size=n), "random": shared, "constant": np.ones(n)}
        found = ranking_metrics(
            scores=1.0 + rng.normal(0.0, 5.0, n) + rng.normal(0.0, 5.0, n // 2)[groups],
            rankings=rankings,
            fold=np.zeros(n, dtype=np.int64),
            groups=groups,
            parameters=parameters,
            rng=rng,
        )
        # predictions that learned nothing from each other need no widening for folds
        all_at_once += all(
            abs(one.estimate) <= (one.ci_high - one.estimate) / QINI_FACTOR
            for by_figure in found.simultaneous.values()
            for one in by_figure.values()
        )
        each_alone += all(
            abs(one.estimate) <= (one.ci_high - one.ci_low) / 2.0 / QINI_FACTOR
            for by_figure in found.figures.values()
            for name, one in by_figure.items()
            if "_minus_" in name
        )
    assert each_alone / simulations < 0.8
    assert LOWEST <= all_at_once / simulations <= HIGHEST
