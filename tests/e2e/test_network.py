"""Nothing that the project does tries to reach a network, whatever the environment says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from command_line import KEDRO, CutOff, Finished, new_project

pytestmark = pytest.mark.e2e

REACHES_OUT = """
import socket, subprocess, sys, urllib.request
try:
    urllib.request.urlopen("http://telemetry.invalid", timeout=5)
except OSError as error:
    print(error)
try:
    socket.create_connection(("192.0.2.1", 443), timeout=5)
except OSError as error:
    print(error)
if len(sys.argv) == 1:
    subprocess.run([sys.executable, "-c", open(__file__).read(), "child"], check=True)
"""

LOCAL_ONLY = """
import socket
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).close()
socket.getaddrinfo("localhost", 80)
"""


def test_the_guard_notes_what_a_process_and_its_children_try(
    cut_off: CutOff, tmp_path: Path
) -> None:
    script = tmp_path / "reaches_out.py"
    script.write_text(REACHES_OUT)
    done = cut_off.run(tmp_path, sys.executable, script)
    assert done.code == 0, done.err
    assert done.out.count("the network is cut") == 4
    tried = [" ".join(line.split()[:2]) for line in cut_off.attempts()]
    assert tried == 2 * ["getaddrinfo telemetry.invalid", "getaddrinfo 192.0.2.1"]


def test_the_guard_lets_local_connections_pass(cut_off: CutOff, tmp_path: Path) -> None:
    done = cut_off.run(tmp_path, sys.executable, "-c", LOCAL_ONLY)
    assert done.code == 0, done.err
    assert cut_off.attempts() == []


def test_the_guard_sees_kedros_telemetry_where_it_is_not_switched_off(
    cut_off: CutOff, tmp_path: Path
) -> None:
    """Kedro's telemetry in a project that is not this one, so that silence here means something."""
    other = tmp_path / "other"
    package = other / "src" / "other"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "settings.py").touch()
    (package / "pipeline_registry.py").write_text("def register_pipelines():\n    return {}\n")
    (other / "conf").mkdir()
    (other / "pyproject.toml").write_text(
        '[tool.kedro]\npackage_name = "other"\nproject_name = "other"\n'
        'kedro_init_version = "1.7.0"\nsource_dir = "src"\n'
    )
    cut_off.run(other, KEDRO, "registry", "list")
    assert cut_off.attempts() != []


def test_listing_the_pipelines_tries_nothing(cut_off: CutOff, tmp_path: Path) -> None:
    project = new_project(tmp_path / "promo_uplift")
    before = (project / "pyproject.toml").read_bytes()
    done = cut_off.run(project, KEDRO, "registry", "list")
    assert done.code == 0, done.err
    assert cut_off.attempts() == []
    # telemetry that has consent writes a project id here
    assert (project / "pyproject.toml").read_bytes() == before


def test_the_whole_way_tries_nothing(finished_cut_off: tuple[Finished, CutOff]) -> None:
    done, cut = finished_cut_off
    assert done.code == 0, done.err
    assert "VERDICT" in done.out
    assert cut.attempts() == []


def test_the_run_says_that_it_could_not_tell_the_commit(
    finished_cut_off: tuple[Finished, CutOff],
) -> None:
    done, _ = finished_cut_off
    store = (done.folder / "mlflow.db").read_bytes()
    assert b"unknown: git is not installed" in store
