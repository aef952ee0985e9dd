"""Policies side by side as a table and as text."""

from __future__ import annotations

from textwrap import fill

import pandas as pd

from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import Interval
from promo_uplift.policy.money import assumption_columns
from promo_uplift.policy.rules.registry import BASELINES
from promo_uplift.policy.suite import BEST_OF_ALL, WINNER_AS_READ, PolicySuite
from promo_uplift.policy.suite_values import SuiteValue

NOT_VALUED = "not_valued"


def suite_table(*, suite: PolicySuite, parameters: PolicyParameters) -> pd.DataFrame:
    """One row per policy, USD per household and campaign.

    Returns
    -------
    DataFrame
        ``policy, how``; ``share, profit_usd_per_household,
        incremental_outcome_usd_per_household, cost_usd_per_household, roi,
        profit_usd_per_household_ipw``, each with ``_ci_low, _ci_high``;
        ``profit_usd_minus_<baseline>`` with ``_ci_low, _ci_high`` and, over all policies at once,
        ``_sim_low, _sim_high``; ``rule`` in words (of all rows; for ``not_valued`` the reason),
        and the money assumed.
    """
    rows = [
        {"policy": name, **_columns(value), "rule": _in_words(_rule(suite, name), parameters)}
        for name, value in suite.valued.items()
    ]
    rows += [
        {"policy": name, "how": NOT_VALUED, "rule": reason}
        for name, reason in suite.not_valued.items()
    ]
    return pd.DataFrame(rows).assign(**assumption_columns(parameters))


def suite_text(*, suite: PolicySuite, parameters: PolicyParameters, width: int) -> str:
    """Every policy's rule in words: fitted on all rows, and where it is another for a fold.

    Parameters
    ----------
    suite : PolicySuite
    parameters : PolicyParameters
        Without a stated cost the words speak of gain in place of profit.
    width : int
        Characters per line.
    """
    head = (
        "Each policy in words, fitted on all rows; then, where they differ, the rules that were "
        "valued, one for each fold that is held out."
    )
    parts = [fill(head, width)]
    for name in (*suite.rules, BEST_OF_ALL, WINNER_AS_READ):
        parts.append(f"{name}\n" + _indented(_rule(suite, name), width))
        by_fold = suite.rules_by_fold.get(name, ())
        if set(by_fold) - {suite.rules.get(name)}:
            parts[-1] += "".join(
                "\n" + _indented(f"without fold {fold}: {rule}", width)
                for fold, rule in enumerate(by_fold)
            )
    parts += [f"{name}\n{_indented(reason, width)}" for name, reason in suite.not_valued.items()]
    return _in_words("\n\n".join(parts), parameters) + "\n"


def _in_words(text: str, parameters: PolicyParameters) -> str:
    return text if parameters.are_stated else text.replace("profit", "gain")


def _indented(text: str, width: int) -> str:
    return fill(text, width, initial_indent="  ", subsequent_indent="    ")


def _rule(suite: PolicySuite, name: str) -> str:
    if name == BEST_OF_ALL:
        left_out = ", ".join(suite.not_chosen)
        return (
            "For each held-out fold the policy that is worth most on the others: "
            f"{', '.join(suite.chosen_by_fold)}. Not among those to choose from: {left_out}."
        )
    if name == WINNER_AS_READ:
        return (
            f"The highest value of the table, {suite.winner}, read off the table itself: too high, "
            "since the largest of many values is the luckiest."
        )
    return suite.rules[name]


def _columns(value: SuiteValue) -> dict[str, float | str]:
    named = {
        "share": value.share,
        "profit_usd_per_household": value.profit_usd,
        "incremental_outcome_usd_per_household": value.outcome_usd,
        "cost_usd_per_household": value.cost_usd,
        "roi": value.roi,
        "profit_usd_per_household_ipw": value.ipw_profit_usd,
    }
    columns: dict[str, float | str] = {"how": value.how}
    for name, interval in named.items():
        columns |= _bounds(name, interval, "ci")
    for baseline in BASELINES:
        difference = value.minus[baseline]
        name = f"profit_usd_minus_{baseline}"
        columns |= _bounds(name, difference.pointwise, "ci")
        columns |= _bounds(name, difference.simultaneous, "sim")
    return columns


def _bounds(name: str, interval: Interval, kind: str) -> dict[str, float | str]:
    return {
        name: interval.estimate,
        f"{name}_{kind}_low": interval.ci_low,
        f"{name}_{kind}_high": interval.ci_high,
    }
