"""`--env original` on the publisher's own files, where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from command_line import REPOSITORY, Finished, kedro, new_project

BESIDE = REPOSITORY.parent / "shared" / "data" / "dunnhumby_original"
ORIGINAL = Path(os.environ.get("PROMO_UPLIFT_ORIGINAL", BESIDE))

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.shared,
    pytest.mark.skipif(
        not ORIGINAL.is_dir(),
        reason="the publisher's files are not here: name their folder in PROMO_UPLIFT_ORIGINAL",
    ),
]

#: The sizes of `conf/test`: a run has one environment, so they come as parameters here.
SIZES = ",".join(
    [
        "source.household_sample=700",
        "nuisance.n_folds=3",
        "nuisance.n_trials=0",
        "tuning.n_trials=1",
        "tuning.n_startup_trials=1",
        "estimation.n_workers=1",
        "estimation.interval_replicates=2",
        "estimation.learners.causal_forest.defaults.n_estimators=40",
        "estimation.learners.causal_forest.defaults.tuning_n_estimators=8",
        "metrics.bootstrap_replicates=60",
    ]
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The whole way on the files, linked into the raw layer."""
    folder = new_project(tmp_path_factory.mktemp("original") / "promo_uplift")
    for file in ORIGINAL.iterdir():
        if file.suffix in {".csv", ".parquet"}:
            (folder / "data/01_raw" / file.name).symlink_to(file)
    return kedro(folder, "run", "--env", "original", "--pipelines", "uplift", "--params", SIZES)


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
