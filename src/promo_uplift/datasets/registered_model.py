"""The MLflow registry: registers the scoring model, moves aliases, loads what they stand for."""

from __future__ import annotations

import logging
import pickle
import platform
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
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
from promo_uplift.contracts.errors import PromoUpliftError, ScoringError
from promo_uplift.datasets import scoring_pyfunc
from promo_uplift.datasets.scoring_pyfunc import ARTIFACT, MISSING_AS_NULL
from promo_uplift.policy import (
    CHALLENGER,
    CHAMPION,
    LoadedModel,
    RegisteredVersion,
    RegistryEntry,
    ScoringModel,
    fill_absent_fields,
    package_differences,
)
from promo_uplift.provenance import DISTRIBUTION, without_password

logger = logging.getLogger(__name__)

#: Entries of the model's metadata.
MADE_WITH = "made_with"
DATA_CONTRACT = "data_contract"
#: Codes of the registry for a model, an alias or a version that is not there.
NOT_THERE = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
#: What a model of other code or packages raises when it is loaded or asked, or one without files.
UNUSABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MlflowException,
    OSError,
    PromoUpliftError,
    TypeError,
    ValueError,
    pickle.PickleError,
)
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
    "numba",
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


def running_versions() -> dict[str, str]:
    """Python (to its minor version) and the packages that a model's figures rest on."""
    major, minor, _ = platform.python_version_tuple()
    found = {"python": f"{major}.{minor}"}
    for name in (*REQUIREMENTS, DISTRIBUTION):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # the sources alone, on the import path
            continue
    return found


def model_metadata(model: ScoringModel) -> dict[str, Any]:
    """Return what can be read of a registered model without loading it: contract and versions."""
    contract = None if model.contract is None else asdict(model.contract)
    return {DATA_CONTRACT: contract, MADE_WITH: running_versions()}


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
                metadata=model_metadata(data.model),
            )
        client = MlflowClient()
        number = str(logged.registered_model_version)
        client.set_registered_model_alias(self._name, CHALLENGER, number)
        tags = {
            "gate": data.gate.reason,
            "passed_gate": str(data.gate.promote),
            "verdict": data.model.verdict_name,
            "decides": data.model.policy,
        }
        for key, value in tags.items():
            client.set_model_version_tag(self._name, number, key, value)
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


class StandingChampionDataset(AbstractDataset[NoReturn, RegisteredVersion | None]):
    """Looks up the version behind the alias ``champion``, or None where none stands.

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

    def load(self) -> RegisteredVersion | None:
        """Return the standing champion, not loaded yet, or None."""
        try:
            standing = MlflowClient().get_model_version_by_alias(self._name, CHAMPION)
        except MlflowException as error:
            if error.error_code in NOT_THERE:
                return None
            raise
        return registered_version(name=self._name, number=str(standing.version))

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse: the alias moves only through the gate."""
        raise DatasetError("The champion changes only through the gate of a run.")

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name}


class RegisteredVersionsDataset(AbstractDataset[NoReturn, dict[str, RegisteredVersion]]):
    """Every version of the registered model that has an alias, by alias; none is loaded yet.

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

    def load(self) -> dict[str, RegisteredVersion]:
        """Return the versions by alias; refuse where none has one, naming the store."""
        try:
            aliases = MlflowClient().get_registered_model(self._name).aliases
        except MlflowException as error:
            if error.error_code not in NOT_THERE:
                raise
            aliases = {}
        if not aliases:
            raise ScoringError(
                f"A model `{self._name}` must be registered before it can score; "
                f"`{without_password(mlflow.get_registry_uri())}` holds none with an alias. Train "
                "one with `kedro run` in the same environment, or name the store that holds it "
                "with MLFLOW_TRACKING_URI."
            )
        return {
            str(alias): registered_version(name=self._name, number=str(number))
            for alias, number in aliases.items()
        }

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse: versions are registered by a run."""
        raise DatasetError("A version is registered by a run, through `registered_model`.")

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name}


def registered_version(*, name: str, number: str) -> RegisteredVersion:
    """Look a version up, its tags and the versions that made it, without loading the model."""
    found = MlflowClient().get_model_version(name, number)
    made_with: Mapping[str, str] = _metadata(name=name, number=number).get(MADE_WITH) or {}
    running = running_versions()
    return RegisteredVersion(
        name=name,
        number=number,
        run_id=str(found.run_id),
        passed_gate=found.tags.get("passed_gate") == str(True),
        gate=str(found.tags.get("gate", "it kept no reason.")),
        made_with=made_with,
        running=running,
        load=_loader(name=name, number=number, made_with=made_with, running=running),
    )


def _metadata(*, name: str, number: str) -> dict[str, Any]:
    try:
        return mlflow.models.get_model_info(f"models:/{name}/{number}").metadata or {}
    except (MlflowException, OSError):
        return {}  # its files are gone: loading it says so


def _loader(
    *, name: str, number: str, made_with: Mapping[str, str], running: Mapping[str, str]
) -> Callable[[], LoadedModel]:
    def load() -> LoadedModel:
        try:
            with import_path_kept():
                wrapped = mlflow.pyfunc.load_model(f"models:/{name}/{number}")
                model: ScoringModel = wrapped.unwrap_python_model().model
                filled = fill_absent_fields(model)
                # what this version of the code cannot score, it cannot score here either
                wrapped.predict(wrapped.input_example)
        except UNUSABLE as error:
            differing = "; ".join(
                str(one) for one in package_differences(made_with=made_with, running=running)
            )
            are_files_gone = isinstance(error, MlflowException | OSError)
            raise ScoringError(
                f"Version {number} of `{name}` cannot be used here: {str(error).rstrip('.')}. "
                + (f"It was made with other package versions: {differing}. " if differing else "")
                + (
                    "Bring its files back to where the store has them"
                    if are_files_gone
                    else "Install the versions of its MLmodel"
                )
                + ", or register a new one with `kedro run`."
            ) from error
        return LoadedModel(model, filled)

    return load
