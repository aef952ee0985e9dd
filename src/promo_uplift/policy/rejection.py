"""Which campaigns work: rules set in advance, and no more false finds than stated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.effects import minimum_detectable_effect
from promo_uplift.effects.discovery import DiscoveryMethod, control_discoveries
from promo_uplift.effects.estimate import Estimate
from promo_uplift.policy.ledger import TOGETHER, Ledger

WORKS: Final = "works"
REJECTED: Final = "rejected"
UNDECIDED: Final = "undecided"
#: Columns of the table of decisions.
DECISION_COLUMNS: Final = (
    "campaign",
    "decision",
    "rule",
    "why",
    "effect_usd",
    "p_value",
    "p_adjusted",
    "mde_usd",
    "roi",
    "roi_ci_low",
    "roi_ci_high",
    "break_even_effect_usd",
)


@dataclass(frozen=True, slots=True)
class RejectionRules:
    """When a campaign is rejected.

    Attributes
    ----------
    max_p_value : float
        Rejected above it; the false discovery rate of what works is held at it too.
    min_effect_usd : float
        Effect on spend, USD per treated household, below which it is rejected.
    min_roi : float
        Return below which it is rejected, share of the costs.
    discovery : {"bh", "by"}
        Control of false discoveries over the campaigns.
    level, power : float
        Of the smallest effect that the data could have shown.
    """

    max_p_value: float
    min_effect_usd: float
    min_roi: float
    discovery: DiscoveryMethod
    level: float
    power: float

    def __post_init__(self) -> None:
        """Refuse probabilities outside (0, 1)."""
        for name in ("max_p_value", "level", "power"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise PolicyError(
                    f"`{name}` must be between 0 and 1, found {getattr(self, name)}. Write it as a "
                    "share, e.g. 0.1."
                )


def campaign_decisions(*, ledger: Ledger, rules: RejectionRules) -> pd.DataFrame:
    """Decide on each campaign and name the rules that decided, columns ``DECISION_COLUMNS``.

    - ``undecided``, ``no_estimate``: there is no effect on spend;
    - ``rejected``: every rule that it breaks is named: ``effect`` (below the least effect),
      ``p_value``, ``roi``. A rejected p-value is no proof of a loss: ``why`` says whether a profit
      is inside its interval, and ``mde_usd`` what the data could have shown;
    - ``undecided``, ``false_discovery``: passes alone and not among all campaigns;
    - ``undecided``, ``no_roi``: passes, and whether it pays is unknown;
    - ``works``: passes every rule.

    Parameters
    ----------
    ledger : Ledger
        Of :func:`promo_uplift.policy.ledger.incremental_ledger`. ``pooled`` and
        ``pooled_settled`` are judged alone, and are no members of the family of campaigns.
    rules : RejectionRules
        Thresholds.

    References
    ----------
    Benjamini & Hochberg (1995), JRSS B 57(1).
    """
    campaigns = [name for name in ledger.campaigns if name not in TOGETHER]
    revenue = {name: ledger.entries[name, "incremental_revenue"] for name in ledger.campaigns}
    p_values = np.array([revenue[name].p_value for name in campaigns], dtype=np.float64)
    control = control_discoveries(p_values=p_values, method=rules.discovery)
    adjusted = dict(zip(campaigns, control.adjusted.tolist(), strict=True))
    adjusted |= {name: revenue[name].p_value for name in TOGETHER if name in revenue}
    rows = [_row(ledger, name, adjusted[name], rules) for name in ledger.campaigns]
    return pd.DataFrame(rows, columns=list(DECISION_COLUMNS))


def _row(
    ledger: Ledger, campaign: str, p_adjusted: float, rules: RejectionRules
) -> dict[str, object]:
    revenue = ledger.entries[campaign, "incremental_revenue"]
    n_treated = ledger.n_treated[campaign]
    roi = ledger.entries.get((campaign, "roi"))
    break_even = ledger.entries.get((campaign, "break_even_effect"))
    decision, broken = _decide(revenue, roi, p_adjusted, n_treated, rules)
    why = "; ".join(broken.values())
    profit = ledger.entries.get((campaign, "profit"))
    if "p_value" in broken and profit is not None and profit.is_valid:
        why += "; a profit is " + ("not excluded" if profit.ci_high >= 0.0 else "excluded")
    return {
        "campaign": campaign,
        "decision": decision,
        "rule": "; ".join(broken),
        "why": why,
        "effect_usd": revenue.value / n_treated,
        "p_value": revenue.p_value,
        "p_adjusted": p_adjusted,
        "mde_usd": minimum_detectable_effect(
            se=revenue.se / n_treated, level=rules.level, power=rules.power
        ),
        "roi": np.nan if roi is None else roi.value,
        "roi_ci_low": np.nan if roi is None else roi.ci_low,
        "roi_ci_high": np.nan if roi is None else roi.ci_high,
        "break_even_effect_usd": np.nan if break_even is None else break_even.value,
    }


def _decide(
    revenue: Estimate,
    roi: Estimate | None,
    p_adjusted: float,
    n_treated: int,
    rules: RejectionRules,
) -> tuple[str, Mapping[str, str]]:
    """Decision, and the rules behind it with what they found."""
    if not revenue.is_valid:
        return UNDECIDED, {"no_estimate": f"no estimate: {revenue.reason}"}
    effect = revenue.value / n_treated
    broken = {}
    if effect < rules.min_effect_usd:
        broken["effect"] = f"effect {effect:+.2f} USD is below {rules.min_effect_usd:.2f}"
    if revenue.p_value > rules.max_p_value:
        broken["p_value"] = f"p = {revenue.p_value:.3f} is above {rules.max_p_value:.2f}"
    if roi is not None and roi.is_valid and roi.value < rules.min_roi:
        broken["roi"] = f"ROI {roi.value:+.0%} is below {rules.min_roi:.0%}"
    if broken:
        return REJECTED, broken
    if p_adjusted > rules.max_p_value:
        return UNDECIDED, {
            "false_discovery": f"p = {p_adjusted:.3f} among all campaigns is above "
            f"{rules.max_p_value:.2f}"
        }
    if roi is None or not roi.is_valid:
        reason = "no money was stated" if roi is None else roi.reason
        return UNDECIDED, {"no_roi": f"whether it pays is unknown: {reason}"}
    return WORKS, {}
