"""Each knob does what it says, and nothing else that it does not say."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import kurtosis
from simulation_worlds import PARAMETERS, merged, parameters, profile

from promo_uplift.contracts.errors import SourceError
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.simulation import SimulationParameters, build_world, true_policy_values

PROFILE = profile()
LOTTERY = {"confounding": 0.0}
#: From 84 days before the start to the end of the outcome window.
SHORT = {"first_date": "2017-05-01", "days": 130}


def world(seed=3, **changes):
    return build_world(profile=PROFILE, parameters=parameters(**changes), seed=seed)


def written_spend(built, first, end):
    total = np.zeros(len(built.households))
    for block in built.blocks:
        kept = (block.day >= first) & (block.day < end)
        total += np.bincount(
            block.household[kept], weights=block.spend_usd()[kept], minlength=len(total)
        )
    return total


def difference(values, mailed):
    """Mailed minus others with its standard error."""
    one, other = values[mailed], values[~mailed]
    error = np.sqrt(one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other))
    return one.mean() - other.mean(), error


@pytest.mark.parametrize("usd", [30.0, -15.0])
def test_anticipation_moves_the_days_before_the_start_of_the_mailed_only(usd):
    knobs = {"interference": {"anticipation_usd": usd}, "targeting": LOTTERY}
    found, errors, stated = [], [], []
    for seed in range(4):
        built = world(seed=seed, n_households=1500, span=SHORT, **knobs)
        mailed = built.truth["treatment"].to_numpy() == 1
        start = built.campaigns[0].start_day
        gap, error = difference(written_spend(built, start - 14, start), mailed)
        found.append(gap)
        errors.append(error)
        stated.append(built.truth["anticipation_usd"].mean())
        before, error = difference(written_spend(built, start - 28, start - 14), mailed)
        assert abs(before) < 4.0 * error
    error = np.sqrt(np.square(errors).sum()) / len(errors)
    assert np.sign(np.mean(stated)) == np.sign(usd)
    assert abs(np.mean(found) - np.mean(stated)) < 3.0 * error
    assert abs(np.mean(found)) > 3.0 * error


def test_the_list_is_drawn_up_before_an_anticipated_start():
    """So the rule sees nothing that the mailing did: the pre-window it used ends at the list."""
    one = world(interference={"anticipation_usd": 200.0})
    other = world(interference={"anticipation_usd": 400.0})
    assert np.array_equal(one.truth["propensity"], other.truth["propensity"])


def test_a_list_drawn_up_early_depends_on_nothing_later():
    early, late = world(targeting={"list_lag_days": 28}), world(targeting={"list_lag_days": 0})

    def follows(built, first, end):
        start = built.campaigns[0].start_day
        spend = written_spend(built, start + first, start + end)
        level = np.log(built.households.visits_per_day * built.households.basket_usd)
        surprise = np.log1p(spend) - np.polyval(np.polyfit(level, np.log1p(spend), 1), level)
        return np.corrcoef(surprise, built.truth["propensity"])[0, 1]

    assert follows(late, -28, 0) > follows(early, -28, 0) + 0.1
    assert follows(early, -112, -84) > follows(late, -112, -84) + 0.1


def test_forward_buying_takes_from_the_window_after_the_campaign():
    built = world(
        interference={"forward_buying_share": 0.5}, effect={"mean_usd": 10.0}, n_households=300
    )
    unlimited = ~built.truth["is_limited"]
    assert unlimited.mean() > 0.5
    assert np.allclose(built.truth.loc[unlimited, "post_cate_usd"], -5.0)
    assert np.allclose(built.truth.loc[unlimited, "cate_usd"], 10.0)
    none = world(effect={"mean_usd": 10.0}, n_households=300)
    assert (none.truth["post_cate_usd"] == 0.0).all()


def test_the_window_after_the_campaign_is_unknown_where_the_world_ends_before_it():
    built = world(span={"days": 180})
    assert built.truth["post_cate_usd"].isna().all()
    assert built.truth["cate_usd"].notna().all()


def test_cannibalisation_moves_spend_between_products_and_not_the_total():
    without, moved = world(), world(interference={"cannibalisation_usd": 25.0})
    gap = moved.truth["target_cate_usd"] - without.truth["target_cate_usd"]
    assert gap.mean() > 15.0
    assert np.allclose(gap, without.truth["other_cate_usd"] - moved.truth["other_cate_usd"])
    assert np.array_equal(without.truth["cate_usd"], moved.truth["cate_usd"])


def test_spillover_reaches_those_who_are_not_mailed():
    full = world(interference={"spillover_share": 0.5}, campaigns={"mailed_share": 0.8})
    few = world(interference={"spillover_share": 0.5}, campaigns={"mailed_share": 0.2})
    none = world()
    assert (none.truth["spillover_usd"] == 0.0).all()
    # half of the effect of 20, times the share of the store that is mailed
    assert full.truth["spillover_usd"].mean() == pytest.approx(8.0, abs=0.6)
    assert few.truth["spillover_usd"].mean() == pytest.approx(2.0, abs=0.6)
    assert np.allclose(full.truth["cate_usd"] + full.truth["spillover_usd"], 20.0)


def test_a_lottery_mails_everybody_alike():
    built = world(targeting=LOTTERY)
    assert built.truth["propensity"].to_numpy() == pytest.approx(0.5, abs=1e-6)


def test_confounding_and_steepness_separate_the_arms():
    spread = [
        world(targeting={"confounding": strength}).truth["propensity"].std()
        for strength in (0.0, 0.5, 1.0, 2.0)
    ]
    assert spread == sorted(spread)
    assert spread[-1] > spread[1] + 0.1
    steep = world(targeting={"steepness": 3.0}).truth["propensity"].std()
    assert steep > spread[2]


@pytest.mark.parametrize("floor", [0.05, 0.3])
def test_the_floor_bounds_the_propensity_and_the_share_is_kept(floor):
    built = world(targeting={"confounding": 3.0, "min_propensity": floor})
    propensity = built.truth["propensity"]
    assert propensity.min() >= floor - 1e-12
    assert propensity.max() <= 1.0 - floor + 1e-12
    assert propensity.mean() == pytest.approx(0.5, abs=1e-6)
    assert propensity.min() < floor + 0.05


def test_a_share_mailed_is_met():
    assert world(campaigns={"mailed_share": 0.15}).truth["propensity"].mean() == pytest.approx(
        0.15, abs=1e-6
    )
    like_the_real_one = world(campaigns={"mailed_share": None})
    assert like_the_real_one.truth["propensity"].mean() == pytest.approx(0.4, abs=1e-6)


def test_the_unobserved_trait_biases_even_who_knows_everything_that_is_recorded():
    """Weighting by the propensity without u: right without the knob, too high with it."""
    gaps = {0.0: [], 1.5: []}
    for strength, found in gaps.items():
        for seed in range(6):
            built = world(
                seed=seed,
                span=SHORT,
                n_households=1500,
                targeting={
                    "confounding": 0.0,
                    "unobserved_confounding": strength,
                    "unobserved_log_rate": 0.4,
                },
            )
            truth = built.truth
            # all that is recorded is a lottery: a plain difference adjusts for all of it
            spend = np.where(truth["treatment"] == 1, truth["y1_usd"], truth["y0_usd"])
            gap, _ = difference(spend, truth["treatment"].to_numpy() == 1)
            found.append(gap - truth["cate_usd"].mean())
    error = {key: np.std(one, ddof=1) / np.sqrt(len(one)) for key, one in gaps.items()}
    assert abs(np.mean(gaps[0.0])) < 4.0 * error[0.0]
    assert np.mean(gaps[1.5]) > 5.0 * error[1.5]


def test_the_tail_of_baskets_grows_heavier_and_keeps_the_mean():
    def baskets(share):
        built = world(
            n_households=800,
            effect={"function": "zero"},
            span=SHORT,
            spend={"tail_variance_share": share, "tail_probability": 0.02, "tail_index": 3.0},
        )
        spend = np.concatenate([block.spend_usd() for block in built.blocks])
        return kurtosis(spend), spend.mean(), spend.std() / np.sqrt(len(spend))

    plain, tail = baskets(0.0), baskets(0.7)
    assert tail[0] > 2.0 * plain[0]
    assert abs(tail[1] - plain[1]) < 6.0 * (plain[2] + tail[2])


def test_drift_makes_a_households_weeks_vary_more_than_chance():
    def dispersion(scale):
        built = world(spend={"frailty_scale": scale}, effect={"function": "zero"})
        first, second = written_spend(built, 0, 84), written_spend(built, 154, 238)
        return np.var(np.log1p(first) - np.log1p(second))

    assert dispersion(1.0) > 1.15 * dispersion(0.0)


def test_several_arms_exclude_each_other_and_have_their_own_effects():
    built = world(campaigns={"arm_multipliers": [1.0, 0.25, 0.0]}, n_households=900)
    assert [c.campaign_id for c in built.campaigns] == [13, 31, 32]
    assert len({c.start_day for c in built.campaigns}) == 1
    wide = built.truth.pivot_table(index="household_id", columns="campaign_id", values="treatment")
    assert wide.sum(axis=1).max() == 1
    assert wide.to_numpy().mean() == pytest.approx(0.5 / 3, abs=0.03)
    effects = built.truth.groupby("campaign_id")["cate_usd"].mean()
    assert effects[13] == pytest.approx(20.0)
    assert effects[31] == pytest.approx(5.0)
    assert effects[32] == 0.0
    propensity = built.truth.groupby("campaign_id")["propensity"].mean()
    assert propensity.to_numpy() == pytest.approx([0.5 / 3] * 3, abs=1e-6)


def test_a_staggered_calendar_holds_the_profiles_campaigns_that_fit():
    built = world(campaigns={"calendar": "staggered", "mailed_share": None})
    assert [c.campaign_id for c in built.campaigns] == [8, 9, 13, 14]
    assert built.left_out == (30,)
    effects = built.truth.groupby("campaign_id")["cate_usd"].mean()
    assert effects[9] == effects[14] == 0.0
    assert effects[8] == pytest.approx(20.0)
    assert effects[13] == pytest.approx(20.0)


def test_an_earlier_mailing_makes_a_later_one_likelier():
    built = world(campaigns={"calendar": "staggered", "mailed_share": 0.5}, n_households=1500)
    wide = built.truth.pivot_table(index="household_id", columns="campaign_id", values="treatment")
    chance = built.truth.pivot_table(
        index="household_id", columns="campaign_id", values="propensity"
    )
    assert chance.loc[wide[8] == 1, 13].mean() > chance.loc[wide[8] == 0, 13].mean() + 0.15


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_missing_demographics_have_the_stated_share_and_depend_on_spend(share):
    built = world(missing_demographics_share=share, n_households=2000, span=SHORT)
    known = built.households.has_demographics
    assert 1.0 - known.mean() == pytest.approx(share, abs=0.03)
    spend = built.households.visits_per_day * built.households.basket_usd
    assert np.median(spend[known]) > np.median(spend[~known])


def test_true_policy_values_are_the_truth_counted_by_hand():
    money = PolicyParameters(
        margin_rate=0.25,
        contact_cost_usd=1.0,
        redemption_cost_usd=2.0,
        values_are_assumptions=True,
        grid_points=11,
        support_quantile=0.01,
    )
    built = world(effect={"function": "sign_changing", "mean_usd": 4.0, "sd_usd": 30.0})
    values = true_policy_values(world=built, policy=money).set_index("policy")
    truth = built.truth[built.truth["is_eligible"]]
    profit = 0.25 * truth["cate_usd"] - 1.0 - 2.0 * truth["redemption_probability"]
    got = values["profit_usd_per_household"]
    assert got["none"] == 0.0
    assert got["all"] == pytest.approx(profit.mean())
    assert got["oracle"] == pytest.approx(profit.clip(lower=0.0).mean())
    assert got["current"] == pytest.approx((profit * truth["treatment"]).mean())
    share = truth["treatment"].mean()
    assert got["random"] == pytest.approx(share * profit.mean())
    assert got["oracle"] >= got["oracle_current_share"] >= max(got["current"], got["random"])
    assert values.loc["response", "share_mailed"] == pytest.approx(share)


def test_what_spills_over_counts_for_a_policy_that_mails_some():
    money = PolicyParameters(
        margin_rate=1.0,
        contact_cost_usd=0.0,
        redemption_cost_usd=0.0,
        values_are_assumptions=True,
        grid_points=11,
        support_quantile=0.01,
    )
    built = world(interference={"spillover_share": 0.5}, targeting=LOTTERY)
    values = true_policy_values(world=built, policy=money).set_index("policy")
    gain = values["gain_usd_per_household"]
    assert gain["none"] == 0.0
    assert gain["all"] == pytest.approx(20.0)
    # half are mailed: 20 for these, about 0.5 x 20 x 0.5 for the others
    assert gain["current"] == pytest.approx(12.5, abs=0.8)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"n_households": 3}, "n_households"),
        ({"effect": {"function": "quadratic"}}, "function"),
        ({"effect": {"campaign_types": []}}, "campaign_types"),
        ({"effect": {"sd_usd": -1.0}}, "sd_usd"),
        ({"spend": {"tail_variance_share": 1.0}}, "tail_variance_share"),
        ({"spend": {"tail_index": 2.0}}, "tail_index"),
        ({"targeting": {"min_propensity": 0.5}}, "min_propensity"),
        ({"targeting": {"confounding": -1.0}}, "confounding"),
        ({"campaigns": {"arm_multipliers": []}}, "arm_multipliers"),
        ({"campaigns": {"single_start": "8 August"}}, "single_start"),
        ({"span": {"first_date": "2019-01-01"}}, "first_date"),
        ({"missing_demographics_share": 1.0}, "missing_demographics_share"),
        ({"interference": {"forward_buying_share": 1.5}}, "forward_buying_share"),
        ({"effect": {"mean_usd": float("nan")}}, "mean_usd"),
        ({"unknown_knob": 1}, "unknown_knob"),
    ],
)
def test_a_bad_knob_is_refused_by_its_name(changes, named):
    values = merged({**PARAMETERS, "unknown_knob": None}, changes)
    if "unknown_knob" not in changes:
        del values["unknown_knob"]
    with pytest.raises(ValidationError, match=named):
        SimulationParameters.model_validate(values)


def test_a_span_without_a_campaign_is_refused():
    with pytest.raises(SourceError, match=r"simulation\.span"):
        world(campaigns={"single_start": "2018-01-08"})


def test_a_world_without_a_campaign_that_has_an_effect_is_refused():
    with pytest.raises(SourceError, match=r"campaign_types.*\['TypeB'\].*\['TypeA'\]"):
        world(effect={"campaign_types": ["TypeB"]})


def test_a_campaign_to_be_like_that_is_not_there_is_refused():
    with pytest.raises(SourceError, match="single_like"):
        world(campaigns={"single_like": 99})
