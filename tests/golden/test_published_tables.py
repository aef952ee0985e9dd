"""Two published tables through the second door: an experiment's effects, and a log to refuse.

Hillstrom (2008), *MineThatData E-Mail Analytics*: 64,000 customers, two mailings and a control, by
lot. Lenta's log has lost rows by what they show: its randomised original gives +.0091.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

import promo_uplift

ROOT = Path(
    os.environ.get("PROMO_UPLIFT_BENCHMARK_ROOT", Path(__file__).parents[3] / "shared" / "data")
)
HILLSTROM = ROOT / "hillstrom" / "hillstrom.csv"
LENTA = ROOT / "lenta_sample" / "ch2_logdata_biased.csv"
#: Difference of means, and its standard error, by arm and outcome.
PUBLISHED = {
    ("Mens E-Mail", "visit"): (0.0766, 0.0034),
    ("Womens E-Mail", "visit"): (0.0452, 0.0032),
    ("Mens E-Mail", "spend"): (0.770, 0.145),
    ("Womens E-Mail", "spend"): (0.424, 0.130),
}
TRUTH_OF_LENTA = 0.0091
#: Effects, bounds and checks of the design need one cheap learner only.
ONE_LEARNER = {"learners": ["t_learner"], "tuning": 0, "unit": "units"}
CHEAP = {
    "nuisance": {"n_folds": 3},
    "metrics": {"bootstrap_replicates": 50},
    "estimation": {"n_workers": 1},
}

pytestmark = pytest.mark.e2e


def read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        pytest.skip(f"needs {path.name}, in the folder that PROMO_UPLIFT_BENCHMARK_ROOT names")
    return pd.read_csv(path)


@pytest.fixture(scope="module", params=["visit", "spend"])
def hillstrom(request):
    outcome = request.param
    table = read(HILLSTROM)
    others = [name for name in ("visit", "conversion", "spend") if name != outcome]
    shares = dict.fromkeys(["Mens E-Mail", "Womens E-Mail", "No E-Mail"], 1 / 3)
    result = promo_uplift.analyse(
        table.drop(columns=others),
        treatment="segment",
        control="No E-Mail",
        outcome=outcome,
        propensity=shares,
        parameters=CHEAP,
        **ONE_LEARNER,
    )
    return outcome, result


@pytest.mark.shared
@pytest.mark.parametrize("arm", ["Mens E-Mail", "Womens E-Mail"])
def test_the_experiments_effects_are_the_published_ones(hillstrom, arm):
    outcome, result = hillstrom
    published, error = PUBLISHED[arm, outcome]
    effects = result[arm].effects.set_index("estimand")
    value = next(name for name in effects if name.startswith("estimate"))
    assert effects.loc["naive_difference", value] == pytest.approx(published, abs=0.0006)
    assert effects.loc["naive_difference", "se"] == pytest.approx(error, rel=0.02)
    assert abs(effects.loc["aipw_ate", value] - published) < error
    assert effects.loc["aipw_ate", "se"] <= error * 1.01
    outcomes = result[arm].checks.set_index("code")["outcome"]
    assert outcomes["PU-LOTTERY"] == "passed"
    assert result[arm].verdict.name in ("publish", "experiment_needed")


@pytest.mark.shared
def test_columns_from_after_the_mailing_are_found_out():
    table = read(HILLSTROM)
    result = promo_uplift.analyse(
        table[table["segment"] != "Mens E-Mail"],
        treatment="segment",
        control="No E-Mail",
        outcome="spend",
        propensity=0.5,
        parameters=CHEAP,
        **ONE_LEARNER,
    )
    assert result.verdict.name == "refuse"
    assert "`visit`" in str(result)


@pytest.mark.shared
@pytest.mark.parametrize("propensity", [None, 0.754])
def test_the_biased_log_is_not_believed_and_the_bounds_hold_the_truth(propensity):
    result = promo_uplift.analyse(
        read(LENTA),
        treatment="is_treatment",
        outcome="response_att",
        propensity=propensity,
        parameters=CHEAP,
        **ONE_LEARNER,
    )
    assert result.verdict.name in ("refuse", "bounds_only")
    expected = "PU-CLIPPED" if propensity is None else "PU-LOTTERY"
    assert expected in result.verdict.reasons
    low, high = bounds_of(result)
    assert low <= TRUTH_OF_LENTA <= high
    assert high - low == pytest.approx(1.0, abs=1e-9)


def bounds_of(result):
    """Manski's bounds by hand: no outcome of the other arm is known but that it is 0 or 1."""
    data = result.trial.data
    treated = data.treatment == 1
    share, yes, no = treated.mean(), data.outcome[treated].mean(), data.outcome[~treated].mean()
    low = share * yes - (1 - share) * no - share
    high = share * yes + (1 - share) - (1 - share) * no
    words = result.parameters.wording
    assert f"without any assumption {words.number(low)} to {words.number(high)}" in " ".join(
        result.verdict.figures[0].split()
    )
    return low, high
