"""What every run leaves behind besides its results: seconds by stage, commit, and the verdict."""

from __future__ import annotations

import logging
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
import mlflow
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro_mlflow.framework.hooks.mlflow_hook import MlflowHook

from promo_uplift.contracts.errors import ConfigurationError
from promo_uplift.contracts.parameters import (
    CheckParameters,
    EstimationParameters,
    PoliciesParameters,
    PolicyParameters,
    TuningParameters,
)
from promo_uplift.provenance import (
    PACKAGES_FILE,
    PARAMETERS_FILE,
    flattened,
    git_sha,
    package_versions,
    parameters_text,
)

#: Texts that a run ends with: the verdict on the decision, or on the effects where nothing was
#: decided; what to do and the next experiment; then of whatever else it looked at.
VERDICT_TEXTS = (
    ("verdict_text", "effect_verdict_text"),
    ("recommendation_text", "experiment_text"),
    ("campaign_verdict_text",),
    ("prospective_text",),
    ("experiment_verdict_text",),
    ("scoring_text",),
    ("arm_allocation_text",),
)
#: Records whose verdict and findings become tags.
VERDICT_RECORDS = ("effect_verdict", "campaign_verdict", "prospective_verdict")
#: What a tracking store takes at once.
PARAMETERS_PER_BATCH = 100
#: Tells the registry, which Kedro calls without arguments, the environment of the run.
DOOR = "PROMO_UPLIFT_ENVIRONMENT"
logger = logging.getLogger(__name__)


