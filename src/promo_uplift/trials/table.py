"""Any table with a treatment and an outcome, as trials: the second door.

Each arm is compared with the control in a trial of its own. Nothing is dropped, imputed or
recoded without a line in the report.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final, Literal

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import TrialError
from promo_uplift.contracts.parameters import Scalar, TableParameters
from promo_uplift.contracts.results import ALL_SEEN, FloatArray, IntArray, TrialData

Kind = Literal["number", "category"]
MISSING: Final = "(missing)"
PLACEBO: Final = "placebo_outcome"
#: Values that an error lists at most.
SHOWN: Final = 8
#: Departure of the arms' shares from 1 that rounding may make.
ROUNDING: Final = 1e-6
#: Arms at most; more values are a dose, which is no arm.
MOST_ARMS: Final = 20


@dataclass(frozen=True, slots=True)
class EncodedColumn:
    """How one column of the table becomes covariates.

    Attributes
    ----------
    name : str
        Column of the table.
    kind : {"number", "category"}
        As it is (missing stays missing), or one 0/1 covariate for each level.
    levels : tuple of str
        Levels of a category in the order of their covariates, ``(missing)`` included if seen.
    """

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of its covariates."""
        if self.kind == "number":
            return (self.name,)
        return tuple(f"{self.name}={level}" for level in self.levels)


@dataclass(frozen=True, slots=True)
class TableEncoder:
    """Turns rows of the table into the covariates that the models were fitted on."""

    columns: tuple[EncodedColumn, ...]

    def encode(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, IntArray]:
        """Covariates of each row, and its first category that training never saw.

        Returns
        -------
        covariates : DataFrame (m, p), float64
            Index 0 to m - 1.
        unseen : int64 (m,)
            Position in ``columns`` of the first one that has a level which training never saw: no
            covariate stands for it, so a prediction there would be a guess; -1 where none has.

        Raises
        ------
        TrialError
            If a column is missing, or holds what is no number where numbers are due.
        """
        absent = [column.name for column in self.columns if column.name not in frame.columns]
        if absent:
            raise TrialError(
                f"The table must hold every covariate of the training table; missing: {absent}. "
                "Add them, with missing values where they are unknown."
            )
        parts: dict[str, FloatArray] = {}
        wrong = []
        unseen = np.full(len(frame), ALL_SEEN, dtype=np.int64)
        for position, column in enumerate(self.columns):
            if column.kind == "number":
                try:
                    parts[column.name] = _numbers(frame[column.name])
                except TrialError as error:
                    wrong.append(str(error))
                continue
            text = _labels(frame[column.name])
            unseen[(unseen == ALL_SEEN) & ~np.isin(text, column.levels)] = position
            for level, output in zip(column.levels, column.outputs, strict=True):
                parts[output] = (text == level).astype(np.float64)
        if wrong:
            raise TrialError(" ".join(wrong))
        return pd.DataFrame(parts), unseen

    def decode(self, covariates: pd.DataFrame) -> pd.DataFrame:
        """Rows of the table that have these covariates; missing categories are None.

        Parameters
        ----------
        covariates : DataFrame (m, p)
            As :meth:`encode` gives them.
        """
        rows: dict[str, object] = {}
        for column in self.columns:
            values = covariates[list(column.outputs)].to_numpy()
            if column.kind == "number":
                rows[column.name] = values[:, 0]
                continue
            levels = [None if level == MISSING else level for level in column.levels]
            rows[column.name] = [levels[position] for position in values.argmax(axis=1)]
        return pd.DataFrame(rows, index=covariates.index)


@dataclass(frozen=True, slots=True)
class TableTrial:
    """One arm of a table against its control.

    Attributes
    ----------
    arm, control : str
        Their values in the table, as text.
    data : TrialData
        Rows of the two arms; ``row`` is their position in the table.
    placebo : TrialData or None
        The same rows with the outcome from before the treatment.
    encoder : TableEncoder
        Fitted on the rows of both arms.
    report : DataFrame
        ``column, role, used, reason, n_missing, n_levels`` of every column of the table.
    """

    arm: str
    control: str
    data: TrialData
    placebo: TrialData | None
    encoder: TableEncoder
    report: pd.DataFrame


