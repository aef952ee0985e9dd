"""What makes a run again: the record, the folder, the comparison, each on small made-up ones."""

from __future__ import annotations

import doctest
import json
import subprocess
from types import SimpleNamespace

import mlflow
import pytest
import yaml
from click.testing import CliRunner
from kedro.config import OmegaConfigLoader
from mlflow.tracking import MlflowClient

from promo_uplift import provenance, reproduction
from promo_uplift.cli import cli
from promo_uplift.contracts.errors import ReproductionError
from promo_uplift.contracts.parameters import TableParameters
from promo_uplift.provenance import flattened, parameters_text
from promo_uplift.reproduction import command, comparison
from promo_uplift.reproduction.command import changed_tables, comparison_text, packages_text
from promo_uplift.reproduction.comparison import compare_figures
from promo_uplift.reproduction.logged_run import LoggedRun, read_run
from promo_uplift.reproduction.workspace import code_of_run, furnish, relocated

TRICKY = {
    "text": {"number": "1e-3", "yes": "yes", "octal": "08", "null": "null", "colon": "a: b"},
    "number": {"small": 1e-05, "third": 1 / 3, "whole": 2.0, "int": 2, "big": 1e300},
    "other": {"true": True, "none": None, "list": [1, 2.5, "3"], "empty": {}, "keys": {0: 0.5}},
}


@pytest.mark.parametrize("module", [provenance, comparison])
def test_examples_of_the_docstrings(module):
    assert doctest.testmod(module).failed == 0


# --- parameters ---------------------------------------------------------------------------------


def typed(value):
    """A value with the types of everything in it, so that 2 and 2.0 differ."""
    if isinstance(value, dict):
        return {(type(k), k): typed(v) for k, v in value.items()}
    if isinstance(value, list):
        return [typed(v) for v in value]
    return type(value), value


def test_parameters_come_back_with_their_types_from_the_file_as_kedro_reads_it(tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "base/parameters.yml").write_text(parameters_text(TRICKY))
    loader = OmegaConfigLoader(str(tmp_path), base_env="base", default_run_env="base")
    assert typed(dict(loader["parameters"])) == typed(TRICKY)
    assert typed(yaml.safe_load(parameters_text(TRICKY))) == typed(TRICKY)


def test_a_typed_parameter_is_written_as_it_was_given():
    given = {"path": "a.csv", "treatment": "t", "outcome": "y", "propensity": {0: 0.5, 1: 0.5}}
    given |= {"max_levels": 5, "identifier_share": 0.9}
    table = TableParameters.model_validate(given)
    assert yaml.safe_load(parameters_text({"table": table}))["table"] == given
    assert flattened("table", table)["table.propensity.0"] == 0.5


def logged(**changes):
    values = {
        "run_id": "r1",
        "environment": "test",
        "pipeline": "uplift",
        "git_sha": "a" * 40,
        "data_version": "package-1",
        "project_path": "/elsewhere",
        "parameters": {"seed": 1},
        "packages": {},
        "sources": "",
        "figures": {"run": {"qini": 1.0}},
    }
    return LoggedRun(**(values | changes))


def test_only_parameters_that_name_a_place_are_adapted(tmp_path):
    project, root = tmp_path / "project", tmp_path / "new"
    given = {
        "seed": 1,
        "table": {"path": "my.csv", "treatment": "data/06_models/x"},
        "source": {"folder": "/raw"},
        "tuning": {"storage": str(project / "data/06_models/j.log"), "warm_start": None},
    }
    found = relocated(given, project=project, root=root)
    assert found == {
        "seed": 1,
        "table": {"path": str(project / "my.csv"), "treatment": "data/06_models/x"},
        "source": {"folder": "/raw"},
        "tuning": {"storage": str(root / "data/06_models/j.log"), "warm_start": None},
    }
    assert given["table"]["path"] == "my.csv"
    unset = {"tuning": {"storage": None}}
    assert relocated(unset, project=project, root=root) == unset


# --- code and folder ----------------------------------------------------------------------------


