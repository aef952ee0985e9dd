"""Staggered adoption against the printed figures of `did` and against known effects."""

import warnings
from importlib import resources

import numpy as np
import pandas as pd
import pytest
from diff_diff import CallawaySantAnna, SyntheticDiD

from promo_uplift.contracts.errors import MetricError, TrialError
from promo_uplift.effects.estimate import Label
from promo_uplift.effects.panel.decomposition import FORBIDDEN, bacon_decomposition
from promo_uplift.effects.panel.staggered import STAGGERED_ESTIMATORS, staggered_effects
from promo_uplift.effects.panel.staggered_fits import StaggeredSettings, captured
from promo_uplift.effects.panel.synthetic import synthetic_did


def settings(**changed):
    known = {
        "control_group": "never_treated",
        "base_period": "varying",
        "effect_periods": 1,
        "stack_pre_periods": 1,
        "propensity_clip": 0.01,
        "level": 0.95,
    }
    return StaggeredSettings(**(known | changed))


@pytest.fixture(scope="module")
def teens():
    """County teen employment, as `did` ships it."""
    file = resources.files("moderndid") / "core/datasets/mpdta_long.pkl.gz"
    raw = pd.read_pickle(file)  # noqa: S301 - shipped by an installed package
    names = {"countyreal": "household_id", "year": "period", "first.treat": "cohort"}
    return raw.rename(columns=names).astype({"cohort": int})


@pytest.fixture(scope="module")
def printed(teens):
    return staggered_effects(panel=teens, outcome="lemp", campaign="pooled", settings=settings())


def as_printed(frame, *keys):
    """Estimates to the four decimals that `did` prints."""
    return frame.set_index(list(keys))["estimate"].round(4).to_dict()


def test_group_time_effects_are_those_that_did_prints(printed):
    after = printed.group_time[printed.group_time["event_time"] >= 0]
    assert as_printed(after, "cohort", "period") == {
        (2004, 2004): -0.0105,
        (2004, 2005): -0.0704,
        (2004, 2006): -0.1373,
        (2004, 2007): -0.1008,
        (2006, 2006): -0.0046,
        (2006, 2007): -0.0412,
        (2007, 2007): -0.0261,
    }


def test_event_study_and_aggregates_are_those_that_did_prints(printed):
    events = printed.event_study[printed.event_study["estimator"] == "callaway_santanna"]
    assert as_printed(events, "event_time") == {
        -3: 0.0305,
        -2: -0.0006,
        -1: -0.0245,
        0: -0.0199,
        1: -0.0510,
        2: -0.1373,
        3: -0.1008,
    }
    assert as_printed(printed.aggregates, "aggregation", "cohort") == {
        ("group", 2004): -0.0797,
        ("group", 2006): -0.0229,
        ("group", 2007): -0.0261,
        ("dynamic", 0): -0.0772,
        ("group_overall", 0): -0.0310,
    }


@pytest.mark.parametrize("base", ["varying", "universal"])
def test_the_pre_test_is_the_one_that_did_prints(teens, base):
    """The base is a linear map of the same effects, so the test is one and the same."""
    found = staggered_effects(
        panel=teens, outcome="lemp", campaign="pooled", settings=settings(base_period=base)
    )
    assert round(found.pre_test.p_value, 5) == 0.16812
    assert found.pre_test.n_cells == 5


def test_the_printed_error_is_a_bootstrap_draw_of_ours(printed):
    """`did` prints .0246: 1,000 multiplier draws, their interquartile range over the normal's."""
    first = printed.group_time.iloc[0]
    assert (first["cohort"], first["period"]) == (2004, 2004)
    assert round(first["se"], 4) == 0.0233
    psi = printed.effects.influence[:, 0]
    rng = np.random.default_rng(0)
    root = np.sqrt(5.0)
    draws = np.empty(200)
    for i in range(len(draws)):
        is_low = rng.random((1_000, len(psi))) < (root + 1) / (2 * root)
        mammen = np.where(is_low, (1 - root) / 2, (1 + root) / 2)
        draws[i] = np.subtract(*np.quantile(mammen @ psi, [0.75, 0.25])) / 1.34898
    assert draws.mean() == pytest.approx(first["se"], rel=0.05)
    assert draws.min() < 0.0246 < draws.max()