def table_trials(*, frame: pd.DataFrame, parameters: TableParameters) -> tuple[TableTrial, ...]:
    """Read a table as one trial for each arm, each against the control.

    Parameters
    ----------
    frame : DataFrame (n, ...)
        One row per unit (or several per cluster); never changed.
    parameters : TableParameters
        Roles of its columns.

    Returns
    -------
    tuple of TableTrial
        One per arm other than the control (only ``parameters.arm`` where it is given).

    Raises
    ------
    TrialError
        Naming the column, the rule, what was found and what to do.
    """
    roles = _roles(frame=frame, parameters=parameters)
    labels = _labels(frame[roles.treatment])
    _refuse_missing(frame=frame, column=roles.treatment)
    arms, control = _arms(frame=frame, roles=roles, parameters=parameters)
    outcome = _outcome(frame=frame, column=roles.outcome)
    earlier = None
    if parameters.placebo_outcome is not None:
        earlier = _outcome(frame=frame, column=parameters.placebo_outcome)
    groups = _groups(frame=frame, column=parameters.groups)
    propensity = _propensity(
        frame=frame, arms=arms, control=control, labels=labels, parameters=parameters
    )
    trials = []
    for number, arm in enumerate(arms):
        rows = np.flatnonzero((labels == arm) | (labels == control))
        part = frame.iloc[rows]
        encoder, report = _encoder(frame=part, roles=roles, parameters=parameters)
        covariates, _ = encoder.encode(part)
        known = propensity[arm]
        data = TrialData(
            covariates=covariates,
            treatment=(labels[rows] == arm).astype(np.int64),
            outcome=outcome[rows],
            redeemed=np.zeros(len(rows)),
            groups=groups[rows],
            campaign=np.full(len(rows), number + 1, dtype=np.int64),
            known_propensity=None if known is None else known[rows],
            row=rows.astype(np.int64),
            encoder=encoder,
            comparison=f"{arm} against {control}",
        )
        trials.append(
            TableTrial(
                arm=arm,
                control=control,
                data=data,
                placebo=None
                if earlier is None
                else _placebo(data, earlier[rows], encoder, str(parameters.placebo_outcome)),
                encoder=encoder,
                report=report,
            )
        )
    return tuple(trials)


@dataclass(frozen=True, slots=True)
class TableArms:
    """All arms of a table at once, with the controls that they share.

    Attributes
    ----------
    names : tuple of str
        The arms, in the order of their codes 1 to A.
    control : str
    covariates : DataFrame (n, p), float64
        Coded alike in every row.
    arm : int64 (n,)
        0 = control, 1 to A.
    outcome : float64 (n,)
    groups : int64 (n,)
        Cluster of each row.
    propensity : float64 (n, A + 1) or None
        Probability of the control and of each arm by the design; None where it is modelled.
    """

    names: tuple[str, ...]
    control: str
    covariates: pd.DataFrame
    arm: IntArray
    outcome: FloatArray
    groups: IntArray
    propensity: FloatArray | None


def table_arms(*, frame: pd.DataFrame, parameters: TableParameters) -> TableArms:
    """Read a table with all its arms in one: what a decision between the arms needs.

    Parameters
    ----------
    frame : DataFrame (n, ...)
    parameters : TableParameters
        As :func:`table_trials`, whose refusals apply.
    """
    roles = _roles(frame=frame, parameters=parameters)
    labels = _labels(frame[roles.treatment])
    _refuse_missing(frame=frame, column=roles.treatment)
    arms, control = _arms(frame=frame, roles=roles, parameters=parameters)
    given = _propensity(
        frame=frame, arms=arms, control=control, labels=labels, parameters=parameters
    )
    known = [chance for arm in arms if (chance := given[arm]) is not None]
    propensity = None
    if known:
        # P(arm | arm or control) gives the odds of each arm against the control
        odds = np.column_stack([np.ones(len(frame)), *(one / (1.0 - one) for one in known)])
        propensity = odds / odds.sum(axis=1, keepdims=True)
    encoder, _ = _encoder(frame=frame, roles=roles, parameters=parameters)
    covariates, _ = encoder.encode(frame)
    codes = {control: 0} | {arm: number + 1 for number, arm in enumerate(arms)}
    return TableArms(
        names=tuple(arms),
        control=control,
        covariates=covariates,
        arm=np.array([codes[label] for label in labels], dtype=np.int64),
        outcome=_outcome(frame=frame, column=roles.outcome),
        groups=_groups(frame=frame, column=parameters.groups),
        propensity=propensity,
    )


