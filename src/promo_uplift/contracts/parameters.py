"""Every number of the configuration, typed: a wrong key, type or range dies before the first node.

Strict: no coercion, no unknown key. Kedro builds these from ``conf/`` because the nodes' arguments
are annotated with them.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import ConfigDict, Field, field_validator, model_validator

from promo_uplift.contracts.money import (
    Distribution,
    Money,
    MoneyDraws,
    ShareAmount,
    UsdAmount,
    expected_amount,
)
from promo_uplift.contracts.results import Interval
from promo_uplift.contracts.strict import Parameters as Parameters  # noqa: PLC0414 - for importers

Share = Annotated[float, Field(ge=0.0, le=1.0)]
OpenShare = Annotated[float, Field(gt=0.0, lt=1.0)]
Count = Annotated[int, Field(ge=1)]
Size = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Hour = Annotated[int, Field(ge=0, le=24)]
Usd = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Outcome = Literal["spend_usd", "target_spend_usd", "other_spend_usd", "all_sales_usd", "outcome"]
Scalar = str | int | float | bool
VerdictName = Literal["publish", "bounds_only", "experiment_needed", "refuse"]


#: Always in the leaderboard: no model is read without them.
BASELINES = ("zero", "constant", "response", "random")


class SourceParameters(Parameters):
    """Where the data comes from and how much of it is used.

    ``promotions`` False leaves out the optional table of displays and mailers, by far the largest.
    """

    form: Literal["package", "original"]
    folder: str | None
    promotions: bool = True
    household_sample: Count | None = None


class TrialParameters(Parameters):
    """Who is in a trial, and its windows in days relative to the campaign's start.

    ``category`` is a commodity of the products: whose coupons ``coupon_exposure`` is about, and
    None for every other definition.
    """

    treatment_definition: Literal[
        "campaign_targeted",
        "coupon_exposure",
        "campaign_participation",
        "discount_depth",
        "display_mailer_exposure",
    ]
    control_definition: Literal["not_targeted", "not_yet_targeted", "never_targeted_before"]
    category: str | None = None
    campaign_types: list[Literal["TypeA", "TypeB", "TypeC"]] = Field(min_length=1)
    campaigns: list[int] | None = None
    pre_days: Annotated[int, Field(ge=28)]
    history_days: Count
    outcome_days: Count
    post_days: Count
    placebo_shift_days: Count
    washout_days: Annotated[int, Field(ge=0)]
    min_arm_households: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _category_is_for_coupon_exposure(self) -> TrialParameters:
        if (self.treatment_definition == "coupon_exposure") != (self.category is not None):
            raise ValueError(
                "`category` must name a commodity with `treatment_definition` 'coupon_exposure' "
                f"and be null with any other, got {self.category!r} with "
                f"{self.treatment_definition!r}."
            )
        return self


class LightGBMParameters(Parameters):
    """Size of a gradient-boosted base model (LightGBM's own names)."""

    n_estimators: Count
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)]
    num_leaves: Annotated[int, Field(ge=2)]
    min_child_samples: Count
    reg_lambda: Annotated[float, Field(ge=0.0)]
    colsample_bytree: Annotated[float, Field(gt=0.0, le=1.0)]
    max_bin: Annotated[int, Field(ge=2, le=65535)] = 255


class Dimension(Parameters):
    """One axis of a search space."""

    kind: Literal["int", "float", "categorical"]
    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    choices: list[str | int | float | bool] | None = None

    @model_validator(mode="after")
    def _bounds_fit_the_kind(self) -> Dimension:
        if self.kind == "categorical":
            if not self.choices:
                raise ValueError("`choices` must list at least one value for kind 'categorical'.")
        elif self.low is None or self.high is None or not self.low < self.high:
            raise ValueError(
                f"`low` must be below `high` for kind '{self.kind}', "
                f"got low={self.low}, high={self.high}."
            )
        elif self.log and self.low <= 0:
            raise ValueError(f"`low` must be above 0 on a log scale, got {self.low}.")
        return self


def _is_none(value: str | None) -> bool:
    return value is None


