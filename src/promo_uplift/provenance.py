"""What a run must leave behind so that its figures can be made again: code, numbers, libraries."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel

#: Artifacts of every tracked run of the project.
PARAMETERS_FILE: Final = "parameters.yml"
PACKAGES_FILE: Final = "packages.json"
#: Marks a commit that is not all of the code that ran.
CHANGES: Final = "+changes"
UNKNOWN: Final = "unknown: "
DISTRIBUTION: Final = "promo-uplift"
#: A value stays on its line.
LINE_WIDTH: Final = 1000


def without_password(address: str) -> str:
    """Address of a store as it may be shown."""
    return re.sub(r"(?<=://)[^/@]*@", "", address)


def git_sha(folder: Path) -> str:
    """Commit of the code, with ``+changes`` where the tracked files differ from it."""

    def git(*words: str) -> str:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *words],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    if shutil.which("git") is None:
        return f"{UNKNOWN}git is not installed"
    sha = git("rev-parse", "HEAD")
    if not sha:
        return f"{UNKNOWN}not a git checkout"
    return f"{sha}{CHANGES}" if git("status", "--porcelain", "--untracked-files=no") else sha


def plain(value: Any) -> Any:
    """Return a parameter as it was given: typed ones as the mappings that they came from."""
    if isinstance(value, BaseModel):
        return plain(value.model_dump(exclude_unset=True))
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value


def flattened(name: str, value: Any) -> dict[str, Any]:
    """Leaves of a parameter under dotted names, ``{"policy.margin_rate": 0.25, ...}``.

    Two runs compare by these names.
    """
    value = plain(value)
    if not isinstance(value, dict):
        return {name: value}
    return {
        key: leaf
        for part, inner in value.items()
        for key, leaf in flattened(f"{name}.{part}", inner).items()
    }


class _QuotedText(yaml.SafeDumper):
    """Every text in quotes, so that `1e-3`, `yes` and `08` stay texts whoever reads them."""


_QuotedText.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def parameters_text(parameters: Mapping[str, Any]) -> str:
    r"""Write parameters with their types, as a file that Kedro reads back to the same values.

    In the order of the configuration, which is that of learners in every table.

    YAML and not JSON, which would turn the keys of ``table.propensity`` into texts.

    Examples
    --------
    >>> parameters_text({"seed": 1, "shares": [0.1], "path": "08"})
    '"seed": 1\n"shares":\n- 0.1\n"path": "08"\n'
    """
    text = yaml.dump(
        plain(parameters), Dumper=_QuotedText, allow_unicode=True, width=LINE_WIDTH, sort_keys=False
    )
    return str(text)


def package_versions() -> dict[str, str]:
    """Python, the machine, and the version of every library that the project declares.

    The declared ones decide figures; what they in turn depend on is held by the lock of the
    commit.
    """
    found = {"python": platform.python_version(), "machine": platform.machine()}
    try:
        declared = requires(DISTRIBUTION) or []
    except PackageNotFoundError:  # run from the sources alone
        return found
    for requirement in declared:
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        if "extra ==" in requirement:
            continue
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # declared for other platforms only
            continue
    return dict(sorted(found.items()))
