"""What tuning was worth, on households that took no part in it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from promo_uplift.contracts.parameters import MetricParameters, WordingParameters
from promo_uplift.contracts.results import (
    CrossFittedCate,
    CrossFittedNuisances,
    FloatArray,
    Interval,
    TrialData,
)
from promo_uplift.effects.clustered import clustered_mean
from promo_uplift.metrics import RankingMetrics
from promo_uplift.metrics.differences import auuc_differences
from promo_uplift.nuisance.scores import dr_scores
from promo_uplift.nuisance.seeding import derived_rng
from promo_uplift.tuning.losses import named_loss

VALUE_OF_TUNING = "value_of_tuning"
NOTHING = Interval(float("nan"), float("nan"), float("nan"))


def value_figures(
    *,
    data: TrialData,
    nuisances: CrossFittedNuisances,
    cross_fitted: Mapping[str, CrossFittedCate],
    metrics: MetricParameters,
    seed: int,
) -> dict[str, dict[str, Interval]]:
    """Figures of each learner, tuned, against its defaults.

    Returns
    -------
    dict of dict of Interval
        ``value_of_tuning`` (held-out AUUC, tuned minus defaults, USD per household) and
        ``tuning_loss_gain`` (held-out loss that was tuned on, defaults minus tuned, USD squared);
        NaN where nothing was tuned. Both paired.
    """
    defaults = {
        name: one.default_cate for name, one in cross_fitted.items() if one.default_cate is not None
    }
    if not defaults:
        return {
            name: dict.fromkeys((VALUE_OF_TUNING, "tuning_loss_gain"), NOTHING)
            for name in cross_fitted
        }
    differences = auuc_differences(
        scores=_scores(data=data, nuisances=nuisances),
        rankings={name: cross_fitted[name].held_out() for name in defaults}
        | {f"{name}/defaults": cate for name, cate in defaults.items()},
        pairs={f"{name}/defaults": (name, f"{name}/defaults") for name in defaults},
        fold=nuisances.fold,
        groups=data.groups,
        parameters=metrics,
        rng=derived_rng(seed=seed, purpose="ranking"),
    )
    return {
        name: {
            VALUE_OF_TUNING: differences.get(f"{name}/defaults", NOTHING),
            "tuning_loss_gain": _loss_gain(
                data=data, nuisances=nuisances, fitted=fitted, level=metrics.level
            ),
        }
        for name, fitted in cross_fitted.items()
    }


def _scores(*, data: TrialData, nuisances: CrossFittedNuisances) -> FloatArray:
    return dr_scores(treatment=data.treatment, outcome=data.outcome, nuisances=nuisances.held_out())


def _loss_gain(
    *, data: TrialData, nuisances: CrossFittedNuisances, fitted: CrossFittedCate, level: float
) -> Interval:
    if fitted.default_cate is None or fitted.tuning_loss is None:
        return NOTHING
    before, after = (
        named_loss(fitted.tuning_loss)(
            cate=cate,
            treatment=data.treatment,
            outcome=data.outcome,
            nuisances=nuisances.held_out(),
        )
        for cate in (fitted.default_cate, fitted.held_out())
    )
    return clustered_mean(values=before - after, groups=data.groups).interval(level=level)


def tuning_table(cross_fitted: Mapping[str, CrossFittedCate]) -> pd.DataFrame:
    """Every study of every tuned learner, one row each: what ended it and what was used."""
    tables = [
        one.studies.assign(learner=name)
        for name, one in cross_fitted.items()
        if one.studies is not None
    ]
    columns = [
        "learner",
        "fold",
        "trials",
        "pruned",
        "stopped_by",
        "gain",
        "gain_ci_low",
        "gain_ci_high",
        "used",
        "warm_start_moved",
        "seconds",
    ]
    return pd.concat(tables)[columns] if tables else pd.DataFrame(columns=columns)


def tuning_sentence(
    *, ranking: RankingMetrics, learner: str, wording: WordingParameters
) -> tuple[str, ...]:
    """One sentence on what tuning a learner was worth; none where it was not tuned."""
    value = ranking.figures[learner].get(VALUE_OF_TUNING, NOTHING)
    if np.isnan(value.estimate):
        return ()
    if value == Interval(0.0, 0.0, 0.0):
        return (f"Tuning {learner} found no proven gain: its defaults are used.",)
    shown = "" if value.ci_low > 0.0 or value.ci_high < 0.0 else ": nothing that this data shows"
    return (
        f"Tuning {learner} gained {wording.interval(value)} per {wording.subject} in the area "
        f"under its gain curve{shown}.",
    )