def git(folder, *words):
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    done = subprocess.run(
        ["git", *identity, "-C", str(folder), *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path):
    """A checkout with two commits, local settings, raw data, and an uncommitted change."""
    root = tmp_path / "project"
    files = {
        "src/code.py": "a = 1\n",
        "conf/base/parameters/one.yml": "seed: 7\n",
        "conf/base/catalog.yml": "x: {}\n",
        "conf/test/parameters.yml": "seed: 8\n",
        ".gitignore": "data/**\nconf/local/**\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(tmp_path, "init", "--quiet", str(root))
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--no-gpg-sign", "-m", "first")
    first = git(root, "rev-parse", "HEAD")
    (root / "src/code.py").write_text("a = 2\n")
    git(root, "commit", "--quiet", "--no-gpg-sign", "-a", "-m", "second")
    (root / "src/code.py").write_text("a = 3\n")
    for name in ("data/01_raw/t.csv", "data/08_reporting/old.csv", "conf/local/credentials.yml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("mine\n")
    (root / "conf/local/parameters.yml").write_text("seed: 9\n")
    return SimpleNamespace(root=root, first=first)


def test_the_code_is_the_runs_commit_and_the_worktree_goes_away(project, tmp_path):
    run = logged(git_sha=project.first)
    folder = tmp_path / "new"
    with code_of_run(logged=run, project=project.root, folder=folder, current_code=False) as root:
        assert (root / "src/code.py").read_text() == "a = 1\n"
        assert git(root, "rev-parse", "HEAD") == project.first
    assert not folder.exists()
    assert len(git(project.root, "worktree", "list").splitlines()) == 1
    assert (project.root / "src/code.py").read_text() == "a = 3\n"


def test_current_code_is_the_checkout_as_it_is_without_results(project, tmp_path):
    run = logged(git_sha="unknown: not a git checkout")
    folder = tmp_path / "new"
    with code_of_run(logged=run, project=project.root, folder=folder, current_code=True) as root:
        assert (root / "src/code.py").read_text() == "a = 3\n"
        assert not (root / "data").exists()


def test_the_folder_holds_the_runs_parameters_alone_and_the_raw_data_to_read(project, tmp_path):
    run = logged(git_sha=project.first, parameters={"seed": 1})
    folder = tmp_path / "new"
    with code_of_run(logged=run, project=project.root, folder=folder, current_code=False) as root:
        furnish(logged=run, project=project.root, root=root)
        files = sorted(p.relative_to(root).as_posix() for p in (root / "conf").rglob("*.yml"))
        assert files == [
            "conf/base/catalog.yml",
            "conf/base/parameters.yml",
            "conf/local/credentials.yml",
        ]
        assert yaml.safe_load((root / "conf/base/parameters.yml").read_text()) == {"seed": 1}
        assert (root / "data/01_raw/t.csv").read_text() == "mine\n"
        assert not (root / "data/08_reporting").exists()
    assert (project.root / "data/01_raw/t.csv").read_text() == "mine\n"


@pytest.mark.parametrize(
    ("sha", "match"),
    [
        ("b" * 40, "it is not. Fetch the branch"),
        ("b" * 40 + "+changes", "must be a commit; .*Add --current-code"),
        ("unknown: git is not installed", "must be a commit"),
    ],
)
def test_code_that_is_not_there_is_refused(project, tmp_path, sha, match):
    run = logged(git_sha=sha)
    with (
        pytest.raises(ReproductionError, match=match),
        code_of_run(logged=run, project=project.root, folder=tmp_path / "new", current_code=False),
    ):
        pass


# --- the record ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    """A store without a run; its tables take a second to make."""
    folder = tmp_path_factory.mktemp("store")
    client = MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")
    experiment = client.create_experiment("e", artifact_location=f"file://{folder}/artifacts")
    return f"sqlite:///{folder}/mlflow.db", client, experiment


@pytest.fixture
def store(empty_store):
    """A whole run of its own, a learner and a trial below it, and a way to spoil the run."""
    uri, client, experiment = empty_store
    parameters = {"seed": 1, "policy": {"margin_rate": 0.25}}
    tags = {
        "kedro_env": "test",
        "git_sha": "a" * 40,
        "data_version": "package-1",
        "pipeline_names": "['uplift']",
    }
    parent = client.create_run(experiment, tags=tags).info.run_id
    for name, value in (("seed", 1), ("policy.margin_rate", 0.25)):
        client.log_param(parent, name, value)
    client.log_metric(parent, "qini", 0.1 + 0.2)
    client.log_text(parent, parameters_text(parameters), "parameters.yml")
    client.log_text(parent, json.dumps({"numpy": "2"}), "packages.json")
    above = parent
    for name in ("dr_learner", "dr_learner-fold0-trial0"):
        below = client.create_run(experiment, tags={"mlflow.parentRunId": above}, run_name=name)
        client.log_metric(below.info.run_id, "loss", 1.0)
        above = below.info.run_id
    client.set_terminated(parent)
    return SimpleNamespace(uri=uri, client=client, run_id=parent)


def test_a_run_is_read_with_all_its_figures(store):
    run = read_run(tracking_uri=store.uri, run_id=store.run_id)
    assert run.parameters == {"seed": 1, "policy": {"margin_rate": 0.25}}
    assert run.figures == {
        "run": {"qini": 0.1 + 0.2},
        "dr_learner": {"loss": 1.0},
        "dr_learner/dr_learner-fold0-trial0": {"loss": 1.0},
    }
    assert (run.environment, run.pipeline, run.packages) == ("test", "uplift", {"numpy": "2"})
    assert run.is_committed


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda c, r: c.delete_tag(r, "kedro_env"), "logged by `promo_uplift.analyse`"),
        (lambda c, r: c.set_terminated(r, "FAILED"), "its status is FAILED"),
        (lambda c, r: c.delete_tag(r, "data_version"), "missing: data_version"),
        (lambda c, r: c.set_tag(r, "pipeline_names", "['a', 'b']"), "it ran pipeline a, b"),
        (lambda c, r: c.set_tag(r, "to_nodes", "['x']"), "pipeline uplift with to_nodes"),
        (
            lambda c, r: c.log_text(r, parameters_text({"seed": 2}), "parameters.yml"),
            "1 differ, first `seed`: 2 and 1",
        ),
    ],
)
def test_a_run_that_cannot_be_made_again_is_refused(store, spoil, match):
    spoil(store.client, store.run_id)
    with pytest.raises(ReproductionError, match=match):
        read_run(tracking_uri=store.uri, run_id=store.run_id)


