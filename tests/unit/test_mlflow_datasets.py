"""What a run leaves in a real SQLite store: metrics, nested runs, aliases, a model to load back."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from importlib.metadata import version

import mlflow
import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from mlflow.tracking import MlflowClient
from small_world import randomised_world

from promo_uplift.contracts.errors import ScoringError
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.datasets import (
    MlflowRunDataset,
    RegisteredModelDataset,
    RegisteredVersionsDataset,
    StandingChampionDataset,
)
from promo_uplift.datasets.registered_model import REQUIREMENTS, registered_version
from promo_uplift.learners.registry import build_learner
from promo_uplift.nuisance.deployment import DeploymentNuisances
from promo_uplift.nuisance.models import ConstantRate
from promo_uplift.policy import (
    DataContract,
    GateDecision,
    RegistryEntry,
    ScoringModel,
    SupportRanges,
    standing_policy_rows,
    support_ranges,
)
from promo_uplift.reporting.run_record import LearnerRecord, RunRecord

NAME = "promo_uplift"
EXPERIMENT = "tests"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A new SQLite store for this module, whose address no later process inherits."""
    folder = tmp_path_factory.mktemp("store")
    address = f"sqlite:///{folder}/mlflow.db"
    with pytest.MonkeyPatch.context() as environment:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
            environment.setenv(name, address)
        mlflow.set_tracking_uri(address)
        mlflow.set_registry_uri(address)
        client = MlflowClient()
        client.create_experiment(EXPERIMENT, artifact_location=f"file://{folder}/artifacts")
        yield client
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)


def opened_run(store, name=None):
    """Open a run as kedro-mlflow does, without making its experiment the process's default."""
    experiment = store.get_experiment_by_name(EXPERIMENT)
    return mlflow.start_run(experiment_id=experiment.experiment_id, run_name=name)


TRIALS = pd.DataFrame(
    {
        "fold": [0, 1],
        "number": [0, 3],
        "state": ["COMPLETE", "PRUNED"],
        "loss": [4.0, float("nan")],
        "seconds": [0.5, 0.1],
        "stopped_by": ["trials", "trials"],
        "study": ["s", "s"],
        "num_leaves": [4.0, float("nan")],
    }
)
RECORD = RunRecord(
    metrics={"auuc": 3.0, "calibration_slope": float("nan")},
    tags={"verdict": "refuse"},
    learners=(
        LearnerRecord("dr_learner", {"auuc": 2.0}, {"fold_0.num_leaves": 4}, TRIALS),
        LearnerRecord("zero", {"auuc": 1.0, "qini": float("nan")}, {}, pd.DataFrame()),
    ),
    inputs={"trials": pd.DataFrame({"household_id": [1, 2], "spend_usd": [1.0, 2.0]})},
)


@pytest.fixture(scope="module")
def recorded(store):
    with opened_run(store, "parent") as run:
        MlflowRunDataset().save(RECORD)
    return run.info.run_id


def children(store, parent):
    experiment = store.get_experiment_by_name(EXPERIMENT).experiment_id
    found = store.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'")
    return {run.info.run_name: run for run in found}


def test_the_parent_run_has_the_metrics_tags_and_inputs(store, recorded):
    run = store.get_run(recorded)
    assert run.data.metrics == {"auuc": 3.0}
    assert run.data.tags["verdict"] == "refuse"
    (given,) = run.inputs.dataset_inputs
    assert given.dataset.name == "trials"
    assert given.dataset.digest


def test_each_learner_is_a_nested_run_and_each_trial_one_below_it(store, recorded):
    learners = children(store, recorded)
    assert set(learners) == {"dr_learner", "zero"}
    assert {run.info.status for run in learners.values()} == {"FINISHED"}
    assert learners["zero"].data.metrics == {"auuc": 1.0}
    assert learners["dr_learner"].data.params == {"fold_0.num_leaves": "4"}
    trials = children(store, learners["dr_learner"].info.run_id)
    assert set(trials) == {"dr_learner-fold0-trial0", "dr_learner-fold1-trial3"}
    first, pruned = trials["dr_learner-fold0-trial0"], trials["dr_learner-fold1-trial3"]
    assert first.data.metrics == {"loss": 4.0, "seconds": 0.5}
    assert first.data.params == {"fold": "0", "num_leaves": "4.0"}
    assert pruned.data.metrics == {"seconds": 0.1}
    assert pruned.data.params == {"fold": "1"}
    assert pruned.data.tags["trial_state"] == "PRUNED"
    assert children(store, learners["zero"].info.run_id) == {}


