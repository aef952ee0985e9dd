"""What the ledger takes: the effects of a campaign on spend, its parts and the discounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.effects.estimate import Estimate, Label
from promo_uplift.effects.joint import ROUNDING, joint_influence

SPEND: Final = "spend_usd"
PARTS: Final = ("target_spend_usd", "category_spend_usd", "other_spend_usd")
RETAILER_FUNDED: Final = ("retailer_discount_usd", "coupon_match_discount_usd")
MANUFACTURER_FUNDED: Final = "manufacturer_coupon_usd"
POST: Final = "post_spend_usd"
#: Outcomes that the ledger rests on, each an average effect in USD per treated household.
LEDGER_OUTCOMES: Final = (SPEND, *PARTS, *RETAILER_FUNDED, MANUFACTURER_FUNDED, POST)


@dataclass(frozen=True, slots=True)
class LedgerParameters:
    """How effects become money.

    Attributes
    ----------
    level : float
        Confidence level.
    margin_basis : {"revenue", "shelf"}
        What the margin rate is a share of; see :mod:`promo_uplift.policy.ledger`.
    profit_window : {"effect", "effect_and_after"}
        Whether profit counts what is bought less (or more) after the campaign. A campaign without
        an estimate of it then has no profit.
    additivity_tolerance : float
        Largest gap between the effect on spend and the sum of its parts, as a share of the largest
        of them.
    """

    level: float
    margin_basis: Literal["revenue", "shelf"]
    profit_window: Literal["effect", "effect_and_after"]
    additivity_tolerance: float

    def __post_init__(self) -> None:
        """Refuse options that do not exist."""
        options = {
            "margin_basis": ("revenue", "shelf"),
            "profit_window": ("effect", "effect_and_after"),
        }
        for name, allowed in options.items():
            if getattr(self, name) not in allowed:
                raise PolicyError(
                    f"`{name}` must be one of {list(allowed)}, found {getattr(self, name)!r}."
                )
        if not 0.0 < self.level < 1.0:
            raise PolicyError(f"`level` must be between 0 and 1, found {self.level}.")


@dataclass(frozen=True, slots=True)
class CampaignEffects:
    """What is known of one campaign.

    Attributes
    ----------
    campaign : str
        Its id.
    effects : mapping of str to Estimate
        ``LEDGER_OUTCOMES`` -> effect on the treated, USD per household over its whole window; all
        of one estimator and sample, so that parts add up. An outcome that is absent has no figure.
    n_treated, n_redeemers : int
        Households mailed, and those of them that redeemed.
    given_usd : mapping of str to float
        Discounts -> USD that the treated received in the window, counted and not caused.
    """

    campaign: str
    effects: Mapping[str, Estimate]
    n_treated: int
    n_redeemers: int
    given_usd: Mapping[str, float]

    def __post_init__(self) -> None:
        """Refuse campaigns without households, more redeemers than mailed, unknown outcomes."""
        if self.n_treated < 1 or not 0 <= self.n_redeemers <= self.n_treated:
            raise PolicyError(
                f"`n_treated` must be at least 1 and `n_redeemers` between 0 and it; campaign "
                f"{self.campaign} has {self.n_treated} and {self.n_redeemers}."
            )
        if unknown := sorted(set(self.effects) - set(LEDGER_OUTCOMES)):
            raise PolicyError(
                f"`effects` of campaign {self.campaign} must be of {list(LEDGER_OUTCOMES)}, found "
                f"{unknown}."
            )

    def effect(self, outcome: str) -> Estimate:
        """Effect on an outcome; one without a figure where it was not estimated."""
        if outcome in self.effects:
            return self.effects[outcome]
        label = Label("panel", "", "att", self.campaign, outcome)
        return Estimate.none(label=label, reason="not estimated")


def validate_effects(campaign: CampaignEffects, *, tolerance: float) -> None:
    """Refuse effects that are no ATT of their campaign, and parts that do not add up to spend.

    Raises
    ------
    PolicyError
        As said; the gap may be ``tolerance`` of the largest figure.
    """
    for outcome, one in campaign.effects.items():
        found = (one.label.campaign, one.label.outcome, one.label.estimand)
        if found != (campaign.campaign, outcome, "att"):
            raise PolicyError(
                f"`effects[{outcome}]` of campaign {campaign.campaign} must be its ATT on that "
                f"outcome, found {one.label}."
            )
    spend, parts = campaign.effect(SPEND), [campaign.effect(name) for name in PARTS]
    if not all(one.is_valid for one in (spend, *parts)):
        return
    largest = max(abs(one.value) for one in (spend, *parts))
    gap = spend.value - sum(one.value for one in parts)
    if abs(gap) > tolerance * largest + ROUNDING:
        raise PolicyError(
            f"`effects` on {list(PARTS)} must add up to that on `{SPEND}`; in campaign "
            f"{campaign.campaign} {gap:+.6g} USD per household is missing of {spend.value:.6g}. "
            "Estimate all four with one linear estimator on the same rows."
        )
    if any(one.influence is None for one in (spend, *parts)):
        return
    joint = joint_influence([spend, *parts]).to_numpy()
    error_of_gap = float(np.linalg.norm(joint[:, 0] - joint[:, 1:].sum(axis=1)))
    if error_of_gap > tolerance * float(np.linalg.norm(joint, axis=0).max()) + ROUNDING:
        raise PolicyError(
            f"`influence` of {list(PARTS)} must add up to that of `{SPEND}`; in campaign "
            f"{campaign.campaign} it does not, though the effects do. Estimate all four with one "
            "linear estimator on the same rows."
        )
