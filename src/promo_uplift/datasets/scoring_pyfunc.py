"""The scoring model as an MLflow pyfunc: household covariates in, effect and decision out.

Logged as code plus the pickled model as an artifact, so that the registry shows what runs.
"""

import pickle
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel

from promo_uplift.policy import ScoringModel

#: Name of the artifact that holds the pickled ``ScoringModel``.
ARTIFACT = "scoring_model"
#: Parameter of a request: missing figures as JSON's ``null``, which a server writes as ``NaN``.
MISSING_AS_NULL = "missing_as_null"


class ScoringPyfunc(PythonModel):
    """Delegates to ``ScoringModel.score``; knows only how a missing figure leaves a server."""

    model: ScoringModel

    def load_context(self, context: Any) -> None:
        """Load the scoring model that the run logged."""
        path = Path(context.artifacts[ARTIFACT])
        self.model = pickle.loads(path.read_bytes())  # noqa: S301 - our own artifact

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return effect, interval, profit, ``in_support`` and ``recommend`` for each household."""
        scores = self.model.score(model_input)
        if params and params[MISSING_AS_NULL]:
            return scores.astype(object).where(scores.notna(), None)
        return scores


mlflow.models.set_model(ScoringPyfunc())