def test_without_a_run_nothing_is_logged(store):
    experiment = store.get_experiment_by_name(EXPERIMENT).experiment_id
    before = len(store.search_runs([experiment]))
    MlflowRunDataset().save(RECORD)
    RegisteredModelDataset(name=NAME).save(entry(threshold_usd=1.0, promote=False))
    assert len(store.search_runs([experiment])) == before


def test_a_run_is_not_loaded_through_the_catalog():
    with pytest.raises(DatasetError, match="query the store"):
        MlflowRunDataset().load()


DATA, NUISANCES = randomised_world(n_households=40, seed=0, effect_usd=6.0)


CONTRACT = DataContract(
    covariates=("spend", "visits"),
    columns=("spend", "visits"),
    data_version="package-1",
    definition={"trials.pre_days": 84, "trials.category": None, "policy.margin_rate": 0.5},
)


def scoring_model(*, threshold_usd):
    """A real model of the average effect; one threshold tells it from another."""
    learner = build_learner(name="constant", choice={}).fit(
        covariates=DATA.covariates,
        treatment=DATA.treatment,
        outcome=DATA.outcome,
        nuisances=NUISANCES.held_out(),
        groups=DATA.groups,
        rng=np.random.default_rng(0),
    )
    rates = DeploymentNuisances(
        propensity=ConstantRate(rate=0.5),
        redemption=ConstantRate(rate=0.1),
        covariate_names=tuple(DATA.covariates.columns),
        campaigns=np.array([8, 13]),
        clip=0.02,
    )
    return ScoringModel(
        learner=learner,
        propensity_model=rates,
        redemption_model=rates,
        covariates=tuple(DATA.covariates.columns),
        ranges=support_ranges(
            covariates=DATA.covariates, quantile=0.0, overlap_low=0.1, overlap_high=0.9
        ),
        parameters=PolicyParameters(
            margin_rate=0.5,
            contact_cost_usd=1.0,
            redemption_cost_usd=0.0,
            values_are_assumptions=True,
            grid_points=11,
            support_quantile=0.0,
        ),
        verdict_name="publish",
        cate_threshold_usd=threshold_usd,
        level=0.95,
        contract=CONTRACT,
    )


def entry(*, threshold_usd, promote):
    return RegistryEntry(
        model=scoring_model(threshold_usd=threshold_usd),
        example=DATA.covariates.head(3),
        gate=GateDecision(promote, f"promote: {promote}", None),
    )


@pytest.fixture(scope="module")
def registry(store):
    """Aliases and standing champion after each of three runs, the second of which is promoted."""
    states = [StandingChampionDataset(name=NAME).load()]
    path_before = list(sys.path)
    for threshold_usd, promote in ((1.0, False), (2.0, True), (3.0, False)):
        with opened_run(store):
            RegisteredModelDataset(name=NAME).save(
                entry(threshold_usd=threshold_usd, promote=promote)
            )
        aliases = {
            alias: int(number) for alias, number in store.get_registered_model(NAME).aliases.items()
        }
        standing = StandingChampionDataset(name=NAME).load()
        states.append((aliases, None if standing is None else standing.load().model))
    return states, path_before


def test_nothing_stands_before_the_first_run(registry):
    states, _ = registry
    assert states[0] is None


def test_the_newest_is_challenger_and_only_the_gate_makes_a_champion(registry):
    (_, first, second, third), _ = registry
    assert first == ({"challenger": 1}, None)
    assert second[0] == {"challenger": 2, "champion": 2}
    assert third[0] == {"challenger": 3, "champion": 2}


def test_the_standing_champion_is_the_promoted_model(registry):
    (*_, third), _ = registry
    champion = third[1]
    assert isinstance(champion, ScoringModel)
    assert champion.cate_threshold_usd == 2.0
    pd.testing.assert_frame_equal(
        champion.score(DATA.covariates), scoring_model(threshold_usd=2.0).score(DATA.covariates)
    )


def test_registering_and_loading_leave_the_import_path_alone(registry):
    """A model's own copy of the code must not become what a worker process imports."""
    _, path_before = registry
    assert sys.path == path_before


