"""Scoring through the runner: a champion and a challenger, tables of every kind, and refusals."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields, replace

import ibis
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from in_memory import COVARIATES, KeptDataset, parameters
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.runner import SequentialRunner

from promo_uplift.contracts.errors import ScoringError, SourceError, TrialError
from promo_uplift.contracts.streams import TableStream
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.datasets import CanonicalDataDataset, TableStreamDataset
from promo_uplift.pipelines import scoring
from promo_uplift.policy import LoadedModel, RegisteredVersion, support_ranges
from tests.unit.tiny_retail import T0, tiny_tables

DUCKDB = {"backend": "duckdb"}
MADE_WITH = {"python": "3.11", "lightgbm": "4.7.0"}
WITHHELD = "The verdict is experiment_needed: no champion without publish."


def version(model, number, *, passed, gate, running=MADE_WITH, filled=()):
    return RegisteredVersion(
        "promo_uplift",
        number,
        f"run{number}",
        passed,
        gate,
        MADE_WITH,
        running,
        lambda: LoadedModel(model, filled),
    )


@pytest.fixture(scope="module")
def versions(strong, nothing):
    """The published model of the strong world stands; the newest, of the other, did not pass."""
    return {
        "champion": version(strong.made["scoring_model"], "1", passed=True, gate="It passed."),
        "challenger": version(nothing.made["scoring_model"], "2", passed=False, gate=WITHHELD),
    }


@pytest.fixture(scope="module")
def households(strong):
    """Households to come, some beyond what the trials held."""
    table = strong.inputs["trials"].head(1_500).reset_index(drop=True)
    table = table.assign(household_id=np.arange(5_000, 6_500), favourite="tea")
    table.loc[table.index % 50 == 0, "pre_spend_usd"] = 1e6
    return table.drop(columns=["treatment", "redeemed", "spend_usd", "campaign_id"])


@pytest.fixture(scope="module")
def canonical(tmp_path_factory):
    """Folder of the tiny retailer's canonical tables."""
    folder = tmp_path_factory.mktemp("canonical")
    tables = tiny_tables()
    for one in fields(CanonicalTables):
        table = getattr(tables, one.name)
        if table is not None:
            table.to_parquet(folder / f"{one.name}.parquet")
    (folder / "data_version.txt").write_text("package-newer\n")
    return folder


@pytest.fixture
def score(versions, canonical, tmp_path):
    """Run the pipeline; return what it leaves, the scores as a frame."""

    def run(versions=versions, canonical=canonical, trials=None, **changed):
        given = parameters()
        chosen = given["params:scoring"].model_copy(update=changed)
        inputs = {name: given[name] for name in given if name.startswith("params:")}
        inputs["params:scoring"] = chosen
        if trials is not None:
            inputs["params:trials"] = given["params:trials"].model_copy(update=trials)
        pipeline = scoring.create_pipeline()
        stream = TableStreamDataset(
            filepath=str(tmp_path / "output" / "scores.parquet"), connection=DUCKDB
        )
        catalog = DataCatalog(
            {
                "registered_versions": MemoryDataset(versions, copy_mode="assign"),
                "canonical_data": CanonicalDataDataset(folder=str(canonical), connection=DUCKDB),
                "scores": stream,
                **{
                    name: MemoryDataset(value)
                    for name, value in inputs.items()
                    if name in pipeline.inputs()
                },
                **{name: KeptDataset() for name in pipeline.all_outputs() - {"scores"}},
            }
        )
        SequentialRunner().run(pipeline, catalog)
        names = pipeline.all_outputs() - {"scores"}
        scores = pd.read_parquet(tmp_path / "output" / "scores.parquet")
        return {"scores": scores} | {name: catalog.load(name) for name in names}

    return run


def refusal(call, **given):
    """What the project itself says; nothing is left of the output."""
    with pytest.raises((DatasetError, ScoringError, SourceError, TrialError)) as raised:
        call(**given)
    error = raised.value
    while isinstance(error, DatasetError):
        error = error.__cause__
    return str(error)


