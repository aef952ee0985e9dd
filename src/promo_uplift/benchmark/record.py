"""What the tracking store keeps of a benchmark: headlines, and one nested run per learner."""

from __future__ import annotations

import pandas as pd

from promo_uplift.benchmark.judge import CHAMPION, RUN
from promo_uplift.learners.registry import LEARNERS
from promo_uplift.reporting.run_record import LearnerRecord, RunRecord

#: Column of the summary that stands for a figure in the store.
LOGGED = {
    "effect_usd": "coverage",
    "profit_usd": "coverage",
    "finds_heterogeneity": "mean",
    "ranking_passes": "mean",
    "targeting_pays": "mean",
    "pehe_usd": "mean",
    "pehe_over_constant": "mean",
    "qini_normalised": "mean",
    "policy_regret_usd": "mean",
    "pointwise_coverage": "mean",
    "mde_usd": "mean",
    "overlap_share": "mean",
}


def benchmark_record(*, summary: pd.DataFrame) -> RunRecord:
    """Metrics ``<figure>/<subject>/<world>/<households>`` of the run, and by learner without it."""
    rows = summary[summary["figure"].isin(LOGGED)]
    learners: dict[str, dict[str, float]] = {}
    metrics: dict[str, float] = {}
    for row in rows.to_dict("records"):
        figure, subject = str(row["figure"]), str(row["subject"])
        column = LOGGED[figure]
        name = f"coverage_of_{figure}" if column == "coverage" else figure
        cell = f"{row['world']}/{row['n_households']}"
        if subject in LEARNERS:
            learners.setdefault(subject, {})[f"{name}/{cell}"] = float(row[column])
        else:
            metrics[f"{name}/{subject}/{cell}"] = float(row[column])
    return RunRecord(
        metrics=metrics,
        tags={"subjects": f"{CHAMPION}, {RUN}, estimands"},
        learners=tuple(
            LearnerRecord(learner=name, metrics=found, parameters={}, trials=pd.DataFrame())
            for name, found in learners.items()
        ),
        inputs={},
    )
