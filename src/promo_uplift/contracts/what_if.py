"""Other money than the stated one: a grid of costs and margins, and scenarios by name."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, ValidationError, model_validator

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.money import Distribution, Finite, kind_of_amount
from promo_uplift.contracts.parameters import PolicyParameters, Share, Usd
from promo_uplift.contracts.strict import Parameters

Amount = Annotated[
    Annotated[Finite, Tag("number")] | Annotated[Distribution, Tag("distribution")],
    Discriminator(kind_of_amount),
]


class Change(Parameters):
    """What becomes of one amount: ``times`` it, ``plus`` something, or another one (``to``)."""

    times: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] | None = None
    plus: Finite | None = None
    to: Amount | None = None

    @model_validator(mode="after")
    def _one_change(self) -> Change:
        named = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(named) != 1:
            raise ValueError(
                f"a change must be exactly one of `times`, `plus`, `to`; found {named or 'none'}."
            )
        return self

    def of(self, amount: float | Distribution) -> Any:
        """Return the changed amount as it would be configured."""
        if self.to is not None:
            return self.to
        times, plus = 1.0 if self.times is None else self.times, self.plus or 0.0
        if not isinstance(amount, Distribution):
            return amount * times + plus
        return 0.0 if times == 0.0 else amount.changed(times=times, plus=plus)


class Scenario(Parameters):
    """Changes of the stated money; what is not named stays as it is."""

    margin_rate: Change | None = None
    contact_cost_usd: Change | None = None
    redemption_cost_usd: Change | None = None
    retailer_funded_share: Change | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Scenario:
        if not self.changes:
            raise ValueError(
                f"a scenario must change at least one of {list(type(self).model_fields)}."
            )
        return self

    @property
    def changes(self) -> dict[str, Change]:
        """Changes by the amount's name."""
        named = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: change for name, change in named.items() if change is not None}

    def applied(self, *, policy: PolicyParameters, name: str) -> PolicyParameters:
        """Return the money of this scenario.

        Raises
        ------
        PolicyError
            If an amount leaves its range, e.g. a margin below 0.
        """
        changed = {key: change.of(getattr(policy, key)) for key, change in self.changes.items()}
        try:
            return PolicyParameters.model_validate({**policy.model_dump(), **changed})
        except ValidationError as error:
            found = error.errors()[0]
            raise PolicyError(
                f"`what_if.scenarios.{name}` must leave every amount in its range; "
                f"`{found['loc'][0]}` becomes {changed}: {found['msg']}. Change it by less."
            ) from error


class WhatIfParameters(Parameters):
    """Axes of the break-even grid, ascending, and the scenarios; the stated money is always in."""

    contact_costs_usd: list[Usd] = Field(min_length=1)
    margin_rates: list[Share] = Field(min_length=1)
    scenarios: dict[str, Scenario]

    @model_validator(mode="after")
    def _ascending(self) -> WhatIfParameters:
        for name in ("contact_costs_usd", "margin_rates"):
            values = getattr(self, name)
            if any(one >= after for one, after in pairwise(values)):
                raise ValueError(f"`{name}` must ascend, each value once; found {values}.")
        if BASE in self.scenarios:
            raise ValueError(f"`scenarios` must not be named `{BASE}`: that is the stated money.")
        return self


#: Name of the stated money among the scenarios.
BASE = "base"
