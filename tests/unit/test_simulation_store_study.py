"""The store study: a real untreated group, staggered starts, and a truth that is recovered."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from promo_uplift.simulation import StoreStudyParameters, simulate_store_study

VALUES = {
    "n_stores": 20,
    "customers_per_store": 30,
    "visits_per_store_day": 5,
    "start_date": "2020-01-01",
    "days_before": 30,
    "days_after": 40,
    "treated_share": 0.5,
    "selection_on_size": 1.0,
    "n_waves": 2,
    "days_between_waves": 10,
    "visit_usd": 50.0,
    "visit_cv": 0.4,
    "store_sd_usd": 8.0,
    "income_slope_usd": 5.0,
    "day_sd_usd": 4.0,
    "effect_usd": 6.0,
    "effect_per_size_sd_usd": 2.0,
    "effect_urban_usd": 3.0,
    "effect_per_income_sd_usd": 1.5,
    "ramp_days": 0,
    "anticipation_usd": 0.0,
    "anticipation_days": 7,
    "spillover_usd": 0.0,
    "trend_gap_usd": 0.0,
}


def study(seed=1, **changes):
    parameters = StoreStudyParameters.model_validate({**VALUES, **changes})
    return simulate_store_study(parameters=parameters, seed=seed)


def sales(found):
    both = pd.concat([found.sales_before, found.sales_after], ignore_index=True)
    return both.merge(found.store_characteristics, on="store_id")


def difference_in_differences(found):
    """Each wave against the stores that never run it, before and from its start on; pooled."""
    rows = sales(found)
    never = rows["campaign_start"].isna()
    estimates, sizes = [], []
    for start in rows["campaign_start"].dropna().unique():
        after = rows["date"] >= start
        mean = rows.groupby([rows["campaign_start"] == start, after])["sales_usd"].mean
        wave = rows["campaign_start"] == start
        change = rows[wave].groupby(after[wave])["sales_usd"].mean()
        usual = rows[never].groupby(after[never])["sales_usd"].mean()
        assert len(mean()) == 4
        estimates.append(change[True] - change[False] - usual[True] + usual[False])
        sizes.append(int((wave & after).sum()))
    return np.average(estimates, weights=sizes)


def all_effect(found):
    return found.effects.set_index(["group", "level"])["effect_usd"]["all", "all"]


def test_starts_are_staggered_and_some_stores_never_run_it():
    found = study()
    starts = found.store_characteristics["campaign_start"]
    assert starts.isna().sum() == 10
    assert starts.dropna().nunique() == 2
    assert starts.dropna().value_counts().tolist() == [5, 5]
    assert found.sales_before["date"].max() < starts.min() == found.sales_after["date"].min()
    assert len(found.sales_before) == 30 * 20 * 5
    assert len(found.sales_after) == 40 * 20 * 5
    untreated = found.store_characteristics[starts.isna()]["store_id"]
    assert (found.truth[found.truth["store_id"].isin(untreated)]["effect_usd"] == 0.0).all()


def test_customers_shop_in_their_own_store():
    found = study()
    joined = sales(found).merge(found.customer_demographics, on="customer_id")
    assert (joined["store_id_x"] == joined["store_id_y"]).all()
    assert found.customer_demographics["customer_id"].is_unique
    assert set(found.store_characteristics["location"]) <= {"urban", "suburban", "rural"}


def test_the_truth_is_the_mean_of_the_potential_outcomes():
    gaps = []
    for seed in range(20):
        truth = study(seed=seed).truth
        on = truth["is_treated"]
        gaps.append((truth["y1_usd"] - truth["y0_usd"] - truth["effect_usd"])[on].to_numpy())
        assert (truth["y1_usd"] == truth["y0_usd"])[~on & (truth["effect_usd"] == 0.0)].all()
    gaps = np.concatenate(gaps)
    assert abs(gaps.mean()) < 4.0 * gaps.std() / np.sqrt(len(gaps))


def test_what_is_sold_is_the_potential_outcome_of_the_store():
    found = study()
    written = pd.concat([found.sales_before, found.sales_after])["sales_usd"].to_numpy()
    assert np.allclose(written, found.truth["y1_usd"], atol=0.0051)
    untreated = ~found.truth["is_treated"]
    assert np.allclose(written[untreated], found.truth.loc[untreated, "y0_usd"], atol=0.0051)


def test_a_plain_difference_in_differences_recovers_it():
    """Parallel by construction: store levels, day shocks and income are additive."""
    gaps = [difference_in_differences(study(seed=s)) - all_effect(study(seed=s)) for s in range(25)]
    error = np.std(gaps, ddof=1) / np.sqrt(len(gaps))
    assert abs(np.mean(gaps)) < 3.5 * error
    assert error < 0.4


def test_a_trend_of_its_own_breaks_that():
    gaps = [
        difference_in_differences(study(seed=s, trend_gap_usd=0.1))
        - all_effect(study(seed=s, trend_gap_usd=0.1))
        for s in range(10)
    ]
    assert np.mean(gaps) > 2.0


def test_effects_vary_by_size_location_and_income_as_asked():
    found = study(n_stores=60, customers_per_store=20)
    effects = found.effects.set_index(["group", "level"])["effect_usd"]
    for group in ("size", "income"):
        assert effects[group, "low"] < effects[group, "middle"] < effects[group, "high"]
    flat = study(
        effect_per_size_sd_usd=0.0, effect_urban_usd=0.0, effect_per_income_sd_usd=0.0
    ).effects
    assert np.allclose(flat["effect_usd"], 6.0)
    urban = study(effect_per_size_sd_usd=0.0, effect_per_income_sd_usd=0.0).effects
    by_location = urban.set_index(["group", "level"])["effect_usd"]
    assert by_location["location", "urban"] == pytest.approx(9.0)
    assert by_location["location", "rural"] == pytest.approx(6.0)


def test_without_an_effect_there_is_exactly_none():
    found = study(
        effect_usd=0.0,
        effect_per_size_sd_usd=0.0,
        effect_urban_usd=0.0,
        effect_per_income_sd_usd=0.0,
    )
    assert (found.truth["effect_usd"] == 0.0).all()
    assert (found.effects["effect_usd"] == 0.0).all()


def test_a_ramp_and_anticipation_shape_the_effect_over_time():
    found = study(
        ramp_days=9,
        anticipation_usd=-2.0,
        effect_per_size_sd_usd=0.0,
        effect_urban_usd=0.0,
        effect_per_income_sd_usd=0.0,
        n_waves=1,
    )
    truth = found.truth.merge(found.store_characteristics, on="store_id")
    since = (truth["date"] - truth["campaign_start"]).dt.days
    by_day = truth.groupby(since)["effect_usd"].mean()
    assert by_day.loc[-8] == 0.0
    assert by_day.loc[-7:-1].to_numpy() == pytest.approx([-2.0] * 7)
    assert by_day.loc[0] == pytest.approx(0.6)
    assert by_day.loc[9:].to_numpy() == pytest.approx([6.0] * len(by_day.loc[9:]))


def test_spillover_reaches_stores_without_the_campaign():
    found = study(spillover_usd=4.0)
    truth = found.truth.merge(found.store_characteristics, on="store_id")
    running = truth["is_treated"]
    assert (truth.loc[running, "spillover_usd"] == 0.0).all()
    late = truth[~running & (truth["date"] > "2020-01-25")]
    assert late["spillover_usd"].max() <= 4.0
    assert late["spillover_usd"].mean() > 0.5
    assert (study().truth["spillover_usd"] == 0.0).all()


def test_the_same_seed_gives_the_same_study():
    one, again, other = study(seed=3), study(seed=3), study(seed=4)
    pd.testing.assert_frame_equal(one.sales_after, again.sales_after)
    assert not one.sales_after.equals(other.sales_after)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"treated_share": 0.99}, "treated_share"),
        ({"n_waves": 11, "days_between_waves": 1}, "treated_share"),
        ({"n_waves": 5, "days_between_waves": 20}, "days_after"),
        ({"visit_cv": 0.0}, "visit_cv"),
        ({"start_date": "tomorrow"}, "start_date"),
        ({"n_stores": 2}, "n_stores"),
    ],
)
def test_a_bad_study_is_refused_by_name(changes, named):
    with pytest.raises(ValidationError, match=named):
        study(**changes)
