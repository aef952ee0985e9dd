"""A store study recovers the truth of simulated ones, and refuses the published one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from published_store_study import PUBLISHED, SIZE, published_store_study
from scipy.stats import ttest_ind

from promo_uplift.contracts.errors import MetricError
from promo_uplift.effects.panel.store_changes import StoreStudyAnalysis
from promo_uplift.effects.panel.store_moderators import before_after_association
from promo_uplift.effects.panel.store_study import store_study_effects, store_study_table
from promo_uplift.simulation import StoreStudyParameters, simulate_store_study
from promo_uplift.sources.store_tables import STORE_STUDY_COLUMNS, store_tables

VALUES = {
    "n_stores": 48,
    "customers_per_store": 30,
    "visits_per_store_day": 2,
    "start_date": "2020-01-01",
    "days_before": 28,
    "days_after": 35,
    "treated_share": 0.5,
    "selection_on_size": 0.5,
    "n_waves": 2,
    "days_between_waves": 7,
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
ANALYSIS = StoreStudyAnalysis(
    base_location="rural",
    income_scale="log",
    anticipation_days=0,
    bin_days=7,
    min_stores=3,
    level=0.95,
)
TRUTH = {
    "effect_at_reference": VALUES["effect_usd"],
    "per_size_sd": VALUES["effect_per_size_sd_usd"],
    "urban_minus_rural": VALUES["effect_urban_usd"],
    "suburban_minus_rural": VALUES["effect_urban_usd"] / 2.0,
    "per_income_sd": VALUES["effect_per_income_sd_usd"],
}
WORLDS = 150


def tables_of(study):
    return store_tables({name: getattr(study, name) for name in STORE_STUDY_COLUMNS})


def world(seed, **changes):
    parameters = StoreStudyParameters.model_validate({**VALUES, **changes})
    return simulate_store_study(parameters=parameters, seed=seed)


def effects(seed=1, analysis=ANALYSIS, **changes):
    return store_study_effects(tables=tables_of(world(seed, **changes)), analysis=analysis)


def changed(**values):
    return ANALYSIS.model_copy(update=values)


@pytest.fixture(scope="module")
def recovered():
    """Error, standard error and hit of every figure in every world; p-values of the pre-trend."""
    rows, pre = [], []
    for seed in range(WORLDS):
        study = world(1000 + seed)
        found = store_study_effects(tables=tables_of(study), analysis=ANALYSIS)
        one = found.moderators.set_index("estimand")
        all_visits = study.effects.set_index(["group", "level"])["effect_usd"]["all", "all"]
        known = [(name, one.loc[name], truth) for name, truth in TRUTH.items()]
        att = found.effects[0]
        figures = pd.Series(
            {"estimate": att.value, "se": att.se, "ci_low": att.ci_low, "ci_high": att.ci_high}
        )
        known.append(("att", figures.astype(object), all_visits))
        for name, row, truth in known:
            if np.isnan(row["estimate"]):
                continue  # a location without a store in one of the arms: refused, not missed
            hit = row["ci_low"] <= truth <= row["ci_high"]
            rows.append((name, row["estimate"] - truth, row["se"], hit))
        pre.append(found.pre_trend.p_value)
    return pd.DataFrame(rows, columns=["figure", "error", "se", "hit"]), np.array(pre)


def test_no_figure_is_biased(recovered):
    rows, _ = recovered
    for name, one in rows.groupby("figure"):
        assert len(one) > 0.9 * WORLDS
        z = one["error"].mean() / (one["error"].std() / np.sqrt(len(one)))
        assert abs(z) < 3.5, name


def test_intervals_hold_the_truth_as_often_as_they_say(recovered):
    rows, _ = recovered
    share = rows.groupby("figure")["hit"].mean()
    # 150 draws of 95 % have a standard error of 1.8 points
    assert share.between(0.89, 1.0).all(), share
    assert 0.92 <= share.drop("att").mean() <= 0.98


def test_the_pre_trend_test_is_quiet_where_trends_are_parallel(recovered):
    _, pre = recovered
    assert 0.005 <= (pre < 0.05).mean() <= 0.11
    assert 0.35 <= pre.mean() <= 0.65


@pytest.mark.parametrize("change", [{"trend_gap_usd": 0.4}, {"anticipation_usd": 8.0}])
def test_the_pre_trend_test_fires(change):
    found = [effects(seed, **change).pre_trend.p_value for seed in range(12)]
    assert np.mean(np.array(found) < 0.05) >= 0.75


def test_days_of_anticipation_left_out_give_the_effect_back():
    early = {"anticipation_usd": 8.0}
    gaps, p_values, naive = [], [], []
    for seed in range(20):
        study = world(seed, **early)
        truth = study.effects.set_index(["group", "level"])["effect_usd"]["all", "all"]
        tables = tables_of(study)
        found = store_study_effects(tables=tables, analysis=changed(anticipation_days=7))
        gaps.append(found.effects[0].value - truth)
        p_values.append(found.pre_trend.p_value)
        without = store_study_effects(tables=tables, analysis=ANALYSIS)
        naive.append(without.effects[0].value - truth)
        assert found.counts["visits_in_anticipation_left_out"] == 24 * 2 * 7
    error = np.std(gaps, ddof=1) / np.sqrt(20)
    assert abs(np.mean(gaps)) < 3.5 * error
    assert np.mean(naive) < -1.5  # a quarter of the days before hold 8 USD already
    assert np.mean(np.array(p_values) < 0.05) <= 0.2


def test_one_wave_is_the_difference_of_the_stores_mean_changes():
    study = world(5, n_waves=1)
    tables = tables_of(study)
    found = store_study_effects(tables=tables, analysis=ANALYSIS)
    sales = tables.sales.merge(tables.stores, on="store_id")
    mean = sales.pivot_table(index="store_id", columns="is_after", values="sales_usd")
    change = mean[True] - mean[False]
    runs = tables.stores.set_index("store_id")["campaign_start"].notna()
    expected = ttest_ind(change[runs], change[~runs], equal_var=False)
    one = found.effects[0]
    assert one.value == pytest.approx(change[runs].mean() - change[~runs].mean())
    assert one.value / one.se == pytest.approx(expected.statistic)
    assert found.effects[1].value == pytest.approx(one.value)
    assert (one.n, one.n_treated, one.n_households) == (48 * 2 * 63, 24 * 2 * 35, 48)


def test_effects_come_in_bins_and_by_wave():
    found = effects(ramp_days=13, n_stores=200, effect_usd=20.0)
    events = found.event_study.set_index(["campaign", "term"])["estimate"]
    assert set(found.event_study["campaign"]) == {"pooled", "2020-01-01", "2020-01-08"}
    assert events["pooled", "bin_+0"] < 0.5 * events["pooled", "bin_+2"]
    first = found.event_study.query("campaign == '2020-01-08' and term == 'bin_-5'").iloc[0]
    assert (first["day_from"], first["day_to"]) == (-35, -29)
    assert ("2020-01-01", "bin_-5") not in events.index


def test_the_table_is_tidy():
    table = store_study_table(effects())
    assert set(table["part"]) == {"effect", "moderator", "event_study", "pre_trend", "count"}
    figures = table[table["part"] != "count"]
    assert (figures["estimate"].isna() == (figures["reason"] != "")).all()
    assert not table.duplicated(["part", "term", "campaign"]).any()
    holm = table[table["part"] == "moderator"].set_index("term")["p_holm"]
    assert holm.drop("effect_at_reference").notna().all()
    assert np.isnan(holm["effect_at_reference"])


def test_the_published_data_are_made_again():
    """Before the campaign its own regression, and a third of each change: it has each thrice."""
    study = published_store_study()
    names = {size: name for name, size in SIZE.items()}
    found = {}
    for period in ("sales_before", "sales_after"):
        rows = study[period].merge(study["store_characteristics"], on="store_id")
        rows = rows.merge(study["customer_demographics"], on="customer_id")
        size = rows["store_size_sqm"].map(names)
        columns = {"intercept": np.ones(len(rows))}
        columns |= {name: size == name for name in ("medium", "small")}
        columns |= {name: rows["location"] == name for name in ("suburban", "urban")}
        columns |= {"income": rows["income_usd"]}
        design = pd.DataFrame(columns).astype(float)
        beta = np.linalg.lstsq(design.to_numpy(), rows["sales_usd"].to_numpy(), rcond=None)[0]
        found[period] = pd.Series(beta, index=design.columns)
    for name in ("intercept", "medium", "small", "suburban", "urban"):
        assert found["sales_before"][name] == pytest.approx(PUBLISHED[name], abs=6e-5)
    third = (found["sales_after"] - found["sales_before"]) / 3.0
    assert third["intercept"] == pytest.approx(PUBLISHED["treatment"], abs=6e-5)
    assert third["urban"] == pytest.approx(PUBLISHED["post_x_urban"], abs=6e-5)
    assert third["suburban"] == pytest.approx(PUBLISHED["post_x_suburban"], abs=6e-5)


def test_the_published_study_is_refused_by_the_names_of_its_columns():
    tables = store_tables(published_store_study())
    with pytest.raises(MetricError, match="there is no untreated group") as refusal:
        store_study_effects(tables=tables, analysis=changed(income_scale="linear"))
    text = str(refusal.value)
    assert "all 50 stores" in text
    assert "`post` and `treatment` are the same column" in text
    assert "`post x location_urban` and `treatment x location_urban` are the same column" in text
    assert "before_after_association" in text


def test_its_claims_have_not_even_the_support_of_a_description():
    """It says: stronger in urban stores and for higher incomes."""
    tables = store_tables(published_store_study())
    table = before_after_association(tables=tables, analysis=changed(income_scale="linear"))
    assert set(table["estimator"]) == {"before_after"}
    one = table.set_index("estimand")
    assert one.loc["change_at_reference", "ci_low"] > 0.0
    urban, income = one.loc["urban_minus_rural"], one.loc["per_income_sd"]
    assert urban["ci_high"] < 0.0  # by chance it rose by less there: nothing was simulated
    assert income["ci_low"] < 0.0 < income["ci_high"]
    assert one["p_holm"].drop("change_at_reference").min() > 0.04
    for name in ("per_size_sd", "suburban_minus_rural"):
        assert one.loc[name, "ci_low"] < 0.0 < one.loc[name, "ci_high"]


def test_waves_alone_are_refused_with_what_to_do():
    study = world(3)
    frames = {name: getattr(study, name) for name in STORE_STUDY_COLUMNS}
    stores = frames["store_characteristics"]
    late = stores["campaign_start"].fillna(pd.Timestamp("2020-01-15"))
    frames["store_characteristics"] = stores.assign(campaign_start=late)
    with pytest.raises(MetricError, match="`campaign_start` of the last wave"):
        store_study_effects(tables=store_tables(frames), analysis=ANALYSIS)


def test_a_location_of_one_arm_gives_a_reason_that_names_it():
    study = world(4)
    stores = study.store_characteristics
    of = stores["location"].where(stores["campaign_start"].notna(), "rural")
    frames = {name: getattr(study, name) for name in STORE_STUDY_COLUMNS}
    frames["store_characteristics"] = stores.assign(location=of)
    found = store_study_effects(tables=store_tables(frames), analysis=ANALYSIS)
    assert found.effects[0].is_valid
    reasons = found.moderators.set_index("estimand")["reason"]
    assert "`treatment x urban_minus_rural`" in reasons["urban_minus_rural"]
    assert reasons["per_income_sd"] == ""


def test_a_wave_of_few_stores_is_left_out_and_said():
    found = effects(analysis=changed(min_stores=13))
    assert [one.is_valid for one in found.effects] == [False, False, False]
    assert "an arm has 12 stores" in found.effects[1].reason
    assert not store_study_table(found).empty
    assert found.counts["waves_left_out"] == 2


@pytest.mark.parametrize(
    ("analysis", "message"),
    [
        ({"base_location": "Rural"}, r"\['rural', 'suburban', 'urban'\]; got 'Rural'"),
        ({"income_scale": "log"}, "1 are not. Use `income_scale` linear"),
    ],
)
def test_settings_that_the_data_refuse(analysis, message):
    tables = store_tables(published_store_study())
    with pytest.raises(MetricError, match=message):
        before_after_association(tables=tables, analysis=changed(**analysis))