def test_the_gate_says_why_on_every_version(store, registry):
    reasons = [store.get_model_version(NAME, str(n)).tags["gate"] for n in (1, 2, 3)]
    assert reasons == ["promote: False", "promote: True", "promote: False"]


def test_the_registered_model_predicts_by_its_signature(registry):
    model = mlflow.pyfunc.load_model(f"models:/{NAME}@challenger")
    assert model.metadata.signature.inputs.input_names() == ["spend", "visits"]
    assert model.metadata.signature.outputs.input_names() == [
        "cate_usd",
        "ci_low_usd",
        "ci_high_usd",
        "expected_profit_usd",
        "in_support",
        "recommend",
        "support_reason",
        "reason",
    ]
    outside = DATA.covariates.head(2).assign(spend=[0.0, 1e6])
    predicted = model.predict(outside)
    assert predicted["in_support"].tolist() == [True, False]
    assert predicted["cate_usd"].iloc[0] == pytest.approx(
        scoring_model(threshold_usd=3.0).learner.ate_usd_
    )
    assert np.isnan(predicted["cate_usd"].iloc[1])


def test_contract_and_versions_can_be_read_without_loading_the_model(registry):
    metadata = mlflow.models.get_model_info(f"models:/{NAME}@champion").metadata
    contract = metadata["data_contract"]
    assert contract["covariates"] == ["spend", "visits"]
    assert contract["definition"] == CONTRACT.definition
    made_with = metadata["made_with"]
    assert set(REQUIREMENTS) <= set(made_with)
    assert made_with["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert made_with["lightgbm"] == version("lightgbm")


def test_the_versions_behind_the_aliases_say_whether_the_gate_let_them(registry):
    found = RegisteredVersionsDataset(name=NAME).load()
    assert set(found) == {"champion", "challenger"}
    champion, challenger = found["champion"], found["challenger"]
    assert (champion.number, champion.passed_gate, champion.gate) == ("2", True, "promote: True")
    assert (challenger.number, challenger.passed_gate) == ("3", False)
    assert champion.made_with == champion.running
    loaded = champion.load()
    assert (loaded.model.cate_threshold_usd, loaded.filled) == (2.0, ())
    assert loaded.model.contract == CONTRACT
    assert challenger.load().model.cate_threshold_usd == 3.0


def test_where_nothing_is_registered_the_store_is_named(store):
    with pytest.raises(DatasetError) as refused:
        RegisteredVersionsDataset(name="nobody").load()
    said = str(refused.value.__cause__)
    assert said.startswith("A model `nobody` must be registered before it can score; `sqlite:///")
    assert "mlflow.db` holds none with an alias" in said
    assert "MLFLOW_TRACKING_URI" in said
    with pytest.raises(DatasetError, match="registered by a run"):
        RegisteredVersionsDataset(name=NAME).save({})


def test_a_model_that_cannot_be_unpickled_names_the_packages_that_differ(registry, monkeypatch):
    running = registered_version(name=NAME, number="2").running
    monkeypatch.setattr(
        "promo_uplift.datasets.registered_model.running_versions",
        lambda: running | {"lightgbm": "0.1"},
    )

    def fails(*_):
        raise AttributeError("no such class")

    monkeypatch.setattr("mlflow.pyfunc.load_model", fails)
    with pytest.raises(ScoringError, match=r"no such class\. .*`lightgbm` [\d.]+ \(now 0\.1\)"):
        registered_version(name=NAME, number="2").load()


def as_an_older_version_pickled(monkeypatch, *, dataclasses, parameters):
    """Leave the last fields of dataclasses, and fields of the money, out of every pickle."""
    for one, n in dataclasses.items():
        monkeypatch.setattr(
            one,
            "__getstate__",
            lambda self, n=n: [getattr(self, f.name) for f in fields(self)][:-n],
        )
    pickled = PolicyParameters.__getstate__

    def state(self):
        found = pickled(self)
        kept = {name: v for name, v in found["__dict__"].items() if name not in parameters}
        return found | {"__dict__": kept}

    monkeypatch.setattr(PolicyParameters, "__getstate__", state)


def registered_by_an_older_version(store, monkeypatch, *, name, dataclasses, parameters=()):
    with monkeypatch.context() as then, opened_run(store):
        as_an_older_version_pickled(then, dataclasses=dataclasses, parameters=parameters)
        RegisteredModelDataset(name=name).save(entry(threshold_usd=2.0, promote=True))
    return StandingChampionDataset(name=name).load()


def test_a_model_of_an_older_version_takes_the_defaults_of_what_came_later(store, monkeypatch):
    found = registered_by_an_older_version(
        store,
        monkeypatch,
        name="older",
        dataclasses={ScoringModel: 3},
        parameters=("retailer_funded_share", "budget_usd"),
    ).load()
    assert found.filled == (
        "PolicyParameters.budget_usd",
        "PolicyParameters.retailer_funded_share",
        "ScoringModel.contract",
        "ScoringModel.policy",
        "ScoringModel.rule",
    )
    assert (found.model.contract, found.model.policy, found.model.rule) == (None, "chosen", None)
    assert found.model.parameters == scoring_model(threshold_usd=2.0).parameters
    pd.testing.assert_frame_equal(
        found.model.score(DATA.covariates),
        scoring_model(threshold_usd=2.0).score(DATA.covariates),
        check_exact=True,
    )


def test_a_model_without_what_it_needs_is_refused_by_name_and_the_gate_goes_on(store, monkeypatch):
    standing = registered_by_an_older_version(
        store, monkeypatch, name="oldest", dataclasses={SupportRanges: 1, DataContract: 1}
    )
    said = (
        "Version 1 of `oldest` cannot be used here: it was made by an older version of "
        "promo_uplift and has no `DataContract.definition`, `SupportRanges.overlap_high`. Install "
        "the versions of its MLmodel, or register a new one with `kedro run`."
    )
    with pytest.raises(ScoringError) as refused:
        standing.load()
    assert str(refused.value) == said
    profit, reason = standing_policy_rows(
        scores=None, standing=standing, contract=CONTRACT, data=DATA, fold=NUISANCES.fold
    )
    assert (profit, reason) == (None, str(refused.value))


def test_a_model_whose_code_no_longer_scores_is_refused_before_it_meets_a_household(
    registry, monkeypatch
):
    def fails(*_, **__):
        raise AttributeError("'Learner' object has no attribute 'offset_'")

    standing = StandingChampionDataset(name=NAME).load()
    monkeypatch.setattr(type(standing.load().model.learner), "predict_cate", fails)
    with pytest.raises(ScoringError, match=r"cannot be used here: .* has no attribute 'offset_'"):
        standing.load()


def test_a_model_whose_files_are_gone_says_so(registry, monkeypatch):
    def gone(*_, **__):
        raise OSError("No such artifact: 'MLmodel'")

    monkeypatch.setattr("mlflow.models.get_model_info", gone)
    monkeypatch.setattr("mlflow.pyfunc.load_model", gone)
    standing = StandingChampionDataset(name=NAME).load()
    with pytest.raises(ScoringError, match="Bring its files back to where the store has them"):
        standing.load()


def test_aliases_are_not_moved_by_loading_or_saving_the_wrong_way():
    with pytest.raises(DatasetError, match="models:/promo_uplift@challenger"):
        RegisteredModelDataset(name=NAME).load()
    with pytest.raises(DatasetError, match="only through the gate"):
        StandingChampionDataset(name=NAME).save(scoring_model(threshold_usd=1.0))


OWN = """
import numpy as np
from promo_uplift.learners.base import BaseLearner

class Three(BaseLearner):
    def _fit(self, *, training, rng):
        self.effect_ = 3.0

    def _predict(self, *, features):
        return np.full(len(features), self.effect_)
"""
LOADED = """
import mlflow, pandas
model = mlflow.pyfunc.load_model("models:/own_learner@challenger")
print(model.predict(pandas.DataFrame({"spend": [0.0], "visits": [0.0]}))["cate_usd"].tolist())
"""


def test_a_model_of_an_own_learner_carries_its_code(store, tmp_path, monkeypatch):
    """It predicts in a process whose import path knows nothing of the class."""
    package = tmp_path / "own_of_the_model"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "three.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    learner = build_learner(name="mine", choice={"class": "own_of_the_model.three.Three"}).fit(
        covariates=DATA.covariates,
        treatment=DATA.treatment,
        outcome=DATA.outcome,
        nuisances=NUISANCES.held_out(),
        groups=DATA.groups,
        rng=np.random.default_rng(0),
    )
    given = entry(threshold_usd=1.0, promote=False)
    given = replace(given, model=replace(given.model, learner=learner))
    with opened_run(store):
        RegisteredModelDataset(name="own_learner").save(given)
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[3.0]"
