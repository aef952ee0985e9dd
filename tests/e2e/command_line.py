"""Runs the project as its users do: a checkout of its own, and the `kedro` command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

REPOSITORY = Path(__file__).resolve().parents[2]
KEDRO = Path(sys.executable).with_name("kedro")
#: Far above any run of this suite on two busy cores: only a hang meets it.
TIMEOUT_SECONDS = 600
#: What a developer may have set, and what would lead a run away from its own folder.
REDIRECTING = ("MLFLOW_", "KEDRO_", "PROMO_UPLIFT_", "PYTHONPATH", "PYTHONWARNINGS")


@dataclass(frozen=True)
class Finished:
    """A command that has ended, and the project that it ran in."""

    folder: Path
    code: int
    out: str
    err: str


def new_project(folder: Path) -> Path:
    """Copy what a run needs: configuration and empty data folders; the package is installed."""
    folder.mkdir(parents=True)
    shutil.copytree(REPOSITORY / "conf", folder / "conf")
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(REPOSITORY / name, folder / name)
    (folder / "src").mkdir()
    for layer in (REPOSITORY / "data").iterdir():
        if layer.is_dir():
            (folder / "data" / layer.name).mkdir(parents=True)
    return folder


def commit_all(project: Path) -> None:
    """Make a project a git checkout with the package's sources in it, everything committed."""
    shutil.copytree(
        REPOSITORY / "src" / "promo_uplift",
        project / "src" / "promo_uplift",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copy(REPOSITORY / ".gitignore", project / ".gitignore")
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "gc.auto=0")
    for words in (
        ("init", "--quiet"),
        ("add", "--all"),
        ("commit", "--quiet", "--no-gpg-sign", "-m", "all"),
    ):
        subprocess.run(["git", *identity, "-C", str(project), *words], check=True)


def parent_runs(project: Path) -> list[Run]:
    """Return the project's own runs in its store, newest first."""
    client = MlflowClient(tracking_uri=f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("promo_uplift")
    found: list[Run] = client.search_runs(
        [experiment.experiment_id], "tags.kedro_env != ''", order_by=["attributes.start_time DESC"]
    )
    return found


def newest_run(project: Path) -> Run:
    """Return the newest of them."""
    return parent_runs(project)[0]


def environment(changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """Return this process's environment without what redirects a run; None removes a variable."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(REDIRECTING)}
    changed = {**kept, **(changes or {})}
    return {name: value for name, value in changed.items() if value is not None}


def command(
    folder: Path,
    *words: str | Path,
    changes: Mapping[str, str | None] | None = None,
    stdin: str | None = None,
) -> Finished:
    """Run a command in a project's folder and wait for it."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=environment(changes),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    return Finished(folder, done.returncode, done.stdout, done.stderr)


def kedro(folder: Path, *words: str, changes: Mapping[str, str | None] | None = None) -> Finished:
    """Run ``kedro <words>`` in a project's folder."""
    return command(folder, KEDRO, *words, changes=changes)


class WarmKedro:
    """`kedro` commands without their start-up, one at a time; see ``warm_kedro.py``."""

    def __init__(self, project: Path) -> None:
        self._project = project

    def __enter__(self) -> WarmKedro:
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("warm_kedro.py"))],
            cwd=self._project,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._server.communicate(timeout=TIMEOUT_SECONDS)

    def run(self, folder: Path, *words: str) -> Finished:
        """Run ``kedro <words>`` in a project's folder."""
        asked = json.dumps({"folder": str(folder), "words": words})
        print(asked, file=self._server.stdin, flush=True)
        return Finished(folder, **json.loads(self._server.stdout.readline()))


#: What switches telemetry off, wherever a developer or a CI service may have set it.
SWITCHES = ("CI", "GITHUB_ACTIONS", "DO_NOT_TRACK", "KEDRO_DISABLE_TELEMETRY")
GUARD = Path(__file__).with_name("network_guard")


@dataclass(frozen=True)
class CutOff:
    """A way to run commands without a network, and the log of their attempts to reach one."""

    log: Path

    def run(self, folder: Path, *words: str | Path, path: str | None = None) -> Finished:
        """Run a command that nothing but the project itself keeps from the network."""
        changes = {
            **dict.fromkeys(SWITCHES),
            "PYTHONPATH": str(GUARD),
            "NETWORK_GUARD_LOG": str(self.log),
        }
        if path is not None:
            changes["PATH"] = path
        return command(folder, *words, changes=changes)

    def attempts(self) -> list[str]:
        """Return the attempts so far, one line each."""
        return self.log.read_text().splitlines() if self.log.exists() else []


def without_network() -> tuple[str, ...]:
    """Return what to put before a command to run it where no network exists, if the system can.

    It also cuts off what no Python code sees, such as an engine that fetches its own extensions.
    """
    tool = shutil.which("unshare")
    if tool is None:
        return ()
    prefix = (tool, "--map-root-user", "--net")
    probe = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    return prefix if probe.returncode == 0 else ()


def files_of(folder: Path, *layers: str) -> dict[str, bytes]:
    """Return every file of the data layers by its path in the project."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for layer in layers
        for path in sorted((folder / "data" / layer).rglob("*"))
        if path.is_file()
    }
