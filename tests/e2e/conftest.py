"""Runs that several end-to-end tests look at, each made once."""

from __future__ import annotations

import pytest
from command_line import Finished, kedro, new_project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The whole way on the real data in test size, in a fresh copy of the project."""
    folder = new_project(tmp_path_factory.mktemp("project") / "promo_uplift")
    return kedro(folder, "run", "--env", "test", "--pipelines", "uplift")
