"""The model that leaves the project: what it takes, what it refuses, what it marks."""

import pickle
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.errors import IntervalNotOffered, ScoringError
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.policy import ScoringModel, support_ranges

COLUMNS = [
    "cate_usd",
    "ci_low_usd",
    "ci_high_usd",
    "expected_profit_usd",
    "in_support",
    "recommend",
    "support_reason",
    "reason",
]
MONEY = PolicyParameters(
    margin_rate=0.5,
    contact_cost_usd=1.0,
    redemption_cost_usd=0.0,
    values_are_assumptions=True,
    grid_points=11,
    support_quantile=0.0,
)


@dataclass
class SpendLearner:
    """Effect = spend; refuses what training never saw, as a forest would."""

    has_interval: bool = True

    def predict_cate(self, *, covariates):
        if not np.isfinite(covariates["spend"]).all():
            raise ValueError("not finite")
        return covariates["spend"].to_numpy()

    def predict_interval(self, *, covariates, level):
        if not self.has_interval:
            raise IntervalNotOffered("none")
        half = 10.0 * (1 - level)
        cate = self.predict_cate(covariates=covariates)
        return np.column_stack([cate - half, cate + half])


@dataclass
class Rates:
    propensity: float = 0.5
    redemption: float = 0.1

    def predict_propensity(self, *, covariates):
        return np.full(len(covariates), self.propensity)

    def predict_redemption(self, *, covariates):
        return np.full(len(covariates), self.redemption)


TRAINING = pd.DataFrame({"spend": [0.0, 10.0], "visits": [np.nan, 4.0]})
MODEL = ScoringModel(
    learner=SpendLearner(),
    propensity_model=Rates(),
    redemption_model=Rates(),
    covariates=("spend", "visits"),
    ranges=support_ranges(covariates=TRAINING, quantile=0.0, overlap_low=0.1, overlap_high=0.9),
    parameters=MONEY,
    verdict_name="publish",
    cate_threshold_usd=3.0,
    level=0.9,
)
HOUSEHOLDS = pd.DataFrame(
    {"household_id": [7, 8, 9, 10], "visits": [4, 4, 4, 4], "spend": [9.0, 2.5, 1.0, 11.0]},
    index=[70, 80, 90, 100],
)


def test_households_are_scored_by_name_with_their_index():
    table = MODEL.score(HOUSEHOLDS)
    assert list(table.columns) == COLUMNS
    assert list(table.index) == [70, 80, 90, 100]
    row = table.loc[70]
    assert (row["cate_usd"], row["ci_low_usd"], row["ci_high_usd"]) == pytest.approx((9, 8, 10))
    assert row["expected_profit_usd"] == pytest.approx(0.5 * 9 - 1)
    assert table["recommend"].tolist() == [True, False, False, False]


def test_outside_the_training_range_there_is_no_number():
    row = MODEL.score(HOUSEHOLDS).loc[100]
    assert not row["in_support"]
    assert not row["recommend"]
    assert np.isnan(row["cate_usd"])
    assert np.isnan(row["expected_profit_usd"])


@pytest.mark.parametrize("spend", [np.nan, np.inf, -np.inf])
def test_values_that_training_never_saw_do_not_reach_the_learner(spend):
    table = MODEL.score(pd.DataFrame({"spend": [spend, 5.0], "visits": [4.0, np.nan]}))
    assert table["in_support"].tolist() == [False, True]
    assert np.isnan(table["cate_usd"].iloc[0])


def test_outside_the_overlap_the_number_is_marked_and_nobody_recommended():
    table = replace(MODEL, propensity_model=Rates(propensity=0.99)).score(HOUSEHOLDS)
    assert not table["in_support"].any()
    assert not table["recommend"].any()
    assert table["cate_usd"].iloc[0] == 9.0


@pytest.mark.parametrize("verdict", ["bounds_only", "experiment_needed", "refuse"])
def test_without_publish_nobody_is_recommended(verdict):
    assert not replace(MODEL, verdict_name=verdict).score(HOUSEHOLDS)["recommend"].any()


def test_an_empty_share_recommends_nobody():
    nobody = replace(MODEL, cate_threshold_usd=float("inf"))
    assert not nobody.score(HOUSEHOLDS)["recommend"].any()


def test_a_learner_without_intervals_leaves_them_open():
    table = replace(MODEL, learner=SpendLearner(has_interval=False)).score(HOUSEHOLDS)
    assert table[["ci_low_usd", "ci_high_usd"]].isna().all(axis=None)
    assert table["recommend"].iloc[0]


def test_a_missing_column_is_named():
    with pytest.raises(ScoringError, match=r"missing 1 of 2: `visits`\."):
        MODEL.score(HOUSEHOLDS[["spend"]])


def test_a_renamed_column_is_recognised():
    with pytest.raises(ScoringError, match=r"`visits` \(is it `visit_s`\?\)"):
        MODEL.score(HOUSEHOLDS.rename(columns={"visits": "visit_s"}))


@pytest.mark.parametrize(
    "values", [["a", "b", "c", "d"], pd.date_range("2017-01-01", periods=4), [None, "1", 2, 3]]
)
def test_a_column_that_is_not_numeric_is_named_with_its_type(values):
    with pytest.raises(ScoringError, match=r"numeric; not so: `spend` \("):
        MODEL.score(HOUSEHOLDS.assign(spend=values))


