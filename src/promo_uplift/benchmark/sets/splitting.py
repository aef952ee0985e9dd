"""Training and held-out rows by the protocol of the published table, and a lot among clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promo_uplift.benchmark.sets.bundle import BenchmarkSet
from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import IntArray


@dataclass(frozen=True, slots=True)
class RowSplit:
    """Rows that are trained on and rows that are held out, in the order of the table.

    Attributes
    ----------
    train, test : int64
        Positions; ``train`` holds the training and the validation part of the protocol.
    """

    train: IntArray
    test: IntArray


def protocol_split(*, strata: IntArray, seed: int, shares: Sequence[float]) -> RowSplit:
    """Split units by stratum: shuffle each by the seed's generator, cut at the rounded shares.

    Strata in ascending order, one generator for all of them, cuts at the rounded cumulative
    shares: the protocol of the published table, so that equal seeds hold out equal rows.

    Parameters
    ----------
    strata : int64 (n,)
        Stratum of each unit.
    seed : int
        Of the split.
    shares : sequence of two floats
        Training and validation share; the rest is held out.

    Raises
    ------
    MetricError
        If the shares leave nothing to hold out.
    """
    first, second = shares
    if first + second >= 1.0:
        raise MetricError(
            f"`training_shares` must leave rows to hold out; {first} + {second} is not below 1."
        )
    rng = np.random.default_rng(seed)
    train, test = [], []
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        rng.shuffle(members)
        cut = round(len(members) * (first + second))
        train.append(members[:cut])
        test.append(members[cut:])
    return RowSplit(
        train=np.sort(np.concatenate(train)).astype(np.int64),
        test=np.sort(np.concatenate(test)).astype(np.int64),
    )


def split_set(*, bench: BenchmarkSet, seed: int, shares: Sequence[float]) -> RowSplit:
    """Split a set: strata are the arm, crossed with a 0/1 outcome; a cluster is never divided.

    Clusters are split by their arm alone: their rows' outcomes differ.
    """
    treatment = bench.frame[bench.treatment].to_numpy(dtype=np.int64)
    if bench.groups is None:
        outcome = bench.frame[bench.outcome].to_numpy()
        strata = 2 * treatment + outcome.astype(np.int64) if bench.is_binary() else treatment
        return protocol_split(strata=strata, seed=seed, shares=shares)
    groups, first, code = np.unique(bench.group_codes(), return_index=True, return_inverse=True)
    split = protocol_split(strata=treatment[first], seed=seed, shares=shares)
    in_test = np.zeros(len(groups), dtype=np.bool_)
    in_test[split.test] = True
    return RowSplit(
        train=np.flatnonzero(~in_test[code]).astype(np.int64),
        test=np.flatnonzero(in_test[code]).astype(np.int64),
    )


def drawn_rows(*, bench: BenchmarkSet, max_groups: int, seed: int) -> IntArray | None:
    """Rows of ``max_groups`` clusters drawn by lot, or None where there are no more of them."""
    groups = bench.group_codes()
    known = np.unique(groups)
    if len(known) <= max_groups:
        return None
    drawn = np.random.default_rng(seed).choice(known, size=max_groups, replace=False)
    return np.flatnonzero(np.isin(groups, drawn)).astype(np.int64)