def test_with_a_covariate_it_is_diff_diff_s_doubly_robust_estimate(teens):
    found = staggered_effects(
        panel=teens, outcome="lemp", campaign="pooled", settings=settings(), covariates=["lpop"]
    )
    assert found.group_time["estimate"].round(4).tolist()[:4] == [
        -0.0145,
        -0.0764,
        -0.1404,
        -0.1069,
    ]
    assert found.group_time["se"].round(4).tolist()[:4] == [0.0221, 0.0287, 0.0354, 0.0329]


@pytest.mark.parametrize("base", ["varying", "universal"])
@pytest.mark.parametrize("control", ["never_treated", "not_yet_treated"])
def test_aggregates_and_errors_equal_diff_diff_s(teens, base, control):
    chosen = settings(base_period=base, control_group=control)
    ours = staggered_effects(panel=teens, outcome="lemp", campaign="pooled", settings=chosen)
    fit = CallawaySantAnna(base_period=base, control_group=control).fit(
        teens, outcome="lemp", unit="household_id", time="period", first_treat="cohort"
    )
    study = fit.aggregate("event_study").to_dataframe()
    study = study[~study["is_reference"]]
    events = ours.event_study[ours.event_study["estimator"] == "callaway_santanna"]
    np.testing.assert_allclose(events["estimate"], study["att"], atol=1e-12)
    np.testing.assert_allclose(events["se"], study["se"], atol=1e-12)
    groups = fit.aggregate("group").to_dataframe()
    by_cohort = ours.aggregates[ours.aggregates["aggregation"] == "group"]
    np.testing.assert_allclose(by_cohort["se"], groups["se"], atol=1e-12)
    if base == "universal":
        path = ours.effects.path(n_pre=9, n_post=9)
        covariance = fit.aggregate("event_study").vcov
        kept = np.isin(fit.aggregate("event_study").vcov_index, [-4, -3, -2, 0, 1, 2, 3])
        np.testing.assert_allclose(path.covariance, covariance[np.ix_(kept, kept)], atol=1e-14)
        assert path.n_pre == 3
    else:
        with pytest.raises(MetricError, match="base_period"):
            ours.effects.path(n_pre=9, n_post=9)


SIZES = {0: 120, 4: 60, 7: 60, 10: 60}


def effect(cohort, event_time):
    """Grows with time, and faster for those treated first: what breaks two-way fixed effects."""
    return np.where(event_time >= 0, (event_time + 1.0) * (12.0 - cohort) / 4.0, 0.0)


def world(seed, sizes=SIZES, noise=1.0, n_periods=12):
    rng = np.random.default_rng(seed)
    cohort = np.repeat(list(sizes), list(sizes.values()))
    period = np.arange(1, n_periods + 1)
    level = rng.normal(size=len(cohort)) + 0.3 * cohort
    event_time = np.where(cohort[:, None] > 0, period - cohort[:, None], -1)
    outcome = level[:, None] + np.sin(period) + noise * rng.normal(size=event_time.shape)
    outcome += effect(cohort[:, None], event_time)
    return pd.DataFrame(
        {
            "household_id": np.repeat(np.arange(len(cohort)) + 100, n_periods),
            "period": np.tile(period, len(cohort)),
            "cohort": np.repeat(cohort, n_periods),
            "spend_usd": outcome.ravel(),
        }
    )


def window_truth(n_periods, sizes=SIZES):
    cohorts = [cohort for cohort in sizes if cohort]
    totals = [effect(cohort, np.arange(n_periods)).sum() for cohort in cohorts]
    return float(np.average(totals, weights=[sizes[cohort] for cohort in cohorts]))


def estimate(panel, **changed):
    return staggered_effects(
        panel=panel,
        outcome="spend_usd",
        campaign="pooled",
        settings=settings(base_period="universal", **changed),
    )


@pytest.mark.parametrize("control", ["never_treated", "not_yet_treated"])
def test_all_recover_the_effect_where_two_way_fixed_effects_do_not(control):
    panel = world(1, noise=0.2)
    found = estimate(panel, effect_periods=3, stack_pre_periods=2, control_group=control)
    truth = window_truth(3)
    assert [one.label.estimator for one in found.estimates] == list(STAGGERED_ESTIMATORS)
    for one in found.estimates:
        assert abs(one.value - truth) < min(4.0 * one.se, 0.3), one.label
    events = found.event_study[found.event_study["event_time"].between(0, 2)]
    by_time = events.groupby("event_time")["estimate"].agg(["min", "max"])
    for time, (low, high) in by_time.iterrows():
        expected = window_truth(time + 1) - window_truth(time)
        assert [low, high] == pytest.approx([expected, expected], abs=0.15)
    # over all treated household-periods the truth is far from the fixed-effects coefficient
    treated = panel[(panel["cohort"] > 0) & (panel["period"] >= panel["cohort"])]
    mean = effect(treated["cohort"], treated["period"] - treated["cohort"]).mean()
    assert bacon_decomposition(panel=panel, outcome="spend_usd").twfe < 0.6 * mean


