"""Each bad input stops the run before a model is fitted, with one message and nothing half-done."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from command_line import Finished, WarmKedro, files_of, kedro, new_project
from mlflow.tracking import MlflowClient
from small_original import COUPON_UPC, HOUSEHOLDS, small_original, write_files

pytestmark = pytest.mark.e2e

Tables = dict[str, pd.DataFrame]
#: Reports on the files that were read; whole and true whatever the run refuses afterwards.
INPUT_REPORTS = {"source_report.csv", "contract_report.csv", "cleaning_report.csv"}
#: Refused by the catalog, and by a node; the last test refuses before the run.
THROUGH_A_NEW_PROCESS = ("missing file", "everybody mailed")
NODE_DONE = re.compile(r"\d\d:\d\d:\d\d INFO +\w+ +\d+\.\d s")


@dataclass(frozen=True)
class Bad:
    """One bad input: how the files are spoilt, what is asked for, and what must be said."""

    says: tuple[str, ...]
    spoil: Callable[[Tables], object] = lambda _: None
    params: str | None = None
    reads_the_files: bool = False


def without(name: str) -> Callable[[Tables], object]:
    return lambda tables: tables.pop(name)


def changed(
    name: str, change: Callable[[pd.DataFrame], pd.DataFrame]
) -> Callable[[Tables], object]:
    return lambda tables: tables.update({name: change(tables[name])})


def swapped(name: str, one: str, other: str) -> Callable[[Tables], object]:
    return changed(name, lambda t: t.assign(**{one: t[other], other: t[one]}))


def mailed_by(campaign: int, households: list[int]) -> Callable[[Tables], object]:
    def spoil(tables: Tables) -> None:
        table = tables["campaign_table"]
        rows = pd.DataFrame(
            {"DESCRIPTION": "TypeA", "household_key": households, "CAMPAIGN": campaign}
        ).astype({"household_key": "int64"})
        tables["campaign_table"] = pd.concat([table[table["CAMPAIGN"] != campaign], rows])
        redeemed = tables["coupon_redempt"]
        tables["coupon_redempt"] = redeemed[redeemed["CAMPAIGN"] != campaign]

    return spoil


BAD = {
    "missing file": Bad(
        spoil=without("coupon"),
        says=(
            "SourceError: `coupon` must be in `.*data/01_raw` as coupon.parquet or coupon.csv",
            "the folder holds: campaign_desc.csv, .*Put the publisher's file there",
        ),
    ),
    "two files of one name": Bad(
        spoil=lambda tables: tables.update({"Coupon": tables["coupon"]}),
        says=(
            r"`coupon` must be one file .*found \['Coupon.csv', 'coupon.csv'\]",
            "move the others away",
        ),
    ),
    "missing column": Bad(
        spoil=changed("transaction_data", lambda t: t.drop(columns="SALES_VALUE")),
        says=("`transaction_data` must have the columns .*missing: `SALES_VALUE`", "Found: "),
    ),
    "renamed column": Bad(
        spoil=changed("campaign_table", lambda t: t.rename(columns={"household_key": "hh_key"})),
        says=(
            "`campaign_table` must have the columns",
            "missing: `household_key`",
            "`hh_key`.*`household_key`",
        ),
    ),
    "swapped household and campaign": Bad(
        spoil=swapped("campaign_table", "household_key", "CAMPAIGN"),
        says=(
            r"`campaign_targets\.campaign_id` breaks the rule 'is in campaigns'",
            "`campaign_id` and `household_id` look swapped: exchange the two columns",
        ),
    ),
    "swapped coupon and product": Bad(
        spoil=swapped("coupon", "COUPON_UPC", "PRODUCT_ID"),
        says=(
            r"`coupons\.product_id` breaks the rule 'is listed in products",
            "`product_id` and `coupon_upc` look swapped",
        ),
    ),
    "days of another calendar": Bad(
        spoil=changed("transaction_data", lambda t: t.assign(DAY=20_170_000 + t["DAY"])),
        says=(r"`transaction_data\.DAY`", "20170285"),
    ),
    "dates in place of days": Bad(
        spoil=changed("campaign_desc", lambda t: t.assign(START_DAY="08.05.2017")),
        says=(r"`campaign_desc\.START_DAY` must hold whole numbers; found type date",),
    ),
    "weeks that contradict the days": Bad(
        spoil=changed("transaction_data", lambda t: t.assign(WEEK_NO=t["WEEK_NO"] + 1)),
        says=("week",),
    ),
    "campaign listed twice": Bad(
        spoil=changed("campaign_desc", lambda t: pd.concat([t, t.tail(1)])),
        says=(
            r"`campaigns\.campaign_id` breaks the rule 'occurs once \(unique key\)': 1 of 4 rows",
            "campaign_id=13",
        ),
    ),
    "household mailed twice": Bad(
        spoil=changed("campaign_table", lambda t: pd.concat([t, t.head(2)])),
        says=(
            r"`campaign_targets\.campaign_id, household_id` breaks the rule 'occurs once",
            "2 of 92 rows",
            "campaign_id=5, household_id=1",
        ),
    ),
    "empty table": Bad(
        spoil=changed("coupon_redempt", lambda t: t.head(0)),
        says=("`coupon_redempt` must have at least one row", "Check the file"),
    ),
    "redeemer who was not mailed": Bad(
        spoil=changed(
            "coupon_redempt",
            lambda t: pd.concat(
                [t, pd.DataFrame([(80, 415, COUPON_UPC + 8, 8)], columns=t.columns)]
            ),
        ),
        says=(
            r"`redemptions\.household_id, campaign_id` breaks the rule 'the household was mailed",
            "household_id=80, campaign_id=8",
        ),
    ),
    "campaign that nobody knows": Bad(
        params="trials.campaigns=[99]",
        says=(
            r"TrialError: `campaigns` must name campaigns of the data; unknown: \[99\]",
            r"holds campaigns \[5, 8, 13\]",
        ),
        reads_the_files=True,
    ),
    "campaign outside the data's dates": Bad(
        params="trials.campaigns=[5],trials.campaign_types=[TypeB]",
        says=(
            "`campaigns` must lie inside the data, which covers 2017-01-01 to 2017-12-31",
            "campaign 5, start 2017-04-03: history window .* starts before the data does",
            "Leave the campaign out, or shorten the window",
        ),
        reads_the_files=True,
    ),
    "everybody mailed": Bad(
        spoil=mailed_by(8, HOUSEHOLDS.tolist()),
        says=(
            "Both arms of a trial must have at least `min_arm_households` = 20 households",
            "campaign 8: 80 treated and 0 control of 80",
            "Leave these campaigns out",
        ),
        reads_the_files=True,
    ),
    "nobody mailed": Bad(
        spoil=mailed_by(13, []),
        says=(
            "Both arms of a trial must have at least `min_arm_households` = 20 households",
            "campaign 13: 0 treated and 80 control of 80",
        ),
        reads_the_files=True,
    ),
    "negative contact cost": Bad(
        params="policy.contact_cost_usd=-0.5",
        says=("policy", "contact_cost_usd", "greater than or equal to 0", "-0.5"),
    ),
    "negative redemption cost": Bad(
        params="policy.redemption_cost_usd=-1.0",
        says=("policy", "redemption_cost_usd", "greater than or equal to 0", "-1.0"),
    ),
    "margin above 1": Bad(
        params="policy.margin_rate=1.3",
        says=("policy", "margin_rate", "less than or equal to 1", "1.3"),
    ),
    "number as text": Bad(
        params="trials.pre_days=twelve weeks",
        says=("trials", "pre_days", "valid integer", "twelve weeks"),
    ),
    "unknown learner": Bad(
        params="estimation.learners.x_leaner={}",
        says=(
            "LearnerError: `learners` must name registered learners; `x_leaner` is unknown",
            r"Did you mean `x_learner`\?",
            "Known: .*causal_forest",
        ),
    ),
    "unknown candidate": Bad(
        params="estimation.candidates=[x_leaner]",
        says=(
            "estimation",
            r"`learners` must hold .*missing: \['x_leaner'\]",
            "Add them under `estimation.learners`",
        ),
    ),
    "unknown hyperparameter": Bad(
        params="estimation.learners.s_learner.defaults.n_estimator=50",
        says=(
            "LearnerError: `s_learner` was given wrong parameters: `n_estimator`",
            "Its parameters: n_estimators",
        ),
    ),
    "unknown policy to decide": Bad(
        params="policies.decides=brake_even",
        says=(
            "PolicyError: `policies.decides` must be `chosen` or a policy of `policies.rules`",
            r"`brake_even` is unknown\. Did you mean `break_even`\?",
        ),
    ),
    "policy that needs errors of a model without": Bad(
        params="policies.decides=lower_bound",
        says=(
            r"PolicyError: `policies\.decides` is `lower_bound`, which reads the standard error",
            r"Set `estimation\.interval_replicates` above 0",
        ),
    ),
    "budget that nobody would keep": Bad(
        params="policy.budget_usd=500",
        says=(
            r"PolicyError: `policy\.budget_usd` is 500\.00 and `policies\.decides` is `chosen`",
            r"Let `budget` decide, or set `policy\.budget_usd` to null",
        ),
    ),
    "unknown check": Bad(
        params="checks.on_fail.PU-OVERLAPS=refuse",
        says=("CheckError: ", "PU-OVERLAPS"),
    ),
    "unknown key at the top": Bad(
        params="polcy.margin_rate=0.3",
        says=(
            "ConfigurationError: `polcy` is not a parameter of any pipeline",
            r"Did you mean `policy` or `policies`\?",
        ),
    ),
    "unknown key below the top": Bad(
        params="policy.margin_rat=0.3",
        says=("policy", "margin_rat", "Extra inputs are not permitted"),
    ),
}


@pytest.fixture(scope="module")
def warm_kedro(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmKedro]:
    """A process that has imported everything, and forks for each command."""
    with WarmKedro(new_project(tmp_path_factory.mktemp("warm") / "project")) as warm:
        yield warm


@pytest.fixture(scope="module")
def unspoilt(warm_kedro: WarmKedro, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The data engineering on the files as they are."""
    folder = new_project(tmp_path_factory.mktemp("unspoilt") / "project")
    write_files(small_original(), folder / "data/01_raw")
    words = ("run", "--env", "original", "--pipelines", "data_engineering")
    return warm_kedro.run(folder, *words)


