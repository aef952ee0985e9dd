"""The package and the publisher's files, both real, become the same canonical tables."""

from __future__ import annotations

import os
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pytest

from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.contracts.validation import validate_tables
from promo_uplift.sources import canonical_tables, source_files, source_report
from promo_uplift.trials import build_trials, select_trials

BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "dunnhumby_original"
ORIGINAL = Path(os.environ.get("PROMO_UPLIFT_ORIGINAL", BESIDE))
#: The original's campaigns that the package leaves out: they start before or after its year.
LEFT_OUT = (24, 25, 26)

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(
        not ORIGINAL.is_dir(),
        reason="the publisher's files are not here: name their folder in PROMO_UPLIFT_ORIGINAL",
    ),
]


@pytest.fixture(scope="module")
def forms() -> dict[str, CanonicalTables]:
    """Both forms as stored tables of one DuckDB, so that they can be compared."""
    connection = ibis.duckdb.connect()
    stored = {}
    for form, folder in (("package", None), ("original", ORIGINAL)):
        raw = {}
        for name, path in source_files(form=form, folder=folder).items():
            if path is None or name == "promotions":
                raw[name] = None
                continue
            reads = connection.read_parquet if path.suffix == ".parquet" else connection.read_csv
            raw[name] = reads(path)
        tables = canonical_tables(form=form, raw=raw, seed=0)
        stored[form] = CanonicalTables(
            **{name: connection.create_table(f"{form}_{name}", t) for name, t in tables.items()}
        )
    return stored


def rows(table: ir.Table) -> int:
    return int(table.count().to_pyarrow().as_py())


def differing(first: ir.Table, second: ir.Table) -> int:
    """Rows of either table that the other one lacks, counting repeats."""
    return rows(first.difference(second, distinct=False)) + rows(
        second.difference(first, distinct=False)
    )


def of_the_packages_campaigns(table: ir.Table) -> ir.Table:
    return table.filter(~table.campaign_id.isin(LEFT_OUT))


def test_every_transaction_is_the_same(forms: dict[str, CanonicalTables]) -> None:
    package, original = forms["package"].transactions, forms["original"].transactions
    year = original.filter(original.date.year() == 2017)
    assert rows(package) == 1_469_307
    assert differing(package, year) == 0


@pytest.mark.parametrize(
    ("name", "count"),
    [("campaigns", 27), ("campaign_targets", 6_589), ("coupons", 111_332)],
)
def test_campaign_tables_are_the_same(
    forms: dict[str, CanonicalTables], name: str, count: int
) -> None:
    package = getattr(forms["package"], name)
    original = of_the_packages_campaigns(getattr(forms["original"], name))
    assert rows(package) == count
    assert differing(package, original) == 0


def test_redemptions_are_the_same_within_the_packages_year(
    forms: dict[str, CanonicalTables],
) -> None:
    package, original = forms["package"].redemptions, forms["original"].redemptions
    year = of_the_packages_campaigns(original).filter(original.date.year() == 2017)
    assert rows(package) == 2_102
    assert differing(package, year) == 0


def test_every_sold_product_has_the_same_kind_and_category(
    forms: dict[str, CanonicalTables],
) -> None:
    sold = forms["package"].transactions.select("product_id").distinct()
    package, original = (
        forms[form]
        .products.semi_join(sold, "product_id")
        .select("product_id", "category", "line_kind")
        for form in ("package", "original")
    )
    assert rows(package) == rows(sold) > 60_000
    assert differing(package, original) == 0


def test_every_listed_product_has_the_same_labels(forms: dict[str, CanonicalTables]) -> None:
    # Sizes are free text, which the package respells ("1.5 LTR" as "1.5 L"); nothing reads them.
    labels = ["product_id", "manufacturer_id", "department", "brand", "commodity"]
    package = forms["package"].products
    listed = package.filter(package.is_listed)
    original = forms["original"].products.semi_join(listed, "product_id")
    assert rows(listed) == 92_331
    assert differing(listed.select(labels), original.select(labels)) == 0
    # The package blanks the brand No-Nonsense, whose name its script takes for "none".
    hosiery = original.filter(original.sub_commodity == "NO-NONSENSE")
    assert rows(hosiery) == 99
    kept = [*labels, "sub_commodity"]
    assert differing(listed.select(kept), original.select(kept)) == 2 * 99


def test_demographic_codes_are_the_same(forms: dict[str, CanonicalTables]) -> None:
    package = forms["package"].households
    original = forms["original"].households.semi_join(package, "household_id")
    assert rows(package) == 2_469
    assert rows(package.filter(package.has_demographics)) == 801
    assert differing(package, original) == 0


def test_the_comparison_itself_can_fail(forms: dict[str, CanonicalTables]) -> None:
    package, original = forms["package"].households, forms["original"].households
    older = package.mutate(demo_age=package.demo_age + 1)
    shared = original.semi_join(package, "household_id")
    assert differing(older.select(package.columns), shared) == 2 * 801


def test_the_originals_tables_keep_every_contract(forms: dict[str, CanonicalTables]) -> None:
    report = validate_tables(forms["original"])
    tolerated = report[report["rows_failed"] > 0].set_index(["table", "column"])["rows_failed"]
    assert set(tolerated.index) <= {
        ("campaigns", "start_date"),
        ("campaign_targets", "household_id"),
    }


def test_the_publishers_small_files_are_recognised() -> None:
    connection = ibis.duckdb.connect()
    files = source_files(form="original", folder=ORIGINAL)
    raw = {
        name: path
        and (connection.read_parquet if path.suffix == ".parquet" else connection.read_csv)(path)
        for name, path in files.items()
    }
    report = source_report(form="original", raw=raw, files=files).set_index("table")
    small = ["products", "demographics", "campaigns", "campaign_targets", "coupons", "redemptions"]
    assert report.loc[small, "sha256_matches"].all()
    assert report.loc[small, "rows_match"].all()
    assert set(report.loc[small, "note"]) == {"the publisher's file"}


def test_both_forms_give_the_same_trials(forms: dict[str, CanonicalTables]) -> None:
    """Every cell but three: the package lacks the rows of a few sold products.

    Their brand and department are then unknown, which two covariates of three rows show.
    """
    parameters = TrialParameters(
        treatment_definition="campaign_targeted",
        control_definition="not_targeted",
        campaign_types=["TypeA"],
        pre_days=84,
        history_days=126,
        outcome_days=28,
        post_days=28,
        placebo_shift_days=28,
        washout_days=0,
        min_arm_households=20,
    )
    package, original = (
        build_trials(
            tables=tables,
            selection=select_trials(tables=tables, parameters=parameters),
            parameters=parameters,
            margin_rate=0.25,
        )
        .to_pyarrow()
        .to_pandas()
        for tables in (forms["package"], forms["original"])
    )
    assert len(package) == 6_842
    cells = {
        name: int((~((package[name] == original[name]) | package[name].isna())).sum())
        for name in package
        if not package[name].equals(original[name])
    }
    assert cells == {"pre_private_label_share": 2, "pre_n_departments": 1}
