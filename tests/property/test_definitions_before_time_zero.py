"""Who is eligible, a control or mailed is settled before time zero; who takes part is not."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from test_window_audit import BOTH_SIDES, T0, tables_of, worlds

from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.features.audit import with_garbled_future, without_future
from promo_uplift.features.eligibility import eligible_households
from promo_uplift.features.windows import TimeZero
from promo_uplift.trials.controls import CONTROL_DEFINITIONS
from promo_uplift.trials.population import with_arms
from promo_uplift.trials.treatments import TREATMENT_DEFINITIONS

ZERO = TimeZero(1, T0)
BINARY = [name for name, one in TREATMENT_DEFINITIONS.items() if one.find_treated]


def parameters(treatment, control):
    return TrialParameters(
        treatment_definition=treatment,
        control_definition=control,
        category="grocery" if treatment == "coupon_exposure" else None,
        campaign_types=["TypeA"],
        pre_days=42,
        history_days=56,
        outcome_days=28,
        post_days=28,
        placebo_shift_days=28,
        washout_days=21,
        min_arm_households=2,
    )


def altered(tables, variant):
    """The tables with another future; the campaign itself was planned before time zero."""
    changed = variant(tables=tables, time_zero=T0)
    values = dict(changed.items())
    for name in ("campaigns", "campaign_targets", "coupons"):
        own, other = getattr(tables, name), values[name]
        own, other = own.filter(own.campaign_id == 1), other.filter(other.campaign_id != 1)
        values[name] = own.union(other.select(*own.columns))
    return type(tables)(**values)


def arms(tables, treatment, control):
    eligible = eligible_households(tables=tables, time_zeros=[ZERO], pre_days=42)
    rows = with_arms(
        eligible=eligible,
        tables=tables,
        time_zeros=[ZERO],
        parameters=parameters(treatment, control),
    )
    return rows.order_by("household_id").to_pyarrow().to_pylist()


def is_changed(world, treatment, control):
    tables = tables_of(world)
    products = tables.products
    tables = replace(tables, products=products.mutate(commodity=products.category))
    before = arms(tables, treatment, control)
    return any(
        arms(altered(tables, variant), treatment, control) != before
        for variant in (without_future, with_garbled_future)
    )


@pytest.mark.parametrize("control", CONTROL_DEFINITIONS)
@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(world=worlds)
def test_another_future_changes_no_arm_of_the_mailing(world, control):
    assert not is_changed(world, "campaign_targeted", control)


@pytest.mark.parametrize("treatment", BINARY)
@pytest.mark.parametrize("control", CONTROL_DEFINITIONS)
def test_the_flag_says_whether_the_future_decides(treatment, control):
    # household 3 is mailed campaign 3 on the day itself, and buys the coupons' product that day
    stated = TREATMENT_DEFINITIONS[treatment].definition.is_decided_after_time_zero
    assert is_changed(BOTH_SIDES, treatment, control) == stated


def test_the_comparison_sees_a_control_chosen_by_the_future():
    # without campaign 1's own list among what is kept, the arms do change
    tables = tables_of(BOTH_SIDES)
    before = arms(tables, "campaign_targeted", "never_targeted_before")
    bare = without_future(tables=tables, time_zero=T0)
    assert arms(bare, "campaign_targeted", "never_targeted_before") != before
