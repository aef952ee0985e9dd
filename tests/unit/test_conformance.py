"""The rules for a learner of one's own: a good one keeps them, and each bad one is told what."""

from __future__ import annotations

import numpy as np
import pytest

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.learners import check_learner
from promo_uplift.learners.base import BaseLearner, NoParameters
from promo_uplift.learners.conformance import RULES, training_rows
from promo_uplift.learners.constant import Constant
from promo_uplift.nuisance.scores import dr_scores


class Linear(BaseLearner):
    """Scores regressed on the covariates with gaps at zero: keeps every rule."""

    def _fit(self, *, training, rng):
        scores = dr_scores(
            treatment=training.treatment, outcome=training.outcome, nuisances=training.nuisances
        )
        design = self._design(training.features)
        self._slopes = np.linalg.lstsq(design, scores, rcond=None)[0]

    def _predict(self, *, features):
        return np.array([row @ self._slopes for row in self._design(features)])

    def _design(self, features):
        return np.column_stack([np.ones(len(features)), np.nan_to_num(features)])


class Reversed(Linear):
    def _predict(self, *, features):
        return 1.0 - super()._predict(features=features)


class Unseeded(Linear):
    def _predict(self, *, features):
        return super()._predict(features=features) + np.random.default_rng().normal()


class ByPosition(Linear):
    def _features(self, covariates):
        super()._features(covariates)
        return covariates.to_numpy()


class ByRank(Linear):
    def _predict(self, *, features):
        return super()._predict(features=features) + np.arange(len(features))


class Unpicklable(Linear):
    def _fit(self, *, training, rng):
        super()._fit(training=training, rng=rng)
        self._secret = lambda: 1


class Changes(Linear):
    def fit(self, **given):
        given["outcome"] -= 1.0
        return super().fit(**given)


class NotANumber(Linear):
    def _predict(self, *, features):
        return super()._predict(features=features) * np.where(features[:, 0] > 2, np.nan, 1.0)


class Unchecked:
    """Follows the signatures only."""

    def fit(self, *, covariates, treatment, outcome, nuisances, groups, rng):
        self._mean = float(np.mean(nuisances.mu1 - nuisances.mu0))
        return self

    def predict_cate(self, *, covariates):
        return np.full(len(covariates), self._mean)

    def predict_interval(self, *, covariates, level):
        return np.zeros((len(covariates), 1))


def test_a_good_learner_keeps_every_rule():
    assert check_learner(Linear) == tuple(RULES)
    assert check_learner(lambda: Constant(NoParameters())) == tuple(RULES)


@pytest.mark.parametrize(
    ("learner", "rule"),
    [
        (Reversed, "exchanging_the_arms_negates_the_effect"),
        (Unseeded, "equal_seeds_give_equal_bits"),
        (ByPosition, "takes_columns_by_name"),
        (ByRank, "a_row_keeps_its_prediction_wherever_it_stands"),
        (Unpicklable, "survives_pickling"),
        (Changes, "changes_nothing_that_it_is_given"),
        (NotANumber, "predicts_one_finite_number_per_row"),
    ],
)
def test_a_bad_learner_is_told_the_rule_that_it_breaks(learner, rule):
    with pytest.raises(LearnerError, match=rf"(?s)it breaks \d+ of {len(RULES)}:.*- {rule}: "):
        check_learner(learner)
    kept = [name for name in RULES if name != rule]
    assert rule not in check_learner(Linear, leave_out=[rule])
    assert list(check_learner(Linear, leave_out=[rule])) == kept


def test_a_learner_that_checks_nothing_is_told_every_refusal_that_it_lacks():
    with pytest.raises(LearnerError) as refusal:
        check_learner(Unchecked)
    told = str(refusal.value)
    for rule in RULES:
        assert (f"- {rule}: " in told) == (rule.startswith("refuses") or "interval_or" in rule)
    assert "BaseLearner" in told


def test_an_unknown_rule_to_leave_out_is_refused():
    with pytest.raises(LearnerError, match=r"\['every_rule'\] are none of"):
        check_learner(Linear, leave_out=["every_rule"])


def test_the_index_of_the_rows_is_no_position():
    index = training_rows()["covariates"].index
    assert set(index).isdisjoint(range(len(index)))
