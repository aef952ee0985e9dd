"""Who is mailed and who is control: lots drawn within strata, by a seed, and held to balance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from promo_uplift.contracts.columns import HOUSEHOLD_ID
from promo_uplift.contracts.errors import ExperimentError
from promo_uplift.contracts.experiment_parameters import ExperimentParameters
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray
from promo_uplift.experiments.balance import (
    BALANCE_COLUMNS,
    Comparable,
    JointBalance,
    balance_rows,
    comparable,
    joint_balance,
)
from promo_uplift.experiments.plan import LOTS, ExperimentPlan
from promo_uplift.experiments.population import Population
from promo_uplift.nuisance.seeding import derived_rng
from promo_uplift.policy.money import expected_profit

MAIL, CONTROL = "mail", "control"
ASSIGNMENT_COLUMNS: Final = (
    "wave",
    HOUSEHOLD_ID,
    "stratum",
    "effect_bin",
    "arm",
    "probability_mail",
    "cate",
    "redemption_probability",
    "outcome_if_not_mailed",
    "targeted",
    "n_draws",
)
JOINT_COLUMNS: Final = ("joint_statistic", "joint_degrees", "joint_p_value", "n_draws")


@dataclass(frozen=True, slots=True)
class Assignment:
    """The lots, and how alike they leave the arms.

    Attributes
    ----------
    table : DataFrame
        ``ASSIGNMENT_COLUMNS``, after the household ``row`` where a user's table has rows; one row
        per wave and household that takes part. Predictions are in the outcome's unit.
        ``probability_mail`` is exact in its stratum;
        ``targeted`` says whether the predicted profit is above 0, before any result.
    balance : DataFrame
        ``BALANCE_COLUMNS`` and ``JOINT_COLUMNS``: one row per wave and covariate.
    refused : str
        Why there are no lots; empty where there are.
    """

    table: pd.DataFrame
    balance: pd.DataFrame
    refused: str = ""

    @classmethod
    def none(cls, *, reason: str) -> Assignment:
        """Return an assignment of nobody, and why."""
        return cls(
            pd.DataFrame(columns=list(ASSIGNMENT_COLUMNS)),
            pd.DataFrame(columns=[*BALANCE_COLUMNS, *JOINT_COLUMNS]),
            reason,
        )


def assign_households(
    *,
    population: Population,
    plan: ExperimentPlan,
    policy: PolicyParameters,
    parameters: ExperimentParameters,
    seed: int,
) -> Assignment:
    """Draw the arms of every wave: exact counts in each stratum, redrawn until they are balanced.

    Each wave draws the households that take part (where not all do), then the arms, anew until no
    covariate's standardised mean difference exceeds ``max_smd`` and the p-value of all together is
    not below ``min_joint_p_value``. Redrawing by a rule about
    covariates alone keeps the comparison unbiased and its usual interval conservative; the number
    of draws is recorded.

    Parameters
    ----------
    population : Population
        Who may take part.
    plan : ExperimentPlan
        Households per wave, waves, control share.
    policy : PolicyParameters
        Money: who would be targeted by the predictions.
    parameters : ExperimentParameters
        Strata, balance, draws.
    seed : int
        Of the run; the same seed and households give the same lots.

    Raises
    ------
    ExperimentError
        If a stratum has too few households in an arm, or no draw is balanced: naming them.

    References
    ----------
    Morgan & Rubin (2012), Annals of Statistics 40(2), doi:10.1214/12-AOS1008; Li, Ding & Rubin
    (2018), PNAS 115(37).
    """
    profit = expected_profit(
        cate_usd=population.cate, redemption=population.redemption, parameters=policy
    )
    names, stratum = np.unique(population.stratum.astype(str), return_inverse=True)
    sizes = np.bincount(stratum, minlength=len(names))
    taking = shares_of(total=plan.households_per_wave, weights=sizes)
    mailed = shares_of(
        total=round((1.0 - plan.aim.control_share) * plan.households_per_wave), weights=taking
    )
    _refuse_small(names, taking, mailed, parameters)
    tables, balances = [], []
    for wave in range(1, plan.waves + 1):
        rng = derived_rng(seed=seed, purpose=LOTS, index=(wave,))
        chosen = _draw(stratum=stratum, counts=taking, rng=rng)
        rows = np.flatnonzero(chosen)
        covariates = comparable(_compared(population, rows))
        arm, draws, joint = _balanced(covariates, stratum[rows], mailed, parameters, rng)
        tables.append(
            pd.DataFrame(
                {
                    "wave": wave,
                    HOUSEHOLD_ID: population.household[rows],
                    **({} if population.row is None else {"row": population.row[rows]}),
                    "stratum": population.stratum[rows],
                    "effect_bin": population.effect_bin[rows],
                    "arm": np.where(arm, MAIL, CONTROL),
                    "probability_mail": (mailed / taking)[stratum[rows]],
                    "cate": population.cate[rows],
                    "redemption_probability": population.redemption[rows],
                    "outcome_if_not_mailed": population.outcome_if_not_mailed[rows],
                    "targeted": (profit[rows] > 0.0).astype(np.int64),
                    "n_draws": draws,
                }
            )
        )
        figures = (joint.statistic, joint.degrees, joint.p_value, draws)
        balances.append(
            balance_rows(covariates=covariates, mailed=arm, wave=wave).assign(
                **dict(zip(JOINT_COLUMNS, figures, strict=True))
            )
        )
    return Assignment(pd.concat(tables, ignore_index=True), pd.concat(balances, ignore_index=True))


def shares_of(*, total: int, weights: IntArray | FloatArray) -> IntArray:
    """Whole numbers in proportion to ``weights`` that add up to ``total``, by largest remainder.

    Examples
    --------
    >>> import numpy as np
    >>> shares_of(total=7, weights=np.array([10, 10, 13]))
    array([2, 2, 3])
    """
    exact = total * np.asarray(weights, dtype=np.float64) / float(np.sum(weights))
    counts = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: total - int(counts.sum())]] += 1
    return counts


def _refuse_small(
    names: np.ndarray, taking: IntArray, mailed: IntArray, parameters: ExperimentParameters
) -> None:
    least = np.minimum(mailed, taking - mailed)
    small = [
        f"`{name}`: {arm} of {size} mailed"
        for name, size, arm, few in zip(names, taking, mailed, least, strict=True)
        if few < parameters.min_arm_households
    ]
    if small:
        raise ExperimentError(
            f"Every stratum must have at least {parameters.min_arm_households} households in each "
            f"arm (`experiment.min_arm_households`); {'; '.join(small)}. Lower "
            "`experiment.n_strata`, or leave out `experiment.segment`."
        )


def _draw(*, stratum: IntArray, counts: IntArray, rng: np.random.Generator) -> BoolArray:
    """Draw exactly ``counts[s]`` households of each stratum ``s``."""
    order = np.lexsort((rng.random(len(stratum)), stratum))
    starts = np.searchsorted(stratum[order], np.arange(len(counts)))
    place = np.arange(len(stratum)) - starts[stratum[order]]
    drawn = np.zeros(len(stratum), dtype=np.bool_)
    drawn[order] = place < counts[stratum[order]]
    return drawn


def _compared(population: Population, rows: IntArray) -> pd.DataFrame:
    return population.covariates.iloc[rows].assign(
        cate=population.cate[rows],
        outcome_if_not_mailed=population.outcome_if_not_mailed[rows],
        redemption_probability=population.redemption[rows],
    )


def _balanced(
    covariates: Comparable,
    stratum: IntArray,
    mailed: IntArray,
    parameters: ExperimentParameters,
    rng: np.random.Generator,
) -> tuple[BoolArray, int, JointBalance]:
    closest, left, apart = float("inf"), "", 0
    for draw in range(1, parameters.max_draws + 1):
        arm = _draw(stratum=stratum, counts=mailed, rng=rng)
        size = np.nan_to_num(np.abs(covariates.differences(arm)))
        if size.max(initial=0.0) <= parameters.max_smd:
            joint = joint_balance(covariates=covariates, mailed=arm, stratum=stratum)
            if not joint.p_value < parameters.min_joint_p_value:
                return arm, draw, joint
            apart += 1
        elif size.max() < closest:
            closest = float(size.max())
            over = [
                n for n, s in zip(covariates.names, size, strict=True) if s > parameters.max_smd
            ]
            left = ", ".join(f"`{name}`" for name in over)
    together = (
        f"in {apart} of {parameters.max_draws} draws only all covariates together did, by a "
        f"p-value below {parameters.min_joint_p_value} (`experiment.min_joint_p_value`)"
        if apart
        else f"in the best of {parameters.max_draws} draws {left} did, by {closest:.3f} at most"
    )
    raise ExperimentError(
        f"No standardised mean difference may exceed {parameters.max_smd} (`experiment.max_smd`); "
        f"of {len(stratum)} households {together}. Raise `experiment.max_smd` or "
        "`experiment.max_draws`, or take more households."
    )