def test_intervals_cover_as_often_as_they_say():
    sizes = {0: 40, 3: 25, 4: 25}
    truth, n = window_truth(2, sizes), 120
    held = np.zeros(4)
    for seed in range(n):
        found = estimate(
            world(seed, sizes, n_periods=5),
            effect_periods=2,
            level=0.9,
            control_group="never_treated",
        )
        held += [one.ci_low <= truth <= one.ci_high for one in found.estimates]
    assert (np.abs(held / n - 0.9) < 3.5 * np.sqrt(0.09 / n)).all(), held / n


def test_the_estimate_carries_its_households_influence():
    one = estimate(world(3), effect_periods=2).estimates[0]
    n = len(one.influence)
    assert n == one.n_households == sum(SIZES.values())
    assert one.se == pytest.approx(np.sqrt(n / (n - 1) * (one.influence**2).sum()))
    assert one.influence.index.min() == 100


def test_influence_is_what_leaving_a_household_out_moves():
    panel = world(5, {0: 30, 3: 20, 4: 20}, n_periods=5)
    whole = estimate(panel, effect_periods=2).estimates[0]
    for household in (101, 140, 160):
        without = estimate(panel[panel["household_id"] != household], effect_periods=2).estimates[0]
        assert whole.value - without.value == pytest.approx(
            whole.influence[household], rel=0.1, abs=0.002
        )


def test_what_cannot_be_used_is_counted_and_warnings_are_kept():
    panel = world(0)
    cohort = panel["cohort"].mask(panel["household_id"] == 230, 1)
    found = estimate(panel.assign(cohort=cohort.mask(panel["household_id"] == 231, 99)))
    texts = found.notes.loc[found.notes["estimator"] == "all", "note"].tolist()
    assert texts == [
        "1 households left out: treated in or before the first period",
        "1 households first treated after the last period count as untreated",
    ]
    gappy = panel[(panel["household_id"] != 101) | (panel["period"] != 5)]
    assert estimate(gappy).notes["note"].str.contains("alanced").any()

    def noisy():
        warnings.warn("a cohort was dropped", UserWarning, stacklevel=1)
        warnings.warn("an old name", FutureWarning, stacklevel=1)
        return 3

    assert captured(noisy) == (3, ["a cohort was dropped"])


def test_an_estimator_that_cannot_be_had_says_why():
    found = estimate(world(0), effect_periods=2, stack_pre_periods=11)
    by_name = {one.label.estimator: one for one in found.estimates}
    assert by_name["stacked"].reason
    assert not by_name["stacked"].is_valid
    assert by_name["callaway_santanna"].is_valid


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.drop(columns="cohort"), "columns"),
        (lambda p: pd.concat([p, p.head(1)]), "repeat"),
        (lambda p: p.assign(spend_usd=p["spend_usd"].mask(p.index == 3)), "missing"),
        (lambda p: p.assign(cohort=p["cohort"].mask(p.index == 3, 5)), "change"),
        (lambda p: p[p["cohort"] > 0], "never treated"),
        (lambda p: p[p["cohort"] == 0], "treated within"),
    ],
)
def test_a_panel_that_says_nothing_is_refused(change, message):
    with pytest.raises(TrialError, match=message):
        estimate(change(world(0)))


def test_bacon_s_weights_sum_to_one_and_its_parts_to_the_coefficient():
    panel = world(2)
    found = bacon_decomposition(panel=panel, outcome="spend_usd")
    table = found.comparisons
    assert table["weight"].sum() == pytest.approx(1.0, abs=1e-10)
    assert (table["weight"] * table["estimate"]).sum() == pytest.approx(found.twfe, abs=1e-9)
    # the coefficient by projection
    wide = panel.pivot_table(index="household_id", columns="period", values="spend_usd")
    cohort = panel.groupby("household_id")["cohort"].first().to_numpy()[:, None]
    treated = ((cohort > 0) & (wide.columns.to_numpy() >= cohort)).astype(float)
    residual = treated - treated.mean(0) - treated.mean(1, keepdims=True) + treated.mean()
    assert found.twfe == pytest.approx((residual * wide.to_numpy()).sum() / (residual**2).sum())
    # a comparison by hand, with its own windows: 7 against 4, which is treated already
    means = wide.groupby(cohort.ravel()).mean()
    after, before = means.loc[:, 7:].mean(axis=1), means.loc[:, 4:6].mean(axis=1)
    by_hand = (after - before)[7] - (after - before)[4]
    one = table[(table["kind"] == FORBIDDEN) & (table["treated_cohort"] == 7)]
    assert one["estimate"].tolist() == pytest.approx([by_hand])
    assert 0.0 < found.forbidden_weight < 1.0
    assert found.forbidden_share == pytest.approx(found.forbidden_part / found.twfe)


