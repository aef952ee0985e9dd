"""The trust card: one page of plain sentences and tables, written from the benchmark's figures.

No sentence knows its answer beforehand: each follows the numbers, so a world that fails is named
as failing. There is no date and no version in it: equal results give an equal page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from promo_uplift.benchmark.cells import (
    EFFECTS,
    Cell,
    cell_label,
    cells_of,
    figure_rows,
    group_figures,
)
from promo_uplift.benchmark.judge import CHAMPION, RUN
from promo_uplift.benchmark.summary import wilson_interval
from promo_uplift.benchmark.worlds import (
    AnyWorld,
    BenchmarkParameters,
    CardParameters,
    NieWagerWorld,
    SimulatedWorld,
    SpendWorld,
)

NOTHING = "-"
#: Claims of a run, with words for the table.
CLAIMS = (
    (CHAMPION, "finds_heterogeneity", "calibration slope above 0"),
    (RUN, "ranking_passes", "ranking passes"),
    (CHAMPION, "targeting_pays", "targeting pays"),
)


@dataclass(frozen=True, slots=True)
class WorldFacts:
    """What is known of a world and size before its figures are read.

    Attributes
    ----------
    overlap_holds : bool
        Most replications pass the checks of overlap, separation and clipping.
    is_hidden : bool
        Something that nobody records drives both mailing and spend: no method is valid there.
    is_heterogeneous : bool
        Households respond differently.
    """

    overlap_holds: bool
    is_hidden: bool
    is_heterogeneous: bool

    @property
    def should_cover(self) -> bool:
        """Whether the assumptions hold on which intervals rest."""
        return self.overlap_holds and not self.is_hidden


def has_hidden_confounding(world: AnyWorld) -> bool:
    """Whether the world's parameters break the assumption that covariates explain the mailing."""
    if isinstance(world, SpendWorld):
        return world.hidden_confounding > 0.0
    if isinstance(world, SimulatedWorld):
        targeting = world.parameters.get("targeting", {})
        return float(targeting.get("unobserved_confounding", 0.0)) > 0.0
    return False


def is_in_money(world: AnyWorld) -> bool:
    """Whether the world's outcome is in USD; the textbook's units are none."""
    return not isinstance(world, NieWagerWorld)


def world_facts(*, summary: pd.DataFrame, worlds: Mapping[str, AnyWorld]) -> dict[Cell, WorldFacts]:
    """Facts of each world and size of the summary."""
    overlap = _by_cell(figure_rows(summary, RUN, "overlap_passes"), "mean")
    claims = summary[summary["figure"] == "finds_heterogeneity"]
    truth = _by_cell(claims.drop_duplicates(["world", "n_households"]), "truth")
    return {
        cell: WorldFacts(
            overlap_holds=overlap.get(cell, 0.0) > 0.5,
            is_hidden=has_hidden_confounding(worlds[cell[0]]),
            is_heterogeneous=truth.get(cell, 0.0) > 0.0,
        )
        for cell in cells_of(summary)
    }


@dataclass(frozen=True, slots=True)
class Section:
    """One question of the card.

    Attributes
    ----------
    title : str
        The question.
    answer : str
        What the figures say to it, in a sentence or three.
    table : str
        The figures, as a Markdown table; empty where nothing was measured.
    """

    title: str
    answer: str
    table: str


Row = dict[str, Any]
Facts = Mapping[Cell, WorldFacts]


def trust_card(
    *,
    summary: pd.DataFrame,
    benchmark: BenchmarkParameters,
    level: float,
    power: float,
    outside: str,
) -> str:
    """Write the card as Markdown: answers first, then the tables that they are read from.

    Parameters
    ----------
    summary : DataFrame
        Of :func:`promo_uplift.benchmark.summary.summarise`.
    benchmark : BenchmarkParameters
        Worlds and thresholds.
    level : float
        Of the intervals that are judged, and of the Monte-Carlo intervals.
    power : float
        Of the smallest visible effects.
    outside : str
        Paragraph on the sets that no one here made.
    """
    facts = world_facts(summary=summary, worlds=benchmark.worlds)
    card = benchmark.card
    is_money = {cell: is_in_money(benchmark.worlds[cell[0]]) for cell in facts}
    sections = [
        _coverage(summary, facts, card, level),
        _learners(summary, facts),
        _discoveries(summary, facts, card, level),
        _visible(summary, facts, card, power),
        _pointwise(summary, facts, card, level),
        _money(summary, facts, card, level, is_money),
    ]
    short = "\n".join(f"- **{one.title}** {one.answer}" for one in sections)
    tables = [f"## {one.title}\n\n{one.table}" for one in sections if one.table]
    parts = [
        _opening(benchmark, level),
        f"## In short\n\n{short}",
        *tables,
        f"## Data that no one here made\n\n{outside}",
        _what_was_run(benchmark),
    ]
    return "\n\n".join(parts) + "\n"


