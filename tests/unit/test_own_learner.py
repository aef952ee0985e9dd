"""A learner of the user's own by import path: refusals, building, workers, digest, the model."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor
from small_world import randomised_world

from promo_uplift import analysis
from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.parameters import LearnerParameters, TuningParameters
from promo_uplift.datasets.registered_model import own_code
from promo_uplift.learners import build_learner, learner_role
from promo_uplift.learners.own import code_digest
from promo_uplift.tuning import check_configured_learners, cross_fit_learner, fit_deployed

GOOD = """
    import numpy as np
    from promo_uplift.contracts.parameters import Parameters
    from promo_uplift.learners.base import BaseLearner
    from promo_uplift.contracts.errors import IntervalNotOffered

    class Settings(Parameters):
        size: float

    class Mean(BaseLearner):
        def __init__(self, size=1.0, factor=1.0):
            self.size, self.factor = size, factor

        def _fit(self, *, training, rng):
            self.mean_ = float(np.mean(training.nuisances.mu1 - training.nuisances.mu0))

        def _predict(self, *, features):
            return np.full(len(features), self.factor * self.size * self.mean_)

    class Typed(Mean):
        def __init__(self, settings):
            super().__init__(size=settings.size)

    class Anything(Mean):
        def __init__(self, **settings):
            super().__init__(**settings)

    class NoInterval:
        def fit(self, *, covariates, treatment, outcome, nuisances, groups, rng):
            return self

        def predict_cate(self, *, covariates):
            return np.zeros(len(covariates))

    class OldFit(Mean):
        def fit(self, X, treatment, y):
            return self

    class Gap(Mean):
        def _predict(self, *, features):
            return np.full(len(features), np.nan)

    def a_function():
        pass
"""
TUNING = TuningParameters(
    loss="r_loss", n_trials=2, timeout_seconds=60.0, n_startup_trials=1, pruner_warmup_folds=0
)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A package `own_things` with a good module and a broken one, on the import path."""
    package = tmp_path / "own_things"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "means.py").write_text(textwrap.dedent(GOOD))
    (package / "broken.py").write_text("import nothing_of_this_name\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    get_reusable_executor().shutdown(wait=True)  # workers of other tests do not know the package
    yield package
    get_reusable_executor().shutdown(wait=True)
    for name in [name for name in sys.modules if name.partition(".")[0] == "own_things"]:
        del sys.modules[name]


def configured(path="own_things.means.Mean", **more):
    return LearnerParameters.model_validate({"class": path, **more})


def refused(message, *, name="mine", **given):
    with pytest.raises(LearnerError, match=message) as refusal:
        check_configured_learners({name: configured(**given)})
    assert f"estimation.learners.{name}" in str(refusal.value) or name in str(refusal.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "own_thing.means.Mean",
            r"`estimation\.learners\.mine\.class`.*`own_thing` was found on "
            r"the import path\. Did you mean `own_things`\?.*`src`",
        ),
        (
            "own_things.mean.Mean",
            r"no module `mean` was found in `own_things`\. Did you mean "
            r"`means`\?",
        ),
        ("own_things.means.Maen", r"has no `Maen`\. Did you mean `Mean`\?.*Its classes:.*Typed"),
        ("own_things.means.a_function", "import path of a class; .* is a function"),
        ("own_things.broken.Mean", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("Mean", "must be an import path with a module and a class"),
        ("own_things..Mean", "must be an import path with a module and a class"),
        ("__main__.Mean", "lives in this session only"),
        (
            "own_things.means.NoInterval",
            r"has no method `predict_interval`\. Add "
            r"`predict_interval\(self, \*, covariates, level\)`",
        ),
        (
            "own_things.means.OldFit",
            r"a `fit` that does not take \['covariates', 'outcome', "
            r"'nuisances', 'groups', 'rng'\] and asks for \['X', 'y'\]",
        ),
    ],
)
@pytest.mark.usefixtures("own")
def test_a_wrong_path_or_class_is_refused_before_any_fit(path, message):
    refused(message, path=path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"defaults": {"sise": 2.0}}, r"\['sise'\] are unknown\. Did you mean `size`\?"),
        ({"defaults": {"class": "x"}}, r"must not hold \['class'\]"),
        (
            {"defaults": {}, "search_space": {"depth": {"kind": "int", "low": 1, "high": 3}}},
            r"`mine\.search_space` must search the learner's parameters; \['depth'\]",
        ),
        (
            {"path": "own_things.means.Typed", "parameters": "own_things.means.Mean"},
            "must be the import path of a Pydantic model",
        ),
        (
            {
                "path": "own_things.means.Typed",
                "parameters": "own_things.means.Settings",
                "defaults": {"size": "large"},
            },
            "was given .*'large'.* and refused: .*size",
        ),
        ({"name": "t_learner"}, "its name must be its own"),
        ({"name": "my.learner"}, "without a dot"),
    ],
)
@pytest.mark.usefixtures("own")
def test_a_wrong_configuration_is_refused_before_any_fit(given, message):
    refused(rf"(?s){message}", **given)


def test_a_parameter_model_without_its_class_is_refused():
    alone = LearnerParameters.model_validate({"parameters": "own_things.means.Settings"})
    with pytest.raises(LearnerError, match=r"`estimation\.learners\.mine\.class` must be given"):
        check_configured_learners({"mine": alone})


