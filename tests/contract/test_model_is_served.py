"""The registered champion behind a real server and inside a real Spark, as its page says.

Both must give the figures of ``ScoringModel.score``, to the last bit.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from urllib.error import HTTPError, URLError

import mlflow
import numpy as np
import pandas as pd
import psutil
import pytest
from mlflow.tracking import MlflowClient
from served_model import new_households, scoring_model

from promo_uplift.datasets import RegisteredModelDataset
from promo_uplift.policy import GateDecision, RegistryEntry

PAGE = (Path(__file__).parents[2] / "docs/how-to/serve-the-model.md").read_text(encoding="utf-8")
PAGE_ADDRESS = "127.0.0.1:5001"
COVARIATES = ["spend", "visits", "channel"]
#: Keeps the page's session small, quick to start and to itself.
SPARK_OPTIONS = (
    "--conf spark.ui.enabled=false --conf spark.driver.bindAddress=127.0.0.1 "
    "--conf spark.driver.memory=512m --conf spark.sql.shuffle.partitions=2 "
    "--conf spark.ui.showConsoleProgress=false --conf spark.log.level=ERROR "
    "--driver-java-options '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' pyspark-shell"
)


def block(section, language, number=0):
    """A code block of a section of the page."""
    text = PAGE.split(f"## {section}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)[number]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder as a run leaves it: a store with a champion, and a table of households."""
    folder = tmp_path_factory.mktemp("project")
    table = folder / "data/05_model_input/trials.parquet"
    table.parent.mkdir(parents=True)
    households = new_households()
    households.to_parquet(table)
    model = scoring_model()
    here = Path.cwd()
    address = "sqlite:///mlflow.db"  # as on the page: of the folder in which one works
    with pytest.MonkeyPatch.context() as environment:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
            environment.setenv(name, address)
        environment.chdir(folder)
        mlflow.set_tracking_uri(address)
        mlflow.set_registry_uri(address)
        experiment = MlflowClient().create_experiment("served", f"file://{folder}/mlartifacts")
        with mlflow.start_run(experiment_id=experiment):
            RegisteredModelDataset(name="promo_uplift").save(
                RegistryEntry(
                    model=model,
                    # the first rows of a table have gaps; that makes no column optional
                    example=households.loc[households["visits"].isna(), COVARIATES].head(3),
                    gate=GateDecision(True, "a test", None),
                )
            )
        yield SimpleNamespace(
            folder=folder, table=table, households=households, scores=model.score(households)
        )
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)
    assert Path.cwd() == here


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def opened(request, timeout=60.0):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(request, timeout=timeout)


def wait_until_up(address, server, deadline=120.0):
    last = time.monotonic() + deadline
    while True:
        try:
            with opened(f"http://{address}/ping") as reply:
                return reply.status
        except URLError:
            assert server.poll() is None, "the server ended"
            if time.monotonic() > last:
                raise
            time.sleep(0.2)


@pytest.fixture(scope="module")
def address(project):
    """Where the page's command serves the champion; the server ends with the module."""
    words = shlex.split(block("Over HTTP", "sh").splitlines()[-1])
    found = f"127.0.0.1:{free_port()}"
    words[-1] = found.rpartition(":")[2]
    tools = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    with subprocess.Popen(
        words,
        cwd=project.folder,
        env=os.environ | {"PATH": tools, "MLFLOW_DISABLE_TELEMETRY": "true"},
        start_new_session=True,
    ) as server:
        try:
            assert wait_until_up(found, server) == 200
            yield found
        finally:
            # the command reaps its own child, so that nobody is left behind
            for child in psutil.Process(server.pid).children(recursive=True):
                child.terminate()
            try:
                server.wait(timeout=20)
            finally:
                left = [one for one in psutil.process_iter() if session_of(one) == server.pid]
                for one in left:
                    one.kill()
    assert left == []


def session_of(process):
    try:
        return os.getsid(process.pid)
    except ProcessLookupError:
        return None


