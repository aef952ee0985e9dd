"""The model that leaves the project: household covariates in, effect and decision out."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import IntervalNotOffered, ScoringError
from promo_uplift.contracts.learner import Learner
from promo_uplift.contracts.parameters import PolicyParameters, VerdictName
from promo_uplift.contracts.results import BoolArray, CovariateEncoder, FloatArray
from promo_uplift.policy.support import (
    IN_SUPPORT,
    SupportRanges,
    covariates_inside,
    support,
)
from promo_uplift.policy.targeting import HouseholdPredictions, recommendation

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

    def score(self, households: pd.DataFrame) -> pd.DataFrame:
        """Effect, interval, expected profit and decision for each household, ``(m, 6)``.

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
            with the index of ``households``. Where a covariate lies outside the training range, or
            a category was never seen in training, the four figures are NaN: an effect there would
            be a guess. Where only the propensity is outside its overlap they are given, marked by
            ``in_support`` False. The interval is NaN where the learner offers none.

        Raises
        ------
        ScoringError
            If a covariate is missing or not numeric, or a name occurs twice.
        """
        covariates, is_known = self._encoded(households)
        reasons = covariates_inside(ranges=self.ranges, covariates=covariates)
        inside = is_known & np.array([reason == IN_SUPPORT for reason in reasons], dtype=np.bool_)
        figures = np.full((len(covariates), len(FIGURES)), np.nan)
        in_support = np.zeros(len(covariates), dtype=np.bool_)
        recommend = np.zeros(len(covariates), dtype=np.bool_)
        if inside.any():
            rows = covariates[inside]
            propensity = self.propensity_model.predict_propensity(covariates=rows)
            row_support = support(ranges=self.ranges, covariates=rows, propensity=propensity)
            predictions = self._predict(rows)
            decided = recommendation(
                predictions=predictions,
                in_top_share=predictions.cate >= self.cate_threshold_usd,
                in_support=row_support.mask,
                parameters=self.parameters,
                verdict_name=self.verdict_name,
            )
            figures[inside] = np.column_stack(
                [predictions.cate, predictions.interval, decided.expected_profit_usd]
            )
            in_support[inside] = row_support.mask
            recommend[inside] = decided.recommend
        return pd.DataFrame(figures, columns=list(FIGURES), index=households.index).assign(
            in_support=in_support, recommend=recommend
        )

    def _encoded(self, households: pd.DataFrame) -> tuple[pd.DataFrame, BoolArray]:
        if self.encoder is None:
            return self._covariates(households), np.ones(len(households), dtype=np.bool_)
        covariates, is_known = self.encoder.encode(households)
        return self._covariates(covariates), is_known

    def _predict(self, covariates: pd.DataFrame) -> HouseholdPredictions:
        return HouseholdPredictions(
            cate=self.learner.predict_cate(covariates=covariates),
            interval=self._interval(covariates),
            redemption=self.redemption_model.predict_redemption(covariates=covariates),
        )

    def _interval(self, covariates: pd.DataFrame) -> FloatArray:
        try:
            return self.learner.predict_interval(covariates=covariates, level=self.level)
        except IntervalNotOffered:
            return np.full((len(covariates), 2), np.nan)

    def _covariates(self, households: pd.DataFrame) -> pd.DataFrame:
        columns = [str(name) for name in households.columns]
        absent = [name for name in self.covariates if name not in columns]
        if absent:
            unknown = [name for name in columns if name not in self.covariates]
            hints = {name: get_close_matches(name, unknown, n=1) for name in absent}
            renamed = [f"`{name}` (is it `{near[0]}`?)" for name, near in hints.items() if near]
            plain = [f"`{name}`" for name, near in hints.items() if not near]
            raise ScoringError(
                f"Every training covariate must be a column; missing {len(absent)} of "
                f"{len(self.covariates)}: {', '.join(renamed + plain)}."
            )
        double = [name for name in self.covariates if columns.count(name) > 1]
        if double:
            raise ScoringError(f"Column names must be unique; found more than once: {double}.")
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
        return chosen.astype(np.float64)
