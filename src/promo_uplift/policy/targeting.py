"""Who would be contacted, household by household, and in plain words why or why not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.columns import CAMPAIGN_ID, HOUSEHOLD_ID
from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.parameters import PolicyParameters, VerdictName
from promo_uplift.contracts.results import BoolArray, FloatArray, TrialData
from promo_uplift.policy.money import assumption_columns, break_even_cate, expected_profit
from promo_uplift.policy.support import Support

#: The only verdict under which anybody is recommended.
PUBLISH: VerdictName = "publish"

#: The policy made of the learner and the share that are chosen together.
CHOSEN = "chosen"

#: Reason codes, most decisive first: a row carries the first that applies to it.
REASONS: dict[str, str] = {
    "verdict_withholds": "The checks do not allow a targeting list from this data.",
    "outside_support": "The training data hold too few comparable households in both arms.",
    "no_cost_stated": "Nobody stated a cost: whether the contact pays is not known.",
    "below_break_even": "The predicted effect does not pay for the contact.",
    "below_share_threshold": "The predicted effect is outside the share that was chosen.",
    "not_contacted_by_policy": "The policy that decides does not contact this household.",
    "left_to_a_lot": (
        "The policy that decides would draw lots for this household; a list draws none."
    ),
    "targeted_without_interval": (
        "Chosen; the case rests on the group: no interval of a single household is offered."
    ),
    "targeted_interval_includes_break_even": (
        "Chosen; this household's own interval includes break-even, so the case rests on the "
        "group, not on this household."
    ),
    "targeted": "Chosen; even the low end of the interval pays for the contact.",
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
    contacts: FloatArray,
    in_support: BoolArray,
    parameters: PolicyParameters,
    verdict_name: VerdictName,
    policy: str,
) -> Recommendation:
    """Decide for each row: whom the policy contacts, less whoever is out of support.

    Parameters
    ----------
    predictions : HouseholdPredictions
        Effect, interval, redemption.
    contacts : float64 (m,)
        P(contact) of each row by the policy that decides: 0 or 1, or between where it draws lots.
    in_support : bool (m,)
        Whether the row is in the support.
    parameters : PolicyParameters
        The money assumed.
    verdict_name : str
        Anything but ``publish`` recommends nobody.
    policy : str
        That decides. The share of ``chosen`` is cut further, to whoever is predicted to pay; a
        policy of the suite is taken as it was valued.
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
    left_out, is_share = contacts < 1.0, policy == CHOSEN
    rules = [
        withheld,
        ~in_support,
        unstated,
        ~pays & is_share,
        left_out & is_share,
        contacts == 0.0,
        left_out,
        unbounded,
        ~surely,
    ]
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
    predictions: HouseholdPredictions,
    row_support: Support,
    contacts: FloatArray,
    policy: str,
    parameters: PolicyParameters,
    verdict_name: VerdictName,
) -> pd.DataFrame:
    """Targeting list of the trials' own households, from held-out predictions.

    Parameters
    ----------
    data : TrialData
        The trials.
    predictions : HouseholdPredictions
        Of the learner whose effects the policy uses, held out.
    row_support : Support
        Of the same rows.
    contacts : float64 (n,)
        P(contact) of each row by the policy that decides.
    policy : str
        Its name.
    parameters : PolicyParameters
        The money assumed.
    verdict_name : str
        Only ``publish`` recommends anybody.

    Returns
    -------
    DataFrame
        ``household_id, campaign_id, cate_usd, cate_ci_low_usd, cate_ci_high_usd,
        expected_profit_usd, in_support, policy, recommend, reason, reason_text, support_reason``,
        and the money assumed; best expected profit first, or largest effect where nobody stated a
        cost.

    Raises
    ------
    PolicyError
        If the interval is not of shape ``(n, 2)``.
    """
    cate, interval = predictions.cate, predictions.interval
    if interval.shape != (len(cate), 2):
        raise PolicyError(f"`interval` must be of shape ({len(cate)}, 2), got {interval.shape}.")
    decided = recommendation(
        predictions=predictions,
        contacts=contacts,
        in_support=row_support.mask,
        parameters=parameters,
        verdict_name=verdict_name,
        policy=policy,
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
            "policy": policy,
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
