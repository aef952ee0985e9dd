"""Treatment and control definitions on a retailer counted by hand."""

import datetime as dt

import pytest
from pydantic import ValidationError
from tiny_retail import LINES, T0, by_household, line, tiny_tables
from tiny_retail import trial_parameters as parameters

from promo_uplift.contracts.errors import TrialError
from promo_uplift.features.windows import TimeZero
from promo_uplift.trials import build_trials, select_trials
from promo_uplift.trials.controls import CONTROL_DEFINITIONS
from promo_uplift.trials.treatments import TREATMENT_DEFINITIONS

DOSES = ("discount_depth", "display_mailer_exposure")


def trials_of(tables, chosen):
    selection = select_trials(tables=tables, parameters=chosen)
    built = build_trials(tables=tables, selection=selection, parameters=chosen, margin_rate=0.3)
    return selection.report, by_household(built.to_pyarrow().to_pandas())


# ------------------------------------------------------------------------------------- registries


@pytest.mark.parametrize("registry", [TREATMENT_DEFINITIONS, CONTROL_DEFINITIONS])
def test_a_registry_goes_by_the_definitions_own_names(registry):
    assert list(registry) == [one.definition.name for one in registry.values()]
    assert all(one.definition.sentence.endswith(".") for one in registry.values())


def test_what_is_decided_after_time_zero_and_what_is_a_dose():
    stated = [one.definition for one in TREATMENT_DEFINITIONS.values()]
    late = [one.name for one in stated if one.is_decided_after_time_zero]
    assert late == ["campaign_participation", "discount_depth"]
    assert tuple(one.name for one in stated if one.kind == "continuous") == DOSES
    controls = [one.definition for one in CONTROL_DEFINITIONS.values()]
    assert not any(one.is_decided_after_time_zero for one in controls)


@pytest.mark.parametrize(
    ("definition", "category"),
    [("coupon_exposure", None), ("campaign_targeted", "SOUP"), ("discount_depth", "SOUP")],
)
def test_a_category_goes_with_coupon_exposure_only(definition, category):
    with pytest.raises(ValidationError, match="`category` must name a commodity with"):
        parameters(treatment_definition=definition, category=category)


@pytest.mark.parametrize("definition", DOSES)
def test_the_trial_table_refuses_a_dose_and_names_the_place_for_it(definition):
    tables, chosen = tiny_tables(), parameters(treatment_definition=definition)
    selection = select_trials(tables=tables, parameters=parameters())
    match = "is a dose .*The panel lens takes it: trials.continuous_dose_panel"
    with pytest.raises(TrialError, match=match):
        select_trials(tables=tables, parameters=chosen)
    with pytest.raises(TrialError, match=match):
        build_trials(tables=tables, selection=selection, parameters=chosen, margin_rate=0.3)


# --------------------------------------------------------------------------------------- controls

#: Campaign 1 (TypeA, 1 June) is mailed to 1 and 7. Before it: 2 by its type, 5 by another, 8 on
#: the very day and 9 afterwards by its type, which makes no difference to a control.
PAST = [
    (1, "TypeA", T0, dt.date(2017, 6, 30)),
    (3, "TypeA", dt.date(2017, 1, 26), dt.date(2017, 2, 20)),
    (2, "TypeB", dt.date(2017, 5, 2), T0),
    (5, "TypeA", T0, dt.date(2017, 6, 15)),
    (6, "TypeA", dt.date(2017, 6, 2), dt.date(2017, 6, 15)),
]
MAILED = [(1, 1), (1, 7), (3, 1), (3, 2), (2, 5), (5, 8), (6, 9)]


def world():
    extra = [line(i, 50 + i, (5, 1), 1, 1, 5.0) for i in (8, 9, 10)]
    return tiny_tables(transactions=[*LINES, *extra], campaigns=PAST, campaign_targets=MAILED)


