"""Trial table to arrays, usable covariates, folds by household: shapes, rules and refusals."""

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.errors import TrialError
from promo_uplift.trials import household_folds, to_trial_data, usable_covariates


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "household_id": [1, 2, 3, 1, 2],
            "campaign_id": [8, 8, 8, 13, 13],
            "treatment": [1, 0, 0, 1, 0],
            "redeemed": [1, 0, 0, 0, 0],
            "spend_usd": [5.0, 0.0, 2.5, 1.0, 4.0],
            "a": [1.0, np.nan, 3.0, 4.0, 5.0],
            "b": [1, 0, 1, 0, 1],
            "c": [7.0, 7.0, 7.0, 7.0, 7.0],
            "d": [np.nan] * 5,
            "e": [7.0, 7.0, np.nan, 7.0, 7.0],
        },
        index=[9, 8, 7, 6, 5],
    )


def test_arrays_keep_rows_order_and_missing_values(frame):
    before = frame.copy(deep=True)
    data = to_trial_data(trials=frame, covariates=["b", "a"], outcome="spend_usd")
    assert list(data.covariates.columns) == ["b", "a"]
    assert {str(dtype) for dtype in data.covariates.dtypes} == {"float64"}
    assert list(data.covariates.index) == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(data.covariates["a"], [1.0, np.nan, 3.0, 4.0, 5.0])
    np.testing.assert_array_equal(data.treatment, [1, 0, 0, 1, 0])
    np.testing.assert_array_equal(data.outcome, [5.0, 0.0, 2.5, 1.0, 4.0])
    np.testing.assert_array_equal(data.groups, [1, 2, 3, 1, 2])
    np.testing.assert_array_equal(data.campaign, [8, 8, 8, 13, 13])
    assert data.redeemed.dtype == np.float64
    assert data.treatment.dtype == data.groups.dtype == data.campaign.dtype == np.int64
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spend_usd": [5.0, np.nan, 2.5, np.inf, 4.0]}, "`spend_usd` must be finite.*2 of 5"),
        ({"household_id": [1, 1, 3, 1, 2]}, r"unique together; 1 rows repeat a pair, first \(1, 8"),
        ({"treatment": [1, 0, 0, 1, 1]}, "campaign 13: 2 treated of 2"),
        ({"treatment": [0, 0, 0, 1, 0]}, "campaign 8: 0 treated of 3"),
        ({"treatment": [2, 0, 0, 1, 0]}, r"`treatment` must be 0 or 1, found \[.*2"),
        ({"redeemed": [np.nan, 0, 0, 0, 0]}, "`redeemed` must be 0 or 1, found 1 missing"),
        ({"a": [np.inf, 0, 0, 0, 0]}, r"infinite values in \['a'\]"),
        ({"household_id": [np.nan, 2, 3, 1, 2]}, "present in every row; 1 rows"),
    ],
)
def test_tables_that_cannot_be_analysed_are_refused(frame, change, message):
    changed = frame.assign(**change)
    with pytest.raises(TrialError, match=message):
        to_trial_data(trials=changed, covariates=["a", "b"], outcome="spend_usd")


@pytest.mark.parametrize(
    ("covariates", "outcome", "message"),
    [
        (["a", "zz"], "spend_usd", r"columns \['zz'\]"),
        (["a"], "margin_usd", r"columns \['margin_usd'\]"),
        ([], "spend_usd", "`covariates` must name at least one"),
        (["a", "a"], "spend_usd", r"\['a'\] are named twice"),
        (["a", "spend_usd"], "spend_usd", r"\['spend_usd'\] are named twice"),
    ],
)
def test_columns_that_are_missing_or_named_twice_are_refused(frame, covariates, outcome, message):
    with pytest.raises(TrialError, match=message):
        to_trial_data(trials=frame, covariates=covariates, outcome=outcome)


def test_an_empty_table_is_refused(frame):
    with pytest.raises(TrialError, match="`trials` must have rows"):
        to_trial_data(trials=frame.iloc[:0], covariates=["a"], outcome="spend_usd")


def test_constant_covariates_are_left_out_and_reported(frame):
    names, report = usable_covariates(trials=frame, candidates=["a", "b", "c", "d", "e"])
    assert names == ("a", "b", "e")
    left_out = report[~report["used"]].set_index("covariate")
    assert list(left_out.index) == ["c", "d"]
    assert (left_out["reason"] == "the same value in every row").all()
    assert report.set_index("covariate").loc["d", "share_missing"] == 1.0


@pytest.mark.parametrize(
    ("candidates", "rows", "message"),
    [
        (["c", "d"], 5, "all 2 are constant"),
        (["zz"], 5, r"missing are \['zz'\]"),
        (["a"], 0, "must have rows"),
    ],
)
def test_nothing_usable_is_refused(frame, candidates, rows, message):
    part = frame.iloc[:rows]
    with pytest.raises(TrialError, match=message):
        usable_covariates(trials=part, candidates=candidates)


def test_folds_hold_whole_households_in_equal_numbers():
    groups = np.repeat(np.arange(100, 203), [1, 2, 3] * 34 + [1])
    fold = household_folds(groups=groups, n_folds=5, seed=3)
    of_household = pd.Series(fold).groupby(groups).nunique()
    assert (of_household == 1).all()
    sizes = pd.Series(groups).groupby(fold).nunique()
    assert sizes.max() - sizes.min() <= 1
    assert fold.dtype == np.int64
    assert set(fold) == set(range(5))


def test_folds_depend_on_the_household_and_the_seed_only():
    groups = np.repeat(np.arange(60), 3)
    fold = household_folds(groups=groups, n_folds=4, seed=3)
    order = np.random.default_rng(0).permutation(len(groups))
    np.testing.assert_array_equal(
        household_folds(groups=groups[order], n_folds=4, seed=3), fold[order]
    )
    np.testing.assert_array_equal(
        household_folds(groups=np.arange(60), n_folds=4, seed=3), fold[::3]
    )
    assert (household_folds(groups=groups, n_folds=4, seed=4) != fold).any()


@pytest.mark.parametrize(
    ("n_folds", "message"), [(4, "4 folds for 3 households"), (1, "at least 2")]
)
def test_folds_that_cannot_be_filled_are_refused(n_folds, message):
    groups = np.array([7, 7, 8, 9, 9, 9])
    with pytest.raises(TrialError, match=message):
        household_folds(groups=groups, n_folds=n_folds, seed=1)
