"""Kedro settings: configuration loader, hooks, and telemetry off before any library can send."""

import os
from pathlib import Path

# Before the first import of kedro-telemetry or mlflow: both decide at import time.
os.environ.setdefault("KEDRO_DISABLE_TELEMETRY", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")

from kedro.config import OmegaConfigLoader
from kedro.utils import find_kedro_project
from omegaconf.resolvers import oc

from promo_uplift.hooks import RunContextHooks


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
HOOKS = (RunContextHooks(),)
