"""What a run refuses before it starts, which commit it names, and how a refusal is shown."""

from __future__ import annotations

import logging
import subprocess
from itertools import pairwise
from types import SimpleNamespace

import mlflow
import pytest
from click.testing import CliRunner
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.hooks.manager import (
    _create_hook_manager,
    _register_hooks,
    _register_hooks_entry_points,
)
from kedro.io import DatasetError
from kedro.validation.exceptions import ParameterValidationError
from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook
from mlflow.exceptions import MlflowException

from promo_uplift import hooks, settings
from promo_uplift.checks import CHECKS
from promo_uplift.cli import cli, find_refusal, one_report_of_a_refusal
from promo_uplift.contracts.errors import (
    CheckError,
    ConfigurationError,
    LearnerError,
    PolicyError,
    TrialError,
)
from promo_uplift.contracts.parameters import (
    BASELINES,
    CheckParameters,
    EstimationParameters,
    LearnerParameters,
    PoliciesParameters,
    PolicyParameters,
    TuningParameters,
)
from promo_uplift.hooks import (
    RunContextHooks,
    TrackingHooks,
    refuse_unknown_names,
    refuse_unknown_parameters,
    top_level,
    warm_start_leaves,
)
from promo_uplift.pipeline_registry import register_pipelines
from promo_uplift.provenance import flattened, git_sha

KNOWN = ["policy", "metrics", "seed"]


def test_known_parameters_pass():
    refuse_unknown_parameters(given=["seed", "policy"], known=KNOWN)


def test_a_misspelt_parameter_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigurationError, match=r"`polcy` .* Did you mean `policy`\?"):
        refuse_unknown_parameters(given=["seed", "polcy"], known=KNOWN)


def test_a_foreign_parameter_is_refused_with_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"`xyz`[^?]*Known are: metrics, policy, seed\.$"):
        refuse_unknown_parameters(given=["xyz"], known=KNOWN)


def test_top_level_names_of_parameters_without_templates_and_datasets():
    names = ["params:policy.margin_rate", "params:policy", "params:seed", "params:_zero", "trials"]
    assert top_level(names) == {"policy", "seed"}


def test_the_hook_refuses_before_a_run_is_opened(monkeypatch):
    pipeline = SimpleNamespace(inputs=lambda: {"params:policy", "trials"})
    monkeypatch.setattr(hooks, "pipelines", {"uplift": pipeline})
    plugin = RunContextHooks()
    plugin.after_catalog_created(parameters={"params:policy": {}, "params:policy.power": 1})
    with pytest.raises(ConfigurationError, match="`polices` is not a parameter"):
        plugin.after_catalog_created(parameters={"params:polices": {}})


def test_one_set_of_mlflow_hooks_is_registered():
    """Two would open a run inside a run."""
    manager = _create_hook_manager()
    _register_hooks(manager, settings.HOOKS)
    _register_hooks_entry_points(manager, settings.DISABLE_HOOKS_FOR_PLUGINS)
    kinds = [type(one) for one in manager.get_plugins() if isinstance(one, MlflowHook)]
    assert kinds == [TrackingHooks]


def test_parameters_are_logged_by_their_leaves():
    learner = LearnerParameters(defaults={"num_leaves": 4})
    given = {"learners": {"dr_learner": learner.model_dump()}, "shares": [0.1, 0.2]}
    assert flattened("estimation", given) == {
        "estimation.learners.dr_learner.defaults.num_leaves": 4,
        "estimation.shares": [0.1, 0.2],
    }
    assert flattened("learner", learner) == {"learner.defaults.num_leaves": 4}
    assert flattened("seed", 1) == {"seed": 1}