def _cell(row: Mapping[str, Any]) -> Cell:
    return str(row["world"]), int(row["n_households"])


def _rows(rows: pd.DataFrame) -> dict[Cell, Row]:
    """Rows of a figure by world and size."""
    records: Iterable[Row] = (
        {str(key): value for key, value in row.items()} for row in rows.to_dict("records")
    )
    return {_cell(row): row for row in records}


def _by_cell(rows: pd.DataFrame, column: str) -> dict[Cell, float]:
    return {cell: float(row[column]) for cell, row in _rows(rows).items()}


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _percent(value: float) -> str:
    return NOTHING if not np.isfinite(value) else f"{100.0 * value:.0f} %"


def _share(row: Row, column: str) -> str:
    low, high = row[f"{column}_ci_low"], row[f"{column}_ci_high"]
    return f"{_percent(row[column])} ({100 * low:.0f} to {100 * high:.0f})"


def _listed(names: Sequence[str]) -> str:
    return "; ".join(names) if names else "none"


def _state(fact: WorldFacts) -> str:
    if fact.is_hidden:
        return "hidden cause"
    return "hold" if fact.overlap_holds else "poor overlap"


def _opening(benchmark: BenchmarkParameters, level: float) -> str:
    runs = sum(
        (world.full + world.effects) * len(world.n_households)
        for world in benchmark.worlds.values()
    )
    return (
        "# Trust card\n\n"
        "How far to trust each figure, measured where the truth is known. `make card` writes this "
        f"page from {runs:,} simulated data sets in {len(benchmark.worlds)} worlds, each analysed "
        "by the code of a run, with default models, untuned. Brackets are "
        f"{_percent(level)} Monte-Carlo intervals. What the worlds and words mean: "
        "[Benchmark](benchmark.md)."
    )


def _coverage(summary: pd.DataFrame, facts: Facts, card: CardParameters, level: float) -> Section:
    series = {label: figure_rows(summary, subject, "effect_usd") for subject, label in EFFECTS}
    series["quintiles"] = group_figures(summary, level=level)
    found = {label: _rows(rows[rows["intervals"] > 0]) for label, rows in series.items()}
    zone = f"{100 * card.cover_low:.0f} to {100 * card.cover_high:.0f} %"
    lines, total = [], 0
    outside: dict[bool, list[str]] = {True: [], False: []}
    for cell, fact in facts.items():
        line = [cell_label(cell), _state(fact)]
        for label, by_cell in found.items():
            row = by_cell.get(cell)
            if row is None:
                line.append(NOTHING)
                continue
            misses = not card.cover_low <= round(row["coverage"], 2) <= card.cover_high
            line.append(f"**{_share(row, 'coverage')}**" if misses else _share(row, "coverage"))
            if fact.should_cover and label in ("ATE", "quintiles"):
                total += 1
                if misses:
                    place = f"{label} in *{cell_label(cell)}* ({_percent(row['coverage'])})"
                    outside[_is_sure(row, card)].append(place)
        lines.append(line)
    inside = total - len(outside[True]) - len(outside[False])
    together = "; ".join(f"{name} {_together(found[name], facts)}" for name in ("ATE", "quintiles"))
    answer = (
        f"Where the assumptions hold, {inside} of {total} ATE and quintile coverages lie within "
        f"{zone} (all worlds together: {together}). Outside beyond Monte-Carlo error: "
        f"{_listed(outside[True])}; within it: {_listed(outside[False])}."
    )
    failing = [
        f"*{cell_label(cell)}* ({_percent(found['ATE'][cell]['coverage'])})"
        for cell, fact in facts.items()
        if not fact.should_cover
        and cell in found["ATE"]
        and found["ATE"][cell]["coverage"] < card.cover_low
    ]
    if failing:
        answer += f" Where they do not, the ATE misses: {_listed(failing)}."
    header = ["world, households", "assumptions", *found]
    return Section(
        f"Where do the {_percent(level)} intervals cover?",
        answer,
        f"{_table(header, lines)}\n\nBold: outside {zone}. Each effect is held against the truth "
        "of its own population; quintiles of predicted effect, all learners.",
    )


