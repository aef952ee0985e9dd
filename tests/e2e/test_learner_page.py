"""The page on adding a learner, followed word for word: its files, its commands, its result."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pandas as pd
import pytest
from command_line import Finished, command, new_project

from promo_uplift.learners.conformance import RULES

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "how-to" / "add-a-learner.md").read_text(encoding="utf-8")
#: What is said since the block before, the language, the content.
BLOCK = re.compile(r"(.*?)```(\w+)\n(.*?)```", flags=re.DOTALL)
IN_FILE = re.compile(r"[Ii]n\s+`([\w./]+)`:\s*$")
BELOW_LINE = re.compile(r"Below `(\w+:)` in `([\w./]+)`:\s*$")


def write(folder: Path, said: str, text: str) -> None:
    """Do what the sentence before a block says: write a file, or lines below one of a file."""
    if below := BELOW_LINE.search(said):
        path = folder / below[2]
        head, line, tail = re.split(rf"(^ *{below[1]}.*\n)", path.read_text("utf-8"), flags=re.M)
        path.write_text(head + line + text + tail, encoding="utf-8")
        return
    named = IN_FILE.search(said)
    assert named is not None, said
    path = folder / named[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> list[Finished]:
    """The page's commands, after everything that it says before them."""
    folder = new_project(tmp_path_factory.mktemp("page") / "project")
    tools = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = []
    for said, language, text in BLOCK.findall(PAGE):
        if language == "sh":
            done.append(command(folder, "sh", "-ec", text, changes={"PATH": tools}))
        else:
            write(folder, said, text)
    return done


@pytest.mark.e2e
def test_every_command_of_the_page_ends_well(followed: list[Finished]) -> None:
    assert len(followed) == 3
    for done in followed:
        assert done.code == 0, done.out + done.err


@pytest.mark.e2e
def test_the_learner_keeps_every_rule(followed: list[Finished]) -> None:
    assert followed[0].out.splitlines() == [rule.replace("_", " ") for rule in RULES]


@pytest.mark.e2e
def test_it_is_tuned_judged_and_a_member_of_the_ensemble(followed: list[Finished]) -> None:
    folder = followed[1].folder
    board = pd.read_csv(folder / "data/08_reporting/leaderboard.csv", index_col="learner")
    assert board.loc[["neighbours", "ensemble"], "auuc"].notna().all()
    fitted = pd.read_pickle(folder / "data/06_models/cross_fitted.pkl")  # noqa: S301 - our own object
    assert set(fitted["neighbours"].tuning["state"]) <= {"COMPLETE", "PRUNED"}
    assert len(fitted["neighbours"].tuning) > 0
    for chosen in fitted["ensemble"].parameters:
        assert "weight.neighbours" in chosen


@pytest.mark.e2e
def test_it_may_win_and_scores_new_rows_from_python(followed: list[Finished]) -> None:
    assert followed[2].out.split() == ["neighbours", "True"]


def test_the_places_of_the_second_route_exist() -> None:
    route = PAGE.split("## Into the package")[1]
    places = re.findall(r"\| `([\w./<>-]+)` \|$", route, flags=re.M)
    assert len(places) == 6
    for place in places:
        assert (REPOSITORY / place.replace("<name>", "t_learner")).is_file(), place
