"""Whole runs that several end-to-end tests look at, each made once, beside the other tests.

A run in test size keeps one core busy; so one run at a time goes on in the background while the
tests that start commands of their own use the other.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from command_line import (
    KEDRO,
    CutOff,
    Finished,
    commit_all,
    kedro,
    new_project,
    newest_run,
    without_network,
)
from publishers_files import ORIGINAL, SIZES

WHOLE_WAY = ("run", "--env", "test", "--pipelines", "uplift")


def run_whole_way(folder: Path) -> Finished:
    """Run the main job on the real data in test size, and keep a copy for the second run."""
    done = kedro(new_project(folder / "promo_uplift"), *WHOLE_WAY)
    shutil.copytree(done.folder, folder / "copy" / "promo_uplift")
    return done


def run_again(folder: Path) -> Finished:
    """Run the same once more in the copy, which resumes its studies."""
    return kedro(folder / "copy" / "promo_uplift", "run", "--env", "test", "--pipeline", "uplift")


def run_campaigns(folder: Path) -> Finished:
    """Measure every campaign on the canonical tables that the first run left."""
    project = folder / "campaigns" / "promo_uplift"
    shutil.copytree(folder / "copy" / "promo_uplift", project)
    return kedro(project, "run", "--env", "test", "--pipelines", "panel_effects")


def run_with_another_margin(folder: Path) -> Finished:
    """Run with one other parameter, in a git checkout that holds the first run's store."""
    project = folder / "changed" / "promo_uplift"
    shutil.copytree(folder / "copy" / "promo_uplift", project)
    commit_all(project)
    return kedro(project, *WHOLE_WAY, "--params", "policy.margin_rate=0.3")


def run_reproduced(folder: Path) -> Finished:
    """Make that run again from what it logged, by the documented command."""
    project = folder / "changed" / "promo_uplift"
    return kedro(project, "reproduce", newest_run(project).info.run_id)


def run_cut_off(folder: Path) -> tuple[Finished, CutOff]:
    """Run the same from nothing, without a network and on a machine that has no git."""
    tools = folder / "tools"
    tools.mkdir()
    for tool in ("nproc", "lscpu", "uname", "sh"):
        if found := shutil.which(tool):
            (tools / tool).symlink_to(found)
    cut = CutOff(folder / "attempts.log")
    project = new_project(folder / "promo_uplift")
    return cut.run(project, *without_network(), KEDRO, *WHOLE_WAY, path=str(tools)), cut


def run_original(folder: Path) -> Finished:
    """Run the whole way on the publisher's files, linked into the raw layer."""
    project = new_project(folder / "promo_uplift")
    for file in ORIGINAL.iterdir():
        if file.suffix in {".csv", ".parquet"}:
            (project / "data/01_raw" / file.name).symlink_to(file)
    return kedro(project, "run", "--env", "original", "--pipelines", "uplift", "--params", SIZES)


@pytest.fixture(scope="session", autouse=True)
def background(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Any]]]:
    """Start the runs that the chosen tests ask for; the second run needs the first."""
    asked = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    skipped = set() if ORIGINAL.is_dir() else {"original"}
    first = tmp_path_factory.mktemp("finished")
    jobs: dict[str, tuple[Callable[[Path], Any], Path]] = {
        "finished": (run_whole_way, first),
        "campaigns": (run_campaigns, first),
        "changed": (run_with_another_margin, first),
        "reproduced": (run_reproduced, first),
        "again": (run_again, first),
        "finished_cut_off": (run_cut_off, tmp_path_factory.mktemp("cut_off")),
        "original": (run_original, tmp_path_factory.mktemp("original")),
    }
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield {
            name: pool.submit(job, folder)
            for name, (job, folder) in jobs.items()
            if name in asked - skipped
        }
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def finished(background: dict[str, Future[Any]]) -> Finished:
    """The whole way on the real data in test size, in a fresh copy of the project."""
    return background["finished"].result()


@pytest.fixture(scope="session")
def again(finished: Finished, background: dict[str, Future[Any]]) -> Finished:
    """The second run, in a copy of that project."""
    return background["again"].result()


@pytest.fixture(scope="session")
def campaigns(finished: Finished, background: dict[str, Future[Any]]) -> Finished:
    """Every campaign measured by `panel_effects`, on what that project's run left."""
    return background["campaigns"].result()


@pytest.fixture(scope="session")
def changed(finished: Finished, background: dict[str, Future[Any]]) -> Finished:
    """A run with another margin, in a checkout of its own whose store holds the first run too."""
    return background["changed"].result()


@pytest.fixture(scope="session")
def reproduced(changed: Finished, background: dict[str, Future[Any]]) -> Finished:
    """That run, made again from what it logged."""
    return background["reproduced"].result()


@pytest.fixture(scope="session")
def finished_cut_off(background: dict[str, Future[Any]]) -> tuple[Finished, CutOff]:
    """The whole way from nothing without a network, and the log of its attempts."""
    return background["finished_cut_off"].result()


@pytest.fixture(scope="session")
def original(background: dict[str, Future[Any]]) -> Finished:
    """The whole way on the publisher's files."""
    return background["original"].result()


@pytest.fixture
def cut_off(tmp_path: Path) -> CutOff:
    """Commands without a network, for one test."""
    return CutOff(tmp_path / "attempts.log")
