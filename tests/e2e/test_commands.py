"""Kedro's other commands, and the package's own, in a copy of the project."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import yaml
from command_line import KEDRO, Finished, command, kedro, new_project

pytestmark = pytest.mark.e2e

PIPELINES = {
    "uplift",
    "data_engineering",
    "table",
    "simulation",
    "arms",
    "benchmark",
    "outside_sets",
    "panel_effects",
    "prospective",
    "scoring",
    "experiment",
    "experiment_result",
    "causal_estimation",
    "targeting_policy",
    "reporting",
    "__default__",
}
IN_IPYTHON = """
import json, sys
print("TOLD " + json.dumps({
    "pipelines": sorted(pipelines),
    "project": str(context.project_path),
    "raw": int(catalog.load("raw_campaigns").count().execute()),
    "python": sys.executable,
    "session": type(session).__name__,
}))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_project(tmp_path_factory.mktemp("commands") / "promo_uplift")


def quiet(done: Finished) -> str:
    """Return what a command printed; it ended well and had nothing to warn of."""
    assert done.code == 0, done.err
    assert done.err == ""
    return done.out


def test_info_names_the_version_and_the_plugins(project: Path) -> None:
    told = quiet(kedro(project, "info"))
    assert re.search(r"^v1\.\d+\.\d+$", told, re.MULTILINE)
    assert "kedro_mlflow: 2." in told
    assert "kedro_viz: " in told


def test_registry_list_names_every_pipeline(project: Path) -> None:
    assert set(yaml.safe_load(quiet(kedro(project, "registry", "list")))) == PIPELINES


def test_catalog_describes_the_datasets_of_every_pipeline(project: Path) -> None:
    described = yaml.safe_load(quiet(kedro(project, "catalog", "describe-datasets")))
    assert set(described) == PIPELINES
    uplift = described["uplift"]["datasets"]
    by_type = {kind.rsplit(".", 1)[-1]: set(names) for kind, names in uplift.items()}
    assert {"raw_transactions", "raw_promotions"} <= by_type["RawTableDataset"]
    assert {"trials", "cate_scores"} <= by_type["ParquetDataset"]
    assert {"leaderboard", "targeting_list", "policy_curve"} <= by_type["MlflowCSVDataset"]
    # what no catalog entry names would live in memory only
    assert "DefaultDataset" not in by_type
    assert "MemoryDataset" not in by_type


def test_ipython_has_the_catalog_and_the_context_of_this_environment(project: Path) -> None:
    done = kedro(project, "ipython", "-c", IN_IPYTHON, changes={"PATH": "/usr/bin:/bin"})
    assert done.code == 0, done.err
    (line,) = [line for line in done.out.splitlines() if line.startswith("TOLD ")]
    assert json.loads(line.removeprefix("TOLD ")) == {
        "pipelines": sorted(PIPELINES),
        "project": str(project),
        "raw": 27,
        "python": str(Path(sys.executable)),
        "session": "KedroSession",
    }


def test_the_package_runs_as_a_module(project: Path) -> None:
    told = quiet(command(project, sys.executable, "-m", "promo_uplift", "run", "--help"))
    assert "Usage: python -m promo_uplift run [OPTIONS]" in told
    assert "--params" in told


def test_the_installed_script_is_the_same_command(project: Path) -> None:
    script = KEDRO.with_name("promo-uplift")
    if not script.exists():
        pytest.skip("the environment was installed without the package's script")
    assert "Usage: promo-uplift run" in quiet(command(project, script, "run", "--help"))
