"""Learners of the user's own, named in the configuration by import path."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import packages_distributions, version
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.learner import Learner
from promo_uplift.contracts.parameters import LearnerParameters

CLASS = "class"
PARAMETERS = "parameters"
#: Keys of a choice that say what is built; all others are its hyperparameters.
IMPORT_PATHS = (CLASS, PARAMETERS)
METHODS = ("fit", "predict_cate", "predict_interval")
_BY_KEYWORD = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


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
            f"unknown.{_hint(unknown[0], known or ())} "
            f"Its parameters: {', '.join(known or ()) or 'none'}."
        )
    try:
        if PARAMETERS in choice:
            model = _imported(path=str(choice[PARAMETERS]), field=f"{field}.{PARAMETERS}")
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
        model = _imported(path=path, field=f"{field}.{PARAMETERS}")
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
    return tuple(one.name for one in given if one.kind in _BY_KEYWORD)


def own_class(*, name: str, path: str) -> Callable[..., Learner]:
    """Import a learner's class and hold it against the protocol, by its signatures.

    Raises
    ------
    LearnerError
        If module or class are not found, or a method is missing or takes other arguments.
    """
    field = f"estimation.learners.{name}.{CLASS}"
    found = _imported(path=path, field=field)
    if not isinstance(found, type):
        raise LearnerError(
            f"`{field}` must be the import path of a class; `{path}` is a "
            f"{type(found).__name__}. Name the class itself."
        )
    for method in METHODS:
        _check_method(cls=found, method=method, path=path, field=field)
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
        _module(path=path, field=f"estimation.learners.{name}.{key}")
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


def _imported(*, path: str, field: str) -> Any:
    module = _module(path=path, field=field)
    attribute = path.rpartition(".")[2]
    if not hasattr(module, attribute):
        names = [name for name, value in vars(module).items() if isinstance(value, type)]
        raise LearnerError(
            f"`{field}` must name a class of its module; `{module.__name__}` has no "
            f"`{attribute}`.{_hint(attribute, names)}"
            f" Its classes: {', '.join(names) or 'none'}."
        )
    return getattr(module, attribute)


def _module(*, path: str, field: str) -> ModuleType:
    name = path.rpartition(".")[0]
    if not name or not all(part.isidentifier() for part in path.split(".")):
        raise LearnerError(
            f"`{field}` must be an import path with a module and a class, such as "
            f"`my_package.my_module.MyLearner`; got `{path}`. Write it so."
        )
    parents = name.split(".")
    if parents[0] == "__main__":
        raise LearnerError(
            f"`{field}` must lie in a module that other processes can import; `{path}` lives in "
            "this session only. Move the class into a file in the project's `src`."
        )
    for depth in range(1, len(parents) + 1):
        _find(parents=parents[:depth], path=path, field=field)
    return _import(name, field)


def _find(*, parents: list[str], path: str, field: str) -> None:
    """Refuse a module that is not there, with the nearest of its siblings."""
    name = ".".join(parents)
    package = parents[:-1]
    if not package:
        if importlib.util.find_spec(name) is not None:
            return
        siblings, where = [one.name for one in pkgutil.iter_modules()], "on the import path"
    else:
        parent = _import(".".join(package), field)
        folders = getattr(parent, "__path__", None)
        if folders is not None and importlib.util.find_spec(name) is not None:
            return
        siblings = [one.name for one in pkgutil.iter_modules(folders)] if folders else []
        where = f"in `{'.'.join(package)}`"
    raise LearnerError(
        f"`{field}` must be the import path of a class; of `{path}` no module `{parents[-1]}` was "
        f"found {where}.{_hint(parents[-1], siblings)} Put it into the project's `src`, or install "
        "it, so that worker processes find it too."
    )


def _import(name: str, field: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (ImportError, SyntaxError) as error:
        raise LearnerError(
            f"`{field}` must be importable; importing `{name}` ended with "
            f"{type(error).__name__}: {error}. Correct the module."
        ) from error


def _check_method(*, cls: type, method: str, path: str, field: str) -> None:
    """Refuse a method that is absent, or cannot be called with the protocol's keywords."""
    what = f"`{field}` must follow the protocol of learners; `{path}`"
    asked = list(inspect.signature(getattr(Learner, method)).parameters)[1:]
    call = f"`{method}(self, *, {', '.join(asked)})`"
    found = getattr(cls, method, None)
    if not callable(found):
        raise LearnerError(f"{what} has no method `{method}`. Add {call}.")
    given = inspect.signature(found).parameters
    takes = {one.name for one in given.values() if one.kind in _BY_KEYWORD}
    takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in given.values())
    absent = [] if takes_any else [name for name in asked if name not in takes]
    more = [
        one.name
        for one in list(given.values())[1:]
        if one.default is inspect.Parameter.empty
        and one.kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        and one.name not in asked
    ]
    if absent or more:
        wrong = [f"does not take {absent}"] * bool(absent) + [f"asks for {more}"] * bool(more)
        raise LearnerError(f"{what} has a `{method}` that {' and '.join(wrong)}. Write {call}.")


def _hint(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean `{near[0]}`?" if near else ""
