"""Where the numbers of ``conf/base`` lie, for who calls a part without Kedro."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from promo_uplift.contracts.errors import ConfigurationError


def configuration_folder() -> Path:
    """Folder of ``conf``: inside the installed package, or beside the sources."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


def base_parameters(*, file: str, key: str) -> dict[str, Any]:
    """Block ``key`` of ``conf/base/parameters/<file>.yml``, which refers to no other file.

    Raises
    ------
    ConfigurationError
        If the file has no such block.
    """
    path = configuration_folder() / "base" / "parameters" / f"{file}.yml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    if key not in values:
        raise ConfigurationError(f"`{key}` must be in {path.name}, found {sorted(values)}.")
    block: dict[str, Any] = values[key]
    return block
