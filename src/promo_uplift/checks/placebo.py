"""PU-PLACEBO: the treatment has no effect on what happened before it."""

from __future__ import annotations

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.effects import LotteryTest, PlaceboEffect


def _when(days: int) -> str:
    return f"the {days} days before it" if days else "the earlier outcome"


def _look(evidence: Evidence, _: CheckParameters) -> Finding:
    """Hold the interval of the effect on an earlier outcome against 0; not having looked fails."""
    rule = "interval of the effect on an outcome before the treatment holds 0"
    words, placebo = evidence.wording, evidence.get(PlaceboEffect)
    if placebo is None or placebo.n_rows == 0:
        if evidence.get(LotteryTest) is not None:
            return Finding.nothing(
                rule=rule,
                sentence="Lots were drawn: PU-LOTTERY stands in for an earlier outcome.",
            )
        return Finding(
            rule=rule,
            value=float("nan"),
            threshold=0.0,
            passed=False,
            sentence=(
                f"There is no outcome from before the {words.treatment} to test on, so nothing "
                "speaks against hidden differences."
            ),
        )
    effect = placebo.effect
    return Finding(
        rule=rule,
        value=effect.estimate,
        threshold=0.0,
        passed=effect.ci_low <= 0.0 <= effect.ci_high,
        sentence=(
            f"On {_when(placebo.days)} the {words.treatment} seems to do "
            f"{words.interval(effect)}, where nothing is the truth; this test would notice "
            f"{words.size(placebo.mde_usd)} or more."
        ),
    )


CHECK = Check(
    code="PU-PLACEBO",
    title="No effect before the treatment",
    family="placebo",
    needs=(PlaceboEffect,),
    look=_look,
)
