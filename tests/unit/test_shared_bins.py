"""One set of histogram bins for many fits: the same effects, and nobody else's rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.parameters import LightGBMParameters
from promo_uplift.contracts.results import NuisanceValues, TrialData
from promo_uplift.learners.registry import build_learner
from promo_uplift.nuisance.boosting import BinnedRows
from promo_uplift.tuning.search import Split, data_features, fit_on_split

N = 400
TREES = {
    "n_estimators": 15,
    "learning_rate": 0.2,
    "num_leaves": 4,
    "min_child_samples": 20,
    "reg_lambda": 1.0,
    "colsample_bytree": 0.8,
}
LEARNERS = ("s_learner", "t_learner", "x_learner", "r_learner", "dr_learner")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(N, 3))
    x[rng.random((N, 3)) < 0.1] = np.nan
    treatment = rng.integers(0, 2, N)
    return TrialData(
        covariates=pd.DataFrame(x, columns=list("abc")),
        treatment=treatment,
        outcome=rng.normal(size=N) + treatment * (1.0 + np.nan_to_num(x[:, 0])),
        redeemed=np.zeros(N),
        groups=np.arange(N),
        campaign=np.zeros(N, dtype=np.int64),
    )


@pytest.fixture(scope="module")
def split():
    fold = np.arange(N) % 4
    half = np.full(N, 0.5)
    train = fold != 0
    values = NuisanceValues(half, 0 * half, half)
    return Split(
        index=(0, 0),
        train=train,
        test=~train,
        training=values.take(train),
        evaluation=values.take(~train),
    )


def fitted(name, data, split, **shared):
    learner = fit_on_split(name=name, data=data, split=split, choice=TREES, seed=1, **shared)
    return learner.predict_cate(covariates=data.covariates.loc[split.test])


def test_learners_that_share_bins_find_what_each_finds_alone(data, split):
    features = data_features(data=data)
    together = {name: fitted(name, data, split, features=features) for name in LEARNERS}
    for name in reversed(LEARNERS):
        np.testing.assert_array_equal(together[name], fitted(name, data, split))


def test_a_table_of_few_values_has_the_same_bins_among_any_rows(data, split):
    """Where every value has a bin of its own, shared bins cannot differ from the rows' own."""
    rounded = data.covariates.round(0)
    train = split.train
    rows = {
        "covariates": rounded.loc[train],
        "treatment": data.treatment[train],
        "outcome": data.outcome[train],
        "nuisances": split.training,
        "groups": data.groups[train],
    }
    all_rows = data_features(data=TrialData(**{**vars_of(data), "covariates": rounded}))
    bins = BinnedRows.chosen(design=all_rows, rows=train)
    for name in LEARNERS:
        own, shared = (
            build_learner(name=name, choice=TREES)
            .fit(**rows, rng=np.random.default_rng(2), **given)
            .predict_cate(covariates=rounded)
            for given in ({}, {"bins": bins})
        )
        np.testing.assert_allclose(own, shared, rtol=1e-9)


def vars_of(data):
    return {name: getattr(data, name) for name in data.__dataclass_fields__}


@pytest.mark.parametrize("wrong", ["other rows", "other values", "other columns"])
def test_bins_of_other_rows_are_refused(data, split, wrong):
    rows, covariates = split.train, data.covariates.loc[split.train]
    if wrong == "other rows":
        rows = split.test
    elif wrong == "other values":
        covariates = covariates.assign(b=covariates["b"] + 1e-9)
    else:
        covariates = covariates[["a", "b"]]
    bins = BinnedRows.chosen(design=data_features(data=data), rows=rows)
    train = split.train
    with pytest.raises(LearnerError, match="`bins` must be of the same rows as `covariates`"):
        build_learner(name="t_learner", choice=TREES).fit(
            covariates=covariates,
            treatment=data.treatment[train],
            outcome=data.outcome[train],
            nuisances=split.training,
            groups=data.groups[train],
            rng=np.random.default_rng(2),
            bins=bins,
        )


def test_a_restricted_design_is_the_same_rows_with_the_bins_of_all(data):
    """A model of rows of the part is the model of the same rows of the whole, bit for bit."""
    whole = data_features(data=data)
    odd = np.flatnonzero(np.arange(N) % 2)
    part = whole.restricted(rows=odd)
    np.testing.assert_array_equal(part.take(rows=np.arange(5)), whole.take(rows=odd[:5]))
    settings = {
        "target": data.outcome[odd[:150]],
        "objective": "regression",
        "parameters": LightGBMParameters.model_validate(TREES),
        "seed": 3,
    }
    of_part = part.fit(rows=np.arange(150), **settings)
    of_whole = whole.fit(rows=odd[:150], **settings)
    everyone = whole.take(rows=np.arange(N))
    np.testing.assert_array_equal(
        of_part.predict(features=everyone), of_whole.predict(features=everyone)
    )
