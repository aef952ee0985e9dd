"""What a policy is: a rule that is fitted on some rows and says whom of others to contact."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np
import pandas as pd

from promo_uplift.contracts.parameters import Parameters, PolicyParameters
from promo_uplift.contracts.results import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class PolicyView:
    """What a policy sees of the rows of one mailing list, ``m`` rows.

    No outcome, and no treatment: whom a policy contacts depends on nothing that it is valued by.

    Attributes
    ----------
    covariates : DataFrame (m, p)
        Known before time zero; NaN where missing.
    cate : float64 (m,)
        Predicted effect, in the outcome's unit per household.
    cate_se : float64 (m,)
        Standard error of each prediction; NaN where there is none.
    redemption : float64 (m,)
        P(redeems | contacted).
    response : float64 (m,)
        Predicted outcome, the score of the ``response`` baseline.
    segment : str (m,) or None
        Segment of each row; None where nobody made any.
    groups, campaign : int64 (m,)
        Household and campaign.
    population : int
        Rows of all mailing lists together: what a fixed budget is for.
    mailed : float64 (m,) or None
        The mailing as it was, for ``current`` only.
    """

    covariates: pd.DataFrame
    cate: FloatArray
    cate_se: FloatArray
    redemption: FloatArray
    response: FloatArray
    segment: np.ndarray | None
    groups: IntArray
    campaign: IntArray
    population: int
    mailed: FloatArray | None = None

    def __len__(self) -> int:
        """Return the number of rows ``m``."""
        return len(self.cate)

    def take(self, rows: IntArray) -> PolicyView:
        """Return some of the rows, of the same population."""
        return PolicyView(
            covariates=self.covariates.iloc[rows],
            cate=self.cate[rows],
            cate_se=self.cate_se[rows],
            redemption=self.redemption[rows],
            response=self.response[rows],
            segment=None if self.segment is None else self.segment[rows],
            groups=self.groups[rows],
            campaign=self.campaign[rows],
            population=self.population,
            mailed=None if self.mailed is None else self.mailed[rows],
        )


@dataclass(frozen=True, slots=True)
class PolicyTraining:
    """Rows that a policy is fitted on, none of which it is valued on.

    Attributes
    ----------
    view : PolicyView
        Of the training rows, of several folds.
    fold : int64 (m,)
        Fold of each row: predictions are ranked within a fold only.
    profit, outcome, cost : float64 (m,)
        Doubly robust scores of a contact, per contacted household: USD, the outcome's unit, USD.
    money : PolicyParameters
        Margin and costs.
    """

    view: PolicyView
    fold: IntArray
    profit: FloatArray
    outcome: FloatArray
    cost: FloatArray
    money: PolicyParameters


class FittedPolicy(Protocol):
    """A rule that is ready for rows that it has not seen."""

    def contact(self, *, view: PolicyView) -> FloatArray:
        """Probability of contact of each row ``(m,)``, in [0, 1]; a fraction is a lottery."""
        ...

    def describe(self) -> str:
        """Return the rule in words, one sentence."""
        ...


class Policy(ABC):
    """A policy with its settings, not yet fitted. A file of its own derives from this.

    ``Settings`` is the Pydantic model of its settings in the configuration.
    """

    Settings: ClassVar[type[Parameters]]
    #: One sentence for the documentation.
    summary: ClassVar[str]
    #: Valued by what happened and not by its contacts: the mailing as it was.
    is_the_mailing_as_it_was: ClassVar[bool] = False

    @classmethod
    def variants(cls, settings: Parameters) -> Mapping[str, Self]:
        """Policies of one entry of the configuration, by the ending of their names."""
        return {"": cls(settings)}

    def __init__(self, settings: Parameters) -> None:
        self.settings = settings

    @property
    def needs_errors(self) -> bool:
        """Whether it reads the standard error of an effect."""
        return False

    def lacks(self, *, view: PolicyView, money: PolicyParameters) -> str | None:
        """Say what it cannot do without and these rows or the money lack; None: nothing.

        The policy is then not valued, and the table says why.
        """
        return None

    @abstractmethod
    def fit(self, *, training: PolicyTraining, seed: int) -> FittedPolicy:
        """Fit the rule on training rows; randomness comes with ``seed`` only."""


class NoSettings(Parameters):
    """Settings of a policy that has none."""


class OfAnother(Parameters):
    """Settings of a constraint: ``of`` names the policy that it constrains."""

    of: str


class Constraint(Policy):
    """A policy that changes what another, ``inner``, decides."""

    Settings: ClassVar[type[OfAnother]]

    def __init__(self, settings: OfAnother, inner: Policy) -> None:
        super().__init__(settings)
        self.inner = inner

    @property
    def needs_errors(self) -> bool:
        """Whether the policy reads them that it constrains."""
        return self.inner.needs_errors

    def lacks(self, *, view: PolicyView, money: PolicyParameters) -> str | None:
        """Say what the policy lacks that it constrains."""
        return self.inner.lacks(view=view, money=money)
