"""Figures of who responds and why: long names, intervals, and the warning in sight."""

import io

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.columns import COVARIATES
from promo_uplift.contracts.parameters import WordingParameters
from promo_uplift.explanation import LABELS, Contributions, EffectRules, Explanation, label
from promo_uplift.reporting import affected_figure, drivers_figure, rules_figure, toc_figure

WORDING = WordingParameters(
    unit="USD",
    decimals=2,
    treatment="mailing",
    treated="mailed",
    subject="household",
    subjects="households",
    horizon="in 28 days",
)
WARNING = "The test finds no heterogeneity (p = 0.41): what follows explains the model."
NAMES = ["pre_basket_spend_std", "a_column_of_the_user_with_a_very_long_name", "demo_missing"]


def found(warning):
    drivers = pd.DataFrame(
        {
            "covariate": NAMES,
            "mean_abs_usd": [3.0, 1.0, 0.0],
            "fold_low_usd": [2.0, 0.5, 0.0],
            "fold_high_usd": [4.0, 1.5, 0.0],
            "below_mean_usd": [-3.0, np.nan, 0.0],
            "above_mean_usd": [3.0, np.nan, 0.0],
            "n": 200,
        }
    )
    rules = pd.DataFrame(
        {
            "rule": ["Households with visits above 12", "Households with visits at most 12"],
            "effect_usd": [5.0, np.nan],
            "ci_low": [1.0, np.nan],
            "ci_high": [9.0, np.nan],
            "band_low": [0.0, np.nan],
            "band_high": [10.0, np.nan],
            "predicted_usd": [4.0, -1.0],
            "share": [0.9, 0.1],
            "n_valued": [90, 0],
        }
    )
    empty = np.zeros(0, dtype=np.int64)
    return Explanation(
        learner="x_learner",
        contributions=Contributions(np.zeros((0, 3)), empty, empty, "exact"),
        drivers=drivers,
        rules=EffectRules(rules, "pre_visits", 0.4),
        warning=warning,
        text="",
    )


def clan():
    return pd.DataFrame(
        {
            "covariate": NAMES,
            "most_affected": [30.0, 1.0, np.nan],
            "least_affected": [10.0, 1.0, 0.0],
            "difference": [20.0, 0.0, np.nan],
            "ci_low": [15.0, -1.0, np.nan],
            "ci_high": [25.0, 1.0, np.nan],
            "band_low": [10.0, -2.0, np.nan],
            "band_high": [30.0, 2.0, np.nan],
            "standardised_difference": [2.0, 0.0, np.nan],
        }
    )


def drawn(kind, warning):
    if kind == "drivers":
        return drivers_figure(found=found(warning), shown=12, wording=WORDING)
    if kind == "rules":
        return rules_figure(found=found(warning), level=0.95, wording=WORDING)
    return affected_figure(
        clan=clan(),
        learner="x_learner",
        warning=warning,
        shown=12,
        n_groups=5,
        level=0.95,
        wording=WORDING,
    )


@pytest.mark.parametrize("kind", ["drivers", "rules", "affected"])
def test_the_warning_is_the_first_thing_on_the_figure(kind):
    figure = drawn(kind, WARNING)
    assert " ".join(figure.get_suptitle().split()) == f"WARNING {WARNING}"
    assert drawn(kind, None).get_suptitle() == ""
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=50)
    assert image.getvalue().startswith(b"\x89PNG")


def test_drivers_that_move_nothing_are_left_out_and_names_are_wrapped():
    left, right = drawn("drivers", None).axes
    names = [text.get_text().replace("\n", " ") for text in left.get_yticklabels()]
    assert names[0] == "spread of spend per basket in USD"
    assert len(names) == 2
    assert all(
        len(line) <= 44 for name in left.get_yticklabels() for line in name.get_text().split("\n")
    )
    assert "USD per household" in left.get_xlabel()
    assert "USD per household" in right.get_xlabel()


def test_a_rule_without_rows_to_value_it_has_no_bar_and_the_others_have_theirs():
    (axis,) = drawn("rules", None).axes
    assert [text.get_text() for text in axis.get_yticklabels()] == [
        "visits above 12 (90%)",
        "visits at most 12 (10%)",
    ]
    assert axis.get_xlabel() == "Effect of a mailing, USD per household in 28 days"


def test_differences_are_in_standard_deviations_with_the_means_beside_them():
    (axis,) = drawn("affected", None).axes
    assert [text.get_text() for text in axis.texts] == ["30 against 10", "1 against 1"]
    band = axis.collections[0].get_segments()[0]
    np.testing.assert_allclose(band[:, 0], [1.0, 3.0])


def test_the_toc_has_both_bands_of_the_champion_and_the_baselines():
    shares = np.linspace(0.1, 1.0, 5)
    toc = pd.concat(
        [
            pd.DataFrame({"learner": name, "share": shares, "toc_usd": 1.0 - shares}).assign(
                ci_low=-1.0, ci_high=1.0, band_low=-2.0, band_high=2.0
            )
            for name in ("x_learner", "response", "random")
        ]
    )
    (axis,) = toc_figure(toc=toc, learner="x_learner", level=0.95, wording=WORDING).axes
    assert len(axis.collections) == 2
    assert axis.get_legend_handles_labels()[1][0] == "x_learner"
    assert "USD per household mailed" in axis.get_ylabel()


def test_every_retail_covariate_has_words_and_no_two_the_same():
    assert set(LABELS) == set(COVARIATES)
    assert len(set(LABELS.values())) == len(LABELS)
    assert label("income") == "income"
