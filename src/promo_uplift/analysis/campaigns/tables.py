"""Every table of the campaign effects by name."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from promo_uplift.analysis.campaigns.adjusted_lens import AdjustedLens
from promo_uplift.analysis.campaigns.agreement import Agreement
from promo_uplift.analysis.campaigns.money import CampaignMoney
from promo_uplift.analysis.campaigns.panel_lens import PanelLens
from promo_uplift.analysis.campaigns.staggered_lens import StaggeredLens
from promo_uplift.effects.estimate import estimates_table


def all_tables(
    *,
    panel: PanelLens,
    staggered: StaggeredLens,
    adjusted: AdjustedLens,
    agreement: Agreement,
    money: CampaignMoney,
    moderators: Mapping[str, pd.DataFrame],
    level: float,
) -> dict[str, pd.DataFrame]:
    """Tables of every lens, of their differences and of the ledger."""
    return {
        **panel.tables(level=level),
        **staggered.tables(),
        **adjusted.tables(),
        "lenses": estimates_table(agreement.estimates),
        "reconciliation": agreement.reconciliation.table,
        "reconciliation_tests": agreement.reconciliation.tests,
        "ledger": money.ledger.table(),
        "discounts_given": money.ledger.given_usd,
        "decisions": money.decisions,
        **moderators,
    }
