"""What a model was made with: columns, data, definitions, libraries; and what differs now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from promo_uplift.contracts.errors import ScoringError
from promo_uplift.contracts.parameters import (
    EstimationParameters,
    PolicyParameters,
    SourceParameters,
    TrialParameters,
)

#: Of these a cut of the raw tables is made: with other values it would be another model's input,
#: or its effects those of another treatment.
OF_A_CUT: Final = (
    "trials.pre_days",
    "trials.history_days",
    "trials.outcome_days",
    "trials.treatment_definition",
    "trials.category",
    "estimation.outcome",
)
#: What a new cut is expected to change: said, and no reason for doubt.
DATA_VERSION: Final = "data_version"
ABSENT: Final = "absent"
#: Arms of a table of the user's own.
COMPARISON: Final = "comparison"

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class DataContract:
    """What a scoring model's figures are a function of, besides the model itself.

    Attributes
    ----------
    covariates : tuple of str
        Columns that the models were fitted on, in their order.
    columns : tuple of str
        Columns that a table of households must hold: the covariates, or the user's own.
    data_version : str
        Form of the source and digest of the data that it was fitted on.
    definition : dict
        Parameters that decide what a covariate and the effect mean, and the money, by their
        dotted names.
    """

    covariates: tuple[str, ...]
    columns: tuple[str, ...]
    data_version: str
    definition: dict[str, Value]

    @property
    def is_of_raw_tables(self) -> bool:
        """Whether its covariates come from a retailer's raw tables, not from a table of its own."""
        return all(name in self.definition for name in OF_A_CUT)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was when the model was made.

    Attributes
    ----------
    name : str
        Parameter, package or ``data_version``.
    model, now : str, number or None
        Value then and now.
    """

    name: str
    model: Value
    now: Value

    def __str__(self) -> str:
        return f"`{self.name}` {self.model} (now {self.now})"


def definition_of_raw_tables(
    *,
    trials: TrialParameters,
    estimation: EstimationParameters,
    source: SourceParameters,
    policy: PolicyParameters,
) -> dict[str, Value]:
    """Parameters that decide what the covariates and the effect of a retailer's trials mean."""
    chosen = {
        "trials": trials.model_dump(
            include={
                "treatment_definition",
                "control_definition",
                "category",
                "campaign_types",
                "pre_days",
                "history_days",
                "outcome_days",
            }
        ),
        "source": {"form": source.form},
    }
    return {**_flat(chosen), **definition_of_a_table(estimation=estimation, policy=policy)}


def definition_of_a_table(
    *, estimation: EstimationParameters, policy: PolicyParameters, comparison: str | None = None
) -> dict[str, Value]:
    """Return the same of a table that came with its treatment: outcome and money only.

    ``comparison`` is "<arm> against <control>" of that table.
    """
    arms = {} if comparison is None else {COMPARISON: comparison}
    money = policy.model_dump(
        mode="json", exclude={"grid_points", "support_quantile", "values_are_assumptions"}
    )
    return {**arms, **_flat({"estimation": {"outcome": estimation.outcome}, "policy": money})}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Value]:
    leaves: dict[str, Value] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            leaves |= _flat(value, f"{name}.")
        else:
            leaves[name] = ", ".join(map(str, value)) if isinstance(value, list) else value
    return leaves


def definition_differences(
    *, contract: DataContract, definition: Mapping[str, Value]
) -> tuple[Difference, ...]:
    """Parameters of the model that have another value now; those absent now are not compared."""
    return tuple(
        Difference(name, made_with, definition[name])
        for name, made_with in contract.definition.items()
        if name in definition and definition[name] != made_with
    )


def package_differences(
    *, made_with: Mapping[str, str], running: Mapping[str, str]
) -> tuple[Difference, ...]:
    """Return the packages, and Python, whose version is not that which made the model."""
    return tuple(
        Difference(name, version, running.get(name, ABSENT))
        for name, version in made_with.items()
        if running.get(name, ABSENT) != version
    )


def refuse_other_cut(*, contract: DataContract | None, definition: Mapping[str, Value]) -> None:
    """Refuse to cut the raw tables for a model that was made with other windows or treatment.

    Raises
    ------
    ScoringError
        If the model keeps no contract, is of a table of its own, or one of :data:`OF_A_CUT`
        differs in ``definition``.
    """
    if contract is None:
        raise ScoringError(
            "`scoring.as_of` needs a model that keeps its data contract; this one was registered "
            "before there was one. Register a new one with `kedro run`, or score a table of its "
            "covariates with `scoring.table`."
        )
    if not contract.is_of_raw_tables:
        raise ScoringError(
            "`scoring.as_of` cuts a retailer's raw tables; this model was made for a table with "
            f"the columns {list(contract.columns)}. Give such a table with `scoring.table`."
        )
    differences = definition_differences(contract=contract, definition=definition)
    decisive = [one for one in differences if one.name in OF_A_CUT]
    if decisive:
        raise ScoringError(
            "`scoring.as_of` needs the windows, the treatment and the outcome that the model was "
            f"made with; it has {'; '.join(map(str, decisive))}. Set them back with --params, or "
            "train a model with the new ones."
        )
