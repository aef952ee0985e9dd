"""What an experiment can answer: whether mailing pays, and whether effects differ as predicted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from promo_uplift.experiments.population import Population
from promo_uplift.experiments.size import households_needed, power_at, smallest_effect

QuestionName = Literal["mailing", "targeting"]
#: What each question compares.
COMPARISONS: dict[QuestionName, str] = {
    "mailing": "outcome of the mailed minus that of the control households, all strata",
    "targeting": "the same in the upper half of the effect bins minus that in the lower half",
}


@dataclass(frozen=True, slots=True)
class Question:
    """One question, and what it takes to answer it.

    Attributes
    ----------
    name : str
        ``mailing``: does mailing pay? ``targeting``: do effects differ as predicted?
    compares : str
        The contrast that is tested against 0.
    unit_variance : float
        Variance of its estimate times the number of households, USD squared.
    expected_usd : float
        The effect, or the difference of effects, by what is known now.
    control, mailed : int or None
        Households that find the effect worth finding; None: no number is enough.
    households : int or None
        Both arms together.
    waves : int or None
        Mailings of all eligible households that this takes.
    power_planned, power_if_expected : float
        Power of the planned experiment for the effect worth finding, and for the expected one.
    smallest_planned_usd, smallest_one_wave_usd : float
        Smallest effect that the planned experiment, and one mailing, find with the power.
    reason : str
        Why there is no figure; empty otherwise.
    """

    name: QuestionName
    compares: str
    unit_variance: float
    expected_usd: float
    control: int | None
    mailed: int | None
    households: int | None
    waves: int | None
    power_planned: float
    power_if_expected: float
    smallest_planned_usd: float
    smallest_one_wave_usd: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Aim:
    """What every question is sized for.

    Attributes
    ----------
    worth_finding_usd : float
        Effect, or difference of effects, worth finding, USD per household.
    control_share : float
        Share of every stratum that is not mailed.
    level, power : float
        Confidence level (two-sided) and power.
    """

    worth_finding_usd: float
    control_share: float
    level: float
    power: float


@dataclass(frozen=True, slots=True)
class Contrast:
    """A contrast whose estimate from ``n`` households has the variance ``unit_variance / n``.

    Attributes
    ----------
    unit_variance : float
        USD squared times households.
    expected_usd : float
        Its value by what is known now.
    reason : str
        Why it does not exist; empty where it does.
    """

    unit_variance: float
    expected_usd: float
    reason: str = ""

    def needed(self, aim: Aim) -> tuple[int, int] | None:
        """Control and mailed households that find the effect worth finding; None: none do."""
        if self.reason:
            return None
        needed = households_needed(
            effect_usd=aim.worth_finding_usd,
            unit_variance=self.unit_variance,
            level=aim.level,
            power=aim.power,
        )
        if needed is None:
            return None
        return math.ceil(aim.control_share * needed), math.ceil((1.0 - aim.control_share) * needed)

    def power(self, *, effect_usd: float, households: int, level: float) -> float:
        """Chance that so many households find this effect; NaN for one that is not finite."""
        if not math.isfinite(effect_usd):
            return float("nan")
        found = power_at(
            effect_usd=effect_usd,
            unit_variance=self.unit_variance,
            households=np.array([float(households)]),
            level=level,
        )
        return float(found[0])


def halves(*, population: Population, unit_variance: float) -> Contrast:
    """Effect in the upper half of the bins less that in the lower, with its variance.

    Parameters
    ----------
    population : Population
        Who may take part; lots are drawn from each stratum in proportion to its size.
    unit_variance : float
        Of the effect over all strata; each half's is in proportion to its own squared residuals.
    """
    if population.n_bins == 1:
        nan = float("nan")
        return Contrast(nan, nan, "one effect is predicted for everybody: there are no halves")
    upper, lower = population.half("upper"), population.half("lower")
    spread = population.squared_residual / population.squared_residual.mean()
    variance = sum(
        unit_variance * float(spread[half].mean()) / float(half.mean()) for half in (upper, lower)
    )
    expected = float(population.cate[upper].mean() - population.cate[lower].mean())
    return Contrast(variance, expected)


def question(
    *, name: QuestionName, contrast: Contrast, aim: Aim, planned: int, eligible: int
) -> Question:
    """Return what it takes to answer a question, and what the planned experiment answers of it.

    Parameters
    ----------
    name : str
        Its name.
    contrast : Contrast
        What it tests against 0.
    aim : Aim
        What it is sized for.
    planned, eligible : int
        Households of the plan over all waves, and of one mailing.
    """
    if contrast.reason:
        nan, none = float("nan"), (None, None, None, None)
        return Question(
            name, COMPARISONS[name], nan, nan, *none, nan, nan, nan, nan, contrast.reason
        )
    needed = contrast.needed(aim)
    total = None if needed is None else sum(needed)
    found = {
        size: smallest_effect(
            unit_variance=contrast.unit_variance,
            households=size,
            level=aim.level,
            power=aim.power,
        )
        for size in (planned, eligible)
    }
    worth, expected = (
        contrast.power(effect_usd=effect, households=planned, level=aim.level)
        for effect in (aim.worth_finding_usd, contrast.expected_usd)
    )
    return Question(
        name=name,
        compares=COMPARISONS[name],
        unit_variance=contrast.unit_variance,
        expected_usd=contrast.expected_usd,
        control=None if needed is None else needed[0],
        mailed=None if needed is None else needed[1],
        households=total,
        waves=None if total is None else math.ceil(total / eligible),
        power_planned=worth,
        power_if_expected=expected,
        smallest_planned_usd=found[planned],
        smallest_one_wave_usd=found[eligible],
        reason="" if needed is not None else "no finite effect is worth finding",
    )