def written(households, tmp_path, kind):
    path = tmp_path / f"households.{kind}"
    if kind == "parquet":
        households.to_parquet(path)
    else:
        households.to_csv(path, index=False)
    return str(path)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_chunks_give_what_the_model_gives_of_the_whole_table(
    strong, score, households, tmp_path, kind
):
    made = score(table=written(households, tmp_path, kind))
    expected = strong.made["scoring_model"].score(households)
    found = made["scores"]
    assert found["household_id"].tolist() == households["household_id"].tolist()
    pd.testing.assert_frame_equal(found[list(expected.columns)], expected, check_exact=True)
    assert found["recommend"].sum() > 500
    assert found["n_missing"].tolist() == households["demo_age"].isna().astype(int).tolist()
    assert set(found["model_alias"]) == {"champion"}
    assert set(found["model_version"]) == {"1"}
    # three chunks of at most 700 rows
    file = pq.ParquetFile(tmp_path / "output" / "scores.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(3)] == [700, 700, 100]


def test_the_report_counts_what_was_written(score, households, tmp_path):
    made = score(table=written(households, tmp_path, "parquet"))
    scores, report = made["scores"], made["scoring_report"]
    assert report["counts"] == {
        "rows": 1_500,
        "with_an_effect": int(scores["cate_usd"].notna().sum()),
        "in_support": int(scores["in_support"].sum()),
        "with_missing_covariates": int((scores["n_missing"] > 0).sum()),
        "missing_values": int(scores["n_missing"].sum()),
        "recommended": int(scores["recommend"].sum()),
        "repeated_identifiers": 0,
        "without_identifier": 0,
    }
    assert report["warnings"] == []
    assert report["reasons"] == scores["reason"].value_counts().to_dict()
    outside = scores.loc[~scores["in_support"], "support_reason"].value_counts().to_dict()
    assert report["outside_support"] == outside
    assert outside["covariate_outside_training_range:pre_spend_usd"] == 30
    assert (report["alias"], report["version"], report["verdict"]) == ("champion", "1", "publish")
    assert report["money"]["contact_cost_usd"] == 2.0
    assert report["contract"]["trials.pre_days"] == 84
    assert report["contract"]["covariates"] == COVARIATES
    table = made["scoring_report_table"].set_index("figure")["value"]
    assert table["counts.rows"] == "1500"
    assert made["scoring_text"].splitlines()[1] == (
        "Scored with the champion of promo_uplift, version 1. The gate: It passed."
    )


def test_the_report_says_who_decided_and_what_contacting_the_recommended_costs(
    strong, score, versions, households, tmp_path
):
    """2 USD a contact, 1 USD a redemption: the cost is of the model's own chance to redeem."""
    model = strong.made["scoring_model"]
    by_visits = replace(
        model,
        policy="policy_tree",
        rule=strong.made["policy_suite"].fitted["policy_tree"],
    )
    decided = {"champion": version(by_visits, "1", passed=True, gate="It passed.")}
    made = score(versions=decided, table=written(households, tmp_path, "parquet"))
    chosen = households[made["scores"]["recommend"].to_numpy()]
    assert (chosen["pre_visits"] > 10.5).all()
    redeems = model.redemption_model.predict_redemption(covariates=chosen[COVARIATES].astype(float))
    cost = made["scoring_report"]["recommended_cost_usd"]
    assert cost == pytest.approx((2.0 + redeems).sum())
    text = made["scoring_text"]
    assert f"Recommended: {len(chosen):,}, at an expected cost of {cost:,.0f} USD." in text
    assert "Policy `policy_tree`: Contact if " in text
    table = made["scoring_report_table"].set_index("figure")["value"]
    assert table["decides"] == "policy_tree"


def test_the_challenger_must_be_asked_for_and_is_said_aloud(score, households, tmp_path, caplog):
    made = score(table=written(households, tmp_path, "parquet"), alias="challenger")
    said = f"version 2, which did not pass the gate: {WITHHELD}"
    assert said in made["scoring_text"]
    assert said in caplog.text
    assert set(made["scores"]["model_alias"]) == {"challenger"}
    assert not made["scores"]["recommend"].any()
    assert set(made["scores"]["reason"]) == {"verdict_withholds"}
    assert "nobody is recommended without publish" in made["scoring_text"]


def test_without_a_champion_nothing_is_scored(score, versions, households, tmp_path):
    said = refusal(
        score,
        versions={"challenger": versions["challenger"]},
        table=written(households, tmp_path, "parquet"),
    )
    assert WITHHELD in said
    assert "--params scoring.alias=challenger" in said


def test_a_model_of_other_packages_says_so(score, strong, households, tmp_path, caplog):
    other = version(
        strong.made["scoring_model"],
        "1",
        passed=True,
        gate="It passed.",
        running=MADE_WITH | {"lightgbm": "4.6.0"},
    )
    made = score(versions={"champion": other}, table=written(households, tmp_path, "csv"))
    (warning,) = made["scoring_report"]["warnings"]
    assert "`lightgbm` 4.7.0 (now 4.6.0)" in warning
    assert warning in caplog.text
    assert f"WARNING {warning}" in made["scoring_text"]


def test_a_model_from_before_there_were_contracts_still_scores_and_says_so(
    score, strong, households, tmp_path
):
    old = replace(strong.made["scoring_model"], contract=None)
    filled = ("ScoringModel.contract",)
    versions = {"champion": version(old, "1", passed=True, gate="It passed.", filled=filled)}
    made = score(versions=versions, table=written(households, tmp_path, "csv"))
    older, no_contract = made["scoring_report"]["warnings"]
    assert "older version of this package. It has no `ScoringModel.contract`" in older
    assert "keeps no data contract" in no_contract
    assert f"WARNING {older}" in made["scoring_text"]
    assert made["scoring_report"]["contract"] is None
    assert "keeps its data contract" in refusal(score, versions=versions, as_of=T0)


def test_other_settings_are_said_of_a_table_and_refused_of_a_cut(score, households, tmp_path):
    table = written(households, tmp_path, "csv")
    made = score(table=table, trials={"pre_days": 56})
    assert "`trials.pre_days` 84 (now 56)" in made["scoring_report"]["warnings"][0]
    said = refusal(score, as_of=T0, trials={"pre_days": 56})
    assert "`trials.pre_days` 84 (now 56)" in said


@pytest.fixture(scope="module")
def wide(strong):
    """The same models, as if the tiny retailer's households were like those of the trials."""
    covariates = strong.made["scoring_model"].covariates
    table = pd.DataFrame({name: [-1e9, 1e9, np.nan] for name in covariates})
    ranges = support_ranges(covariates=table, quantile=0.0, overlap_low=1e-9, overlap_high=1 - 1e-9)
    model = replace(strong.made["scoring_model"], ranges=ranges)
    return {"champion": version(model, "1", passed=True, gate="It passed.")}


def test_a_cut_as_of_a_date_is_scored_with_the_trials_covariates(score, wide):
    made = score(versions=wide, as_of=T0)
    scores = made["scores"]
    assert scores["household_id"].tolist() == [1, 2, 5, 7]
    # by hand: spend of household 1 in [9 March, 1 June) is 24.00, on 3 days of visit
    row = pd.DataFrame({"pre_spend_usd": [24.0], "pre_visits": [3.0], "demo_age": [3.0]})
    expected = wide["champion"].load().model.score(row)["cate_usd"].iloc[0]
    assert scores["cate_usd"].iloc[0] == expected
    given = made["scoring_report"]["input"]
    assert given["covariate_window"] == ["2017-03-09", "2017-06-01"]
    assert given["data_version"] == "package-newer"
    assert "`data_version` package-0123456789ab (now package-newer)" in made["scoring_text"]


def test_a_cut_that_the_data_do_not_cover_is_refused(score, wide):
    said = refusal(score, versions=wide, as_of=dt.date(2017, 2, 1))
    assert said.startswith("`scoring.as_of` 2017-02-01 must have its windows inside the data")
    assert "history window [2016-09-28, 2017-02-01) starts before the data does" in said


def test_a_cut_without_canonical_tables_says_how_they_are_made(score, wide, tmp_path):
    said = refusal(score, versions=wide, as_of=T0, canonical=tmp_path / "nowhere")
    assert "missing: transactions.parquet" in said
    assert "kedro run --pipelines data_engineering" in said


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t: t.rename(columns={"pre_visits": "pre_visit"}), "is it `pre_visit`?"),
        (lambda t: t.drop(columns=["pre_visits", "demo_age"]), "missing 2 of 3"),
        (lambda t: t.assign(pre_visits="many"), "not so: `pre_visits` (str)"),
        (lambda t: t.assign(pre_visits=pd.Timestamp("2017-01-01")), "not so: `pre_visits` (date"),
    ],
)
def test_a_table_of_other_columns_is_refused_with_their_names(
    score, households, tmp_path, spoil, said
):
    assert said in refusal(score, table=written(spoil(households), tmp_path, "parquet"))
    assert not (tmp_path / "output").exists() or not list((tmp_path / "output").iterdir())


