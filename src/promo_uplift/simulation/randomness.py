"""One generator per purpose, so that no draw depends on what else was drawn before it."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, purpose: str, *parts: int) -> np.random.Generator:
    """Return the generator of one purpose and part (a segment of time, a block of households)."""
    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), *parts])
