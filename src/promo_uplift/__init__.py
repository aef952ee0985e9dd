"""From raw grocery transactions to a promotion-targeting decision that can be defended."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promo_uplift import checks
    from promo_uplift.door import analyse

__version__ = "0.1.0"
__all__ = ["__version__", "analyse", "checks"]


def __getattr__(name: str) -> Any:
    """Import what is asked for, and not before: Kedro sets its environment first."""
    if name == "checks":
        return import_module("promo_uplift.checks")
    if name == "analyse":
        from promo_uplift.door import analyse  # noqa: PLC0415

        return analyse
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