def test_a_later_chunk_of_another_kind_is_refused_and_nothing_is_left(score, households, tmp_path):
    long = pd.concat([households] * 20, ignore_index=True).astype({"pre_visits": object})
    long.loc[len(long) - 1, "pre_visits"] = "many"
    said = refusal(score, table=written(long, tmp_path, "csv"))
    assert "`pre_visits` of `households.csv` must hold numbers; " in said
    assert "'many'. Correct such values, or leave them empty." in said
    assert not list((tmp_path / "output").iterdir())


def test_a_column_that_occurs_twice_is_refused(score, households, tmp_path):
    path = tmp_path / "a.csv"
    twice = pd.concat([households, households[["pre_visits"]]], axis=1)
    twice.to_csv(path, index=False)
    assert "more than once: ['pre_visits']" in refusal(score, table=str(path))


@pytest.mark.parametrize("id_column", [None, "customer"])
def test_a_row_is_named_by_the_chosen_column_or_by_its_position(
    score, households, tmp_path, id_column
):
    table = households.drop(columns="household_id").assign(
        customer=[f"c{i}" for i in range(len(households))]
    )
    made = score(table=written(table, tmp_path, "csv"), id_column=id_column)
    names = made["scores"].iloc[:, 0]
    assert names.name == (id_column or "row")
    assert names.tolist() == (table["customer"].tolist() if id_column else list(range(len(table))))
    said = refusal(score, table=written(table, tmp_path, "csv"), id_column="custmer")
    assert "Is it `customer`?" in said


