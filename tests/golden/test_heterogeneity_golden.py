"""Heterogeneity, groups, the affected, TOC: against libraries and known truths."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from econml.validate.utils import calc_uplift

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import NuisanceValues
from promo_uplift.metrics import (
    affected_groups,
    group_effects,
    heterogeneity_test,
    targeting_operator,
)
from promo_uplift.metrics.fold_dependence import (
    SLOPE_FACTOR,
    contrast_factor,
    group_factor,
    top_minus_all_factor,
)
from promo_uplift.metrics.simultaneous import max_t_quantile

N, FOLDS = 600, 3


def a_world(seed=0):
    """Two rows per household, folds by household, effects that follow the first covariate."""
    rng = np.random.default_rng(seed)
    household = np.repeat(np.arange(N // 2), 2)
    x = rng.normal(size=N)
    e = 0.3 + 0.4 * rng.random(N)
    treatment = rng.binomial(1, e)
    mu0 = 2.0 * x
    mu1 = mu0 + 1.0 + x
    outcome = np.where(treatment == 1, mu1, mu0) + rng.normal(0.0, 2.0, N)
    scores = (
        mu1 - mu0 + treatment * (outcome - mu1) / e - (1 - treatment) * (outcome - mu0) / (1.0 - e)
    )
    return {
        "scores": scores,
        "treatment": treatment,
        "outcome": outcome,
        "nuisances": NuisanceValues(e, mu0, mu1),
        "fold": (rng.permutation(N // 2) % FOLDS)[household],
        "groups": household,
        "cate": 1.0 + 0.8 * x + rng.normal(0.0, 0.3, N),
    }


@pytest.fixture(scope="module")
def world():
    return a_world()


def judged(world, cates, **changed):
    arguments = {name: value for name, value in world.items() if name != "cate"} | {
        "level": 0.95,
        "draws": 2_000,
        "rng": np.random.default_rng(1),
    }
    return heterogeneity_test(cates=cates, **(arguments | changed))


def centred(world):
    cate = pd.Series(world["cate"])
    return (cate - cate.groupby(world["fold"]).transform("mean")).to_numpy()


def clustered(model, world):
    size = len(np.unique(world["groups"]))
    # statsmodels' small-sample factor is another one: take the plain sandwich times H / (H - 1)
    fitted = model.fit(
        cov_type="cluster", cov_kwds={"groups": world["groups"], "use_correction": False}
    )
    return fitted.params, fitted.bse * np.sqrt(size / (size - 1))


# -- best linear predictor --------------------------------------------------------------------


def test_both_regressions_are_those_of_statsmodels(world):
    table = judged(world, {"good": world["cate"]}).table.set_index("regression")
    prediction = centred(world)
    design = sm.add_constant(prediction)
    params, errors = clustered(sm.OLS(world["scores"], design), world)
    row = table.loc["doubly_robust"]
    assert [row["ate_usd"], row["slope"]] == pytest.approx(params)
    assert [row["ate_se"], row["slope_se"] / SLOPE_FACTOR] == pytest.approx(errors)

    nuisances = world["nuisances"]
    e = nuisances.propensity
    surprise = world["treatment"] - e
    design = np.column_stack([np.ones(N), nuisances.outcome_mean, surprise, surprise * prediction])
    params, errors = clustered(sm.WLS(world["outcome"], design, 1.0 / (e * (1.0 - e))), world)
    row = table.loc["weighted"]
    assert [row["ate_usd"], row["slope"]] == pytest.approx(params[2:], rel=1e-6)
    assert [row["ate_se"], row["slope_se"] / SLOPE_FACTOR] == pytest.approx(errors[2:], rel=1e-6)


def test_both_regressions_hold_the_truth_and_find_the_effect(world):
    found = judged(world, {"good": world["cate"]})
    for row in found.table.to_dict("records"):
        assert row["ate_ci_low"] <= 1.0 <= row["ate_ci_high"]
        assert row["slope"] == pytest.approx(1.0, abs=0.4)
        assert row["p_value"] < 1e-4
    assert found.finds("good")


def test_one_effect_for_all_has_no_slope_and_is_never_found(world):
    found = judged(world, {"flat": np.full(N, 2.0) + world["fold"], "good": world["cate"]})
    flat = found.table.set_index(["learner", "regression"]).loc["flat"]
    assert flat[["slope", "slope_se", "p_value", "p_adjusted"]].isna().all().all()
    good = judged(world, {"good": world["cate"]}).table.set_index("regression")
    assert flat["ate_usd"]["doubly_robust"] == pytest.approx(good["ate_usd"]["doubly_robust"])
    assert np.isnan(found.p_value("flat"))
    assert not found.finds("flat")
    assert not found.finds("nobody")
    assert found.finds("good")


def test_a_negative_slope_is_no_heterogeneity(world):
    found = judged(world, {"upside_down": -world["cate"]})
    assert found.p_value("upside_down") > 0.99


def test_more_learners_make_the_largest_slope_less_surprising(world):
    rng = np.random.default_rng(3)
    noise = {f"noise_{number}": rng.normal(size=N) for number in range(8)}
    table = judged(world, noise).table
    rows = table[table["regression"] == "doubly_robust"]
    best = rows["p_value"].min()
    # eight nearly independent tests
    assert rows["p_adjusted"].min() == pytest.approx(1.0 - (1.0 - best) ** 8, abs=0.08)
    alone = judged(world, {"noise_0": noise["noise_0"]})
    assert alone.p_value("noise_0") == pytest.approx(alone.table["p_value"].iloc[0], abs=0.03)


def test_the_same_learner_twice_costs_nothing(world):
    once = judged(world, {"a": 0.1 * world["cate"] - world["cate"].mean()})
    twice = judged(world, {"a": world["cate"], "b": world["cate"]})
    assert twice.p_value("a") == pytest.approx(once.p_value("a"), abs=1e-3)


def test_what_is_not_finite_is_refused(world):
    with pytest.raises(MetricError, match=r"cates\['bad'\].*1 values not finite"):
        judged(world, {"bad": np.where(np.arange(N) == 5, np.nan, world["cate"])})


def held_out_ridge(x, scores, fold, penalty):
    cate = np.empty(len(scores))
    for number in np.unique(fold):
        train = fold != number
        gram = x[train].T @ x[train] + penalty * np.eye(x.shape[1])
        cate[~train] = x[~train] @ np.linalg.solve(gram, x[train].T @ scores[train])
    return cate


def nothing_to_find(seed, size=200, columns=10):
    rng = np.random.default_rng(seed)
    household = np.repeat(np.arange(size // 2), 2)
    x = rng.normal(size=(size // 2, columns))[household]
    treatment = rng.binomial(1, 0.5, size)
    noise = rng.normal(0.0, 2.0, size // 2)[household] + rng.normal(0.0, 2.0, size)
    outcome = x[:, 1] + treatment + noise
    scores = 1.0 + (2 * treatment - 1) * 2.0 * noise
    fold = (rng.permutation(size // 2) % 5)[household]
    return heterogeneity_test(
        scores=scores,
        cates={str(k): held_out_ridge(x, scores, fold, k) for k in (1.0, 30.0, 300.0)},
        treatment=treatment,
        outcome=outcome,
        nuisances=NuisanceValues(np.full(size, 0.5), x[:, 1], x[:, 1] + 1.0),
        fold=fold,
        groups=household,
        level=0.95,
        draws=1_000,
        rng=rng,
    ).table.set_index(["regression", "learner"])


def test_without_heterogeneity_cross_fitted_learners_are_rarely_believed():
    """False rejections: at most 5 %, of each learner, and of whichever of three looks best."""
    tables = [nothing_to_find(seed) for seed in range(400)]
    p_value = pd.concat([one["p_value"] for one in tables], axis="columns")
    adjusted = pd.concat([one["p_adjusted"] for one in tables], axis="columns")
    # Monte-Carlo error of a share of 5 % in 400: 1.1 %
    assert (p_value < 0.05).mean(axis=1).max() <= 0.05 + 0.022
    best = adjusted.groupby("regression").min()
    assert (best < 0.05).mean(axis=1).max() <= 0.05
    assert (best < 0.05).mean(axis=1).min() > 0.005  # it can reject


# -- groups -----------------------------------------------------------------------------------


def test_one_estimate_has_the_normal_quantile_and_five_apart_that_of_their_maximum():
    rng = np.random.default_rng(0)
    assert max_t_quantile(
        covariance=np.eye(1), level=0.95, draws=200_000, rng=rng
    ) == pytest.approx(1.960, abs=0.01)
    apart = max_t_quantile(covariance=4.0 * np.eye(5), level=0.95, draws=200_000, rng=rng)
    assert apart == pytest.approx(2.569, abs=0.01)
    together = max_t_quantile(covariance=np.ones((5, 5)), level=0.95, draws=200_000, rng=rng)
    assert together == pytest.approx(1.960, abs=0.01)


def grouped(scores, cate, fold, groups, rng):
    return group_effects(
        scores=scores,
        cate=cate,
        fold=fold,
        groups=groups,
        n_groups=5,
        level=0.95,
        draws=2_000,
        rng=rng,
    )


def test_the_difference_is_that_of_clustered_means(world):
    found = grouped(
        world["scores"], world["cate"], world["fold"], world["groups"], np.random.default_rng(0)
    )
    table = found.table
    assert found.difference.estimate == pytest.approx(
        table["effect_usd"].iloc[4] - table["effect_usd"].iloc[0]
    )
    cate = pd.Series(world["cate"])
    rank = cate.groupby(world["fold"]).rank(method="first") - 1
    size = cate.groupby(world["fold"]).transform("size")
    member = (rank * 5 // size).astype(int)
    design = pd.get_dummies(member).to_numpy(dtype=float)
    model = sm.OLS(world["scores"], design)
    params, errors = clustered(model, world)
    factors = np.array([group_factor(low=g / 5, high=(g + 1) / 5) for g in range(5)])
    assert table["effect_usd"].to_numpy() == pytest.approx(params)
    assert table["se"].to_numpy() == pytest.approx(errors * factors)
    outer = np.array([-1.0, 0.0, 0.0, 0.0, 1.0])
    covariance = model.fit(
        cov_type="cluster", cov_kwds={"groups": world["groups"], "use_correction": False}
    ).cov_params()
    expected = np.sqrt(outer @ covariance @ outer * 300 / 299) * contrast_factor(share=0.2)
    assert found.difference_se == pytest.approx(expected)
    assert (found.reading, found.difference.ci_low > 0.0) == ("rises", True)


def test_predictions_upside_down_are_contradicted_and_noise_is_not(world):
    rest = (world["fold"], world["groups"], np.random.default_rng(0))
    effect = 3.0 * world["cate"]
    scores = effect + np.random.default_rng(1).normal(0.0, 1.0, N)
    assert grouped(scores, world["cate"], *rest).reading == "rises"
    assert grouped(scores, -world["cate"], *rest).reading == "contradicted"
    noise = np.random.default_rng(2).normal(0.0, 1.0, N)
    assert grouped(noise, world["cate"], *rest).reading == "not contradicted"


def test_the_band_holds_all_groups_in_95_of_100_worlds():
    """Households of two rows that share noise; the ranking is given, the truth known."""
    held, pointwise = [], []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        household = np.repeat(np.arange(200), 2)
        effect = rng.normal(size=200)[household]
        shared = rng.normal(0.0, 3.0, 200)[household]
        fold = (np.arange(200) % 4)[household]
        cate = effect + rng.normal(0.0, 0.5, 400)
        found = grouped(effect + shared + rng.normal(0.0, 3.0, 400), cate, fold, household, rng)
        truth = grouped(effect, cate, fold, household, rng).table["effect_usd"]
        table = found.table
        held.append(((table["band_low"] <= truth) & (truth <= table["band_high"])).all())
        pointwise.append(((table["ci_low"] <= truth) & (truth <= table["ci_high"])).all())
    assert np.mean(held) >= 0.95
    assert np.mean(pointwise) < 0.93  # not the same thing


# -- most and least affected ------------------------------------------------------------------


def affected(covariates, cate, fold, groups, rng):
    return affected_groups(
        covariates=covariates,
        cate=cate,
        fold=fold,
        groups=groups,
        n_groups=5,
        level=0.95,
        draws=2_000,
        rng=rng,
    )


def test_the_covariate_that_makes_the_effect_comes_first_and_missing_values_are_counted(world):
    rng = np.random.default_rng(5)
    gaps = np.where(rng.random(N) < 0.3, np.nan, 2.0 * world["cate"] + rng.normal(0.0, 0.3, N))
    covariates = pd.DataFrame(
        {"coin": rng.binomial(1, 0.5, N), "driver": gaps, "constant": 1.0, "empty": np.nan}
    )
    table = affected(covariates, world["cate"], world["fold"], world["groups"], rng)
    assert table["covariate"].tolist()[:2] == ["driver", "coin"]
    driver = table.set_index("covariate").loc["driver"]
    top = np.zeros(N, dtype=bool)
    bottom = np.zeros(N, dtype=bool)
    for number in range(FOLDS):
        rows = np.flatnonzero(world["fold"] == number)
        order = rows[np.argsort(world["cate"][rows])]
        top[order[np.arange(len(rows)) * 5 // len(rows) == 4]] = True
        bottom[order[np.arange(len(rows)) * 5 // len(rows) == 0]] = True
    assert driver["most_affected"] == pytest.approx(np.nanmean(gaps[top]))
    assert driver["least_affected"] == pytest.approx(np.nanmean(gaps[bottom]))
    assert driver["standardised_difference"] == pytest.approx(
        driver["difference"] / np.nanstd(gaps)
    )
    assert driver["n_missing_most"] == np.isnan(gaps[top]).sum()
    assert driver["n_most"] + driver["n_missing_most"] == top.sum()
    assert driver["p_adjusted"] < 0.01
    assert driver["band_low"] < driver["ci_low"] < driver["difference"]
    assert np.isnan(table.set_index("covariate").loc["empty", "difference"])
    assert table.set_index("covariate").loc["constant", "difference"] == 0.0


def test_covariates_that_nothing_ranks_by_are_all_inside_their_band_in_95_of_100_worlds():
    held, believed = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        household = np.repeat(np.arange(150), 2)
        covariates = pd.DataFrame(rng.normal(size=(150, 8))[household]).add_prefix("x")
        cate = rng.normal(size=300)
        table = affected(covariates, cate, (np.arange(150) % 3)[household], household, rng)
        held.append(((table["band_low"] <= 0.0) & (table["band_high"] >= 0.0)).all())
        believed.append((table["p_adjusted"] < 0.05).any())
    assert np.mean(held) == pytest.approx(0.95, abs=0.035)
    assert np.mean(believed) == pytest.approx(0.05, abs=0.035)


# -- targeting operator characteristic --------------------------------------------------------


def curve(scores, cate, fold, groups, shares, seed=0, replicates=100):
    return targeting_operator(
        scores=scores,
        rankings={"good": cate, "random": cate},
        fold=fold,
        groups=groups,
        shares=shares,
        level=0.95,
        replicates=replicates,
        rng=np.random.default_rng(seed),
    )


def test_the_toc_is_econmls_on_the_same_ranking(world):
    cate, scores = world["cate"], world["scores"]
    percentiles = np.linspace(5.0, 95.0, 19)
    theirs = calc_uplift(
        cate[:, None], cate[:, None], scores[:, None], percentiles, "toc", n_bootstrap=10
    )[2]
    shares = np.array([(cate >= np.percentile(cate, q)).mean() for q in percentiles])[::-1]
    one_fold = np.zeros(N, dtype=np.int64)
    ours = curve(scores, cate, one_fold, np.arange(N), shares, replicates=400)
    ours = ours[ours["learner"] == "good"].iloc[::-1]
    np.testing.assert_allclose(ours["toc_usd"], theirs["value"], atol=1e-10)
    plain = ours["se"] / [top_minus_all_factor(share=share) for share in ours["share"]]
    np.testing.assert_allclose(plain, theirs["err"], rtol=0.25)


def test_a_random_order_is_flat_and_everybody_is_the_average(world):
    table = curve(
        world["scores"], world["cate"], world["fold"], world["groups"], np.array([0.1, 0.5, 1.0])
    )
    random = table[table["learner"] == "random"]
    np.testing.assert_allclose(random["toc_usd"], 0.0, atol=1e-10)
    assert (random["se"] == 0.0).all()
    good = table[table["learner"] == "good"].set_index("share")
    assert good.loc[1.0, "toc_usd"] == pytest.approx(0.0, abs=1e-10)
    assert good.loc[0.1, "toc_usd"] > good.loc[0.5, "toc_usd"] > 0.5
    inner = good.loc[:0.5]
    assert (inner["band_low"] < inner["ci_low"]).all()


def test_the_uniform_band_holds_the_whole_curve_in_95_of_100_worlds():
    """Without a signal, where folds help to rank each other and a plain band is too narrow."""
    shares = np.linspace(0.1, 1.0, 10)
    held, plain = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(250, 15))
        scores = rng.normal(0.0, 3.0, 250)
        fold = rng.permutation(250) % 5
        cate = held_out_ridge(x, scores, fold, 1.0)
        table = curve(scores, cate, fold, np.arange(250), shares, seed)
        good = table[table["learner"] == "good"].iloc[:-1]
        factor = np.array([top_minus_all_factor(share=share) for share in good["share"]])
        reach = good["band_high"] - good["toc_usd"]
        held.append((good["toc_usd"].abs() <= reach).all())
        plain.append((good["toc_usd"].abs() <= reach / factor).all())
    assert np.mean(held) >= 0.95 - 0.02
    assert np.mean(plain) < np.mean(held)


@pytest.mark.parametrize("shares", [[0.0, 1.0], [0.5, 0.2], [0.5, 1.2], []])
def test_shares_outside_the_curve_are_refused(world, shares):
    with pytest.raises(MetricError, match="`shares` must ascend"):
        curve(world["scores"], world["cate"], world["fold"], world["groups"], np.array(shares))


def test_without_a_learner_of_effects_there_is_no_test(world):
    found = judged(world, {})
    assert found.table.empty
    assert "p_adjusted" in found.table
    assert not found.finds("constant")