def spoilt_project(folder: Path, bad: Bad, store: Path | None = None) -> tuple[str, ...]:
    """Write the spoilt files into a new project, and return the words of its run.

    A copy of an empty tracking store spares the command two seconds of making one.
    """
    tables = small_original()
    bad.spoil(tables)
    write_files(tables, new_project(folder) / "data/01_raw")
    if store is not None:
        shutil.copy(store, folder)
    asked = () if bad.params is None else ("--params", bad.params)
    return ("run", "--env", "original", "--pipelines", "uplift", *asked)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_input_gets_one_message_and_no_run(
    warm_kedro: WarmKedro, unspoilt: Finished, tmp_path: Path, name: str
) -> None:
    words = spoilt_project(tmp_path / "project", BAD[name], unspoilt.folder / "mlflow.db")
    expect_refusal(warm_kedro.run(tmp_path / "project", *words), BAD[name])


@pytest.mark.parametrize("name", THROUGH_A_NEW_PROCESS)
def test_the_command_itself_says_the_same(tmp_path: Path, name: str) -> None:
    words = spoilt_project(tmp_path / "project", BAD[name])
    expect_refusal(kedro(tmp_path / "project", *words), BAD[name])


def expect_refusal(refused: Finished, bad: Bad) -> None:
    """One message that says what is wrong; no model, no result, no run that looks finished."""
    assert refused.code == 1, refused.err
    assert refused.out == ""
    *lines, message = re.split(r"^Error: ", refused.err, flags=re.MULTILINE)
    assert len(lines) == 1, refused.err
    assert all(NODE_DONE.fullmatch(line) for line in lines[0].splitlines()), refused.err
    assert "Traceback" not in message
    for part in bad.says:
        assert re.search(part, message), message

    assert set(run_statuses(refused.folder)) <= {"FAILED"}
    assert files_of(refused.folder, "05_model_input", "06_models", "07_model_output") == {}
    reports = {Path(path).name for path in files_of(refused.folder, "08_reporting")}
    assert reports == (INPUT_REPORTS if bad.reads_the_files else set())


