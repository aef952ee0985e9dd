"""The simulation on a catalog in memory, and the dataset that holds its tables."""

from __future__ import annotations

import sys
from pathlib import Path

import ibis
import pandas as pd
import pytest
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.runner import SequentialRunner

sys.path.append(str(Path(__file__).parents[1] / "unit"))

from simulation_worlds import parameters, profile

from promo_uplift.contracts.errors import SourceError
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.datasets.simulated_table import SimulatedTableDataset
from promo_uplift.pipelines.simulation import create_pipeline
from promo_uplift.simulation import (
    ProfileParameters,
    StoreStudyParameters,
    TableStream,
    raw_streams,
    simulate_world,
)
from promo_uplift.sources.registry import source_form

ENGINE = {"backend": "duckdb", "database": ":memory:"}
SEED = 5
STUDY = StoreStudyParameters(
    n_stores=6,
    customers_per_store=5,
    visits_per_store_day=2,
    start_date="2020-01-01",
    days_before=10,
    days_after=10,
    treated_share=0.5,
    selection_on_size=0.0,
    n_waves=1,
    days_between_waves=1,
    visit_usd=50.0,
    visit_cv=0.5,
    store_sd_usd=1.0,
    income_slope_usd=1.0,
    day_sd_usd=1.0,
    effect_usd=5.0,
    effect_per_size_sd_usd=0.0,
    effect_urban_usd=0.0,
    effect_per_income_sd_usd=0.0,
    ramp_days=0,
    anticipation_usd=0.0,
    anticipation_days=0,
    spillover_usd=0.0,
    trend_gap_usd=0.0,
)


class Kept(MemoryDataset):
    """Stays after its last reader."""

    def _release(self):
        pass


def table(name, folder):
    stem = source_form("package").stems[name]
    return SimulatedTableDataset(stem=stem, folder=str(folder), connection=ENGINE)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The pipeline on a template world in place of the real tables; its catalog and its folder."""
    real = simulate_world(
        profile=profile(),
        parameters=parameters(
            n_households=300, campaigns={"calendar": "staggered", "mailed_share": None}
        ),
        seed=1,
    )
    folder = tmp_path_factory.mktemp("simulation")
    pipeline = create_pipeline()
    simulated = pipeline.all_outputs()
    names = sorted({n.removeprefix("simulated_") for n in simulated if n.startswith("simulated_")})
    datasets = {f"simulated_{n}": table(n, folder / "simulated") for n in names}
    for name, stream in raw_streams(world=real.world).items():
        template = table(name, folder / "template")
        template.save(stream)
        datasets[f"template_{name}"] = template
    values = {
        "params:simulation_profile": ProfileParameters(
            grid_points=21, min_cell_share=0.01, history_days=84, repeat_days=126
        ),
        "params:simulation": parameters(n_households=200),
        "params:policy": PolicyParameters(
            margin_rate=0.25,
            contact_cost_usd=1.0,
            redemption_cost_usd=1.0,
            values_are_assumptions=True,
            grid_points=11,
            support_quantile=0.0,
        ),
        "params:store_study": STUDY,
        "params:seed": SEED,
    }
    for name, value in values.items():
        datasets[name] = MemoryDataset(value)
    for name in pipeline.all_outputs() - set(datasets):
        datasets[name] = Kept()
    catalog = DataCatalog(datasets)
    SequentialRunner().run(pipeline, catalog)
    return catalog, folder


def test_raw_tables_and_truth_belong_together(made):
    catalog, folder = made
    files = sorted(path.name for path in (folder / "simulated").iterdir())
    assert files == sorted(f"{stem}.parquet" for stem in source_form("package").stems.values())
    truth = catalog.load("truth_effects")
    targets = catalog.load("simulated_campaign_targets").to_pandas()
    mailed = truth[truth["treatment"] == 1]
    assert set(mailed["household_id"]) == set(targets["household_id"])
    assert len(truth) == 200


def test_the_profile_is_kept_as_plain_values(made):
    catalog, _ = made
    assert catalog.load("world_profile")["n_households"] == pytest.approx(300, abs=5)


def test_policies_and_fit_are_tables(made):
    catalog, _ = made
    policies = catalog.load("truth_policies").set_index("policy")
    assert (
        policies.loc["oracle", "profit_usd_per_household"]
        >= policies.loc["all", "profit_usd_per_household"]
    )
    fit = catalog.load("simulation_fit").set_index("figure")
    assert fit.loc["basket_usd", "ks"] < 0.2
    assert len(catalog.load("simulation_fit_figure").axes) == 9


def test_the_store_study_is_written_with_its_truth(made):
    catalog, _ = made
    sales = pd.concat([catalog.load("sales_before"), catalog.load("sales_after")])
    assert len(sales) == len(catalog.load("truth_store_visits")) == 6 * 2 * 20
    assert len(catalog.load("store_characteristics")) == 6
    assert len(catalog.load("customer_demographics")) == 30
    effects = catalog.load("truth_store_effects")
    assert effects.loc[effects["group"] == "all", "effect_usd"].item() == pytest.approx(5.0)


def test_the_pipeline_is_repeatable(made, tmp_path):
    catalog, _ = made
    again = simulate_world(
        profile=_refit(catalog), parameters=parameters(n_households=200), seed=SEED
    )
    pd.testing.assert_frame_equal(again.truth, catalog.load("truth_effects"))


def _refit(catalog):
    from promo_uplift.simulation import WorldProfile  # noqa: PLC0415

    return WorldProfile.model_validate(catalog.load("world_profile"))


def test_a_table_that_was_not_simulated_says_how_to_do_it(tmp_path):
    dataset = table("coupons", tmp_path)
    assert not dataset.exists()
    with pytest.raises(
        DatasetError, match="kedro run --env simulated --pipelines simulation"
    ) as refused:
        dataset.load()
    assert isinstance(refused.value.__cause__, SourceError)


def test_a_simulated_table_comes_back_and_holds_only_complete_files(tmp_path):
    dataset = table("coupons", tmp_path)
    rows = ibis.memtable(pd.DataFrame({"coupon_upc": [1, 2]})).to_pyarrow()

    def breaks():
        yield rows
        raise RuntimeError("disk full")

    with pytest.raises(DatasetError, match="disk full"):
        dataset.save(TableStream(rows.schema, breaks))
    assert not dataset.exists()
    dataset.save(TableStream(rows.schema, lambda: iter([rows, rows])))
    assert dataset.load().count().to_pyarrow().as_py() == 4


def test_anything_else_than_a_stream_is_refused(tmp_path):
    dataset = table("coupons", tmp_path)
    with pytest.raises(DatasetError, match="must be saved as a TableStream"):
        dataset.save(pd.DataFrame())
