"""Money as it is put in: each amount a number, or a distribution where nobody knows the number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator
from scipy import stats

from promo_uplift.contracts.results import FloatArray
from promo_uplift.contracts.strict import Parameters

Finite = Annotated[float, Field(allow_inf_nan=False)]


def _is_none(value: object) -> bool:
    return value is None


class Normal(Parameters):
    """Normal law, truncated to what the amount may be: no cost below 0, no share outside [0, 1].

    ``mean`` and ``sd`` are those before truncation; ``low`` and ``high`` narrow it further.
    """

    mean: Finite
    sd: Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
    low: Finite | None = Field(default=None, exclude_if=_is_none)
    high: Finite | None = Field(default=None, exclude_if=_is_none)

    @model_validator(mode="after")
    def _mean_is_inside(self) -> Normal:
        low, high = self.bounds
        if not (low < high and low <= self.mean <= high):
            raise ValueError(
                f"`mean` must lie between `low` and `high`, and `low` below `high`; found "
                f"mean={self.mean}, low={self.low}, high={self.high}."
            )
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """Bounds of the truncation; infinite where there is none."""
        low = -np.inf if self.low is None else self.low
        return low, np.inf if self.high is None else self.high


class Triangular(Parameters):
    """Triangular law: the least, the likeliest and the largest amount."""

    low: Finite
    mode: Finite
    high: Finite

    @model_validator(mode="after")
    def _in_order(self) -> Triangular:
        if not (self.low <= self.mode <= self.high and self.low < self.high):
            raise ValueError(
                f"`low` <= `mode` <= `high` must hold, with `low` below `high`; found "
                f"low={self.low}, mode={self.mode}, high={self.high}."
            )
        return self


class Uniform(Parameters):
    """Uniform law: any amount between two, each as likely."""

    low: Finite
    high: Finite

    @model_validator(mode="after")
    def _in_order(self) -> Uniform:
        if not self.low < self.high:
            raise ValueError(
                f"`low` must be below `high`, found low={self.low}, high={self.high}. "
                "Write a plain number where it is known."
            )
        return self


class Distribution(Parameters):
    """An amount that is not known: exactly one law, under its name."""

    normal: Normal | None = Field(default=None, exclude_if=_is_none)
    triangular: Triangular | None = Field(default=None, exclude_if=_is_none)
    uniform: Uniform | None = Field(default=None, exclude_if=_is_none)

    @model_validator(mode="after")
    def _one_law(self) -> Distribution:
        named = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(named) != 1:
            raise ValueError(
                "a distribution must name exactly one of `normal`, `triangular`, `uniform`; "
                f"found {named or 'none'}."
            )
        return self

    @property
    def law(self) -> Any:
        """The law as scipy has it, truncated."""
        if self.normal is not None:
            low, high = (
                (bound - self.normal.mean) / self.normal.sd for bound in self.normal.bounds
            )
            return stats.truncnorm(low, high, loc=self.normal.mean, scale=self.normal.sd)
        if self.triangular is not None:
            low, width = self.triangular.low, self.triangular.high - self.triangular.low
            return stats.triang((self.triangular.mode - low) / width, loc=low, scale=width)
        if self.uniform is not None:
            return stats.uniform(self.uniform.low, self.uniform.high - self.uniform.low)
        raise AssertionError("a distribution has a law")  # by the validator

    @property
    def mean(self) -> float:
        """Expected amount, after truncation."""
        return float(self.law.mean())

    @property
    def sd(self) -> float:
        """Standard deviation, after truncation."""
        return float(self.law.std())

    def draw(self, *, size: int, rng: np.random.Generator) -> FloatArray:
        """Independent draws, ``(size,)``."""
        drawn: FloatArray = self.law.rvs(size=size, random_state=rng)
        return drawn

    def changed(self, *, times: float, plus: float) -> dict[str, dict[str, float]]:
        """Return the configuration of ``times * amount + plus``: every law here is closed in it."""
        found = {}
        for name, law in self.model_dump().items():
            moved = {key: value * times + plus for key, value in law.items()}
            found[name] = moved | ({"sd": law["sd"] * times} if "sd" in law else {})
        return found


def _within(found: Distribution, *, low: float, high: float) -> Distribution:
    """Truncate a normal law to the range; refuse another that leaves it."""
    if found.normal is not None:
        own_low, own_high = found.normal.bounds
        bounds = {"low": max(low, own_low), "high": min(high, own_high)}
        finite = {name: bound for name, bound in bounds.items() if np.isfinite(bound)}
        return Distribution(normal=Normal(**{**found.normal.model_dump(), **finite}))
    least, largest = found.law.support()
    if least < low or largest > high:
        raise ValueError(
            f"a distribution must lie within [{low:g}, {high:g}], found {least:g} to {largest:g}. "
            "Narrow its `low` and `high`."
        )
    return found


def _usd(found: Distribution) -> Distribution:
    return _within(found, low=0.0, high=float("inf"))


def _share(found: Distribution) -> Distribution:
    return _within(found, low=0.0, high=1.0)


def kind_of_amount(value: object) -> str:
    """Tell a distribution from a number, so that an error speaks of the one that was meant."""
    return "distribution" if isinstance(value, Mapping | Distribution) else "number"


#: USD of at least 0, known or not.
UsdAmount = Annotated[
    Annotated[float, Field(ge=0.0, allow_inf_nan=False), Tag("number")]
    | Annotated[Distribution, AfterValidator(_usd), Tag("distribution")],
    Discriminator(kind_of_amount),
]
#: A share between 0 and 1, known or not.
ShareAmount = Annotated[
    Annotated[float, Field(ge=0.0, le=1.0), Tag("number")]
    | Annotated[Distribution, AfterValidator(_share), Tag("distribution")],
    Discriminator(kind_of_amount),
]


def expected_amount(amount: float | Distribution) -> float:
    """Return the number itself, or the mean of the distribution."""
    return amount.mean if isinstance(amount, Distribution) else amount


def spread(amount: float | Distribution) -> float:
    """Return the standard deviation of an amount; 0 where it is known."""
    return amount.sd if isinstance(amount, Distribution) else 0.0


@dataclass(frozen=True, slots=True)
class Money:
    """Money at which a decision is taken.

    Attributes
    ----------
    margin_rate : float
        Share of the outcome's value that is margin.
    outcome_value_usd : float
        USD per unit of the outcome.
    contact_cost_usd, redemption_cost_usd : float
        What the retailer pays for one contact, and for one household that redeems: its funded
        share of the redemption's cost.
    budget_usd : float or None
        For all contacts of a run together; None: no limit.
    """

    margin_rate: float
    outcome_value_usd: float
    contact_cost_usd: float
    redemption_cost_usd: float
    budget_usd: float | None

    @property
    def margin_per_unit(self) -> float:
        """Margin on one unit of the outcome, USD; the margin rate where the outcome is in USD."""
        return self.margin_rate * self.outcome_value_usd

    @property
    def break_even_cate_usd(self) -> float:
        """Effect on the outcome at which a contact without redemption pays for itself."""
        margin = self.margin_per_unit
        return float("inf") if margin == 0 else self.contact_cost_usd / margin


@dataclass(frozen=True, slots=True)
class MoneyDraws:
    """Money under which a decision is valued, one draw per replicate; the first is expected money.

    Attributes
    ----------
    margin_per_unit, contact_cost_usd, redemption_cost_usd : float64 (R,)
        As in :class:`Money`.
    """

    margin_per_unit: FloatArray
    contact_cost_usd: FloatArray
    redemption_cost_usd: FloatArray

    @classmethod
    def certain(cls, *, money: Money, replicates: int) -> MoneyDraws:
        """Repeat the same money in the sample and in each of the replicates."""
        known = (money.margin_per_unit, money.contact_cost_usd, money.redemption_cost_usd)
        return cls(*(np.full(1 + replicates, value) for value in known))

    @property
    def expected(self) -> MoneyDraws:
        """The first draw, expected money, in every replicate."""
        amounts = (self.margin_per_unit, self.contact_cost_usd, self.redemption_cost_usd)
        return MoneyDraws(*(np.full_like(one, one[0]) for one in amounts))

    def only(self, replicates: Any) -> MoneyDraws:
        """Return the money of some replicates."""
        return MoneyDraws(
            self.margin_per_unit[replicates],
            self.contact_cost_usd[replicates],
            self.redemption_cost_usd[replicates],
        )

    def cost(self, *, share: FloatArray, redemption: FloatArray) -> FloatArray:
        """Cost, USD per household of the population; replicates are the last axis."""
        return self.contact_cost_usd * share + self.redemption_cost_usd * redemption

    def profit(
        self, *, outcome: FloatArray, share: FloatArray, redemption: FloatArray
    ) -> FloatArray:
        """Profit, USD per household of the population: linear in what a policy gains and spends.

        Parameters
        ----------
        outcome : float64 (..., R)
            Incremental outcome, per household of the population.
        share, redemption : float64 (..., R)
            Households contacted, and those that redeem, per household of the population.
        """
        return self.margin_per_unit * outcome - self.cost(share=share, redemption=redemption)

    def break_even(self, redemption_rate: FloatArray) -> FloatArray:
        """Effect at which a contact pays for itself; infinite where the margin is 0."""
        cost = self.cost(share=np.ones_like(redemption_rate), redemption=redemption_rate)
        pays = self.margin_per_unit > 0.0
        threshold: FloatArray = np.where(
            pays, cost / np.where(pays, self.margin_per_unit, 1.0), np.inf
        )
        return threshold
