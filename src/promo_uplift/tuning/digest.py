"""A name for a study that changes with whatever could change its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from promo_uplift.contracts.parameters import TuningParameters
from promo_uplift.contracts.results import TrialData

#: Packages whose code or version decides what a study finds.
LIBRARIES = ("econml", "lightgbm", "numpy", "optuna", "scikit-learn")
ROOMS = ("contracts", "nuisance", "learners", "effects", "tuning")
#: Tuning parameters that change where and how a study runs, not what it finds.
NO_INFLUENCE = {"storage", "lease_seconds", "warm_start", "progress"}


def tuning_settings(*, tuning: TuningParameters, warm_start: Mapping[str, Any] | None) -> Any:
    """Tuning parameters that decide what a study finds; a warm start counts by its content."""
    return tuning.model_dump(exclude=NO_INFLUENCE) | {"warm_start": warm_start}


def study_digest(*, data: TrialData, settings: Mapping[str, Any]) -> str:
    """Digest of rows, settings, code and libraries: 12 hexadecimal characters.

    A study resumes only under the same digest, so that nothing tuned on other data, with other
    settings or by other code is taken over in silence.

    Parameters
    ----------
    data : TrialData
        The rows that are tuned on.
    settings : mapping of str to JSON-like values
        Whatever else decides the result: learner, budget, seed.
    """
    digest = hashlib.sha256()
    digest.update("|".join(map(str, data.covariates.columns)).encode())
    digest.update(pd.util.hash_pandas_object(data.covariates, index=False).to_numpy().tobytes())
    known = () if data.known_propensity is None else (data.known_propensity,)
    columns = (data.treatment, data.outcome, data.redeemed, data.groups, data.campaign, *known)
    for values in columns:
        digest.update(np.ascontiguousarray(values).tobytes())
    digest.update(json.dumps(settings, sort_keys=True, default=str).encode())
    digest.update("|".join(f"{name}=={version(name)}" for name in LIBRARIES).encode())
    root = Path(__file__).resolve().parents[1]
    for room in ROOMS:
        for file in sorted((root / room).glob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
