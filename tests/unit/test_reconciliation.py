"""Lenses are compared by the influence that they share, and a disagreement names its assumption."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, ttest_1samp, ttest_rel

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import Interval
from promo_uplift.effects.agreement import ALL_CAMPAIGNS
from promo_uplift.effects.disagreement import (
    NO_DIAGNOSTICS,
    DiagnosticLimits,
    LensDiagnostics,
)
from promo_uplift.effects.estimate import Estimate, Label
from promo_uplift.effects.joint import joint_zero_test, largest_draws, weighted_sum
from promo_uplift.effects.reconciliation import ReconciliationParameters, reconcile

LIMITS = DiagnosticLimits(
    alpha=0.05,
    min_pre_trend_power=0.5,
    min_overlap_share=0.5,
    min_matched_share=0.8,
    max_smd=0.1,
    max_se_ratio=1.5,
    unadjusted=("naive",),
)
PARAMETERS = ReconciliationParameters(
    level=0.95, power=0.8, draws=20_000, rank_tolerance=1e-6, limits=LIMITS
)
CLEAN = LensDiagnostics(0.6, 0.9, Interval(0.1, -2.0, 2.2), 0.8, 0.95, 0.05, 1.1)


def mean_of(values, name, *, households=None, campaign="8", outcome="spend_usd"):
    """A mean as an estimate: its influence is each household's distance from it."""
    lens, estimator = name.split(": ")
    n = len(values)
    ids = np.arange(n) if households is None else households
    influence = pd.Series((values - values.mean()) / n, index=ids)
    se = float(np.sqrt(n / (n - 1) * np.square(influence).sum()))
    return Estimate.normal(
        label=Label(lens, estimator, "att", campaign, outcome),
        value=float(values.mean()),
        se=se,
        level=0.95,
        counts=(n, n, n),
        influence=influence,
    )


def compared(*estimates, diagnostics=NO_DIAGNOSTICS, seed=1):
    return reconcile(
        estimates=estimates,
        diagnostics={("8", "spend_usd"): diagnostics},
        parameters=PARAMETERS,
        seed=seed,
    )


def two(gap, *, a="panel: twfe", b="cross_section: aipw", n=400):
    """Two means of the same households that err together and differ by ``gap``."""
    rng = np.random.default_rng(3)
    shared = rng.normal(0.0, 10.0, n)
    first, second = shared + rng.normal(0, 1, n), shared + rng.normal(0, 1, n)
    first += gap - (first - second).mean()
    return mean_of(first, a), mean_of(second, b), first, second


def test_the_error_of_a_difference_is_that_of_the_paired_t_test():
    a, b, first, second = two(0.1)
    row = compared(a, b).table.iloc[0]
    paired = ttest_rel(first, second)
    assert row["difference"] == pytest.approx((first - second).mean())
    assert row["difference"] / row["se"] == pytest.approx(paired.statistic, rel=1e-9)
    assert row["p_value"] == pytest.approx(2 * norm.sf(abs(paired.statistic)))
    assert row["ci_high"] - row["difference"] == pytest.approx(1.959964 * row["se"], rel=1e-6)
    assert row["se"] < 0.2 * np.hypot(a.se, b.se)  # what the two errors side by side suggest


def test_intervals_that_overlap_can_disagree():
    a, b, _, _ = two(0.4)
    assert max(a.ci_low, b.ci_low) < min(a.ci_high, b.ci_high)
    assert not compared(a, b).table["agrees"].iloc[0]


def test_samples_that_do_not_overlap_have_the_error_of_independent_means():
    rng = np.random.default_rng(1)
    a = mean_of(rng.normal(0, 2, 150), "panel: twfe", households=np.arange(150))
    b = mean_of(rng.normal(0, 3, 250), "matching: nn", households=np.arange(1000, 1250))
    se = compared(a, b).table["se"].iloc[0]
    assert se == pytest.approx(np.hypot(a.se, b.se), rel=0.005)  # H / (H - 1) only


def test_the_joint_test_is_hotellings_exact_test():
    """Two figures: the F test of one difference is the t test; several: the formula by hand."""
    rng = np.random.default_rng(5)
    x = rng.normal(0.3, 1.0, (12, 1))
    psi = (x - x.mean(0)) / len(x)
    one = joint_zero_test(values=x.mean(0), influence=psi, rank_tolerance=1e-8)
    assert one.p_value == pytest.approx(ttest_1samp(x[:, 0], 0.0).pvalue, rel=1e-9)
    y = rng.normal(0.0, 1.0, (40, 3))
    test = joint_zero_test(values=y.mean(0), influence=(y - y.mean(0)) / 40, rank_tolerance=1e-8)
    by_hand = 40 * y.mean(0) @ np.linalg.solve(np.cov(y.T), y.mean(0))
    assert test.statistic == pytest.approx(by_hand)
    assert (test.df, test.df_households, test.n_redundant) == (3, 37, 0)
    doubled = np.column_stack([y, y[:, 0] + y[:, 1]])
    redundant = joint_zero_test(
        values=doubled.mean(0), influence=(doubled - doubled.mean(0)) / 40, rank_tolerance=1e-8
    )
    assert redundant.n_redundant == 1
    assert redundant.p_value == pytest.approx(test.p_value, rel=1e-6)


