"""The checkout, its configuration and its pipelines, without a session: nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from kedro.config import OmegaConfigLoader

from promo_uplift.pipeline_registry import ENVIRONMENT, register_pipelines
from promo_uplift.settings import CONFIG_LOADER_ARGS


@pytest.fixture(scope="session")
def root():
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def package(root):
    return root / "src" / "promo_uplift"


@pytest.fixture(scope="session")
def load_configuration(root):
    """A function from an environment to its configuration loader."""

    def load(environment):
        return OmegaConfigLoader(
            conf_source=str(root / "conf"), env=environment, **CONFIG_LOADER_ARGS
        )

    return load


@pytest.fixture(scope="session")
def pipelines_of():
    """A function from an environment to the pipelines that it registers."""

    def register(environment):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(ENVIRONMENT, environment)
            return register_pipelines()

    return register


@pytest.fixture(scope="session")
def pipelines(pipelines_of):
    return pipelines_of("base")