def _together(by_cell: Mapping[Cell, Row], facts: Facts) -> str:
    """Coverage over all intervals of the worlds in which the assumptions hold."""
    rows = [row for cell, row in by_cell.items() if facts[cell].should_cover]
    count = sum(row["intervals"] for row in rows)
    if not count:
        return NOTHING
    held = sum(row["coverage"] * row["intervals"] for row in rows)
    return f"{100.0 * held / count:.1f} % of {count:,.0f}"


def _is_sure(row: Row, card: CardParameters) -> bool:
    """Whether the Monte-Carlo interval of a coverage lies outside the zone too."""
    return bool(
        row["coverage_ci_high"] < card.cover_low or row["coverage_ci_low"] > card.cover_high
    )


def _learners(summary: pd.DataFrame, facts: Facts) -> Section:
    title = "Which learner should I believe, at which size and overlap?"
    rows = summary[summary["figure"] == "pehe_over_constant"]
    cells = [cell for cell in cells_of(rows) if facts[cell].is_heterogeneous]
    qini = _by_cell(figure_rows(summary, CHAMPION, "qini_normalised"), "mean")
    if not cells:
        return Section(title, "Not measured in this run.", "")
    names = [
        str(name)
        for name in dict.fromkeys(rows["subject"])
        if name not in ("zero", "constant", CHAMPION)
    ]
    lines: list[list[str]] = []
    better: list[str] = []
    worse: list[str] = []
    wins: dict[str, int] = {}
    for cell in cells:
        part = rows[(rows["world"] == cell[0]) & (rows["n_households"] == cell[1])]
        means = {str(name): float(mean) for name, mean in part[["subject", "mean"]].to_numpy()}
        best = min(names, key=lambda name: means.get(name, np.inf))
        if means[best] < 1.0:
            wins[best] = wins.get(best, 0) + 1
        own = means[CHAMPION]
        (better if own < 1.0 else worse).append(f"*{cell_label(cell)}*")
        ratios = [
            f"**{means[name]:.2f}**" if name == best else f"{means[name]:.2f}" for name in names
        ]
        lines.append(
            [
                cell_label(cell), _state(facts[cell]), *ratios, f"{own:.2f}",
                _percent(qini.get(cell, np.nan)),
            ]
        )  # fmt: skip
    order = sorted(wins, key=lambda name: -wins[name])
    believed = ", ".join(f"`{name}` ({wins[name]})" for name in order) or "none"
    answer = (
        f"Closest to the truth and closer than one effect for all, by worlds: {believed}. The "
        f"champion, chosen without the truth, is closer than one effect for all in {len(better)} "
        f"of {len(cells)}: {_listed(better)}."
    )
    if worse:
        answer += f" Elsewhere believe the average only: {_listed(worse)}."
    header = [
        "world, households", "assumptions", *(f"`{name}`" for name in names), "champion",
        "champion's Qini",
    ]  # fmt: skip
    return Section(
        title,
        answer,
        f"{_table(header, lines)}\n\nError of the effects (PEHE) over that of `constant`: below 1 "
        "a learner knows more than the average; bold: the closest. The last column is the true "
        "Qini of the champion's ranking, of the best possible. Worlds where all respond alike are "
        "left out: there `constant` is the truth.",
    )


