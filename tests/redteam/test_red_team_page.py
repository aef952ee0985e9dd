"""The page of the red team lists the mistakes that are planted, and no other."""

from __future__ import annotations

from pathlib import Path

from test_design_mistakes import MISTAKES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "red-team.md"
HEADING = "## Data, design and estimates"


def rows(text, heading):
    """Cells of the table under a heading, without its head."""
    section = text.split(f"{heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [tuple(line.strip("| ").split(" | ")) for line in lines[2:]]


def linked(codes):
    return ", ".join(f"[{code}](checks/{code.lower()}.md)" for code in codes.split(", "))


def test_the_page_lists_every_planted_mistake():
    planted = [(what, where, linked(codes)) for what, where, codes in MISTAKES.values()]
    assert rows(PAGE.read_text(encoding="utf-8"), HEADING) == planted


def test_a_row_that_nobody_plants_is_seen():
    text = PAGE.read_text(encoding="utf-8") + "\n## Other\n\n| a | b |\n| --- | --- |\n| c | d |\n"
    assert rows(text, "## Other") == [("c", "d")]