class LearnerParameters(Parameters):
    """One learner: its defaults, and the space that tuning may search (empty: not tuned).

    ``class`` (here ``class_path``) is the import path of a learner of the user's own, and
    ``parameters`` that of the Pydantic model its class takes; None: a learner of the registry.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    class_path: str | None = Field(default=None, alias="class", exclude_if=_is_none)
    parameters: str | None = Field(default=None, exclude_if=_is_none)
    defaults: dict[str, float | int | str | bool] = Field(default_factory=dict)
    search_space: dict[str, Dimension] = Field(default_factory=dict)

    @property
    def import_paths(self) -> dict[str, str]:
        """``class`` and ``parameters`` where they are given: what a choice must carry to build."""
        given = {"class": self.class_path, "parameters": self.parameters}
        return {key: path for key, path in given.items() if path is not None}

    @property
    def default_choice(self) -> dict[str, float | int | str | bool]:
        """The defaults with the import paths: enough to build the learner in any process."""
        return {**self.import_paths, **self.defaults}


class TuningParameters(Parameters):
    """Budget and rule of every Optuna study.

    ``storage`` is a journal file or a database's URL; ``lease_seconds`` is how long a worker of a
    shared storage may be silent. ``check_after_trials`` None takes the best trial as it is;
    otherwise its gain over the defaults has to be shown at ``gain_level``.
    """

    loss: Literal["r_loss", "dr_loss"]
    n_trials: Annotated[int, Field(ge=0)]
    timeout_seconds: Annotated[float, Field(gt=0.0)]
    n_startup_trials: Count
    pruner_warmup_folds: Annotated[int, Field(ge=0)]
    storage: str | None = None
    lease_seconds: Annotated[float, Field(gt=0.0)] = 60.0
    warm_start: str | None = None
    check_after_trials: Annotated[int, Field(ge=2)] | None = None
    gain_level: OpenShare = 0.95
    progress: bool = False

    @field_validator("storage")
    @classmethod
    def _no_password_is_written_down(cls, value: str | None) -> str | None:
        if value is not None and re.search(r"://[^/@]*:[^/]*@|password=", value):
            raise ValueError(
                "`storage` must not hold a password: every parameter is logged. Take it out of the "
                "URL and give it to the database's client (PostgreSQL: PGPASSWORD or ~/.pgpass)."
            )
        return value


class NuisanceParameters(Parameters):
    """Folds, clipping, calibration, repeats and base models of the nuisances, and their store.

    ``calibration`` "auto" calibrates propensities where the test at level ``calibration_level``
    rejects that they are right; "isotonic" and "beta" always do. ``n_repeats`` fold plans give the
    average effects. ``store`` is the folder that keeps nuisances for the next run; None: none.
    """

    n_folds: Annotated[int, Field(ge=3)]
    propensity_clip: Annotated[float, Field(gt=0.0, lt=0.5)]
    n_trials: Annotated[int, Field(ge=0)]
    timeout_seconds: Annotated[float, Field(gt=0.0)]
    model: LearnerParameters
    calibration: Literal["auto", "none", "isotonic", "beta"] = "none"
    calibration_level: OpenShare = 0.05
    reliability_bins: Annotated[int, Field(ge=2)] = 10
    n_repeats: Count = 1
    store: str | None = None

    def deciding(self) -> dict[str, Any]:
        """Return what the nuisances are a function of, for digests: not the store, not repeats."""
        return self.model_dump(exclude={"store", "n_repeats", "reliability_bins"})


class EstimationParameters(Parameters):
    """Outcome, the learners that compete, and how the champion is chosen among them.

    Of the ``candidates``, simplest first, those compete whose ``selection_loss`` is below that of
    ``constant`` by ``selection_clearance`` standard errors; the champion is the simplest within
    ``selection_standard_errors`` of the lowest of them, and ``constant`` where none competes.
    ``interval_replicates`` 0 offers no interval of a single household. ``ensemble_loss`` is what
    the weights of ``ensemble`` minimise.
    """

    outcome: Outcome
    learners: dict[str, LearnerParameters]
    candidates: list[str] = Field(min_length=1)
    selection_loss: Literal["r_loss", "dr_loss"]
    selection_standard_errors: Annotated[float, Field(ge=0.0)]
    selection_clearance: Annotated[float, Field(ge=0.0)]
    n_workers: Count
    interval_replicates: Annotated[int, Field(ge=0)]
    ensemble_loss: Literal["r_loss", "dr_loss"] = "dr_loss"

    @model_validator(mode="after")
    def _learners_hold_baselines_and_candidates(self) -> EstimationParameters:
        absent = [name for name in (*BASELINES, *self.candidates) if name not in self.learners]
        if absent:
            raise ValueError(
                f"`learners` must hold the baselines {list(BASELINES)} and every candidate; "
                f"missing: {absent}. Add them under `estimation.learners`."
            )
        return self


class MetricParameters(Parameters):
    """Shares, level and intervals of the ranking metrics.

    ``interval`` ``auto`` takes the analytic interval from ``analytic_from_rows`` rows of
    ``analytic_from_households`` households on. ``rosetta_replicates`` 0, or more rows than
    ``rosetta_max_rows``, leaves the Rosetta table without intervals. ``effect_groups``
    groups of predicted effect; ``simultaneous_draws`` Gaussian draws behind bands and p-values that
    hold for several figures at once.
    """

    uplift_shares: list[OpenShare] = Field(min_length=1)
    level: OpenShare
    bootstrap_replicates: Annotated[int, Field(ge=50)]
    rosetta_replicates: Annotated[int, Field(ge=0)] = 0
    rosetta_max_rows: Count = 20_000
    effect_groups: Annotated[int, Field(ge=2)] = 5
    simultaneous_draws: Annotated[int, Field(ge=1000)] = 10_000
    interval: Literal["auto", "bootstrap", "analytic"] = "bootstrap"
    analytic_from_rows: Count = 20_000
    analytic_from_households: Count = 1_000

    def is_analytic(self, *, n_rows: int, n_households: int) -> bool:
        """Whether a table of this size gets analytic intervals in place of a bootstrap."""
        if self.interval != "auto":
            return self.interval == "analytic"
        return n_rows >= self.analytic_from_rows and n_households >= self.analytic_from_households


class PolicyParameters(Parameters):
    """Money. The public data holds none of it: the values are inputs, never estimates.

    Each amount is a number or a distribution; decisions are taken at ``expected`` money, intervals
    hold what is not known of it. The retailer pays ``retailer_funded_share`` of a redemption's
    cost, and ``budget_usd`` for all contacts of a run together; None: no limit.
    ``values_are_assumptions`` marks every output that uses them. ``are_stated`` False says that
    nobody named a cost: then the margin is 1 and every cost 0, so that "profit" is the outcome
    itself, and no profit is reported.
    """

    margin_rate: ShareAmount
    outcome_value_usd: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 1.0
    contact_cost_usd: UsdAmount
    redemption_cost_usd: UsdAmount
    retailer_funded_share: ShareAmount = 1.0
    budget_usd: UsdAmount | None = None
    values_are_assumptions: bool
    are_stated: bool = True
    grid_points: Annotated[int, Field(ge=11)]
    support_quantile: Annotated[float, Field(ge=0.0, lt=0.5)]

    @model_validator(mode="after")
    def _money_that_nobody_stated_is_none(self) -> PolicyParameters:
        is_none = (
            not self.is_uncertain
            and (self.expected.margin_per_unit, self.contact_cost_usd) == (1.0, 0.0)
            and (self.redemption_cost_usd, self.budget_usd) == (0.0, None)
        )
        if not self.are_stated and not is_none:
            raise ValueError(
                "`are_stated` must be true where a margin, a cost or a budget is given; found "
                f"margin_rate={self.margin_rate}, contact_cost_usd={self.contact_cost_usd}, "
                f"redemption_cost_usd={self.redemption_cost_usd}, budget_usd={self.budget_usd}. "
                "Set it to true, or margin 1, costs 0 and no budget."
            )
        return self

    @property
    def is_uncertain(self) -> bool:
        """Whether a margin or a cost is a distribution."""
        amounts = (self.margin_rate, self.contact_cost_usd, self.redemption_cost_usd)
        return any(isinstance(one, Distribution) for one in (*amounts, self.retailer_funded_share))

    @property
    def expected(self) -> Money:
        """Expected money. Profit is linear in it, so it is what a decision rests on."""
        return Money(
            margin_rate=expected_amount(self.margin_rate),
            outcome_value_usd=self.outcome_value_usd,
            contact_cost_usd=expected_amount(self.contact_cost_usd),
            redemption_cost_usd=expected_amount(self.retailer_funded_share)
            * expected_amount(self.redemption_cost_usd),
            budget_usd=None if self.budget_usd is None else expected_amount(self.budget_usd),
        )

    def draws(self, *, replicates: int, rng: np.random.Generator) -> MoneyDraws | None:
        """Draw the money of each replicate, after the expected money; None where all is known.

        Amounts are independent. Each has a child of ``rng`` of its own, which is not advanced.
        """
        if not self.is_uncertain:
            return None

        def drawn(amount: float | Distribution, own: np.random.Generator) -> np.ndarray:
            if not isinstance(amount, Distribution):
                return np.full(1 + replicates, amount)
            return np.append(amount.mean, amount.draw(size=replicates, rng=own))

        amounts = (
            self.margin_rate,
            self.contact_cost_usd,
            self.redemption_cost_usd,
            self.retailer_funded_share,
        )
        margin, contact, redemption, funded = map(drawn, amounts, rng.spawn(len(amounts)))
        return MoneyDraws(margin * self.outcome_value_usd, contact, redemption * funded)


class CovariateGroup(Parameters):
    """Covariates that belong together: a name, and patterns of theirs with ``*`` and ``?``."""

    name: Annotated[str, Field(min_length=1)]
    patterns: list[str] = Field(min_length=1)


class SensitivityParameters(Parameters):
    """Hidden traits that could turn a policy's profit around, and what they are measured by.

    Attributes
    ----------
    strengths : list of float
        Factors on the odds of being treated at which bounds are stated, from 1 (no hidden trait).
    max_strength, tolerance : float
        Up to which strength, and how exactly, the one that turns a profit around is looked for.
    replicates : int
        Household draws behind the bounds' interval.
    strata, min_stratum_rows : int
        Parts by predicted outcome that weights must reproduce, and rows of the other arm in each.
    yardsticks : list of CovariateGroup
        Groups of covariates, of which the first that fits takes a covariate; one without a
        covariate is left out, a covariate in none is a group of its own.
    yardstick_quantile : float
        Of the rows' change of odds when a group is left out.
    yardstick_c : float
        Inverse strength of the penalty of the logistic regressions behind it.
    yardstick_max_rows : int
        Rows that they are fitted on at most, drawn by lot.
    """

    strengths: list[Annotated[float, Field(ge=1.0, allow_inf_nan=False)]] = Field(min_length=1)
    max_strength: Annotated[float, Field(gt=1.0, allow_inf_nan=False)]
    tolerance: Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
    replicates: Annotated[int, Field(ge=50)]
    strata: Count
    min_stratum_rows: Annotated[int, Field(ge=2)]
    yardsticks: list[CovariateGroup]
    yardstick_quantile: OpenShare
    yardstick_c: Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
    yardstick_max_rows: Annotated[int, Field(ge=100)]

    @model_validator(mode="after")
    def _strengths_begin_at_one_and_rise(self) -> SensitivityParameters:
        rising = self.strengths == sorted(set(self.strengths))
        if self.strengths[0] != 1.0 or not rising:
            raise ValueError(
                f"`strengths` must begin at 1.0 and rise, got {self.strengths}: 1 is the estimate "
                "without a hidden trait."
            )
        return self


Setting = Scalar | list[Scalar] | None


class PoliciesParameters(Parameters):
    """Policies that are valued side by side, by name, each with its settings (docs/policies.md).

    ``rules`` holds the baselines always. ``decides`` is the policy that makes the targeting list:
    one of them, or ``chosen``, the learner and share that are chosen together. ``learner`` is whose
    effects the policies use: the champion's, or those of the learner shown, which differ between
    households.
    ``error_replicates`` half-sample refits give the standard error of each effect; 0: there is
    none, and policies that need one are not valued, and say so.
    """

    decides: str
    learner: Literal["champion", "shown"]
    error_replicates: Annotated[int, Field(ge=0)]
    rules: dict[str, dict[str, Setting]] = Field(min_length=1)


class CheckParameters(Parameters):
    """Thresholds of the checks and what a failure allows at best."""

    overlap_low: OpenShare
    overlap_high: OpenShare
    min_overlap_share: Share
    max_propensity_auc: Share
    refuse_overlap_share: Share
    max_clipped_share: Share
    refuse_clipped_share: Share
    power: OpenShare
    # of rankings, policies and reports
    max_gain_end_errors: Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
    max_prediction_change: Share
    min_profit_width_ratio: Share
    max_cost_departure: Share
    max_reimbursed_share: Share
    max_e_value_departure: Share
    min_bound_width_variation: Share
    share_rounding: Share
    idle_actions: list[str]
    family_error: OpenShare
    on_fail: dict[str, VerdictName]

    # of the data, the design and the estimate
    min_id_match_share: Share
    min_join_share: Share
    max_other_units_share: Share
    max_units_per_basket: Size
    max_week_mismatch_share: Share
    closed_from_hour: Hour
    closed_to_hour: Hour
    max_closed_share: Share
    max_dropped_share: Share
    min_dropped_p: OpenShare
    max_history_gap_share: Share
    max_outlying_smd_ratio: Size
    min_outlying_smd: Size
    max_weighted_smd: Size
    min_matched_share: Share
    min_pretrend_p: OpenShare
    min_pretrend_power: Share
    max_placebo_ratio: Share
    min_subset_correlation: Share
    min_clusters: Count
    min_honest_breakdown: Size
    min_winsor_share: Share
    min_households: Count
    max_household_move_share: Share
    max_campaign_move_share: Share
    min_same_sign_share: Share
    min_agreement_p: OpenShare
    max_forbidden_weight: Share
    min_drift_p: OpenShare

    @model_validator(mode="after")
    def _night_has_hours(self) -> CheckParameters:
        if not self.closed_from_hour < self.closed_to_hour:
            raise ValueError(
                f"`closed_from_hour` must be before `closed_to_hour`, got {self.closed_from_hour} "
                f"and {self.closed_to_hour}: receipts of no hour would be looked at."
            )
        return self


class WordingParameters(Parameters):
    """Words of the reports: what is measured, on whom, by what.

    ``decimals`` None prints three significant digits. ``horizon`` follows the unit in sentences
    ("USD per household in 28 days"); empty where no window is known.
    """

    unit: Annotated[str, Field(min_length=1)]
    decimals: Annotated[int, Field(ge=0, le=12)] | None
    treatment: Annotated[str, Field(min_length=1)]
    treated: Annotated[str, Field(min_length=1)]
    subject: Annotated[str, Field(min_length=1)]
    subjects: Annotated[str, Field(min_length=1)]
    horizon: str

    def number(self, value: float) -> str:
        """Signed figure without its unit."""
        return f"{value:+.3g}" if self.decimals is None else f"{value:+.{self.decimals}f}"

    def size(self, value: float) -> str:
        """Figure with its unit, without a sign."""
        return f"{self.number(abs(value))[1:]} {self.unit}"

    def amount(self, value: float) -> str:
        """Figure with its unit, signed."""
        return f"{self.number(value)} {self.unit}"

    def interval(self, interval: Interval) -> str:
        """Figure with its unit and its interval in brackets."""
        low, high = self.number(interval.ci_low), self.number(interval.ci_high)
        return f"{self.amount(interval.estimate)} ({low} to {high})"

    @property
    def after(self) -> str:
        """The horizon with a blank before it, or nothing."""
        return f" {self.horizon}" if self.horizon else ""


class TableParameters(Parameters):
    """A table that comes with its treatment, outcome and covariates: the second door.

    Attributes
    ----------
    path : str or None
        CSV or Parquet file.
    treatment, outcome : str or None
        Columns. The treatment holds two values or several arms; the outcome is a number.
    control : str, int, float, bool or None
        Value of the treatment that means "not treated"; None: 0 or False, where there is one.
    arm : the same
        Value that is compared with the control; needed only where there are several arms.
    covariates : list of str or None
        None: every other column; identifiers are then left out by name.
    groups : str or None
        Column of clusters (households); None: every row is its own.
    propensity : float, str, dict or None
        An experiment's P(treated): a number, a column, or the share of each arm with the
        control's. None: nobody drew lots, and it is modelled.
    placebo_outcome : str or None
        Column measured before the treatment, on which an effect must be nothing.
    max_levels : int
        Levels of a text column at most; more is refused as an identifier or free text.
    identifier_share : float
        A column of text or whole numbers with this share of distinct values identifies rows.
    """

    path: str | None
    treatment: str | None
    outcome: str | None
    control: Scalar | None = None
    arm: Scalar | None = None
    covariates: list[str] | None = None
    groups: str | None = None
    propensity: float | str | dict[Scalar, float] | None = None
    placebo_outcome: str | None = None
    max_levels: Annotated[int, Field(ge=2)]
    identifier_share: OpenShare


class ScoringParameters(Parameters):
    """Which registered model scores which households, and in what portions.

    Attributes
    ----------
    alias : str
        Alias of the registered model; any but ``champion`` is said aloud.
    table : str or None
        CSV or Parquet file, or a folder of them, with a row per household.
    as_of : date or None
        Date as of which the canonical tables are cut instead.
    id_column : str or None
        Column that names a household; None: ``household_id`` where there is one, else the row.
    chunk_rows : int
        Rows that are in memory at once.
    """

    alias: Annotated[str, Field(min_length=1)]
    table: str | None
    as_of: date | None
    id_column: str | None
    chunk_rows: Count

    @field_validator("as_of", mode="before")
    @classmethod
    def _a_date_may_come_as_text(cls, value: Any) -> Any:
        if value is None or isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError as error:
            raise ValueError(f"`as_of` must be a date as 2017-11-01, got {value!r}.") from error

    @model_validator(mode="after")
    def _one_source_of_households(self) -> ScoringParameters:
        if self.table is not None and self.as_of is not None:
            raise ValueError(
                f"Give `table` or `as_of`, not both; got {self.table!r} and {self.as_of}."
            )
        if self.as_of is not None and self.id_column is not None:
            raise ValueError(
                f"Give `id_column` with `table` only, got {self.id_column!r}: a cut as of a date "
                "is of households, named by `household_id`."
            )
        return self


class ReportParameters(Parameters):
    """Resolution of figures."""

    curve_points: Annotated[int, Field(ge=11)]
    histogram_bins: Annotated[int, Field(ge=5)]
    calibration_groups: Annotated[int, Field(ge=2)]
    toc_smallest_share: OpenShare = 0.05
    importance_min_trials: Count = 20
    yardsticks_shown: Count = 4


class ExplanationParameters(Parameters):
    """What drives the champion's effects, and how much of it is shown.

    Attributes
    ----------
    max_rows : int
        Rows that are explained at most, drawn by lot, where contributions are exact.
    fallback_rows : int
        The same for a learner without contributions of its own, which is asked again and again.
    background_rows : int
        Rows of the same fold that stand for a covariate that is not known.
    min_rank_correlation : float
        Of covariate and contribution, from which a direction is named.
    tree_depth : int
        Of the tree that repeats the effects.
    tree_leaf_share : float
        Smallest leaf, share of the rows that grow the tree.
    shown : int
        Covariates in figures and text.
    """

    max_rows: Count = 2_000
    fallback_rows: Count = 100
    background_rows: Count = 20
    min_rank_correlation: Share = 0.3
    tree_depth: Count = 3
    tree_leaf_share: OpenShare = 0.05
    shown: Count = 12


class AnalysisParameters(Parameters):
    """Everything that an analysis of trials is a function of, besides the trials and the seed.

    ``policies`` None compares none.
    """

    nuisance: NuisanceParameters
    estimation: EstimationParameters
    tuning: TuningParameters
    metrics: MetricParameters
    policy: PolicyParameters
    checks: CheckParameters
    wording: WordingParameters
    explanation: ExplanationParameters = ExplanationParameters()
    policies: PoliciesParameters | None = None
