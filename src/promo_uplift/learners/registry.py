"""The learners by name: which class, which parameters, and what each does with unusual data."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import ValidationError

from promo_uplift.contracts.errors import LearnerError
from promo_uplift.contracts.learner import Learner
from promo_uplift.contracts.parameters import (
    BASELINES,
    LearnerParameters,
    LightGBMParameters,
    Parameters,
)
from promo_uplift.contracts.results import TrialData
from promo_uplift.learners.base import NoParameters
from promo_uplift.learners.causal_forest import CausalForest, CausalForestParameters
from promo_uplift.learners.class_transformation import ClassTransformation
from promo_uplift.learners.constant import Constant
from promo_uplift.learners.dr_learner import DRLearner
from promo_uplift.learners.ensemble import Ensemble, ensemble_choice, member_choices
from promo_uplift.learners.linear_dml import LinearDML, LinearDMLParameters
from promo_uplift.learners.own import CLASS, IMPORT_PATHS, build_own, own_parameters
from promo_uplift.learners.r_learner import RLearner
from promo_uplift.learners.random_score import RandomScore
from promo_uplift.learners.regularised import RegularisedTreesParameters
from promo_uplift.learners.response import Response
from promo_uplift.learners.s_learner import SLearner
from promo_uplift.learners.t_learner import TLearner
from promo_uplift.learners.trend_learner import TrendLearner, TrendLearnerParameters
from promo_uplift.learners.uplift_forest import UpliftForest, UpliftForestParameters
from promo_uplift.learners.x_learner import XLearner
from promo_uplift.learners.zero import Zero

Role = Literal["baseline", "cate", "ranking_only"]
Choice = Mapping[str, float | int | str | bool]


@dataclass(frozen=True, slots=True)
class Support:
    """What a learner does with one kind of data.

    Attributes
    ----------
    is_supported : bool
        False: refused with a ``LearnerError``, or not part of the protocol.
    note : str
        One sentence for the reader.
    """

    is_supported: bool
    note: str


ONE_ARM_AT_A_TIME = Support(
    False,
    "Refused: one arm against the control at a time; `promo_uplift.analyse` takes a table with "
    "several arms and does just that.",
)
NO_DOSE = Support(False, "Refused: it compares two arms; compare two doses as arms.")
SLOPE_PER_DOSE = Support(
    True, "Supported: the effect of one unit, taken as the same at every dose (linear in it)."
)
NO_WEIGHTS = Support(False, "Refused: the protocol takes no sample weights.")
TREES_TAKE_MISSING = Support(True, "Supported: LightGBM learns a direction for missing values.")
RISK_DIFFERENCE = Support(True, "Supported: the effect is a risk difference.")


@dataclass(frozen=True, slots=True)
class LearnerSpec:
    """One entry of the registry.

    Attributes
    ----------
    name : str
        Name in configuration and results.
    role : {"baseline", "cate", "ranking_only"}
        ``baseline``: an effect that is no model of heterogeneity; ``cate``: an effect in USD;
        ``ranking_only``: a score to rank by, whose size means nothing.
    summary : str
        One sentence for the leaderboard and the docs.
    parameters : type
        Pydantic model of its parameters.
    build : callable
        ``parameters -> Learner``, unfitted; of a combination ``choice -> Learner``. Randomness
        comes with ``fit``.
    offers_interval : bool
        Whether ``predict_interval`` is native.
    missing_covariates, binary_outcome, several_arms, weights, continuous_dose : Support
        What it does with each.
    tuning_overrides : mapping
        ``{parameter: the parameter that replaces it while tuning}``, for cheaper trials.
    requires : str or None
        Package that it imports when fitted and that is not installed everywhere; None: none.
    combines : bool
        Whether it is a combination of the other learners, which weighs what they predict.
    """

    name: str
    role: Role
    summary: str
    parameters: type[Parameters]
    build: Callable[[Any], Learner]
    offers_interval: bool
    missing_covariates: Support
    binary_outcome: Support
    several_arms: Support
    weights: Support
    tuning_overrides: Mapping[str, str]
    continuous_dose: Support = NO_DOSE
    requires: str | None = None
    combines: bool = False


def _boosted(
    *,
    name: str,
    role: Role,
    summary: str,
    build: Callable[[Any], Learner],
    parameters: type[LightGBMParameters] = LightGBMParameters,
    continuous_dose: Support = NO_DOSE,
) -> LearnerSpec:
    return LearnerSpec(
        name=name,
        role=role,
        summary=summary,
        parameters=parameters,
        build=build,
        offers_interval=False,
        missing_covariates=TREES_TAKE_MISSING,
        binary_outcome=RISK_DIFFERENCE,
        several_arms=ONE_ARM_AT_A_TIME,
        weights=NO_WEIGHTS,
        tuning_overrides={},
        continuous_dose=continuous_dose,
    )


def _baseline(
    *, name: str, role: Role, summary: str, build: Callable[[Any], Learner]
) -> LearnerSpec:
    return LearnerSpec(
        name=name,
        role=role,
        summary=summary,
        parameters=NoParameters,
        build=build,
        offers_interval=False,
        missing_covariates=Support(True, "Supported: covariates are not modelled."),
        binary_outcome=RISK_DIFFERENCE,
        several_arms=ONE_ARM_AT_A_TIME,
        weights=NO_WEIGHTS,
        tuning_overrides={},
    )


def _combined(choice: Choice) -> Ensemble:
    weights, choices = member_choices(choice)
    members = {name: build_learner(name=name, choice=part) for name, part in choices.items()}
    return Ensemble(members=members, weights=weights)


LEARNERS: dict[str, LearnerSpec] = {
    "zero": _baseline(
        name="zero",
        role="baseline",
        summary="No effect on anyone.",
        build=Zero,
    ),
    "constant": _baseline(
        name="constant",
        role="baseline",
        summary="The average effect (doubly robust) on everyone.",
        build=Constant,
    ),
    "response": _boosted(
        name="response",
        role="ranking_only",
        summary="Ranks by predicted spend, whatever the mailing does.",
        build=Response,
    ),
    "random": _baseline(
        name="random",
        role="ranking_only",
        summary="Ranks by a hash: knows nothing.",
        build=RandomScore,
    ),
    "s_learner": _boosted(
        name="s_learner",
        role="cate",
        summary="One outcome model with the mailing as a feature.",
        build=SLearner,
        continuous_dose=Support(
            True,
            "Supported: the mean slope between one standard deviation below and above the mean "
            "dose, per unit of dose.",
        ),
    ),
    "t_learner": _boosted(
        name="t_learner",
        role="cate",
        summary="One outcome model per arm.",
        build=TLearner,
    ),
    "x_learner": _boosted(
        name="x_learner",
        role="cate",
        summary="Imputed effects per arm, weighted by propensity.",
        build=XLearner,
        parameters=RegularisedTreesParameters,
    ),
    "dr_learner": _boosted(
        name="dr_learner",
        role="cate",
        summary="Doubly robust scores regressed on covariates.",
        build=DRLearner,
        parameters=RegularisedTreesParameters,
    ),
    "r_learner": _boosted(
        name="r_learner",
        role="cate",
        summary="The outcome's residual on the treatment's, weighted by overlap.",
        build=RLearner,
        parameters=RegularisedTreesParameters,
        continuous_dose=SLOPE_PER_DOSE,
    ),
    "linear_dml": LearnerSpec(
        name="linear_dml",
        role="cate",
        summary="Linear in the covariates, on the shared residuals.",
        parameters=LinearDMLParameters,
        build=LinearDML,
        offers_interval=False,
        missing_covariates=Support(
            True, "Supported: training means, with the number of imputed cells kept."
        ),
        binary_outcome=RISK_DIFFERENCE,
        several_arms=ONE_ARM_AT_A_TIME,
        weights=NO_WEIGHTS,
        tuning_overrides={},
        continuous_dose=SLOPE_PER_DOSE,
    ),
    "class_transformation": _boosted(
        name="class_transformation",
        role="cate",
        summary="One model of an outcome that carries the effect, weighted by propensity.",
        build=ClassTransformation,
    ),
    "trend_learner": LearnerSpec(
        name="trend_learner",
        role="cate",
        summary="A sparse linear trend with effect modifiers, then trees on what it leaves.",
        parameters=TrendLearnerParameters,
        build=TrendLearner,
        offers_interval=False,
        missing_covariates=Support(
            True, "Supported: the mean in the linear part, a direction of its own in the trees."
        ),
        binary_outcome=RISK_DIFFERENCE,
        several_arms=ONE_ARM_AT_A_TIME,
        weights=NO_WEIGHTS,
        tuning_overrides={},
    ),
    "causal_forest": LearnerSpec(
        name="causal_forest",
        role="cate",
        summary="Honest causal forest on shared residuals (econml).",
        parameters=CausalForestParameters,
        build=CausalForest,
        offers_interval=True,
        missing_covariates=Support(
            True, "Supported: training medians, with the number of imputed cells kept."
        ),
        binary_outcome=RISK_DIFFERENCE,
        several_arms=ONE_ARM_AT_A_TIME,
        weights=NO_WEIGHTS,
        tuning_overrides={"n_estimators": "tuning_n_estimators"},
        continuous_dose=SLOPE_PER_DOSE,
    ),
    "uplift_forest": LearnerSpec(
        name="uplift_forest",
        role="cate",
        summary="Forest that splits where the arms differ (causalml).",
        parameters=UpliftForestParameters,
        build=UpliftForest,
        offers_interval=False,
        missing_covariates=Support(
            True, "Supported: training medians, with the number of imputed cells kept."
        ),
        binary_outcome=Support(
            True,
            "Supported: the effect is a risk difference; nothing is adjusted for, so it belongs to "
            "an experiment.",
        ),
        several_arms=ONE_ARM_AT_A_TIME,
        weights=NO_WEIGHTS,
        tuning_overrides={"n_estimators": "tuning_n_estimators"},
        requires="causalml",
    ),
    "ensemble": LearnerSpec(
        name="ensemble",
        role="cate",
        summary="The other learners' effects and the average, weighted on held-out folds.",
        parameters=NoParameters,
        build=_combined,
        offers_interval=False,
        missing_covariates=Support(True, "Supported: as its members do."),
        binary_outcome=RISK_DIFFERENCE,
        several_arms=ONE_ARM_AT_A_TIME,
        weights=NO_WEIGHTS,
        tuning_overrides={},
        combines=True,
    ),
}


def learner_spec(name: str) -> LearnerSpec:
    """Look a learner up.

    Raises
    ------
    LearnerError
        If it is unknown, with the nearest name and all known ones.
    """
    if name in LEARNERS:
        return LEARNERS[name]
    near = difflib.get_close_matches(name, LEARNERS, n=1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    raise LearnerError(
        f"`learners` must name registered learners; `{name}` is unknown.{hint} "
        f"Known: {', '.join(LEARNERS)}."
    )


def learner_role(name: str) -> Role:
    """Role of a configured learner; one of the user's own estimates an effect."""
    return LEARNERS[name].role if name in LEARNERS else "cate"


