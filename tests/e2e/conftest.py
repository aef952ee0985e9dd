"""Runs that several end-to-end tests look at, each made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import KEDRO, CutOff, Finished, kedro, new_project, without_network

WHOLE_WAY = ("run", "--env", "test", "--pipelines", "uplift")


@pytest.fixture
def cut_off(tmp_path: Path) -> CutOff:
    """Commands without a network, for one test."""
    return CutOff(tmp_path / "attempts.log")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The whole way on the real data in test size, in a fresh copy of the project."""
    folder = new_project(tmp_path_factory.mktemp("project") / "promo_uplift")
    return kedro(folder, *WHOLE_WAY)


@pytest.fixture(scope="session")
def again(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The same once more in a copy of that project, which resumes its studies."""
    folder = tmp_path_factory.mktemp("again") / "promo_uplift"
    shutil.copytree(finished.folder, folder)
    return kedro(folder, "run", "--env", "test", "--pipeline", "uplift")


@pytest.fixture(scope="session")
def finished_cut_off(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finished, CutOff]:
    """The same from nothing, without a network and on a machine that has no git."""
    folder = tmp_path_factory.mktemp("cut_off")
    tools = folder / "tools"
    tools.mkdir()
    for tool in ("nproc", "lscpu", "uname", "sh"):
        if found := shutil.which(tool):
            (tools / tool).symlink_to(found)
    cut = CutOff(folder / "attempts.log")
    project = new_project(folder / "promo_uplift")
    return cut.run(project, *without_network(), KEDRO, *WHOLE_WAY, path=str(tools)), cut
