"""Writes a run's record to the active MLflow run: metrics, tags, inputs, nested runs."""

from __future__ import annotations

import math
import time
import warnings
from typing import Any, NoReturn

import mlflow
import pandas as pd
from kedro.io import AbstractDataset, DatasetError
from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from promo_uplift.reporting.run_record import LearnerRecord, RunRecord

#: Columns of a tuning table that are not hyperparameters.
TRIAL_COLUMNS = ("fold", "number", "state", "loss", "seconds", "stopped_by", "study")


class MlflowRunDataset(AbstractDataset[RunRecord, NoReturn]):
    """Terminal output: logs to the run that kedro-mlflow opened, or to nothing without one.

    kedro-mlflow's own datasets write a metric or an artifact each; a run with nested runs per
    learner and per trial is one record here.

    Parameters
    ----------
    metadata : dict, optional
        For Kedro-Viz.
    """

    def __init__(self, *, metadata: dict[str, Any] | None = None) -> None:
        self.metadata = metadata

    def save(self, data: RunRecord) -> None:
        """Log everything in the record."""
        if mlflow.active_run() is not None:
            log_run(data)

    def load(self) -> NoReturn:
        """Refuse: a run is read back from the tracking store."""
        raise DatasetError("An MLflow run cannot be loaded through the catalog; query the store.")

    def _describe(self) -> dict[str, Any]:
        return {"tracking_uri": mlflow.get_tracking_uri()}


def log_run(record: RunRecord) -> None:
    """Log a record to the active run: metrics, tags, inputs, and a nested run for each learner."""
    run = mlflow.active_run()
    if run is None:
        raise DatasetError("An MLflow run must be active to log a record to it; there is none.")
    client = MlflowClient()
    mlflow.log_metrics(_finite(record.metrics))
    mlflow.set_tags(record.tags)
    with warnings.catch_warnings():
        # a hint for models: ids in a logged table are integers and never missing
        warnings.filterwarnings("ignore", message=".*Inferred schema contains integer column")
        for name, frame in record.inputs.items():
            mlflow.log_input(mlflow.data.from_pandas(frame, name=name), context="training")
    for learner in record.learners:
        _log_learner(client, run.info.experiment_id, run.info.run_id, learner)


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    """Leave out what is undefined (a calibration slope of a constant): absent, not zero."""
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def _log_learner(
    client: MlflowClient, experiment_id: str, parent_id: str, record: LearnerRecord
) -> None:
    run_id = _start(client, experiment_id, parent_id, record.learner)
    _log(client, run_id, metrics=record.metrics, params=record.parameters)
    for trial in record.trials.to_dict("records"):
        name = f"{record.learner}-fold{trial['fold']}-trial{trial['number']}"
        trial_id = _start(client, experiment_id, run_id, name)
        params = {
            str(key): value
            for key, value in trial.items()
            if key not in TRIAL_COLUMNS and not pd.isna(value)
        }
        metrics = {str(key): float(trial[key]) for key in ("loss", "seconds")}
        _log(
            client,
            trial_id,
            metrics=metrics,
            params={"fold": trial["fold"], **params},
            tags={"trial_state": str(trial["state"])},
        )
        client.set_terminated(trial_id)
    client.set_terminated(run_id)


def _start(client: MlflowClient, experiment_id: str, parent_id: str, name: str) -> str:
    tags = {MLFLOW_PARENT_RUN_ID: parent_id, MLFLOW_RUN_NAME: name}
    return str(client.create_run(experiment_id, tags=tags, run_name=name).info.run_id)


def _log(
    client: MlflowClient,
    run_id: str,
    *,
    metrics: dict[str, float],
    params: dict[str, Any],
    tags: dict[str, str] | None = None,
) -> None:
    now = int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[Metric(name, value, now, 0) for name, value in _finite(metrics).items()],
        params=[Param(name, str(value)) for name, value in params.items()],
        tags=[RunTag(name, value) for name, value in (tags or {}).items()],
    )