def refuse_unknown_parameters(*, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a top-level parameter that no node of any pipeline reads.

    Keys below the top level are refused by the typed parameters themselves.

    Raises
    ------
    ConfigurationError
        Naming the key and the nearest known ones.
    """
    known = sorted(known)
    for name in sorted(given):
        if name not in known:
            near = get_close_matches(name, known)
            raise ConfigurationError(
                f"`{name}` is not a parameter of any pipeline. "
                + (f"Did you mean {' or '.join(f'`{n}`' for n in near)}? " if near else "")
                + f"Known are: {', '.join(known)}."
            )


def top_level(names: Iterable[str]) -> set[str]:
    """Names of the top-level parameters among dataset names (``params:policy.margin_rate``).

    Those that start with an underscore are templates for others.
    """
    parameters = (name.removeprefix("params:") for name in names if name.startswith("params:"))
    return {name.split(".")[0] for name in parameters if not name.startswith("_")}


def refuse_unknown_names(
    *, estimation: Any, checks: Any, policies: Any = None, policy: Any = None
) -> None:
    """Refuse learners, checks, policies that no registry knows, where the parameters are typed.

    Raises
    ------
    LearnerError, CheckError, PolicyError
        Naming them.
    """
    # settings load this module: what follows is slow to import, and not every command needs it
    from promo_uplift.checks import validate_check_parameters  # noqa: PLC0415
    from promo_uplift.policy import check_policies  # noqa: PLC0415
    from promo_uplift.tuning import check_configured_learners  # noqa: PLC0415

    if isinstance(estimation, EstimationParameters):
        check_configured_learners(estimation.learners)
    if isinstance(checks, CheckParameters):
        validate_check_parameters(checks)
    if isinstance(policies, PoliciesParameters) and isinstance(policy, PolicyParameters):
        replicates = getattr(estimation, "interval_replicates", None)
        check_policies(policies=policies, policy=policy, interval_replicates=replicates)


def warm_start_leaves(tuning: Any) -> dict[str, Any]:
    """Content of the warm start under dotted names: the run is a function of it, not of a path.

    Raises
    ------
    ConfigurationError
        If the file is missing or holds something else.
    """
    from promo_uplift.tuning import read_warm_start  # noqa: PLC0415 - as above

    if not isinstance(tuning, TuningParameters):
        return {}
    return flattened("tuning.warm_start", read_warm_start(tuning.warm_start))


def verdict_tags(*, name: str, record: Mapping[str, Any]) -> dict[str, str]:
    """Tags of a verdict: itself, and the codes of the checks that failed."""
    return {name: str(record["verdict"]), f"{name}_reasons": ", ".join(record["failed"]) or "none"}


class TrackingHooks(MlflowHook):
    """kedro-mlflow's own hooks, but for parameters: a typed one would be logged as one text.

    Then two runs would differ in that text and in the leaf; :class:`RunContextHooks` logs leaves.
    """

    @hook_impl
    def before_node_run(
        self, node: Any, catalog: Any, inputs: dict[str, Any], is_async: bool
    ) -> None:
        """Reopen the run at a node, and log none of its inputs."""
        super().before_node_run(node=node, catalog=catalog, inputs={}, is_async=is_async)


class RunContextHooks:
    """Times the stages, tags the MLflow run, and prints the verdict last."""

    def __init__(self) -> None:
        self._stages: dict[str, tuple[str, ...]] = {}
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._started: dict[str, float] = {}
        self._given: dict[str, Any] = {}
        self._warm_start: dict[str, Any] = {}

    @hook_impl
    def after_context_created(self, context: Any) -> None:
        """Let the environment choose the door through which data comes, before pipelines load."""
        if os.environ.get(DOOR) != context.env:
            os.environ[DOOR] = context.env
            pipelines.configure(f"{__package__}.pipeline_registry")

    @hook_impl
    def after_catalog_created(self, parameters: dict[str, Any]) -> None:
        """Refuse a misspelt parameter, learner, check or policy before a run is opened."""
        read = {name for pipeline in pipelines.values() for name in pipeline.inputs()}
        refuse_unknown_parameters(given=top_level(parameters), known=top_level(read))
        self._given = {name: parameters[f"params:{name}"] for name in sorted(top_level(parameters))}
        self._warm_start = warm_start_leaves(parameters.get("params:tuning"))
        refuse_unknown_names(
            estimation=parameters.get("params:estimation"),
            checks=parameters.get("params:checks"),
            policies=parameters.get("params:policies"),
            policy=parameters.get("params:policy"),
        )

    @hook_impl(trylast=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Any) -> None:
        """Tag the run that kedro-mlflow has opened by now."""
        self._seconds.clear()
        self._stages = {node.name: tuple(sorted(node.tags)) for node in pipeline.nodes}
        if mlflow.active_run() is not None:
            mlflow.set_tags(
                {
                    "git_sha": git_sha(Path(str(run_params["project_path"]))),
                    "kedro_env": run_params.get("env") or "local",
                }
            )
            self._log_what_decides_the_figures()

    def _log_what_decides_the_figures(self) -> None:
        """Log parameters, flat to compare and typed to run again, and the libraries' versions."""
        if not self._given:
            return
        leaves = [
            leaf for name, value in self._given.items() for leaf in flattened(name, value).items()
        ]
        leaves += self._warm_start.items()
        for start in range(0, len(leaves), PARAMETERS_PER_BATCH):
            mlflow.log_params(dict(leaves[start : start + PARAMETERS_PER_BATCH]))
        mlflow.log_text(parameters_text(self._given), PARAMETERS_FILE)
        mlflow.log_dict(package_versions(), PACKAGES_FILE)

    @hook_impl
    def before_node_run(self, node: Any) -> None:
        """Start a node's clock."""
        self._started[node.name] = time.perf_counter()

    @hook_impl
    def after_node_run(self, node: Any) -> None:
        """Add a node's seconds to its stage."""
        seconds = time.perf_counter() - self._started[node.name]
        for stage in self._stages.get(node.name, ()):
            self._seconds[stage] += seconds
        logger.info("%-22s %6.1f s", node.name, seconds)

    @hook_impl(tryfirst=True)
    def after_pipeline_run(self, pipeline: Any, catalog: Any) -> None:
        """Log the stages' seconds while the run is open; print the verdict."""
        if mlflow.active_run() is not None:
            mlflow.log_metrics({f"seconds_{stage}": s for stage, s in self._seconds.items()})
        outputs = pipeline.all_outputs()
        for record in VERDICT_RECORDS:
            if record in outputs and mlflow.active_run() is not None:
                mlflow.set_tags(verdict_tags(name=record, record=catalog.load(record)))
        printed = [next((t for t in texts if t in outputs), None) for texts in VERDICT_TEXTS]
        for text in filter(None, printed):
            click.echo(catalog.load(text))
        run = mlflow.active_run()
        if any(printed) and run is not None:
            click.echo(f"MLflow run {run.info.run_id}")
