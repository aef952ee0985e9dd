"""Every number of the next experiment: its size, lots, value, and how its result is judged."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from promo_uplift.contracts.parameters import Count, OpenShare, Parameters, Usd

Multiple = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class ExperimentParameters(Parameters):
    """Design, assignment and analysis of the experiment that would settle the decision.

    Attributes
    ----------
    question : {"mailing", "targeting"}
        Which question decides the size.
    control_share : float or "optimal"
        Share of each stratum that is not mailed; "optimal" minimises the error for the cost.
    unit_cost_usd, fixed_cost_usd : float
        Cost of following one household in either arm, and of running the experiment at all.
    n_strata : int
        Quantile bins of the predicted effect.
    segment : str or None
        Covariate whose values split the strata further.
    min_arm_households : int
        Households in each arm of each stratum at least.
    max_waves : int
        Mailings over which the experiment may run, each with lots of its own.
    days_between_waves : int
        Days from the end of one outcome window to the next mailing.
    horizon_campaigns : int
        Campaigns to come that the decision is for.
    prior_inflation : float
        Factor on the standard error of the present estimate: room for hidden confounding.
    effect_multiples : list of float
        True effects of the power table, as multiples of the effect worth finding.
    power_points : int
        Sizes of the power table.
    max_smd : float
        Largest standardised mean difference between arms that the lots may leave.
    min_joint_p_value : float
        Below it the lots are drawn again: all covariates together lie too far apart.
    max_draws : int
        Draws of the lots of a wave at most.
    min_ratio_p_value : float
        Below this p-value the arms of the result are not those that were drawn.
    min_attrition_p_value : float
        Below it the arms lost outcomes at different rates.
    max_missing_share : float
        Share of the assigned households without an outcome at most.
    """

    question: Literal["mailing", "targeting"]
    control_share: OpenShare | Literal["optimal"]
    unit_cost_usd: Usd
    fixed_cost_usd: Usd
    n_strata: Count
    segment: str | None
    min_arm_households: Annotated[int, Field(ge=2)]
    max_waves: Count
    days_between_waves: Annotated[int, Field(ge=0)]
    horizon_campaigns: Count
    prior_inflation: Annotated[float, Field(ge=1.0, allow_inf_nan=False)]
    effect_multiples: list[Multiple] = Field(min_length=1)
    power_points: Annotated[int, Field(ge=2)]
    max_smd: Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
    min_joint_p_value: Annotated[float, Field(ge=0.0, lt=1.0)]
    max_draws: Count
    min_ratio_p_value: OpenShare
    min_attrition_p_value: OpenShare
    max_missing_share: OpenShare
