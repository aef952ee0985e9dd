"""Every learner of effects can be explained; a new one is tested by being registered."""

from __future__ import annotations

import numpy as np
import pytest
from test_learner_conformance import small_choice

from promo_uplift.contracts.learner import SelfExplainedLearner
from promo_uplift.explanation import explain
from promo_uplift.learners import LEARNERS, build_learner
from promo_uplift.learners.conformance import training_rows

EFFECTS = [name for name, spec in LEARNERS.items() if spec.role == "cate"]


@pytest.mark.parametrize("name", EFFECTS)
def test_contributions_sum_to_the_effect_less_its_mean(name):
    given = training_rows()
    learner = build_learner(name=name, choice=small_choice(name)).fit(
        **given, rng=np.random.default_rng(0)
    )
    rows = given["covariates"].iloc[:30].copy()
    rows.iloc[3, 1] = np.nan
    before = rows.copy(deep=True)
    background = given["covariates"].iloc[30:40]
    values, method = explain(
        learner=learner, covariates=rows, background=background, rng=np.random.default_rng(1)
    )
    cate = learner.predict_cate(covariates=rows)
    assert values.shape == rows.shape
    np.testing.assert_allclose(values.sum(axis=1), cate - cate.mean(), atol=1e-5)
    assert rows.equals(before)
    assert (method == "exact") == isinstance(learner, SelfExplainedLearner)
    if method == "exact":
        # more columns, in another order, change nothing
        other = rows.assign(more=1.0)[["more", "d", "a", "c", "b"]]
        again = learner.explain(covariates=other, background=background)
        np.testing.assert_allclose(
            again - again.mean(axis=0), values, atol=1e-6, err_msg="order of the columns"
        )


def test_a_users_own_learner_without_explain_is_explained_by_permutations():
    class Linear:
        def predict_cate(self, *, covariates):
            return 2.0 * covariates["a"].to_numpy() - covariates["b"].to_numpy()

    rows = training_rows()["covariates"].iloc[:20]
    values, method = explain(
        learner=Linear(), covariates=rows, background=rows, rng=np.random.default_rng(0)
    )
    assert method == "permutation"
    centred = (rows - rows.mean()).to_numpy()
    np.testing.assert_allclose(values, centred * [2.0, -1.0, 0.0, 0.0], atol=1e-12)


def test_no_rows_have_no_contributions():
    given = training_rows()
    learner = build_learner(name="dr_learner", choice=small_choice("dr_learner")).fit(
        **given, rng=np.random.default_rng(0)
    )
    none = given["covariates"].head(0)
    values, method = explain(
        learner=learner, covariates=none, background=none, rng=np.random.default_rng(0)
    )
    assert (values.shape, method) == ((0, 4), "exact")
