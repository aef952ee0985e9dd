"""What is committed: no data, no large file, no secret."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

MAX_BYTES = 300_000
#: Hashes of every wheel of every dependency; its own test reads each line of it.
LARGE_ON_PURPOSE = {"requirements.lock"}
DATA_ENDINGS = (
    ".csv",
    ".parquet",
    ".feather",
    ".xlsx",
    ".pkl",
    ".joblib",
    ".db",
    ".duckdb",
    ".sqlite",
    ".zip",
    ".gz",
)
SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\bAKIA[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}"
    r"|\bxox[abp]-[A-Za-z0-9-]{10,}"
    r"|\bsk-[A-Za-z0-9_-]{20,}"
    r"|(?i:password|passwd|secret|api_?key|token)\s*[:=]\s*['\"][^'\"\s]{8,}['\"]"
    r"|://[^/\s:@]+:[^/\s:@]+@"
)


def faults(folder, names):
    """Committed files that are data, too large, or look as if they held a secret."""
    found = {}
    for name in names:
        path = folder / name
        if name.startswith("notebooks/") or not path.is_file():
            continue
        if path.suffix.lower() in DATA_ENDINGS:
            found[name] = "data"
        elif path.stat().st_size > MAX_BYTES and name not in LARGE_ON_PURPOSE:
            found[name] = "large"
        elif SECRETS.search(path.read_text(encoding="utf-8", errors="ignore")):
            found[name] = "secret"
    return found


@pytest.fixture(scope="module")
def committed(root):
    if shutil.which("git") is None or not (root / ".git").exists():
        pytest.skip("not a git checkout: which files are committed is unknown")
    done = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in done.stdout.split("\0") if name]


def test_nothing_committed_is_data_large_or_secret(root, committed):
    assert len(committed) > 50
    assert faults(root, committed) == {}


def test_results_and_stores_are_ignored(committed):
    kept = {name for name in committed if name.startswith("data/")}
    assert {name for name in kept if not name.endswith((".gitkeep", "README.md"))} == set()
    assert not [name for name in committed if name.startswith(("mlartifacts/", "mlflow.db"))]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("rows.csv", "household_id\n1\n", "data"),
        ("notes.md", "x" * (MAX_BYTES + 1), "large"),
        ("a.py", "pass" + 'word = "correct-horse"', "secret"),
        ("b.yml", "uri: postgresql://user:" + "pw12345@host/db", "secret"),
        ("c.txt", "-----BEGIN RSA " + "PRIVATE KEY-----", "secret"),
    ],
)
def test_each_fault_would_be_found(tmp_path, name, content, expected):
    (tmp_path / name).write_text(content)
    (tmp_path / "fine.py").write_text("margin_rate = 0.25\n")
    assert faults(tmp_path, [name, "fine.py"]) == {name: expected}
