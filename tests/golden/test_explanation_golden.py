"""Explanations: what adds up, what another library says, and worlds whose driver is known."""

import itertools
import math
import re
from functools import cache

import numpy as np
import pandas as pd
import pytest

from promo_uplift.analysis.heterogeneity import explain_effects, find_heterogeneity
from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.learner import SelfExplainedLearner
from promo_uplift.contracts.parameters import (
    EstimationParameters,
    ExplanationParameters,
    LearnerParameters,
    LightGBMParameters,
    MetricParameters,
    TuningParameters,
    WordingParameters,
)
from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    NuisanceValues,
    TrialData,
)
from promo_uplift.explanation import (
    effect_rules,
    explain,
    explain_held_out,
    permutation_contributions,
)
from promo_uplift.learners import build_learner
from promo_uplift.learners.contrast import treatment_contrast
from promo_uplift.nuisance.boosting import BinnedFeatures
from promo_uplift.tuning import cross_fit_learner

SIZE = {
    "n_estimators": 40,
    "learning_rate": 0.1,
    "num_leaves": 5,
    "min_child_samples": 20,
    "reg_lambda": 1.0,
    "colsample_bytree": 1.0,
}
FOREST = {
    "n_estimators": 40,
    "tuning_n_estimators": 8,
    "min_samples_leaf": 8,
    "max_samples": 0.4,
    "max_features": 1.0,
    "min_balancedness_tol": 0.45,
    "max_depth": 4,
    "min_var_fraction_leaf": 0.0,
}
TREND = SIZE | {
    "trend_folds": 2,
    "trend_penalties": 5,
    "trend_smallest": 0.01,
    "trend_tolerance": 1e-3,
}
CHOICES = {
    "s_learner": SIZE,
    "t_learner": SIZE,
    "x_learner": SIZE,
    "dr_learner": SIZE,
    "trend_learner": TREND,
    "causal_forest": FOREST,
}
EXACT = ("s_learner", "t_learner", "x_learner", "dr_learner", "trend_learner")
METRICS = MetricParameters(
    uplift_shares=[0.2], level=0.95, bootstrap_replicates=50, simultaneous_draws=1_000
)
WORDING = WordingParameters(
    unit="USD",
    decimals=2,
    treatment="mailing",
    treated="mailed",
    subject="household",
    subjects="households",
    horizon="in 28 days",
)
ASKED = ExplanationParameters(max_rows=150, fallback_rows=40, background_rows=10)
NAMES = ["pre_visits", "pre_recency_days", "pre_private_label_share", "demo_age"]
SEED = 5


