"""Who may become champion: a verdict that allows it, and a gain over the standing champion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.errors import PolicyError, ScoringError, TrialError
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import IntArray, Interval, TrialData
from promo_uplift.policy.contract import (
    COMPARISON,
    OF_A_CUT,
    DataContract,
    definition_differences,
)
from promo_uplift.policy.money import PolicyScores
from promo_uplift.policy.registered import RegisteredVersion
from promo_uplift.policy.rows import PolicyRows
from promo_uplift.policy.scoring import ScoringModel


@dataclass(frozen=True, slots=True)
class GateDecision:
    """Whether the new model takes over as champion, and why.

    Attributes
    ----------
    promote : bool
    reason : str
        One sentence for the log and the model's tags.
    difference : Interval or None
        Challenger minus standing champion, USD per household; None where no champion stands.
    """

    promote: bool
    reason: str
    difference: Interval | None


@dataclass(frozen=True, slots=True)
class RegistryEntry:
    """What a model registry needs of a run.

    Attributes
    ----------
    model : ScoringModel
    example : DataFrame
        A few household rows, the input example and the source of the signature.
    gate : GateDecision
        Whether it becomes champion.
    """

    model: ScoringModel
    example: pd.DataFrame
    gate: GateDecision


def champion_gate(
    *,
    verdict: str,
    challenger: PolicyRows,
    champion: PolicyRows | None,
    groups: IntArray,
    policy: PolicyParameters,
    level: float,
    factor: float,
    incomparable: str = "",
) -> GateDecision:
    """Decide on the alias ``champion`` by the paired policy value, USD per household.

    Scope: the standing champion may have been trained on the rows that are compared, the
    challenger's values are cross-fitted; the comparison then favours the standing champion, so a
    promotion is conservative.

    Parameters
    ----------
    verdict : str
        The run's verdict; anything but ``publish`` keeps the alias where it is.
    challenger, champion : PolicyRows
        What each model's policy is worth on each row (0 where it does not mail).
    groups : int64 (n,)
        Household of each row, the cluster of the interval.
    policy : PolicyParameters
        What is not known of money widens the interval by as much as the two policies differ in
        outcome, contacts and redemptions. Where nobody stated a cost the values are the outcome
        itself, and the reason speaks of no profit.
    level : float
        Of the interval.
    factor : float
        By which the error is larger than the rows say, at least 1: of rules that are learned on
        the other folds :func:`promo_uplift.metrics.fold_dependence.choice_factor`.
    incomparable : str
        Why a champion that stands cannot be compared on these rows; empty where it can, or none
        stands. Then the alias stays where it is: only a person can move it.

    Returns
    -------
    GateDecision

    Raises
    ------
    PolicyError
        If the two models' policies are not of the same rows.
    """
    if verdict != "publish":
        return GateDecision(False, f"The verdict is {verdict}: no champion without publish.", None)
    if incomparable:
        return GateDecision(
            False, f"The standing champion cannot be compared, and stays: {incomparable}", None
        )
    if champion is None:
        return GateDecision(True, "The verdict is publish and no champion stands.", None)
    if challenger.profit.shape != champion.profit.shape:
        raise PolicyError(
            "`champion` must be of the challenger's rows: "
            f"found {champion.profit.shape}, expected {challenger.profit.shape}."
        )
    difference = _paired(challenger.minus(champion), groups, policy, level, factor)
    promote = difference.ci_low > 0
    word = "above" if promote else "not above"
    what, unit = ("profit", " USD") if policy.are_stated else ("gain in the outcome", "")
    return GateDecision(
        promote,
        f"Its {what} is {word} the standing champion's: {difference.estimate:+.3f}{unit} per "
        f"household ({difference.ci_low:+.3f} to {difference.ci_high:+.3f}).",
        difference,
    )


def scored_policy_rows(
    *, scores: PolicyScores, model: ScoringModel, data: TrialData, fold: IntArray
) -> PolicyRows:
    """Worth of each row if a registered model decided, ``(n,)``; 0 where not mailed.

    A model for a table of the user's own is given its columns back.

    Raises
    ------
    ScoringError
        If the model needs covariates that these trials do not have.
    """
    households = data.covariates
    if model.encoder is not None and data.encoder is not None:
        households = data.encoder.decode(households)
    mailed = model.contacted(households)
    return PolicyRows.held_out(scores=scores, fold=fold).times(mailed.astype(np.float64))


def standing_policy_rows(
    *,
    scores: PolicyScores,
    standing: RegisteredVersion | None,
    contract: DataContract | None,
    data: TrialData,
    fold: IntArray,
) -> tuple[PolicyRows | None, str]:
    """Worth of each row if the standing champion decided, or why it cannot be told.

    Parameters
    ----------
    scores : PolicyScores
        Scores in USD.
    standing : RegisteredVersion or None
        The champion that stands, if one does; loaded here, since an old one may not load.
    contract : DataContract or None
        The challenger's. A champion of another treatment, outcome or window answers another
        question: its profit is not compared.
    data : TrialData
        The challenger's trials.
    fold : int64 (n,)
        Fold of each row.

    Returns
    -------
    rows : PolicyRows or None
        None where no champion stands, or it cannot be compared.
    reason : str
        Why it cannot; empty otherwise.
    """
    if standing is None:
        return None, ""
    try:
        model = standing.load().model
        if other := _other_question(made_with=model.contract, now=contract):
            return None, f"it was made for {other}."
        return scored_policy_rows(scores=scores, model=model, data=data, fold=fold), ""
    except (ScoringError, TrialError) as error:
        return None, str(error)


def _other_question(*, made_with: DataContract | None, now: DataContract | None) -> str:
    """Say what the champion was made for and the challenger was not; empty if nothing."""
    if made_with is None or now is None:
        return ""
    found = definition_differences(contract=made_with, definition=now.definition)
    return "; ".join(str(one) for one in found if one.name in (*OF_A_CUT, COMPARISON))


def _paired(
    difference: PolicyRows, groups: IntArray, policy: PolicyParameters, level: float, factor: float
) -> Interval:
    values = difference.profit
    mean = float(values.mean())
    _, codes = np.unique(groups, return_inverse=True)
    sums = np.bincount(codes, weights=values - mean)
    error = factor * float(np.sqrt((sums**2).sum())) / len(values)
    reach = float(norm.ppf(0.5 + level / 2.0) * np.hypot(error, difference.profit_error(policy)))
    return Interval(mean, mean - reach, mean + reach)
