"""The grid of worlds as pieces, each done once and kept: a killed run resumes where it was."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from promo_uplift.benchmark.jobs import Job, code_digest, run_jobs
from promo_uplift.benchmark.judge import KEYS
from promo_uplift.benchmark.piece import Depth, run_piece, sized_parameters
from promo_uplift.benchmark.simulated import RetailSimulator
from promo_uplift.benchmark.worlds import AnyWorld, BenchmarkParameters, SimulatedWorld
from promo_uplift.contracts.parameters import AnalysisParameters
from promo_uplift.nuisance.seeding import derived_seed

#: What a piece of raw tables passes through besides the analysis.
ROOMS_OF_RAW_TABLES = ("sources", "features", "simulation")
#: Of this room: what makes, runs and judges a piece; not what counts or words the result.
MODULES = ("held_out", "judge", "piece", "simulated", "textbook", "truth")


@dataclass(frozen=True, slots=True)
class Piece:
    """One replication of a world, and the file that keeps its rows.

    Attributes
    ----------
    name : str
        The world's.
    world : World
    n_households : int
    depth : {"full", "effects"}
    replication : int
    path : Path
        Parquet file of its rows.
    """

    name: str
    world: AnyWorld
    n_households: int
    depth: Depth
    replication: int
    path: Path


def plan_pieces(
    *,
    benchmark: BenchmarkParameters,
    parameters: AnalysisParameters,
    seed: int,
    simulator: RetailSimulator | None,
) -> list[Piece]:
    """List every piece of the grid, each with its own file.

    A file's folder is a digest of whatever decides the rows: the world without its counts of
    replications, the sized parameters, the seed, the code and the libraries. More replications
    therefore add pieces, and a change of anything else starts anew. The code counts without its
    comments and docstrings.
    """
    sized = sized_parameters(parameters=parameters, sizes=benchmark.analysis)
    plan = []
    for name, world in benchmark.worlds.items():
        of_world = json.dumps(
            {
                "name": name,
                "world": world.model_dump(exclude={"n_households", "full", "effects"}),
                "analysis": sized.model_dump(mode="json"),
                "quantiles": benchmark.quantiles,
                "seed": seed,
                "simulator": simulator.digest()
                if simulator is not None and isinstance(world, SimulatedWorld)
                else None,
                "code": code_digest(
                    rooms=ROOMS_OF_RAW_TABLES if isinstance(world, SimulatedWorld) else (),
                    modules=MODULES,
                ),
            },
            sort_keys=True,
        )
        digest = hashlib.sha256(of_world.encode()).hexdigest()[:12]
        folder = Path(benchmark.folder) / f"{name}-{digest}"
        counts: dict[Depth, int] = {"full": world.full, "effects": world.effects}
        plan += [
            Piece(
                name=name,
                world=world,
                n_households=n_households,
                depth=depth,
                replication=replication,
                path=folder / f"{depth}-{n_households}-{replication:04d}.parquet",
            )
            for n_households in world.n_households
            for depth, count in counts.items()
            for replication in range(count)
        ]
    return plan


def run_benchmark(
    *,
    benchmark: BenchmarkParameters,
    parameters: AnalysisParameters,
    seed: int,
    simulator: RetailSimulator | None = None,
) -> pd.DataFrame:
    """Run whatever pieces of the grid have no file yet, and return the rows of all.

    Parameters
    ----------
    benchmark : BenchmarkParameters
        Worlds, sizes, folder, processes.
    parameters : AnalysisParameters
        A run's own.
    seed : int
        Of the run; the benchmark's own is derived from it.
    simulator : RetailSimulator, optional
        What simulated worlds are drawn from.

    Returns
    -------
    DataFrame
        Rows of all pieces in the order of the grid; see
        :func:`promo_uplift.benchmark.piece.run_piece`. A run that was killed and started again
        returns the same rows but for the figure ``seconds``.
    """
    own = derived_seed(seed=seed, purpose="benchmark")
    plan = plan_pieces(benchmark=benchmark, parameters=parameters, seed=own, simulator=simulator)
    sized = sized_parameters(parameters=parameters, sizes=benchmark.analysis)
    run_jobs(
        jobs=[
            Job(
                label=f"{piece.name}, {piece.n_households} households, {piece.depth} "
                f"{piece.replication}",
                path=piece.path,
                work=run_piece,
                arguments={
                    "name": piece.name,
                    "world": piece.world,
                    "n_households": piece.n_households,
                    "depth": piece.depth,
                    "replication": piece.replication,
                    "parameters": sized,
                    "quantiles": benchmark.quantiles,
                    "seed": own,
                    "simulator": simulator if isinstance(piece.world, SimulatedWorld) else None,
                },
            )
            for piece in sorted(plan, key=_turn)
        ],
        n_workers=benchmark.n_workers,
        progress=benchmark.progress,
        title="benchmark",
    )
    return collect_pieces(plan)


def _turn(piece: Piece) -> float:
    """Share of its world's replications before it: worlds advance together, whenever it stops."""
    counts = {"full": piece.world.full, "effects": piece.world.effects}
    return piece.replication / counts[piece.depth]


def collect_pieces(plan: list[Piece]) -> pd.DataFrame:
    """Rows of all pieces in the order of the plan; small repeated texts as categories."""
    table = pd.concat([pd.read_parquet(piece.path) for piece in plan], ignore_index=True)
    texts = [name for name in KEYS if name not in ("n_households", "replication")]
    return table.astype(dict.fromkeys(texts, "category"))
