"""Classes of the user's own, named in the configuration by import path."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from promo_uplift.contracts.errors import PromoUpliftError

BY_KEYWORD = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
Refusal = type[PromoUpliftError]


def imported(*, path: str, field: str, error: Refusal) -> Any:
    """Import what ``path`` names; refusals are of type ``error`` and name ``field``."""
    module = imported_module(path=path, field=field, error=error)
    attribute = path.rpartition(".")[2]
    if not hasattr(module, attribute):
        names = [name for name, value in vars(module).items() if isinstance(value, type)]
        raise error(
            f"`{field}` must name a class of its module; `{module.__name__}` has no "
            f"`{attribute}`.{nearest(attribute, names)}"
            f" Its classes: {', '.join(names) or 'none'}."
        )
    return getattr(module, attribute)


def imported_module(*, path: str, field: str, error: Refusal) -> ModuleType:
    """Import the module of the class that ``path`` names."""
    name = path.rpartition(".")[0]
    if not name or not all(part.isidentifier() for part in path.split(".")):
        raise error(
            f"`{field}` must be an import path with a module and a class, such as "
            f"`my_package.my_module.MyClass`; got `{path}`. Write it so."
        )
    parents = name.split(".")
    if parents[0] == "__main__":
        raise error(
            f"`{field}` must lie in a module that other processes can import; `{path}` lives in "
            "this session only. Move the class into a file in the project's `src`."
        )
    for depth in range(1, len(parents) + 1):
        _find(parents=parents[:depth], path=path, field=field, error=error)
    return _import(name, field, error)


def _find(*, parents: list[str], path: str, field: str, error: Refusal) -> None:
    """Refuse a module that is not there, with the nearest of its siblings."""
    name = ".".join(parents)
    package = parents[:-1]
    if not package:
        if importlib.util.find_spec(name) is not None:
            return
        siblings, where = [one.name for one in pkgutil.iter_modules()], "on the import path"
    else:
        parent = _import(".".join(package), field, error)
        folders = getattr(parent, "__path__", None)
        if folders is not None and importlib.util.find_spec(name) is not None:
            return
        siblings = [one.name for one in pkgutil.iter_modules(folders)] if folders else []
        where = f"in `{'.'.join(package)}`"
    raise error(
        f"`{field}` must be the import path of a class; of `{path}` no module `{parents[-1]}` was "
        f"found {where}.{nearest(parents[-1], siblings)} Put it into the project's `src`, or "
        "install it, so that worker processes find it too."
    )


def _import(name: str, field: str, error: Refusal) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (ImportError, SyntaxError) as failure:
        raise error(
            f"`{field}` must be importable; importing `{name}` ended with "
            f"{type(failure).__name__}: {failure}. Correct the module."
        ) from failure


def check_method(*, cls: type, method: Callable[..., Any], what: str, error: Refusal) -> None:
    """Refuse a method that is absent, or cannot be called with the protocol's keywords.

    ``method`` is the protocol's own; ``what`` begins the message.
    """
    asked = list(inspect.signature(method).parameters)[1:]
    name = method.__name__
    call = f"`{name}(self, *, {', '.join(asked)})`"
    found = getattr(cls, name, None)
    if not callable(found):
        raise error(f"{what} has no method `{name}`. Add {call}.")
    given = inspect.signature(found).parameters
    takes = {one.name for one in given.values() if one.kind in BY_KEYWORD}
    takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in given.values())
    absent = [] if takes_any else [one for one in asked if one not in takes]
    more = [
        one.name
        for one in list(given.values())[1:]
        if one.default is inspect.Parameter.empty
        and one.kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        and one.name not in asked
    ]
    if absent or more:
        wrong = [f"does not take {absent}"] * bool(absent) + [f"asks for {more}"] * bool(more)
        raise error(f"{what} has a `{name}` that {' and '.join(wrong)}. Write {call}.")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint at the known name that is most like ``name``; empty where none is."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean `{near[0]}`?" if near else ""
