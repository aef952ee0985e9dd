"""Figures of a run as Matplotlib objects: no state, no style, nothing is shown or saved here."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from promo_uplift.contracts.parameters import PolicyParameters, WordingParameters
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.effects import POOLED
from promo_uplift.policy import PolicyEvaluation
from promo_uplift.policy.money import money_words

#: Okabe & Ito (2008), told apart with every common form of colour blindness.
BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
GREY, BLACK = "#7F7F7F", "#222222"

#: Look of a curve by its role: colour and line, so that print in grey keeps them apart.
LOOKS: dict[str, tuple[str, str | tuple[int, tuple[int, ...]]]] = {
    "champion": (BLUE, "-"),
    "shown": (GREEN, (0, (3, 1, 1, 1))),
    "response": (ORANGE, "--"),
    "constant": (GREEN, "-."),
    "random": (GREY, ":"),
}
WIDTH, HEIGHT = 8.0, 5.0
NOTE_WIDTH = 125

CAMPAIGN_LOOKS = ((ORANGE, "s"), (GREEN, "^"), (BLUE, "v"), ("#CC79A7", "P"), ("#56B4E9", "X"))

EFFECT_NAMES: dict[str, str] = {
    "naive_difference": "Naive difference (confounded)",
    "aipw_ate": "Everybody (ATE)",
    "aipw_att": "Those mailed (ATT)",
    "aipw_ate_overlap": "Overlap population",
    "ato": "Overlap-weighted (ATO)",
}


def _figure(*, columns: int = 1, height: float = HEIGHT) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained", dpi=120)
    axes = np.atleast_1d(figure.subplots(1, columns)).ravel().tolist()
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=10)
    return figure, axes


def _heading(axis: Axes, title: str) -> None:
    axis.set_title(title, loc="left", fontsize=12, fontweight="bold", color=BLACK)


def _legend(axis: Axes) -> None:
    axis.legend(facecolor="white", edgecolor="none", framealpha=0.85, fontsize=9.5, loc="best")


def _note(figure: Figure, text: str) -> None:
    figure.supxlabel(fill(text, NOTE_WIDTH), x=0.01, ha="left", fontsize=8.5, color="#555555")


def _share_axis(axis: Axes, label: str) -> None:
    axis.set_xlim(0.0, 1.0)
    axis.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axis.set_xlabel(label, fontsize=10.5)


def uplift_figure(
    *, curves: pd.DataFrame, champion: str, shown: str, level: float, wording: WordingParameters
) -> Figure:
    """Gain curves ``Q(q)``, USD per household, of the champion and the baselines.

    Parameters
    ----------
    curves : DataFrame
        Of :func:`promo_uplift.metrics.uplift_curves`; the champion, ``shown`` and whichever of
        ``response``, ``constant``, ``random`` it holds are drawn.
    champion, shown : str
        The champion, and the learner with the lowest loss where the champion ranks nobody.
    level : float
        Confidence level of the bands.
    wording : WordingParameters
        Words of labels.
    """
    figure, (axis,) = _figure()
    baselines = [name for name in LOOKS if name not in ("champion", "shown", champion)]
    roles = {shown: "shown", champion: "champion"}
    roles |= dict(zip(baselines, baselines, strict=True))
    for learner, role in roles.items():
        rows = curves[curves["learner"] == learner]
        if rows.empty:
            continue
        colour, line = LOOKS[role]
        if role in ("champion", "shown", "response"):
            axis.fill_between(
                rows["share"], rows["ci_low"], rows["ci_high"], color=colour, alpha=0.15, lw=0
            )
        axis.plot(
            rows["share"],
            rows["gain_usd"],
            ls=line,
            color=colour,
            lw=2,
            label=_label(learner, role),
        )
    axis.axhline(0.0, color=BLACK, lw=0.8)
    _share_axis(axis, f"Share of {wording.subjects} {wording.treated}, highest ranked first")
    axis.set_ylabel(
        f"Effect{wording.after},\n{wording.unit} per {wording.subject} of the base", fontsize=10.5
    )
    _heading(axis, f"Does the ranking find the {wording.subjects} that respond?")
    _legend(axis)
    _note(
        figure,
        f"Held-out folds, doubly robust, before costs. Bands: pointwise {level:.0%} household "
        "bootstrap. A curve must rise above the random line to be worth ranking by.",
    )
    return figure


def _label(learner: str, role: str) -> str:
    """Name of a curve: beside a champion that ranks nobody stands what it was preferred to."""
    if role == "champion":
        return f"{learner} (champion)"
    if role == "shown":
        return f"{learner} (lowest loss, not clearly)"
    return _baseline_label(learner)


def _baseline_label(learner: str) -> str:
    names = {
        "response": "response (ranked by predicted spend)",
        "constant": "constant (same effect for all)",
        "random": "random order",
    }
    return names.get(learner, learner)


def profit_figure(
    *,
    curve: pd.DataFrame,
    evaluation: PolicyEvaluation,
    parameters: PolicyParameters,
    wording: WordingParameters,
) -> Figure:
    """Profit over the share mailed, USD per household, with the profit-maximising share.

    Without a stated cost: the gain in the outcome's unit.

    Parameters
    ----------
    curve : DataFrame
        Of :func:`promo_uplift.policy.policy_curve`.
    evaluation : PolicyEvaluation
        The share with its interval and the honest profit.
    parameters : PolicyParameters
        The money assumed; stated on the figure.
    wording : WordingParameters
        Words of labels.
    """
    figure, (axis,) = _figure()
    value = next(name for name in curve.columns if name.endswith("_per_household"))
    for policy in ("champion", "shown", "response", "random"):
        rows = curve[curve["policy"] == policy]
        if rows.empty:
            continue
        colour, line = LOOKS[policy]
        profit = rows[value]
        if policy in ("champion", "shown"):
            axis.fill_between(
                rows["share"],
                rows[f"{value}_ci_low"],
                rows[f"{value}_ci_high"],
                color=colour,
                alpha=0.15,
                lw=0,
            )
        label = _label(str(rows["learner"].iloc[0]), policy)
        axis.plot(rows["share"], profit, ls=line, color=colour, lw=2, label=label)
    share = evaluation.roi_optimal_share
    axis.axvspan(share.ci_low, share.ci_high, color=VERMILLION, alpha=0.10, lw=0)
    axis.axvline(
        share.estimate,
        color=VERMILLION,
        lw=1.8,
        label=f"best share {share.estimate:.0%} ({share.ci_low:.0%} to {share.ci_high:.0%})",
    )
    axis.axhline(0.0, color=BLACK, lw=1.0)
    axis.annotate(
        "break-even" if parameters.are_stated else "no effect",
        xy=(1.0, 0.0),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        fontsize=9,
        va="center",
        color=BLACK,
    )
    _share_axis(axis, f"Share of {wording.subjects} {wording.treated}, highest ranked first")
    what = "Profit, USD" if parameters.are_stated else f"Gain, {wording.unit}"
    axis.set_ylabel(f"{what} per {wording.subject} of the base", fontsize=10.5)
    _heading(axis, f"How many {wording.subjects} should be {wording.treated}?")
    _legend(axis)
    honest = evaluation.chosen.profit_usd
    if not parameters.are_stated:
        _note(
            figure,
            f"No cost was stated, so this is the outcome itself and no profit. Bands: "
            f"{evaluation.level:.0%} bootstrap. The height at the best share is optimistic; on "
            f"{wording.subjects} that did not choose it the gain is {wording.interval(honest)}.",
        )
        return figure
    source = "ASSUMED, not in the data" if parameters.values_are_assumptions else "as given"
    _note(
        figure,
        f"Money ({source}): "
        f"{money_words(parameters=parameters, redeeming=f'redeeming {wording.subject}')}; "
        "a contact without redemption breaks even at an "
        f"effect of {parameters.expected.break_even_cate_usd:.2f} USD. "
        f"Bands: {evaluation.level:.0%} household bootstrap. The height at the best share is "
        "optimistic; on households that did not choose it the profit is "
        f"{honest.estimate:+.2f} USD "
        f"({honest.ci_low:+.2f} to {honest.ci_high:+.2f}).",
    )
    return figure


def reliability_figure(
    *, reliability: pd.DataFrame, level: float, wording: WordingParameters
) -> Figure:
    """Draw predicted propensities against the shares treated, before and after calibration.

    Parameters
    ----------
    reliability : DataFrame
        Of :func:`promo_uplift.effects.reliability_table`.
    level : float
        Confidence level of its intervals.
    wording : WordingParameters
        Words of labels.
    """
    figure, (axis,) = _figure(height=5.4)
    looks = {
        "before": (ORANGE, "o", "as the model gives them"),
        "after": (BLUE, "s", "calibrated"),
        "known": (BLUE, "s", "by the experiment's design"),
    }
    axis.axline((0.0, 0.0), slope=1.0, color=GREY, lw=1.0, ls=":", label="right")
    for stage, bins in reliability.groupby("stage", sort=False):
        colour, marker, label = looks[str(stage)]
        p_value = bins["p_value"].iloc[0]
        shown = "p < 0.001" if p_value < 0.001 else f"p {p_value:.2g}"
        spread = [bins["observed"] - bins["ci_low"], bins["ci_high"] - bins["observed"]]
        axis.errorbar(
            bins["predicted"],
            bins["observed"],
            yerr=np.vstack(spread),
            color=colour,
            marker=marker,
            ms=5,
            lw=1.2,
            capsize=2,
            label=f"{label} (mean gap {bins['ece'].iloc[0]:.3f}, {shown})",
        )
    axis.set_xlabel(f"Predicted chance of being {wording.treated}", fontsize=11)
    axis.set_ylabel(f"Share {wording.treated}", fontsize=11)
    for formatter in (axis.xaxis, axis.yaxis):
        formatter.set_major_formatter(PercentFormatter(1.0, decimals=0))
    _heading(axis, f"Are the predicted chances of being {wording.treated} right?")
    _legend(axis)
    first = reliability.iloc[0]
    note = (
        f"Held-out rows in bins of equal size; {level:.0%} intervals clustered by "
        f"{wording.subject}. Calibration: {first['chosen']}, since {first['why']}."
    )
    _note(figure, note)
    return figure


def overlap_figure(
    *,
    raw_propensity: FloatArray,
    treatment: IntArray,
    overlap_low: float,
    overlap_high: float,
    bins: int,
    wording: WordingParameters,
) -> Figure:
    """Draw the chance of the treatment, by arm: where only one has bars nothing is comparable.

    Parameters
    ----------
    raw_propensity : float64 (n,)
        Held-out propensity before clipping.
    treatment : int64 (n,)
        1 = mailed.
    overlap_low, overlap_high : float
        Bounds of the overlap.
    bins : int
        Number of bars.
    wording : WordingParameters
        Words of labels.
    """
    figure, (axis,) = _figure(height=4.6)
    yes, no = wording.treated, f"not {wording.treated}"
    edges = np.linspace(0.0, 1.0, bins + 1)
    for arm, label, colour, sign in ((1, yes, BLUE, 1.0), (0, no, ORANGE, -1.0)):
        counts, _ = np.histogram(raw_propensity[treatment == arm], edges)
        axis.bar(
            edges[:-1],
            sign * counts,
            width=np.diff(edges),
            align="edge",
            color=colour,
            edgecolor="white",
            lw=0.6,
            label=f"{label} ({int((treatment == arm).sum()):,})",
        )
    inside = float(((raw_propensity >= overlap_low) & (raw_propensity <= overlap_high)).mean())
    for bound in (overlap_low, overlap_high):
        axis.axvline(bound, color=BLACK, lw=1.0, ls="--")
    axis.axhline(0.0, color=BLACK, lw=0.8)
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    axis.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
    _share_axis(
        axis, f"Chance of being {wording.treated}, given the covariates (held-out propensity)"
    )
    axis.set_ylabel("Rows", fontsize=10.5)
    _heading(axis, f"Could they have been {wording.treated}, or left out? {inside:.0%} could")
    _legend(axis)
    _note(
        figure,
        f"Dashed: the overlap, {overlap_low:.0%} to {overlap_high:.0%}. Outside it one arm is "
        "nearly missing and an effect there is extrapolation.",
    )
    return figure


def calibration_figure(
    *,
    cate: FloatArray,
    groups: pd.DataFrame,
    learner: str,
    champion: str,
    slope: str,
    bins: int,
    wording: WordingParameters,
) -> Figure:
    """Predicted effects, and the effect found in each group of them, USD per household.

    Parameters
    ----------
    cate : float64 (n,)
        Held-out predicted effect, USD per household.
    groups : DataFrame
        Of :func:`promo_uplift.metrics.group_effects`.
    learner, champion : str
        The learner shown, and the champion: another one where it is one effect for all.
    slope : str
        Calibration slope with its interval, as text.
    bins : int
        Bars of the histogram.
    wording : WordingParameters
        Words of labels.
    """
    unit = f"{wording.unit} per {wording.subject}"
    not_champion = "" if learner == champion else f"The champion is `{champion}`, not {learner}. "
    figure, (left, right) = _figure(columns=2, height=4.4)
    left.hist(cate, bins=bins, color=BLUE, edgecolor="white", lw=0.5)
    left.axvline(float(cate.mean()), color=VERMILLION, lw=1.8, label=f"mean {cate.mean():+.3g}")
    left.set_xlabel(f"Predicted effect, {unit}", fontsize=10.5)
    left.set_ylabel("Rows", fontsize=10.5)
    _legend(left)
    _heading(left, f"Effects predicted by {learner}")
    numbers = groups["group"].to_numpy()
    effect = groups["effect_usd"].to_numpy()
    right.errorbar(
        numbers,
        effect,
        yerr=_reach(effect, groups["band_low"], groups["band_high"]),
        fmt="none",
        ecolor=BLUE,
        elinewidth=1.2,
        capsize=3,
    )
    right.errorbar(
        numbers,
        effect,
        yerr=_reach(effect, groups["ci_low"], groups["ci_high"]),
        fmt="o",
        ms=6,
        color=BLUE,
        elinewidth=3.5,
        label="found",
    )
    right.plot(numbers, groups["predicted_usd"], "D", ms=6, color=VERMILLION, label="predicted")
    right.axhline(0.0, color=BLACK, lw=0.8)
    right.set_xticks(numbers)
    right.set_xlabel("Group by predicted effect (last = highest)", fontsize=10.5)
    right.set_ylabel(f"Effect, {unit}", fontsize=10.5)
    _legend(right)
    _heading(right, "Effects found in those groups")
    _note(
        figure,
        f"{not_champion}Calibration slope (1 is perfect): {slope}. Groups are cut within held-out "
        "folds. Thick bars: pointwise intervals, thin: all groups at once; clustered by "
        f"{wording.subject}.",
    )
    return figure


def _reach(middle: FloatArray, low: pd.Series, high: pd.Series) -> FloatArray:
    reach: FloatArray = np.vstack([middle - low.to_numpy(), high.to_numpy() - middle])
    return reach


def effects_figure(*, effects: pd.DataFrame, level: float, wording: WordingParameters) -> Figure:
    """Forest plot of average effects, USD per household, by estimand and campaign.

    Parameters
    ----------
    effects : DataFrame
        Of :func:`promo_uplift.effects.cross_section_effects`.
    level : float
        Confidence level of the bars.
    wording : WordingParameters
        Words of labels.
    """
    value = next(name for name in effects.columns if name.startswith("estimate"))
    campaigns = list(dict.fromkeys(effects["campaign"]))
    estimands = list(dict.fromkeys(effects["estimand"]))
    step = 1.0 / (len(campaigns) + 1.5)
    shades = _campaign_looks(campaigns)
    is_crowded = len(campaigns) > len(CAMPAIGN_LOOKS) + 1
    room = 0.08 if is_crowded else 0.22
    figure, (axis,) = _figure(height=1.6 + room * (len(campaigns) + 1.0) * len(estimands))
    for place, estimand in enumerate(estimands):
        for number, campaign in enumerate(campaigns):
            row = effects[(effects["estimand"] == estimand) & (effects["campaign"] == campaign)]
            if row.empty or not np.isfinite(row[value].iloc[0]):
                continue
            colour, marker = shades[number]
            middle = row[value].to_numpy()
            axis.errorbar(
                middle,
                [place + (number - (len(campaigns) - 1) / 2.0) * step],
                xerr=_reach(middle, row["ci_low"], row["ci_high"]),
                fmt=marker,
                color=colour,
                ms=7 if campaign == POOLED else 5,
                elinewidth=2.2 if campaign == POOLED else 1.3,
                capsize=2,
                label=_campaign_label(campaign, is_crowded) if place == 0 else None,
            )
    for place in range(1, len(estimands)):
        axis.axhline(place - 0.5, color="#DDDDDD", lw=0.8)
    axis.axvline(0.0, color=BLACK, lw=1.0)
    axis.set_yticks(range(len(estimands)), [EFFECT_NAMES.get(e, e) for e in estimands])
    axis.set_ylim(len(estimands) - 0.5, -0.5)
    axis.set_xlabel(
        f"Effect of a {wording.treatment}, {wording.unit} per {wording.subject}{wording.after}",
        fontsize=10.5,
    )
    _heading(axis, f"What a {wording.treatment} does on average")
    handles, labels = axis.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    axis.legend(
        list(unique.values()),
        list(unique),
        frameon=False,
        fontsize=9.5,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
    )
    _note(
        figure,
        f"Bars: {level:.0%} intervals, clustered by {wording.subject}. All but the naive "
        "difference are doubly robust; each row speaks about its own population.",
    )
    return figure


def _campaign_label(campaign: str, is_crowded: bool) -> str:
    if campaign == POOLED:
        return "all campaigns"
    return "one campaign" if is_crowded else f"campaign {campaign}"


def _campaign_looks(campaigns: Sequence[str]) -> list[tuple[str, str]]:
    """Colour and marker of each campaign; past a handful they share one."""
    single = CAMPAIGN_LOOKS if len(campaigns) <= len(CAMPAIGN_LOOKS) + 1 else ((GREY, "."),)
    return [
        (BLACK, "D") if campaign == POOLED else single[number % len(single)]
        for number, campaign in enumerate(campaigns)
    ]