def build_learner(*, name: str, choice: Choice) -> Learner:
    """Build an unfitted learner from its name and parameters.

    A choice with the key ``class`` builds a learner of the user's own; that of a learner which
    combines others holds their weights and hyperparameters.

    Raises
    ------
    LearnerError
        If the name is unknown, or a parameter is missing, unknown or out of range.
    """
    if CLASS in choice:
        return build_own(name=name, choice=choice)
    spec = learner_spec(name)
    if spec.combines:
        return spec.build(choice)
    try:
        parameters = spec.parameters.model_validate(dict(choice))
    except ValidationError as error:
        found = "; ".join(
            f"`{'.'.join(str(part) for part in one['loc'])}`: {one['msg']} (got {one['input']!r})"
            for one in error.errors(include_url=False)
        )
        known = ", ".join(spec.parameters.model_fields) or "none"
        raise LearnerError(
            f"`{name}` was given wrong parameters: {found}. Its parameters: {known}."
        ) from error
    return spec.build(parameters)


def left_out_learners(*, names: Iterable[str], data: TrialData) -> dict[str, str]:
    """Learners that cannot run here, or that refuse this data by their registry entry, and why.

    Parameters
    ----------
    names : iterable of str
        Configured learners.
    data : TrialData
        Stacked trials.

    Returns
    -------
    dict of str to str
        One sentence per learner that is left out; empty where all can run.
    """
    has_missing = bool(data.covariates.isna().to_numpy().any())
    is_binary = bool(np.isin(data.outcome, (0.0, 1.0)).all())
    reasons = {}
    for name in names:
        if name not in LEARNERS:  # one of the user's own: it refuses what it does not take itself
            continue
        spec = LEARNERS[name]
        if spec.requires is not None and importlib.util.find_spec(spec.requires) is None:
            reasons[name] = (
                f"Left out: it needs the package `{spec.requires}`, which is not installed."
            )
        elif has_missing and not spec.missing_covariates.is_supported:
            reasons[name] = f"Left out: covariates are missing. {spec.missing_covariates.note}"
        elif is_binary and not spec.binary_outcome.is_supported:
            reasons[name] = f"Left out: the outcome is binary. {spec.binary_outcome.note}"
    return reasons


