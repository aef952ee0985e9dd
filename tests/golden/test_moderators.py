"""Effects by level and slopes on codes: another library's figures, and a world with known ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyfixest
import pytest

from promo_uplift.contracts.errors import MetricError
from promo_uplift.effects.panel.arrays import CampaignPanel
from promo_uplift.effects.panel.moderator_slopes import ModeratorRules
from promo_uplift.effects.panel.moderators import moderator_effects
from promo_uplift.effects.panel.two_by_two import two_by_two
from promo_uplift.effects.panel.window import PanelRules, PanelWindow

WINDOW = PanelWindow(pre_weeks=8, effect_weeks=4)
RULES = ModeratorRules(
    panel=PanelRules(min_treated=10, min_control=10, min_pre_weeks=1), min_cell=5
)
WEEKS = {"1": np.arange(-8, 4), "2": np.arange(-5, 4)}


def codes_of(rng, n):
    table = pd.DataFrame(
        {
            "demo_age": rng.integers(1, 5, n).astype(float),
            "demo_income": rng.integers(1, 7, n).astype(float),
            "home": rng.choice(["flat", "house"], n),
        },
        index=pd.Index(np.arange(1, n + 1), name="household_id"),
    )
    table.loc[rng.random(n) < 0.4, ["demo_age", "demo_income"]] = np.nan
    return table


def world(seed=0, *, n=500, slope=0.5, missing=0.0, households=400):
    """Weekly effect 1 + ``slope`` per step of age from 2.5, 1 + ``missing`` where it is missing."""
    rng = np.random.default_rng(seed)
    codes = codes_of(rng, n)
    age = codes["demo_age"].to_numpy()
    effect = 1.0 + np.where(np.isnan(age), missing, slope * (age - 2.5))
    panels = []
    for name, weeks in WEEKS.items():
        ids = np.sort(rng.choice(np.arange(1, n + 1), households, replace=False))
        # who is mailed differs by age, and what a week does to spend too
        lean = np.nan_to_num(age[ids - 1] - 2.5)
        treatment = (rng.random(households) < 0.5 + 0.1 * lean).astype(np.int64)
        spend = rng.normal(20.0, 4.0, (households, 1)) + rng.normal(0.0, 1.0, len(weeks))
        spend = spend + rng.normal(0.0, 3.0, (households, len(weeks)))
        spend += (weeks >= 0) * (0.4 * lean + treatment * effect[ids - 1])[:, np.newaxis]
        panels.append(
            CampaignPanel(name, "TypeA", ids, treatment, weeks, weeks + 50, {"spend_usd": spend})
        )
    return tuple(panels), codes


def run(panels, codes, **changes):
    settings = {"outcome": "spend_usd", "window": WINDOW, "rules": RULES, "level": 0.95}
    return moderator_effects(panels=panels, moderators=codes, **(settings | changes))


def long(panels, codes):
    rows = []
    for one in panels:
        n, weeks = len(one.households), one.rel_weeks
        rows.append(
            pd.DataFrame(
                {
                    "unit": np.repeat([f"{one.campaign}-{h}" for h in one.households], len(weeks)),
                    "period": np.tile([f"{one.campaign}-{w}" for w in weeks], n),
                    "household_id": np.repeat(one.households, len(weeks)),
                    "mailed": np.repeat(one.treatment, len(weeks)),
                    "post": np.tile((weeks >= 0).astype(float), n),
                    "spend": one.values("spend_usd").ravel(),
                }
            )
        )
    table = pd.concat(rows, ignore_index=True)
    return table.merge(codes.reset_index(), on="household_id")


def test_slopes_and_errors_equal_a_regression_with_unit_and_period_effects():
    panels, codes = world()
    found = run(panels, codes).slopes.set_index(["adjusted", "moderator", "term"])
    table = long(panels, codes)
    table["unknown"] = table["demo_age"].isna().astype(float)
    names = []
    units = table.drop_duplicates("unit").query("mailed == 1")
    for name in ("demo_age", "demo_income", "unknown"):
        centred = table[name] - (0.0 if name == "unknown" else units[name].mean())
        table[f"p_{name}"] = centred.fillna(0.0) * table["post"]
        table[f"t_{name}"] = table[f"p_{name}"] * table["mailed"]
        names += [f"p_{name}", f"t_{name}"]
    table["t"] = table["mailed"] * table["post"]
    fit = pyfixest.feols(
        f"spend ~ t + {' + '.join(names)} | unit + period",
        data=table,
        vcov={"CRV1": "household_id"},
        ssc=pyfixest.ssc(k_adj=False),
    )
    for name in ("demo_age", "demo_income"):
        one = found.loc[(True, name, "per_step")]
        assert one["estimate"] == pytest.approx(4.0 * fit.coef()[f"t_{name}"], rel=1e-6)
        assert one["se"] == pytest.approx(4.0 * fit.se()[f"t_{name}"], rel=1e-6)
    flag = found.loc[(True, "demo_age, demo_income", "missing_minus_mean")]
    assert flag["estimate"] == pytest.approx(4.0 * fit.coef()["t_unknown"], rel=1e-6)
    assert flag["se"] == pytest.approx(4.0 * fit.se()["t_unknown"], rel=1e-6)


def test_known_effects_by_level_and_slope_are_recovered():
    hits = []
    for seed in range(60):
        found = run(*world(seed))
        age = found.levels.query("moderator == 'demo_age'").set_index("level")
        truth = {f"{code}": 4.0 * (1.0 + 0.5 * (code - 2.5)) for code in range(1, 5)}
        truth["missing"] = 4.0
        assert list(age.index) == list(truth)
        rows = [(age.loc[name], value) for name, value in truth.items()]
        slopes = found.slopes.set_index(["adjusted", "moderator", "term"])
        rows.append((slopes.loc[(False, "demo_age", "per_step")], 2.0))
        rows.append((slopes.loc[(True, "demo_income", "per_step")], 0.0))
        hits.append([row["ci_low"] <= value <= row["ci_high"] for row, value in rows])
    # 420 intervals of 95 %, not independent
    assert 0.915 <= np.mean(hits) <= 0.985


def test_levels_that_differ_are_found_and_others_are_not():
    found = run(*world(3, slope=1.0, n=2000, households=1500))
    tests = found.tests.set_index("moderator")
    assert tests.loc["demo_age", "p_holm"] < 0.001
    assert tests.loc["home", "p_value"] > 0.01
    quiet = [run(*world(seed, slope=0.0)).tests["p_holm"].min() < 0.05 for seed in range(100, 160)]
    assert np.mean(quiet) <= 0.14


def test_missing_is_a_level_with_its_difference():
    panels, codes = world(4, missing=3.0, n=2000, households=1500)
    found = run(panels, codes)
    one = found.differences.query("moderator == 'demo_age' and level == 'missing'").iloc[0]
    assert one["against"] == "known"
    assert one["ci_low"] < 12.0 < one["ci_high"]
    levels = found.levels.query("moderator == 'demo_age'").set_index("level")
    known = levels.drop("missing")
    mean = np.average(known["estimate"], weights=known["n_treated"])
    assert one["estimate"] == pytest.approx(levels.loc["missing", "estimate"] - mean)
    unlisted = run(panels, codes[codes["demo_age"].notna()]).levels
    same = found.levels["moderator"] == "demo_age"
    pd.testing.assert_frame_equal(found.levels[same], unlisted[unlisted["moderator"] == "demo_age"])


def test_nobody_is_left_out_of_the_levels():
    panels, codes = world()
    levels = run(panels, codes).levels
    mailed = sum(int(one.treatment.sum()) for one in panels)
    counted = (levels["n_treated"] + levels["n_treated_left_out"]).groupby(levels["moderator"])
    assert (counted.sum() == mailed).all()


def test_a_level_alone_is_the_two_by_two_and_its_influence_the_error():
    panels, codes = world()
    one = codes.assign(demo_age=1.0)[["demo_age"]]
    found = run(panels, one)
    plain = two_by_two(
        panels=panels, outcome="spend_usd", window=WINDOW, rules=RULES.panel, level=0.95
    ).estimates[-1]
    assert found.estimates[0].value == pytest.approx(plain.value)
    assert found.estimates[0].se == pytest.approx(plain.se)
    assert found.tests["reason"].tolist() == ["1 known levels have an estimate"]
    assert "constant" in found.slopes["reason"][0] or "is 0" in found.slopes["reason"][0]


def test_small_cells_are_left_out_counted_and_said():
    panels, codes = world()
    rare = codes[["home"]].copy()
    rare.iloc[:12, 0] = "boat"
    found = run(panels, rare).levels.set_index("level")
    assert "too few" in found.loc["boat", "reason"]
    assert np.isnan(found.loc["boat", "estimate"])
    assert found.loc["boat", "n_treated"] + found.loc["boat", "n_treated_left_out"] > 0


def test_text_has_levels_and_no_slope():
    slopes = run(*world()).slopes.set_index(["moderator", "adjusted"])
    assert slopes.loc[("home", False), "reason"] == "no ordered code: see the levels"


@pytest.mark.parametrize(
    ("change", "message"),
    [(lambda t: pd.concat([t, t.head(3)]), "3 repeat"), (lambda t: t[[]], "must have a column")],
)
def test_bad_moderators_are_refused(change, message):
    panels, codes = world()
    with pytest.raises(MetricError, match=message):
        run(panels, change(codes))


def test_no_valid_campaign_is_refused():
    panels, codes = world()
    rules = ModeratorRules(panel=PanelRules(10_000, 10, 1), min_cell=5)
    with pytest.raises(MetricError, match="treated_below_minimum"):
        run(panels, codes, rules=rules)


def test_a_cell_of_one_is_refused():
    with pytest.raises(MetricError, match="`min_cell` must be at least 2"):
        ModeratorRules(panel=RULES.panel, min_cell=1)
