"""How the benchmark's tables are read: worlds by size, and the figures that stand for one."""

from __future__ import annotations

import re

import pandas as pd

from promo_uplift.benchmark.summary import wilson_interval

Cell = tuple[str, int]
#: Average effects whose intervals are judged, with a name to read.
EFFECTS = (
    ("aipw_ate", "ATE"),
    ("aipw_att", "ATT"),
    ("aipw_ate_overlap", "overlap population"),
    ("ato", "ATO"),
)
#: Effect in a group of predicted effect.
GROUP = re.compile(r"group_\d+_of_\d+_usd")


def cells_of(summary: pd.DataFrame) -> list[Cell]:
    """Worlds and sizes in the order of the table."""
    pairs = summary[["world", "n_households"]].itertuples(index=False)
    return list(dict.fromkeys((str(world), int(size)) for world, size in pairs))


def cell_label(cell: Cell) -> str:
    """World and number of households for a reader.

    Examples
    --------
    >>> cell_label(("targeted_linear", 2500))
    'targeted linear, 2,500'
    """
    return f"{cell[0].replace('_', ' ')}, {cell[1]:,}"


def figure_rows(summary: pd.DataFrame, subject: str, figure: str) -> pd.DataFrame:
    """Rows of one subject's figure, one per world and size."""
    rows: pd.DataFrame = summary[(summary["subject"] == subject) & (summary["figure"] == figure)]
    return rows


def group_figures(summary: pd.DataFrame, *, level: float) -> pd.DataFrame:
    """Coverage over all groups of predicted effect of all learners, one row per world and size.

    The interval is Wilson's with the number of **replications** as the count, since groups and
    learners of one replication share its rows: it errs on the wide side.

    Returns
    -------
    DataFrame
        ``world, n_households, intervals, coverage, coverage_ci_low, coverage_ci_high``.
    """
    rows = summary[
        summary["figure"].astype(str).str.fullmatch(GROUP) & (summary["subject"] != "champion")
    ]
    columns = [
        "world", "n_households", "intervals", "coverage", "coverage_ci_low", "coverage_ci_high",
    ]  # fmt: skip
    found = []
    for (world, size), part in rows.groupby(["world", "n_households"], sort=False, observed=True):
        counted = part[part["intervals"] > 0]
        if counted.empty:
            continue
        total = int(counted["intervals"].sum())
        share = float((counted["coverage"] * counted["intervals"]).sum()) / total
        runs = int(counted.groupby("subject", observed=True)["intervals"].first().max())
        bounds = wilson_interval(successes=round(share * runs), trials=runs, level=level)
        found.append((world, size, total, share, bounds.ci_low, bounds.ci_high))
    return pd.DataFrame(found, columns=columns)
