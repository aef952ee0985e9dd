"""The outside sets, piece by piece, kept and resumed like the worlds.

What runs them is imported when it is called: the peers come with causalml, which takes seconds to
import, restyles every Matplotlib figure of the process, and is not published for Python 3.13.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd

from promo_uplift.benchmark.jobs import Job, code_digest, run_jobs
from promo_uplift.benchmark.sets.parameters import OutsideParameters
from promo_uplift.benchmark.sets.registry import find_set
from promo_uplift.benchmark.worlds import BenchmarkParameters
from promo_uplift.contracts.parameters import AnalysisParameters

#: Figures of the outside sets that the card shows, with words.
ON_THE_CARD = {
    "pehe": "error of the effects (PEHE)",
    "qini_normalised": "true Qini, of the best possible",
    "qini": "Qini",
}


def run_outside_sets(
    *,
    outside: OutsideParameters,
    benchmark: BenchmarkParameters,
    analysis: AnalysisParameters,
) -> pd.DataFrame:
    """Rows of every piece of every set; a set whose files are absent is one row that says so.

    Parameters
    ----------
    outside : OutsideParameters
        Sets, seeds, protocol. ``benchmark.root`` replaces its root where it is given.
    benchmark : BenchmarkParameters
        Root, folder of the pieces, processes, progress.
    analysis : AnalysisParameters
        Of a run on tables.
    """
    from promo_uplift.benchmark.sets.run import run_piece, set_pieces  # noqa: PLC0415 - see above

    if benchmark.root is not None:
        outside = outside.model_copy(update={"root": benchmark.root})
    modules = sorted(
        path.relative_to(Path(__file__).parent).with_suffix("").as_posix()
        for path in (Path(__file__).parent / "sets").glob("*.py")
    )
    settings = {
        "outside": outside.model_dump(mode="json", exclude={"sets", "seeds", "all_seeds"}),
        "analysis": analysis.model_dump(mode="json"),
        "code": code_digest(rooms=(), modules=("peers", *modules)),
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    folder = Path(benchmark.folder) / f"outside-{digest}"
    rows, jobs = [], []
    for piece in set_pieces(parameters=outside):
        arguments = {**piece, "analysis": analysis, "parameters": outside}
        if find_set(name=piece["name"], root=outside.root) is not None:
            rows.append(run_piece(**arguments))
            continue
        jobs.append(
            Job(
                label=f"{piece['name']}, replicate {piece['replicate']}, seed {piece['seed']}",
                path=folder / f"{piece['name']}-{piece['replicate']}-{piece['seed']}.parquet",
                work=run_piece,
                arguments=arguments,
            )
        )
    run_jobs(
        jobs=jobs, n_workers=benchmark.n_workers, progress=benchmark.progress, title="outside sets"
    )
    rows += [pd.read_parquet(job.path) for job in jobs]
    return pd.concat(rows, ignore_index=True)


def compare_outside_sets(
    *, rows: pd.DataFrame, outside: OutsideParameters, seed: int
) -> pd.DataFrame:
    """Ours beside every peer and published figure, each difference with its interval."""
    from promo_uplift.benchmark.sets.compare import comparison_table  # noqa: PLC0415 - see above

    return comparison_table(
        rows=rows, replicates=outside.bootstrap_replicates, level=outside.level, seed=seed
    )


def outside_paragraph(*, rows: pd.DataFrame, comparison: pd.DataFrame) -> str:
    """Say in the card what the outside sets showed, or why they were not run."""
    skipped = rows[rows["figure"] == "skipped"]
    parts = []
    own = comparison[
        (comparison["learner"] == "best single peer")
        & (comparison["ours"] == "champion")
        & comparison["figure"].isin(ON_THE_CARD)
    ]
    if len(own):
        header = "| set | figure | champion | best single peer | difference | splits |"
        lines = [
            f"| {row.set} | {ON_THE_CARD[str(row.figure)]} | {row.value_ours:.3g} | "
            f"{row.value:.3g} | {row.difference:+.3g} ({row.difference_ci_low:+.3g} to "
            f"{row.difference_ci_high:+.3g}) | {row.n_pairs} |"
            for row in own.itertuples(index=False)
        ]
        parts.append("\n".join([header, "| --- | --- | --- | --- | --- | --- |", *lines]))
        parts.append(
            "The best single peer is chosen with the truth; the champion without it, by a rule "
            "of this benchmark: `constant`, unless the held-out loss shows more. A run and "
            "`promo_uplift.analyse` take the simplest learner within one standard error of the "
            "lowest loss of those shown to be better than `constant`. Every peer, published figure "
            "and definition: [Outside sets](outside-sets.md)."
        )
    if len(skipped):
        reasons = dict(zip(skipped["set"], skipped["note"], strict=True))
        text = "; ".join(f"`{name}` ({reason})" for name, reason in reasons.items())
        parts.append(f"Not run: {text}.")
    return "\n\n".join(parts) if parts else "None was run."
