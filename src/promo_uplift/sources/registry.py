"""Which forms of the raw data exist: one line each."""

from __future__ import annotations

from typing import Final

from promo_uplift.contracts.errors import SourceError
from promo_uplift.sources.forms import SourceForm
from promo_uplift.sources.original import ORIGINAL
from promo_uplift.sources.package import PACKAGE

SOURCES: Final[dict[str, SourceForm]] = {"package": PACKAGE, "original": ORIGINAL}


def source_form(form: str) -> SourceForm:
    """Return the form of that name, or refuse an unknown one."""
    if form not in SOURCES:
        raise SourceError(f"`form` must be one of {sorted(SOURCES)}, got {form!r}.")
    return SOURCES[form]
