"""The model that leaves the project: household covariates in, effect and decision out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.errors import IntervalNotOffered, ScoringError
from promo_uplift.contracts.learner import Learner
from promo_uplift.contracts.parameters import PolicyParameters, VerdictName
from promo_uplift.contracts.results import (
    ALL_SEEN,
    BoolArray,
    CovariateEncoder,
    FloatArray,
    IntArray,
)
from promo_uplift.policy.contract import DataContract
from promo_uplift.policy.rules.base import FittedPolicy, PolicyView
from promo_uplift.policy.support import (
    IN_SUPPORT,
    PROPENSITY_OUTSIDE,
    SupportRanges,
    category_reason,
    in_overlap,
    outside_codes,
    support_reasons,
)
from promo_uplift.policy.targeting import (
    CHOSEN,
    PUBLISH,
    HouseholdPredictions,
    Recommendation,
    recommendation,
)

FIGURES = ("cate_usd", "ci_low_usd", "ci_high_usd", "expected_profit_usd")


class PredictsPropensity(Protocol):
    """Predicts who would be mailed."""

    def predict_propensity(self, *, covariates: pd.DataFrame) -> FloatArray:
        """P(mailed | covariates), ``(m,)``."""
        ...


class PredictsRedemption(Protocol):
    """Predicts who would redeem."""

    def predict_redemption(self, *, covariates: pd.DataFrame) -> FloatArray:
        """P(redeems | covariates, mailed), ``(m,)``."""
        ...


@dataclass(frozen=True, slots=True)
class ScoringModel:
    """Scores households that were not in the trials.

    Attributes
    ----------
    learner : Learner
        Champion, fitted on all trials.
    propensity_model : PredictsPropensity
        Fitted on all trials; decides the support.
    redemption_model : PredictsRedemption
        Fitted on all trials; enters the cost.
    covariates : tuple of str
        Columns that the models were trained on, in that order.
    ranges : SupportRanges
        Training support.
    parameters : PolicyParameters
        The money assumed.
    verdict_name : str
        Verdict of the run; only ``publish`` recommends anybody.
    cate_threshold_usd : float
        Effect from which on a household is in the chosen share; infinite = nobody.
    level : float
        Confidence level of the interval.
    encoder : CovariateEncoder or None
        Turns rows of the user's table into the covariates; None where they come as covariates.
    contract : DataContract or None
        What it was made with; None of a model from before there was one.
    policy : str
        The policy that decides.
    rule : FittedPolicy or None
        That policy for a household alone (:func:`promo_uplift.policy.rules.frozen_rule`); None:
        the share with ``cate_threshold_usd`` decides.
    """

    learner: Learner
    propensity_model: PredictsPropensity
    redemption_model: PredictsRedemption
    covariates: tuple[str, ...]
    ranges: SupportRanges
    parameters: PolicyParameters
    verdict_name: VerdictName
    cate_threshold_usd: float
    level: float
    encoder: CovariateEncoder | None = None
    contract: DataContract | None = None
    policy: str = CHOSEN
    rule: FittedPolicy | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that a table of households must hold: the covariates, or the user's own."""
        if self.encoder is None:
            return self.covariates
        return tuple(column.name for column in self.encoder.columns)

    @property
    def categories(self) -> tuple[str, ...]:
        """Those of them that hold categories, not numbers."""
        return tuple(self.levels)

    @property
    def levels(self) -> dict[str, list[str]]:
        """What training saw in each of those."""
        encoded = () if self.encoder is None else self.encoder.columns
        return {one.name: list(one.levels) for one in encoded if one.kind == "category"}

    def score(self, households: pd.DataFrame) -> pd.DataFrame:
        """Effect, interval, expected profit and decision for each household, ``(m, 8)``.

        Parameters
        ----------
        households : DataFrame (m, >= p)
            The covariates by name, numeric, NaN where missing, or the columns of the user's table
            where there is an encoder; other columns are ignored.

        Returns
        -------
        DataFrame
            ``cate_usd, ci_low_usd, ci_high_usd`` (USD per household over the outcome window),
            ``expected_profit_usd`` (USD per contacted household), ``in_support``, ``recommend``,
            ``support_reason`` (empty in support, else why not), ``reason`` (code of ``REASONS``),
            with the index of ``households``. Where a covariate lies outside the training range, or
            a category was never seen in training, the four figures are NaN: an effect there would
            be a guess. Where only the propensity is outside its overlap they are given, marked by
            ``in_support`` False. The interval is NaN where the learner offers none.

        Raises
        ------
        ScoringError
            If a covariate is missing or not numeric, or a name occurs twice.
        """
        covariates, unseen = self._encoded(households)
        n = len(covariates)
        codes = outside_codes(ranges=self.ranges, values=covariates.to_numpy())
        support_reason = np.array(support_reasons(ranges=self.ranges), dtype=object)[codes]
        unseen[codes != 0] = ALL_SEEN
        is_unseen = unseen != ALL_SEEN
        category_reasons = np.array([category_reason(name) for name in self.columns], dtype=object)
        support_reason[is_unseen] = category_reasons[unseen[is_unseen]]
        inside = ~is_unseen & (codes == 0)
        figures = np.full((n, len(FIGURES)), np.nan)
        in_support = np.zeros(n, dtype=np.bool_)
        recommend = np.zeros(n, dtype=np.bool_)
        withheld = self.verdict_name != PUBLISH
        reason = np.full(n, "verdict_withholds" if withheld else "outside_support", dtype=object)
        if inside.any():
            rows = covariates if inside.all() else covariates[inside]
            common, predictions, decided = self._decide(rows)
            figures[inside] = np.column_stack(
                [predictions.cate, predictions.interval, decided.expected_profit_usd]
            )
            in_support[inside] = common
            recommend[inside] = decided.recommend
            reason[inside] = decided.reason
            support_reason[inside] = np.where(common, IN_SUPPORT, PROPENSITY_OUTSIDE)
        return pd.DataFrame(figures, columns=list(FIGURES), index=households.index).assign(
            in_support=in_support,
            recommend=recommend,
            support_reason=pd.array(support_reason, dtype="str"),
            reason=pd.array(reason, dtype="str"),
        )

    def _decide(
        self, covariates: pd.DataFrame
    ) -> tuple[BoolArray, HouseholdPredictions, Recommendation]:
        """Overlap, predictions and decision of rows inside the training range."""
        propensity = self.propensity_model.predict_propensity(covariates=covariates)
        common = in_overlap(ranges=self.ranges, propensity=propensity)
        predictions = self.predictions(covariates)
        decided = recommendation(
            predictions=predictions,
            contacts=self.contacts(covariates=covariates, predictions=predictions),
            in_support=common,
            parameters=self.parameters,
            verdict_name=self.verdict_name,
            policy=self.policy,
        )
        return common, predictions, decided

    def predictions(self, covariates: pd.DataFrame) -> HouseholdPredictions:
        """Effect, interval and redemption of rows inside the training range."""
        return HouseholdPredictions(
            cate=self.learner.predict_cate(covariates=covariates),
            interval=self._interval(covariates),
            redemption=self.redemption_model.predict_redemption(covariates=covariates),
        )

    def contacted(self, households: pd.DataFrame) -> BoolArray:
        """Whom the policy contacts for certain, whatever the verdict and the overlap, ``(m,)``.

        Nobody whose effect would be a guess. Takes and raises what :meth:`score` does.
        """
        covariates, unseen = self._encoded(households)
        codes = outside_codes(ranges=self.ranges, values=covariates.to_numpy())
        mailed: BoolArray = (unseen == ALL_SEEN) & (codes == 0)
        if mailed.any():
            rows = covariates[mailed]
            contacts = self.contacts(covariates=rows, predictions=self.predictions(rows))
            mailed[mailed] = contacts >= 1.0
        return mailed

    def contacts(
        self, *, covariates: pd.DataFrame, predictions: HouseholdPredictions
    ) -> FloatArray:
        """P(contact) of each row by the policy that decides, whatever the verdict, ``(m,)``."""
        if self.rule is None:
            return np.asarray(predictions.cate >= self.cate_threshold_usd, dtype=np.float64)
        return self.rule.contact(
            view=household_view(covariates=covariates, predictions=predictions, level=self.level)
        )

    def _encoded(self, households: pd.DataFrame) -> tuple[pd.DataFrame, IntArray]:
        if self.encoder is None:
            return self._covariates(households), np.full(len(households), ALL_SEEN)
        refuse_columns(needed=self.columns, found=households.columns)
        covariates, unseen = self.encoder.encode(households)
        return self._covariates(covariates), unseen

    def _interval(self, covariates: pd.DataFrame) -> FloatArray:
        try:
            return self.learner.predict_interval(covariates=covariates, level=self.level)
        except IntervalNotOffered:
            return np.full((len(covariates), 2), np.nan)

    def _covariates(self, households: pd.DataFrame) -> pd.DataFrame:
        refuse_columns(needed=self.covariates, found=households.columns)
        chosen = households[list(self.covariates)]
        wrong = [
            f"`{name}` ({chosen[name].dtype})"
            for name in self.covariates
            if not pd.api.types.is_numeric_dtype(chosen[name])
            or pd.api.types.is_complex_dtype(chosen[name])
        ]
        if wrong:
            raise ScoringError(
                f"Every covariate must be numeric; not so: {', '.join(wrong)}. "
                "Convert them, with NaN where a value is missing."
            )
        # row by row in memory: every tree reads rows, and nobody copies them again
        rows = np.ascontiguousarray(chosen.to_numpy(dtype=np.float64, na_value=np.nan))
        return pd.DataFrame(rows, columns=list(self.covariates), copy=False)