def test_the_content_of_a_warm_start_is_logged(tmp_path):
    file = tmp_path / "found.json"
    file.write_text('{"champion": "x", "learners": {"x": {"depth": 3}, "t": {"rate": 0.5}}}')
    budget = {
        "loss": "r_loss",
        "n_trials": 1,
        "timeout_seconds": 1.0,
        "n_startup_trials": 1,
        "pruner_warmup_folds": 0,
    }
    cold = TuningParameters(**budget)
    assert warm_start_leaves(cold) == warm_start_leaves(None) == {}
    assert warm_start_leaves(cold.model_copy(update={"warm_start": str(file)})) == {
        "tuning.warm_start.x.depth": 3,
        "tuning.warm_start.t.rate": 0.5,
    }
    with pytest.raises(ConfigurationError, match="there is none at"):
        warm_start_leaves(cold.model_copy(update={"warm_start": str(tmp_path / "no.json")}))


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"estimation": {"x_lerner": {}}}, "Did you mean `x_learner`"),
        ({"estimation": {"zero": {"num_leaves": 3}}}, "`zero` was given wrong parameters"),
        ({"checks": {"PU-WINDOWS": "refuse"}}, "unknown: .'PU-WINDOWS'."),
    ],
)
def test_unknown_learners_and_checks_are_refused_before_a_run_is_opened(wrong, match):
    learners = {name: LearnerParameters() for name in BASELINES if name != "response"}
    learners |= {
        name: LearnerParameters(defaults=defaults)
        for name, defaults in wrong.get("estimation", {}).items()
    }
    estimation = EstimationParameters.model_construct(learners=learners)
    on_fail = dict.fromkeys(CHECKS, "refuse") | wrong.get("checks", {})
    checks = CheckParameters.model_construct(on_fail=on_fail)
    with pytest.raises((LearnerError, CheckError), match=match):
        refuse_unknown_names(estimation=estimation, checks=checks)


def test_known_learners_and_checks_pass():
    estimation = EstimationParameters.model_construct(learners={"zero": LearnerParameters()})
    checks = CheckParameters.model_construct(on_fail=dict.fromkeys(CHECKS, "refuse"))
    refuse_unknown_names(estimation=estimation, checks=checks)


def test_unknown_policies_are_refused_before_a_run_is_opened():
    rules = {name: {} for name in ("none", "all", "current", "random", "response", "budgets")}
    policies = PoliciesParameters(
        decides="chosen", learner="shown", error_replicates=0, rules=rules
    )
    money = PolicyParameters.model_construct(budget_usd=None)
    with pytest.raises(PolicyError, match="Did you mean `budget`"):
        refuse_unknown_names(estimation=None, checks=None, policies=policies, policy=money)


def git(folder, *words):
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    done = subprocess.run(
        ["git", *identity, "-C", str(folder), *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "code.py").write_text("a = 1\n")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "--quiet", "--no-gpg-sign", "-m", "first")
    return tmp_path


def test_the_commit_of_a_clean_checkout(checkout):
    (checkout / "result.csv").write_text("untracked files change no code\n")
    assert git_sha(checkout) == git(checkout, "rev-parse", "HEAD")


def test_changed_code_is_marked(checkout):
    (checkout / "code.py").write_text("a = 2\n")
    assert git_sha(checkout) == git(checkout, "rev-parse", "HEAD") + "+changes"


def test_a_folder_that_is_no_checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_sha(tmp_path) == "unknown: not a git checkout"


def test_seconds_are_added_up_by_stage_and_the_verdict_is_printed(monkeypatch, capsys):
    clock = iter([10.0, 12.0, 20.0, 25.0])
    monkeypatch.setattr(hooks.time, "perf_counter", lambda: next(clock))
    logged, nodes = {}, [SimpleNamespace(name=name, tags={"stage"}) for name in "ab"]
    monkeypatch.setattr(mlflow, "active_run", lambda: SimpleNamespace(info=RUN))
    monkeypatch.setattr(mlflow, "set_tags", logged.update)
    monkeypatch.setattr(mlflow, "log_metrics", logged.update)
    pipeline = SimpleNamespace(nodes=nodes, all_outputs=lambda: {"verdict_text"})
    plugin = RunContextHooks()
    plugin.before_pipeline_run(run_params={"project_path": ".", "env": None}, pipeline=pipeline)
    for node in nodes:
        plugin.before_node_run(node=node)
        plugin.after_node_run(node=node)
    catalog = SimpleNamespace(load=lambda name: f"loaded {name}")
    plugin.after_pipeline_run(pipeline=pipeline, catalog=catalog)
    assert logged["seconds_stage"] == 7.0
    assert logged["kedro_env"] == "local"
    assert capsys.readouterr().out == "loaded verdict_text\nMLflow run 42\n"