def test_largest_of_independent_errors_has_its_closed_form():
    largest = largest_draws(covariance=np.diag([1.0, 4.0, 9.0]), draws=200_000, seed=0)
    exact = norm.ppf(0.5 + 0.95 ** (1 / 3) / 2)
    assert np.quantile(largest, 0.95) == pytest.approx(exact, abs=0.015)


def test_one_pair_has_the_same_p_value_alone_and_at_once_and_more_pairs_a_larger_one():
    a, b, first, _ = two(0.12)
    alone = compared(a, b).table.iloc[0]
    assert alone["p_simultaneous"] == pytest.approx(alone["p_value"], abs=0.01)
    noise = np.random.default_rng(8).normal(0, 1, len(first))
    third = mean_of(first + noise - noise.mean(), "matching: nn")
    table = compared(a, b, third).table
    assert len(table) == 3
    assert table["p_simultaneous"].iloc[0] > alone["p_simultaneous"]
    assert (table["p_simultaneous"] >= table["p_value"] - 0.01).all()


def test_what_could_have_been_found_is_said_where_nothing_was():
    a, b, _, _ = two(0.01)
    row = compared(a, b).table.iloc[0]
    assert row["agrees"]
    assert row["mde"] == pytest.approx((1.96 + 0.8416) * row["se"], rel=0.02)
    assert f"one of {row['mde']:.2f} USD" in row["points_to"]
    assert row["assumption"] == ""


@pytest.mark.parametrize(
    ("names", "changes", "assumption", "said"),
    [
        (
            ("panel: twfe", "cross_section: aipw"),
            {"pre_trend_p": 0.003},
            "parallel_trends",
            "0.003",
        ),
        (("panel: twfe", "matching: nn"), {"pre_trend_power": 0.2}, "parallel_trends", "20%"),
        (
            ("panel: twfe", "cross_section: aipw"),
            {"placebo": Interval(9.0, 4.0, 14.0)},
            "stable_confounding",
            "+9.00 USD",
        ),
        (("matching: nn", "cross_section: aipw"), {"overlap_share": 0.3}, "overlap", "30%"),
        (("matching: nn", "cross_section: aipw"), {"matched_share": 0.6}, "overlap", "60%"),
        (("cross_section: ipw", "cross_section: aipw"), {"max_smd_after": 0.22}, "balance", "0.22"),
        (("cross_section: ipw", "cross_section: aipw"), {}, "functional_form", "propensity"),
        (("panel: twfe", "panel: callaway_santanna"), {}, "heterogeneous_timing", "start"),
        (("cross_section: naive", "cross_section: aipw"), {}, "selection", "+5.00 USD"),
        (("panel: twfe", "cross_section: naive"), {}, "selection", "-5.00 USD"),
        (("panel: twfe", "cross_section: aipw"), {}, "unexplained", "either"),
        (("panel: twfe", "cross_section: aipw"), {"se_ratio": 2.5}, "standard_error", "2.5-fold"),
    ],
)
def test_a_disagreement_points_to_the_assumption_that_its_diagnostic_speaks_against(
    names, changes, assumption, said
):
    a, b, _, _ = two(5.0, a=names[0], b=names[1])
    row = compared(a, b, diagnostics=replace(CLEAN, **changes)).table.iloc[0]
    assert row["assumption"] == assumption
    assert said in row["points_to"]


def test_several_diagnostics_are_all_named_and_unknown_ones_say_nothing():
    a, b, _, _ = two(5.0)
    broken = replace(CLEAN, pre_trend_p=0.001, overlap_share=0.2)
    assert compared(a, b, diagnostics=broken).table["assumption"].iloc[0] == (
        "parallel_trends; overlap"
    )
    assert compared(a, b, diagnostics=NO_DIAGNOSTICS).table["assumption"].iloc[0] == "unexplained"


def test_invalid_lenses_and_those_without_influence_keep_their_rows():
    a, b, _, _ = two(5.0)
    failed = Estimate.none(label=replace(b.label, estimator="ipw"), reason="no overlap")
    bare = replace(b, label=replace(b.label, estimator="sdid"), influence=None)
    table = compared(a, failed, bare).table
    assert len(table) == 3
    assert table["agrees"].isna().all()
    assert "no overlap" in table["reason"].iloc[0]
    assert table["reason"].iloc[1] == "cross_section: sdid offers no influence"
    assert table["difference"].iloc[1] == pytest.approx(5.0)
    assert table["se"].isna().all()


