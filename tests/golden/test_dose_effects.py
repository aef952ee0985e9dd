"""A dose's slope: another library's figures, known effects, and what selection does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyfixest
import pytest

from promo_uplift.contracts.errors import MetricError
from promo_uplift.effects.panel.dose import DoseSettings, dose_effects
from promo_uplift.effects.panel.dose_index import price_index

SETTINGS = DoseSettings("price_index", (0.0, 0.1, 0.2), 5, 0.95)


def grid(households=60, categories=2, weeks=16):
    axes = np.meshgrid(
        np.arange(households), np.arange(categories), np.arange(weeks), indexing="ij"
    )
    return [one.ravel() for one in axes]


def world(seed=0, *, slope=1.5, lead=0.0, households=60):
    """Spend moves by ``slope`` USD per 10 points, by ``lead`` per 10 points of the week after."""
    rng = np.random.default_rng(seed)
    household, category, week = grid(households)
    dose = np.clip(rng.uniform(-0.1, 0.4, len(week)), 0.0, 1.0)
    following = np.append(dose[1:], 0.0)
    taste = rng.normal(10.0, 3.0, (households, 2))[household, category]
    season = rng.normal(0.0, 2.0, (2, 16))[category, week]
    # errors of one household hang together from week to week
    shock = np.repeat(rng.normal(0.0, 1.0, households * 2 * 8), 2) + rng.normal(0.0, 1.0, len(week))
    spend = taste + season + 10.0 * (slope * dose + lead * following) + shock
    keys = {"household_id": household, "category": category, "week": week}
    return pd.DataFrame(keys | {"dose": dose, "spend_usd": spend})


def by_name(found):
    return {one.label.estimator: one for one in found.estimates}


def test_slopes_and_errors_equal_pyfixests():
    panel = world().assign(tenths=lambda t: t["dose"] / 0.1)
    panel["positive"] = np.maximum(panel["spend_usd"], 0.0)
    panel["logged"] = np.log1p(panel["positive"])
    found = by_name(dose_effects(panel=panel, settings=SETTINGS))
    fixed = "| household_id^category + category^week"
    same = {"vcov": {"CRV1": "household_id"}, "ssc": pyfixest.ssc(k_adj=False), "data": panel}
    for name, outcome in {"linear": "spend_usd", "log1p": "logged"}.items():
        fit = pyfixest.feols(f"{outcome} ~ tenths {fixed}", **same)
        assert found[name].value == pytest.approx(fit.coef()["tenths"], rel=1e-6)
        assert found[name].se == pytest.approx(fit.se()["tenths"], rel=1e-6)
    fit = pyfixest.fepois(f"positive ~ tenths {fixed}", **same)
    assert found["poisson"].value == pytest.approx(fit.coef()["tenths"], rel=1e-6)
    assert found["poisson"].se == pytest.approx(fit.se()["tenths"], rel=1e-6)


def test_the_influence_is_the_error():
    one = by_name(dose_effects(panel=world(), settings=SETTINGS))["linear"]
    parts = one.influence.to_numpy()
    assert abs(parts.sum()) < 1e-8
    assert np.sqrt(60 / 59 * (parts**2).sum()) == pytest.approx(one.se)


def test_the_known_slope_and_bins_are_recovered_and_the_lead_is_none():
    hits = {"linear": [], "lead": []}
    for seed in range(60):
        found = by_name(dose_effects(panel=world(seed, households=40), settings=SETTINGS))
        for name, truth in {"linear": 1.5, "lead": 0.0}.items():
            hits[name].append(found[name].ci_low <= truth <= found[name].ci_high)
    # 60 draws of 95 %: four standard errors are 11 points
    assert all(np.mean(found) >= 0.84 for found in hits.values())
    found = dose_effects(panel=world(households=400), settings=SETTINGS)
    bins = by_name(found)
    # mean doses of the bins, a uniform on (-10, 40) points cut at 0: 2.5, 15 and 30
    assert bins["bin_10_20"].value == pytest.approx(1.5 * 1.25, abs=0.15)
    assert bins["bin_20_100"].value == pytest.approx(1.5 * 2.75, abs=0.15)
    assert found.bins_p_value < 1e-6


def test_next_weeks_dose_is_found_where_it_matters():
    found = dose_effects(panel=world(lead=0.5), settings=SETTINGS)
    assert found.lead.ci_low < 0.5 < found.lead.ci_high
    assert found.lead.p_value < 0.001
    assert found.counts["rows_without_next_week"] == 60 * 2


def test_poisson_recovers_a_ratio_and_says_whom_it_leaves_out():
    rng = np.random.default_rng(4)
    household, category, week = grid(150)
    dose = rng.uniform(0.0, 0.4, len(week))
    mean = np.exp(rng.normal(0.0, 0.3, (150, 2))[household, category] + 1.2 * dose)
    spend = rng.poisson(np.where(household < 5, 0.0, mean)).astype(float)
    keys = {"household_id": household, "category": category, "week": week}
    panel = pd.DataFrame(keys | {"dose": dose, "spend_usd": spend})
    one = by_name(dose_effects(panel=panel, settings=SETTINGS))["poisson"]
    assert one.ci_low < 0.12 < one.ci_high
    assert one.n_households == 145


def test_purchases_select_on_the_discount_and_the_index_does_not():
    """Who needs a deep discount to buy at all buys little: among purchases the slope turns."""
    rng = np.random.default_rng(8)
    household, category, week = grid(300)
    store = household % 20
    depth = rng.uniform(0.0, 0.4, (20, 2, 16))[store, category, week]
    own = np.clip(depth + rng.normal(0.0, 0.05, len(week)), 0.0, 1.0)
    need = rng.normal(2.0, 2.0, len(week))
    wanted = need + 10.0 * own
    bought = wanted > 4.0
    truth = 1.0  # USD of latent demand per 10 points; of spend it is truth x share that buys
    spend = np.where(bought, wanted, 0.0)
    keys = {"household_id": household, "category": category, "week": week}
    panel = pd.DataFrame(keys | {"spend_usd": spend})
    index = dose_effects(panel=panel.assign(dose=depth), settings=SETTINGS)
    realised = dose_effects(
        panel=panel.assign(dose=np.where(bought, own, np.nan)),
        settings=DoseSettings("realised", (0.0, 0.1, 0.2), 5, 0.95),
    )
    found, among = by_name(index)["linear"], by_name(realised)["linear"]
    # the expected change of spend over the 0-40 points, by the same world without noise in depth
    deep = np.where(need + 4.0 > 4.0, need + 4.0, 0.0).mean()
    none = np.where(need > 4.0, need, 0.0).mean()
    assert found.value == pytest.approx((deep - none) / 4.0, rel=0.1)
    assert found.value > truth > among.ci_high
    assert realised.counts["rows_without_dose_left_out"] == int((~bought).sum())
    assert "association" in realised.assumption


def test_a_dose_that_is_the_week_is_refused_by_name():
    panel = world()
    with pytest.raises(MetricError, match=r"within household and category beyond its week.*`dose`"):
        dose_effects(panel=panel.assign(dose=panel["week"] / 20.0), settings=SETTINGS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="dose"), "must have the columns"),
        (lambda t: pd.concat([t, t.head(2)]), "2 repeat"),
        (lambda t: t.assign(dose=t["dose"] * 100.0), r"must lie in \[0, 1\]"),
        (lambda t: t.assign(dose=np.nan), "missing in all"),
        (lambda t: t.assign(spend_usd=t["spend_usd"].mask(t["week"] == 3)), "120 of 1920"),
    ],
)
def test_bad_panels_are_refused(change, message):
    with pytest.raises(MetricError, match=message):
        dose_effects(panel=change(world()), settings=SETTINGS)


@pytest.mark.parametrize(
    ("version", "edges", "message"),
    [("own", (0.0, 0.1), "`version`"), ("realised", (0.1, 0.2), "`edges`")],
)
def test_bad_settings_are_refused(version, edges, message):
    with pytest.raises(MetricError, match=message):
        DoseSettings(version, edges, 5, 0.95)


def test_a_bin_of_few_households_has_a_reason_and_not_a_figure():
    panel = world()
    panel["dose"] = panel["dose"].where(panel["household_id"] < 3, panel["dose"].clip(0.0, 0.15))
    found = dose_effects(panel=panel, settings=SETTINGS)
    assert "fewer than 5 households" in by_name(found)["bin_10_20"].reason
    assert np.isnan(found.bins_p_value)


def test_a_dose_on_an_edge_belongs_to_the_bin_that_begins_there():
    panel = world()
    panel["dose"] = np.random.default_rng(2).choice([0.0, 0.1, 0.2], len(panel))
    counts = dose_effects(panel=panel, settings=SETTINGS).counts
    for name, dose in {"rows_bin_0_10": 0.0, "rows_bin_10_20": 0.1, "rows_bin_20_100": 0.2}.items():
        assert counts[name] == int((panel["dose"] == dose).sum())


def purchases():
    rows = [
        # household, store, week, list, discount; the first week is the baseline
        (1, 7, 0, 10.0, 0.0),
        (1, 8, 0, 10.0, 0.0),
        (2, 7, 0, 10.0, 0.0),
        (1, 7, 1, 10.0, 5.0),
        (2, 7, 1, 10.0, 1.0),
        (3, 7, 1, 30.0, 3.0),
        (3, 8, 1, 10.0, 4.0),
        (2, 8, 2, 10.0, 2.0),
        (2, 7, 3, 10.0, 3.0),
    ]
    columns = ["household_id", "store_id", "week", "list_usd", "discount_usd"]
    table = pd.DataFrame(rows, columns=columns).assign(category="milk")
    return table.assign(spend_usd=table["list_usd"] - table["discount_usd"])


def test_the_index_by_hand():
    found = price_index(purchases=purchases(), baseline_weeks=1)
    dose = found.panel.set_index(["household_id", "week"])["dose"]
    # store 7 without the household's own 5 of 10: (1 + 3) / 40; store 8: 4 / 10; alike in weight
    assert dose[1, 1] == pytest.approx((4.0 / 40.0 + 0.4) / 2.0)
    assert dose[2, 1] == pytest.approx((5.0 + 3.0) / 40.0)
    assert dose[1, 2] == pytest.approx(0.2)
    assert np.isnan(dose[2, 2])
    assert np.isnan(dose[2, 3])  # nobody but itself
    spend = found.panel.set_index(["household_id", "week"])["spend_usd"]
    assert spend[1, 1] == pytest.approx(5.0)
    assert spend[1, 2] == 0.0
    assert found.counts == {
        "rows": 6,
        "rows_without_dose": 2,
        "households_without_baseline_left_out": 1,
    }


def test_the_index_does_not_hear_of_the_households_own_discount():
    table = purchases()
    changed = table.copy()
    changed.loc[3, "discount_usd"] = 9.0
    dose = [
        price_index(purchases=one, baseline_weeks=1).panel.set_index(["household_id", "week"])[
            "dose"
        ]
        for one in (table, changed)
    ]
    assert dose[0][1, 1] == dose[1][1, 1]
    assert dose[0][2, 1] != dose[1][2, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="store_id"), "store_id"),
        (lambda t: pd.concat([t, t.head(1)]), "1 rows repeat"),
        (lambda t: t.assign(discount_usd=-t["discount_usd"]), "between 0 and `list_usd`"),
    ],
)
def test_bad_purchases_are_refused(change, message):
    with pytest.raises(MetricError, match=message):
        price_index(purchases=change(purchases()), baseline_weeks=1)


def test_a_baseline_that_leaves_nothing_is_refused():
    with pytest.raises(MetricError, match="must leave a week after it"):
        price_index(purchases=purchases(), baseline_weeks=4)
