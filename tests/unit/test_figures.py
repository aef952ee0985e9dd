"""Figures render, carry units, assumptions and legends, and leave no state behind."""

import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.parameters import PolicyParameters, WordingParameters
from promo_uplift.contracts.results import Interval
from promo_uplift.policy import PolicyEvaluation, PolicyValue
from promo_uplift.reporting import (
    calibration_figure,
    effects_figure,
    overlap_figure,
    profit_figure,
    reliability_figure,
    uplift_figure,
)

PNG = b"\x89PNG"
SHARES = np.linspace(0, 1, 11)
MONEY = PolicyParameters(
    margin_rate=0.25,
    contact_cost_usd=0.75,
    redemption_cost_usd=1.0,
    values_are_assumptions=True,
    grid_points=11,
    support_quantile=0.0,
)
WORDING = WordingParameters(
    unit="USD",
    decimals=2,
    treatment="mailing",
    treated="mailed",
    subject="household",
    subjects="households",
    horizon="in 28 days",
)
VISITS = WORDING.model_copy(
    update={"unit": "visits", "decimals": None, "subject": "row", "subjects": "rows", "horizon": ""}
)
ZERO = Interval(0.0, 0.0, 0.0)
EVALUATION = PolicyEvaluation(
    champion="causal_forest",
    roi_optimal_share=Interval(0.3, 0.1, 0.7),
    roi_at_share=ZERO,
    max_ratio_share=0.1,
    max_ratio=1.0,
    chosen=PolicyValue(ZERO, Interval(0.21, -0.4, 0.6), ZERO, ZERO, ZERO, ZERO),
    optimistic_profit_usd=ZERO,
    winners_curse_usd=ZERO,
    break_even_usd=ZERO,
    learner_by_fold=(),
    share_by_fold=(),
    baselines={},
    level=0.95,
    replicates=10,
)


