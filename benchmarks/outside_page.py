"""Write the results of the outside sets into ``docs/outside-sets.md``, from the newest run."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from promo_uplift.benchmark.sets.page import with_results

RESULTS = Path("data/08_reporting/benchmark")
PAGE = Path("docs/outside-sets.md")


def main() -> None:
    """Replace the page's generated block."""
    page = with_results(
        page=PAGE.read_text(encoding="utf-8"),
        rows=pd.read_parquet(RESULTS / "outside_results.parquet"),
        comparison=pd.read_csv(RESULTS / "outside_comparison.csv"),
    )
    PAGE.write_text(page, encoding="utf-8")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
