"""An explanation in words, with the warning that it may explain nothing but the model."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap

import numpy as np
import pandas as pd

from promo_uplift.contracts.parameters import WordingParameters
from promo_uplift.explanation.contributions import Contributions
from promo_uplift.explanation.labels import label
from promo_uplift.explanation.rules import EffectRules
from promo_uplift.metrics import HeterogeneityTest

INDENT, HANGING = "    ", "      "
DIRECTIONS = {
    "rises": "the effect rises with it",
    "falls": "the effect falls with it",
    "mixed": "no single direction",
    "none": "it moves nothing",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What drives the champion's effects.

    Attributes
    ----------
    learner : str
        The champion.
    contributions : Contributions
        Of the explained rows.
    drivers : DataFrame
        Of :func:`promo_uplift.explanation.driver_table`.
    rules : EffectRules
        The effects as a few rules.
    warning : str or None
        What to read first, where the test of heterogeneity does not reject.
    text : str
        All of it in words.
    """

    learner: str
    contributions: Contributions
    drivers: pd.DataFrame
    rules: EffectRules
    warning: str | None
    text: str

    def __str__(self) -> str:
        """Return the text."""
        return self.text


def warning_of(*, test: HeterogeneityTest, learner: str, wording: WordingParameters) -> str | None:
    """Sentence that comes before every explanation of a learner whose slope is not shown.

    Parameters
    ----------
    test : HeterogeneityTest
    learner : str
        Whose effects are explained.
    wording : WordingParameters
    """
    if test.finds(learner):
        return None
    p = test.p_value(learner)
    found = (
        f"The test finds no heterogeneity (p = {p:.2f})"
        if np.isfinite(p)
        else f"No test of heterogeneity: {learner} predicts one effect for all"
    )
    return f"{found}: what follows explains the model, not the {wording.subjects}."


def heterogeneity_sentence(
    *, test: HeterogeneityTest, learner: str, wording: WordingParameters
) -> str:
    """Say in a verdict what the test of heterogeneity found.

    Parameters
    ----------
    test : HeterogeneityTest
    learner : str
        The champion.
    wording : WordingParameters
    """
    warning = warning_of(test=test, learner=learner, wording=wording)
    if warning is not None:
        return warning.replace(
            "what follows explains", f"the drivers of {learner}'s effects explain"
        )
    return (
        f"Effects differ between {wording.subjects}: the test of heterogeneity rejects "
        f"({_p(test.p_value(learner))})."
    )


def explanation_text(
    *,
    learner: str,
    test: HeterogeneityTest,
    drivers: pd.DataFrame,
    rules: EffectRules,
    warning: str | None,
    wording: WordingParameters,
    shown: int,
    width: int,
) -> str:
    """Drivers and rules as plain text.

    Parameters
    ----------
    learner : str
        The champion.
    test : HeterogeneityTest
    drivers : DataFrame
        Of :func:`promo_uplift.explanation.driver_table`.
    rules : EffectRules
    warning : str or None
        Of :func:`warning_of`.
    wording : WordingParameters
    shown : int
        Drivers at most.
    width : int
        Characters per line.
    """
    lines = wrap(f"WHAT DRIVES THE EFFECTS that {learner} predicts", width)
    if warning is not None:
        lines += wrap(f"WARNING {warning}", width, subsequent_indent=" " * 8)
    else:
        lines += wrap(
            f"TEST    Effects differ between {wording.subjects} ({_p(test.p_value(learner))}).",
            width,
            subsequent_indent=" " * 8,
        )
    how = {
        "exact": "exact contributions",
        "permutation": "contributions by random orders of the covariates",
    }[str(drivers["method"].iloc[0])]
    lines += wrap(
        f"DRIVERS Mean size of what each covariate adds to the held-out effect of "
        f"{int(drivers['n'].iloc[0]):,} rows, {how}",
        width,
        subsequent_indent=" " * 8,
    )
    moving = drivers[drivers["mean_abs_usd"] > 0.0].head(shown)
    for row in moving.to_dict("records"):
        lines += wrap(
            f"{label(row['covariate'])}: {wording.size(row['mean_abs_usd'])} "
            f"({row['share']:.0%}); {DIRECTIONS[row['direction']]}",
            width,
            initial_indent=INDENT,
            subsequent_indent=HANGING,
        )
    if moving.empty:
        lines.append(f"{INDENT}none: the effect is the same for all")
    repeated = (
        f", repeats {max(rules.r2, 0.0):.0%} of their variation" if np.isfinite(rules.r2) else ""
    )
    lines += wrap(
        f"RULES   A tree that was grown on the predicted effects{repeated}; effects found on "
        f"{wording.subjects} that it knows nothing of",
        width,
        subsequent_indent=" " * 8,
    )
    for sentence in rules.table["text"]:
        lines += wrap(sentence, width, initial_indent=INDENT, subsequent_indent=HANGING)
    return "\n".join(lines)


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
