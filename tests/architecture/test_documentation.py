"""The documentation names every parameter, output, check and reason, and builds offline."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest
from test_configuration import leaves

from promo_uplift.checks import SEVERITY
from promo_uplift.contracts.columns import COVARIATES
from promo_uplift.policy import REASONS
from promo_uplift.sources import SOURCES
from promo_uplift.trials import LEADING

#: Documented as a whole: their own pages or files say what is inside.
WHOLE = (
    "nuisance.model",
    "estimation.learners",
    "checks.on_fail",
    "policies.rules",
    "simulation",
    "simulation_profile",
    "store_study",
    "benchmark",
    "what_if.scenarios",
)
#: Named by a pattern or by the column that they fill.
IDENTIFIERS = {"household_id", "campaign_id", "campaign_type"}


def unmentioned(names, text):
    """Names that do not stand in backticks (alone or as the first part of a path)."""
    return {
        name for name in names if not re.search(rf"`([\w/]*/)?{re.escape(name)}(/[^`]*)?`", text)
    }


def parameter_names(parameters):
    names = set()
    for name in leaves({key: v for key, v in parameters.items() if not key.startswith("_")}):
        whole = [one for one in WHOLE if name.startswith(f"{one}.")]
        names.add(whole[0] if whole else name)
    return names


def output_names(catalog):
    """File names that the catalog writes; the eight canonical tables are named by their folder."""
    names = set()
    for entry in catalog.values():
        path = (entry.get("dataset") or entry).get("filepath")
        if path and "03_primary" not in path:
            names.add(PurePosixPath(path).name)
    return names


@pytest.fixture(scope="module")
def page(root):
    return lambda name: (root / "docs" / name).read_text(encoding="utf-8")


def names_of_both_doors(load_configuration):
    tables = load_configuration("table")["parameters"]
    own = {name: tables[name] for name in ("table", "arms")}
    return parameter_names(load_configuration("base")["parameters"] | own)


def test_every_parameter_is_documented(page, load_configuration):
    names = names_of_both_doors(load_configuration)
    assert len(names) > 50
    assert unmentioned(names, page("configuration.md")) == set()


def test_no_parameter_is_documented_that_does_not_exist(page, load_configuration):
    names = names_of_both_doors(load_configuration)
    sections = {name.split(".")[0] for name in names if "." in name}
    documented = re.findall(r"`((?:\w+)\.(?:\w+))`", page("configuration.md"))
    assert {one for one in documented if one.split(".")[0] in sections} - names == set()


def test_every_file_that_a_run_writes_is_documented(page, load_configuration):
    names = output_names(load_configuration("base")["catalog"])
    assert len(names) > 25
    assert unmentioned(names, page("outputs.md")) == set()


def test_every_reason_and_verdict_is_documented(page):
    assert unmentioned(REASONS, page("outputs.md")) == set()
    assert unmentioned(SEVERITY, page("checks.md")) == set()


def test_every_column_of_the_trial_table_is_documented(page):
    names = {*LEADING, *COVARIATES} - IDENTIFIERS
    assert unmentioned(names, page("covariates.md")) == set()


def test_known_files_of_the_publisher_are_documented(page):
    text = page("how-to/bring-the-original-files.md")
    source = SOURCES["original"]
    for table, stem in source.stems.items():
        assert f"| `{stem}` | " in text
        assert source.known_sha256[table] in text
        assert table not in source.known_rows or f"{source.known_rows[table]:,}" in text


def test_every_decision_is_in_the_index_and_has_its_parts(root, page):
    decisions = sorted((root / "docs" / "adr").glob("0*.md"))
    assert [path.name[:4] for path in decisions] == [f"{n + 1:04}" for n in range(len(decisions))]
    for path in decisions:
        assert f"({path.name})" in page("adr/index.md")
        text = path.read_text(encoding="utf-8")
        for part in ("Status:", "Context.", "Decision.", "Consequences."):
            assert f"**{part}**" in text


def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(root, tmp_path):
    mkdocs = Path(sys.executable).with_name("mkdocs")
    done = subprocess.run(
        [str(mkdocs), "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 20
    for path in pages:
        assert loaded_from_elsewhere(path.read_text(encoding="utf-8")) == []


def loaded_from_elsewhere(html):
    """Addresses that a browser would fetch to show the page (links to follow are none)."""
    return re.findall(
        r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"']?(https?://[^\"'> ]+)", html
    )


def test_each_check_can_fail(page):
    text = page("configuration.md")
    assert unmentioned({"policy.margin"}, text) == {"policy.margin"}
    assert unmentioned({"policy.margin_rate"}, text.replace("policy.margin_rate", "")) != set()
    assert unmentioned({"trials"}, "`trials.parquet`") == {"trials"}
    font = '<link rel="stylesheet" href="https://fonts.example.org/css?family=Roboto">'
    assert loaded_from_elsewhere(font) == ["https://fonts.example.org/css?family=Roboto"]