def one_trial(trials: Sequence[TableTrial]) -> TableTrial:
    """Return the only trial.

    Raises
    ------
    TrialError
        If there are several arms: a run analyses one of them.
    """
    if len(trials) == 1:
        return trials[0]
    arms = [trial.arm for trial in trials]
    raise TrialError(
        f"`table.arm` must name the arm that this run compares with {trials[0].control!r}; the "
        f"table holds {_listed(arms)}. Run once for each (--params 'table.arm={arms[0]}'), call "
        "promo_uplift.analyse, which takes them all, or spend a budget on them with "
        "`--pipelines arms`."
    )


@dataclass(frozen=True, slots=True)
class _Roles:
    treatment: str
    outcome: str
    covariates: tuple[str, ...]
    are_covariates_named: bool
    taken: dict[str, str]


def _roles(*, frame: pd.DataFrame, parameters: TableParameters) -> _Roles:
    columns = [str(name) for name in frame.columns]
    if frame.empty:
        raise TrialError("The table must have rows, found none.")
    if double := sorted({name for name in columns if columns.count(name) > 1}):
        raise TrialError(f"Columns must have different names; {double} occur more than once.")
    for field in ("treatment", "outcome"):
        if getattr(parameters, field) is None:
            raise TrialError(
                f"`table.{field}` must name a column; it is not set. Columns: {_listed(columns)}."
            )
    taken = _taken(columns=columns, parameters=parameters)
    return _Roles(
        treatment=str(parameters.treatment),
        outcome=str(parameters.outcome),
        covariates=_chosen(columns=columns, taken=taken, parameters=parameters),
        are_covariates_named=parameters.covariates is not None,
        taken=taken,
    )


