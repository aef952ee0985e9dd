"""Seconds and peak memory of drawing and writing a simulated retailer, by households.

``python -m benchmarks.simulation`` draws a year of 2,500 and of 100,000 households into temporary
folders, each in a process of its own. It takes about three minutes and 6 GB of disk.
"""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import ibis
import yaml

from promo_uplift.simulation import (
    ProfileParameters,
    SimulationParameters,
    WorldProfile,
    build_world,
    fit_profile,
    write_world,
)
from promo_uplift.sources import RAW_TABLES, SOURCES, canonical_tables, package_file

CONFIGURATION = Path("conf/base/parameters/simulation.yml")
SIZES = (2_500, 100_000)
SEED = 20171231


def profile_of_the_package() -> WorldProfile:
    """Sum up the packaged data."""
    stems = SOURCES["package"].stems
    connection = ibis.duckdb.connect()
    raw = {
        name: connection.read_parquet(package_file(stems[name]))
        for name in RAW_TABLES
        if name != "promotions"
    } | {"promotions": None}
    return fit_profile(
        tables=canonical_tables(form="package", raw=raw, seed=SEED),
        timestamps=raw["transactions"],
        parameters=ProfileParameters.model_validate(_configured("simulation_profile")),
    )


def draw(profile: WorldProfile, n_households: int) -> tuple[float, float, int]:
    """Return seconds, peak GB and transaction rows of one world."""
    values = _configured("simulation") | {"n_households": n_households}
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        world = build_world(
            profile=profile, parameters=SimulationParameters.model_validate(values), seed=SEED
        )
        rows = write_world(world=world, folder=Path(folder))
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return seconds, peak, rows["transactions"]


def _configured(name: str) -> dict[str, object]:
    values: dict[str, object] = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))[name]
    return values


def main() -> None:
    """Print a line per size."""
    profile = profile_of_the_package()
    print("households  transactions  seconds  peak GB")
    for n_households in SIZES:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, peak, rows = pool.apply(draw, (profile, n_households))
        print(f"{n_households:>10,}  {rows:>12,}  {seconds:>7.1f}  {peak:>7.2f}")


if __name__ == "__main__":
    main()
