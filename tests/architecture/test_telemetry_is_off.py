"""Nothing is sent: consent is refused in the project, and switches are set before the libraries."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

import pytest
import yaml

SWITCHES = {
    "KEDRO_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}
LIBRARIES = ("kedro", "mlflow", "promo_uplift")


def switches_before_libraries(source):
    """Names that `os.environ.setdefault` sets before the first import of a library."""
    found = set()
    for statement in ast.parse(source).body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [getattr(node, "module", None) or node.names[0].name]
                if any(name.split(".")[0].startswith(LIBRARIES) for name in names):
                    return found
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "os.environ.setdefault":
                found.add(node.args[0].value)
    return found


def test_the_project_refuses_consent(root):
    assert yaml.safe_load((root / ".telemetry").read_text(encoding="utf-8")) == {"consent": False}


def test_settings_set_the_switches_before_any_library(package):
    source = (package / "settings.py").read_text(encoding="utf-8")
    assert set(SWITCHES) <= switches_before_libraries(source)


def test_an_import_above_the_switches_would_be_found(package):
    source = (package / "settings.py").read_text(encoding="utf-8")
    assert switches_before_libraries(f"import mlflow\n{source}") == set()


@pytest.mark.parametrize("given", [None, "0"])
def test_importing_the_settings_sets_them_and_leaves_a_users_own_choice(given):
    environment = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    if given is not None:
        environment["KEDRO_DISABLE_TELEMETRY"] = given
    code = (
        f"import os, promo_uplift.settings; print([os.environ[name] for name in {list(SWITCHES)}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert ast.literal_eval(done.stdout) == [given or "1", "true", "true"]


def test_make_sets_them_too(root):
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    assert "export KEDRO_DISABLE_TELEMETRY := 1\n" in makefile
    assert "export MLFLOW_DISABLE_TELEMETRY := true\n" in makefile