def test_an_unknown_run_is_refused(store):
    with pytest.raises(ReproductionError, match="`nothing` must be a run of the tracking store"):
        read_run(tracking_uri=store.uri, run_id="nothing")


# --- the comparison -----------------------------------------------------------------------------


def test_figures_are_compared_by_their_bits_and_clocks_left_out():
    then = {"run": {"qini": 0.3, "seconds": 1.0, "zero": 0.0}, "a": {"loss": 1.0}}
    same = compare_figures(then=then, now={"run": then["run"] | {"seconds": 9.0}, "a": then["a"]})
    assert same.is_reproduced
    assert (same.n_figures, same.left_out) == (3, ("seconds",))
    now = {"run": {"qini": 0.1 + 0.2, "seconds": 1.0, "zero": -0.0, "new": 1.0}}
    found = compare_figures(then=then, now=now)
    assert [(one.run, one.metric) for one in found.differences] == [
        ("run", "new"),
        ("run", "qini"),
        ("run", "zero"),
        ("a", "loss"),
    ]
    assert not found.is_reproduced


def test_nothing_compared_is_nothing_reproduced():
    assert not compare_figures(then={"run": {"seconds": 1.0}}, now={}).is_reproduced


def test_the_report_names_what_differs_and_how_much_is_equal():
    then = {"run": {"qini": 0.5, "ate": 1.0}, "a": {"x": 1.0}, "a/t0": {"loss": 1.0}}
    now = {"run": {"qini": 0.25, "ate": 1.0}, "a": {"x": 1.0}, "a/t0": {"loss": 1.0}}
    text = comparison_text(compare_figures(then=then, now=now))
    assert "  run, qini: 0.5 then, 0.25 now" in text
    assert text.endswith("NOT REPRODUCED: 3 of 4 figures are equal.")
    assert "a, trials" in text
    text = comparison_text(compare_figures(then=then, now=then))
    assert text.endswith("REPRODUCED: 4 of 4 figures are equal.")


def test_libraries_that_differ_are_named():
    assert packages_text({"a": "1"}, {"a": "1"}) == "All 1 libraries have the version of then."
    text = packages_text({"a": "1", "b": "1"}, {"a": "2", "b": "1", "c": "3"})
    assert "a: 1 then, 2 now" in text
    assert "c: none then, 3 now" in text
    assert "b:" not in text


def test_tables_that_changed_are_named():
    head = "table,file,sha256,rows\n"
    then = head + "t,t.csv,aa,5\nu,u.csv,bb,5\n"
    now = head + "t,t.csv,cc,6\nv,v.csv,bb,5\n"
    assert changed_tables(then, now) == "t (5 rows then, 6 now), u (gone), v (new)"
    assert changed_tables("", now) == "the table's file"


# --- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize(("is_same", "code"), [(True, 0), (False, 1)])
def test_the_exit_code_says_whether_the_figures_are_equal(monkeypatch, is_same, code):
    monkeypatch.setattr(reproduction, "reproduce", lambda **given: is_same)
    assert CliRunner().invoke(cli, ["reproduce", "r1"]).exit_code == code


def test_a_refusal_is_one_message(monkeypatch):
    def refuse(**given):
        raise ReproductionError("`r1` must be a run.")

    monkeypatch.setattr(reproduction, "reproduce", refuse)
    result = CliRunner().invoke(cli, ["reproduce", "r1"])
    assert result.exit_code == 1
    assert result.output == "Error: ReproductionError: `r1` must be a run.\n"


def test_a_run_that_gives_other_figures_is_not_reproduced(monkeypatch, store, project, tmp_path):
    """The whole command with the run itself replaced by one that logs another figure."""
    run = read_run(tracking_uri=store.uri, run_id=store.run_id)

    def run_in_folder(*, logged, root):
        other = MlflowClient(tracking_uri=f"sqlite:///{root}/mlflow.db")
        experiment = other.create_experiment("e", artifact_location=f"file://{root}/a")
        made = other.create_run(experiment, tags={"kedro_env": "test"})
        other.log_metric(made.info.run_id, "qini", run.figures["run"]["qini"] + 1e-15)

    monkeypatch.setattr(command, "run_in_folder", run_in_folder)
    store.client.set_tag(store.run_id, "git_sha", project.first)
    said = []
    before = mlflow.get_tracking_uri()
    is_same = command.reproduce(
        run_id=store.run_id,
        project=project.root,
        tracking_uri=store.uri,
        current_code=False,
        say=said.append,
    )
    assert not is_same
    assert mlflow.get_tracking_uri() == before
    assert said[-1].endswith("NOT REPRODUCED: 0 of 3 figures are equal.")
