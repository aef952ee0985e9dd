"""Contact the segments that are profitable beyond doubt."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pandas as pd
from pydantic import Field

from promo_uplift.contracts.parameters import OpenShare, Parameters, PolicyParameters
from promo_uplift.contracts.results import FloatArray
from promo_uplift.effects.clustered import clustered_mean
from promo_uplift.policy.rules.base import Policy, PolicyTraining, PolicyView

UNKNOWN = "unknown"


class SegmentSettings(Parameters):
    """How rows fall into segments, and when a segment is contacted.

    Attributes
    ----------
    by : list of str
        Covariates whose ranges, crossed, are the segments; empty: segments that were given.
    quantiles : list of float
        Where each covariate's range is cut, quantiles of the training rows.
    level : float
        Of the two-sided interval of a segment's mean profit, clustered by household.
    min_rows : int
        Training rows below which a segment is not contacted.
    """

    by: list[str]
    quantiles: list[OpenShare] = Field(min_length=1)
    level: OpenShare
    min_rows: int = Field(ge=2)


class Segments(Policy):
    """Contact segments whose mean doubly robust training profit has a low end above 0."""

    Settings: ClassVar = SegmentSettings
    settings: SegmentSettings
    summary: ClassVar = "Segments whose training profit is above 0 with its whole interval."

    def lacks(self, *, view: PolicyView, money: PolicyParameters) -> str | None:
        """Say which covariates are absent, or that nobody made segments."""
        if not self.settings.by:
            return "It needs segments, and nobody made any." if view.segment is None else None
        return lacks_covariates(names=self.settings.by, view=view)

    def fit(self, *, training: PolicyTraining, seed: int) -> FittedSegments:
        """Cut the covariates and value each segment."""
        chosen = self.settings
        cuts = {
            name: np.unique(training.view.covariates[name].quantile(chosen.quantiles).dropna())
            for name in chosen.by
        }
        labels = segment_labels(view=training.view, cuts=cuts)
        profitable, n_small = [], 0
        names = sorted(set(labels))
        for name in names:
            rows = labels == name
            n_households = len(np.unique(training.view.groups[rows]))
            if rows.sum() < chosen.min_rows or n_households < 2:
                n_small += 1
                continue
            mean = clustered_mean(values=training.profit[rows], groups=training.view.groups[rows])
            if mean.interval(level=chosen.level).ci_low > 0.0:
                profitable.append(name)
        return FittedSegments(cuts, tuple(profitable), len(names), n_small)


@dataclass(frozen=True, slots=True)
class FittedSegments:
    """The rule.

    Attributes
    ----------
    cuts : dict of float64
        Where each covariate's range is cut.
    contacted : tuple of str
        Segments that are contacted.
    n_segments, n_small : int
        Segments of the training rows, and those of them with too few rows to be judged.
    """

    cuts: dict[str, FloatArray]
    contacted: tuple[str, ...]
    n_segments: int
    n_small: int

    def contact(self, *, view: PolicyView) -> FloatArray:
        """Contact the rows of the segments; a segment that training never saw is not contacted."""
        labels = segment_labels(view=view, cuts=self.cuts)
        return np.isin(labels, self.contacted).astype(np.float64)

    def describe(self) -> str:
        """Return the segments that are contacted."""
        small = f"; {self.n_small} have too few rows to be judged" if self.n_small else ""
        counted = f"{len(self.contacted)} of {self.n_segments} segments{small}"
        if not self.contacted:
            return f"Contact nobody: no segment's profit is above 0 beyond doubt ({counted})."
        return f"Contact if {'; or if '.join(self.contacted)} ({counted})."


def lacks_covariates(*, names: list[str], view: PolicyView) -> str | None:
    """Say which covariates are absent, where some are."""
    absent = [name for name in names if name not in view.covariates.columns]
    return f"It needs covariates that this data lacks: {', '.join(absent)}." if absent else None


def segment_labels(*, view: PolicyView, cuts: dict[str, FloatArray]) -> np.ndarray:
    """Segment of each row in words, ``(m,)``: the ranges of its covariates, or what was given."""
    if not cuts:
        return np.asarray([str(one) for one in view.segment], dtype=object)  # type: ignore[union-attr]
    parts = [
        _ranges(name=name, values=view.covariates[name], at=edges) for name, edges in cuts.items()
    ]
    return np.asarray([" and ".join(words) for words in zip(*parts, strict=True)], dtype=object)


def _ranges(*, name: str, values: pd.Series, at: FloatArray) -> np.ndarray:
    edges = [f"{one:.6g}" for one in at]
    words = [f"{name} <= {edges[0]}"] if edges else [f"{name} known"]
    words += [f"{low} < {name} <= {high}" for low, high in pairwise(edges)]
    words += [f"{name} > {edges[-1]}"] if edges else []
    place = np.searchsorted(at, values.to_numpy(dtype=np.float64), side="left")
    return np.where(
        values.isna().to_numpy(),
        f"{name} {UNKNOWN}",
        np.asarray(words, dtype=object)[np.minimum(place, len(words) - 1)],
    )
