"""`--env original` on the publisher's own files, where they are at hand."""

from __future__ import annotations

import pandas as pd
import pytest
from command_line import Finished
from publishers_files import ORIGINAL

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.shared,
    pytest.mark.skipif(
        not ORIGINAL.is_dir(),
        reason="the publisher's files are not here: name their folder in PROMO_UPLIFT_ORIGINAL",
    ),
]


def test_the_run_reaches_a_verdict(original: Finished) -> None:
    assert original.code == 0, original.err
    assert original.out.startswith("VERDICT ")


def test_the_files_are_recognised_by_their_digests(original: Finished) -> None:
    report = pd.read_csv(original.folder / "data/08_reporting/source_report.csv").set_index("table")
    small = ["products", "demographics", "campaigns", "campaign_targets", "coupons", "redemptions"]
    assert report.loc[small, "sha256_matches"].eq(True).all()
    assert report.loc[small, "rows_match"].eq(True).all()
    assert report.loc["promotions", "note"] == "optional and absent"
    version = (original.folder / "data/03_primary/data_version.txt").read_text()
    assert version.startswith("original-")


def test_the_trials_are_those_of_the_same_campaigns(original: Finished) -> None:
    trials = pd.read_parquet(original.folder / "data/05_model_input/trials.parquet")
    assert {8, 13, 18} <= set(trials["campaign_id"])
    assert trials.groupby("campaign_id")["treatment"].nunique().eq(2).all()
    assert trials["household_id"].nunique() > 600
