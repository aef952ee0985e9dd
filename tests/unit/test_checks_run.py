"""`promo_uplift.checks.run` on facts that anybody can bring."""

import json
import subprocess
import sys

import pytest

from promo_uplift import checks
from promo_uplift.checks.report import WORDS, default_check_parameters
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.results import Interval
from promo_uplift.effects import OverlapSummary, PlaceboEffect

GOOD = OverlapSummary(
    propensity_auc=0.7, overlap_share=0.9, clipped_share=0.01, low=0.1, high=0.9, n_rows=500
)
MOVED = PlaceboEffect(Interval(18.97, 0.4, 37.5), 26.0, 28, 500, 400)


def test_only_checks_with_facts_look_and_the_others_are_named():
    report = checks.run(GOOD)
    assert [result.code for result in report.results] == [
        "PU-OVERLAP",
        "PU-SEPARATION",
        "PU-CLIPPED",
    ]
    assert report.verdict == "publish"
    assert report.not_looked_at["PU-PLACEBO"] == ("PlaceboEffect",)


def test_a_failed_check_decides_and_comes_first_in_the_text():
    report = checks.run(GOOD, MOVED, subject="campaign 8")
    assert report.failed == ("PU-PLACEBO",)
    assert report.verdict == "experiment_needed"
    assert str(report).splitlines()[1].startswith("FAILED  PU-PLACEBO campaign 8: ")
    assert set(report.table["subject"]) == {"campaign 8"}


def test_silence_allows_nothing():
    with pytest.raises(CheckError, match="at least one check look, found none"):
        checks.run()


def test_two_facts_of_one_type_are_refused():
    with pytest.raises(CheckError, match=r"several of \['OverlapSummary'\]"):
        checks.run(GOOD, GOOD)


def test_a_check_that_cannot_do_without_its_fact_is_not_expected_without_it():
    evidence = checks.Evidence(facts=(MOVED,), wording=WORDS)
    with pytest.raises(CheckError, match="must hold a OverlapSummary"):
        checks.run_checks(
            evidence=evidence,
            parameters=default_check_parameters(),
            expected=("PU-OVERLAP",),
        )


def test_the_record_is_plain_json():
    record = json.loads(json.dumps(checks.run(GOOD, MOVED).record(), allow_nan=False))
    assert record["verdict"] == "experiment_needed"
    assert record["failed"] == ["PU-PLACEBO"]
    assert [one["code"] for one in record["findings"]][-1] == "PU-PLACEBO"


def test_the_package_alone_is_enough_to_reach_it():
    asked = "import promo_uplift; print(len(promo_uplift.checks.CHECKS))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert int(done.stdout) == len(checks.CHECKS)
