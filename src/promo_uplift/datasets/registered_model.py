"""The MLflow registry: logs and registers the scoring model, moves aliases, loads the champion."""

from __future__ import annotations

import logging
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import mlflow
from kedro.io import AbstractDataset, DatasetError
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from mlflow.tracking import MlflowClient

import promo_uplift
from promo_uplift.datasets import scoring_pyfunc
from promo_uplift.datasets.scoring_pyfunc import ARTIFACT
from promo_uplift.policy import RegistryEntry, ScoringModel

logger = logging.getLogger(__name__)

CHALLENGER = "challenger"
CHAMPION = "champion"
#: What the pickled model needs to predict; pinned to the versions that trained it.
REQUIREMENTS = (
    "cloudpickle",
    "econml",
    "lightgbm",
    "ibis-framework",
    "joblib",
    "matplotlib",
    "mlflow",
    "numpy",
    "pandas",
    "pydantic",
    "scikit-learn",
    "scipy",
)


@contextmanager
def import_path_kept() -> Iterator[None]:
    """Undo what MLflow puts in front of the import path: the copy of the code inside a model.

    Left there, a worker process that starts later would import this package as it was when the
    model was logged.
    """
    path = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = path


class RegisteredModelDataset(AbstractDataset[RegistryEntry, NoReturn]):
    """Terminal output: registers the model as ``challenger`` always, ``champion`` by the gate.

    Parameters
    ----------
    name : str
        Registered model's name.
    metadata : dict, optional
        For Kedro-Viz.
    """

    def __init__(self, *, name: str, metadata: dict[str, Any] | None = None) -> None:
        self._name = name
        self.metadata = metadata

    def save(self, data: RegistryEntry) -> None:
        """Log the model to the active run, register it, set the aliases."""
        if mlflow.active_run() is None:
            return
        with import_path_kept(), TemporaryDirectory() as folder:
            pickled = Path(folder) / f"{ARTIFACT}.pkl"
            pickled.write_bytes(pickle.dumps(data.model))
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=scoring_pyfunc.__file__,
                artifacts={ARTIFACT: str(pickled)},
                signature=infer_signature(data.example, data.model.score(data.example)),
                input_example=data.example,
                code_paths=[str(Path(promo_uplift.__file__).parent)],
                pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
                registered_model_name=self._name,
            )
        client = MlflowClient()
        number = str(logged.registered_model_version)
        client.set_registered_model_alias(self._name, CHALLENGER, number)
        client.set_model_version_tag(self._name, number, "gate", data.gate.reason)
        if data.gate.promote:
            client.set_registered_model_alias(self._name, CHAMPION, number)
        logger.info(
            "Registered %s version %s as challenger%s. %s",
            self._name,
            number,
            " and champion" if data.gate.promote else "",
            data.gate.reason,
        )

    def load(self) -> NoReturn:
        """Refuse: a registered model is loaded by its alias."""
        raise DatasetError(f"Load the model with mlflow: models:/{self._name}@{CHALLENGER}.")

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name}


class StandingChampionDataset(AbstractDataset[NoReturn, ScoringModel | None]):
    """Loads the model behind the alias ``champion``, or None where none stands.

    Parameters
    ----------
    name : str
        Registered model's name.
    metadata : dict, optional
        For Kedro-Viz.
    """

    def __init__(self, *, name: str, metadata: dict[str, Any] | None = None) -> None:
        self._name = name
        self.metadata = metadata

    def load(self) -> ScoringModel | None:
        """Return the standing champion's scoring model, or None."""
        try:
            MlflowClient().get_model_version_by_alias(self._name, CHAMPION)
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise
        with import_path_kept():
            wrapped = mlflow.pyfunc.load_model(f"models:/{self._name}@{CHAMPION}")
            model: ScoringModel = wrapped.unwrap_python_model().model
        return model

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse: the alias moves only through the gate."""
        raise DatasetError("The champion changes only through the gate of a run.")

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name}
