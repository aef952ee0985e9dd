"""A table that is made block by block, and its file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True, slots=True)
class TableStream:
    """A table that is made block by block, so that it never has to be in memory as a whole.

    Attributes
    ----------
    schema : pyarrow.Schema
    blocks : callable
        Makes the blocks, in order, anew at each call.
    """

    schema: pa.Schema
    blocks: Callable[[], Iterator[pa.Table]]

    def read(self) -> pa.Table:
        """All blocks as one table."""
        return pa.concat_tables([self.schema.empty_table(), *self.blocks()])


def write_stream(*, path: Path, stream: TableStream) -> int:
    """Write a table to a Parquet file, a row group per block, and return the number of rows.

    The file appears under its name only when it is complete; of a failure nothing is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    rows = 0
    try:
        with pq.ParquetWriter(unfinished, stream.schema) as writer:
            for block in stream.blocks():
                writer.write_table(block, row_group_size=max(block.num_rows, 1))
                rows += block.num_rows
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return rows
