"""Who is recommended, why not, and where the data cannot speak."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import TrialData
from promo_uplift.policy import (
    REASONS,
    HouseholdPredictions,
    Support,
    break_even_cate,
    expected_profit,
    share_threshold,
    support,
    support_ranges,
    targeting_list,
)

MONEY_VALUES = {
    "margin_rate": 0.25,
    "contact_cost_usd": 1.0,
    "redemption_cost_usd": 2.0,
    "values_are_assumptions": True,
    "grid_points": 11,
    "support_quantile": 0.0,
}
MONEY = PolicyParameters(**MONEY_VALUES)


def listed(verdict="publish", contacts=(1, 1, 0, 0), interval=None, mask=None, policy="chosen"):
    """Four households; redemption 0.5, so break-even is (1 + 2 * 0.5) / 0.25 = 8 USD."""
    n = 4
    cate = np.array([20.0, 10.0, 7.0, 1.0])
    mask = np.array([True] * n) if mask is None else np.array(mask)
    data = TrialData(
        covariates=pd.DataFrame(index=range(n)),
        treatment=np.array([1, 0, 1, 0]),
        outcome=np.zeros(n),
        redeemed=np.zeros(n),
        groups=np.array([11, 12, 13, 14]),
        campaign=np.full(n, 8),
    )
    return targeting_list(
        data=data,
        predictions=HouseholdPredictions(
            cate=cate,
            interval=np.column_stack([cate - 5, cate + 5]) if interval is None else interval,
            redemption=np.full(n, 0.5),
        ),
        row_support=Support(mask, mask, tuple("" if m else "outside" for m in mask)),
        contacts=np.array(contacts, dtype=float),
        policy=policy,
        parameters=MONEY,
        verdict_name=verdict,
    ).set_index("household_id")


def test_reasons_are_given_row_by_row():
    table = listed(contacts=(1, 1, 1, 0), mask=[True, True, True, False])
    assert table["reason"].to_dict() == {
        11: "targeted",
        12: "targeted_interval_includes_break_even",
        13: "below_break_even",
        14: "outside_support",
    }
    assert table["recommend"].to_dict() == {11: True, 12: True, 13: False, 14: False}
    assert table.loc[11, "expected_profit_usd"] == pytest.approx(0.25 * 20 - 1 - 2 * 0.5)
    assert (table["reason_text"] == table["reason"].map(REASONS)).all()


def test_the_share_limits_who_is_in():
    table = listed(contacts=(1, 0, 0, 0))
    assert table.loc[12, "reason"] == "below_share_threshold"
    assert table["recommend"].sum() == 1


def test_a_policy_that_decides_is_taken_as_it_was_valued():
    """It may contact who is not predicted to pay; where it draws lots a list draws none."""
    table = listed(contacts=(1, 0, 1, 0.5), policy="segments")
    assert table["reason"].to_dict() == {
        11: "targeted",
        12: "not_contacted_by_policy",
        13: "targeted_interval_includes_break_even",
        14: "left_to_a_lot",
    }
    assert table["recommend"].tolist() == [True, False, True, False]
    assert set(table["policy"]) == {"segments"}


@pytest.mark.parametrize("verdict", ["bounds_only", "experiment_needed", "refuse"])
def test_only_publish_recommends_anybody(verdict):
    table = listed(verdict=verdict)
    assert not table["recommend"].any()
    assert (table["reason"] == "verdict_withholds").all()
    assert table["cate_usd"].notna().all()


def test_without_an_interval_nobody_is_called_sure():
    table = listed(interval=np.full((4, 2), np.nan))
    assert table.loc[11, "reason"] == "targeted_without_interval"
    assert table.loc[11, "recommend"]


def test_the_list_is_sorted_and_states_the_money():
    table = listed()
    assert table["expected_profit_usd"].is_monotonic_decreasing
    assert (table["margin_rate"] == 0.25).all()
    assert table["values_are_assumptions"].all()


def test_an_interval_of_wrong_shape_is_refused():
    with pytest.raises(PolicyError, match=r"`interval` must be of shape \(4, 2\), got \(4, 3\)"):
        listed(interval=np.zeros((4, 3)))


@pytest.mark.parametrize(
    ("cate", "share", "threshold"),
    [
        ([1.0, 2.0, 3.0, 4.0], 0.5, 3.0),
        ([1.0, 2.0, 3.0, 4.0], 0.49, 4.0),
        ([1.0, 2.0, 2.0, 5.0], 0.5, 5.0),
        ([3.0, 3.0, 3.0], 0.9, np.inf),
        ([3.0, 3.0, 3.0], 1.0, -np.inf),
        ([1.0, 2.0], 0.0, np.inf),
        (list(range(10)), 0.3, 7.0),
    ],
)
def test_a_share_becomes_a_threshold_that_ties_cannot_split(cate, share, threshold):
    assert share_threshold(cate=np.array(cate, dtype=float), share=share) == threshold


def test_break_even_is_where_the_expected_profit_is_nothing():
    redemption = np.array([0.0, 0.3, 1.0])
    threshold = break_even_cate(redemption=redemption, parameters=MONEY)
    profit = expected_profit(cate_usd=threshold, redemption=redemption, parameters=MONEY)
    np.testing.assert_allclose(profit, 0.0, atol=1e-12)
    np.testing.assert_allclose(threshold, [4.0, 6.4, 12.0])


def test_without_a_margin_nothing_ever_pays():
    free = PolicyParameters(**(MONEY_VALUES | {"margin_rate": 0.0}))
    assert np.isinf(break_even_cate(redemption=np.array([0.1]), parameters=free)).all()


@pytest.mark.parametrize(
    ("field", "value"),
    [("margin_rate", 1.2), ("contact_cost_usd", -0.5), ("redemption_cost_usd", float("nan"))],
)
def test_money_that_makes_no_sense_is_refused_by_its_name(field, value):
    with pytest.raises(ValidationError, match=field):
        PolicyParameters(**(MONEY_VALUES | {field: value}))


class TestSupport:
    training = pd.DataFrame(
        {"a": [0.0, 1.0, 2.0, 3.0], "b": [np.nan, 5.0, 6.0, 7.0], "never": [np.nan] * 4}
    )

    def judge(self, quantile=0.0, **row):
        ranges = support_ranges(
            covariates=self.training, quantile=quantile, overlap_low=0.1, overlap_high=0.9
        )
        propensity = np.array([row.pop("propensity", 0.5)])
        full = {"a": 1.0, "b": 6.0, "never": np.nan} | row
        return support(ranges=ranges, covariates=pd.DataFrame([full]), propensity=propensity)

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ({}, ""),
            ({"a": 3.0, "propensity": 0.9}, ""),
            ({"b": np.nan}, ""),
            ({"propensity": 0.95}, "propensity_outside_overlap"),
            ({"propensity": np.nan}, "propensity_outside_overlap"),
            ({"a": 3.1}, "covariate_outside_training_range:a"),
            ({"a": np.inf}, "covariate_outside_training_range:a"),
            ({"a": np.nan}, "covariate_missing_not_seen_in_training:a"),
            ({"never": 1.0}, "covariate_outside_training_range:never"),
        ],
    )
    def test_each_way_out_has_its_reason(self, row, reason):
        judged = self.judge(**row)
        assert judged.reasons == (reason,)
        assert judged.mask.tolist() == [reason == ""]
        assert judged.covariates_inside.tolist() == [not reason.startswith("covariate")]

    def test_a_quantile_cuts_both_tails(self):
        assert self.judge(quantile=0.25, a=0.5).reasons == ("covariate_outside_training_range:a",)
        assert self.judge(quantile=0.25, a=2.5).reasons == ("covariate_outside_training_range:a",)
        assert self.judge(quantile=0.25, a=1.5).reasons == ("",)

    def test_a_missing_covariate_is_named(self):
        ranges = support_ranges(
            covariates=self.training, quantile=0.0, overlap_low=0.1, overlap_high=0.9
        )
        with pytest.raises(PolicyError, match=r"missing: \['b', 'never'\]"):
            support(ranges=ranges, covariates=self.training[["a"]], propensity=np.zeros(4))
