"""The incremental ledger of the campaigns: effects times households, and who paid for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from promo_uplift.analysis.campaigns.panel_lens import SPEND, PanelLens, panel_rules, panel_window
from promo_uplift.contracts.campaign_parameters import LedgerSettings, PanelParameters
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.effects.estimate import Estimate
from promo_uplift.effects.panel import CampaignPanel, two_by_two
from promo_uplift.policy.campaign_effects import (
    LEDGER_OUTCOMES,
    MANUFACTURER_FUNDED,
    POST,
    RETAILER_FUNDED,
    CampaignEffects,
    LedgerParameters,
)
from promo_uplift.policy.ledger import Ledger, incremental_ledger
from promo_uplift.policy.rejection import RejectionRules, campaign_decisions

DAYS_PER_WEEK: Final = 7
ESTIMATOR: Final = "two_by_two"


@dataclass(frozen=True, slots=True)
class CampaignMoney:
    """The ledger, and which campaigns work.

    Attributes
    ----------
    ledger : Ledger
    decisions : DataFrame
        One row per campaign: ``works``, ``rejected`` or ``undecided``, and by which rule.
    """

    ledger: Ledger
    decisions: pd.DataFrame


def campaign_money(
    *,
    lens: PanelLens,
    coverage: pd.DataFrame,
    redeemers: Mapping[str, int],
    money: PolicyParameters,
    panel: PanelParameters,
    settings: LedgerSettings,
    level: float,
    power: float,
) -> CampaignMoney:
    """Turn the panel's effects into money, campaign by campaign and pooled.

    Parameters
    ----------
    lens : PanelLens
        Effects by outcome.
    coverage : DataFrame
        One row per campaign: ``campaign_id``, ``start_date``, ``end_date``.
    redeemers : mapping of str to int
        Mailed households that redeemed a coupon of the campaign.
    money : PolicyParameters
        Margin and costs; not stated: no return.
    panel : PanelParameters
        Windows.
    settings : LedgerSettings
        Margin basis, rules of rejection.
    level, power : float
        Of intervals; of the smallest detectable effect.
    """
    weeks = _weeks_until_end(coverage)
    campaigns = [
        CampaignEffects(
            campaign=one.campaign,
            effects=_effects(one, lens, weeks[one.campaign], panel, level),
            n_treated=int(one.treatment.sum()),
            n_redeemers=redeemers.get(one.campaign, 0),
            given_usd=_given(one, panel),
        )
        for one in lens.panels
    ]
    ledger = incremental_ledger(
        campaigns=campaigns,
        money=money,
        parameters=LedgerParameters(
            level=level,
            margin_basis=settings.margin_basis,
            profit_window=settings.profit_window,
            additivity_tolerance=settings.additivity_tolerance,
        ),
    )
    decisions = campaign_decisions(
        ledger=ledger,
        rules=RejectionRules(
            max_p_value=settings.max_p_value,
            min_effect_usd=settings.min_effect_usd,
            min_roi=settings.min_roi,
            discovery=settings.discovery,
            level=level,
            power=power,
        ),
    )
    return CampaignMoney(ledger, decisions)


def _weeks_until_end(coverage: pd.DataFrame) -> dict[str, int]:
    """First whole week after each campaign's last day."""
    days = (pd.to_datetime(coverage["end_date"]) - pd.to_datetime(coverage["start_date"])).dt.days
    weeks = np.ceil((days + 1) / DAYS_PER_WEEK).astype(int)
    return dict(zip(coverage["campaign_id"].astype(str), weeks.tolist(), strict=True))


def _effects(
    panel: CampaignPanel,
    lens: PanelLens,
    first_week_after: int,
    parameters: PanelParameters,
    level: float,
) -> dict[str, Estimate]:
    effects = {
        name: lens.effect(campaign=panel.campaign, estimator=ESTIMATOR, outcome=name)
        for name in LEDGER_OUTCOMES
        if name != POST
    }
    window = replace(
        panel_window(parameters),
        effect_weeks=parameters.after_weeks,
        first_effect_week=first_week_after,
    )
    later = two_by_two(
        panels=[panel], outcome=SPEND, window=window, rules=panel_rules(parameters), level=level
    )
    found = next(one for one in later.estimates if one.label.campaign == panel.campaign)
    return effects | {POST: replace(found, label=replace(found.label, outcome=POST))}


def _given(panel: CampaignPanel, parameters: PanelParameters) -> dict[str, float]:
    """USD of each discount that the mailed received in the effect window."""
    inside = panel_window(parameters).effect(panel.rel_weeks)
    mailed = panel.treatment == 1
    return {
        name: float(panel.values(name)[mailed][:, inside].sum())
        for name in (*RETAILER_FUNDED, MANUFACTURER_FUNDED)
    }


def redeemers_of(*, redemptions: ir.Table, lens: PanelLens) -> dict[str, int]:
    """Mailed households of the panel that redeemed a coupon of the campaign, by campaign."""
    pairs = redemptions.select("campaign_id", "household_id").distinct().to_pyarrow().to_pandas()
    redeemed = {str(name): rows for name, rows in pairs.groupby("campaign_id")["household_id"]}
    return {
        one.campaign: int(
            np.isin(one.households[one.treatment == 1], redeemed.get(one.campaign, [])).sum()
        )
        for one in lens.panels
    }