def post(address, body):
    """Status and text of the answer to a request."""
    request = urllib.request.Request(
        f"http://{address}/invocations",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with opened(request) as reply:
            return reply.status, reply.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def as_json(frame):
    return frame.astype(object).where(frame.notna(), None)


def assert_same(found, expected):
    """The same figures, missing or not, to the last bit."""
    pd.testing.assert_frame_equal(
        found.reset_index(drop=True),
        expected.reset_index(drop=True),
        check_exact=True,
    )


def test_the_households_ask_for_everything(project):
    """Figures of their own, missing ones, and both answers of either kind."""
    scores = project.scores
    assert scores["cate_usd"].nunique() > 5
    assert scores["ci_low_usd"].nunique() > 5
    assert 0 < scores["cate_usd"].isna().sum() < len(scores)
    assert scores["recommend"].nunique() == scores["in_support"].nunique() == 2
    missing = project.households[["visits", "channel"]].isna()
    assert scores.loc[missing.any(axis=1), "in_support"].any()


def test_the_server_gives_the_same_figures_for_a_split_frame(project, address):
    frame = as_json(project.households[COVARIATES])
    status, text = post(address, {"dataframe_split": frame.to_dict(orient="split", index=False)})
    assert status == 200
    assert_same(pd.DataFrame(json.loads(text)["predictions"]), project.scores)


def test_the_server_gives_the_same_figures_for_records(project, address):
    """A key that is left out is a missing value, as `null` is."""
    records = [
        {name: value for name, value in row.items() if value is not None}
        for row in as_json(project.households[COVARIATES]).to_dict(orient="records")
    ]
    assert {len(row) for row in records} == {1, 2, 3}
    status, text = post(address, {"dataframe_records": records})
    assert status == 200
    assert_same(pd.DataFrame(json.loads(text)["predictions"]), project.scores)


def test_a_missing_figure_is_null_where_the_request_says_so(project, address):
    def refused(token):
        raise ValueError(token)

    frame = as_json(project.households[COVARIATES])
    body = {"dataframe_split": frame.to_dict(orient="split", index=False)}
    _, text = post(address, body)
    with pytest.raises(ValueError, match="NaN"):
        json.loads(text, parse_constant=refused)
    _, text = post(address, body | {"params": {"missing_as_null": True}})
    strict = pd.DataFrame(json.loads(text, parse_constant=refused)["predictions"])
    assert_same(strict, project.scores)


@pytest.mark.parametrize("wrong", ["missing", "renamed"])
@pytest.mark.parametrize("name", COVARIATES)
def test_the_server_refuses_another_schema_by_the_columns_name(project, address, name, wrong):
    frame = as_json(project.households[COVARIATES].head(2))
    frame = frame.drop(columns=name) if wrong == "missing" else frame.rename(columns={name: "x"})
    status, text = post(address, {"dataframe_split": frame.to_dict(orient="split", index=False)})
    assert status == 400
    assert f"missing inputs ['{name}']" in json.loads(text)["message"]


def test_the_server_refuses_text_for_a_number_by_the_columns_name(address):
    body = {"dataframe_records": [{"spend": "much", "visits": 1.0, "channel": "web"}]}
    status, text = post(address, body)
    assert status == 400
    assert "column spend" in json.loads(text)["message"]


def test_the_requests_of_the_page(project, address):
    namespace = {}
    exec(block("Over HTTP", "python").replace(PAGE_ADDRESS, address), namespace)  # noqa: S102
    assert_same(namespace["scores"], project.scores.head(100))


def test_the_curl_of_the_page(project, address):
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    command = block("Over HTTP", "sh", 1).replace(PAGE_ADDRESS, address)
    done = subprocess.run(
        ["sh", "-ec", command],
        cwd=project.folder,
        env=os.environ | {"no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert_same(pd.DataFrame(json.loads(done.stdout)["predictions"]), project.scores)


@pytest.fixture(scope="module")
def page_in_spark(project):
    """What the page's code leaves behind, run where the project lies; Spark ends with it."""
    """The names that the page's code leaves, run where the project lies; then Spark is stopped."""
    pytest.importorskip("pyspark", reason="needs Spark: make spark")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("needs Java: Spark runs on it")
    namespace = {}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYSPARK_SUBMIT_ARGS", SPARK_OPTIONS)
        environment.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        environment.setenv("PYSPARK_PYTHON", "the page sets it")
        try:
            exec(block("In Spark", "python"), namespace)  # noqa: S102
            yield namespace
        finally:
            stop_spark(namespace.get("spark"))


def stop_spark(session):
    """End the session and the process that it started."""
    if session is None:
        return
    from pyspark import SparkContext  # noqa: PLC0415

    gateway = SparkContext._gateway
    session.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(timeout=20)
    SparkContext._gateway = SparkContext._jvm = None


def test_the_page_scores_a_parquet_file_in_spark(project, page_in_spark):
    found = pd.read_parquet(project.folder / "scores.parquet").sort_values("household_id")
    assert found["household_id"].tolist() == project.households["household_id"].tolist()
    assert_same(found.drop(columns="household_id"), project.scores)


@pytest.mark.parametrize("n_partitions", [1, 3])
def test_spark_gives_the_same_figures_however_rows_are_partitioned(
    project, page_in_spark, n_partitions
):
    spark, predict = page_in_spark["spark"], page_in_spark["predict"]
    households = spark.read.parquet(str(project.table)).repartition(n_partitions)
    assert households.rdd.getNumPartitions() == n_partitions
    found = (
        households.withColumn("score", predict())
        .select("household_id", "score.*")
        .toPandas()
        .sort_values("household_id")
    )
    assert_same(found.drop(columns="household_id"), project.scores)


def test_spark_takes_nan_and_null_as_missing(project, page_in_spark):
    from pyspark.sql import functions  # noqa: PLC0415

    spark, predict = page_in_spark["spark"], page_in_spark["predict"]
    households = spark.read.parquet(str(project.table)).withColumn(
        "visits", functions.coalesce("visits", functions.lit(np.nan))
    )
    assert households.filter(functions.isnan("visits")).count() > 50
    scored = households.withColumn("score", predict()).select("household_id", "score.*")
    missing = int(project.scores["cate_usd"].isna().sum())
    found = scored.toPandas().sort_values("household_id")
    assert_same(found.drop(columns="household_id"), project.scores)
    assert scored.filter(functions.isnull("cate_usd")).count() == missing


@pytest.mark.parametrize("name", COVARIATES)
def test_spark_refuses_another_schema_by_the_columns_name(project, page_in_spark, name):
    from pyspark.errors import AnalysisException  # noqa: PLC0415

    spark, predict = page_in_spark["spark"], page_in_spark["predict"]
    households = spark.read.parquet(str(project.table)).withColumnRenamed(name, "x")
    with pytest.raises(AnalysisException, match=f"`{name}` cannot be resolved"):
        households.withColumn("score", predict())


def test_spark_refuses_whole_numbers_by_the_columns_name(project, page_in_spark):
    from pyspark.errors import PythonException  # noqa: PLC0415

    spark, predict = page_in_spark["spark"], page_in_spark["predict"]
    whole = spark.read.parquet(str(project.table)).selectExpr(
        "2 + household_id as spend", "visits", "channel"
    )
    with pytest.raises(PythonException, match="spend"):
        whole.select(predict()).toPandas()
