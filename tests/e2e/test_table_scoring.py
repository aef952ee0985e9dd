"""`kedro run --env table --pipelines scoring`: a user's own table, scored as it was trained."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from command_line import Finished, WarmKedro, new_project

pytestmark = pytest.mark.e2e

SCORES = "data/table/07_model_output/scores.parquet"
REPORTS = "data/table/08_reporting"
SMALL = (
    "nuisance.n_folds=3",
    "nuisance.n_trials=0",
    "tuning.n_trials=0",
    "estimation.n_workers=1",
    "estimation.candidates=[t_learner]",
    "metrics.bootstrap_replicates=50",
    "policies.error_replicates=2",
)


def customers(*, n: int, seed: int) -> pd.DataFrame:
    """Members respond by 6; a category, a yes/no column, and values that are missing."""
    rng = np.random.default_rng(seed)
    town = rng.choice(["north", "south", "west"], n).astype(object)
    town[rng.random(n) < 0.1] = None
    member = rng.integers(0, 2, n).astype(bool)
    mailed = rng.integers(0, 2, n)
    return pd.DataFrame(
        {
            "customer": [f"c{number}" for number in rng.permutation(10 * n)[:n]],
            "town": town,
            "age": np.where(rng.random(n) < 0.1, np.nan, rng.normal(40.0, 9.0, n).round(1)),
            "member": member,
            "mailed": mailed,
            "spend": (10.0 + 6.0 * mailed * member + rng.normal(0.0, 1.0, n)).round(3),
        }
    )


def to_come() -> pd.DataFrame:
    return customers(n=200, seed=2).drop(columns=["mailed", "spend"])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = new_project(tmp_path_factory.mktemp("table_scoring") / "project")
    customers(n=500, seed=1).to_csv(folder / "table.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def warm(project: Path) -> Iterator[WarmKedro]:
    with WarmKedro(project) as kedro:
        yield kedro


@pytest.fixture(scope="module")
def trained(warm: WarmKedro, project: Path) -> Finished:
    """The one run that trains: the smallest there is."""
    asked = (
        "table.path=table.csv",
        "table.treatment=mailed",
        "table.outcome=spend",
        "table.propensity=0.5",
        *SMALL,
    )
    words = ("run", "--env", "table", "--pipelines", "uplift", "--params", ",".join(asked))
    done = warm.run(project, *words)
    assert done.code == 0, done.err
    return done


Score = Callable[..., Finished]


@pytest.fixture(scope="module")
def score(warm: WarmKedro, project: Path, trained: Finished) -> Score:
    """Score a file as a user does; the champion is not asked for, since no run may have one."""

    def run(path: str, *params: str) -> Finished:
        asked = ("scoring.alias=challenger", f"scoring.table={path}", *params)
        words = ("run", "--env", "table", "--pipelines", "scoring", "--params", ",".join(asked))
        return warm.run(project, *words)

    return run


def scores_in(project: Path) -> pd.DataFrame:
    return pd.read_parquet(project / SCORES)


def test_the_table_it_was_trained_on_is_scored_and_the_identifier_kept(
    score: Score, project: Path
) -> None:
    done = score("table.csv", "scoring.id_column=customer")
    assert done.code == 0, done.err
    assert done.out.startswith("SCORES of 500 rows\n")
    scores, table = scores_in(project), pd.read_csv(project / "table.csv")
    assert scores["customer"].tolist() == table["customer"].tolist()
    assert scores["in_support"].mean() > 0.9
    # nobody stated a cost, and nobody said that the outcome is money
    assert not [name for name in scores.columns if "usd" in name or "profit" in name]
    inside = scores[scores["in_support"]]
    member = table.loc[inside.index, "member"]
    assert inside.loc[member, "cate"].mean() == pytest.approx(6.0, abs=1.5)
    assert inside.loc[~member, "cate"].mean() == pytest.approx(0.0, abs=1.5)
    report = json.loads((project / REPORTS / "scoring_report.json").read_text())
    assert report["contract"]["columns"] == ["town", "age", "member"]
    assert report["contract"]["comparison"] == "1 against 0"
    assert report["money"] == {}
    assert report["warnings"] == []


def test_csv_parquet_and_plain_mlflow_give_a_fresh_table_the_same_scores(
    score: Score, project: Path
) -> None:
    fresh = to_come().assign(favourite="tea")
    found = []
    for kind in ("csv", "parquet"):
        path = project / f"fresh.{kind}"
        fresh.to_csv(path, index=False) if kind == "csv" else fresh.to_parquet(path)
        done = score(path.name, "scoring.id_column=customer", "scoring.chunk_rows=70")
        assert done.code == 0, done.err
        found.append(scores_in(project))
    pd.testing.assert_frame_equal(*found, check_exact=True)
    mlflow.set_tracking_uri(f"sqlite:///{project}/mlflow.db")
    try:
        model = mlflow.pyfunc.load_model("models:/promo_uplift_table@challenger")
        asked = fresh[model.metadata.get_input_schema().input_names()]
        plain = model.predict(asked.astype({"member": float}))
    finally:
        mlflow.set_tracking_uri(None)
    np.testing.assert_array_equal(found[0]["cate"], plain["cate_usd"])
    assert found[0]["support_reason"].tolist() == plain["support_reason"].tolist()
    assert found[0]["n_missing"].tolist() == to_come().isna().sum(axis=1).tolist()


def test_what_training_never_saw_is_marked_counted_and_said(score: Score, project: Path) -> None:
    fresh = to_come()
    fresh.loc[:4, "town"] = "east"
    fresh["customer"] = fresh["customer"].iloc[np.arange(len(fresh)) // 2].to_numpy()
    fresh.to_csv(project / "unseen.csv", index=False)
    done = score("unseen.csv", "scoring.id_column=customer")
    assert done.code == 0, done.err
    scores = scores_in(project)
    assert set(scores["support_reason"].head(5)) == {"category_not_seen_in_training:town"}
    assert scores["cate"].head(5).isna().all()
    assert "WARNING `town` must hold categories that training saw, '(missing)', 'north'" in done.out
    assert "5 rows hold another and have no figures" in done.out
    assert "WARNING `customer` must name each row" in done.out
    assert "100 rows repeat the value of another, 0 have none" in done.out


def test_a_table_without_rows_is_said(score: Score, project: Path) -> None:
    to_come().head(0).to_csv(project / "empty.csv", index=False)
    done = score("empty.csv", "scoring.id_column=customer")
    assert done.code == 0, done.err
    assert "SCORES of 0 rows" in done.out
    assert len(scores_in(project)) == 0


@pytest.fixture(scope="module")
def good(score: Score, project: Path) -> bytes:
    """Scores that stand before a table is refused."""
    to_come().to_parquet(project / "good.parquet")
    done = score("good.parquet")
    assert done.code == 0, done.err
    return (project / SCORES).read_bytes()


BAD = {
    "missing": (
        lambda t: t.drop(columns=["town", "age"]),
        ("missing 2 of 3: `town`, `age`. Add each by this name",),
    ),
    "renamed": (lambda t: t.rename(columns={"member": "membr"}), ("`member` (is it `membr`?)",)),
    "text": (
        lambda t: t.assign(age="forty", member="yes"),
        ("`age` must hold numbers", "'forty'", "`member` must hold numbers", "'yes'"),
    ),
    "date": (lambda t: t.assign(age=pd.Timestamp("2017-01-01")), ("`age` must hold numbers",)),
}


@pytest.mark.parametrize("name", BAD)
def test_a_table_that_does_not_fit_is_one_message_and_leaves_the_scores_as_they_were(
    score: Score, project: Path, good: bytes, name: str
) -> None:
    spoil, says = BAD[name]
    spoil(to_come()).to_parquet(project / "bad.parquet")
    done = score("bad.parquet")
    assert done.code == 1
    assert done.err.count("Error: ScoringError: ") == 1
    assert "Traceback" not in done.err
    for part in says:
        assert part in done.err, done.err
    assert (project / SCORES).read_bytes() == good


def test_a_date_means_nothing_to_a_model_of_a_table(
    warm: WarmKedro, project: Path, trained: Finished
) -> None:
    asked = "scoring.alias=challenger,scoring.as_of=2017-11-01"
    words = ("run", "--env", "table", "--pipelines", "scoring", "--params", asked)
    done = warm.run(project, *words)
    assert done.code == 1
    assert "made for a table with the columns ['town', 'age', 'member']" in done.err
    assert "Traceback" not in done.err


def test_an_environment_without_a_model_names_the_store_that_holds_none(
    warm: WarmKedro, project: Path, trained: Finished
) -> None:
    words = ("run", "--pipelines", "scoring", "--params", "scoring.table=table.csv")
    done = warm.run(project, *words)
    assert done.code == 1
    assert "A model `promo_uplift` must be registered before it can score" in done.err
    assert f"`sqlite:///{project}/mlflow.db` holds none" in done.err
    assert "Traceback" not in done.err
