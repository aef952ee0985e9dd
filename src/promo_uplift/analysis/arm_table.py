"""A table with several arms, what each costs and what may be spent: read, or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd

from promo_uplift.analysis.arms import refuse_arm_learner
from promo_uplift.contracts.arm_parameters import ArmsParameters
from promo_uplift.contracts.errors import PolicyError, TrialError
from promo_uplift.contracts.parameters import (
    EstimationParameters,
    PolicyParameters,
    TableParameters,
)
from promo_uplift.contracts.results import FloatArray
from promo_uplift.learners import left_out_learners, refuse_left_out
from promo_uplift.sources import table_version
from promo_uplift.trials import TableArms, TableTrial, arm_label, table_arms, table_trials


@dataclass(frozen=True, slots=True)
class ArmsTable:
    """What a decision between several arms rests on, all of it checked.

    Attributes
    ----------
    trials : tuple of TableTrial
        Each arm against the control, on their rows.
    arms : TableArms
        All rows.
    costs : dict of float or float64 (n,)
        USD of each arm, for a row or row by row.
    cost_columns : dict of str
        Column of the table by arm, of those whose cost is in one.
    budget_usd : float
        Over all rows.
    learner : str
        Predicts each arm's effect.
    columns : DataFrame
        What became of every column of the table: ``column, role, used, reason, n_missing,
        n_levels, arm, control``, for each arm.
    version : str
        Digest of the table.
    """

    trials: tuple[TableTrial, ...]
    arms: TableArms
    costs: dict[str, float | FloatArray]
    cost_columns: dict[str, str]
    budget_usd: float
    learner: str
    columns: pd.DataFrame
    version: str

    @property
    def rows(self) -> dict[str, int]:
        """Rows that got the control and each arm."""
        names = (self.arms.control, *self.arms.names)
        counts = np.bincount(self.arms.arm, minlength=len(names))
        return {name: int(count) for name, count in zip(names, counts, strict=True)}

    def cost_of(self, arm: str) -> float:
        """Mean cost of an arm over the rows to which it is on offer, USD."""
        cost = np.asarray(self.costs[arm])
        return float(cost[np.isfinite(cost)].mean())


def read_arms(
    *,
    frame: pd.DataFrame,
    table: TableParameters,
    arms: ArmsParameters,
    estimation: EstimationParameters,
    policy: PolicyParameters,
) -> ArmsTable:
    """Read a table with all its arms, their costs and the budget, before anything is fitted.

    A column of costs is no covariate, unless ``table.covariates`` names it.

    Parameters
    ----------
    frame : DataFrame (n, ...)
    table : TableParameters
        Roles of its columns; no single arm is named.
    arms : ArmsParameters
    estimation : EstimationParameters
        The learners.
    policy : PolicyParameters
        A margin, or none; neither a cost nor a budget, which the arms have of their own.

    Raises
    ------
    TrialError, PolicyError, LearnerError
        Naming the parameter or column, the rule, what was found and what to do.
    """
    given, budget_usd = _stated(table=table, arms=arms, policy=policy)
    learner = arms.learner or estimation.candidates[0]
    refuse_arm_learner(learner=learner, estimation=estimation)
    named = {arm: cost for arm, cost in given.items() if isinstance(cost, str)}
    _refuse_columns(named=named, frame=frame, table=table)
    hidden = sorted(set(named.values()) - set(table.covariates or ()))
    rest = frame.drop(columns=hidden)
    trials = table_trials(frame=rest, parameters=table)
    if len(trials) == 1:
        raise TrialError(
            f"`{table.treatment}` must hold the control and two arms or more; found one arm, "
            f"{trials[0].arm!r}. With one, `--pipelines uplift` decides, under a budget with "
            "`policies.decides=budget` (docs/policies.md)."
        )
    for trial in trials:
        refuse_left_out(left_out=left_out_learners(names=[learner], data=trial.data))
    read = table_arms(frame=rest, parameters=table)
    return ArmsTable(
        trials=trials,
        arms=read,
        costs=_costs(given=given, frame=frame, arms=read),
        cost_columns=named,
        budget_usd=budget_usd,
        learner=learner,
        columns=_columns(trials=trials, frame=frame, named=named, hidden=hidden),
        version=table_version(frame),
    )


def _stated(
    *, table: TableParameters, arms: ArmsParameters, policy: PolicyParameters
) -> tuple[dict[str, float | str], float]:
    """Costs by arm and the budget; refuse what is not stated, or stated twice."""
    if table.arm is not None:
        raise TrialError(
            f"`table.arm` must be null here, where all arms are compared; got {table.arm!r}. To "
            "leave an arm out, leave its rows out of the table."
        )
    if arms.costs is None:
        raise PolicyError(
            "`arms.costs` must give the cost of each arm, USD for a row or the column that holds "
            "it; it is not set. Give it with --params arms.costs.<arm>=<cost>, or in "
            "conf/table/parameters/arms.yml."
        )
    if arms.budget_usd is None:
        raise PolicyError(
            "`arms.budget_usd` must say what may be spent on all rows together, USD; it is not "
            "set. One that pays for the dearest arm for everybody is no limit."
        )
    if policy.budget_usd is not None:
        raise PolicyError(
            f"`policy.budget_usd` must be null with several arms, whose budget is "
            f"`arms.budget_usd` = {arms.budget_usd:,.2f}: a budget is stated once."
        )
    if policy.contact_cost_usd != 0.0:
        raise PolicyError(
            "`policy.contact_cost_usd` must be 0 with several arms, each of which has its own cost "
            f"in `arms.costs`; got {policy.contact_cost_usd}. A cost is stated once."
        )
    given = {arm_label(arm): cost for arm, cost in arms.costs.items()}
    if len(given) < len(arms.costs):
        raise PolicyError(f"`arms.costs` must name each arm once; got {list(arms.costs)}.")
    return given, arms.budget_usd


def _refuse_columns(
    *, named: Mapping[str, str], frame: pd.DataFrame, table: TableParameters
) -> None:
    columns = [str(name) for name in frame.columns]
    roles = {
        "treatment": table.treatment,
        "outcome": table.outcome,
        "groups": table.groups,
        "propensity": table.propensity,
        "placebo_outcome": table.placebo_outcome,
    }
    for arm, column in named.items():
        if columns.count(column) != 1:
            near = get_close_matches(column, columns, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            raise PolicyError(
                f"`arms.costs.{arm}` must be a number or name one column of the table; "
                f"{columns.count(column)} are called `{column}`.{hint}"
            )
        if taken := [role for role, name in roles.items() if name == column]:
            raise PolicyError(
                f"A column must have one role; `{column}` is both {taken[0]} and the cost of "
                f"{arm!r} (`arms.costs`)."
            )


def _costs(
    *, given: Mapping[str, float | str], frame: pd.DataFrame, arms: TableArms
) -> dict[str, float | FloatArray]:
    if set(given) != set(arms.names):
        raise PolicyError(
            f"`arms.costs` must give the cost of every arm and of nothing else: "
            f"{list(arms.names)}; got {sorted(given)}. The control ({arms.control!r}) costs "
            "nothing."
        )
    costs = {
        arm: _column(arm=arm, series=frame[cost]) if isinstance(cost, str) else float(cost)
        for arm in arms.names
        for cost in (given[arm],)
    }
    if not any(np.any(np.asarray(cost)[np.isfinite(cost)] > 0.0) for cost in costs.values()):
        raise PolicyError(
            "`arms.costs` must be above 0 for one arm on offer at least: without any there is no "
            "budget to spend."
        )
    return costs


def _column(*, arm: str, series: pd.Series) -> FloatArray:
    """Costs row by row."""
    if not pd.api.types.is_numeric_dtype(series.dtype) or pd.api.types.is_bool_dtype(series.dtype):
        raise PolicyError(
            f"`{series.name}`, the cost of {arm!r} (`arms.costs`), must hold numbers, USD; it is "
            f"{series.dtype}."
        )
    values = np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
    if n_odd := int((~(values >= 0.0)).sum()):
        raise PolicyError(
            f"`{series.name}`, the cost of {arm!r} (`arms.costs`), must be 0 or more in every row, "
            f"whatever the row got; {n_odd} of {len(values)} are missing or negative. Where the "
            "arm is not on offer, put inf."
        )
    if not np.isfinite(values).any():
        raise PolicyError(
            f"`{series.name}`, the cost of {arm!r} (`arms.costs`), must be finite somewhere: the "
            "arm is on offer to no row."
        )
    return values


def _columns(
    *,
    trials: tuple[TableTrial, ...],
    frame: pd.DataFrame,
    named: Mapping[str, str],
    hidden: list[str],
) -> pd.DataFrame:
    lines = pd.concat(
        [one.report.assign(arm=one.arm, control=one.control) for one in trials], ignore_index=True
    )
    if not hidden:
        return lines
    costs = [
        {
            "column": column,
            "role": "cost of " + ", ".join(arm for arm, name in named.items() if name == column),
            "used": True,
            "reason": "",
            "n_missing": 0,
            "n_levels": int(frame[column].nunique()),
            "arm": one.arm,
            "control": one.control,
        }
        for one in trials
        for column in hidden
    ]
    return pd.concat([lines, pd.DataFrame(costs)], ignore_index=True)