def test_the_same_figure_under_two_names_agrees_with_itself():
    a, b, _, _ = two(0.0)
    twin = replace(a, label=replace(a.label, estimator="two_by_two"), value=a.value + 1e-14)
    result = compared(a, twin, b)
    row = result.table.iloc[0]
    assert (row["se"], row["p_simultaneous"], row["points_to"]) == (0.0, 1.0, "the same figure")
    test = result.tests.iloc[0]
    assert (test["df"], test["n_redundant"]) == (1, 1)
    moved = replace(twin, value=a.value + 1.0)
    row = compared(a, moved, b).table.iloc[0]
    assert not row["agrees"]
    assert row["p_value"] == 0.0


def test_all_campaigns_at_once_know_that_households_are_in_several():
    """The same households and figures twice: one difference, not two independent ones."""
    a, b, _, _ = two(0.12)
    again = [replace(one, label=replace(one.label, campaign="13")) for one in (a, b)]
    tests = compared(a, b, *again).tests.set_index("campaign")
    assert tests.loc[ALL_CAMPAIGNS, "df"] == 1
    assert tests.loc[ALL_CAMPAIGNS, "n_redundant"] == 1
    assert tests.loc[ALL_CAMPAIGNS, "p_value"] == pytest.approx(tests.loc["8", "p_value"])
    apart = [
        replace(one, influence=one.influence.set_axis(one.influence.index + 10_000))
        for one in again
    ]
    independent = compared(a, b, *apart).tests.set_index("campaign")
    assert independent.loc[ALL_CAMPAIGNS, "df"] == 2
    assert independent.loc[ALL_CAMPAIGNS, "p_value"] < tests.loc["8", "p_value"]


def test_pooled_repeats_the_campaigns_and_the_unadjusted_must_differ_so_neither_is_tested():
    a, b, _, _ = two(0.05)
    naive, _, _, _ = two(50.0, a="cross_section: naive")
    pooled = [replace(one, label=replace(one.label, campaign="pooled")) for one in (a, b)]
    tests = compared(a, b, naive, *pooled).tests
    assert tests["campaign"].tolist() == ["8", "pooled", ALL_CAMPAIGNS]
    assert tests["p_value"].iloc[2] == pytest.approx(tests["p_value"].iloc[0])
    assert (tests["p_value"] > 0.05).all()
    lonely = compared(naive, a).tests
    assert lonely["p_value"].isna().all()
    assert (lonely["reason"] != "").all()


def test_estimands_and_names_that_cannot_be_compared_are_refused():
    a, b, _, _ = two(0.0)
    with pytest.raises(MetricError, match=r"one estimand.*'ate', 'att'"):
        compared(a, replace(b, label=replace(b.label, estimand="ate")))
    with pytest.raises(MetricError, match="once per campaign and outcome"):
        compared(a, a)
    repeated = replace(b, influence=pd.concat([b.influence, b.influence]))
    with pytest.raises(MetricError, match="each household once"):
        compared(a, repeated)
    with pytest.raises(MetricError, match="`level`"):
        replace(PARAMETERS, level=95.0)


def test_a_seed_gives_the_same_table_and_nothing_is_an_estimate_of_nothing():
    a, b, _, _ = two(0.1)
    pd.testing.assert_frame_equal(compared(a, b).table, compared(a, b).table)
    empty = reconcile(estimates=[], diagnostics={}, parameters=PARAMETERS, seed=1)
    assert empty.table.empty
    assert empty.tests.empty


def test_a_weighted_sum_has_the_error_of_the_sum_and_a_single_part_its_own():
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, 50), rng.normal(0, 2, 50)
    a, b = mean_of(x, "panel: twfe"), mean_of(y, "panel: other")
    label = Label("panel", "twfe", "total", "8", "sum")
    total = weighted_sum(
        label=label, parts=[(2.0, a), (-1.0, b)], level=0.95, counts=(50, 50, 50), constant=3.0
    )
    direct = mean_of(2 * x - y + 3, "panel: sum")
    assert (total.value, total.se) == pytest.approx((direct.value, direct.se))
    corrected = replace(a, se=1.01 * a.se)  # an estimator's own small-sample correction
    alone = weighted_sum(label=label, parts=[(-3.0, corrected)], level=0.95, counts=(50, 50, 50))
    assert alone.se == pytest.approx(3.0 * corrected.se)
    assert alone.p_value == pytest.approx(2 * norm.sf(abs(a.value / corrected.se)))
