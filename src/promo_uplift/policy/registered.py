"""Which registered model scores, and what must be said about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from promo_uplift.contracts.errors import ScoringError
from promo_uplift.policy.scoring import ScoringModel

CHALLENGER: Final = "challenger"
CHAMPION: Final = "champion"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A scoring model as this version of the package reads it.

    Attributes
    ----------
    model : ScoringModel
    filled : tuple of str
        Fields that its classes got since it was made, at their defaults.
    """

    model: ScoringModel
    filled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A version of the registered model, not loaded yet.

    Attributes
    ----------
    name, number : str
        Registered model and its version.
    run_id : str
        MLflow run that made it.
    passed_gate : bool
        Whether the gate made it champion.
    gate : str
        The gate's reason.
    made_with, running : dict of str to str
        Python and package versions that made it, and those of this process; ``made_with`` is
        empty where the version keeps none.
    load : callable
        Loads the scoring model; a ``ScoringError`` says why it cannot.
    """

    name: str
    number: str
    run_id: str
    passed_gate: bool
    gate: str
    made_with: Mapping[str, str]
    running: Mapping[str, str]
    load: Callable[[], LoadedModel]


def choose_version(*, versions: Mapping[str, RegisteredVersion], alias: str) -> RegisteredVersion:
    """Return the version behind an alias.

    Raises
    ------
    ScoringError
        Where none stands, saying why and what can be asked for.
    """
    if alias in versions:
        return versions[alias]
    challenger = versions.get(CHALLENGER)
    if challenger is None:
        raise ScoringError(
            f"`scoring.alias` = {alias} must be an alias of a registered model; found aliases: "
            f"{', '.join(sorted(versions)) or 'none'}. Train and register a model with `kedro run` "
            "first, in the same tracking store and environment."
        )
    if alias == CHAMPION:
        raise ScoringError(
            f"No champion of `{challenger.name}` stands. The gate on the challenger, version "
            f"{challenger.number}: {challenger.gate} To score with it all the same, ask for it: "
            f"--params scoring.alias={CHALLENGER}"
        )
    raise ScoringError(
        f"`scoring.alias` must be an alias of `{challenger.name}`; `{alias}` is none. Known are: "
        f"{', '.join(sorted(versions))}."
    )


def standing_sentence(*, versions: Mapping[str, RegisteredVersion], alias: str) -> str:
    """One sentence on who scored, and whether the gate let it."""
    chosen = versions[alias]
    champion = versions.get(CHAMPION)
    who = f"Scored with the {alias} of {chosen.name}, version {chosen.number}"
    if alias == CHAMPION:
        if chosen.passed_gate:
            return f"{who}. The gate: {chosen.gate}"
        return f"{who}, an alias that was set by hand: it did not pass the gate: {chosen.gate}"
    if champion is not None and champion.number == chosen.number:
        return f"{who}, which is the champion too. The gate: {chosen.gate}"
    return f"{who}, which did not pass the gate: {chosen.gate}"
