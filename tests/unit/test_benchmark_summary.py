"""Counting of coverage and rates, against another library and by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from promo_uplift.benchmark.judge import COLUMNS
from promo_uplift.benchmark.summary import (
    mean_interval,
    summarise,
    summarise_seconds,
    wilson_interval,
)
from promo_uplift.contracts.errors import MetricError


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (7, 10), (190, 200), (200, 200)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_interval_is_that_of_statsmodels(successes, trials, level):
    found = wilson_interval(successes=successes, trials=trials, level=level)
    low, high = proportion_confint(successes, trials, alpha=1.0 - level, method="wilson")
    assert found.estimate == successes / trials
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), abs=1e-12)


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (3, 2), (-1, 2)])
def test_counts_that_are_none_are_refused(successes, trials):
    with pytest.raises(MetricError, match="`successes` must lie between 0 and `trials`"):
        wilson_interval(successes=successes, trials=trials, level=0.95)


def test_mean_interval_is_students():
    values = pd.Series([1.0, 4.0, 2.0, 7.0])
    found = mean_interval(values=values, level=0.9)
    low, high = stats.t.interval(0.9, 3, loc=values.mean(), scale=stats.sem(values))
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high))


def rows(figure, values, truth=1.0, half=None, covered=None):
    table = pd.DataFrame(
        {
            "world": "w",
            "n_households": 100,
            "depth": "full",
            "replication": range(len(values)),
            "subject": "s",
            "figure": figure,
            "value": values,
            "truth": truth,
            "ci_low": np.nan if half is None else np.asarray(values) - half,
            "ci_high": np.nan if half is None else np.asarray(values) + half,
            "covered": pd.array([pd.NA] * len(values) if covered is None else covered, "boolean"),
        }
    )
    return table[list(COLUMNS)]


def test_bias_coverage_and_width_are_counted_over_replications():
    table = rows("effect_usd", [0.0, 1.5, 3.0, 1.5], half=1.2, covered=[True, True, False, True])
    (cell,) = summarise(results=table, level=0.95).to_dict("records")
    assert cell["replications"] == cell["intervals"] == 4
    assert cell["mean"] == pytest.approx(1.5)
    assert cell["bias"] == pytest.approx(0.5)
    assert cell["rmse"] == pytest.approx(np.sqrt((1.0 + 0.25 + 4.0 + 0.25) / 4))
    assert cell["coverage"] == 0.75
    assert cell["width"] == pytest.approx(2.4)
    low, high = proportion_confint(3, 4, method="wilson")
    assert (cell["coverage_ci_low"], cell["coverage_ci_high"]) == pytest.approx((low, high))


def test_an_undefined_figure_does_not_count_as_a_replication():
    table = rows("calibration_slope", [np.nan, 2.0, 4.0], half=1.0, covered=[None, True, False])
    (cell,) = summarise(results=table, level=0.95).to_dict("records")
    assert (cell["replications"], cell["intervals"], cell["mean"]) == (2, 2, 3.0)


def test_rates_of_claims_have_wilson_intervals_and_means_have_students():
    claims = summarise(results=rows("ranking_passes", [1.0] * 20), level=0.95).iloc[0]
    assert claims["mean_ci_low"] == pytest.approx(proportion_confint(20, 20, method="wilson")[0])
    means = summarise(results=rows("pehe_usd", [1.0] * 20), level=0.95).iloc[0]
    assert means["mean_ci_low"] == 1.0


def test_seconds_are_apart_so_that_the_summary_depends_on_no_clock():
    table = pd.concat([rows("seconds", [1.0, 3.0]), rows("pehe_usd", [2.0])])
    assert summarise(results=table, level=0.95)["figure"].tolist() == ["pehe_usd"]
    (cell,) = summarise_seconds(results=table).to_dict("records")
    assert (cell["replications"], cell["seconds"], cell["total_seconds"]) == (2, 2.0, 4.0)
