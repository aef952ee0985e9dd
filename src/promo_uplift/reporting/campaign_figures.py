"""Every figure of the campaign effects, from the lenses' results."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import norm

from promo_uplift.analysis.campaigns import (
    SPEND,
    AdjustedLens,
    Agreement,
    CampaignMoney,
    PanelLens,
    StaggeredLens,
)
from promo_uplift.contracts.campaign_parameters import CampaignParameters
from promo_uplift.contracts.parameters import PolicyParameters, WordingParameters
from promo_uplift.effects import POOLED
from promo_uplift.effects.estimate import estimates_table
from promo_uplift.effects.joint import largest_draws
from promo_uplift.effects.panel import EventStudy
from promo_uplift.policy.ledger import SETTLED
from promo_uplift.reporting.effect_figures import (
    event_study_figure,
    lenses_figure,
    love_figure,
    trimming_figure,
)
from promo_uplift.reporting.ledger_figures import ledger_table_figure, ledger_waterfall_figure
from promo_uplift.reporting.panel_figures import (
    bacon_figure,
    honest_figure,
    standard_errors_figure,
)

#: Weighting of the mailed whose balance is drawn beside matching.
WEIGHTED: Final = "ipw_att"
#: Covariates of the love plot.
SHOWN_COVARIATES: Final = 25


def campaign_figures(  # noqa: PLR0913 - one page of figures, from every result
    *,
    panel: PanelLens,
    staggered: StaggeredLens,
    adjusted: AdjustedLens,
    agreement: Agreement,
    money: CampaignMoney,
    parameters: CampaignParameters,
    policy: PolicyParameters,
    level: float,
    seed: int,
    wording: WordingParameters,
) -> dict[str, Figure]:
    """Figures by name; those of one campaign show all of them pooled."""
    settings = parameters.reconciliation
    critical = float(norm.ppf(0.5 + level / 2.0))
    ledger = money.ledger.table()
    balance = adjusted.balance
    trims = adjusted.trimming
    figures = {
        "lenses": lenses_figure(
            estimates=estimates_table(agreement.estimates),
            unadjusted=settings.unadjusted,
            level=level,
            wording=wording,
        ),
        "love": love_figure(
            balance=balance[balance["campaign"] == POOLED],
            before="unweighted",
            after=(WEIGHTED, "matched"),
            limit=settings.max_smd,
            shown=SHOWN_COVARIATES,
            wording=wording,
        ),
        "trimming": trimming_figure(
            path=trims[trims["campaign"] == POOLED], level=level, wording=wording
        ),
        "bacon": bacon_figure(
            comparisons=staggered.bacon.comparisons.rename(columns={"kind": "comparison"}),
            overall=staggered.bacon.twfe,
            wording=wording,
        ),
        "ledger": ledger_table_figure(
            table=ledger, decisions=money.decisions, money=policy, level=level
        ),
        "ledger_waterfall": ledger_waterfall_figure(
            table=ledger,
            campaign=SETTLED if SETTLED in money.ledger.campaigns else POOLED,
            level=level,
        ),
        "standard_errors": _standard_errors(panel, level, critical, wording),
    }
    study = next(one for one in panel.studies if one.campaign == POOLED)
    if not study.reason:
        figures["event_study"] = _event_study(panel, study, level, seed, wording)
    return figures | _honest(staggered, level, wording)


def _event_study(
    panel: PanelLens, study: EventStudy, level: float, seed: int, wording: WordingParameters
) -> Figure:
    """Weekly effects with pointwise bands, and bands that hold all weeks at once."""
    test = next(one for one in panel.pre_trends if one.campaign == study.campaign)
    largest = largest_draws(covariance=study.covariance, draws=10_000, seed=seed)
    wide = float(np.quantile(largest, level))
    narrow = float(norm.ppf(0.5 + level / 2.0))
    weeks = pd.DataFrame(
        {
            "rel_week": study.weeks,
            "estimate": study.coefficients,
            "ci_low": study.coefficients - narrow * study.se,
            "ci_high": study.coefficients + narrow * study.se,
            "band_low": study.coefficients - wide * study.se,
            "band_high": study.coefficients + wide * study.se,
        }
    )
    return event_study_figure(
        study=weeks,
        pre_trend_p=test.p_value,
        pre_trend_power=test.power_at_effect,
        level=level,
        wording=wording,
    )


def _standard_errors(
    panel: PanelLens, level: float, critical: float, wording: WordingParameters
) -> Figure:
    rows = panel.errors[panel.errors["campaign"] == POOLED].rename(columns={"method": "error"})
    rows = rows[rows["error"] != "wild_cluster"]  # its error is that of the cluster
    return standard_errors_figure(
        errors=rows.reset_index(drop=True),
        reference="cluster_household",
        estimate=panel.effect(campaign=POOLED, estimator="twfe", outcome=SPEND).value,
        level=level,
        critical=critical,
        wording=wording,
    )


def _honest(
    staggered: StaggeredLens, level: float, wording: WordingParameters
) -> dict[str, Figure]:
    if POOLED not in staggered.honest:
        return {}
    bounds = staggered.honest[POOLED]
    labels = {
        "relative_magnitude": "largest step of trends after / before the start",
        "smoothness": f"change of slope, {wording.unit} per week",
    }
    return {
        f"honest_{one.restriction}": honest_figure(
            bounds=bounds.table[bounds.table["restriction"] == one.restriction],
            original=bounds.original,
            breakdown=float("nan") if one.is_never else one.value,
            is_at_least=one.is_at_least,
            axis_label=labels[one.restriction],
            level=level,
            wording=wording,
        )
        for one in bounds.breakdowns
    }
