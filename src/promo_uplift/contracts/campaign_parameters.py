"""Parameters of the campaign effects: panel, staggered, adjusted, reconciliation, ledger."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from promo_uplift.contracts.parameters import Count, OpenShare, Parameters, Share

CampaignType = Literal["TypeA", "TypeB", "TypeC"]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class PanelParameters(Parameters):
    """The household x week panel and what is estimated on it.

    Attributes
    ----------
    campaign_types : list of str
        Campaigns that are measured.
    pre_weeks, post_weeks : int
        Weeks of the panel before time zero, and the last one after it.
    window_pre_weeks : int
        Weeks before time zero that effects compare with.
    effect_weeks : int
        Weeks from time zero on over which an effect is summed up.
    after_weeks : int
        Weeks after the campaign's end in which forward-buying shows.
    min_pre_weeks, min_arm_households : int
        The least that a campaign needs.
    outcomes : list of str
        Outcomes of two-way fixed effects; ``spend_usd`` also has all diagnostics.
    winsor_shares : list of float
        Shares in each tail that winsorising cuts.
    placebo_weeks : int
        Weeks by which the placebo mailing precedes the real one.
    window_weeks : list of int
        Other lengths of the window before time zero.
    placebo_groups : int
        Draws of controls parted by lot.
    trend_powers : list of float
        Powers for which the detectable drift is stated.
    min_clusters, wild_replicates : int
        Fewest households of a clustered error; draws of the wild bootstrap.
    tail_share, n_influential : float, int
        Of the leave-one-household-out band, and households named.
    """

    campaign_types: list[CampaignType] = Field(min_length=1)
    pre_weeks: Count
    post_weeks: Count
    window_pre_weeks: Count
    effect_weeks: Count
    after_weeks: Count
    min_pre_weeks: Count
    min_arm_households: Annotated[int, Field(ge=2)]
    outcomes: list[str] = Field(min_length=1)
    winsor_shares: list[OpenShare]
    placebo_weeks: Count
    window_weeks: list[Count]
    placebo_groups: Annotated[int, Field(ge=20)]
    trend_powers: list[OpenShare] = Field(min_length=1)
    min_clusters: Annotated[int, Field(ge=2)]
    wild_replicates: Annotated[int, Field(ge=99)]
    tail_share: OpenShare
    n_influential: Count


class StaggeredParameters(Parameters):
    """First mailings over calendar periods, and how far trends may part.

    ``period_weeks`` is the length of a period; ``relative_magnitudes`` and ``smoothness_usd`` the
    grids of HonestDiD (smoothness in USD per household and week).
    """

    campaign_types: list[CampaignType] = Field(min_length=1)
    period_weeks: Count
    control_group: Literal["never_treated", "not_yet_treated"]
    base_period: Literal["universal", "varying"]
    effect_periods: Count
    stack_pre_periods: Count
    propensity_clip: OpenShare
    synthetic_pre_weeks: Annotated[int, Field(ge=2)]
    relative_magnitudes: list[NotNegative] = Field(min_length=1)
    smoothness_usd: list[NotNegative] = Field(min_length=1)
    first_stage_share: OpenShare


class AdjustedParameters(Parameters):
    """Cross-section and matching on each campaign's trial, with nuisances of their own.

    ``logistic_c`` and ``ridge_alphas`` are penalties of the linear nuisances, campaign by campaign;
    ``caliper_sd`` is in standard deviations of the logit propensity.
    """

    pre_days: Annotated[int, Field(ge=28)]
    history_days: Count
    n_folds: Annotated[int, Field(ge=2)]
    propensity_clip: OpenShare
    logistic_c: Positive
    ridge_alphas: list[Positive] = Field(min_length=1)
    caliper_sd: Positive
    calipers_sd: list[Positive]
    trims: list[Annotated[float, Field(ge=0.0, lt=0.5)]]
    rank_tolerance: Positive
    rows_per_column: Positive
    refuter_draws: Annotated[int, Field(ge=2)]
    refuter_subset_share: OpenShare
    benchmarks: list[str] = Field(min_length=1)
    benchmark_multiples: list[Positive]
    variance_ratio_low: Positive
    variance_ratio_high: Positive


class ReconciliationSettings(Parameters):
    """How lenses are compared, and from where a diagnostic speaks against its assumption.

    ``panel``, ``cross_section`` and ``matching`` name the estimators that speak for their lens.
    """

    panel: list[str]
    cross_section: list[str]
    matching: list[str]
    power: OpenShare
    draws: Annotated[int, Field(ge=100)]
    rank_tolerance: Positive
    min_pre_trend_power: Share
    min_overlap_share: Share
    min_matched_share: Share
    max_smd: Positive
    max_se_ratio: Positive
    unadjusted: list[str]


class LedgerSettings(Parameters):
    """How effects become money, and when a campaign is rejected."""

    margin_basis: Literal["revenue", "shelf"]
    profit_window: Literal["effect", "effect_and_after"]
    additivity_tolerance: Positive
    max_p_value: OpenShare
    min_effect_usd: Annotated[float, Field(allow_inf_nan=False)]
    min_roi: Annotated[float, Field(allow_inf_nan=False)]
    discovery: Literal["bh", "by"]


class DefinitionParameters(Parameters):
    """Which definitions of treatment and control are put side by side, on the trials' windows.

    ``category`` is the commodity of ``coupon_exposure``.
    """

    treatments: list[Literal["campaign_targeted", "coupon_exposure", "campaign_participation"]]
    controls: list[Literal["not_targeted", "not_yet_targeted", "never_targeted_before"]]
    category: str


class DoseParameters(Parameters):
    """Discount depth and exposure to displays and mailers, within household and category.

    ``baseline_weeks`` are the first weeks of the data, in which stores and usual products are
    found; ``edges`` the lower edges of the bins of the dose.
    """

    categories: list[str] = Field(min_length=1)
    baseline_weeks: Count
    usual_weeks: Count
    edges: list[Annotated[float, Field(ge=0.0, lt=1.0)]] = Field(min_length=2)
    min_households: Count


class ModeratorParameters(Parameters):
    """For whom a campaign did more: demographics, and traits of the household's store.

    The store is the one with most visits in the first ``store_weeks`` of the data, its size the
    number of households that bought there then, in ``store_groups`` equal groups.
    """

    demographics: list[Literal["demo_age", "demo_income", "demo_household_size", "demo_home_owner"]]
    store_weeks: Count
    store_groups: Annotated[int, Field(ge=2)]
    min_cell: Annotated[int, Field(ge=2)]


class CampaignParameters(Parameters):
    """Everything that the measurement of campaigns is a function of, beside data and seed."""

    panel: PanelParameters
    staggered: StaggeredParameters
    adjusted: AdjustedParameters
    reconciliation: ReconciliationSettings
    ledger: LedgerSettings
    definitions: DefinitionParameters
    doses: DoseParameters
    moderators: ModeratorParameters
