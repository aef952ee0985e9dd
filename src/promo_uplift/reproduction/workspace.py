"""A folder of its own for a run that is made again: the code, the numbers, the data's door."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

from promo_uplift.contracts.errors import ReproductionError
from promo_uplift.provenance import parameters_text
from promo_uplift.reproduction.logged_run import LoggedRun

#: Parameters that name a file or folder of the machine which a run reads: they keep naming it.
READ: Final = ("table.path", "source.folder", "outside_sets.root", "tuning.warm_start")
#: Parameters that name where a run keeps what the next one may take: the folder's own, empty ones.
WRITTEN: Final = ("tuning.storage", "nuisance.store")
RAW_LAYER: Final = "01_raw"


@contextmanager
def code_of_run(
    *, logged: LoggedRun, project: Path, folder: Path, current_code: bool
) -> Iterator[Path]:
    """Put the code of a run into a folder, and give the project's root in it.

    A commit comes as a temporary git worktree; ``current_code`` copies the files of the checkout
    as they are now.

    Raises
    ------
    ReproductionError
        If the run's code was not committed, or its commit is not in this repository.
    """
    if current_code:
        yield _copy(project=project, folder=folder)
        return
    if not logged.is_committed:
        raise ReproductionError(
            f"The code of run `{logged.run_id}` must be a commit; its tag git_sha says "
            f"`{logged.git_sha}`. Add --current-code to run the code of this checkout instead: "
            "equal figures then say that this code gives them, not that it was the run's."
        )
    commit = f"{logged.git_sha}^{{commit}}"
    if _git(project, "rev-parse", "--quiet", "--verify", commit) is None:
        raise ReproductionError(
            f"Commit {logged.git_sha} of run `{logged.run_id}` must be in the repository of "
            f"{project}; it is not. Fetch the branch that holds it, or add --current-code."
        )
    inside = _git(project, "rev-parse", "--show-prefix") or ""
    added = _git(project, "worktree", "add", "--detach", "--quiet", str(folder), logged.git_sha)
    if added is None:
        raise ReproductionError(
            f"`git worktree add` of commit {logged.git_sha} into {folder} failed. Is the "
            "repository writable? `git worktree prune` clears what an interrupted one left."
        )
    try:
        yield folder / inside
    finally:
        _git(project, "worktree", "remove", "--force", str(folder))


def furnish(*, logged: LoggedRun, project: Path, root: Path) -> None:
    """Give the folder exactly the run's parameters, and the raw data to read.

    Parameters of ``conf`` are replaced as a whole, so that nothing but the record decides. What
    ``conf/local`` says of parameters is in the record; of the rest only credentials are taken.
    """
    for env in dict.fromkeys(("base", logged.environment)):
        conf = root / "conf" / env
        for path in conf.glob("parameters*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    values = relocated(logged.parameters, project=project, root=root)
    (root / "conf/base/parameters.yml").write_text(parameters_text(values), encoding="utf-8")
    (root / "conf/local").mkdir(exist_ok=True)
    for path in (project / "conf/local").glob("credentials*"):
        shutil.copy(path, root / "conf/local" / path.name)
    for raw in (project / "data").rglob(RAW_LAYER):
        link = root / raw.relative_to(project)
        shutil.rmtree(link, ignore_errors=True)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(raw, target_is_directory=True)


def relocated(parameters: Mapping[str, Any], *, project: Path, root: Path) -> dict[str, Any]:
    """Return the parameters of a run for another folder: only the machine-local ones change.

    A path to read (:data:`READ`) is made absolute, from the run's project; one where studies or
    nuisances are kept (:data:`WRITTEN`) becomes one in the new folder, and stays unset where unset.
    """
    values = deepcopy(dict(parameters))
    for name in (*READ, *WRITTEN):
        section, key = name.split(".")
        given = values.get(section, {}).get(key)
        if given is None:
            continue
        if name in READ:
            values[section][key] = str(project / given)
        else:
            values[section][key] = str(root / "data/06_models" / Path(given).name)
    return values


def _copy(*, project: Path, folder: Path) -> Path:
    """Copy the files that git knows or would take; of no checkout, what a run needs."""
    listed = _git(project, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    if listed is None:
        paths = [
            path
            for part in ("conf", "src", "pyproject.toml", ".telemetry")
            for path in (project / part, *(project / part).rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        ]
    else:
        paths = [project / name for name in listed.split("\0") if name]
    for path in paths:
        if path.is_file():  # a deleted one is still listed
            target = folder / path.relative_to(project)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    (folder / "src").mkdir(exist_ok=True)
    return folder


def _git(folder: Path, *words: str) -> str | None:
    """Return what git prints, or None where it fails or is not there."""
    if shutil.which("git") is None:
        return None
    done = subprocess.run(  # noqa: S603
        ["git", "-C", str(folder), *words],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else None
