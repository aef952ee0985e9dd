"""The results of the outside sets as tables for the documentation."""

from __future__ import annotations

import numpy as np
import pandas as pd

from promo_uplift.benchmark.published import CAVEATS, ITX
from promo_uplift.benchmark.sets.compare import BEST_PEER, LOWER_IS_BETTER
from promo_uplift.benchmark.sets.run import CHAMPION, OURS
from promo_uplift.contracts.errors import ConfigurationError
from promo_uplift.metrics.arm_curves import PREFIX

START = "<!-- outside sets: results, written by the run -->"
END = "<!-- outside sets: end -->"
#: Figures of an experiment that the page shows, besides the published ones.
OF_EXPERIMENT = ("qini", "uplift_at_10", "uplift_at_30", "calibration_slope")
OF_TRUTH = ("pehe", "qini_normalised")


def with_results(*, page: str, rows: pd.DataFrame, comparison: pd.DataFrame) -> str:
    """Return the page with its generated block replaced.

    Parameters
    ----------
    page : str
        Markdown with the two markers.
    rows, comparison : DataFrame
        Of :func:`promo_uplift.benchmark.sets.run.run_piece` and
        :func:`promo_uplift.benchmark.sets.compare.comparison_table`.

    Raises
    ------
    ConfigurationError
        If a marker is missing.
    """
    if START not in page or END not in page:
        raise ConfigurationError(
            f"`docs/outside-sets.md` must hold the lines '{START}' and '{END}'; one is missing. "
            "Put them back around the results."
        )
    before, rest = page.split(START, 1)
    _, after = rest.split(END, 1)
    return f"{before}{START}\n{results_block(rows=rows, comparison=comparison)}\n{END}{after}"


def results_block(*, rows: pd.DataFrame, comparison: pd.DataFrame) -> str:
    """Tables: by replicate, against peers and baselines, published beside ours, the biased log.

    Parameters
    ----------
    rows, comparison : DataFrame
        As in :func:`with_results`.
    """
    parts = [
        _by_replicate(rows),
        _against_peers(comparison, OF_TRUTH, "### Known truth: ours and the peers'"),
        _against_peers(comparison, OF_EXPERIMENT, "### Experiments: ours and the peers'"),
        *_beside_published(comparison),
        _biased_log(rows),
        _skipped(rows),
    ]
    return "\n\n".join(part for part in parts if part)


def _markdown(header: list[str], lines: list[list[str]]) -> str:
    table = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in table)


def _number(value: float) -> str:
    return "-" if not np.isfinite(value) else f"{value:.3g}"


def _interval(low: float, high: float) -> str:
    return "" if not np.isfinite([low, high]).all() else f" ({_number(low)} to {_number(high)})"


def _by_replicate(rows: pd.DataFrame) -> str:
    """Champion, ``constant`` and the best peer of each replicate, chosen replicate by replicate."""
    of_truth = rows[rows["figure"].isin(OF_TRUTH)]
    if of_truth.empty:
        return ""
    lines = []
    for (name, replicate), frame in of_truth.groupby(["set", "replicate"], sort=True):
        values = frame.groupby(["figure", "source", "learner"])["value"].mean()
        champion = frame[(frame["source"] == OURS) & (frame["learner"] == CHAMPION)]
        line = [str(name), str(replicate), " or ".join(sorted(champion["note"].unique()))]
        for figure in OF_TRUTH:
            if figure not in values.index.get_level_values(0):
                line += ["-", "-"]
                continue
            of_figure = values[figure]
            peers = of_figure[of_figure.index.get_level_values("source") != OURS]
            best = peers.min() if figure in LOWER_IS_BETTER else peers.max()
            line += [
                _number(float(of_figure.get((OURS, CHAMPION), np.nan))),
                _number(float(best)) if len(peers) else "-",
            ]
        line.append(_number(float(values.get(("pehe", OURS, "constant"), np.nan))))
        lines.append(line)
    header = ["set", "replicate", "champion", "PEHE", "best peer's", "Qini / oracle's"]
    return "### Replicate by replicate\n\n" + _markdown(
        [*header, "best peer's", "PEHE of `constant`"], lines
    )


def _against_peers(comparison: pd.DataFrame, figures: tuple[str, ...], title: str) -> str:
    rivals = (BEST_PEER, "constant", "response", "random")
    some = comparison[
        comparison["figure"].isin(figures)
        & comparison["learner"].isin(rivals)
        & comparison["difference"].notna()
    ]
    if some.empty:
        return ""
    lines = [
        [
            row["set"],
            row["figure"],
            _number(row["value_ours"]) + _interval(row["ours_ci_low"], row["ours_ci_high"]),
            f"{row['learner']}: {row['note']}" if row["note"] else f"`{row['learner']}`",
            _number(row["value"]),
            _number(row["difference"])
            + _interval(row["difference_ci_low"], row["difference_ci_high"]),
            str(row["n_pairs"]),
        ]
        for row in some.to_dict("records")
    ]
    header = ["set", "figure", "champion", "against", "theirs", "difference", "pairs"]
    return f"{title}\n\n{_markdown(header, lines)}"


def _beside_published(comparison: pd.DataFrame) -> list[str]:
    published = comparison[comparison["source"] == ITX]
    parts = []
    for name, frame in published.groupby("set", sort=True):
        lines = [
            [
                row["figure"].removeprefix(PREFIX),
                f"`{row['learner']}`",
                _number(row["value"]) + _interval(row["ci_low"], row["ci_high"]),
                f"`{row['ours']}`",
                _number(row["value_ours"]) + _interval(row["ours_ci_low"], row["ours_ci_high"]),
                _number(row["difference"])
                + _interval(row["difference_ci_low"], row["difference_ci_high"]),
                f"{row['n_pairs']}, {row['interval']}",
            ]
            for row in frame.to_dict("records")
        ]
        header = [
            "figure",
            "published learner",
            "published",
            "ours",
            "value",
            "difference",
            "splits",
        ]
        parts.append(
            f"### Published beside ours: {name}\n\nRows: {CAVEATS[str(name)]}.\n\n"
            + _markdown(header, lines)
        )
    return parts


def _biased_log(rows: pd.DataFrame) -> str:
    verdicts = rows[rows["figure"] == "verdict"]
    if verdicts.empty:
        return ""
    name = verdicts["set"].iloc[0]
    of_log = rows[rows["set"] == name]
    lines = [
        [
            row["learner"].replace("_", " "),
            row["figure"].replace("_", " "),
            row["note"] or _number(row["value"]) + _interval(row["ci_low"], row["ci_high"]),
        ]
        for row in of_log.to_dict("records")
    ]
    return f"### The biased log: {name}\n\n" + _markdown(["brought in", "figure", "found"], lines)


def _skipped(rows: pd.DataFrame) -> str:
    skipped = rows[rows["figure"] == "skipped"]
    if skipped.empty:
        return ""
    reasons = "; ".join(f"`{row['set']}` ({row['note']})" for row in skipped.to_dict("records"))
    return f"Not run: {reasons}."
