"""Figures of the lenses on one effect: what each says, and what its assumptions look like."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from promo_uplift.contracts.parameters import WordingParameters
from promo_uplift.effects import POOLED
from promo_uplift.reporting.figures import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILLION,
    _figure,
    _heading,
    _legend,
    _note,
    _reach,
)

#: Colour and marker of a lens.
LENS_LOOKS = {
    "panel": (BLUE, "o"),
    "cross_section": (VERMILLION, "s"),
    "matching": (GREEN, "^"),
}
ROW_HEIGHT, REASON_WIDTH, COVARIATE_WIDTH = 0.23, 62, 34


def lenses_figure(
    *,
    estimates: pd.DataFrame,
    unadjusted: Sequence[str],
    level: float,
    wording: WordingParameters,
) -> Figure:
    """Forest plot of every lens by campaign, the pooled estimates set apart below.

    Parameters
    ----------
    estimates : DataFrame
        Of :func:`promo_uplift.effects.estimate.estimates_table`, one outcome and estimand. One
        without a figure is listed in grey with its reason.
    unadjusted : sequence of str
        Estimators that adjust for nothing: grey, and they do not set the scale.
    level : float
        Confidence level of the bars.
    wording : WordingParameters
        Words of labels.
    """
    campaigns = [name for name in dict.fromkeys(estimates["campaign"]) if name != POOLED]
    campaigns += [POOLED] if (estimates["campaign"] == POOLED).any() else []
    heights, places, height = [], [], 0.0
    for campaign in campaigns:
        places.append(height)
        height += 1.2
        for _ in range(int((estimates["campaign"] == campaign).sum())):
            heights.append(height)
            height += 1.0
        height += 0.5
    rows = pd.concat([estimates[estimates["campaign"] == name] for name in campaigns])
    figure, (axis,) = _figure(height=1.7 + ROW_HEIGHT * height)
    adjusts = ~rows["estimator"].isin(unadjusted)
    low, high = _scale(rows[adjusts] if rows.loc[adjusts, "estimate"].notna().any() else rows)
    axis.set_xlim(low, high)
    axis.set_ylim(height - 0.4, -0.9)
    for place, (_, row) in zip(heights, rows.iterrows(), strict=True):
        _lens_row(axis, row, place, is_adjusted=row["estimator"] not in unadjusted, wording=wording)
    axis.set_yticks(heights, [str(name).replace("_", " ") for name in rows["estimator"]])
    axis.tick_params(axis="y", labelsize=9, length=0)
    for label, (_, row) in zip(axis.get_yticklabels(), rows.iterrows(), strict=True):
        is_faint = row["reason"] != "" or row["estimator"] in unadjusted
        label.set_color(GREY if is_faint else BLACK)
    for campaign, place in zip(campaigns, places, strict=True):
        _campaign_name(axis, campaign, place)
    axis.axvline(0.0, color=BLACK, lw=1.0)
    axis.set_xlabel(
        f"Effect on the {wording.treated}, {wording.unit} per {wording.subject}{wording.after}",
        fontsize=10.5,
    )
    _heading(axis, "What each lens says of the same effect")
    _lens_legend(figure, rows, unadjusted)
    _note(
        figure,
        f"Bars: {level:.0%} intervals, clustered by {wording.subject}. Grey: adjusts for nothing, "
        "or gives no figure. An arrow leaves the scale. Bars that overlap can still disagree, "
        f"since the lenses see the same {wording.subjects}: see the test of their differences.",
    )
    return figure


def _scale(rows: pd.DataFrame) -> tuple[float, float]:
    low, high = min(rows["ci_low"].min(), 0.0), max(rows["ci_high"].max(), 0.0)
    if not np.isfinite(low) or not np.isfinite(high) or low == high:
        return -1.0, 1.0
    return low - 0.08 * (high - low), high + 0.08 * (high - low)


def _lens_row(
    axis: Axes, row: pd.Series, place: float, *, is_adjusted: bool, wording: WordingParameters
) -> None:
    if row["reason"]:
        text = shorten(str(row["reason"]), REASON_WIDTH, placeholder=" …")
        axis.text(
            0.01,
            place,
            f"no figure: {text}",
            transform=axis.get_yaxis_transform(),
            fontsize=8.5,
            va="center",
            style="italic",
            color=GREY,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )
        return
    colour, marker = LENS_LOOKS.get(row["lens"], (BLACK, "D"))
    colour = colour if is_adjusted else GREY
    low, high = axis.get_xlim()
    is_pooled = row["campaign"] == POOLED
    if low <= row["estimate"] <= high:
        axis.errorbar(
            row["estimate"],
            place,
            xerr=[[row["estimate"] - row["ci_low"]], [row["ci_high"] - row["estimate"]]],
            fmt=marker,
            color=colour,
            ms=6.5 if is_pooled else 5,
            elinewidth=2.2 if is_pooled else 1.4,
            capsize=2,
        )
    else:
        side = 0.985 if row["estimate"] > high else 0.015
        arrow = ">" if row["estimate"] > high else "<"
        axis.plot(side, place, arrow, color=colour, ms=7, transform=axis.get_yaxis_transform())
    numbers = (wording.number(row[name]) for name in ("estimate", "ci_low", "ci_high"))
    estimate, ci_low, ci_high = numbers
    axis.annotate(
        f"{estimate} ({ci_low} to {ci_high})",
        xy=(1.0, place),
        xycoords=axis.get_yaxis_transform(),
        xytext=(6, 0),
        textcoords="offset points",
        fontsize=8.5,
        va="center",
        color=colour if is_adjusted else GREY,
        annotation_clip=False,
    )


def _campaign_name(axis: Axes, campaign: str, place: float) -> None:
    is_pooled = campaign == POOLED
    axis.annotate(
        "all campaigns" if is_pooled else f"campaign {campaign}",
        xy=(0.0, place),
        xycoords=axis.get_yaxis_transform(),
        xytext=(-4, 0),
        textcoords="offset points",
        fontsize=9.5,
        fontweight="bold",
        ha="right",
        va="center",
        color=BLACK,
        annotation_clip=False,
    )
    if place > 0.0:
        axis.axhline(
            place - 0.75, color=BLACK if is_pooled else "#DDDDDD", lw=1.2 if is_pooled else 0.8
        )


def _lens_legend(figure: Figure, rows: pd.DataFrame, unadjusted: Sequence[str]) -> None:
    handles = [
        Line2D([], [], color=colour, marker=marker, ls="-", ms=5, label=lens.replace("_", "-"))
        for lens, (colour, marker) in LENS_LOOKS.items()
        if (rows["lens"] == lens).any()
    ]
    if rows["estimator"].isin(unadjusted).any():
        handles.append(Line2D([], [], color=GREY, marker="s", ms=5, label="unadjusted"))
    figure.legend(
        handles=handles, loc="outside upper right", ncols=len(handles), frameon=False, fontsize=9
    )


def event_study_figure(
    *,
    study: pd.DataFrame,
    pre_trend_p: float,
    pre_trend_power: float,
    level: float,
    wording: WordingParameters,
) -> Figure:
    """Weekly effects before and after the start, with pointwise and simultaneous bands.

    Parameters
    ----------
    study : DataFrame
        ``rel_week``, ``estimate``, ``ci_low``, ``ci_high``, ``band_low``, ``band_high``, one row
        per week without the reference, which is the week before the start.
    pre_trend_p : float
        P-value of the joint test of the weeks before the start.
    pre_trend_power : float
        Its power against a drift that alone would make the effect found.
    level : float
        Confidence level of the bands.
    wording : WordingParameters
        Words of labels.
    """
    figure, (axis,) = _figure(height=4.6)
    for rows, colour, name in (
        (study[study["rel_week"] < 0], ORANGE, "before: should be 0"),
        (study[study["rel_week"] >= 0], BLUE, "after the start"),
    ):
        middle = rows["estimate"].to_numpy()
        for low, high, width in (("band_low", "band_high", 1.1), ("ci_low", "ci_high", 3.2)):
            axis.errorbar(
                rows["rel_week"],
                middle,
                yerr=_reach(middle, rows[low], rows[high]),
                fmt="o",
                ms=5,
                color=colour,
                elinewidth=width,
                capsize=3 if width < 2.0 else 0,
                label=name if width > 2.0 else None,
            )
    axis.plot(-1, 0.0, "o", ms=6, mfc="white", mec=BLACK, label="reference week")
    axis.axhline(0.0, color=BLACK, lw=0.9)
    axis.axvline(-0.5, color=VERMILLION, lw=1.4, ls="--", label="start of the campaign")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("Week relative to the campaign's start (0 = first week)", fontsize=10.5)
    axis.set_ylabel(f"Effect, {wording.unit} per {wording.subject} and week", fontsize=10.5)
    _heading(axis, "Did the arms move alike before, and apart after?")
    _legend(axis)
    if np.isfinite(pre_trend_p):
        test = (
            f"Pre-trend: the test that all weeks before the start are 0 has p = {pre_trend_p:.3g}; "
            f"it would find a drift that makes the whole effect with {pre_trend_power:.0%} power."
        )
    else:
        test = "There are too few weeks before the start to test them."
    _note(
        figure,
        f"{test} Thick bars: {level:.0%} in each week, thin: in all weeks at once; clustered by "
        f"{wording.subject}.",
    )
    return figure


def love_figure(
    *,
    balance: pd.DataFrame,
    before: str,
    after: Sequence[str],
    limit: float,
    shown: int,
    wording: WordingParameters,
) -> Figure:
    """Standardised mean differences of the covariates before and after adjustment.

    Parameters
    ----------
    balance : DataFrame
        ``covariate``, ``method``, ``smd``; one campaign.
    before : str
        Method without adjustment; its largest differences come first.
    after : sequence of str
        Methods beside it, three at most.
    limit : float
        Absolute difference up to which a covariate is balanced.
    shown : int
        Covariates at most.
    wording : WordingParameters
        Words of labels.
    """
    wide = balance.set_index(["covariate", "method"])["smd"].unstack("method").abs()  # noqa: PD010
    wide = wide[wide[before].notna()].sort_values(before, ascending=False)
    rows = wide.head(shown)
    figure, (axis,) = _figure(height=1.8 + 0.24 * len(rows))
    heights = np.arange(len(rows), dtype=np.float64)
    axis.axvspan(0.0, limit, color=GREEN, alpha=0.08, lw=0)
    axis.axvline(limit, color=BLACK, lw=1.0, ls="--", label=f"balanced below {limit:g}")
    looks = ((BLUE, "o"), (GREEN, "^"), (VERMILLION, "s"))
    axis.plot(
        rows[before], heights, "o", mfc="white", mec=GREY, ms=6, label=before.replace("_", " ")
    )
    for method, (colour, marker) in zip(after, looks, strict=False):
        axis.plot(
            rows[method], heights, marker, color=colour, ms=5.5, label=method.replace("_", " ")
        )
    names = [
        shorten(name.replace("_", " "), COVARIATE_WIDTH, placeholder="…") for name in rows.index
    ]
    axis.set_yticks(heights, names, fontsize=9)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_xlim(left=0.0)
    axis.grid(axis="y", color="#EEEEEE", lw=0.8)
    axis.set_axisbelow(True)
    axis.set_xlabel(
        f"Difference of {wording.treated} and not {wording.treated}, absolute, in standard "
        "deviations",
        fontsize=10.5,
    )
    _heading(axis, f"Are the {wording.subjects} compared alike?")
    axis.legend(facecolor="white", edgecolor="none", fontsize=9.5, loc="lower right")
    counts = "; ".join(
        f"{name.replace('_', ' ')} {int((wide[name] > limit).sum())}" for name in (before, *after)
    )
    hidden = len(wide) - len(rows)
    _note(
        figure,
        f"Covariates above {limit:g} of {len(wide)}: {counts}. "
        + (f"The {hidden} smallest differences are not shown. " if hidden > 0 else "")
        + "The standard deviation is the unweighted one throughout.",
    )
    return figure


def trimming_figure(*, path: pd.DataFrame, level: float, wording: WordingParameters) -> Figure:
    """Effects as rows of extreme propensity leave, and the share of rows that is left.

    Parameters
    ----------
    path : DataFrame
        ``trim``, ``share_kept``, ``estimand``, ``estimate``, ``ci_low``, ``ci_high``.
    level : float
        Confidence level of the bands.
    wording : WordingParameters
        Words of labels.
    """
    figure = Figure(figsize=(8.0, 5.4), layout="constrained", dpi=120)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    for axis in (upper, lower):
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=10)
    names = {"att": f"the {wording.treated} (ATT)", "ate": "everybody (ATE)"}
    looks = {"att": (BLUE, "-", "o"), "ate": (ORANGE, "--", "s")}
    for estimand, rows in path.groupby("estimand", sort=False):
        colour, line, marker = looks.get(str(estimand), (BLACK, ":", "D"))
        upper.fill_between(
            rows["trim"], rows["ci_low"], rows["ci_high"], color=colour, alpha=0.15, lw=0
        )
        upper.plot(
            rows["trim"],
            rows["estimate"],
            ls=line,
            marker=marker,
            ms=5,
            lw=2,
            color=colour,
            label=names.get(str(estimand), str(estimand)),
        )
    upper.axhline(0.0, color=BLACK, lw=0.9)
    upper.set_ylabel(f"Effect, {wording.unit}\nper {wording.subject}{wording.after}", fontsize=10.5)
    _heading(upper, "Does the effect rest on rows without a comparison?")
    _legend(upper)
    kept = path.drop_duplicates("trim")
    lower.plot(kept["trim"], kept["share_kept"], color=GREY, marker="o", ms=4, lw=1.6)
    lower.set_ylim(0.0, 1.05)
    lower.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    lower.set_ylabel("Rows kept", fontsize=10.5)
    lower.set_xlabel("Trimmed: propensity below a or above 1 - a", fontsize=10.5)
    _note(
        figure,
        f"Bands: {level:.0%} intervals, clustered by {wording.subject}. Each point is of another "
        "population: a line may move without any of its points being wrong.",
    )
    return figure
