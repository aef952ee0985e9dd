"""For whom a campaign's effect is larger: difference-in-differences by level of a moderator.

A moderator was known before the campaign. A household for which it is not known is a level of its
own, ``missing``: leaving it out would change whose effect it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import chi2

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import BoolArray
from promo_uplift.effects.estimate import Estimate, Label, estimates_table
from promo_uplift.effects.panel.arrays import CampaignPanel
from promo_uplift.effects.panel.contrasts import contrasts
from promo_uplift.effects.panel.few_clusters import holm
from promo_uplift.effects.panel.moderator_slopes import ModeratorJob, ModeratorRules, code_slopes
from promo_uplift.effects.panel.two_by_two import NO_VALID_CAMPAIGN, POOLED, two_by_two_influence
from promo_uplift.effects.panel.window import PanelWindow, valid_panels

MISSING: Final = "missing"


@dataclass(frozen=True, slots=True)
class ModeratorEffects:
    """A campaign's effect by level of each moderator, outcome unit per household and effect window.

    Attributes
    ----------
    estimates : tuple of Estimate
        Effect on the mailed of each level, in the order of ``levels``.
    levels : DataFrame
        ``moderator``, ``level``, the columns of a table of estimates, ``n_treated_left_out``
        (mailed units of the level in campaigns with fewer than ``min_cell`` of an arm in it).
    differences : DataFrame
        ``moderator``, ``level``, ``against``, the columns of a table of estimates, ``p_holm`` over
        all differences: each known level against the lowest that has an estimate, ``missing``
        against the known levels' mean by mailed units.
    tests : DataFrame
        ``moderator``, ``statistic``, ``df``, ``p_value``, ``p_holm`` over the moderators,
        ``reason``: that all known levels have one effect.
    slopes : DataFrame
        ``moderator``, ``term`` (``per_step`` of the ordered code, ``missing_minus_mean``),
        ``adjusted`` (False: this moderator alone; True: beside all others), the columns of a table
        of estimates, ``p_holm`` over the terms of each regression family.
    """

    estimates: tuple[Estimate, ...]
    levels: pd.DataFrame
    differences: pd.DataFrame
    tests: pd.DataFrame
    slopes: pd.DataFrame


def moderator_effects(
    *,
    panels: Sequence[CampaignPanel],
    moderators: pd.DataFrame,
    outcome: str,
    window: PanelWindow,
    rules: ModeratorRules,
    level: float,
) -> ModeratorEffects:
    r"""Effect on the mailed by level of each moderator, and whether levels differ.

    By level, the 2x2 of its own mailed and other households, pooled over campaigns by mailed units.
    Pooled regression, with unit and period effects (a unit is a household in a campaign, a period a
    week of a campaign),

    .. math:: y_{icw} = \alpha_{ic} + \gamma_{cw} + \beta\, T_{ic} P_w
       + \sum_m (\delta_m + \theta_m T_{ic})\, m_i P_w + \varepsilon_{icw}

    with codes centred at the mailed households' mean (missing: 0, and a flag of its own), solved as
    weighted least squares on changes (Frisch-Waugh). Errors by household. Scope: parallel trends
    between the arms within each level; a difference between levels is not caused by the moderator.

    Parameters
    ----------
    panels : sequence of CampaignPanel
        The stack.
    moderators : DataFrame
        Index ``household_id``; ordered codes (numbers) or names (text), missing where not known. A
        household that is not listed is missing in all.
    outcome : str
        Name of the outcome.
    window, rules : PanelWindow, ModeratorRules
        Weeks that are compared, and the least that a level needs.
    level : float
        Confidence level.

    Raises
    ------
    MetricError
        If there is no moderator, a household is listed twice, or no campaign is valid.

    References
    ----------
    Olden & Moen (2022), Econometrics J. 25(3) (triple differences); Cochran (1954), Biometrics
    10(1) (test of equal effects); Holm (1979), Scandinavian J. of Statistics 6(2).
    """
    _validate(moderators)
    valid = valid_panels(panels=panels, window=window, rules=rules.panel)
    if not valid.panels:
        reasons = dict(valid.reasons)
        raise MetricError(f"`panels` must hold a valid campaign: {NO_VALID_CAMPAIGN}, {reasons}.")
    stack = contrasts(panels=valid.panels, outcome=outcome, window=window)
    label = Label("panel", "", "att", POOLED, outcome)
    job = ModeratorJob(stack, rules, label, window.scale(outcome), level)
    codes = moderators.reindex(stack.households)
    by_level: list[pd.DataFrame] = []
    differences: list[pd.DataFrame] = []
    tests: list[dict[str, object]] = []
    every: list[Estimate] = []
    for name in codes.columns:
        estimates, left_out = _by_level(job, codes[name])
        every += estimates.values()
        by_level.append(_named(name, estimates).assign(n_treated_left_out=list(left_out.values())))
        differences.append(_differences(job, codes[name], estimates))
        tests.append({"moderator": name} | _equal_effects(estimates))
    found = pd.concat(differences, ignore_index=True)
    tested = pd.DataFrame(tests)
    return ModeratorEffects(
        estimates=tuple(every),
        levels=pd.concat(by_level, ignore_index=True),
        differences=found.assign(p_holm=holm(found["p_value"].to_numpy(dtype=np.float64))),
        tests=tested.assign(p_holm=holm(tested["p_value"].to_numpy(dtype=np.float64))),
        slopes=code_slopes(job, codes),
    )


def _validate(moderators: pd.DataFrame) -> None:
    if moderators.shape[1] == 0:
        raise MetricError("`moderators` must have a column, found none.")
    if repeated := int(moderators.index.duplicated().sum()):
        raise MetricError(f"`moderators` must list a household once; {repeated} repeat.")


def _named(name: str, estimates: Mapping[str, Estimate]) -> pd.DataFrame:
    table = estimates_table(list(estimates.values()))
    table.insert(0, "level", list(estimates))
    table.insert(0, "moderator", name)
    return table


def _level_names(codes: pd.Series) -> dict[str, BoolArray]:
    """Level -> its households ``(H,)``, lowest code first, ``missing`` last."""
    known = codes.dropna()
    names: dict[str, BoolArray] = {}
    for value in sorted(known.unique()):
        text = f"{value:g}" if isinstance(value, int | float | np.number) else str(value)
        names[text] = (codes == value).to_numpy(dtype=bool)
    if codes.isna().any():
        names[MISSING] = codes.isna().to_numpy()
    return names


def _by_level(job: ModeratorJob, codes: pd.Series) -> tuple[dict[str, Estimate], dict[str, int]]:
    estimates, left_out = {}, {}
    for name, households in _level_names(codes).items():
        estimates[name], left_out[name] = _of_households(job, households, f"level_{name}")
    return estimates, left_out


def _of_households(
    job: ModeratorJob, households: BoolArray, estimator: str
) -> tuple[Estimate, int]:
    """Effect on the mailed among these households, and mailed units left out."""
    stack, rules = job.stack, job.rules
    treated = stack.treated * households[:, np.newaxis]
    control = stack.control * households[:, np.newaxis]
    n_treated, n_control = treated.sum(axis=0), control.sum(axis=0)
    campaigns = (n_treated >= rules.min_cell) & (n_control >= rules.min_cell)
    used = int(n_treated[campaigns].sum()), int(n_control[campaigns].sum())
    left_out = int(n_treated.sum()) - used[0]
    label = replace(job.label, estimator=estimator)
    if used[0] < rules.panel.min_treated or used[1] < rules.panel.min_control:
        reason = (
            f"{used[0]} mailed and {used[1]} other units in campaigns with {rules.min_cell} of "
            "each: too few"
        )
        counts = (sum(used), used[0], int(households.sum()))
        return Estimate.none(label=label, reason=reason, counts=counts), left_out
    inside = (treated + control)[:, campaigns].sum(axis=1) > 0.0
    part = stack.take(campaigns, inside)
    value, influence = two_by_two_influence(part)
    whole = np.zeros(len(stack.households))
    whole[inside] = influence
    found = job.estimate(estimator=estimator, value=value, influence=whole, counts=part.counts)
    return found, left_out


def _differences(
    job: ModeratorJob, codes: pd.Series, estimates: Mapping[str, Estimate]
) -> pd.DataFrame:
    """Levels against the lowest, missing against the known: their households are different ones."""
    known = {name: one for name, one in estimates.items() if name != MISSING}
    base = next((name for name, one in known.items() if one.is_valid), "")
    rows = [
        (name, base, _minus(job, one, known[base]))
        for name, one in known.items()
        if base and name != base
    ]
    if MISSING in estimates and base:
        rows.append((MISSING, "known", _minus(job, estimates[MISSING], _mean(job, known))))
    table = estimates_table([one for *_, one in rows])
    table.insert(0, "against", [against for _, against, _ in rows])
    table.insert(0, "level", [name for name, *_ in rows])
    table.insert(0, "moderator", str(codes.name))
    return table


def _mean(job: ModeratorJob, levels: Mapping[str, Estimate]) -> Estimate:
    """Levels' mean effect by their mailed units, as given."""
    valid = [one for one in levels.values() if one.is_valid]
    share = np.array([one.n_treated for one in valid], dtype=np.float64)
    share /= share.sum()
    parts = np.column_stack([np.asarray(one.influence) for one in valid])
    return Estimate.normal(
        label=replace(job.label, estimator="level_mean"),
        value=float(share @ [one.value for one in valid]),
        se=float(np.sqrt(np.square(share) @ np.square([one.se for one in valid]))),
        level=job.level,
        counts=_summed(valid),
        influence=pd.Series(parts @ share, index=job.stack.households),
    )