def rendered(figure):
    """Every text on the figure, after it was drawn."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    assert buffer.getvalue()[:4] == PNG
    texts = [
        text.get_text()
        for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))
        if text.get_visible()
    ]
    return " | ".join(" ".join(text.split()) for text in texts)


def long_table(names, column, value):
    return pd.concat(
        [
            pd.DataFrame(
                {
                    column: name,
                    "share": SHARES,
                    value: SHARES * (3 - i),
                    "low": SHARES * (3 - i) - 1,
                    "high": SHARES * (3 - i) + 1,
                }
            )
            for i, name in enumerate(names)
        ],
        ignore_index=True,
    )


@pytest.mark.parametrize("champion", ["causal_forest", "constant"])
def test_uplift_curves_name_the_champion_and_the_unit(champion):
    shown = "dr_learner" if champion == "constant" else champion
    names = list(dict.fromkeys([champion, shown, "response", "constant", "random"]))
    curves = long_table(names, "learner", "gain_usd").rename(
        columns={"low": "ci_low", "high": "ci_high"}
    )
    figure = uplift_figure(
        curves=curves, champion=champion, shown=shown, level=0.95, wording=WORDING
    )
    text = rendered(figure)
    assert f"{champion} (champion)" in text
    assert ("dr_learner (lowest loss, not clearly)" in text) is (champion == "constant")
    assert "28 days, USD per household" in text
    assert "random order" in text
    assert len(figure.axes[0].lines) == len(names) + 1


def test_the_profit_curve_states_share_interval_break_even_and_assumptions():
    curve = (
        long_table(["champion", "response", "random"], "policy", "profit_usd_per_household")
        .rename(
            columns={
                "low": "profit_usd_per_household_ci_low",
                "high": "profit_usd_per_household_ci_high",
            }
        )
        .assign(learner=lambda table: table["policy"])
    )
    text = rendered(
        profit_figure(curve=curve, evaluation=EVALUATION, parameters=MONEY, wording=WORDING)
    )
    for part in (
        "best share 30% (10% to 70%)",
        "break-even",
        "ASSUMED, not in the data",
        "margin 25%, contact 0.75 USD",
        "effect of 3.00 USD",
        "+0.21 USD (-0.40 to +0.60)",
    ):
        assert part in text


def test_without_a_stated_cost_the_curve_shows_the_outcome_and_no_money():
    curve = (
        long_table(["champion", "response", "random"], "policy", "gain_per_household")
        .rename(columns={"low": "gain_per_household_ci_low", "high": "gain_per_household_ci_high"})
        .assign(learner=lambda table: table["policy"])
    )
    free = MONEY.model_copy(
        update={
            "are_stated": False,
            "margin_rate": 1.0,
            "contact_cost_usd": 0.0,
            "redemption_cost_usd": 0.0,
        }
    )
    text = rendered(
        profit_figure(curve=curve, evaluation=EVALUATION, parameters=free, wording=VISITS)
    )
    assert "Gain, visits per row of the base" in text
    assert "No cost was stated" in text
    assert "+0.21 visits (-0.4 to +0.6)" in text
    for part in ("USD", "profit and no", "margin", "break-even"):
        assert part not in text


def test_the_overlap_is_drawn_by_arm_with_its_share():
    rng = np.random.default_rng(0)
    propensity = rng.uniform(0, 1, 1_000)
    treatment = rng.binomial(1, propensity)
    figure = overlap_figure(
        raw_propensity=propensity,
        treatment=treatment,
        overlap_low=0.1,
        overlap_high=0.9,
        bins=20,
        wording=WORDING,
    )
    text = rendered(figure)
    assert f"mailed ({treatment.sum():,})" in text
    inside = ((propensity >= 0.1) & (propensity <= 0.9)).mean()
    assert f"{inside:.0%} could" in text
    heights = [patch.get_height() for patch in figure.axes[0].patches]
    assert sum(np.abs(heights)) == 1_000


def test_reliability_shows_propensities_before_and_after():
    bins = pd.DataFrame({"predicted": [0.2, 0.8], "observed": [0.1, 0.9]})
    bins = bins.assign(ci_low=bins["observed"] - 0.05, ci_high=bins["observed"] + 0.05)
    stages = [
        bins.assign(stage=stage, ece=ece, p_value=p_value, chosen="beta (3 of 3 folds)", why="so")
        for stage, ece, p_value in (("before", 0.1, 1e-9), ("after", 0.012, 0.4))
    ]
    figure = reliability_figure(
        reliability=pd.concat(stages, ignore_index=True), level=0.9, wording=WORDING
    )
    text = rendered(figure)
    assert "as the model gives them (mean gap 0.100, p < 0.001)" in text
    assert "calibrated (mean gap 0.012, p 0.4)" in text
    assert "90% intervals clustered by household. Calibration: beta (3 of 3 folds)" in text
    first, second = (container.lines[0] for container in figure.axes[0].containers)
    assert list(first.get_xdata()) == list(second.get_xdata()) == [0.2, 0.8]
    assert list(first.get_ydata()) == [0.1, 0.9]


def test_calibration_shows_what_was_predicted_beside_what_was_found():
    groups = pd.DataFrame(
        {
            "group": [1, 2, 3, 4, 5],
            "predicted_usd": [1.0, 2, 3, 4, 5],
            "effect_usd": [0.5, 2, 2, 5, 6],
        }
    ).assign(
        ci_low=lambda t: t["effect_usd"] - 1,
        ci_high=lambda t: t["effect_usd"] + 1,
        band_low=lambda t: t["effect_usd"] - 2,
        band_high=lambda t: t["effect_usd"] + 2,
    )
    text = rendered(
        calibration_figure(
            cate=np.random.default_rng(0).normal(3, 1, 200),
            groups=groups,
            learner="dr_learner",
            champion="constant",
            slope="0.9 (0.2 to 1.6)",
            bins=20,
            wording=WORDING,
        )
    )
    assert "clustered by household." in text
    assert "0.9 (0.2 to 1.6)" in text
    assert "The champion is `constant`, not dr_learner." in text
    assert "USD per household" in text


@pytest.mark.parametrize("campaigns", [["8", "13", "pooled"], [*map(str, range(27)), "pooled"]])
def test_effects_are_drawn_for_few_and_for_many_campaigns(campaigns):
    effects = pd.DataFrame(
        [
            {
                "estimand": estimand,
                "campaign": campaign,
                "estimate_usd": 5.0,
                "ci_low": -1.0,
                "ci_high": 11.0,
            }
            for campaign in campaigns
            for estimand in ("naive_difference", "aipw_ate", "ato")
        ]
    )
    effects.loc[0, ["estimate_usd", "ci_low", "ci_high"]] = np.nan
    text = rendered(effects_figure(effects=effects, level=0.95, wording=WORDING))
    assert "Naive difference (confounded)" in text
    assert "all campaigns" in text
    assert ("campaign 13" in text) == (len(campaigns) == 3)


def test_importing_the_figures_starts_no_plotting_state():
    code = "import sys, promo_uplift.reporting; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
