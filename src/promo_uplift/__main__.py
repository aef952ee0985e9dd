"""`promo-uplift` and `python -m promo_uplift`: run, reproduce, without the `kedro` executable."""

from pathlib import Path

from kedro.framework.project import configure_project
from kedro.framework.startup import bootstrap_project


def main() -> None:
    """Run the project's command line from its root folder."""
    bootstrap_project(Path.cwd())
    configure_project("promo_uplift")
    from promo_uplift.cli import cli  # noqa: PLC0415 - settings must be configured first

    cli()


if __name__ == "__main__":
    main()
