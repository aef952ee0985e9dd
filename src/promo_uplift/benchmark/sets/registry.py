"""The outside sets by name, and how one is found below the folder that the user names."""

from __future__ import annotations

import difflib
from pathlib import Path

from promo_uplift.benchmark.sets import (
    acic2016,
    gerber_green_larimer,
    hillstrom,
    ihdp,
    lenta,
)
from promo_uplift.benchmark.sets.bundle import BenchmarkSet, SetSpec, SkippedSet
from promo_uplift.contracts.errors import ConfigurationError

SETS: dict[str, SetSpec] = {
    spec.name: spec
    for spec in (
        acic2016.SPEC,
        ihdp.SPEC,
        *hillstrom.SPECS,
        *lenta.SPECS,
        *gerber_green_larimer.SPECS,
    )
}


def set_spec(name: str) -> SetSpec:
    """Look a set up.

    Raises
    ------
    ConfigurationError
        If it is unknown, with the nearest name and all known ones.
    """
    if name in SETS:
        return SETS[name]
    near = difflib.get_close_matches(name, SETS, n=1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    raise ConfigurationError(
        f"`benchmark.sets` must name known sets; `{name}` is unknown.{hint} "
        f"Known: {', '.join(SETS)}."
    )


def find_set(*, name: str, root: str | Path | None) -> SkippedSet | None:
    """Return why a set cannot be run, or None if its files are there.

    Parameters
    ----------
    name : str
        In :data:`SETS`.
    root : str, Path or None
        The folder that holds the sets' folders (``params:benchmark.root``).

    Raises
    ------
    ConfigurationError
        If the set is unknown.
    """
    spec = set_spec(name)
    if root is None:
        return SkippedSet(name, "no folder named: set `benchmark.root`")
    folder = Path(root) / spec.folder
    if not folder.is_dir():
        return SkippedSet(name, f"no folder `{spec.folder}` below `benchmark.root`")
    wanted = {file for replicate in spec.replicates for file in spec.files(replicate)}
    if missing := sorted(file for file in wanted if not (folder / file).is_file()):
        return SkippedSet(name, f"`{spec.folder}` lacks {', '.join(missing)}")
    return None


def load_set(
    *, name: str, root: str | Path | None, replicate: int = 1
) -> BenchmarkSet | SkippedSet:
    """Load one replicate of a set, or say why not.

    Parameters
    ----------
    name, root
        As in :func:`find_set`.
    replicate : int
        One of the set's replicates.

    Raises
    ------
    ConfigurationError
        If the set or the replicate is unknown.
    SourceError
        If a file is there and not as published, naming file and column.
    """
    spec = set_spec(name)
    if replicate not in spec.replicates:
        raise ConfigurationError(
            f"`replicate` of `{name}` must be one of {list(spec.replicates)}, got {replicate}."
        )
    skipped = find_set(name=name, root=root)
    if skipped is not None or root is None:
        return skipped or SkippedSet(name, "no folder named: set `benchmark.root`")
    return spec.load(Path(root) / spec.folder, replicate)
