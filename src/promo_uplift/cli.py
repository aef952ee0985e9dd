"""`kedro run`, with refusals as one message instead of a traceback."""

from __future__ import annotations

from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.validation.exceptions import ParameterValidationError

from promo_uplift.contracts.errors import PromoUpliftError


def find_refusal(error: BaseException) -> Exception | None:
    """Return the project's own refusal in an exception's chain of causes, if there is one."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, PromoUpliftError | ParameterValidationError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


@click.group(name="promo_uplift")
def cli() -> None:
    """Commands of promo_uplift; all others are Kedro's own."""


@cli.command(name="run", params=kedro_run.params, help=kedro_run.help)
def run(**options: Any) -> Any:
    """Run a pipeline; a refused input ends it with one message and exit code 1."""
    try:
        return kedro_run.callback(**options)
    except Exception as error:
        refusal = find_refusal(error)
        if refusal is None:
            raise
        raise click.ClickException(f"{type(refusal).__name__}: {refusal}") from None
