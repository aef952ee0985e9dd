"""Who may become champion: a verdict that allows it, and a gain over the standing champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.errors import PolicyError, ScoringError, TrialError
from promo_uplift.contracts.results import FloatArray, IntArray, Interval, TrialData
from promo_uplift.policy.contract import (
    COMPARISON,
    OF_A_CUT,
    DataContract,
    definition_differences,
)
from promo_uplift.policy.money import PolicyScores
from promo_uplift.policy.registered import RegisteredVersion
from promo_uplift.policy.scoring import ScoringModel
from promo_uplift.policy.targeting import share_threshold
from promo_uplift.policy.value import PolicyEvaluation


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
    challenger_profit_usd: FloatArray,
    champion_profit_usd: FloatArray | None,
    groups: IntArray,
    level: float,
    incomparable: str = "",
    is_money_stated: bool,
) -> GateDecision:
    """Decide on the alias ``champion`` by the paired policy value, USD per household.

    Scope: the standing champion may have been trained on the rows that are compared, the
    challenger's values are cross-fitted; the comparison then favours the standing champion, so a
    promotion is conservative.

    Parameters
    ----------
    verdict : str
        The run's verdict; anything but ``publish`` keeps the alias where it is.
    challenger_profit_usd, champion_profit_usd : float64 (n,)
        Doubly robust profit of each row under each model's policy (0 where it does not mail).
    groups : int64 (n,)
        Household of each row, the cluster of the interval.
    level : float
        Of the interval.
    incomparable : str
        Why a champion that stands cannot be compared on these rows; empty where it can, or none
        stands. Then the alias stays where it is: only a person can move it.
    is_money_stated : bool
        Without a stated cost the values are the outcome itself, and the reason speaks of no profit.

    Returns
    -------
    GateDecision

    Raises
    ------
    PolicyError
        If the two models' profits are not of the same rows.
    """
    if verdict != "publish":
        return GateDecision(False, f"The verdict is {verdict}: no champion without publish.", None)
    if incomparable:
        return GateDecision(
            False, f"The standing champion cannot be compared, and stays: {incomparable}", None
        )
    if champion_profit_usd is None:
        return GateDecision(True, "The verdict is publish and no champion stands.", None)
    if challenger_profit_usd.shape != champion_profit_usd.shape:
        raise PolicyError(
            "`champion_profit_usd` must be of the challenger's rows: "
            f"found {champion_profit_usd.shape}, expected {challenger_profit_usd.shape}."
        )
    difference = _paired(challenger_profit_usd - champion_profit_usd, groups, level)
    promote = difference.ci_low > 0
    word = "above" if promote else "not above"
    what, unit = ("profit", " USD") if is_money_stated else ("gain in the outcome", "")
    return GateDecision(
        promote,
        f"Its {what} is {word} the standing champion's: {difference.estimate:+.3f}{unit} per "
        f"household ({difference.ci_low:+.3f} to {difference.ci_high:+.3f}).",
        difference,
    )


def chosen_policy_profit(
    *,
    scores: PolicyScores,
    cate: Mapping[str, FloatArray],
    evaluation: PolicyEvaluation,
    fold: IntArray,
) -> FloatArray:
    """Profit of each row under the honestly chosen policy, USD, ``(n,)``; 0 where not mailed.

    Parameters
    ----------
    scores : PolicyScores
        Scores in USD.
    cate : mapping of str to float64 (n, K)
        Cross-fitted effects of the learners that were chosen.
    evaluation : PolicyEvaluation
        Learner and share that were chosen for each held-out fold.
    fold : int64 (n,)
        Fold of each row.
    """
    profit = np.zeros(len(fold))
    choices = zip(evaluation.learner_by_fold, evaluation.share_by_fold, strict=True)
    for number, (learner, share) in enumerate(choices):
        rows = np.flatnonzero(fold == number)
        predicted = cate[learner][rows, number]
        mailed = predicted >= share_threshold(cate=predicted, share=share)
        profit[rows[mailed]] = scores.profit[rows[mailed], number]
    return profit


def scored_policy_profit(
    *, scores: PolicyScores, model: ScoringModel, data: TrialData, fold: IntArray
) -> FloatArray:
    """Profit of each row if a registered model decided, USD, ``(n,)``; 0 where not mailed.

    A model for a table of the user's own is given its columns back.

    Raises
    ------
    ScoringError
        If the model needs covariates that these trials do not have.
    """
    households = data.covariates
    if model.encoder is not None and data.encoder is not None:
        households = data.encoder.decode(households)
    predicted = model.score(households)["cate_usd"].to_numpy(dtype=np.float64)
    mailed = np.nan_to_num(predicted, nan=-np.inf) >= model.cate_threshold_usd
    return np.where(mailed, scores.profit[np.arange(len(fold)), fold], 0.0)


def standing_policy_profit(
    *,
    scores: PolicyScores,
    standing: RegisteredVersion | None,
    contract: DataContract | None,
    data: TrialData,
    fold: IntArray,
) -> tuple[FloatArray | None, str]:
    """Profit of each row if the standing champion decided, or why it cannot be told.

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
    profit : float64 (n,) or None
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
        return scored_policy_profit(scores=scores, model=model, data=data, fold=fold), ""
    except (ScoringError, TrialError) as error:
        return None, str(error)


def _other_question(*, made_with: DataContract | None, now: DataContract | None) -> str:
    """Say what the champion was made for and the challenger was not; empty if nothing."""
    if made_with is None or now is None:
        return ""
    found = definition_differences(contract=made_with, definition=now.definition)
    return "; ".join(str(one) for one in found if one.name in (*OF_A_CUT, COMPARISON))


def _paired(values: FloatArray, groups: IntArray, level: float) -> Interval:
    mean = float(values.mean())
    _, codes = np.unique(groups, return_inverse=True)
    sums = np.bincount(codes, weights=values - mean)
    error = float(np.sqrt((sums**2).sum())) / len(values)
    reach = float(norm.ppf(0.5 + level / 2.0)) * error
    return Interval(mean, mean - reach, mean + reach)