def _taken(*, columns: Sequence[str], parameters: TableParameters) -> dict[str, str]:
    """Role of each column that has one besides being a covariate."""
    stated = {
        "treatment": parameters.treatment,
        "outcome": parameters.outcome,
        "groups": parameters.groups,
        "propensity": parameters.propensity if isinstance(parameters.propensity, str) else None,
        PLACEBO: parameters.placebo_outcome,
    }
    taken: dict[str, str] = {}
    for role, name in stated.items():
        if name is None:
            continue
        if name not in columns:
            near = get_close_matches(name, columns, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            raise TrialError(
                f"`table.{role}` must name a column; `{name}` is none of them.{hint} Columns: "
                f"{_listed(columns)}."
            )
        if name in taken:
            raise TrialError(
                f"A column must have one role; `{name}` is both {taken[name]} and {role}."
            )
        taken[name] = role
    return taken


def _chosen(
    *, columns: Sequence[str], taken: Mapping[str, str], parameters: TableParameters
) -> tuple[str, ...]:
    """Covariates; an earlier outcome is one too, but not where it is the outcome."""
    reserved = {name for name, role in taken.items() if role != PLACEBO}
    if parameters.covariates is None:
        return tuple(name for name in columns if name not in reserved)
    names = tuple(dict.fromkeys(parameters.covariates))
    if unknown := [name for name in names if name not in columns]:
        raise TrialError(
            f"`table.covariates` must name columns; {unknown} are none of them. Columns: "
            f"{_listed(columns)}."
        )
    if both := [f"{name} ({taken[name]})" for name in names if name in reserved]:
        raise TrialError(
            f"`table.covariates` must not hold a column with another role; found {both}."
        )
    return names


def _arms(
    *, frame: pd.DataFrame, roles: _Roles, parameters: TableParameters
) -> tuple[tuple[str, ...], str]:
    values = sorted(set(_labels(frame[roles.treatment])))
    column = roles.treatment
    if len(values) < 2:
        raise TrialError(
            f"`{column}` must hold a treatment and a control; every row has {values[0]!r}."
        )
    if len(values) > MOST_ARMS:
        raise TrialError(
            f"`{column}` must hold at most {MOST_ARMS} arms; found {len(values)} values. A dose "
            "is not supported: cut it into arms with a control first."
        )
    if parameters.control is None:
        if "0" not in values:
            raise TrialError(
                f"`table.control` must say which value of `{column}` means not treated; it holds "
                f"{_listed(values)}."
            )
        control = "0"
    else:
        control = _matched(parameters.control, values, "control", column)
    arms = tuple(value for value in values if value != control)
    if parameters.arm is not None:
        arm = _matched(parameters.arm, values, "arm", column)
        if arm == control:
            raise TrialError(f"`table.arm` must differ from `table.control`; both are {arm!r}.")
        arms = (arm,)
    return arms, control


def _matched(value: Scalar, values: Sequence[str], field: str, column: str) -> str:
    text = arm_label(value)
    if text not in values:
        raise TrialError(
            f"`table.{field}` must be a value of `{column}`: {_listed(values)}; got {value!r}."
        )
    return text


def _outcome(*, frame: pd.DataFrame, column: str) -> FloatArray:
    series = frame[column]
    if not pd.api.types.is_numeric_dtype(series.dtype):
        raise TrialError(
            f"`{column}` must be a number (0 and 1 for yes and no); it is {series.dtype}, e.g. "
            f"{series.dropna().head(3).tolist()}. Code it as numbers."
        )
    values = _numbers(series)
    n_odd = int((~np.isfinite(values)).sum())
    if n_odd:
        raise TrialError(
            f"`{column}` must be finite in every row; {n_odd} of {len(values)} are missing or "
            "infinite. Leave those rows out yourself, and ask why they are missing: who is lost "
            "after the treatment is not lost at random."
        )
    return values


def _groups(*, frame: pd.DataFrame, column: str | None) -> IntArray:
    if column is None:
        return np.arange(len(frame), dtype=np.int64)
    _refuse_missing(frame=frame, column=column)
    return np.asarray(pd.factorize(frame[column])[0], dtype=np.int64)


def _propensity(
    *,
    frame: pd.DataFrame,
    arms: Sequence[str],
    control: str,
    labels: np.ndarray,
    parameters: TableParameters,
) -> dict[str, FloatArray | None]:
    given = parameters.propensity
    if given is None:
        return dict.fromkeys(arms)
    if isinstance(given, Mapping):
        shares = {arm_label(key): float(value) for key, value in given.items()}
        values = sorted(set(labels))
        if set(shares) != set(values):
            raise TrialError(
                f"`table.propensity` must give the share of every arm and the control, "
                f"{_listed(values)}; got {_listed(sorted(shares))}."
            )
        total = sum(shares.values())
        if abs(total - 1.0) > ROUNDING or min(shares.values()) <= 0.0:
            raise TrialError(
                f"`table.propensity` must hold shares above 0 that add up to 1; they add up to "
                f"{total:g}, the smallest is {min(shares.values()):g}."
            )
        return {
            arm: np.full(len(frame), shares[arm] / (shares[arm] + shares[control])) for arm in arms
        }
    if len(set(labels)) > 2:
        raise TrialError(
            "`table.propensity` must give the share of each arm and the control where there are "
            f"several arms: {_listed(sorted(set(labels)))}; got {given!r}."
        )
    chances = (
        _numbers(frame[given]) if isinstance(given, str) else np.full(len(frame), float(given))
    )
    n_odd = int((~((chances > 0.0) & (chances < 1.0))).sum())
    if n_odd:
        raise TrialError(
            f"`table.propensity` must lie strictly between 0 and 1; {n_odd} of {len(chances)} rows "
            f"do not ({given!r}). Rows that could not have been treated, or left out, are no part "
            "of an experiment."
        )
    return {arms[0]: chances}


def _encoder(
    *, frame: pd.DataFrame, roles: _Roles, parameters: TableParameters
) -> tuple[TableEncoder, pd.DataFrame]:
    columns: list[EncodedColumn] = []
    report: list[dict[str, object]] = []
    for name in frame.columns:
        series = frame[name]
        line = {
            "column": str(name),
            "role": roles.taken.get(str(name), "covariate"),
            "used": str(name) in roles.taken,
            "reason": "",
            "n_missing": int(series.isna().sum()),
            "n_levels": _n_levels(series),
        }
        report.append(line)
        if str(name) not in roles.covariates:
            if str(name) not in roles.taken:
                line |= {"role": "not named", "reason": "not among the covariates"}
            continue
        encoded, why = _encoded(series=series, parameters=parameters)
        if encoded is None:
            if roles.are_covariates_named and not why.startswith("the same"):
                raise TrialError(
                    f"`table.covariates` must hold numbers, yes/no or categories; `{name}` is "
                    f"{why}. Leave it out, or code it."
                )
            line |= {"reason": why}
            continue
        identifies = _identifies(series=series, parameters=parameters)
        if identifies and not roles.are_covariates_named:
            line |= {"reason": identifies}
            continue
        columns.append(encoded)
        line |= {"used": True}
    if not columns:
        raise TrialError(
            "The table must hold a covariate that varies; none is left. The reasons: "
            + "; ".join(f"{line['column']}: {line['reason']}" for line in report if line["reason"])
        )
    return TableEncoder(columns=tuple(columns)), pd.DataFrame(report)


def _encoded(*, series: pd.Series, parameters: TableParameters) -> tuple[EncodedColumn | None, str]:
    name = str(series.name)
    if kind := _odd_kind(series):
        return None, kind
    if series.nunique(dropna=False) < 2:
        return None, "the same value in every row"
    if pd.api.types.is_numeric_dtype(series.dtype):
        if n_odd := int(np.isinf(_numbers(series)).sum()):
            raise TrialError(
                f"`{name}` must be finite or missing; {n_odd} rows are infinite. Mark them as "
                "missing, or repair them."
            )
        return EncodedColumn(name, "number"), ""
    labels = sorted(set(_labels(series)))
    if len(labels) > parameters.max_levels:
        return None, (
            f"text with {len(labels)} levels, more than `table.max_levels` = "
            f"{parameters.max_levels}: an identifier or free text"
        )
    return EncodedColumn(name, "category", tuple(labels)), ""


def _odd_kind(series: pd.Series) -> str:
    """Kind of a column that holds neither numbers nor categories; empty where it does."""
    dtype = series.dtype
    if pd.api.types.is_complex_dtype(dtype):
        return "of complex numbers"
    if pd.api.types.is_datetime64_any_dtype(dtype) or isinstance(dtype, pd.PeriodDtype):
        return "a date: turn it into days before the treatment"
    if pd.api.types.is_timedelta64_dtype(dtype):
        return "a duration: turn it into a number of days"
    return "" if _is_hashable(series) else "of lists or other objects"


def _identifies(*, series: pd.Series, parameters: TableParameters) -> str:
    """Why a column of text or whole numbers looks like an identifier; empty if it does not."""
    is_whole = pd.api.types.is_integer_dtype(series.dtype)
    if not is_whole and pd.api.types.is_numeric_dtype(series.dtype):
        return ""
    share = series.nunique() / len(series)
    if share < parameters.identifier_share:
        return ""
    return (
        f"{'whole numbers' if is_whole else 'text'}, {share:.0%} of them different: an identifier "
        "(name it in "
        "`table.covariates` to keep it)"
    )


def _placebo(data: TrialData, outcome: FloatArray, encoder: TableEncoder, column: str) -> TrialData:
    own = [name for one in encoder.columns if one.name == column for name in one.outputs]
    if len(own) == data.covariates.shape[1]:
        raise TrialError(
            f"The table must hold a covariate besides `{column}`, which cannot explain itself. "
            "Leave `table.placebo_outcome` out, or add one."
        )
    return replace(data, covariates=data.covariates.drop(columns=own), outcome=outcome)


def _refuse_missing(*, frame: pd.DataFrame, column: str) -> None:
    n_missing = int(frame[column].isna().sum())
    if n_missing:
        raise TrialError(
            f"`{column}` must be known in every row; {n_missing} of {len(frame)} are missing. "
            "Leave those rows out and count them."
        )


def _numbers(series: pd.Series) -> FloatArray:
    cause = None
    # NumPy would count a date in nanoseconds, and drop the imaginary part
    if series.dtype.kind not in "mMc":
        try:
            return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
        except (TypeError, ValueError) as error:
            cause = error
    examples = ", ".join(repr(str(value)) for value in series.dropna().head(3))
    raise TrialError(
        f"`{series.name}` must hold numbers; it is {series.dtype}"
        f"{f', e.g. {examples}' if examples else ''}. Code it as numbers."
    ) from cause


def arm_label(value: object) -> str:
    """Return the text of a treatment's value: 1, 1.0, True and numpy's own are one arm."""
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _is_hashable(series: pd.Series) -> bool:
    if series.dtype != np.dtype(object):
        return True
    return all(isinstance(value, Hashable) for value in series.array)


def _n_levels(series: pd.Series) -> int:
    return int(series.nunique()) if _is_hashable(series) else int(series.notna().sum())


def _labels(series: pd.Series) -> np.ndarray:
    codes, values = pd.factorize(series)
    texts = np.array([arm_label(value) for value in values] + [MISSING], dtype=object)
    return texts[codes]


def _listed(values: Sequence[object]) -> str:
    shown = ", ".join(repr(value) for value in values[:SHOWN])
    return shown if len(values) <= SHOWN else f"{shown} and {len(values) - SHOWN} more"