def _discoveries(
    summary: pd.DataFrame, facts: Facts, card: CardParameters, level: float
) -> Section:
    found = {label: _rows(figure_rows(summary, *key)) for *key, label in CLAIMS}
    lines, above, pooled = [], [], []
    for is_there in (False, True):
        for cell, fact in facts.items():
            if fact.is_heterogeneous is not is_there or cell not in found[CLAIMS[1][2]]:
                continue
            line = [cell_label(cell), "yes" if is_there else "no"]
            for label, by_cell in found.items():
                row = by_cell.get(cell)
                if row is None or not row["replications"]:
                    line.append(NOTHING)
                    continue
                is_false = not is_there and row["mean_ci_low"] > card.max_false_discovery
                line.append(f"**{_share(row, 'mean')}**" if is_false else _share(row, "mean"))
                if is_false and fact.should_cover:
                    above.append(f'"{label}" in *{cell_label(cell)}* ({_percent(row["mean"])})')
            lines.append(line)
    for label, by_cell in found.items():
        rows = [
            row
            for cell, row in by_cell.items()
            if facts[cell].should_cover and not facts[cell].is_heterogeneous
        ]
        trials = sum(int(row["replications"]) for row in rows)
        if trials:
            hits = sum(round(row["mean"] * row["replications"]) for row in rows)
            share = wilson_interval(successes=hits, trials=trials, level=level)
            pooled.append(f'"{label}" in {hits} of {trials} runs (up to {_percent(share.ci_high)})')
    limit = _percent(card.max_false_discovery)
    answer = (
        f"Where all respond alike, it says {_listed(pooled)}; {limit} is allowed. Above it in a "
        f"single world, beyond Monte-Carlo error: {_listed(above)}."
    )
    header = ["world, households", "is it there?", *found]
    return Section(
        "How often does it say heterogeneity where there is none?",
        answer,
        f"{_table(header, lines)}\n\nBold: false more often than {limit}, beyond Monte-Carlo "
        "error. Where it is there, the share is how often it is found.",
    )


def _visible(summary: pd.DataFrame, facts: Facts, card: CardParameters, power: float) -> Section:
    title = f"How large must an effect be to be seen with {card.n_households:,} households?"
    mde = _by_cell(figure_rows(summary, "aipw_ate", "mde_usd"), "mean")
    spread = _by_cell(figure_rows(summary, RUN, "residual_sd_usd"), "mean")
    truth = _by_cell(figure_rows(summary, "aipw_ate", "effect_usd"), "truth")
    seen = _rows(figure_rows(summary, "aipw_ate", "detects_effect"))
    cells = [
        cell
        for cell, fact in facts.items()
        if cell[1] == card.n_households and fact.should_cover and cell in mde
    ]
    if not cells:
        return Section(title, "No world of this run has this size and holds the assumptions.", "")
    ratios = {cell: mde[cell] / spread[cell] for cell in cells}
    low, high = min(cells, key=lambda one: ratios[one]), max(cells, key=lambda one: ratios[one])
    lines = [
        [
            cell_label(cell), f"{spread[cell]:.3g}", f"{mde[cell]:.3g}", f"{truth[cell]:+.3g}",
            _share(seen[cell], "mean"),
        ]
        for cell in cells
    ]  # fmt: skip
    answer = (
        f"An average effect, from {ratios[low]:.2f} (*{cell_label(low)}*) to {ratios[high]:.2f} "
        f"(*{cell_label(high)}*) standard deviations of the spend that covariates leave "
        f"unexplained, at {_percent(power)} power. A difference between households has to be "
        "several times larger: the shares in which it is found are in the table of claims."
    )
    header = [
        "world, households", "unexplained sd, USD", "smallest visible effect, USD",
        "true effect, USD", "seen in",
    ]  # fmt: skip
    return Section(title, answer, _table(header, lines))