@pytest.mark.parametrize(
    ("control", "controls", "n_neither"),
    [
        ("not_targeted", [2, 5, 8, 9, 10], 0),
        ("not_yet_targeted", [5, 8, 9, 10], 1),
        ("never_targeted_before", [8, 9, 10], 2),
    ],
)
def test_control_definitions_look_back_and_only_back(control, controls, n_neither):
    report, trials = trials_of(world(), parameters(control_definition=control))
    assert trials.index[trials["treatment"] == 0].tolist() == controls
    # household 1 was mailed before and is treated all the same: re-targeting
    assert trials.index[trials["treatment"] == 1].tolist() == [1, 7]
    row = report.iloc[0]
    assert (row["n_eligible"], row["n_neither"], row["n_control"]) == (7, n_neither, len(controls))
    assert (row["treatment_definition"], row["control_definition"]) == (
        "campaign_targeted",
        control,
    )


def test_a_moved_time_zero_moves_what_is_before():
    excluded = CONTROL_DEFINITIONS["never_targeted_before"].find_excluded
    zeros = [TimeZero(1, dt.date(2017, 5, 2))]
    rows = excluded(tables=world(), time_zeros=zeros).to_pyarrow().to_pylist()
    assert {(1, 2)} <= {(r["campaign_id"], r["household_id"]) for r in rows}
    assert (1, 5) not in {(r["campaign_id"], r["household_id"]) for r in rows}


# ------------------------------------------------------------------------------------- treatments


def test_participation_is_buying_a_product_of_the_coupons_in_the_window():
    # of campaign 1's products 1 and 3: household 1 on 1 June; 5 on the window's last day; 2 a day
    # too late; 8 something else. 7 is mailed and buys nothing: neither treated nor a control
    bought = [
        line(5, 51, (6, 28), 3, 1, 2.0),
        line(2, 52, (6, 29), 1, 1, 2.0),
        line(8, 53, (6, 10), 2, 1, 2.0),
        line(8, 54, (5, 1), 1, 1, 2.0),
    ]
    tables = tiny_tables(transactions=[*LINES, *bought])
    chosen = parameters(treatment_definition="campaign_participation")
    report, trials = trials_of(tables, chosen)
    assert trials["treatment"].to_dict() == {1: 1, 2: 0, 5: 1, 8: 0}
    assert report.iloc[0]["n_neither"] == 1


def test_coupon_exposure_is_of_one_category():
    # campaign 1's coupons cover products 1 (SOUP) and 3 (SOAP)
    bought = [line(7, 60, (6, 3), 3, 1, 4.0), line(1, 61, (6, 3), 3, 1, 8.0)]
    tables = tiny_tables(transactions=[*LINES, *bought])
    chosen = parameters(treatment_definition="coupon_exposure", category="SOAP")
    report, trials = trials_of(tables, chosen)
    assert trials["treatment"].to_dict() == {1: 1, 2: 0, 5: 0, 7: 1}
    assert trials["target_spend_usd"].to_dict() == {1: 8.0, 2: 0.0, 5: 0.0, 7: 4.0}
    assert trials.loc[1, "spend_usd"] == 78.0  # 50 and 20, and 8
    assert trials.loc[1, "other_spend_usd"] == 70.0
    assert report.iloc[0]["category"] == "SOAP"


def test_a_campaign_without_coupons_for_the_category_is_left_out_or_refused_if_named():
    tables = tiny_tables()
    by_type = parameters(treatment_definition="coupon_exposure", category="SOUP", campaigns=None)
    report = select_trials(tables=tables, parameters=by_type).report.set_index("campaign_id")
    assert report.loc[5, "reason"] == "its coupons cover no product of `category` 'SOUP'"
    named = by_type.model_copy(update={"campaigns": [1, 5]})
    with pytest.raises(TrialError, match=r"coupons for products of `category` 'SOUP'; \[5\]"):
        select_trials(tables=tables, parameters=named)


def test_an_unknown_category_is_refused_with_its_neighbours():
    chosen = parameters(treatment_definition="coupon_exposure", category="APPLE")
    with pytest.raises(TrialError, match=r"'APPLE' is none of the 4.*\['APPLES'\]"):
        select_trials(tables=tiny_tables(), parameters=chosen)
