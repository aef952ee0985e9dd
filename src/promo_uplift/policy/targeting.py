"""Who would be contacted, household by household, and in plain words why or why not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.columns import CAMPAIGN_ID, HOUSEHOLD_ID
from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import PolicyParameters, VerdictName
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray, TrialData
from promo_uplift.policy.money import assumption_columns, break_even_cate, expected_profit
from promo_uplift.policy.support import Support

#: The only verdict under which anybody is recommended.
PUBLISH: VerdictName = "publish"

#: Reason codes, most decisive first: a row carries the first that applies to it.
REASONS: dict[str, str] = {
    "verdict_withholds": "The checks do not allow a targeting list from this data.",
    "outside_support": "The training data hold too few comparable households in both arms.",
    "no_cost_stated": "Nobody stated a cost: whether the contact pays is not known.",
    "below_break_even": "The predicted effect does not pay for the contact.",
    "below_share_threshold": "The predicted effect is outside the share that was chosen.",
    "targeted_without_interval": (
        "In the chosen share; the case rests on the group: no interval of a single household is "
        "offered."
    ),
    "targeted_interval_includes_break_even": (
        "In the chosen share; this household's own interval includes break-even, so the case "
        "rests on the group, not on this household."
    ),
    "targeted": "In the chosen share; even the low end of the interval pays for the contact.",
}
TARGETED = ("targeted", "targeted_without_interval", "targeted_interval_includes_break_even")


@dataclass(frozen=True, slots=True)
class HouseholdPredictions:
    """What the models predict for each row.

    Attributes
    ----------
    cate : float64 (m,)
        Effect of the mailing, USD per household.
    interval : float64 (m, 2)
        Its interval, USD; NaN where the learner offers none.
    redemption : float64 (m,)
        P(redeems | contacted).
    """

    cate: FloatArray
    interval: FloatArray
    redemption: FloatArray


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Decision for each row.

    Attributes
    ----------
    expected_profit_usd : float64 (m,)
        Predicted profit of the contact, USD per contacted household; NaN where nobody stated a
        cost.
    recommend : bool (m,)
        Contact the household.
    reason : tuple of str (m,)
        Code of :data:`REASONS`.
    """

    expected_profit_usd: FloatArray
    recommend: BoolArray
    reason: tuple[str, ...]


def share_threshold(*, cate: FloatArray, share: float) -> float:
    """CATE from which on a household is in the top ``share``, USD per household.

    The lowest value at or above which no more than ``share`` of the rows lie: rows that the
    prediction cannot tell apart are taken together or not at all. Infinite if that is nobody,
    minus infinite if ``share`` is 1.

    Examples
    --------
    >>> import numpy as np
    >>> share_threshold(cate=np.array([1.0, 2.0, 2.0, 5.0]), share=0.5)
    5.0
    """
    if share >= 1.0:
        return float("-inf")
    values, counts = np.unique(cate, return_counts=True)
    at_or_above = np.cumsum(counts[::-1])[::-1]
    # the allowance keeps 0.3 * 10 rows at 3 rows
    fits = at_or_above <= share * len(cate) * (1.0 + np.finfo(np.float64).eps * 4)
    return float(values[fits][0]) if fits.any() else float("inf")


def recommendation(
    *,
    predictions: HouseholdPredictions,
    in_top_share: BoolArray,
    in_support: BoolArray,
    parameters: PolicyParameters,
    verdict_name: VerdictName,
) -> Recommendation:
    """Decide for each row: the chosen share, less whoever does not pay or is out of support.

    Parameters
    ----------
    predictions : HouseholdPredictions
        Effect, interval, redemption.
    in_top_share, in_support : bool (m,)
        Whether the row is in the chosen share, and in the support.
    parameters : PolicyParameters
        The money assumed.
    verdict_name : str
        Anything but ``publish`` recommends nobody.
    """
    redemption = predictions.redemption
    profit = expected_profit(
        cate_usd=predictions.cate, redemption=redemption, parameters=parameters
    )
    surely = predictions.interval[:, 0] > break_even_cate(
        redemption=redemption, parameters=parameters
    )
    pays = profit > 0.0
    withheld = np.full(len(profit), verdict_name != PUBLISH)
    unstated = np.full(len(profit), not parameters.are_stated)
    unbounded = np.isnan(predictions.interval[:, 0])
    rules = [withheld, ~in_support, unstated, ~pays, ~in_top_share, unbounded, ~surely]
    codes = np.array(list(REASONS), dtype=object)
    first = np.select(rules, list(range(len(rules))), default=len(rules))
    return Recommendation(
        expected_profit_usd=np.where(unstated, np.nan, profit),
        recommend=np.isin(codes, TARGETED)[first],
        reason=tuple(codes[first]),
    )


def targeting_list(
    *,
    data: TrialData,
    fold: IntArray,
    predictions: HouseholdPredictions,
    row_support: Support,
    share: float,
    parameters: PolicyParameters,
    verdict_name: VerdictName,
) -> pd.DataFrame:
    """Targeting list of the trials' own households, from held-out predictions.

    Parameters
    ----------
    data : TrialData
        The trials.
    fold : int64 (n,)
        Fold of each row; the chosen share is taken within each fold.
    predictions : HouseholdPredictions
        Of the champion, held out.
    row_support : Support
        Of the same rows.
    share : float
        Chosen share.
    parameters : PolicyParameters
        The money assumed.
    verdict_name : str
        Only ``publish`` recommends anybody.

    Returns
    -------
    DataFrame
        ``household_id, campaign_id, cate_usd, cate_ci_low_usd, cate_ci_high_usd,
        expected_profit_usd, in_support, recommend, reason, reason_text, support_reason``, and the
        money assumed; best expected profit first, or largest effect where nobody stated a cost.

    Raises
    ------
    PolicyError
        If the interval is not of shape ``(n, 2)``.
    """
    cate, interval = predictions.cate, predictions.interval
    if interval.shape != (len(cate), 2):
        raise PolicyError(f"`interval` must be of shape ({len(cate)}, 2), got {interval.shape}.")
    top = np.zeros(len(cate), dtype=np.bool_)
    for number in np.unique(fold):
        rows = fold == number
        top[rows] = cate[rows] >= share_threshold(cate=cate[rows], share=share)
    decided = recommendation(
        predictions=predictions,
        in_top_share=top,
        in_support=row_support.mask,
        parameters=parameters,
        verdict_name=verdict_name,
    )
    ids = {} if data.row is None else {"row": data.row}
    table = pd.DataFrame(
        {
            **ids,
            HOUSEHOLD_ID: data.groups,
            CAMPAIGN_ID: data.campaign,
            "cate_usd": cate,
            "cate_ci_low_usd": interval[:, 0],
            "cate_ci_high_usd": interval[:, 1],
            "expected_profit_usd": decided.expected_profit_usd,
            "in_support": row_support.mask,
            "recommend": decided.recommend,
            "reason": decided.reason,
            "reason_text": [REASONS[code] for code in decided.reason],
            "support_reason": row_support.reasons,
        }
    ).assign(**assumption_columns(parameters))
    best = "expected_profit_usd" if parameters.are_stated else "cate_usd"
    return table.sort_values(
        [best, HOUSEHOLD_ID, CAMPAIGN_ID], ascending=[False, True, True]
    ).reset_index(drop=True)
