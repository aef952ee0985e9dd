"""`kedro run --env table`: the same figures as `promo_uplift.analyse`, and one message each no."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from command_line import Finished, WarmKedro, files_of, kedro, new_project
from mlflow.tracking import MlflowClient

import promo_uplift
from promo_uplift.door import TableResult

pytestmark = pytest.mark.e2e

SEED = 7
N = 600
#: Sizes; both doors get the same.
SMALL = {
    "nuisance": {"n_folds": 3, "n_trials": 0},
    "tuning": {"n_trials": 0},
    "estimation": {"n_workers": 1, "interval_replicates": 2},
    "metrics": {"bootstrap_replicates": 50},
    "wording": {"unit": "visits"},
}
NODE_DONE = re.compile(r"\d\d:\d\d:\d\d INFO +\w+ +\d+\.\d s")


def an_experiment() -> pd.DataFrame:
    """Drawn with a chance of one half; half of the rows respond by 4."""
    rng = np.random.default_rng(3)
    town = rng.choice(["north", "south"], N)
    age = np.where(rng.random(N) < 0.1, np.nan, rng.normal(40.0, 9.0, N))
    mailed = rng.integers(0, 2, N)
    return pd.DataFrame(
        {
            "id": rng.permutation(N),
            "town": town,
            "age": age,
            "arm": np.where(mailed == 1, "letter", "none"),
            "chance": 0.5,
            "visits": 10.0 + 4.0 * mailed * (town == "south") + rng.normal(0.0, 2.0, N),
        }
    )


def asked(folder: Path, **table: str) -> tuple[str, ...]:
    """Words of a run on `table.csv` with small sizes."""
    roles = {
        "path": str(folder / "table.csv"),
        "treatment": "arm",
        "outcome": "visits",
        "control": "none",
        **table,
    }
    params = [f"table.{name}={value}" for name, value in roles.items()]
    params += [
        f"{part}.{name}={value}" for part, one in SMALL.items() for name, value in one.items()
    ]
    words = ",".join([*params, f"seed={SEED}"])
    return ("run", "--env", "table", "--pipelines", "uplift", "--params", words)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = new_project(tmp_path_factory.mktemp("table") / "project")
    an_experiment().to_csv(folder / "table.csv", index=False)
    return kedro(folder, *asked(folder, propensity="chance"))


@pytest.fixture(scope="module")
def called(run: Finished) -> TableResult:
    """The same table through the library's call."""
    result = promo_uplift.analyse(
        pd.read_csv(run.folder / "table.csv"),
        treatment="arm",
        outcome="visits",
        control="none",
        propensity="chance",
        parameters=SMALL,
        seed=SEED,
    )
    assert isinstance(result, TableResult)
    return result


def through_a_file(table: pd.DataFrame) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(table.to_csv(index=False)))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("leaderboard", "leaderboard"),
        ("effects", "effects"),
        ("checks", "checks"),
        ("policy_value", "policy_value"),
        ("policy_curve", "policy_curve"),
        ("table_report", "columns"),
        ("blp", "blp"),
        ("gates", "gates"),
        ("clan", "clan"),
        ("cate_drivers", "cate_drivers"),
        ("cate_rules", "cate_rules"),
    ],
)
def test_both_doors_give_the_same_table(
    run: Finished, called: TableResult, file: str, name: str
) -> None:
    assert run.code == 0, run.err
    written = pd.read_csv(run.folder / f"data/table/08_reporting/{file}.csv")
    if file == "effects":
        written = written[written["campaign"] == "pooled"].reset_index(drop=True)
    ours = through_a_file(getattr(called, name))
    assert set(ours) <= set(written)
    ours = ours.filter(regex="^(?!seconds)")
    pd.testing.assert_frame_equal(written[list(ours)], ours, check_exact=True)


def test_both_doors_give_the_same_scores(run: Finished, called: TableResult) -> None:
    written = pd.read_parquet(run.folder / "data/table/07_model_output/cate_scores.parquet")
    ours = called.scores
    assert len(ours) == N
    pd.testing.assert_frame_equal(
        written[list(ours)].reset_index(drop=True), ours.reset_index(drop=True), check_exact=True
    )


def test_both_doors_say_the_same(run: Finished, called: TableResult) -> None:
    written = (run.folder / "data/table/08_reporting/verdict.txt").read_text()
    assert str(called) == f"letter against none\n{written.strip()}"
    assert written.strip() in run.out


def test_both_doors_make_a_model_of_the_same_contract(run: Finished, called: TableResult) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{run.folder}/mlflow.db")
    try:
        made = mlflow.models.get_model_info("models:/promo_uplift_table@challenger").metadata
    finally:
        mlflow.set_tracking_uri(None)
    ours = called.model.contract
    assert ours is not None
    assert made["data_contract"] == json.loads(json.dumps(asdict(ours)))


def test_the_identifier_is_left_out_and_said(run: Finished) -> None:
    report = pd.read_csv(run.folder / "data/table/08_reporting/table_report.csv")
    line = report.set_index("column").loc["id"]
    assert not line["used"]
    assert "an identifier" in line["reason"]
    assert set(report["arm"]) == {"letter"}
    assert set(report["control"]) == {"none"}