def _summed(estimates: Sequence[Estimate]) -> tuple[int, int, int]:
    return (
        sum(one.n for one in estimates),
        sum(one.n_treated for one in estimates),
        sum(one.n_households for one in estimates),
    )


def _minus(job: ModeratorJob, one: Estimate, base: Estimate) -> Estimate:
    if one.influence is None or base.influence is None:
        reason = one.reason or base.reason
        return Estimate.none(label=replace(job.label, estimator="difference"), reason=reason)
    return Estimate.normal(
        label=replace(job.label, estimator="difference"),
        value=one.value - base.value,
        se=float(np.hypot(one.se, base.se)),
        level=job.level,
        counts=_summed([one, base]),
        influence=one.influence - base.influence,
    )


def _equal_effects(estimates: Mapping[str, Estimate]) -> dict[str, object]:
    """Cochran's Q over the known levels that have an estimate; they share no household."""
    known = [one for name, one in estimates.items() if name != MISSING and one.is_valid]
    nan = float("nan")
    if len(known) < 2:
        reason = f"{len(known)} known levels have an estimate"
        return {"statistic": nan, "df": 0, "p_value": nan, "reason": reason}
    weight = np.array([one.se**-2 for one in known])
    value = np.array([one.value for one in known])
    statistic = float(weight @ np.square(value - weight @ value / weight.sum()))
    df = len(known) - 1
    return {
        "statistic": statistic,
        "df": df,
        "p_value": float(chi2.sf(statistic, df)),
        "reason": "",
    }
