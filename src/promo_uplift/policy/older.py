"""A model that an older version of this package made: its classes got fields since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Final

from pydantic import BaseModel

from promo_uplift.contracts.errors import ScoringError

#: Objects of other packages are their versions' business.
PACKAGE: Final = __name__.partition(".")[0]


def fill_absent_fields(model: object) -> tuple[str, ...]:
    """Give a model that was just unpickled the fields that its classes got since it was made.

    A pickle holds values, not classes: a field that came later is not there, and reading it fails.
    It takes its default, which stands for what was before there was the field.

    Parameters
    ----------
    model : object
        Unpickled, and nobody else's: it and what it holds are changed in place.

    Returns
    -------
    tuple of str
        The fields, as ``Class.field``; none of a model of this version.

    Raises
    ------
    ScoringError
        Naming the fields that have no default.
    """
    absent = [found for part in _parts(model) for found in _absent(part)]
    required = [_name(part, field) for part, field, default in absent if default is MISSING]
    if required:
        raise ScoringError(
            f"it was made by an older version of {PACKAGE} and has no "
            f"{', '.join(f'`{name}`' for name in sorted(set(required)))}"
        )
    for part, field, default in absent:
        object.__setattr__(part, field, default)
    return tuple(sorted({_name(part, field) for part, field, _ in absent}))


def _name(part: object, field: str) -> str:
    return f"{type(part).__name__}.{field}"


def _absent(part: object) -> Iterator[tuple[object, str, Any]]:
    if isinstance(part, BaseModel):
        for name, info in type(part).model_fields.items():
            if name not in part.__dict__:
                required = info.is_required()
                yield (
                    part,
                    name,
                    MISSING if required else info.get_default(call_default_factory=True),
                )
    elif is_dataclass(part):
        for field in fields(part):
            if not hasattr(part, field.name):
                yield part, field.name, _default(field)


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _parts(model: object) -> Iterator[object]:
    """Yield every object of this package inside the model, itself first."""
    waiting, seen = [model], set()
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            waiting += part.values()
        elif isinstance(part, list | tuple):
            waiting += part
        elif type(part).__module__.partition(".")[0] == PACKAGE and id(part) not in seen:
            seen.add(id(part))
            yield part
            waiting += _values(part)


def _values(part: object) -> list[object]:
    own = list(getattr(part, "__dict__", {}).values())
    if is_dataclass(part):
        own += [getattr(part, field.name, None) for field in fields(part)]
    return own