def test_no_file_of_the_run_speaks_of_money(run: Finished) -> None:
    for name in ("effects", "policy_value", "policy_curve", "targeting_list", "leaderboard"):
        (path,) = (run.folder / "data/table").rglob(f"{name}.csv")
        words = " ".join(pd.read_csv(path).columns)
        assert not re.search("usd|profit|cost|roi|margin", words), words


def test_the_list_says_which_row_of_the_table_it_means(run: Finished) -> None:
    listed = pd.read_csv(run.folder / "data/table/08_reporting/targeting_list.csv")
    assert sorted(listed["row"]) == list(range(N))


def test_results_of_tables_stay_apart_from_the_retailers(run: Finished) -> None:
    kept = [path for path in (run.folder / "data").rglob("*") if path.is_file()]
    assert len(kept) > 20
    assert {path.relative_to(run.folder / "data").parts[0] for path in kept} == {"table"}
    client = MlflowClient(tracking_uri=f"sqlite:///{run.folder}/mlflow.db")
    assert [model.name for model in client.search_registered_models()] == ["promo_uplift_table"]


def test_the_run_is_tracked_with_what_it_compared(run: Finished, called: TableResult) -> None:
    client = MlflowClient(tracking_uri=f"sqlite:///{run.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("promo_uplift")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], max_results=1_000)
    (found,) = [one for one in runs if "mlflow.parentRunId" not in one.data.tags]
    assert found.info.status == "FINISHED"
    assert found.data.tags["treatment_definition"] == "letter against none"
    assert found.data.tags["kedro_env"] == "table"
    assert found.data.tags["money"] == "not stated"
    assert found.data.tags["data_version"].startswith("table-")
    assert found.data.tags["champion"] == called.champion
    assert not [name for name in found.data.metrics if "profit" in name or "usd" in name]


# -- refusals ---------------------------------------------------------------------------------

BAD = {
    "no file named": ({"path": "null"}, ("SourceError: `table.path` must name", "not set")),
    "missing file": ({"path": "nowhere.csv"}, ("SourceError: `table.path` must be a file",)),
    "another kind of file": (
        {"path": "pyproject.toml"},
        ("SourceError: `table.path` must end in .csv",),
    ),
    "wrong treatment": ({"treatment": "amr"}, ("TrialError: ", "`amr`", "Did you mean `arm`")),
    "wrong outcome": ({"outcome": "visit"}, ("TrialError: ", "Did you mean `visits`")),
    "text as outcome": ({"outcome": "town"}, ("TrialError: `town` must be a number",)),
    "no control named": ({"control": "null"}, ("TrialError: `table.control` must say",)),
    "several arms": (
        {"treatment": "colour", "control": "blue"},
        ("TrialError: `table.arm` must name the arm", "'green', 'red'"),
    ),
    "impossible chance": ({"propensity": "1.5"}, ("strictly between 0 and 1", "1.5")),
    "unknown key": ({"treatmnt": "arm"}, ("treatmnt", "Extra inputs are not permitted")),
}


@pytest.fixture(scope="module")
def warm_kedro(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmKedro]:
    with WarmKedro(new_project(tmp_path_factory.mktemp("warm") / "project")) as warm:
        yield warm


@pytest.fixture(scope="module")
def store(warm_kedro: WarmKedro, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tracking store of a refused run: copied, it spares each command the making of one."""
    folder = new_project(tmp_path_factory.mktemp("store") / "project")
    refused = warm_kedro.run(folder, "run", "--env", "table", "--pipelines", "uplift")
    assert refused.code == 1
    assert "--params table.path=<file>" in refused.err
    assert statuses(folder) == {"FAILED"}
    return folder / "mlflow.db"


@pytest.mark.parametrize("name", BAD)
def test_a_bad_table_gets_one_message_and_no_finished_run(
    warm_kedro: WarmKedro, store: Path, tmp_path: Path, name: str
) -> None:
    changes, says = BAD[name]
    folder = new_project(tmp_path / "project")
    shutil.copy(store, folder)
    colours = np.resize(["blue", "green", "red"], N)
    an_experiment().assign(colour=colours).to_csv(folder / "table.csv", index=False)
    refused = warm_kedro.run(folder, *asked(folder, **changes))
    assert refused.code == 1, refused.err
    assert refused.out == ""
    *lines, message = re.split(r"^Error: ", refused.err, flags=re.MULTILINE)
    assert len(lines) == 1, refused.err
    assert all(NODE_DONE.fullmatch(line) for line in lines[0].splitlines()), refused.err
    assert "Traceback" not in message
    for part in says:
        assert part in message, message
    layers = ("table/05_model_input", "table/06_models", "table/08_reporting")
    assert files_of(folder, *layers) == {}
    assert statuses(folder) == {"FAILED"}


def statuses(folder: Path) -> set[str]:
    if not (folder / "mlflow.db").exists():
        return set()
    client = MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")
    experiments = [one.experiment_id for one in client.search_experiments()]
    return {run.info.status for run in client.search_runs(experiments)}
