"""PU-LOCO: no single campaign makes the effect."""

from __future__ import annotations

from dataclasses import dataclass

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.left_out import LeftOut, move_finding
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class CampaignsLeftOut(LeftOut):
    """Estimates without one campaign each."""


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Hold the largest move against its bound."""
    found = evidence.need(CampaignsLeftOut)
    if found.n_parts == 1:
        return Finding.nothing(
            rule="no campaign left out moves the effect much",
            sentence="There is one campaign only, so none can be left out.",
        )
    return move_finding(
        found=found,
        kind="campaign",
        most=parameters.max_campaign_move_share,
        least=parameters.min_same_sign_share,
        words=evidence.wording,
    )


CHECK = Check(
    code="PU-LOCO",
    title="No campaign makes the effect",
    family="estimate",
    needs=(CampaignsLeftOut,),
    look=_look,
)