def test_nobody_to_score_is_asked_for(score):
    assert "scoring.as_of=<year-month-day>" in refusal(score)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_without_rows_gives_scores_without_rows(score, households, tmp_path, kind):
    made = score(table=written(households.iloc[:0], tmp_path, kind))
    assert len(made["scores"]) == 0
    assert made["scoring_report"]["counts"]["rows"] == 0
    assert "WARNING There is no row to score" in made["scoring_text"]


def test_rows_that_no_identifier_tells_apart_are_scored_and_counted(score, households, tmp_path):
    table = households.head(6).astype({"household_id": "Int64"})
    table["household_id"] = pd.array([1, 1, 1, 2, None, None], dtype="Int64")
    made = score(table=written(table, tmp_path, "csv"))
    counts = made["scoring_report"]["counts"]
    assert (counts["rows"], counts["repeated_identifiers"], counts["without_identifier"]) == (
        6,
        2,
        2,
    )
    (warning,) = made["scoring_report"]["warnings"]
    assert warning.startswith("`household_id` must name each row")
    assert "2 rows repeat the value of another, 2 have none" in warning


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_identifier_that_is_empty_throughout_is_said(score, households, tmp_path, kind):
    table = households.head(5).assign(household_id=None)
    made = score(table=written(table, tmp_path, kind))
    assert made["scores"]["household_id"].isna().all()
    assert made["scoring_report"]["counts"]["without_identifier"] == 5


def test_the_text_names_the_commonest_columns_outside_the_training_range(
    score, households, tmp_path
):
    made = score(table=written(households, tmp_path, "csv"))
    assert "(covariate_outside_training_range 30 of `pre_spend_usd`)." in made["scoring_text"]


def test_the_file_appears_only_when_it_is_whole(tmp_path):
    dataset = TableStreamDataset(filepath=str(tmp_path / "a.parquet"), connection=DUCKDB)
    table = ibis.memtable({"x": [1, 2]}).to_pyarrow()

    def breaks():
        yield table
        raise ScoringError("half-way")

    with pytest.raises(DatasetError, match="half-way"):
        dataset.save(TableStream(table.schema, breaks))
    assert list(tmp_path.iterdir()) == []
    dataset.save(TableStream(table.schema, lambda: iter([table, table])))
    assert dataset.load().count().to_pyarrow().as_py() == 4
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]
