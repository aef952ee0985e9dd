"""Any table becomes trials: roles, arms, lots, covariates; what is left out is said by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.parameters import TableParameters
from promo_uplift.contracts.results import ALL_SEEN
from promo_uplift.trials import one_trial, table_trials

N = 60


def a_table(**columns):
    """Sixty rows; every second one treated."""
    rng = np.random.default_rng(0)
    table = {
        "treated": np.tile([0, 1], N // 2),
        "spend": rng.gamma(2.0, 10.0, N),
        "age": rng.integers(20, 40, N),
        "town": np.tile(["north", "south", "west"], N // 3),
    }
    return pd.DataFrame(table | columns)


def roles(**changed):
    values = {
        "path": None,
        "treatment": "treated",
        "outcome": "spend",
        "max_levels": 10,
        "identifier_share": 0.95,
    }
    return TableParameters.model_validate(values | changed)


def read(frame, **changed):
    return table_trials(frame=frame, parameters=roles(**changed))


def one(frame, **changed):
    return one_trial(read(frame, **changed))


def line(trial, column):
    return trial.report.set_index("column").loc[column]


def as_missing(values, rows):
    return pd.Series(values, dtype=object).where(~pd.Series(range(N)).isin(rows), None)


# -- treatment, arms, control -----------------------------------------------------------------

SAME_ARMS = {
    "0/1": np.tile([0, 1], N // 2),
    "bool": np.tile([False, True], N // 2),
    "float": np.tile([0.0, 1.0], N // 2),
    "text": np.tile(["0", "1"], N // 2),
    "nullable bool": pd.array(np.tile([False, True], N // 2), dtype="boolean"),
    "nullable int": pd.array(np.tile([0, 1], N // 2), dtype="Int64"),
    "category": pd.Categorical(np.tile(["0", "1"], N // 2)),
}


@pytest.mark.parametrize("name", SAME_ARMS)
def test_however_no_and_yes_are_written_the_arms_are_the_same(name):
    trial = one(a_table(treated=SAME_ARMS[name]))
    assert (trial.arm, trial.control) == ("1", "0")
    assert trial.data.treatment.tolist() == [0, 1] * (N // 2)
    assert trial.data.treatment.dtype == np.int64


@pytest.mark.parametrize("control", ["0", 0, 0.0, False])
def test_the_control_may_be_named_as_text_number_or_bool(control):
    for values in SAME_ARMS.values():
        assert one(a_table(treated=values), control=control).control == "0"


def test_the_control_may_be_the_one():
    trial = one(a_table(), control=1)
    assert (trial.arm, trial.control) == ("0", "1")
    assert trial.data.treatment.tolist() == [1, 0] * (N // 2)


THREE = np.tile(["blue", "none", "red"], N // 3)


def test_each_arm_is_a_trial_against_the_same_control():
    frame = a_table(treated=THREE)
    blue, red = read(frame, control="none")
    assert [(one.arm, one.control) for one in (blue, red)] == [("blue", "none"), ("red", "none")]
    for trial in (blue, red):
        arms = frame["treated"].to_numpy()[trial.data.row]
        assert set(arms) == {trial.arm, "none"}
        assert (trial.data.treatment == (arms == trial.arm)).all()
        assert (trial.data.outcome == frame["spend"].to_numpy()[trial.data.row]).all()
        assert len(trial.data.row) == N * 2 // 3
    assert set(blue.data.campaign) != set(red.data.campaign)


def test_one_arm_of_several_may_be_chosen():
    trial = one(a_table(treated=THREE), control="none", arm="red")
    assert trial.arm == "red"


def test_a_run_takes_one_arm_and_says_so():
    trials = read(a_table(treated=THREE), control="none")
    with pytest.raises(TrialError, match=r"`table.arm` must name the arm .*'blue', 'red'"):
        one_trial(trials)


def test_without_a_zero_the_control_must_be_named():
    frame = a_table(treated=THREE)
    with pytest.raises(TrialError, match=r"`table.control` must say .*'blue', 'none', 'red'"):
        read(frame)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"control": "nobody"}, "`table.control` must be a value of `treated`: .*got 'nobody'"),
        ({"control": "none", "arm": "green"}, "`table.arm` must be a value .*got 'green'"),
        ({"control": "none", "arm": "none"}, "`table.arm` must differ from `table.control`"),
    ],
)
def test_an_arm_that_is_none_is_refused(changed, match):
    frame = a_table(treated=THREE)
    with pytest.raises(TrialError, match=match):
        read(frame, **changed)


def test_a_single_arm_is_refused():
    frame = a_table(treated=1)
    with pytest.raises(TrialError, match=r"`treated` must hold a treatment and a control.*'1'"):
        read(frame)


def test_a_dose_is_refused():
    frame = a_table(treated=np.arange(N))
    with pytest.raises(TrialError, match=r"at most 20 arms; found 60 values. A dose"):
        read(frame)


def test_a_missing_treatment_is_refused_and_counted():
    frame = a_table(treated=as_missing(np.tile(["0", "1"], N // 2), {3, 4}))
    with pytest.raises(TrialError, match="`treated` must be known in every row; 2 of 60"):
        read(frame)


# -- roles ------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["treatment", "outcome"])
def test_treatment_and_outcome_must_be_named(field):
    frame = a_table()
    with pytest.raises(TrialError, match=f"`table.{field}` must name a column; it is not set"):
        read(frame, **{field: None})


@pytest.mark.parametrize(
    "field", ["treatment", "outcome", "groups", "propensity", "placebo_outcome"]
)
def test_a_misspelt_column_is_refused_with_the_nearest(field):
    frame = a_table(household=range(N))
    with pytest.raises(TrialError, match=f"`table.{field}` .*`huosehold` .*mean `household`"):
        read(frame, **{field: "huosehold"})


def test_a_column_that_resembles_none_is_refused_with_the_columns():
    frame = a_table()
    with pytest.raises(TrialError, match=r"none of them. Columns: 'treated', 'spend'"):
        read(frame, outcome="zzz")


def test_a_column_has_one_role():
    frame = a_table()
    with pytest.raises(TrialError, match="`spend` is both outcome and placebo_outcome"):
        read(frame, placebo_outcome="spend")


def test_covariates_must_be_columns():
    frame = a_table()
    with pytest.raises(TrialError, match=r"`table.covariates` must name columns; \['income'\]"):
        read(frame, covariates=["age", "income"])


def test_a_covariate_must_have_no_other_role():
    frame = a_table()
    with pytest.raises(TrialError, match=r"another role; found \['spend \(outcome\)'\]"):
        read(frame, covariates=["age", "spend"])


def test_columns_of_the_same_name_are_refused():
    frame = pd.concat([a_table(), a_table()[["age"]]], axis="columns")
    with pytest.raises(TrialError, match=r"\['age'\] occur more than once"):
        read(frame)


def test_a_table_without_rows_is_refused():
    frame = a_table().head(0)
    with pytest.raises(TrialError, match="must have rows"):
        read(frame)


def test_the_table_is_not_changed():
    frame = a_table(house=np.repeat(range(N // 2), 2), lot=0.5, before=np.linspace(0, 1, N))
    before = frame.copy(deep=True)
    read(frame, groups="house", propensity="lot", placebo_outcome="before")
    pd.testing.assert_frame_equal(frame, before)


def test_an_index_of_any_kind_changes_nothing():
    frame = a_table()
    moved = frame.set_axis(pd.date_range("2020-01-01", periods=N)[::-1])
    pd.testing.assert_frame_equal(one(moved).data.covariates, one(frame).data.covariates)
    assert one(moved).data.row.tolist() == list(range(N))


# -- outcome ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (np.tile(["yes", "no"], N // 2), "`spend` must be a number .*'yes', 'no'.*Code it"),
        ([np.nan, np.inf] + [1.0] * (N - 2), "`spend` must be finite in every row; 2 of 60"),
        (pd.date_range("2020-01-01", periods=N), "`spend` must be a number"),
    ],
)
def test_an_outcome_that_is_no_number_is_refused(values, match):
    frame = a_table(spend=values)
    with pytest.raises(TrialError, match=match):
        read(frame)


@pytest.mark.parametrize("values", [np.tile([True, False], N // 2), np.tile([1, 0], N // 2)])
def test_yes_and_no_are_an_outcome(values):
    assert one(a_table(spend=values)).data.outcome.tolist() == [1.0, 0.0] * (N // 2)


def test_the_earlier_outcome_must_be_a_number_too():
    frame = a_table(before="many")
    with pytest.raises(TrialError, match="`before` must be a number"):
        read(frame, placebo_outcome="before")


# -- groups -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text", "number"])
def test_rows_of_one_cluster_share_a_group(kind):
    numbers = np.repeat(np.arange(N // 2), 2)[::-1]
    house = [f"house {number}" for number in numbers] if kind == "text" else numbers * 1_000
    data = one(a_table(house=house), groups="house").data
    assert pd.Series(data.groups).groupby(numbers).nunique().eq(1).all()
    assert len(set(data.groups)) == N // 2
    assert "house" not in data.covariates


def test_without_a_cluster_each_row_is_its_own():
    assert len(set(one(a_table()).data.groups)) == N


def test_a_missing_cluster_is_refused_and_counted():
    frame = a_table(house=as_missing(["a"] * N, {5}))
    with pytest.raises(TrialError, match="`house` must be known in every row; 1 of 60"):
        read(frame, groups="house")


# -- propensity -------------------------------------------------------------------------------


def test_without_a_stated_propensity_nobody_drew_lots():
    assert one(a_table()).data.known_propensity is None


@pytest.mark.parametrize("given", [0.3, "lot", {0: 0.7, 1: 0.3}, {"0": 0.7, "1": 0.3}])
def test_a_propensity_may_be_a_number_a_column_or_shares(given):
    data = one(a_table(lot=0.3), propensity=given, covariates=["age"]).data
    np.testing.assert_allclose(data.known_propensity, 0.3)


def test_a_column_of_propensities_is_read_row_by_row():
    lot = np.linspace(0.1, 0.9, N)
    data = one(a_table(treated=THREE, lot=lot), control="none", arm="red").data
    assert data.known_propensity is None
    data = one(a_table(lot=lot), propensity="lot").data
    assert data.known_propensity.tolist() == lot.tolist()
    assert "lot" not in data.covariates


def test_shares_of_several_arms_become_chances_against_the_control():
    shares = {"none": 0.5, "blue": 0.3, "red": 0.2}
    blue, red = read(a_table(treated=THREE), control="none", propensity=shares)
    np.testing.assert_allclose(blue.data.known_propensity, 0.3 / 0.8)
    np.testing.assert_allclose(red.data.known_propensity, 0.2 / 0.7)


@pytest.mark.parametrize(
    ("treated", "given", "match"),
    [
        (THREE, 0.5, "share of each arm and the control where there are several"),
        (THREE, {"none": 0.5, "red": 0.5}, "every arm and the control, 'blue', 'none', 'red'; got"),
        (THREE, {"none": 0.5, "red": 0.4, "blue": 0.4}, "add up to 1; they add up to 1.3"),
        (THREE, {"none": 1.0, "red": 0.0, "blue": 0.0}, "above 0 .*the smallest is 0"),
        (None, 1.0, "strictly between 0 and 1; 60 of 60"),
        (None, 0.0, "strictly between 0 and 1; 60 of 60"),
        (None, "lot", "strictly between 0 and 1; 3 of 60"),
        (None, "town", "`town` must hold numbers; .*'north', 'south'"),
        (None, {0: 0.7, 2: 0.3}, "must give the share of every arm"),
    ],
)
def test_an_impossible_propensity_is_refused(treated, given, match):
    frame = a_table(lot=[0.0, 1.0, np.nan] + [0.5] * (N - 3))
    if treated is not None:
        frame["treated"] = treated
    with pytest.raises(TrialError, match=match):
        read(frame, propensity=given, control=None if treated is None else "none")


# -- covariates -------------------------------------------------------------------------------


def test_all_other_columns_are_covariates():
    trial = one(a_table())
    assert list(trial.data.covariates) == ["age", "town=north", "town=south", "town=west"]
    assert trial.data.covariates.dtypes.eq(np.float64).all()


def test_only_named_covariates_are_used_and_the_others_reported():
    trial = one(a_table(), covariates=["age"])
    assert list(trial.data.covariates) == ["age"]
    town = line(trial, "town")
    assert (town["used"], town["role"]) == (False, "not named")


def test_the_report_has_a_line_for_every_column():
    frame = a_table(
        house=np.repeat(range(N // 2), 2), lot=0.5, before=np.linspace(0.0, 1.0, N), same=1
    )
    trial = one(frame, groups="house", propensity="lot", placebo_outcome="before")
    assert trial.report["column"].tolist() == list(frame)
    assert trial.report.set_index("column")["role"].to_dict() == {
        "treated": "treatment",
        "spend": "outcome",
        "age": "covariate",
        "town": "covariate",
        "house": "groups",
        "lot": "propensity",
        "before": "placebo_outcome",
        "same": "covariate",
    }
    assert line(trial, "town")["n_levels"] == 3


def test_categories_are_one_covariate_for_each_level():
    covariates = one(a_table()).data.covariates
    assert covariates.filter(like="town=").sum(axis="columns").eq(1.0).all()
    assert covariates["town=south"].tolist() == [0.0, 1.0, 0.0] * (N // 3)


@pytest.mark.parametrize("as_dtype", [object, "category", "string"])
def test_a_missing_category_is_a_level_of_its_own(as_dtype):
    town = as_missing(np.tile(["north", "south", "west"], N // 3), {0, 1}).astype(as_dtype)
    trial = one(a_table(town=town))
    assert trial.data.covariates["town=(missing)"].tolist() == [1.0, 1.0] + [0.0] * (N - 2)
    assert line(trial, "town")["n_missing"] == 2


@pytest.mark.parametrize("as_dtype", [np.float64, "Float64", "Int64"])
def test_a_missing_number_stays_missing(as_dtype):
    age = pd.Series([np.nan, 30.0] * (N // 2)).astype(as_dtype)
    trial = one(a_table(age=age))
    np.testing.assert_array_equal(trial.data.covariates["age"], [np.nan, 30.0] * (N // 2))
    assert line(trial, "age")["n_missing"] == N // 2


def test_yes_and_no_are_a_number():
    trial = one(a_table(member=np.tile([True, True, False], N // 3)))
    assert trial.data.covariates["member"].tolist() == [1.0, 1.0, 0.0] * (N // 3)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (1, "the same value in every row"),
        ("x", "the same value in every row"),
        (np.nan, "the same value in every row"),
        (pd.date_range("2020-01-01", periods=N), "a date: turn it into days"),
        (pd.period_range("2020-01", periods=N, freq="M"), "a date: turn it into days"),
        (pd.timedelta_range("1D", periods=N), "a duration: turn it into a number"),
        (
            [f"{n} words" for n in range(N)],
            "text with 60 levels, more than `table.max_levels` = 10",
        ),
        (np.ones(N) * 1j, "of complex numbers"),
        ([[n] for n in range(N)], "of lists or other objects"),
    ],
)
def test_what_no_model_can_use_is_left_out_with_its_reason(values, reason):
    frame = a_table()
    frame["odd"] = values
    trial = one(frame)
    assert "odd" not in " ".join(trial.data.covariates)
    odd = line(trial, "odd")
    assert not odd["used"]
    assert odd["reason"].startswith(reason)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (pd.date_range("2020-01-01", periods=N), "`odd` is a date"),
        ([f"{n} words" for n in range(N)], "`odd` is text with 60 levels"),
        (np.ones(N) * 1j, "`odd` is of complex numbers"),
    ],
)
def test_what_no_model_can_use_is_refused_where_it_was_named(values, match):
    frame = a_table(odd=values)
    with pytest.raises(TrialError, match=match):
        read(frame, covariates=["age", "odd"])


def test_a_constant_column_is_left_out_even_where_it_was_named():
    trial = one(a_table(odd=1), covariates=["age", "odd"])
    assert list(trial.data.covariates) == ["age"]
    assert line(trial, "odd")["reason"] == "the same value in every row"


@pytest.mark.parametrize(
    "values", [np.arange(N), [f"c{n}" for n in range(N)]], ids=["numbers", "text"]
)
def test_an_identifier_is_left_out_by_name_and_kept_where_it_was_named(values):
    frame = a_table(customer=values)
    left_out = one(frame, max_levels=100)
    assert not line(left_out, "customer")["used"]
    assert "100% of them different: an identifier" in line(left_out, "customer")["reason"]
    assert "customer" not in " ".join(left_out.data.covariates)
    kept = one(frame, max_levels=100, covariates=["age", "customer"])
    assert line(kept, "customer")["used"]
    assert "customer" in " ".join(kept.data.covariates)


def test_a_measurement_with_many_values_is_no_identifier():
    trial = one(a_table(income=np.random.default_rng(1).normal(size=N)))
    assert line(trial, "income")["used"]


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_covariate_is_refused_and_counted(value):
    frame = a_table(income=[value, 2.0] * (N // 2))
    with pytest.raises(TrialError, match="`income` must be finite or missing; 30 rows"):
        read(frame)


def test_a_table_without_a_usable_covariate_is_refused_with_the_reasons():
    frame = a_table(age=1, town="x")
    with pytest.raises(TrialError, match=r"none is left.* age: the same value .*town: the same"):
        read(frame)


def test_each_arm_has_its_own_covariates():
    """A column that varies in one arm's rows only is a covariate of that arm only."""
    frame = a_table(treated=THREE)
    frame["shade"] = np.where(THREE == "blue", np.tile([1.0, 2.0, 3.0, 4.0], N // 4), 0.0)
    blue, red = read(frame, control="none")
    assert "shade" in blue.data.covariates
    assert line(red, "shade")["reason"] == "the same value in every row"


# -- rows to come -----------------------------------------------------------------------------


def test_new_rows_become_the_same_covariates():
    frame = a_table()
    trial = one(frame)
    covariates, unseen = trial.encoder.encode(frame.iloc[::-1])
    assert (unseen == ALL_SEEN).all()
    expected = trial.data.covariates.iloc[::-1].reset_index(drop=True)
    pd.testing.assert_frame_equal(covariates, expected)


def test_rows_are_found_again_from_their_covariates():
    frame = a_table(town=as_missing(np.tile(["north", "south", "west"], N // 3), {0}))
    trial = one(frame)
    found = trial.encoder.decode(trial.data.covariates)
    assert found["age"].tolist() == frame["age"].tolist()
    assert found["town"].isna().tolist() == [True] + [False] * (N - 1)
    assert found["town"].tolist()[1:] == frame["town"].tolist()[1:]


def test_an_unseen_level_is_said_with_its_column_and_not_guessed():
    trial = one(a_table(colour=np.tile(["red", "blue"], N // 2)))
    new = pd.DataFrame(
        {
            "age": [30] * 5,
            "town": ["north", "east", None, "north", "east"],
            "colour": ["red", "red", "red", "green", "green"],
        }
    )
    covariates, unseen = trial.encoder.encode(new)
    names = [None if i == ALL_SEEN else trial.encoder.columns[i].name for i in unseen]
    assert names == [None, "town", "town", "colour", "town"]
    assert covariates.filter(like="town=").iloc[1].eq(0.0).all()


def test_a_number_missing_in_a_new_row_stays_missing():
    covariates, unseen = one(a_table()).encoder.encode(
        pd.DataFrame({"age": [np.nan], "town": ["north"]})
    )
    assert np.isnan(covariates["age"].iloc[0])
    assert unseen.tolist() == [ALL_SEEN]


@pytest.mark.parametrize(
    ("new", "match"),
    [
        ({"age": [30]}, r"missing: \['town'\]"),
        ({"age": ["thirty"], "town": ["north"]}, "`age` must hold numbers; .*'thirty'"),
        (
            {"age": [pd.Timestamp("2017-01-01")], "town": ["north"]},
            "`age` must hold numbers; it is",
        ),
    ],
)
def test_new_rows_that_do_not_fit_are_refused(new, match):
    encoder = one(a_table()).encoder
    frame = pd.DataFrame(new)
    with pytest.raises(TrialError, match=match):
        encoder.encode(frame)


def test_every_column_that_is_no_number_is_named():
    encoder = one(a_table(shoes=np.arange(float(N)))).encoder
    frame = pd.DataFrame({"age": ["thirty"], "shoes": ["large"], "town": ["north"]})
    with pytest.raises(TrialError, match=r"`age` must .*'thirty'.* `shoes` must .*'large'"):
        encoder.encode(frame)


# -- placebo ----------------------------------------------------------------------------------


def test_the_earlier_outcome_is_a_covariate_but_not_of_itself():
    before = np.linspace(0.0, 1.0, N)
    trial = one(a_table(before=before), placebo_outcome="before")
    assert "before" in trial.data.covariates
    assert "before" not in trial.placebo.covariates
    assert set(trial.data.covariates) - set(trial.placebo.covariates) == {"before"}
    assert trial.placebo.outcome.tolist() == before.tolist()
    for name in ("treatment", "groups", "row"):
        np.testing.assert_array_equal(getattr(trial.placebo, name), getattr(trial.data, name))


def test_without_an_earlier_outcome_there_is_no_placebo():
    assert one(a_table()).placebo is None


def test_an_earlier_outcome_that_is_the_only_covariate_is_refused():
    frame = a_table(before=np.linspace(0.0, 1.0, N))[["treated", "spend", "before"]]
    with pytest.raises(TrialError, match="a covariate besides `before`"):
        read(frame, placebo_outcome="before")


def test_the_chances_of_an_experiment_hold_for_its_placebo():
    frame = a_table(before=np.linspace(0.0, 1.0, N))
    trial = one(frame, placebo_outcome="before", propensity=0.5)
    assert trial.placebo.known_propensity.tolist() == trial.data.known_propensity.tolist()
