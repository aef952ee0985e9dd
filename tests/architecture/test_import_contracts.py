"""Imports point down, and the tool that says so notices when they do not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

LINT = Path(sys.executable).with_name("lint-imports")
PLANTED = {
    "metrics/gain.py": "import mlflow",
    "contracts/columns.py": "from promo_uplift.learners import registry",
    "policy/money.py": "import econml",
}


def lint(folder):
    return subprocess.run(
        [str(LINT), "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_contracts_hold(root):
    done = lint(root)
    assert done.returncode == 0, done.stdout
    assert "3 kept, 0 broken" in done.stdout


def test_planted_violations_are_found(root, package, tmp_path):
    shutil.copy(root / "pyproject.toml", tmp_path)
    ignored = shutil.ignore_patterns("__pycache__")
    copy = shutil.copytree(package, tmp_path / "promo_uplift", ignore=ignored)
    for file, line in PLANTED.items():
        path = copy / file
        path.write_text(f"{path.read_text()}\n{line}\n")
    done = lint(tmp_path)
    assert done.returncode == 1
    for found in (
        "promo_uplift.metrics.gain -> mlflow",
        "promo_uplift.contracts.columns -> promo_uplift.learners.registry",
        "promo_uplift.policy.money -> econml",
    ):
        assert found in done.stdout


def test_a_new_top_level_package_must_be_given_a_layer(root, package, tmp_path):
    shutil.copy(root / "pyproject.toml", tmp_path)
    ignored = shutil.ignore_patterns("__pycache__")
    copy = shutil.copytree(package, tmp_path / "promo_uplift", ignore=ignored)
    (copy / "utils").mkdir()
    (copy / "utils" / "__init__.py").write_text("")
    done = lint(tmp_path)
    assert done.returncode == 1
    assert "promo_uplift.utils" in done.stdout + done.stderr