def household_view(
    *, covariates: pd.DataFrame, predictions: HouseholdPredictions, level: float
) -> PolicyView:
    """Return what a policy sees of households that were in no trial.

    Each is a household of its own, on one list, and nobody predicts its outcome.

    Parameters
    ----------
    covariates : DataFrame (m, p)
    predictions : HouseholdPredictions
        Of the same rows.
    level : float
        Of their intervals, half of whose width is so many standard errors.
    """
    n = len(covariates)
    width = predictions.interval[:, 1] - predictions.interval[:, 0]
    return PolicyView(
        covariates=covariates,
        cate=predictions.cate,
        cate_se=width / 2.0 / float(norm.ppf(0.5 + level / 2.0)),
        redemption=predictions.redemption,
        response=np.full(n, np.nan),
        segment=None,
        groups=np.arange(n),
        campaign=np.zeros(n, dtype=np.int64),
        population=n,
    )


def refuse_columns(*, needed: Sequence[str], found: Iterable[object]) -> None:
    """Refuse a table that lacks a column of the model, or holds one twice.

    Raises
    ------
    ScoringError
        Naming them, and for a missing one the nearest name that the table has.
    """
    columns = [str(name) for name in found]
    absent = [name for name in needed if name not in columns]
    if absent:
        unknown = [name for name in columns if name not in needed]
        hints = {name: get_close_matches(name, unknown, n=1) for name in absent}
        renamed = [f"`{name}` (is it `{near[0]}`?)" for name, near in hints.items() if near]
        plain = [f"`{name}`" for name, near in hints.items() if not near]
        raise ScoringError(
            f"Every training covariate must be a column; missing {len(absent)} of "
            f"{len(needed)}: {', '.join(renamed + plain)}. Add each by this name, with missing "
            "values where they are unknown."
        )
    double = [name for name in needed if columns.count(name) > 1]
    if double:
        raise ScoringError(
            f"Column names must be unique; found more than once: {double}. Leave one of each."
        )
