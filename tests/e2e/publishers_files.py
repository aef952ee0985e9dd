"""Where the publisher's own files may lie, and the sizes of a test run on them."""

from __future__ import annotations

import os
from pathlib import Path

from command_line import REPOSITORY

BESIDE = REPOSITORY.parent / "shared" / "data" / "dunnhumby_original"
ORIGINAL = Path(os.environ.get("PROMO_UPLIFT_ORIGINAL", BESIDE))

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
