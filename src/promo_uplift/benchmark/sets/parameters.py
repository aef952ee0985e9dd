"""Settings of a run over the outside sets."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from promo_uplift.contracts.parameters import Count, OpenShare, Parameters


class OutsideParameters(Parameters):
    """Which outside sets are run, how they are split, and how ours is sized on them.

    Attributes
    ----------
    root : str or None
        Folder that holds the sets' folders; None: every set is skipped, and said so.
    sets : list of str
        Names in the registry of sets.
    seeds : list of int
        Seeds of the splits of a randomised set, and of the replicates of ``all_seeds``.
    all_seeds : list of int
        Replicates of a simulated set that are split by every seed; the others by the first.
    training_shares : list of two floats
        Shares of the training and the validation part; ours and the peers train on both, the
        rest is held out.
    max_groups : int
        Clusters at most that are used of a set; more are drawn by lot, and said so.
    large_rows : int
        Training rows from which ``large_folds`` and ``large_trials`` replace the table's own.
    large_folds, small_trials, large_trials : int
        Folds of the nuisances on large sets; Optuna trials of each study on small and large ones.
    left_out_of_large : list of str
        Learners, ours and the peers', that are too slow for large sets.
    evidence : float
        Confidence of the one-sided test against ``constant`` that a champion has to pass.
    uplift_shares : list of float
        Shares of uplift at k.
    calibration_bins, calibration_min_arm : int
        Bins of the published calibration slope, and rows of each arm that a bin must have.
    tie_seed : int
        Seed of the order of tied rows under the published definition.
    tie_orders : int
        Orders over which a ranking that ties all rows is averaged there.
    bootstrap_replicates : int
        Of test rows, and of replicates and seeds in the comparison.
    level : float
        Confidence level of every interval.
    peers : bool
        Whether econml's and causalml's learners are run.
    """

    root: str | None
    sets: list[str] = Field(min_length=1)
    seeds: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)
    all_seeds: list[Count]
    training_shares: list[OpenShare] = Field(min_length=2, max_length=2)
    max_groups: Count
    large_rows: Count
    large_folds: Annotated[int, Field(ge=3)]
    small_trials: Annotated[int, Field(ge=0)]
    large_trials: Annotated[int, Field(ge=0)]
    left_out_of_large: list[str]
    evidence: OpenShare
    uplift_shares: list[OpenShare] = Field(min_length=1)
    calibration_bins: Annotated[int, Field(ge=2)]
    calibration_min_arm: Count
    tie_seed: Annotated[int, Field(ge=0)]
    tie_orders: Count
    bootstrap_replicates: Annotated[int, Field(ge=50)]
    level: OpenShare
    peers: bool
