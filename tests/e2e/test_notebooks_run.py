"""Every notebook runs on a finished run, and answers with tables and figures."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from command_line import REPOSITORY, Finished
from nbclient import NotebookClient

pytestmark = pytest.mark.e2e

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))


@pytest.fixture
def started_in(changed: Finished, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of notebooks in a project with two runs, in test size."""
    assert changed.code == 0, changed.err
    for name in [n for n in os.environ if n.startswith(("MLFLOW_", "KEDRO_", "PROMO_UPLIFT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KEDRO_ENV", "test")
    folder = changed.folder / "notebooks"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_figures_and_tables(path: Path, started_in: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(started_in)}}
    ).execute()
    shown = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    kinds = [kind for out in shown for kind in out.get("data", {})]
    assert kinds.count("image/png") >= 1
    assert kinds.count("text/html") >= 2
    said = "".join(out["text"] for out in shown if out.output_type == "stream")
    assert "Warning" not in said
    if path.stem.startswith("03"):
        assert "2 runs of the project" in said
        assert "parameters differ" in said