def test_a_column_that_occurs_twice_is_refused():
    twice = pd.concat([HOUSEHOLDS, HOUSEHOLDS[["spend"]]], axis=1)
    with pytest.raises(ScoringError, match=r"more than once: \['spend'\]"):
        MODEL.score(twice)


def test_nullable_integers_are_numbers():
    frame = HOUSEHOLDS.assign(visits=pd.array([4, None, 4, 4], dtype="Int64"))
    assert MODEL.score(frame)["in_support"].tolist() == [True, True, True, False]


def test_no_households_give_no_rows_of_the_same_form():
    table = MODEL.score(HOUSEHOLDS.iloc[:0])
    assert list(table.columns) == COLUMNS
    assert len(table) == 0


def test_scoring_leaves_the_table_as_it_was_and_survives_a_pickle():
    before = HOUSEHOLDS.copy()
    copied = pickle.loads(pickle.dumps(MODEL))  # noqa: S301 - our own bytes
    pd.testing.assert_frame_equal(copied.score(HOUSEHOLDS), MODEL.score(HOUSEHOLDS))
    pd.testing.assert_frame_equal(HOUSEHOLDS, before)


def one_household(model, row):
    """What the docstrings say of one household, spelled out; the oracle of a whole table."""
    outside = [
        (name, row[name])
        for name, low, high, seen in zip(
            model.ranges.names,
            model.ranges.low,
            model.ranges.high,
            model.ranges.missing_seen,
            strict=True,
        )
        if (not seen if np.isnan(row[name]) else not low <= row[name] <= high)
    ]
    if outside:
        name, value = outside[0]
        kind = "missing_not_seen_in_training" if np.isnan(value) else "outside_training_range"
        return [np.nan] * 4 + [False, False, f"covariate_{kind}:{name}", "outside_support"]
    frame = pd.DataFrame([row])
    cate = float(model.learner.predict_cate(covariates=frame)[0])
    low, high = model.learner.predict_interval(covariates=frame, level=model.level)[0]
    profit = MONEY.margin_rate * cate - MONEY.contact_cost_usd
    propensity = model.propensity_model.predict_propensity(covariates=frame)[0]
    overlaps = model.ranges.overlap_low <= propensity <= model.ranges.overlap_high
    if not overlaps:
        reason = "outside_support"
    elif profit <= 0:
        reason = "below_break_even"
    elif cate < model.cate_threshold_usd:
        reason = "below_share_threshold"
    elif low <= MONEY.contact_cost_usd / MONEY.margin_rate:
        reason = "targeted_interval_includes_break_even"
    else:
        reason = "targeted"
    said = "" if overlaps else "propensity_outside_overlap"
    return [cate, low, high, profit, overlaps, reason.startswith("targeted"), said, reason]


@dataclass
class SpendPropensity(Rates):
    """Mailed the more, the more they spend."""

    def predict_propensity(self, *, covariates):
        return covariates["spend"].to_numpy() / 9.0


def test_a_table_is_scored_as_each_of_its_households_is_by_the_rules():
    """Every reason occurs, and every figure is the same to the last bit."""
    rng = np.random.default_rng(0)
    households = pd.DataFrame(
        {"spend": rng.uniform(-1.0, 11.0, 400).round(2), "visits": rng.choice([np.nan, 4, 5], 400)}
    )
    households.loc[::40, "spend"] = np.nan
    model = replace(MODEL, propensity_model=SpendPropensity(), cate_threshold_usd=2.5)
    found = model.score(households)
    expected = pd.DataFrame(
        [one_household(model, row) for row in households.to_dict("records")], columns=COLUMNS
    )
    pd.testing.assert_frame_equal(found, expected.astype(found.dtypes.to_dict()), check_exact=True)
    assert set(found["reason"]) == {
        "outside_support",
        "below_break_even",
        "below_share_threshold",
        "targeted_interval_includes_break_even",
        "targeted",
    }
    assert set(found["support_reason"]) == {
        "",
        "propensity_outside_overlap",
        "covariate_outside_training_range:spend",
        "covariate_missing_not_seen_in_training:spend",
        "covariate_outside_training_range:visits",
    }


def test_a_category_that_training_never_saw_is_said():
    encoder = SimpleNamespace(
        columns=(SimpleNamespace(name="spend", kind="category", levels=("old",)),),
        encode=lambda frame: (
            pd.DataFrame({"spend": 9.0, "visits": 4.0}, index=range(len(frame))),
            np.where(frame["spend"] == "new", 0, -1),
        ),
    )
    model = replace(MODEL, encoder=encoder)
    assert (model.columns, model.categories) == (("spend",), ("spend",))
    table = model.score(pd.DataFrame({"spend": ["old", "new"]}))
    assert table["support_reason"].tolist() == ["", "category_not_seen_in_training:spend"]
    assert table["reason"].tolist() == ["targeted", "outside_support"]
    assert table["cate_usd"].isna().tolist() == [False, True]
    with pytest.raises(ScoringError, match=r"missing 1 of 1: `spend` \(is it `spent`\?\)"):
        model.score(pd.DataFrame({"spent": ["old"]}))


def test_rows_are_scored_one_by_one():
    whole = MODEL.score(HOUSEHOLDS)
    parts = pd.concat([MODEL.score(HOUSEHOLDS.iloc[[i]]) for i in (3, 1, 0, 2)])
    pd.testing.assert_frame_equal(parts.sort_index(), whole)