def refuse_left_out(*, left_out: Mapping[str, str]) -> None:
    """Refuse learners that somebody named and that cannot run.

    Raises
    ------
    LearnerError
        With each reason, where there is any.
    """
    if left_out:
        why = " ".join(f"`{name}`: {reason}" for name, reason in left_out.items())
        raise LearnerError(
            f"`learners` must name learners that can run here. {why} "
            "Name others, or install what is missing."
        )


def check_some_can_run(*, candidates: Sequence[str], left_out: Mapping[str, str]) -> None:
    """Refuse where no candidate, or not every baseline, can run.

    Raises
    ------
    LearnerError
        With each reason.
    """
    stuck = [name for name in BASELINES if name in left_out]
    if all(name in left_out for name in candidates):
        stuck = [*candidates, *stuck]
    if stuck:
        why = " ".join(f"`{name}`: {left_out[name]}" for name in stuck)
        raise LearnerError(
            "`estimation` must hold the baselines and at least one candidate that can run on this "
            f"data. {why} Add a candidate, or install what is missing."
        )


def tuning_choice(*, name: str, choice: Choice) -> dict[str, float | int | str | bool]:
    """Return the parameters to use while tuning: the same, with cheaper sizes where stated."""
    if CLASS in choice:
        return dict(choice)
    if learner_spec(name).combines:
        weights, choices = member_choices(choice)
        cheaper_members = {
            one: tuning_choice(name=one, choice=part) for one, part in choices.items()
        }
        return ensemble_choice(weights=weights, choices=cheaper_members)
    overrides = learner_spec(name).tuning_overrides
    return {**choice, **{key: choice[cheaper] for key, cheaper in overrides.items()}}


