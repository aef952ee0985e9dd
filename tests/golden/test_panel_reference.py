"""The panel's figures are those of pyfixest, statsmodels and diff_diff on the same rows."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pyfixest
import pytest
import statsmodels.api as sm
from diff_diff import MultiPeriodDiD, PreTrendsPower

from promo_uplift.effects.panel import (
    CampaignPanel,
    ErrorSettings,
    PanelRules,
    PanelWindow,
    campaign_panels,
    error_table,
    event_studies,
    poisson_ratio,
    pre_trend,
    twfe,
    two_by_two,
)
from promo_uplift.effects.panel.fixed_effects import cell_design, long_frame
from tests.unit.small_panel import World, small_panel

WINDOW = PanelWindow(6, 4)
RULES = PanelRules(min_treated=5, min_control=5, min_pre_weeks=3)
OUTCOMES = ["spend_usd", "log1p_spend", "visits", "units"]
SETTINGS = ErrorSettings(level=0.95, min_clusters=5, reps=199, seed=1)
#: Fixed effects of the iterating libraries converge to about this.
CONVERGED = 1e-6


@pytest.fixture(scope="module")
def panels() -> tuple[CampaignPanel, ...]:
    world = World(covered_from=(-6, -4, -6), n_households=60)
    return campaign_panels(panel=small_panel(seed=1, world=world), outcomes=OUTCOMES)


def rows_of(panels: tuple[CampaignPanel, ...] | list[CampaignPanel]) -> pd.DataFrame:
    rows = long_frame(panels=panels, outcomes=["spend_usd"], window=WINDOW)
    kept = [WINDOW.pre(one.rel_weeks) | WINDOW.effect(one.rel_weeks) for one in panels]
    pairs = list(zip(panels, kept, strict=True))
    rows["week"] = np.concatenate(
        [np.tile(one.calendar_weeks[weeks], len(one.households)) for one, weeks in pairs]
    )
    rows["rel_week"] = np.concatenate(
        [np.tile(one.rel_weeks[weeks], len(one.households)) for one, weeks in pairs]
    )
    rows["mailed"] = np.concatenate([np.repeat(one.treatment, weeks.sum()) for one, weeks in pairs])
    share = [one.treatment.mean() for one in panels]
    rows["weight"] = np.concatenate(
        [
            np.repeat(np.where(one.treatment == 1, 1.0, p / (1.0 - p)), weeks.sum())
            for (one, weeks), p in zip(pairs, share, strict=True)
        ]
    )
    return rows


def test_two_way_fixed_effects_of_one_campaign_are_its_2x2_effect(
    panels: tuple[CampaignPanel, ...],
) -> None:
    common = {"panels": panels, "window": WINDOW, "rules": RULES, "level": 0.95}
    fitted = twfe(outcomes=OUTCOMES, **common).estimates
    for outcome in OUTCOMES:
        means = two_by_two(outcome=outcome, **common).estimates
        ours = [one for one in fitted if one.label.outcome == outcome]
        np.testing.assert_allclose(
            [one.value for one in ours[:-1]], [one.value for one in means[:-1]], rtol=CONVERGED
        )
        assert ours[-1].label.estimand == "variance_weighted_att"
    # an error from influences lacks only the factor (N - 1) / (N - k) of the fitted one
    for one, n_rows, n_periods in zip(
        [one for one in fitted if one.label.outcome == "visits"],
        [len(rows_of([one])) for one in panels] + [len(rows_of(panels))],
        [10, 8, 10, 28],
        strict=True,
    ):
        h = len(one.influence)
        own = h / (h - 1) * np.square(one.influence).sum()
        own *= (n_rows - 1) / (n_rows - 1 - n_periods)
        assert one.se == pytest.approx(np.sqrt(own), rel=CONVERGED)


def test_pooled_2x2_effect_is_a_weighted_regression(panels: tuple[CampaignPanel, ...]) -> None:
    # weights that balance the arms leave a campaign its mailed households x the weight of its
    # weeks: on campaigns of one length, the weights of the 2x2 effect
    same = [panels[0], panels[2]]
    fit = pyfixest.feols(
        "spend_usd ~ treatment_x_post | unit + period", rows_of(same), weights="weight"
    )
    ours = two_by_two(
        panels=same, outcome="spend_usd", window=WINDOW, rules=RULES, level=0.95
    ).estimates[-1]
    assert ours.value == pytest.approx(4.0 * fit.coef().iloc[0], rel=CONVERGED)


def test_errors_are_those_of_pyfixest_and_statsmodels(panels: tuple[CampaignPanel, ...]) -> None:
    table = error_table(
        panels=panels, outcome="spend_usd", window=WINDOW, rules=RULES, settings=SETTINGS
    ).set_index(["campaign", "method"])
    for name, chosen in (("1", [panels[0]]), ("2", [panels[1]]), ("pooled", list(panels))):
        rows = rows_of(chosen)
        for method, vcov in (
            ("cluster_household", {"CRV1": "household"}),
            ("two_way_household_week", {"CRV1": "household+week"}),
        ):
            fit = pyfixest.feols("spend_usd ~ treatment_x_post | unit + period", rows, vcov=vcov)
            ours = table.loc[(name, method)]
            assert ours["estimate"] == pytest.approx(4.0 * fit.coef().iloc[0], rel=CONVERGED)
            assert ours["se"] == pytest.approx(4.0 * fit.se().iloc[0], rel=CONVERGED)
            assert ours["p_value"] == pytest.approx(fit.pvalue().iloc[0], rel=1e-4)
            np.testing.assert_allclose(
                ours[["ci_low", "ci_high"]].astype(float),
                4.0 * fit.confint().to_numpy()[0],
                rtol=1e-5,
            )
        effects = pd.get_dummies(rows[["unit", "period"]].astype(str), dtype=float).to_numpy()
        left, singular, _ = np.linalg.svd(effects, full_matrices=False)
        design = np.column_stack([rows["treatment_x_post"], left[:, singular > 1e-8 * singular[0]]])
        model = sm.OLS(rows["spend_usd"].to_numpy(), design)
        for method in ("hc1", "hc3"):
            fit = model.fit(cov_type=method.upper())
            assert table.loc[(name, method), "se"] == pytest.approx(4.0 * fit.bse[0], rel=CONVERGED)


def test_the_poisson_ratio_has_the_error_of_fepois(panels: tuple[CampaignPanel, ...]) -> None:
    found = poisson_ratio(
        panels=panels, outcome="spend_usd", window=WINDOW, rules=RULES, level=0.95
    )
    ratios = [one for one in found.estimates if one.label.estimand != "att"]
    levels = [one for one in found.estimates if one.label.estimand == "att"]
    for one, chosen, n_periods in zip(
        ratios, [*([one] for one in panels), panels], [10, 8, 10, 28], strict=True
    ):
        h, n_rows = len(one.influence), len(rows_of(chosen))
        own = h / (h - 1) * np.square(one.influence).sum()
        own *= (n_rows - 1) / (n_rows - 1 - n_periods)
        assert one.se == pytest.approx(np.sqrt(own), rel=1e-4)
    # one campaign: the ratio of ratios of totals, and the outcome that it implies
    first = panels[0].values("spend_usd")
    arm, weeks = panels[0].treatment == 1, panels[0].rel_weeks
    totals = [
        [first[np.ix_(side, chosen)].sum() for chosen in (WINDOW.pre(weeks), WINDOW.effect(weeks))]
        for side in (arm, ~arm)
    ]
    ratio = totals[0][1] / totals[0][0] / (totals[1][1] / totals[1][0])
    assert ratios[0].value == pytest.approx(np.log(ratio), rel=1e-4)
    assert levels[0].value == pytest.approx(totals[0][1] / arm.sum() * (1 - 1 / ratio), rel=1e-4)
    assert found.n_silent == (("1", 0), ("2", 0), ("3", 0))


def test_the_rank_before_the_fit_is_that_of_the_whole_regression(
    panels: tuple[CampaignPanel, ...],
) -> None:
    alone = [panels[0]]
    rank = twfe(panels=alone, outcomes=["spend_usd"], window=WINDOW, rules=RULES, level=0.95).rank
    assert rank.is_full
    assert list(cell_design(alone, WINDOW).columns) == [
        "constant",
        "treatment",
        "post",
        "treatment_x_post",
    ]


def test_the_event_study_is_that_of_pyfixest_and_diff_diff(
    panels: tuple[CampaignPanel, ...],
) -> None:
    studies = event_studies(panels=panels, outcome="spend_usd", window=WINDOW, rules=RULES)
    first = studies[0]
    rows = rows_of([panels[0]])
    fit = pyfixest.feols(
        "spend_usd ~ i(rel_week, mailed, ref=-1) | unit + period",
        rows,
        vcov={"CRV1": "household"},
        ssc=pyfixest.ssc(k_adj=False),
    )
    np.testing.assert_allclose(first.coefficients, fit.coef().to_numpy(), rtol=1e-5)
    np.testing.assert_allclose(first.covariance, fit._vcov, rtol=1e-5, atol=1e-8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = MultiPeriodDiD(cluster="household").fit(
            rows.assign(time=rows["rel_week"]),
            outcome="spend_usd",
            treatment="mailed",
            time="time",
            unit="household",
            post_periods=[0, 1, 2, 3],
            reference_period=-1,
        )
    effects = {week: one.effect for week, one in peer.period_effects.items()}
    np.testing.assert_allclose(
        first.coefficients, [effects[week] for week in first.weeks], rtol=1e-6
    )


def test_the_pooled_event_study_is_a_weighted_regression_of_campaigns_that_cover_it(
    panels: tuple[CampaignPanel, ...],
) -> None:
    pooled = event_studies(panels=panels, outcome="spend_usd", window=WINDOW, rules=RULES)[-1]
    assert pooled.left_out == (("2", "window_not_covered_whole"),)
    fit = pyfixest.feols(
        "spend_usd ~ i(rel_week, mailed, ref=-1) | unit + period",
        rows_of([panels[0], panels[2]]),
        weights="weight",
    )
    np.testing.assert_allclose(pooled.coefficients, fit.coef().to_numpy(), rtol=1e-5)


def test_power_of_the_pre_trend_test_is_that_of_diff_diff(
    panels: tuple[CampaignPanel, ...],
) -> None:
    study = event_studies(panels=panels, outcome="spend_usd", window=WINDOW, rules=RULES)[0]
    test = pre_trend(study=study, scale=4.0, level=0.95, powers=(0.5, 0.8))
    before = study.is_pre
    sigma = study.covariance[np.ix_(before, before)]
    drift = (study.weeks[before] + 1.0).astype(float)
    for one in test.detectable:
        peer = PreTrendsPower(alpha=0.05, power=one.power, pretest_form="wald")
        assert one.slope == pytest.approx(peer._compute_mdv_wald(np.abs(drift), sigma), rel=1e-6)
    found = PreTrendsPower(pretest_form="wald")._compute_power_wald(
        test.slope_of_effect, np.abs(drift), sigma
    )
    assert test.power_at_effect == pytest.approx(found[0], rel=1e-6)
    assert test.n_coefficients == 5
    beta = study.coefficients[before]
    assert test.statistic == pytest.approx(beta @ np.linalg.inv(sigma) @ beta)
    effect = two_by_two(
        panels=panels, outcome="spend_usd", window=WINDOW, rules=RULES, level=0.95
    ).estimates[0]
    assert test.effect == pytest.approx(effect.value)
