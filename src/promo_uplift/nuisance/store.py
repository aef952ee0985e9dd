"""Nuisances of one data version, kept in a folder under a digest, and trusted only when whole.

A file is a SHA-256 of what follows, then the pickled nuisances. It is written beside its place and
renamed, so a run that is killed leaves the old file or none. A file whose digest does not fit is
computed anew, never read.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from promo_uplift.contracts.results import CrossFittedNuisances

logger = logging.getLogger(__name__)

_DIGEST_BYTES = hashlib.sha256().digest_size


def nuisances_once(
    *, folder: str | None, digest: str, compute: Callable[[], CrossFittedNuisances]
) -> CrossFittedNuisances:
    """Take the nuisances of this digest from the folder; compute and keep them where it has none.

    Parameters
    ----------
    folder : str or None
        Where nuisances are kept, one file a digest; None computes and keeps nothing.
    digest : str
        Of everything that the nuisances are a function of: rows, folds, settings, seed, code.
    compute : callable
        Computes them.

    Returns
    -------
    CrossFittedNuisances
        The same bits either way; ``is_reused`` says which it was.
    """
    if folder is None:
        return compute()
    path = Path(folder) / f"{digest}.pkl"
    kept = _read(path)
    if kept is not None:
        logger.info("Nuisances of this data and these settings are taken from %s.", path)
        return replace(kept, is_reused=True)
    computed = compute()
    _write(path, computed)
    return computed


def _read(path: Path) -> CrossFittedNuisances | None:
    if not path.is_file():
        return None
    content = path.read_bytes()
    stated, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != stated:
        logger.warning(
            "The nuisances in %s are torn or changed (%d bytes, whose SHA-256 does not fit): they "
            "are computed anew.",
            path,
            len(content),
        )
        return None
    kept: CrossFittedNuisances = pickle.loads(payload)  # noqa: S301 - our own file, digest checked
    return kept


def _write(path: Path, nuisances: CrossFittedNuisances) -> None:
    payload = pickle.dumps(nuisances, protocol=5)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.sha256(payload).digest())
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