@pytest.mark.usefixtures("own")
def test_keywords_a_parameter_model_and_any_keyword_build_the_same():
    typed = {"class": "own_things.means.Typed", "parameters": "own_things.means.Settings"}
    data, nuisances = randomised_world(n_households=30, seed=1, effect_usd=3.0)
    for choice in (
        {"class": "own_things.means.Mean"},
        {"class": "own_things.means.Anything"},
        typed,
    ):
        learner = build_learner(name="mine", choice={**choice, "size": 2.0}).fit(
            covariates=data.covariates,
            treatment=data.treatment,
            outcome=data.outcome,
            nuisances=nuisances.held_out(),
            groups=data.groups,
            rng=np.random.default_rng(0),
        )
        np.testing.assert_allclose(learner.predict_cate(covariates=data.covariates), 6.0)


SEARCHED = {
    "defaults": {"size": 0.5},
    "search_space": {"size": {"kind": "float", "low": 0.5, "high": 1.5}},
}


@pytest.mark.usefixtures("own")
def test_it_is_tuned_in_workers_as_in_this_process():
    data, nuisances = randomised_world(n_households=60, seed=2, effect_usd=3.0)
    one, two = (
        cross_fit_learner(
            name="mine",
            data=data,
            nuisances=nuisances,
            parameters=configured(**SEARCHED),
            tuning=TUNING,
            seed=1,
            n_workers=workers,
        )
        for workers in (1, 2)
    )
    np.testing.assert_array_equal(one.cate, two.cate)
    assert one.parameters[0]["class"] == "own_things.means.Mean"
    np.testing.assert_allclose(one.cate[:, 0], 3.0 * one.parameters[0]["size"])
    assert len(one.tuning) == 3 * TUNING.n_trials


@pytest.mark.usefixtures("own")
def test_predictions_that_are_not_finite_are_refused_by_name():
    data, nuisances = randomised_world(n_households=60, seed=2, effect_usd=3.0)
    with pytest.raises(LearnerError, match="`predict_cate` of `mine` must return one finite"):
        cross_fit_learner(
            name="mine",
            data=data,
            nuisances=nuisances,
            parameters=configured("own_things.means.Gap"),
            tuning=TUNING,
            seed=1,
            n_workers=1,
        )


def test_its_source_and_that_of_its_package_are_in_the_digest(own):
    parameters = configured()
    digests = [code_digest(name="mine", parameters=parameters)]
    (own / "helpers.py").write_text("A = 1\n")
    digests.append(code_digest(name="mine", parameters=parameters))
    module = own / "means.py"
    module.write_text(module.read_text() + "\n# changed\n")
    digests.append(code_digest(name="mine", parameters=parameters))
    assert len(set(digests)) == 3
    assert code_digest(name="mine", parameters=parameters) == digests[-1]
    assert code_digest(name="t_learner", parameters=LearnerParameters()) == ""


def test_another_source_is_another_study(own):
    data, _ = randomised_world(n_households=20, seed=0, effect_usd=1.0)
    settings = {"learners": {"mine": configured()}}

    def digest():
        return analysis.estimation.learner_digest(
            name="mine", data=data, seed=1, tuning=TUNING, **stand_ins(settings)
        )

    before = digest()
    (own / "means.py").write_text(textwrap.dedent(GOOD) + "# changed\n")
    assert digest() != before


def stand_ins(settings):
    """Only what the digest reads."""

    class Nuisance:
        @staticmethod
        def deciding():
            return {}

    class Estimation:
        learners = settings["learners"]

    return {"nuisance": Nuisance(), "estimation": Estimation()}


def test_an_own_learner_estimates_an_effect():
    assert learner_role("mine") == "cate"
    assert learner_role("response") == "ranking_only"


def test_the_deployed_learner_loads_where_its_code_lies_beside_it(own, tmp_path):
    data, nuisances = randomised_world(n_households=40, seed=3, effect_usd=3.0)
    deployed = fit_deployed(
        name="mine",
        data=data,
        nuisances=nuisances,
        parameters=configured(defaults={"size": 2.0}),
        tuning=TUNING,
        seed=1,
        interval_replicates=0,
    )
    assert own_code(deployed.learner) == [str(own)]
    assert own_code(build_learner(name="constant", choice={})) == []
    pickled, table = tmp_path / "model.pkl", tmp_path / "table.csv"
    pickled.write_bytes(pickle.dumps(deployed.learner))
    data.covariates.to_csv(table, index=False)
    code = (
        f"import sys, pickle, pandas; sys.path.append({str(own.parent)!r});"
        f"learner = pickle.load(open({str(pickled)!r}, 'rb'));"
        f"print(learner.predict_cate(covariates=pandas.read_csv({str(table)!r})).mean())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(6.0)


def test_the_configuration_is_read_and_logged_under_its_own_words():
    given = {"class": "a.b.C", "defaults": {"size": 1.0}}
    parameters = LearnerParameters.model_validate(given)
    assert parameters.model_dump(exclude_unset=True) == given
    assert LearnerParameters.model_validate(parameters.model_dump()) == parameters
    assert set(LearnerParameters().model_dump()) == {"defaults", "search_space"}
