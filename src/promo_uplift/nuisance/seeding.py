"""One seed per purpose, so that work can be split, resumed or reordered without a change."""

from __future__ import annotations

import zlib

import numpy as np


def derived_seed(*, seed: int, purpose: str, index: tuple[int, ...] = ()) -> int:
    """Seed of one piece of work, a pure function of the run's seed and the work's name.

    Parameters
    ----------
    seed : int
        Seed of the run, at least 0.
    purpose : str
        What the seed is for, e.g. ``"nuisance/propensity"``.
    index : tuple of int
        Which repetition: fold, trial, replicate.

    Returns
    -------
    int
        A seed in ``[0, 2**31)``, the range that LightGBM takes.
    """
    entropy = [seed, zlib.crc32(purpose.encode()), *index]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint32)[0] >> 1)


def derived_rng(*, seed: int, purpose: str, index: tuple[int, ...] = ()) -> np.random.Generator:
    """Return a generator seeded by :func:`derived_seed`."""
    return np.random.default_rng(derived_seed(seed=seed, purpose=purpose, index=index))
