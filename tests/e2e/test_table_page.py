"""The page on any table: its Python prints what it says, its table names every parameter."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import promo_uplift
from promo_uplift.contracts.parameters import TableParameters

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "how-to" / "analyse-any-table.md").read_text(encoding="utf-8")
ROOT = Path(os.environ.get("PROMO_UPLIFT_BENCHMARK_ROOT", REPOSITORY.parent / "shared" / "data"))
NUMBER = re.compile(r"(?<![\w-])[+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


def block(language: str) -> str:
    (first, *_) = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    return str(first)


def words_of(text: str) -> str:
    return " ".join(NUMBER.sub("#", text).split())


def numbers_of(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]


@pytest.mark.e2e
@pytest.mark.shared
def test_the_example_prints_what_the_page_says(tmp_path: Path) -> None:
    table = ROOT / "hillstrom" / "hillstrom.csv"
    if not table.is_file():
        pytest.skip("needs hillstrom.csv, in the folder that PROMO_UPLIFT_BENCHMARK_ROOT names")
    (tmp_path / "hillstrom.csv").symlink_to(table)
    done = subprocess.run(
        [sys.executable, "-c", block("python")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert words_of(done.stdout) == words_of(block("text"))
    # another processor may round a tree's last bit the other way
    assert numbers_of(done.stdout) == pytest.approx(numbers_of(block("text")), rel=0.03, abs=3e-4)


def test_every_parameter_of_the_call_is_in_the_table() -> None:
    names = set(inspect.signature(promo_uplift.analyse).parameters) - {"frame"}
    section = PAGE.split("## Parameters")[1].split("\n## ")[0]
    firsts = " ".join(line.split(" | ")[0] for line in section.splitlines()[4:])
    assert set(re.findall(r"`(\w+)`", firsts)) == names


def test_the_configuration_on_the_page_is_valid() -> None:
    given = yaml.safe_load(block("yaml"))["table"]
    sizes = {"max_levels": 50, "identifier_share": 0.95}
    parameters = TableParameters.model_validate(given | sizes)
    assert isinstance(parameters.propensity, dict)
    assert sum(parameters.propensity.values()) == pytest.approx(1.0)


def test_numbers_that_differ_would_be_found() -> None:
    text = block("text")
    changed = text.replace("+0.0454", "+0.0554")
    assert words_of(changed) == words_of(text)
    assert numbers_of(changed) != pytest.approx(numbers_of(text), rel=0.03, abs=3e-4)
