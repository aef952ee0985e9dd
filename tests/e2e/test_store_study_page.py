"""The page on store studies: its Python prints what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from promo_uplift.effects.panel.store_changes import StoreStudyAnalysis
from promo_uplift.sources.store_tables import STORE_STUDY_COLUMNS

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "how-to" / "analyse-a-store-study.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"(?<![\w-])[+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def words_of(text: str) -> str:
    return " ".join(NUMBER.sub("#", text).split())


def numbers_of(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    (folder / "conf").symlink_to(REPOSITORY / "conf")
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks("python"))],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.e2e
def test_the_page_prints_what_it_says(printed: str) -> None:
    said = "".join(blocks("text"))
    assert words_of(printed) == words_of(said)
    # printed to three decimals
    assert numbers_of(printed) == pytest.approx(numbers_of(said), abs=2e-3)


@pytest.mark.e2e
def test_what_differs_would_be_found(printed: str) -> None:
    assert words_of(printed.replace("untreated", "treated")) != words_of(printed)
    (first, *_) = NUMBER.findall(printed)
    assert numbers_of(printed.replace(first, "9.9", 1)) != pytest.approx(numbers_of(printed))


def test_every_column_and_setting_is_on_the_page() -> None:
    names = {f"`{name}.csv`" for name in STORE_STUDY_COLUMNS}
    names |= {f"`{one}`" for columns in STORE_STUDY_COLUMNS.values() for one in columns}
    assert all(name in PAGE for name in names)
    assert all(f"{name}=" in PAGE for name in StoreStudyAnalysis.model_fields)
