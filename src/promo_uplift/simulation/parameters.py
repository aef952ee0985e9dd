"""Every knob of a simulated world, typed: a wrong key, type or range dies before the first draw."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, model_validator

from promo_uplift.contracts.parameters import Count, OpenShare, Parameters, Share
from promo_uplift.contracts.tables import FIRST_DATE, LAST_DATE

EffectFunction = Literal["zero", "constant", "linear", "nonlinear", "sparse", "sign_changing"]
CampaignType = Literal["TypeA", "TypeB", "TypeC"]
Finite = Annotated[float, Field(allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class SpanParameters(Parameters):
    """The dates that a world covers: ``days`` from ``first_date`` (ISO, store-local)."""

    first_date: str
    days: Annotated[int, Field(ge=28)]

    @model_validator(mode="after")
    def _inside_the_publishers_calendar(self) -> SpanParameters:
        first = self.first_day
        last = first + dt.timedelta(days=self.days - 1)
        if first < FIRST_DATE or last > LAST_DATE:
            raise ValueError(
                f"`first_date` and `days` must lie within the publisher's calendar, {FIRST_DATE} "
                f"to {LAST_DATE}; got {first} to {last}."
            )
        return self

    @property
    def first_day(self) -> dt.date:
        """First date of the world."""
        return parsed_date("first_date", self.first_date)


class SpendParameters(Parameters):
    """Size of baskets beyond what the profile says.

    ``tail_variance_share`` of the variance of a household's basket spend comes from rare large
    baskets, ``tail_probability`` of them, Pareto with the index ``tail_index``. ``frailty_scale``
    multiplies the fitted standard deviation of how a household's visits drift from week to week.
    """

    tail_variance_share: Annotated[float, Field(ge=0.0, lt=1.0)]
    tail_probability: OpenShare
    tail_index: Annotated[float, Field(gt=2.0, allow_inf_nan=False)]
    frailty_scale: NotNegative


class EffectParameters(Parameters):
    """What a mailing does to the spend of who is mailed, USD over ``days`` from its start.

    ``mean_usd`` and ``sd_usd`` are over all households; ``sparse`` takes ``sparse_share`` of them.
    """

    function: EffectFunction
    mean_usd: Finite
    sd_usd: NotNegative
    days: Count
    sparse_share: OpenShare
    campaign_types: list[CampaignType] = Field(min_length=1)


class InterferenceParameters(Parameters):
    """What else a mailing does: each is 0 in a world that holds the usual assumptions.

    ``anticipation_usd`` is spent in the ``anticipation_days`` before the start (negative: saved up
    for it); ``forward_buying_share`` of the effect is missing in the ``forward_buying_days`` after
    the campaign's end; ``cannibalisation_usd`` moves from other products to the campaign's;
    ``spillover_share`` is the share of the mean effect that reaches a household that is not mailed
    if everyone else in its store is.
    """

    anticipation_usd: Finite
    anticipation_days: Count
    forward_buying_share: Share
    forward_buying_days: Count
    cannibalisation_usd: NotNegative
    spillover_share: Finite


class TargetingParameters(Parameters):
    """Who is mailed. Confounding 0 is a lottery, 1 is the rule fitted to the real campaigns.

    The list is drawn up ``list_lag_days`` before the start (or when the mailing is first
    anticipated, if that is earlier), on the ``history_days`` before it; mailings of the same type
    over ``repeat_days`` count as repeats. ``min_propensity`` squeezes
    P(mailed) into ``[m, 1 - m]``. ``unobserved_confounding`` is the weight, on the logit, of a
    trait that nobody records, whose unit also multiplies visits by ``exp(unobserved_log_rate)``
    from ``unobserved_lead_days`` before the start until the outcome window ends.
    """

    confounding: NotNegative
    steepness: Positive
    min_propensity: Annotated[float, Field(ge=0.0, lt=0.5)]
    list_lag_days: Annotated[int, Field(ge=0)]
    history_days: Count
    repeat_days: Count
    unobserved_confounding: NotNegative
    unobserved_log_rate: Finite
    unobserved_lead_days: Annotated[int, Field(ge=0)]


class CampaignParameters(Parameters):
    """Which campaigns there are.

    ``single`` is one TypeA campaign from ``single_start``, as long as the profile's campaign
    ``single_like``; ``staggered`` is the profile's whole calendar. ``arm_multipliers`` gives each
    TypeA start that many arms that exclude each other, each with the effect times its multiplier.
    """

    calendar: Literal["single", "staggered"]
    single_start: str
    single_like: int
    mailed_share: OpenShare | None
    arm_multipliers: list[Finite] = Field(min_length=1)

    @model_validator(mode="after")
    def _start_is_a_date(self) -> CampaignParameters:
        parsed_date("single_start", self.single_start)
        return self


class SimulationParameters(Parameters):
    """A simulated world.

    ``outcome_days`` and ``post_days`` are the windows that the truth is stated for; they equal the
    trials'. ``n_products`` and ``promotions_per_week`` are sizes. ``block_households`` are drawn at
    a time: less memory, other draws.
    """

    n_households: Annotated[int, Field(ge=20)]
    span: SpanParameters
    outcome_days: Count
    post_days: Count
    spend: SpendParameters
    effect: EffectParameters
    interference: InterferenceParameters
    targeting: TargetingParameters
    campaigns: CampaignParameters
    missing_demographics_share: Annotated[float, Field(ge=0.0, lt=1.0)] | None
    n_products: Annotated[int, Field(ge=100)]
    promotions_per_week: Count
    block_households: Annotated[int, Field(ge=20)]


def parsed_date(name: str, text: str) -> dt.date:
    """Return an ISO date, or refuse it by the name of its parameter."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"`{name}` must be an ISO date such as 2017-08-08, got {text!r}."
        ) from None


class ProfileParameters(Parameters):
    """How the profile of the real tables is summed up.

    ``grid_points`` quantiles per distribution; product cells below ``min_cell_share`` of the lines
    are left out; the targeting rule is fitted to campaigns with
    ``history_days`` of data before them, earlier mailings counted over ``repeat_days``.
    """

    grid_points: Annotated[int, Field(ge=11)]
    min_cell_share: OpenShare
    history_days: Count
    repeat_days: Count
