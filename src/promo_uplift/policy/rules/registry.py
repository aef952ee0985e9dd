"""The policies by name, and how a configuration becomes policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.import_path import check_method, imported, nearest
from promo_uplift.contracts.parameters import Parameters, PoliciesParameters
from promo_uplift.policy.rules.base import Constraint, Policy
from promo_uplift.policy.rules.break_even import BreakEven
from promo_uplift.policy.rules.budget import Budget
from promo_uplift.policy.rules.contact_frequency import ContactFrequency
from promo_uplift.policy.rules.current import Current
from promo_uplift.policy.rules.everyone import Everyone
from promo_uplift.policy.rules.fairness import Fairness
from promo_uplift.policy.rules.lower_bound import LowerBound
from promo_uplift.policy.rules.none import Nobody
from promo_uplift.policy.rules.policy_forest import PolicyForest
from promo_uplift.policy.rules.policy_tree import PolicyTree
from promo_uplift.policy.rules.random_share import RandomShare
from promo_uplift.policy.rules.response import ResponseShare
from promo_uplift.policy.rules.risk_adjusted import RiskAdjusted
from promo_uplift.policy.rules.roi_optimal import RoiOptimal
from promo_uplift.policy.rules.segments import Segments
from promo_uplift.policy.rules.top_share import TopShare

POLICIES: dict[str, type[Policy]] = {
    "none": Nobody,
    "all": Everyone,
    "current": Current,
    "random": RandomShare,
    "response": ResponseShare,
    "roi_optimal": RoiOptimal,
    "break_even": BreakEven,
    "risk_adjusted": RiskAdjusted,
    "lower_bound": LowerBound,
    "top_share": TopShare,
    "budget": Budget,
    "policy_tree": PolicyTree,
    "policy_forest": PolicyForest,
    "segments": Segments,
    "contact_frequency": ContactFrequency,
    "fairness": Fairness,
}
#: Always among the policies: every other is compared with each of them.
BASELINES = ("none", "all", "current", "random", "response")
#: Key of an entry that is a policy of the user's own: the import path of its class.
CLASS = "class"
#: Rows of the table that are no policies.
RESERVED = ("best_of_all", "winner_as_read")


def build_policies(parameters: PoliciesParameters) -> dict[str, Policy]:
    """Build the configured policies, unfitted, in their order.

    Raises
    ------
    PolicyError
        If a policy is unknown (with the nearest name), a baseline is missing, a setting is
        unknown, missing or out of range, an import path is wrong, or two policies have one name.
    """
    rules = parameters.rules
    absent = [name for name in BASELINES if name not in rules]
    if absent:
        raise PolicyError(
            f"`policies.rules` must hold the baselines {list(BASELINES)}; missing: {absent}. Add "
            "them, each with `{}`."
        )
    built: dict[str, Policy] = {}
    for name, values in rules.items():
        for made, policy in _entry(name=name, values=values, others=built).items():
            if made in built or made in RESERVED:
                raise PolicyError(
                    f"`policies.rules` must give each policy a name of its own; `{made}` is taken. "
                    f"Rename `{name}`, or remove the value that stands twice."
                )
            built[made] = policy
    return built


def _entry(
    *, name: str, values: Mapping[str, Any], others: Mapping[str, Policy]
) -> dict[str, Policy]:
    field = f"policies.rules.{name}"
    cls = _own(name=name, path=values[CLASS]) if CLASS in values else _registered(name)
    given = {key: value for key, value in values.items() if key != CLASS}
    settings = _settings(cls=cls, field=field, given=given)
    if issubclass(cls, Constraint):
        of = settings.of  # type: ignore[attr-defined]
        if of not in others:
            raise PolicyError(
                f"`{field}.of` must name a policy that stands before it; found {of!r}."
                f"{nearest(of, others)} Known there: {', '.join(others)}."
            )
        return {name: cls(settings, others[of])}  # type: ignore[arg-type]
    return {f"{name}{ending}": policy for ending, policy in cls.variants(settings).items()}


def _registered(name: str) -> type[Policy]:
    if name not in POLICIES:
        raise PolicyError(
            f"`policies.rules` must name registered policies, or give one of your own its `class`; "
            f"`{name}` is unknown.{nearest(name, POLICIES)} Known: {', '.join(POLICIES)}."
        )
    return POLICIES[name]


def _own(*, name: str, path: Any) -> type[Policy]:
    field = f"policies.rules.{name}.{CLASS}"
    if name in POLICIES:
        raise PolicyError(
            f"`policies.rules.{name}` has a `class`, so its name must be its own: no policy of the "
            f"registry ({', '.join(POLICIES)}). Choose another name."
        )
    found = imported(path=str(path), field=field, error=PolicyError)
    if not (isinstance(found, type) and issubclass(found, Policy)):
        raise PolicyError(
            f"`{field}` must name a class that derives from "
            f"`promo_uplift.policy.rules.base.Policy`; `{path}` does not. Derive it."
        )
    check_method(
        cls=found,
        method=Policy.fit,
        what=f"`{field}` must follow the protocol of policies; `{path}`",
        error=PolicyError,
    )
    model = getattr(found, "Settings", None)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise PolicyError(
            f"`{field}` must name a class with a Pydantic model `Settings`; `{path}` has none. "
            "Take `NoSettings`, or derive one from `promo_uplift.contracts.parameters.Parameters`."
        )
    return found


def _settings(*, cls: type[Policy], field: str, given: Mapping[str, Any]) -> Parameters:
    try:
        return cls.Settings.model_validate(dict(given))
    except ValidationError as error:
        known = list(cls.Settings.model_fields)
        found = "; ".join(
            f"`{field}.{'.'.join(str(part) for part in one['loc'])}`: {one['msg']} "
            f"(got {one['input']!r})"
            for one in error.errors(include_url=False)
        )
        unknown = next((key for key in given if key not in known), "")
        raise PolicyError(
            f"`{field}` was given wrong settings: {found}.{nearest(unknown, known)} Its settings: "
            f"{', '.join(known) or 'none'}."
        ) from error
