"""What a form of the raw data declares, so that one code reads every form.

Each form turns its raw tables into uniform ones: canonical column names, store-local dates, the
original's campaign ids and discounts as amounts given. Nothing has been removed, mapped to codes
or sampled there yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import ibis.expr.types as ir

from promo_uplift.sources.raw import RawColumn

DISCOUNTS: Final = (
    "retail_discount_usd",
    "coupon_discount_usd",
    "coupon_match_discount_usd",
)


@dataclass(frozen=True, slots=True)
class SourceForm:
    """One form of the raw data.

    Attributes
    ----------
    name : str
        Its name in the configuration.
    stems : dict
        Raw table -> name of its file without the ending.
    columns : dict
        Raw table -> the columns that it must have.
    to_uniform : callable
        Turns the raw tables (already renamed) into uniform ones.
    known_rows, known_sha256 : dict
        Raw table -> the publisher's count of rows and digest of the file, where known.
    discount_sign : int
        -1 where discounts are stored as amounts taken off the price, 1 where as amounts given.
    """

    name: str
    stems: dict[str, str]
    columns: dict[str, tuple[RawColumn, ...]]
    to_uniform: Callable[[dict[str, ir.Table]], dict[str, ir.Table]]
    known_rows: dict[str, int]
    known_sha256: dict[str, str]
    discount_sign: int


def discounts_given(table: ir.Table, sign: int) -> dict[str, ir.Value]:
    """Discounts as amounts given to the customer; a negative one has the wrong sign in the file."""
    return {name: 0.0 + sign * table[name] for name in DISCOUNTS}