def _pointwise(summary: pd.DataFrame, facts: Facts, card: CardParameters, level: float) -> Section:
    title = "May I read the interval of a single household?"
    learners = [
        str(name)
        for name in dict.fromkeys(summary.loc[summary["figure"] == "pointwise_coverage", "subject"])
        if name != CHAMPION
    ]
    lines, good, wanted = [], [], []
    for learner in learners:
        cover, multiple = (
            {
                cell: row
                for cell, row in _rows(figure_rows(summary, learner, figure)).items()
                if facts[cell].should_cover
            }
            for figure in ("pointwise_coverage", "pointwise_multiple")
        )
        if not cover:
            continue
        worst = min(cover, key=lambda cell: cover[cell]["mean"])
        shares = [row["mean"] for row in cover.values()]
        needed = [row["mean"] for row in multiple.values() if np.isfinite(row["mean"])]
        if min(shares) >= card.cover_low:
            good.append(f"`{learner}`")
        else:
            wanted.append(f"`{learner}` {np.median(needed):.1f}" if needed else f"`{learner}`")
        lines.append(
            [
                f"`{learner}`",
                _percent(float(np.mean(shares))),
                f"{_percent(cover[worst]['mean'])} (*{cell_label(worst)}*)",
                f"{np.median(needed):.1f}" if needed else NOTHING,
                f"{max(needed):.1f}" if needed else NOTHING,
            ]
        )
    if not lines:
        return Section(title, "Not measured in this run.", "")
    answer = (
        "Half-sample intervals hold how far a learner's answer moves with the sample, not its "
        "shrinkage towards the mean. As an interval of the truth, in every world where the "
        f"assumptions hold, they are good for {_listed(good)}."
    )
    if wanted:
        answer += (
            " The others' are a lower bound of the uncertainty, not to be read as an interval of "
            f"the effect; to hold {_percent(level)} they would have to be widened, in the median "
            f"world, by {', '.join(wanted)}, and no one factor serves all worlds. So a run offers "
            "none unless it is asked to (`estimation.interval_replicates`)."
        )
    header = ["learner", "holds the truth, mean", "worst world", "widen by, median", "worst"]
    return Section(title, answer, _table(header, lines))


def _money(
    summary: pd.DataFrame,
    facts: Facts,
    card: CardParameters,
    level: float,
    is_money: Mapping[Cell, bool],
) -> Section:
    title = "What is a promised profit worth?"
    honest, promised, regret, gain = (
        _rows(figure_rows(summary, CHAMPION, figure))
        for figure in (
            "profit_usd", "optimistic_profit_usd", "policy_regret_usd", "policy_gain_usd",
        )
    )  # fmt: skip
    cells = [
        cell
        for cell, fact in facts.items()
        if cell in honest and fact.should_cover and is_money[cell]
    ]
    if not cells:
        return Section(title, "Not measured in this run.", "")
    lines = [
        [
            cell_label(cell),
            _share(honest[cell], "coverage"),
            _share(promised[cell], "coverage"),
            f"{promised[cell]['bias']:+.2f}",
            f"{regret[cell]['mean']:.2f}",
            f"{gain[cell]['mean']:+.2f}",
        ]
        for cell in cells
    ]
    held = sum(honest[cell]["coverage"] * honest[cell]["intervals"] for cell in cells)
    read = sum(promised[cell]["coverage"] * promised[cell]["intervals"] for cell in cells)
    count = sum(honest[cell]["intervals"] for cell in cells)
    optimism = sum(promised[cell]["bias"] for cell in cells) / len(cells)
    answer = (
        f"Valued on households that chose nothing, its interval holds the true profit of the "
        f"chosen policy in {_percent(held / count)} of {count:.0f} runs. Read off the data that "
        f"chose it, in {_percent(read / count)}, and it promises {optimism:+.2f} USD per household "
        "too much on average."
    )
    header = [
        "world, households",
        f"{_percent(level)} interval of profit holds",
        "of the optimistic one",
        "optimism, USD",
        "lost to the oracle, USD",
        "gained over mailing all or none, USD",
    ]
    return Section(title, answer, _table(header, lines))


def _what_was_run(benchmark: BenchmarkParameters) -> str:
    sizes = benchmark.analysis
    lines = [
        [
            f"`{name}`",
            world.kind.replace("_", " "),
            ", ".join(f"{size:,}" for size in world.n_households),
            f"{world.full}",
            f"{world.effects}",
            f"{world.pointwise}",
        ]
        for name, world in benchmark.worlds.items()
    ]
    header = [
        "world", "kind", "households", "whole runs", "average effects only",
        "with intervals of households",
    ]  # fmt: skip
    return (
        f"## What was run\n\n{sizes.n_folds} folds, {sizes.bootstrap_replicates} bootstrap "
        f"replicates, {sizes.interval_replicates} half-samples, no tuning. Counts are replications "
        f"per size.\n\n{_table(header, lines)}"
    )