def check_learners(*, parameters: Mapping[str, LearnerParameters]) -> None:
    """Refuse unknown learners and wrong parameters before anything is fitted.

    Parameters
    ----------
    parameters : mapping
        Learner's name to its configuration.

    Raises
    ------
    LearnerError
        Naming the learner and the parameter.
    """
    for name, configured in parameters.items():
        known = _known_parameters(name=name, configured=configured)
        unknown = [key for key in configured.search_space if known is not None and key not in known]
        if unknown:
            raise LearnerError(
                f"`{name}.search_space` must search the learner's parameters; {unknown} are "
                f"unknown. Its parameters: {', '.join(known or ()) or 'none'}."
            )


def _known_parameters(*, name: str, configured: LearnerParameters) -> tuple[str, ...] | None:
    """Names of a learner's parameters, None if it takes any; refuse what cannot be built."""
    paths = configured.import_paths
    if not paths:
        spec = learner_spec(name)
        if not spec.combines:
            build_learner(name=name, choice=configured.defaults)
        elif configured.defaults:
            raise LearnerError(
                f"`{name}.defaults` must be empty: its weights are fitted; found "
                f"{configured.defaults}. Remove them; `estimation.ensemble_loss` is its setting."
            )
        return tuple(spec.parameters.model_fields)
    field = f"estimation.learners.{name}"
    if CLASS not in paths:
        raise LearnerError(f"`{field}.class` must be given with `{field}.parameters`. Add it.")
    if name in LEARNERS or "." in name:
        raise LearnerError(
            f"`{field}` has a `class`, so its name must be its own, without a dot: no learner of "
            f"the registry ({', '.join(LEARNERS)}). Choose another name."
        )
    taken = [key for key in configured.defaults if key in IMPORT_PATHS]
    if taken:
        raise LearnerError(
            f"`{field}.defaults` must not hold {taken}: they are import paths beside `defaults`. "
            "Move or rename them."
        )
    choice = {**paths, **configured.defaults}
    build_learner(name=name, choice=choice)
    return own_parameters(name=name, choice=choice)
