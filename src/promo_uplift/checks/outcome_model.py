"""PU-NUISANCE: the outcome model m(x) of a residual-on-residual regression knows no treatment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters
from promo_uplift.contracts.results import FloatArray, IntArray

#: Names that a finding spells out.
SHOWN = 5


@dataclass(frozen=True, slots=True)
class OutcomeModel:
    """What an outcome model ``m(x) = E[Y | x]`` knows of the treatment.

    Attributes
    ----------
    n_columns : int
        Columns that it was fitted on.
    treatment_columns : tuple of str
        Those that are the treatment, by name or by their values.
    largest_change : float
        Largest change of a prediction when the treatment is permuted, in standard deviations of
        the predictions; 0 where that was not tried.
    """

    n_columns: int
    treatment_columns: tuple[str, ...]
    largest_change: float = 0.0

    @classmethod
    def of(cls, columns: Sequence[str], treatment_name: str) -> OutcomeModel:
        """Look for the treatment by name among the columns of the model."""
        return cls(len(columns), tuple(name for name in columns if name == treatment_name))

    @classmethod
    def of_table(cls, *, covariates: pd.DataFrame, treatment: IntArray) -> OutcomeModel:
        """Look for columns that tell the arms apart without an error, whatever their names."""
        treated = np.asarray(treatment) == 1
        found = [
            str(name)
            for name in covariates.columns
            if not set(covariates.loc[treated, name]) & set(covariates.loc[~treated, name])
            and covariates[name].nunique() == len(np.unique(treatment))
        ]
        return cls(covariates.shape[1], tuple(found))

    @classmethod
    def of_model(
        cls,
        *,
        predict: Callable[[pd.DataFrame], FloatArray],
        table: pd.DataFrame,
        treatment_name: str,
        seed: int,
    ) -> OutcomeModel:
        """Permute the treatment in the table from which the model predicts.

        Parameters
        ----------
        predict : callable
            Predictions ``(n,)`` from the whole table.
        table : DataFrame
            Covariates and treatment.
        treatment_name : str
        seed : int
            Of the permutation.

        Raises
        ------
        CheckError
            If the table has no such column, or it does not vary.
        """
        if treatment_name not in table or table[treatment_name].nunique() < 2:
            raise CheckError(
                f"`table` must hold a column {treatment_name!r} with several values; found the "
                f"columns {list(table.columns)}."
            )
        shuffled = np.random.default_rng(seed).permutation(table[treatment_name].to_numpy())
        before = np.asarray(predict(table), dtype=np.float64)
        after = np.asarray(predict(table.assign(**{treatment_name: shuffled})), dtype=np.float64)
        scale = float(before.std())
        change = float(np.abs(after - before).max()) / (scale if scale > 0.0 else 1.0)
        return cls(table.shape[1], (), change)


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """No column is the treatment, and permuting it moves no prediction."""
    words, model = evidence.wording, evidence.need(OutcomeModel)
    names, limit = model.treatment_columns, parameters.max_prediction_change
    found = []
    if names:
        found.append("it has " + ", ".join(f"`{name}`" for name in names[:SHOWN]))
    if model.largest_change > limit:
        found.append(
            f"permuting the {words.treatment} moves a prediction by "
            f"{model.largest_change:.2g} standard deviations"
        )
    return Finding(
        rule=f"the outcome model m(x) does not know the {words.treatment}",
        value=float(len(names)) if names else model.largest_change,
        threshold=0.0 if names else limit,
        passed=not found,
        sentence=(
            f"The outcome model of {model.n_columns} columns knows the {words.treatment}: "
            f"{' and '.join(found)}. Its residual has the effect taken out."
            if found
            else f"None of the {model.n_columns} columns of the outcome model is the "
            f"{words.treatment}, and nothing shows that it knows it."
        ),
    )


CHECK = Check(
    code="PU-NUISANCE",
    title="The outcome model knows no treatment",
    family="ranking",
    needs=(OutcomeModel,),
    look=_look,
)
