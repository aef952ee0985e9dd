"""The result as it comes back: held to the assignment, and every departure counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.columns import HOUSEHOLD_ID, REDEEMED
from promo_uplift.contracts.errors import ExperimentError
from promo_uplift.contracts.results import BoolArray, FloatArray
from promo_uplift.experiments.assignment import ASSIGNMENT_COLUMNS, CONTROL, MAIL

OUTCOME, CONTACTED, ARM, WAVE = "outcome", "contacted", "arm", "wave"
#: Examples that an error lists at most.
SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class TwoSided:
    """What was counted, what the lots let expect, and the p-value of the difference."""

    found: float
    expected: float
    p_value: float


@dataclass(frozen=True, slots=True)
class ResultCounts:
    """What became of the assigned households.

    Attributes
    ----------
    assigned, observed : int
        Rows of the assignment; those with an outcome.
    absent, empty : int
        Rows that the result does not name; that it names without an outcome.
    missing_mailed, missing_control : float
        Share of each arm without an outcome.
    attrition : TwoSided
        Difference of these shares (mailed minus control), tested against 0.
    sample_ratio : TwoSided
        Mailed households among those with an outcome, against what the lots let expect.
    mailed_not_contacted, control_contacted : int or None
        Households whose mailing was not as drawn; they stay in their arm. None where the result
        does not say who was contacted.
    control_redeemed : int or None
        Control households that redeemed; None where the result does not say who redeemed.
    n_draws : int
        Most draws of the lots in a wave.
    households : int
        Households of the assignment, each once.
    waves, waves_absent : tuple of int
        Waves of the assignment; those of which no outcome is known.
    """

    assigned: int
    observed: int
    absent: int
    empty: int
    missing_mailed: float
    missing_control: float
    attrition: TwoSided
    sample_ratio: TwoSided
    mailed_not_contacted: int | None
    control_contacted: int | None
    control_redeemed: int | None
    n_draws: int
    households: int
    waves: tuple[int, ...]
    waves_absent: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ExperimentData:
    """Households with an outcome, joined with their lots.

    Attributes
    ----------
    table : DataFrame (m, ...)
        Columns of the assignment, ``outcome`` and, where given, ``redeemed``.
    counts : ResultCounts
    """

    table: pd.DataFrame
    counts: ResultCounts

    @property
    def mailed(self) -> BoolArray:
        """Whether each row was drawn to be mailed, ``(m,)``."""
        return np.asarray(self.table[ARM] == MAIL, dtype=np.bool_)

    @property
    def outcome(self) -> FloatArray:
        """Outcome of each row, ``(m,)``."""
        return self.table[OUTCOME].to_numpy(dtype=np.float64)

    @property
    def redeemed(self) -> FloatArray | None:
        """1.0 where the household redeemed, ``(m,)``; None where nobody said."""
        if REDEEMED not in self.table.columns:
            return None
        return self.table[REDEEMED].to_numpy(dtype=np.float64)


def join_result(*, result: pd.DataFrame, assignment: pd.DataFrame) -> ExperimentData:
    """Join a result with the lots; count what is missing and what was not as drawn.

    Parameters
    ----------
    result : DataFrame
        ``household_id`` and ``outcome``; ``wave`` where the lots have several; optionally
        ``redeemed`` and ``contacted`` (0 or 1) and ``arm``, which must be the one drawn. Other
        columns are not read. A household without an outcome counts as missing.
    assignment : DataFrame
        Of :func:`promo_uplift.experiments.assign_households`.

    Raises
    ------
    ExperimentError
        If there is no row, a column is missing, a household is named twice or was never drawn, a
        value is no number or no 0/1, an arm is not the one drawn, or nobody has an outcome in an
        arm.
    """
    _refuse_columns(
        assignment,
        list(ASSIGNMENT_COLUMNS),
        "assignment",
        "Keep the file as the pipeline `experiment` wrote it.",
    )
    if assignment.empty:
        raise ExperimentError(
            "`experiment_assignment` must hold households, found none. The plan says why no lots "
            "were drawn."
        )
    several = len(set(assignment[WAVE])) > 1
    key = [WAVE, HOUSEHOLD_ID] if several else [HOUSEHOLD_ID]
    _refuse_columns(
        result,
        [*key, OUTCOME],
        "result",
        f"Write one row per household{' and wave' if several else ''}, with these names in the "
        "first line.",
    )
    if result.empty:
        raise ExperimentError(
            "The experiment's result must have a row for each household that was drawn; found "
            f"none, and {len(assignment)} in the lots. Write the outcomes below the names."
        )
    _refuse_keys(result, assignment, key)
    values = _numbers(result)
    joined = assignment.merge(
        result[key].assign(**values, _named=True), on=key, how="left", validate="1:1"
    )
    named = joined.pop("_named").notna().to_numpy()
    _refuse_other_arm(result, assignment, key)
    has_outcome = joined[OUTCOME].notna().to_numpy()
    counts = _counts(joined, named, has_outcome)
    table = joined[has_outcome].reset_index(drop=True)
    arms = set(table[ARM])
    if arms != {MAIL, CONTROL}:
        raise ExperimentError(
            f"`{OUTCOME}` must be known in both arms; {len(table)} rows have one"
            + (f", all of the arm `{min(arms)}`" if arms else "")
            + ". Bring back the outcomes of everybody who was drawn, mailed or not."
        )
    return ExperimentData(table, counts)


def _refuse_columns(frame: pd.DataFrame, needed: Sequence[str], what: str, advice: str) -> None:
    found = [str(name) for name in frame.columns]
    absent = [name for name in needed if name not in found]
    if not absent:
        return
    spare = [name for name in found if name not in needed]
    hints = []
    for name in absent:
        near = get_close_matches(name, spare, n=1)
        hints.append(f"`{name}`" + (f" (is it `{near[0]}`?)" if near else ""))
    raise ExperimentError(
        f"The experiment's {what} must have the columns {', '.join(hints)}; found "
        f"{', '.join(found) or 'none'}. {advice}"
    )


def _refuse_keys(result: pd.DataFrame, assignment: pd.DataFrame, key: list[str]) -> None:
    if n_missing := int(result[key].isna().any(axis="columns").sum()):
        raise ExperimentError(
            f"`{'` and `'.join(key)}` must be present in every row; {n_missing} rows lack one. "
            "Write them as in the assignment, or leave the rows out."
        )
    repeated = result.duplicated(key)
    if repeated.any():
        raise ExperimentError(
            f"`{HOUSEHOLD_ID}` must be named once{' in each wave' if len(key) > 1 else ''}; "
            f"{int(repeated.sum())} rows repeat one, e.g. {_examples(result[repeated], key)}. Add "
            "up what belongs to one household, or leave out the copies."
        )
    _refuse_unknown(result, assignment, key)


def _refuse_unknown(result: pd.DataFrame, assignment: pd.DataFrame, key: list[str]) -> None:
    drawn = pd.MultiIndex.from_frame(assignment[key])
    unknown = ~pd.MultiIndex.from_frame(result[key]).isin(drawn)
    if unknown.any():
        raise ExperimentError(
            f"`{'` and `'.join(key)}` must be in the assignment; {int(unknown.sum())} of "
            f"{len(result)} rows are not, e.g. {_examples(result[unknown], key)}, where the "
            f"assignment has {_examples(assignment.head(1), key)}. Write them as there, or put "
            "back the assignment that was mailed by."
        )


def _examples(rows: pd.DataFrame, key: list[str]) -> str:
    return "; ".join(
        ", ".join(f"{name} {value}" for name, value in zip(key, values, strict=True))
        for values in rows[key].head(SHOWN).itertuples(index=False)
    )


def _numbers(result: pd.DataFrame) -> dict[str, pd.Series]:
    found = {}
    for name in (OUTCOME, REDEEMED, CONTACTED):
        if name not in result.columns:
            continue
        values = pd.to_numeric(result[name], errors="coerce")
        wrong = (values.isna() & result[name].notna()) | np.isinf(values)
        if name != OUTCOME:
            wrong |= values.notna() & ~values.isin([0, 1])
        if wrong.any():
            rule, advice = (
                ("a finite number", "Write plain numbers with a decimal point")
                if name == OUTCOME
                else ("0 or 1", "Write 1 for yes and 0 for no")
            )
            raise ExperimentError(
                f"`{name}` must be {rule} or missing; {int(wrong.sum())} rows are not, e.g. "
                f"{result.loc[wrong, name].head(SHOWN).tolist()}. {advice}; leave empty what is "
                "not known."
            )
        found[name] = values
    return found


def _refuse_other_arm(result: pd.DataFrame, assignment: pd.DataFrame, key: list[str]) -> None:
    if ARM not in result.columns:
        return
    both = result[[*key, ARM]].merge(
        assignment[[*key, ARM]], on=key, suffixes=("", "_drawn"), validate="1:1"
    )
    other = both[both[ARM] != both[f"{ARM}_drawn"]]
    if not other.empty:
        raise ExperimentError(
            f"`{ARM}` must be the arm that was drawn; {len(other)} of {len(both)} rows have "
            f"another, e.g. {_examples(other, [*key, ARM, f'{ARM}_drawn'])}. Leave the column out, "
            "or put back the assignment that was mailed by; who was mailed against the lots "
            f"belongs into `{CONTACTED}`."
        )


def _counts(joined: pd.DataFrame, named: BoolArray, has_outcome: BoolArray) -> ResultCounts:
    mailed = (joined[ARM] == MAIL).to_numpy()
    chance = joined["probability_mail"].to_numpy(dtype=np.float64)
    lost = ~has_outcome
    pooled = float(lost.mean())
    rates = [float(lost[arm].mean()) for arm in (mailed, ~mailed)]
    gap = rates[0] - rates[1]
    error = np.sqrt(pooled * (1.0 - pooled) * (1.0 / mailed.sum() + 1.0 / (~mailed).sum()))
    expected = float(chance[has_outcome].sum())
    spread = float(np.sqrt((chance * (1.0 - chance))[has_outcome].sum()))
    found = int(mailed[has_outcome].sum())
    contacted = joined.get(CONTACTED)
    redeemed = joined.get(REDEEMED)
    waves = set(joined[WAVE])
    return ResultCounts(
        assigned=len(joined),
        observed=int(has_outcome.sum()),
        absent=int((~named).sum()),
        empty=int((named & lost).sum()),
        missing_mailed=rates[0],
        missing_control=rates[1],
        attrition=TwoSided(gap, 0.0, _p_value(gap, float(error))),
        sample_ratio=TwoSided(found, expected, _p_value(found - expected, spread)),
        mailed_not_contacted=None if contacted is None else int((contacted[mailed] == 0).sum()),
        control_contacted=None if contacted is None else int((contacted[~mailed] == 1).sum()),
        control_redeemed=None if redeemed is None else int((redeemed[~mailed] == 1).sum()),
        n_draws=int(joined["n_draws"].max()),
        households=int(joined[HOUSEHOLD_ID].nunique()),
        waves=tuple(sorted(int(one) for one in waves)),
        waves_absent=tuple(sorted(int(one) for one in waves - set(joined.loc[has_outcome, WAVE]))),
    )


def _p_value(difference: float, error: float) -> float:
    """P-value of a normal difference, which is that of the chi-squared of its square."""
    return 1.0 if error == 0.0 else float(2.0 * norm.sf(abs(difference) / error))