@cache
def a_trial(seed, *, slope, size=500):
    """An experiment: visits drive the effect by ``slope``, recency the outcome, one has gaps."""
    rng = np.random.default_rng(seed)
    household = np.repeat(np.arange(size // 2), 2)
    visits = rng.integers(1, 21, size).astype(float)
    covariates = pd.DataFrame(
        {
            "pre_visits": visits,
            "pre_recency_days": rng.integers(1, 60, size).astype(float),
            "pre_private_label_share": rng.random(size),
            "demo_age": np.where(rng.random(size) < 0.4, np.nan, rng.integers(1, 7, size)),
        }
    )
    treatment = rng.binomial(1, 0.5, size)
    effect = slope * np.where(visits > 12, 1.0, -1.0)
    mu0 = 0.1 * covariates["pre_recency_days"].to_numpy()
    outcome = mu0 + effect * treatment + rng.normal(0.0, 1.0, size)
    data = TrialData(
        covariates=covariates,
        treatment=treatment,
        outcome=outcome,
        redeemed=np.zeros(size),
        groups=household,
        campaign=np.tile([8, 13], size // 2),
    )
    fold = (rng.permutation(size // 2) % 3)[household]
    same = np.ones((size, 3))
    nuisances = CrossFittedNuisances(
        fold=fold,
        propensity=0.5 * same,
        mu0=mu0[:, None] * same,
        mu1=mu0[:, None] * same,
        redemption=0.0 * same,
        raw_propensity_held_out=np.full(size, 0.5),
        n_clipped=0,
        clip=0.02,
        tuned=pd.DataFrame(),
    )
    return data, nuisances


def cross_fitted(name, data, nuisances):
    return cross_fit_learner(
        name=name,
        data=data,
        nuisances=nuisances,
        parameters=LearnerParameters(defaults=CHOICES[name]),
        tuning=TuningParameters(
            loss="r_loss",
            n_trials=0,
            timeout_seconds=60.0,
            n_startup_trials=1,
            pruner_warmup_folds=1,
        ),
        seed=SEED,
        n_workers=1,
    )


def fitted_learner(name):
    data, nuisances = a_trial(1, slope=3.0)
    held_out = nuisances.held_out()
    learner = build_learner(name=name, choice=CHOICES[name]).fit(
        covariates=data.covariates,
        treatment=data.treatment,
        outcome=data.outcome,
        nuisances=NuisanceValues(
            np.clip(0.2 + 0.03 * data.covariates["pre_visits"].to_numpy(), 0.1, 0.9),
            held_out.mu0,
            held_out.mu1,
        ),
        groups=data.groups,
        rng=np.random.default_rng(2),
    )
    return learner, data.covariates


# -- contributions ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHOICES)
def test_contributions_add_up_to_the_effect_less_its_mean(name):
    learner, covariates = fitted_learner(name)
    rows = covariates.iloc[:60]
    values, method = explain(
        learner=learner,
        covariates=rows,
        background=covariates.iloc[60:70],
        rng=np.random.default_rng(0),
    )
    cate = learner.predict_cate(covariates=rows)
    np.testing.assert_allclose(values.sum(axis=1), cate - cate.mean(), atol=1e-6)
    assert np.ptp(cate) > 1.0
    assert method == ("exact" if name in EXACT else "permutation")
    assert isinstance(learner, SelfExplainedLearner) == (name in EXACT)
    sizes = np.abs(values).mean(axis=0)
    assert sizes.argmax() == 0
    assert sizes[0] > 2.0 * sizes[1:].max()


def shapley(predict, row, background):
    """By definition, over all coalitions."""
    size = len(row)

    def value(known):
        mixed = background.copy()
        mixed[:, list(known)] = row[list(known)]
        return predict(mixed).mean()

    found = np.zeros(size)
    for feature in range(size):
        others = [one for one in range(size) if one != feature]
        for count in range(size):
            weight = math.factorial(count) * math.factorial(size - count - 1) / math.factorial(size)
            for known in itertools.combinations(others, count):
                found[feature] += weight * (value((*known, feature)) - value(known))
    return found


@pytest.mark.parametrize("name", ["s_learner", "trend_learner"])
def test_the_contrast_of_the_treatment_is_the_shapley_value_of_the_effect(name):
    """The treatment is fixed, and takes no share: its interactions belong to the covariates."""
    learner, covariates = fitted_learner(name)
    complete = covariates.fillna(0.0)
    background = complete.iloc[60:75]
    found = learner.explain(covariates=complete.iloc[:3], background=background)
    if name == "trend_learner":
        # the trend is measured from the training mean, and the rest from the background's
        trend = learner._effect_coefficients[1:] * learner._standardised(background.to_numpy())
        found = found - trend.mean(axis=0)

    def predict(features):
        return learner.predict_cate(covariates=pd.DataFrame(features, columns=NAMES))

    for row in range(3):
        expected = shapley(predict, complete.iloc[row].to_numpy(), background.to_numpy())
        np.testing.assert_allclose(found[row], expected, atol=1e-6)


def test_an_interaction_with_the_treatment_is_the_covariates_in_full():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 2))
    t = rng.binomial(1, 0.5, 800).astype(float)
    model = BinnedFeatures(x).fit(
        rows=np.arange(len(x)),
        last=t,
        target=t * (x[:, 0] > 0.0),
        objective="regression",
        parameters=LightGBMParameters(**SIZE | {"n_estimators": 100}),
        seed=1,
    )
    values = treatment_contrast(
        model=model, features=x[:50], background=x[50:150], doses=(0.0, 1.0)
    )
    np.testing.assert_allclose(values[:, 1], 0.0, atol=0.03)
    share = (x[50:150, 0] > 0.0).mean()
    np.testing.assert_allclose(values[:, 0], (x[:50, 0] > 0.0) - share, atol=0.08)


def product(features):
    return 2.0 * features[:, 0] + features[:, 1] * features[:, 2] - features[:, 3] ** 2


def test_permutations_are_exact_where_two_features_interact():
    rng = np.random.default_rng(0)
    rows, background = rng.normal(size=(5, 4)), rng.normal(size=(6, 4))
    values = permutation_contributions(
        predict=product, features=rows, background=background, rng=np.random.default_rng(1)
    )
    by_definition = [shapley(product, row, background) for row in rows]
    np.testing.assert_allclose(values, by_definition, atol=1e-10)


def triple(features):
    return np.prod(features[:, :3], axis=1)


def test_permutations_of_three_that_interact_are_right_on_average():
    rng = np.random.default_rng(0)
    rows, background = rng.normal(size=(1, 4)), rng.normal(size=(6, 4))
    several = permutation_contributions(
        predict=triple, features=np.repeat(rows, 600, axis=0), background=background, rng=rng
    )
    assert several.std(axis=0)[:3].min() > 0.0  # a sample
    np.testing.assert_allclose(several[:, 3], 0.0, atol=1e-12)
    np.testing.assert_allclose(
        several.mean(axis=0), shapley(triple, rows[0], background), atol=0.05
    )


@pytest.mark.parametrize("name", ["s_learner", "causal_forest"])
def test_held_out_effects_are_explained_by_models_that_did_not_see_them(name):
    data, nuisances = a_trial(1, slope=3.0)
    fitted = cross_fitted(name, data, nuisances)
    found = explain_held_out(
        data=data, nuisances=nuisances, fitted=fitted, parameters=ASKED, seed=SEED, n_workers=1
    )
    assert len(found.rows) == (150 if name == "s_learner" else 40)
    assert len(set(found.rows.tolist())) == len(found.rows)
    cate = fitted.held_out()[found.rows]
    for fold in range(3):
        own = found.fold == fold
        np.testing.assert_allclose(
            found.values[own].sum(axis=1),  # noqa: PD011
            cate[own] - cate[own].mean(),
            atol=1e-6,
        )
    with pytest.raises(LearnerError, match="same data, parameters and seed"):
        explain_held_out(
            data=data,
            nuisances=nuisances,
            fitted=CrossFittedCate(
                learner=name,
                cate=fitted.cate + 1.0,
                fold=fitted.fold,
                tuning=fitted.tuning,
                parameters=fitted.parameters,
                seconds=0.0,
            ),
            parameters=ASKED,
            seed=SEED,
            n_workers=1,
        )


# -- the whole explanation --------------------------------------------------------------------


def explained(seed, *, slope, names=("dr_learner", "s_learner"), champion="dr_learner"):
    data, nuisances = a_trial(seed, slope=slope)
    fitted = {name: cross_fitted(name, data, nuisances) for name in names}
    heterogeneity = find_heterogeneity(
        data=data, nuisances=nuisances, cross_fitted=fitted, metrics=METRICS, seed=SEED
    )
    if champion is None:  # whoever looks best on the very data that test it
        rows = heterogeneity.blp.query("regression == 'doubly_robust'").set_index("learner")
        champion = rows["p_value"].idxmin()
    found = explain_effects(
        data=data,
        nuisances=nuisances,
        fitted=fitted[champion],
        heterogeneity=heterogeneity,
        estimation=EstimationParameters(
            outcome="spend_usd",
            learners={
                name: LearnerParameters()
                for name in ("zero", "constant", "response", "random", *names)
            },
            candidates=list(names),
            selection_loss="dr_loss",
            selection_standard_errors=1.0,
            selection_clearance=1.0,
            n_workers=1,
            interval_replicates=0,
        ),
        metrics=METRICS,
        explanation=ASKED,
        wording=WORDING,
        seed=SEED,
    )
    return found, heterogeneity


@pytest.mark.parametrize("champion", ["dr_learner", "s_learner", "causal_forest"])
def test_the_known_driver_comes_first_and_makes_the_first_split(champion):
    found, heterogeneity = explained(1, slope=3.0, names=(champion,), champion=champion)
    assert heterogeneity.test.finds(champion)
    assert found.warning is None
    assert "WARNING" not in found.text
    said = " ".join(found.text.split())
    assert "TEST Effects differ between households (p < 0.001)." in said
    top = found.drivers.iloc[0]
    assert (top["covariate"], top["direction"]) == ("pre_visits", "rises")
    assert top["share"] > 0.6
    assert top["below_mean_usd"] < 0.0 < top["above_mean_usd"]
    assert top["fold_low_usd"] <= top["mean_abs_usd"] <= top["fold_high_usd"]
    assert found.rules.first_split == "pre_visits"
    assert found.rules.r2 > 0.6
    rules = found.rules.table
    assert rules["predicted_usd"].is_monotonic_decreasing
    assert rules["share"].sum() == pytest.approx(1.0)
    first, last = rules.iloc[0], rules.iloc[-1]
    assert re.match(r"Households with visits above 1[2-9]", first["rule"])
    assert re.match(r"Households with visits at most (1[0-2]|\d)\b", last["rule"])
    assert first["band_low"] <= 3.0 <= first["band_high"]
    assert last["band_low"] <= -3.0 <= last["band_high"]
    assert first["text"].startswith(f"{first['rule']}: effect +")
    assert first["text"] in found.rules.table["text"].tolist()
    assert str(found) == found.text


def test_without_heterogeneity_the_warning_is_there():
    """The learner that looks best on the data is explained: 57 of 60 worlds are 95 %."""
    warned = [explained(seed, slope=0.0, champion=None)[0].warning for seed in range(100, 160)]
    said = [one for one in warned if one is not None]
    assert len(said) >= 57
    assert all(
        one.startswith("The test finds no heterogeneity (p = ")
        and one.endswith("): what follows explains the model, not the households.")
        for one in said
    )


def test_the_warning_stands_before_drivers_and_rules():
    found, _ = explained(100, slope=0.0)
    lines = found.text.splitlines()
    assert lines[1].startswith("WARNING The test finds no heterogeneity (p = ")
    assert found.text.index("WARNING") < found.text.index("DRIVERS") < found.text.index("RULES")
    assert max(len(line) for line in lines) <= 96


def test_one_effect_for_all_is_said_to_be_that():
    data, nuisances = a_trial(1, slope=3.0)
    fitted = cross_fitted("dr_learner", data, nuisances)
    rules = effect_rules(
        covariates=data.covariates,
        fitted=CrossFittedCate(
            learner="dr_learner",
            cate=np.ones_like(fitted.cate),
            fold=fitted.fold,
            tuning=fitted.tuning,
            parameters=fitted.parameters,
            seconds=0.0,
        ),
        scores=data.outcome,
        groups=data.groups,
        parameters=ASKED,
        wording=WORDING,
        level=0.95,
        draws=1_000,
        seed=SEED,
    )
    assert rules.first_split is None
    assert np.isnan(rules.r2)
    assert rules.table["rule"].tolist() == ["All households"]


def noise_rules(seed):
    """Effects learned from pure noise, and rules of them, valued on fold 0."""
    rng = np.random.default_rng(seed)
    size, folds = 300, 3
    x = pd.DataFrame(rng.normal(size=(size, 6))).add_prefix("x")
    scores = rng.normal(0.0, 1.0, size)
    fold = rng.permutation(size) % folds
    cate = np.empty((size, folds))
    for column, row_fold in itertools.product(range(folds), range(folds)):
        train = ~np.isin(fold, (column, row_fold))
        model = BinnedFeatures(x.to_numpy()[train]).fit(
            rows=np.arange(int(train.sum())),
            target=scores[train],
            objective="regression",
            parameters=LightGBMParameters(**SIZE | {"n_estimators": 20}),
            seed=1,
        )
        rows = fold == row_fold
        cate[rows, column] = model.predict(features=x.to_numpy()[rows])
    found = effect_rules(
        covariates=x,
        fitted=CrossFittedCate("noise", cate, fold, pd.DataFrame(), ({},) * folds, 0.0),
        scores=scores,
        groups=np.arange(size),
        parameters=ExplanationParameters(tree_depth=2, tree_leaf_share=0.15),
        wording=WORDING,
        level=0.95,
        draws=1_000,
        seed=seed,
    ).table
    return found.iloc[[0, -1]]


def test_rules_of_noise_are_valued_at_nothing():
    """Leaves are valued without a look: no bias for the best leaf, intervals that hold 0."""
    tables = [noise_rules(seed) for seed in range(150)]
    best = np.array([one["effect_usd"].iloc[0] - one["effect_usd"].iloc[1] for one in tables])
    assert abs(best.mean()) < 3.0 * best.std() / np.sqrt(len(best))
    both = pd.concat(tables)
    held = ((both["ci_low"] <= 0.0) & (both["ci_high"] >= 0.0)).mean()
    assert held == pytest.approx(0.95, abs=0.04)
