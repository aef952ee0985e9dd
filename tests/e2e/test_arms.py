"""`kedro run --env table --pipelines arms`: a budget on several arms, from the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import Finished, WarmKedro, kedro, new_project, newest_run
from mlflow.tracking import MlflowClient

import promo_uplift
from promo_uplift.analysis import ArmAllocation
from promo_uplift.door import ArmsResult

pytestmark = pytest.mark.e2e

SEED, N, BUDGET = 7, 600, 500.0
SHARES = {"none": 0.4, "letter": 0.3, "call": 0.3}
#: Sizes; both doors get the same.
SMALL = {
    "nuisance": {"n_folds": 3, "n_trials": 0},
    "tuning": {"n_trials": 0},
    "estimation": {"n_workers": 1, "candidates": ["t_learner"]},
    "metrics": {"bootstrap_replicates": 50},
    "wording": {"unit": "visits"},
}
WRITTEN = {
    "arm_allocation.csv", "arm_allocation.parquet", "arm_allocation.txt", "arm_checks.csv",
    "arm_columns.csv", "arm_cost_curve.csv", "arm_cost_curve.png", "arm_effects.csv",
    "arm_value.csv", "arm_verdict.txt",
}  # fmt: skip


def a_table() -> pd.DataFrame:
    """The south gains by a letter, the north by a call, which costs 3 or 5."""
    rng = np.random.default_rng(3)
    south = rng.random(N) < 0.5
    code = rng.choice(3, N, p=list(SHARES.values()))
    effects = np.column_stack([np.zeros(N), 3.0 * south, np.where(south, 0.0, 6.0)])
    return pd.DataFrame(
        {
            "town": np.where(south, "south", "north"),
            "age": rng.normal(40.0, 9.0, N),
            "arm": np.array(list(SHARES))[code],
            "visits": 10.0 + effects[np.arange(N), code] + rng.normal(0.0, 1.0, N),
            "call_usd": rng.choice([3.0, 5.0], N),
        }
    )


def asked(folder: Path, **arms: object) -> tuple[str, ...]:
    """Words of a run on `table.csv` with small sizes."""
    roles = {
        "path": folder / "table.csv",
        "treatment": "arm",
        "outcome": "visits",
        "control": "none",
        **{f"propensity.{arm}": share for arm, share in SHARES.items()},
    }
    given = {"costs.letter": 1.0, "costs.call": "call_usd", "budget_usd": BUDGET} | {
        name.replace("__", "."): value for name, value in arms.items()
    }
    params = [f"table.{name}={value}" for name, value in roles.items()]
    params += [f"arms.{name}={value}" for name, value in given.items()]
    params += [
        f"{part}.{name}={str(value).replace(chr(39), '')}"
        for part, one in SMALL.items()
        for name, value in one.items()
    ]
    words = ",".join([*params, f"seed={SEED}"])
    return ("run", "--env", "table", "--pipelines", "arms", "--params", words)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = new_project(tmp_path_factory.mktemp("arms") / "project")
    a_table().to_csv(folder / "table.csv", index=False)
    done = kedro(folder, *asked(folder))
    assert done.code == 0, done.err
    return done


@pytest.fixture(scope="module")
def called(run: Finished) -> ArmAllocation:
    """The same table through the library's call."""
    frame = pd.read_csv(run.folder / "table.csv")
    result = promo_uplift.analyse(
        frame.drop(columns="call_usd"),
        treatment="arm",
        outcome="visits",
        control="none",
        propensity=SHARES,
        parameters=SMALL,
        seed=SEED,
    )
    assert isinstance(result, ArmsResult)
    costs = {"letter": 1.0, "call": frame["call_usd"].to_numpy()}
    return result.allocate(budget=BUDGET, costs=costs)


def test_both_doors_give_the_same_allocation_and_value(
    run: Finished, called: ArmAllocation
) -> None:
    folder = run.folder / "data" / "table" / "08_reporting"
    assert {path.name for path in folder.iterdir()} == WRITTEN
    given = pd.read_parquet(folder / "arm_allocation.parquet")
    pd.testing.assert_frame_equal(given, called.table, check_exact=True)
    listed = pd.read_csv(folder / "arm_allocation.csv", keep_default_na=False)
    assert listed["arm"].tolist() == called.table["arm"].tolist()
    value = pd.read_csv(folder / "arm_value.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(value, called.value, check_exact=True)
    # who gains by which arm is known: letters to the south, calls to the north
    town = pd.read_csv(run.folder / "table.csv")["town"]
    assert set(town[given["arm"] == "letter"]) == {"south"}
    assert (town[given["arm"] == "call"] == "north").all()


def test_the_run_ends_with_the_allocation_in_words(run: Finished, called: ArmAllocation) -> None:
    text = (run.folder / "data/table/08_reporting/arm_allocation.txt").read_text().strip()
    assert text in run.out
    assert text.endswith(str(called))
    assert "600 rows, none left out" in text
    assert re.search(r"MLflow run [0-9a-f]{32}$", run.out.strip())


def test_the_run_is_tracked_with_its_tables_and_figure(
    run: Finished, called: ArmAllocation
) -> None:
    found = newest_run(run.folder)
    assert found.info.status == "FINISHED"
    assert found.data.tags["treatment_definition"] == "call, letter against none"
    assert found.data.tags["money"] == "not stated"
    assert found.data.metrics["arms_spend_usd"] == called.spend
    assert found.data.params["arms.budget_usd"] == str(BUDGET)
    client = MlflowClient(tracking_uri=f"sqlite:///{run.folder}/mlflow.db")
    assert {one.path for one in client.list_artifacts(found.info.run_id)} >= WRITTEN


# -- refusals ---------------------------------------------------------------------------------

BAD = {
    "no budget": ({"budget_usd": "null"}, ("PolicyError: `arms.budget_usd` must say",)),
    "no such column": ({"costs__call": "cal_usd"}, ("PolicyError: ", "Did you mean `call_usd`")),
    "an arm that is none": ({"costs__mail": 1.0}, ("PolicyError: `arms.costs` must", "mail")),
    "a negative cost": ({"costs__letter": -1.0}, ("costs.letter", "greater than or equal to 0")),
    "an unknown key": (
        {"budget": 5.0},
        ("ArmsParameters", "budget", "Extra inputs are not permitted"),
    ),
}


@pytest.fixture(scope="module")
def warm_kedro(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmKedro]:
    with WarmKedro(new_project(tmp_path_factory.mktemp("warm") / "project")) as warm:
        yield warm


@pytest.mark.parametrize("name", BAD)
def test_what_has_no_meaning_gets_one_message_and_writes_nothing(
    warm_kedro: WarmKedro, run: Finished, name: str
) -> None:
    changes, says = BAD[name]
    folder = run.folder / "data" / "table"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    refused = warm_kedro.run(run.folder, *asked(run.folder, **changes))
    assert refused.code == 1, refused.err
    assert refused.out == ""
    *_, message = re.split(r"^Error: ", refused.err, flags=re.MULTILINE)
    assert "Traceback" not in message
    for part in says:
        assert part in message, message
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert after == before