def run_statuses(folder: Path) -> list[str]:
    """Status of every run in a project's tracking store; empty where no run was opened."""
    if not (folder / "mlflow.db").exists():
        return []
    client = MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")
    experiments = [one.experiment_id for one in client.search_experiments()]
    return [run.info.status for run in client.search_runs(experiments)]


def test_the_unspoilt_files_are_not_refused(unspoilt: Finished) -> None:
    assert unspoilt.code == 0, unspoilt.err
    trials = pd.read_parquet(unspoilt.folder / "data/05_model_input/trials.parquet")
    assert trials.groupby(["campaign_id", "treatment"]).size().to_dict() == {
        (8, 0): 40,
        (8, 1): 40,
        (13, 0): 40,
        (13, 1): 40,
    }


def test_a_refused_run_leaves_the_last_results_alone(finished: Finished) -> None:
    layers = ("05_model_input", "06_models", "07_model_output", "08_reporting")
    before, runs = files_of(finished.folder, *layers), run_statuses(finished.folder)
    refused = kedro(
        finished.folder,
        "run",
        "--env",
        "test",
        "--pipelines",
        "uplift",
        "--params",
        "policy.margin_rate=1.3",
    )
    assert refused.code == 1
    assert files_of(finished.folder, *layers) == before
    assert run_statuses(finished.folder) == runs
