"""The locks: names, versions and hashes of all that pyproject.toml asks for, and no address."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PIN = re.compile(r"^([A-Za-z0-9._-]+)(\[[\w,-]+\])?==([\w.!+-]+)( ; [^\\]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
ADDRESSES = ("http://", "https://", "index-url", "find-links", "file:", "git+", " @ ")


def faults(text):
    """Lines of a lock that are neither a pin nor a hash, and pins without a hash."""
    found = [line for line in text.splitlines() if any(part in line for part in ADDRESSES)]
    lines = text.splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        is_hashed_pin = PIN.match(line) and HASH.match(after)
        if not is_hashed_pin and not HASH.match(line):
            found.append(line)
    return found


def pinned(text):
    """Versions of each name: one, or one per range of Python versions."""
    versions = {}
    for line in text.splitlines():
        if match := PIN.match(line):
            versions.setdefault(canonicalize_name(match[1]), []).append(match[3])
    return versions


@pytest.fixture(scope="module")
def lock(root):
    return (root / "requirements.lock").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def spark_lock(root):
    return (root / "spark.lock").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def asked(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def requirements(asked):
    project = asked["project"]
    return [
        Requirement(one)
        for one in (*project["dependencies"], *project["optional-dependencies"]["dev"])
    ]


def test_the_lock_holds_pins_with_hashes_and_no_address(lock):
    assert faults(lock) == []


def test_every_dependency_is_pinned_in_its_range(lock, requirements):
    versions = pinned(lock)
    missing = [one.name for one in requirements if canonicalize_name(one.name) not in versions]
    assert missing == []
    outside = [
        f"{one} is {version}"
        for one in requirements
        for version in versions[canonicalize_name(one.name)]
        if not one.specifier.contains(version)
    ]
    assert outside == []


def test_spark_has_a_lock_of_its_own_that_changes_nothing_else(lock, spark_lock, asked):
    assert faults(spark_lock) == []
    (spark,) = (Requirement(one) for one in asked["dependency-groups"]["spark"])
    versions = pinned(spark_lock)
    assert set(versions) == {spark.name, "py4j"}
    assert all(spark.specifier.contains(version) for version in versions[spark.name])
    assert set(versions) & set(pinned(lock)) == set()


def test_the_gpu_library_stays_out(lock):
    names = set(pinned(lock))
    assert "xgboost-cpu" in names
    replaced = [line for line in lock.splitlines() if line.startswith("xgboost==")]
    assert all(line.endswith("sys_platform == 'never' \\") for line in replaced)
    assert not [name for name in names if name.startswith("nvidia")]


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.org/simple",
        "numpy>=2.4",
        "numpy==2.4.0",
        "pkg @ https://example.org/pkg.whl",
        "    --hash=sha256:12",
    ],
)
def test_a_wrong_lock_would_be_found(lock, line):
    assert line in faults(f"{line}\n{lock}")