RUN = SimpleNamespace(run_id="42")


def chained(*errors):
    """The first error, raised from the second, from the third …"""
    for error, cause in pairwise(errors):
        error.__cause__ = cause
    return errors[0]


@pytest.mark.parametrize("refusal", [TrialError("no arms"), ParameterValidationError(["wrong"])])
def test_a_refusal_is_found_however_deep(refusal):
    assert find_refusal(refusal) is refusal
    assert find_refusal(chained(RuntimeError("node"), KeyError("x"), refusal)) is refusal


def test_a_refusal_is_found_behind_an_error_raised_while_handling_it():
    later = RuntimeError("node")
    later.__context__ = refusal = TrialError("no arms")
    assert find_refusal(later) is refusal


def test_an_input_that_no_run_has_made_names_the_pipeline_that_makes_it(monkeypatch):
    monkeypatch.setattr("promo_uplift.cli.pipelines", register_pipelines())
    absent = FileNotFoundError(2, "No such file", "data/08_reporting/experiment_assignment.csv")
    loading = DatasetError("experiment_assignment: Failed while loading data")
    refusal = find_refusal(chained(loading, DatasetError("Failed"), absent))
    assert "`experiment_assignment` must have been made" in str(refusal)
    assert "data/08_reporting/experiment_assignment.csv" in str(refusal)
    assert "kedro run --pipelines experiment`" in str(refusal)
    # a file that no pipeline makes is a defect of the catalog, and is shown as one
    assert find_refusal(chained(DatasetError("nobody_makes_me: Failed"), absent)) is None


def test_a_defect_is_no_refusal():
    assert find_refusal(chained(RuntimeError("node"), ZeroDivisionError())) is None


@pytest.mark.parametrize(
    ("error", "reported"), [(TrialError("no arms"), False), (ZeroDivisionError(), True)]
)
def test_kedros_own_report_of_a_failure_is_dropped_only_for_a_refusal(caplog, error, reported):
    def fail():
        with one_report_of_a_refusal():
            logging.getLogger("kedro.pipeline.node").error("node failed")
            logging.getLogger("promo_uplift").error("our own")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert ("node failed" in caplog.messages) is reported
    assert "our own" in caplog.messages


def test_the_command_shows_a_refusal_as_one_message_and_fails(monkeypatch):
    def refuse(**options):
        raise chained(RuntimeError("node failed"), TrialError("`campaigns` are unknown."))

    monkeypatch.setattr(kedro_run, "callback", refuse)
    result = CliRunner().invoke(cli, ["run"])
    assert result.exit_code == 1
    assert result.output == "Error: TrialError: `campaigns` are unknown.\n"


def test_a_store_that_does_not_answer_is_one_message_with_its_address(monkeypatch):
    def fail(**options):
        raise MlflowException("API request failed")

    monkeypatch.setattr(kedro_run, "callback", fail)
    monkeypatch.setattr("mlflow.get_tracking_uri", lambda: "http://me@host:5000")
    result = CliRunner().invoke(cli, ["run"])
    assert result.exit_code == 1
    assert result.output == (
        "Error: MlflowException: API request failed\n"
        "The store is `http://host:5000`, as MLFLOW_TRACKING_URI or conf/base/mlflow.yml names "
        "it.\n"
    )


def test_an_answer_of_the_store_inside_a_node_is_a_defect():
    assert find_refusal(chained(RuntimeError("node"), MlflowException("no such run"))) is None


def test_the_command_lets_a_defect_through(monkeypatch):
    def fail(**options):
        raise ZeroDivisionError

    monkeypatch.setattr(kedro_run, "callback", fail)
    assert isinstance(CliRunner().invoke(cli, ["run"]).exception, ZeroDivisionError)
