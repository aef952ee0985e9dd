"""Ours beside the peers' and the published figures, each difference with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from promo_uplift.benchmark.published import CAVEATS, ITX, PUBLISHED, SEEDS, PublishedFigure
from promo_uplift.benchmark.sets.run import CHAMPION, OURS
from promo_uplift.contracts.results import FloatArray
from promo_uplift.metrics.arm_curves import PREFIX

PAIR = ["set", "replicate", "seed"]
#: Figures of which less is better.
LOWER_IS_BETTER = ("pehe", "ate_error")
BEST_PEER = "best single peer"
#: Ours that every ranking is held against.
BASELINES = ("zero", "constant", "response", "random")
#: Figures that need the true effect; only these are averaged over several sets.
OF_TRUTH = ("pehe", "ate_error", "qini_normalised", "auuc_normalised")
NOT_COMPARED = ("seconds", "verdict")
#: Ours that is the same kind of learner as a published one.
COUNTERPARTS = {
    "s-learner": "s_learner",
    "t-learner": "t_learner",
    "x-learner": "x_learner",
    "dr-learner": "dr_learner",
    "outcome-ranking": "response",
    "random-200": "random",
}
#: Between the names of sets that are taken together.
TOGETHER = " + "
COLUMNS = (
    "set",
    "figure",
    "ours",
    "source",
    "learner",
    "value_ours",
    "ours_ci_low",
    "ours_ci_high",
    "value",
    "ci_low",
    "ci_high",
    "difference",
    "difference_ci_low",
    "difference_ci_high",
    "n_pairs",
    "share_as_good",
    "interval",
    "note",
)


def mean_interval(
    *, values: FloatArray, replicates: int, level: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean over splits or replicates; NaN for fewer than two.

    Parameters
    ----------
    values : float64 (n,)
        One per split or replicate.
    replicates : int
        Bootstrap replicates.
    level : float
    rng : Generator
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    means = values[rng.integers(0, len(values), size=(replicates, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def comparison_table(
    *,
    rows: pd.DataFrame,
    ours: Sequence[str] = (CHAMPION,),
    replicates: int,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """Ours against every peer, our baselines, the best single peer and every published figure.

    A difference is ours minus theirs. Where both have a figure of the same split or replicate,
    the interval is a bootstrap over those pairs (``pairs``); where only a published mean with its
    interval is known, it is the normal interval of both (``two intervals``). The best single peer
    is chosen with the figure itself, that is, with the truth: a bar, not a rival that anyone could
    have named beforehand. A replicate in which a figure is undefined (one effect for all has no
    Qini) takes no part in it. Where a set has several replicates each counts once, whatever its
    number of splits; the simulated sets also appear together, a replicate again counting once.
    Nobody drew lots in them, so figures by arm differences are compared with published ones only.

    Parameters
    ----------
    rows : DataFrame
        Of :func:`promo_uplift.benchmark.sets.run.run_piece`.
    ours : sequence of str
        Learners of ours to compare, ``champion`` by default. Published learners are besides set
        beside ours of the same kind.
    replicates, level, seed
        Of the bootstrap.

    Returns
    -------
    DataFrame
        One row per set, figure, learner of ours and rival. ``share_as_good`` is the share of
        pairs in which ours is at least as good.
    """
    scored = rows[(rows["figure"] != "skipped") & rows["value"].notna()]
    rng = np.random.default_rng(seed)
    draw = {"replicates": replicates, "level": level, "rng": rng}
    groups = [[name] for name in scored["set"].unique()]
    with_truth = list(scored[scored["figure"] == "pehe"]["set"].unique())
    if len(with_truth) > 1:
        groups.append(sorted(with_truth))
    table: list[dict[str, Any]] = []
    for names in groups:
        of_sets = scored[scored["set"].isin(names)]
        for learner in ours:
            mine = of_sets[(of_sets["source"] == OURS) & (of_sets["learner"] == learner)]
            for figure in mine["figure"].unique():
                if figure in NOT_COMPARED or (len(names) > 1 and figure not in OF_TRUTH):
                    continue
                own = mine[mine["figure"] == figure].set_index(PAIR)
                others = of_sets[of_sets["figure"] == figure]
                is_biased = figure.startswith(PREFIX) and set(names) <= set(with_truth)
                against = [] if is_biased else _rivals(own, others, figure, **draw)
                if len(names) == 1:
                    against += [
                        _published(own, one, **draw)
                        for one in PUBLISHED
                        if one.set_name == names[0] and one.figure == figure
                    ]
                keys = {"set": TOGETHER.join(names), "figure": figure, "ours": learner}
                table += [{**keys, **row} for row in against]
        if len(names) == 1:
            table += _counterparts(of_sets, names[0], **draw)
    return pd.DataFrame(table, columns=list(COLUMNS))


def _counterparts(of_set: pd.DataFrame, name: str, **draw: Any) -> list[dict[str, Any]]:
    """Set each published learner beside ours of the same kind."""
    mine = of_set[of_set["source"] == OURS]
    table = []
    for one in PUBLISHED:
        own = mine[
            (mine["learner"] == COUNTERPARTS.get(one.learner)) & (mine["figure"] == one.figure)
        ]
        if one.set_name == name and len(own):
            row = _published(own.set_index(PAIR), one, **draw)
            keys = {"set": name, "figure": one.figure, "ours": COUNTERPARTS[one.learner]}
            table.append({**keys, **row})
    return table


def _rivals(
    own: pd.DataFrame, others: pd.DataFrame, figure: str, **draw: Any
) -> list[dict[str, Any]]:
    """Against every peer, our own baselines, and the best single peer."""
    is_peer = others["source"] != OURS
    others = others[is_peer | others["learner"].isin(BASELINES)]
    table = [
        {
            "source": source,
            "learner": learner,
            **_paired(own, frame.set_index(PAIR)["value"], figure, **draw),
        }
        for (source, learner), frame in others.groupby(["source", "learner"], sort=False)
    ]
    peers = [row for row in table if row["source"] != OURS]
    if peers:
        best = min(peers, key=lambda row: float(badness(row["value"], figure)))
        table.append({**best, "learner": BEST_PEER, "note": f"{best['source']} {best['learner']}"})
    return table


def badness(value: Any, figure: str) -> Any:
    """Return a number that is smaller where the figure is better: a slope is best at 1.

    Parameters
    ----------
    value : float or array
    figure : str
    """
    if figure.endswith("calibration_slope"):
        return np.abs(value - 1.0)
    return value if figure in LOWER_IS_BETTER else -value


def by_unit(values: pd.DataFrame) -> pd.DataFrame:
    """Average the splits of a replicate where there are several replicates: each counts once.

    Parameters
    ----------
    values : DataFrame
        Indexed by set, replicate and seed.
    """
    replicate = ["set", "replicate"]
    if len(values.reset_index()[replicate].drop_duplicates()) > 1:
        return values.groupby(level=replicate).mean()
    return values


def _paired(own: pd.DataFrame, theirs: pd.Series, figure: str, **draw: Any) -> dict[str, Any]:
    joined = own["value"].to_frame("ours").join(theirs.rename("theirs"), how="inner").dropna()
    both = by_unit(joined)
    differences = (both["ours"] - both["theirs"]).to_numpy()
    low, high = mean_interval(values=differences, **draw)
    good = badness(both["ours"], figure) <= badness(both["theirs"], figure)
    return {
        **_own(own.loc[joined.index], **draw),
        "value": float(both["theirs"].mean()),
        **_bounds("ci", mean_interval(values=both["theirs"].to_numpy(), **draw)),
        "difference": float(differences.mean()) if len(both) else float("nan"),
        "difference_ci_low": low,
        "difference_ci_high": high,
        "n_pairs": len(both),
        "share_as_good": float(good.mean()) if len(both) else float("nan"),
        "interval": "pairs",
        "note": "",
    }


def _published(own: pd.DataFrame, one: PublishedFigure, **draw: Any) -> dict[str, Any]:
    """Against a published figure: of the first replicate, on the seeds of the protocol."""
    same = own[
        (own.index.get_level_values("replicate") == 1)
        & own.index.get_level_values("seed").isin(SEEDS)
    ]
    known = {
        "source": ITX,
        "learner": one.learner,
        "value": one.value,
        "ci_low": one.ci_low,
        "ci_high": one.ci_high,
        "note": CAVEATS[one.set_name],
    }
    if one.by_seed:
        by_seed = dict(zip(SEEDS, one.by_seed, strict=True))
        theirs = pd.Series(
            [by_seed[seed] for seed in same.index.get_level_values("seed")], index=same.index
        )
        return {**_paired(same, theirs, one.figure, **draw), **known}
    mine = _own(same, **draw)
    own_half = (mine["ours_ci_high"] - mine["ours_ci_low"]) / 2.0
    difference = mine["value_ours"] - one.value
    half = float(np.hypot(own_half, (one.ci_high - one.ci_low) / 2.0))
    return {
        **mine,
        "difference": difference,
        "difference_ci_low": difference - half,
        "difference_ci_high": difference + half,
        "n_pairs": len(same),
        "share_as_good": float("nan"),
        "interval": "two intervals",
        **known,
    }


def _own(own: pd.DataFrame, **draw: Any) -> dict[str, Any]:
    """Mean over splits; the mean of their bounds where they have some, else a bootstrap of them."""
    units = by_unit(own[["value", "ci_low", "ci_high"]])
    bounds = units[["ci_low", "ci_high"]].to_numpy()
    if len(units) and np.isfinite(bounds).all():
        interval = (float(bounds[:, 0].mean()), float(bounds[:, 1].mean()))
    else:
        interval = mean_interval(values=units["value"].to_numpy(), **draw)
    value = float(units["value"].mean()) if len(units) else float("nan")
    return {"value_ours": value, **_bounds("ours_ci", interval)}


def _bounds(name: str, interval: tuple[float, float]) -> dict[str, float]:
    return {f"{name}_low": interval[0], f"{name}_high": interval[1]}
