"""Kedro settings: configuration loader and hooks; telemetry off and libraries quiet first."""

import os
import warnings
from pathlib import Path

# Before the first import of kedro-telemetry or mlflow: both decide at import time.
os.environ.setdefault("KEDRO_DISABLE_TELEMETRY", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")

# mlflow sets its loggers up at import, over conf/logging.yml; its bar shows copies of local files.
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

# A call inside Kedro and kedro-mlflow that whoever runs this project cannot change.
warnings.filterwarnings("ignore", message=r"register_new_resolver\(\) is deprecated")
with warnings.catch_warnings(record=True):
    # mlflow tells kedro-mlflow to type its model class, past every filter: heard here once
    import kedro_mlflow.mlflow  # noqa: F401

from kedro.config import OmegaConfigLoader  # noqa: E402 - after the environment is set
from kedro.utils import find_kedro_project  # noqa: E402
from omegaconf.resolvers import oc  # noqa: E402

from promo_uplift.hooks import RunContextHooks, TrackingHooks  # noqa: E402


def project_root() -> str:
    """Return the project folder, so that tracking paths do not depend on the working folder."""
    return Path(find_kedro_project(Path.cwd()) or Path.cwd()).resolve().as_posix()


CONFIG_LOADER_CLASS = OmegaConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft", "globals": "soft", "mlflow": "soft"},
    "custom_resolvers": {"root": project_root, "oc.env": oc.env},
    "config_patterns": {"mlflow": ["mlflow*", "mlflow*/**", "**/mlflow*"]},
}
# TrackingHooks stand in for them; Kedro compares the name as the distribution spells it
DISABLE_HOOKS_FOR_PLUGINS = ("kedro_mlflow", "kedro-mlflow")
HOOKS = (RunContextHooks(), TrackingHooks())
