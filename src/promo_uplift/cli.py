"""`kedro run`, with refusals as one message instead of a traceback; `kedro ipython` at home."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any, Final

import click
from kedro.framework.cli.project import ipython as kedro_ipython
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.project import pipelines
from kedro.io import DatasetError
from kedro.utils import find_kedro_project
from kedro.validation.exceptions import ParameterValidationError

from promo_uplift.contracts.errors import ConfigurationError, PromoUpliftError
from promo_uplift.provenance import without_password

#: Kedro's loggers that report a failed run, each in its own words.
FAILURE_LOGGERS: Final = ("kedro.pipeline.node", "kedro.runner", "kedro.validation")


def find_refusal(error: BaseException) -> Exception | None:
    """Return the project's own refusal in an exception's chain of causes, or the store's."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, PromoUpliftError | ParameterValidationError):
            return cause
    loading = next((one for one in causes if isinstance(one, DatasetError)), None)
    absent = next((one for one in causes if isinstance(one, FileNotFoundError)), None)
    if loading is not None and absent is not None:
        return _missing_input(loading, absent)
    return error if isinstance(error, Exception) and is_of_the_store(error) else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _missing_input(loading: DatasetError, absent: FileNotFoundError) -> ConfigurationError | None:
    """Say which pipeline makes what a run wants to read and does not find."""
    name = str(loading).split(":", maxsplit=1)[0]
    makers = {
        pipeline: len(made.nodes) for pipeline, made in pipelines.items() if name in made.outputs()
    } or {
        pipeline: len(made.nodes)
        for pipeline, made in pipelines.items()
        if name in made.all_outputs()
    }
    if not makers:
        return None
    return ConfigurationError(
        f"`{name}` must have been made by an earlier run; found no file {absent.filename}. Run "
        f"`kedro run --pipelines {min(makers, key=lambda one: makers[one])}` first, in the same "
        "environment."
    )


def is_of_the_store(error: BaseException) -> bool:
    """Whether the tracking store failed, and not a dataset or node of the project."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - slow to import

    return isinstance(error, MlflowException)


def refusal_text(refusal: Exception) -> str:
    """Return the one message: the project's own, or Kedro's on parameters with what to do."""
    text = f"{type(refusal).__name__}: {refusal}"
    if isinstance(refusal, ParameterValidationError):
        text = re.sub(r"\n *For further information visit \S+", "", text)
        text += "\nCorrect it in conf/, or in --params."
    if is_of_the_store(refusal):
        import mlflow  # noqa: PLC0415 - slow to import

        address = without_password(mlflow.get_tracking_uri())
        text += (
            f"\nThe store is `{address}`, as MLFLOW_TRACKING_URI or conf/base/mlflow.yml names it."
        )
    return text


@contextmanager
def one_report_of_a_refusal() -> Iterator[None]:
    """Hold Kedro's own reports of a failure back; drop them if it is a refusal of the project."""
    held: list[logging.LogRecord] = []

    def hold(record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or not record.name.startswith(FAILURE_LOGGERS):
            return True
        held.append(record)
        return False

    handlers = list(logging.getLogger().handlers)
    for handler in handlers:
        handler.addFilter(hold)
    try:
        yield
    except Exception as error:
        if find_refusal(error) is not None:
            held.clear()
        raise
    finally:
        for handler in handlers:
            handler.removeFilter(hold)
        for record in held:
            logging.getLogger(record.name).handle(record)


@click.group(name="promo_uplift")
def cli() -> None:
    """Commands of promo_uplift; all others are Kedro's own."""


@cli.command(name="run", params=kedro_run.params, help=kedro_run.help)
def run(**options: Any) -> Any:
    """Run a pipeline; a refused input ends it with one message and exit code 1."""
    try:
        with one_report_of_a_refusal():
            return kedro_run.callback(**options)
    except Exception as error:
        refusal = find_refusal(error)
        if refusal is None:
            raise
        raise click.ClickException(refusal_text(refusal)) from None


@cli.command(name="reproduce")
@click.argument("run_id")
@click.option(
    "--current-code",
    is_flag=True,
    help="Run the code of this checkout as it is, instead of the run's commit.",
)
@click.option("--tracking-uri", help="Store that holds the run, where conf/ names another.")
def reproduce(run_id: str, current_code: bool, tracking_uri: str | None) -> None:
    """Run a tracked run again from what it logged, and compare every figure.

    Ends with exit code 0 only where every figure is the same to the last bit.
    """
    from promo_uplift.reproduction import reproduce as run_again  # noqa: PLC0415 - slow to import

    try:
        is_same = run_again(
            run_id=run_id,
            project=Path(find_kedro_project(Path.cwd()) or Path.cwd()).resolve(),
            tracking_uri=tracking_uri,
            current_code=current_code,
            say=click.echo,
        )
    except PromoUpliftError as refusal:
        raise click.ClickException(refusal_text(refusal)) from None
    if not is_same:
        raise SystemExit(1)


def start_ipython(*arguments: Any, **options: Any) -> Any:
    """Start the IPython beside this interpreter: Kedro takes the first on the PATH, whosever."""
    beside = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join((beside, os.environ.get("PATH", os.defpath)))
    return kedro_ipython.callback(*arguments, **options)


ipython = copy(kedro_ipython)
ipython.callback = start_ipython
cli.add_command(ipython)
