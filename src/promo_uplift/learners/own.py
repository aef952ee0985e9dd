"""Learners of the user's own, named in the configuration by import path."""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import packages_distributions, version
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.import_path import (
    BY_KEYWORD,
    check_method,
    imported,
    imported_module,
    nearest,
)
from promo_uplift.contracts.learner import Learner
from promo_uplift.contracts.parameters import LearnerParameters

CLASS = "class"
PARAMETERS = "parameters"
#: Keys of a choice that say what is built; all others are its hyperparameters.
IMPORT_PATHS = (CLASS, PARAMETERS)
METHODS = ("fit", "predict_cate", "predict_interval")


def build_own(*, name: str, choice: Mapping[str, Any]) -> Learner:
    """Build an unfitted learner of the user's own from its import paths and hyperparameters.

    Parameters
    ----------
    name : str
        Its own name, for messages.
    choice : mapping
        ``class``, where there is one ``parameters``, and the hyperparameters: given to the class
        as keywords, or as the one instance of the parameter model.

    Raises
    ------
    LearnerError
        Naming the field, the rule, what was found and what to do.
    """
    field = f"estimation.learners.{name}"
    cls = own_class(name=name, path=str(choice[CLASS]))
    values = {key: value for key, value in choice.items() if key not in IMPORT_PATHS}
    known = own_parameters(name=name, choice=choice)
    unknown = [] if known is None else [key for key in values if key not in known]
    if unknown:
        raise LearnerError(
            f"`{field}.defaults` must name parameters of `{choice[CLASS]}`; {unknown} are "
            f"unknown.{nearest(unknown[0], known or ())} "
            f"Its parameters: {', '.join(known or ()) or 'none'}."
        )
    try:
        if PARAMETERS in choice:
            model = imported(
                path=str(choice[PARAMETERS]), field=f"{field}.{PARAMETERS}", error=LearnerError
            )
            return cls(model.model_validate(values))
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise LearnerError(
            f"`{field}.defaults` must be parameters that `{choice[CLASS]}` takes; it was given "
            f"{values} and refused: {error}. Correct them, or the class."
        ) from error


def own_parameters(*, name: str, choice: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Names of the hyperparameters of an own learner; None where it takes any keyword.

    Raises
    ------
    LearnerError
        If an import path is wrong.
    """
    field = f"estimation.learners.{name}"
    if PARAMETERS in choice:
        path = str(choice[PARAMETERS])
        model = imported(path=path, field=f"{field}.{PARAMETERS}", error=LearnerError)
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise LearnerError(
                f"`{field}.{PARAMETERS}` must be the import path of a Pydantic model; `{path}` is "
                f"a {type(model).__name__}. Derive it from "
                "`promo_uplift.contracts.parameters.Parameters`, or leave `parameters` out: the "
                "class then takes its hyperparameters as keywords."
            )
        return tuple(model.model_fields)
    given = inspect.signature(own_class(name=name, path=str(choice[CLASS]))).parameters.values()
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in given):
        return None
    return tuple(one.name for one in given if one.kind in BY_KEYWORD)


def own_class(*, name: str, path: str) -> Callable[..., Learner]:
    """Import a learner's class and hold it against the protocol, by its signatures.

    Raises
    ------
    LearnerError
        If module or class are not found, or a method is missing or takes other arguments.
    """
    field = f"estimation.learners.{name}.{CLASS}"
    found = imported(path=path, field=field, error=LearnerError)
    if not isinstance(found, type):
        raise LearnerError(
            f"`{field}` must be the import path of a class; `{path}` is a "
            f"{type(found).__name__}. Name the class itself."
        )
    for method in METHODS:
        check_method(
            cls=found,
            method=getattr(Learner, method),
            what=f"`{field}` must follow the protocol of learners; `{path}`",
            error=LearnerError,
        )
    return found


def code_digest(*, name: str, parameters: LearnerParameters) -> str:
    """Digest of the source of an own learner; empty for a learner of the registry.

    Every Python file of the package that holds the class, the module alone where it is in none,
    and the version of the distribution where it is installed.

    Raises
    ------
    LearnerError
        If its module cannot be imported.
    """
    digest = hashlib.sha256()
    for key, path in parameters.import_paths.items():
        field = f"estimation.learners.{name}.{key}"
        imported_module(path=path, field=field, error=LearnerError)
        top = path.partition(".")[0]
        for file in _python_files(importlib.import_module(top)):
            digest.update(file.read_bytes())
        for distribution in packages_distributions().get(top, ()):
            digest.update(f"{distribution}=={version(distribution)}".encode())
    return digest.hexdigest() if parameters.import_paths else ""


def _python_files(module: ModuleType) -> Iterable[Path]:
    if hasattr(module, "__path__"):
        return [file for folder in module.__path__ for file in sorted(Path(folder).rglob("*.py"))]
    return [Path(str(module.__file__))]
