"""The worlds that estimators are judged in, as configuration names them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from promo_uplift.contracts.parameters import Count, OpenShare, Parameters, Share, Usd

Effect = Literal["zero", "constant", "linear", "sparse", "sign_changing"]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class World(Parameters):
    """What every kind of world has: its sizes, and how often it is simulated.

    ``full`` replications run every learner, policy and check; ``effects`` replications run
    nuisances, average effects and one ranking, cheap enough for hundreds. ``pointwise`` of the
    full ones also have the half-sample intervals of every learner, the dearest part.
    """

    n_households: list[Count] = Field(min_length=1)
    full: Annotated[int, Field(ge=0)]
    effects: Annotated[int, Field(ge=0)]
    pointwise: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _counts_fit(self) -> World:
        if self.full + self.effects == 0:
            raise ValueError("`full` and `effects` must not both be 0: the world would be empty.")
        if self.pointwise > self.full:
            raise ValueError(
                f"`pointwise` must not exceed `full`: it says how many of the full replications "
                f"have pointwise intervals; got {self.pointwise} of {self.full}."
            )
        if len(set(self.n_households)) < len(self.n_households):
            raise ValueError(f"`n_households` must not repeat a size, got {self.n_households}.")
        return self


class NieWagerWorld(World):
    """One of the four setups of Nie & Wager (2021), section 4; a unit of theirs is one dollar.

    ``nuisance`` replaces sizes of the nuisances' base model (LightGBM's names).
    """

    kind: Literal["nie_wager"]
    setup: Literal["a", "b", "c", "d"]
    n_covariates: Annotated[int, Field(ge=5)]
    noise_sd: Positive
    nuisance: dict[str, float | int] = Field(default_factory=dict)


class SpendWorld(World):
    """Spend with zeros and a tail, households in several campaigns, and effects in dollars.

    ``effect_usd`` is the mean effect, or for ``sign_changing`` the mean size of the effect.
    ``log_odds_sd`` is the standard deviation of the observed part of the log-odds of being mailed
    (0: a lottery), ``hidden_confounding`` the loading of an unobserved household trait on
    log-odds and on log-spend. ``log_spend_sd`` is the tail, ``household_share`` the part of its
    variance that a household keeps between campaigns.
    """

    kind: Literal["spend"]
    effect: Effect
    effect_usd: Usd
    n_campaigns: Count
    n_covariates: Annotated[int, Field(ge=4)]
    base_usd: Positive
    baseline_spread: NotNegative
    responding_share: OpenShare
    log_odds_sd: NotNegative
    hidden_confounding: NotNegative
    zero_share: Annotated[float, Field(ge=0.0, lt=1.0)]
    log_spend_sd: NotNegative
    household_share: Share


class SimulatedWorld(World):
    """Raw tables of a simulated retailer, through the same code as a run's.

    ``parameters`` override the simulator's own (``simulation`` in the configuration).
    """

    kind: Literal["simulated"]
    parameters: dict[str, Any] = Field(default_factory=dict)


AnyWorld = Annotated[NieWagerWorld | SpendWorld | SimulatedWorld, Field(discriminator="kind")]


class AnalysisSizes(Parameters):
    """What the benchmark changes in a run's own parameters: sizes, and nothing is tuned.

    ``learners`` replaces defaults by learner, e.g. fewer trees. Costs of redemption are set to
    ``redemption_cost_usd`` because the worlds' truth holds effects on spend only.
    """

    n_folds: Annotated[int, Field(ge=3)]
    bootstrap_replicates: Annotated[int, Field(ge=50)]
    interval_replicates: Annotated[int, Field(ge=2)]
    redemption_cost_usd: Usd
    grid_points: Annotated[int, Field(ge=11)]
    learners: dict[str, dict[str, float | int | str | bool]] = Field(default_factory=dict)


class CardParameters(Parameters):
    """What the card counts as good, and the household number it speaks about."""

    cover_low: OpenShare
    cover_high: OpenShare
    max_false_discovery: OpenShare
    n_households: Count


class BenchmarkParameters(Parameters):
    """Worlds, sizes of the analysis, and where outside sets lie."""

    root: str | None
    folder: str
    n_workers: Count
    progress: bool
    quantiles: Annotated[int, Field(ge=2)]
    population_households: Count
    analysis: AnalysisSizes
    card: CardParameters
    worlds: dict[str, AnyWorld] = Field(min_length=1)
