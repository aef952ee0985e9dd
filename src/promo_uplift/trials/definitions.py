"""What a treatment or control definition states of itself, beside what it computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Definition:
    """Facts about a definition that reports and checks read.

    Attributes
    ----------
    name : str
        Its name in ``TrialParameters``.
    kind : {"binary", "continuous"}
        Two arms, or a dose per household, category and week.
    is_decided_after_time_zero : bool
        Whether what happens at or after time zero has a part in it. Such a treatment can be
        described, not estimated: what moves the outcome may have moved the treatment.
    outcome : str
        The outcome that it is meant for.
    sentence : str
        The definition in one sentence.
    """

    name: str
    kind: Literal["binary", "continuous"]
    is_decided_after_time_zero: bool
    outcome: str
    sentence: str