def test_bacon_has_nothing_forbidden_with_one_cohort_and_refuses_gaps():
    one = bacon_decomposition(panel=world(2, {0: 20, 5: 20}), outcome="spend_usd")
    assert one.forbidden_weight == one.forbidden_part == 0.0
    with pytest.raises(TrialError, match="miss some"):
        bacon_decomposition(panel=world(2).iloc[1:], outcome="spend_usd")
    with pytest.raises(TrialError, match="starts within"):
        bacon_decomposition(panel=world(2, {0: 20}), outcome="spend_usd")


LABEL = Label("panel", "synthetic_did", "att", "8", "spend_usd")


def factor_world(seed, n_treated=15, n_control=60, n_periods=16, first=12):
    """A trend that loads on a trait that the treated have more of: parallel only when weighted."""
    rng = np.random.default_rng(seed)
    is_treated = np.arange(n_treated + n_control) < n_treated
    trait = rng.uniform(size=len(is_treated)) + 0.4 * is_treated
    period = np.arange(n_periods)
    outcome = 3.0 * trait[:, None] * period + 0.5 * rng.normal(size=(len(trait), n_periods))
    outcome[np.ix_(is_treated, period >= first)] += 2.0
    return pd.DataFrame(outcome, index=np.arange(len(trait)) + 7), is_treated.astype(int)


def test_synthetic_did_undoes_a_trend_that_plain_differences_keep():
    outcomes, treatment = factor_world(0)
    found = synthetic_did(
        outcomes=outcomes, treatment=treatment, first_period=12, label=LABEL, level=0.95
    )
    values, arm = outcomes.to_numpy(), treatment == 1
    change = values[:, 12:].mean(axis=1) - values[:, :12].mean(axis=1)
    plain = 4.0 * (change[arm].mean() - change[~arm].mean())
    assert abs(plain - 8.0) > 20.0
    assert abs(found.estimate.value - 8.0) < 2.0
    assert found.control_weights.sum() == pytest.approx(1.0)
    assert found.period_weights.sum() == pytest.approx(1.0)
    assert found.paths["period"].tolist() == list(range(16))
    assert 1.0 < found.effective_controls < 60.0


def test_synthetic_did_is_diff_diff_s_and_its_influence_gives_its_error():
    outcomes, treatment = factor_world(1)
    found = synthetic_did(
        outcomes=outcomes, treatment=treatment, first_period=12, label=LABEL, level=0.95
    )
    long = outcomes.rename_axis("u").reset_index().melt("u", var_name="t", value_name="y")
    long["d"] = long["u"].map(dict(zip(outcomes.index, treatment, strict=True)))
    theirs = SyntheticDiD(variance_method="jackknife", seed=3).fit(
        long, "y", "d", "u", "t", post_periods=[12, 13, 14, 15]
    )
    assert found.estimate.value == pytest.approx(4.0 * theirs.att)
    assert found.estimate.se == pytest.approx(4.0 * theirs.se)
    assert set(found.estimate.influence.index) == set(outcomes.index)


def test_synthetic_did_refuses_gaps_and_says_why_it_has_no_figure():
    outcomes, treatment = factor_world(1)

    def attempt(**changed):
        known = {"outcomes": outcomes, "treatment": treatment, "first_period": 12}
        return synthetic_did(**(known | changed), label=LABEL, level=0.95)

    with pytest.raises(MetricError, match="missing"):
        attempt(outcomes=outcomes.mask(pd.Series(outcomes.index == 9, index=outcomes.index)))
    with pytest.raises(MetricError, match="first_period"):
        attempt(first_period=16)
    with pytest.raises(MetricError, match="0 or 1"):
        attempt(treatment=treatment[:-1])
    lonely = attempt(treatment=(np.arange(len(treatment)) == 0).astype(int))
    assert "fewer than two" in lonely.estimate.reason
