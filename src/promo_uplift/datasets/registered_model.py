"""The MLflow registry: logs and registers the scoring model, moves aliases, loads the champion."""

from __future__ import annotations

import logging
import pickle
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import mlflow
from kedro.io import AbstractDataset, DatasetError
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, infer_signature
from mlflow.tracking import MlflowClient
from mlflow.types import ColSpec, Schema
from pandas.api.types import is_numeric_dtype

import promo_uplift
from promo_uplift.datasets import scoring_pyfunc
from promo_uplift.datasets.scoring_pyfunc import ARTIFACT, MISSING_AS_NULL
from promo_uplift.policy import RegistryEntry, ScoringModel

logger = logging.getLogger(__name__)

CHALLENGER = "challenger"
CHAMPION = "champion"
#: Where Python itself and installed packages lie.
INSTALLED = ("stdlib", "platstdlib", "purelib", "platlib")
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


def signature_of(entry: RegistryEntry) -> ModelSignature:
    """Columns that a table of households must hold, whatever is missing in them, and the scores.

    MLflow infers from a missing value in the example that the whole column may be absent; then a
    server answers its absence without its name, and a Spark function cannot find its columns.
    """
    signature = infer_signature(
        entry.example, entry.model.score(entry.example), params={MISSING_AS_NULL: False}
    )
    signature.inputs = Schema(
        [
            ColSpec("double" if is_numeric_dtype(values) else "string", str(name))
            for name, values in entry.example.items()
        ]
    )
    return signature


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


class _ClassesOf(pickle.Pickler):
    """Collects the modules of the classes that a pickle refers to."""

    def __init__(self) -> None:
        super().__init__(BytesIO())
        self.modules: set[str] = set()

    def persistent_id(self, obj: Any) -> None:
        """Note a class; nothing is stored apart."""
        if isinstance(obj, type):
            self.modules.add(obj.__module__)


def own_code(model: object) -> list[str]:
    """Paths of the packages that hold a learner of the user's own, to be put beside the model.

    Neither this package nor what is installed: that must be installed where the model is loaded.
    """
    pickler = _ClassesOf()
    pickler.dump(model)
    tops = {name.partition(".")[0] for name in pickler.modules} - {promo_uplift.__name__}
    installed = [Path(sysconfig.get_path(name)).resolve() for name in INSTALLED]
    found = []
    for top in sorted(tops - set(sys.builtin_module_names)):
        module = sys.modules[top]
        folders = list(getattr(module, "__path__", []))
        path = Path(folders[0] if folders else str(module.__file__)).resolve()
        if not any(path.is_relative_to(folder) for folder in installed):
            found.append(str(path))
    return found


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
                signature=signature_of(data),
                input_example=data.example,
                code_paths=[str(Path(promo_uplift.__file__).parent), *own_code(data.model)],
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
