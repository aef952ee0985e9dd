"""A shallow tree that repeats the effects, its leaves valued on households it knows nothing of."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.tree import DecisionTreeRegressor

from promo_uplift.contracts.parameters import ExplanationParameters, WordingParameters
from promo_uplift.contracts.results import CrossFittedCate, FloatArray, IntArray
from promo_uplift.explanation.labels import label
from promo_uplift.metrics.simultaneous import clustered_covariance, max_t_quantile
from promo_uplift.nuisance.seeding import derived_rng, derived_seed

#: Fold whose households value the leaves.
VALUED_FOLD = 0


@dataclass(frozen=True, slots=True)
class EffectRules:
    """The tree's leaves as rules.

    Attributes
    ----------
    table : DataFrame
        One row per leaf, highest predicted effect first: ``rule, effect_usd, se, ci_low, ci_high,
        band_low, band_high, predicted_usd, share, n_valued, n_grown, text``.
    first_split : str or None
        Covariate of the first split; None: the effects did not differ enough for one.
    r2 : float
        Share of the variance of the valued rows' held-out effects that the tree repeats; NaN where
        they do not vary.
    """

    table: pd.DataFrame
    first_split: str | None
    r2: float


@dataclass(frozen=True, slots=True)
class _Condition:
    covariate: str
    is_above: bool
    threshold: float
    takes_missing: bool


def effect_rules(  # noqa: PLR0913 - one analysis, named in full by its caller
    *,
    covariates: pd.DataFrame,
    fitted: CrossFittedCate,
    scores: FloatArray,
    groups: IntArray,
    parameters: ExplanationParameters,
    wording: WordingParameters,
    level: float,
    draws: int,
    seed: int,
) -> EffectRules:
    """Distil effects into a few rules, and value each on households it was not made with.

    The tree is grown on the effects that the learner predicts, for the rows outside fold 0, in the
    analysis that holds fold 0 out: they are a function of the other folds' outcomes alone. Each
    leaf's effect is then the mean doubly robust score of its rows in fold 0, with an interval
    clustered by household (pointwise ``ci_*``; ``band_*`` holds all leaves at once). So no
    interval knows its rule, whatever the learner and the tree made of noise.

    Parameters
    ----------
    covariates : DataFrame (n, p)
        NaN where missing: the tree sends them where it fits the effects best.
    fitted : CrossFittedCate
        Effects ``(n, K)`` of the champion.
    scores : float64 (n,)
        Doubly robust scores of held-out nuisances.
    groups : int64 (n,)
        Household of each row.
    parameters : ExplanationParameters
        Depth of the tree and smallest leaf.
    wording : WordingParameters
        Words of the rules.
    level : float
        Confidence level.
    draws : int
        Gaussian draws behind the bands.
    seed : int

    References
    ----------
    Craven & Shavlik (1996), *NeurIPS* 8 (trees that repeat a model); Athey & Imbens (2016), *PNAS*
    113(27) (leaves valued on rows that did not make them).
    """
    valued = fitted.fold == VALUED_FOLD
    features = covariates.to_numpy(dtype=np.float64)
    target = fitted.cate[:, VALUED_FOLD]
    tree = DecisionTreeRegressor(
        max_depth=parameters.tree_depth,
        min_samples_leaf=max(1, int(parameters.tree_leaf_share * (~valued).sum())),
        random_state=derived_seed(seed=seed, purpose="explanation/tree"),
    ).fit(features[~valued], target[~valued])
    leaf = tree.apply(features)
    paths = _paths(tree, covariates)
    leaves = sorted(paths, key=lambda node: -float(tree.tree_.value[node, 0, 0]))
    inside = leaf[valued][:, None] == np.asarray(leaves)
    size = inside.sum(axis=0)
    gamma = scores[valued]
    effect = np.divide(gamma @ inside, size, out=np.full(len(leaves), np.nan), where=size > 0)
    influence = np.where(inside, gamma[:, None] - np.nan_to_num(effect), 0.0) / np.maximum(size, 1)
    covariance = clustered_covariance(influence=influence, groups=groups[valued])
    se = np.sqrt(np.diag(covariance))
    se = np.where(se > 0.0, se, np.nan)  # one household has no spread
    half = float(norm.ppf(0.5 + level / 2.0))
    band = max_t_quantile(
        covariance=covariance,
        level=level,
        draws=draws,
        rng=derived_rng(seed=seed, purpose="explanation/rules"),
    )
    predicted = np.array([float(tree.tree_.value[node, 0, 0]) for node in leaves])
    table = pd.DataFrame(
        {
            "rule": [_rule(paths[node], covariates, wording) for node in leaves],
            "effect_usd": effect,
            "se": se,
            "ci_low": effect - half * se,
            "ci_high": effect + half * se,
            "band_low": effect - band * se,
            "band_high": effect + band * se,
            "predicted_usd": predicted,
            "share": [float((leaf == node).mean()) for node in leaves],
            "n_valued": size,
            "n_grown": [int((leaf[~valued] == node).sum()) for node in leaves],
        }
    )
    table["text"] = [_sentence(row, wording) for row in table.to_dict("records")]
    root = int(tree.tree_.feature[0])
    held_out = fitted.held_out()[valued]
    spread = float(((held_out - held_out.mean()) ** 2).sum())
    left = float(((held_out - tree.predict(features[valued])) ** 2).sum())
    return EffectRules(
        table=table,
        first_split=str(covariates.columns[root]) if root >= 0 else None,
        r2=1.0 - left / spread if spread > 0.0 else float("nan"),
    )


def _paths(
    tree: DecisionTreeRegressor, covariates: pd.DataFrame
) -> dict[int, tuple[_Condition, ...]]:
    """Conditions on the way to each leaf."""
    inner = tree.tree_
    has_missing = covariates.isna().any().to_numpy()
    found: dict[int, tuple[_Condition, ...]] = {}
    waiting: list[tuple[int, tuple[_Condition, ...]]] = [(0, ())]
    while waiting:
        node, path = waiting.pop()
        feature = int(inner.feature[node])
        if feature < 0:
            found[node] = path
            continue
        goes_left = bool(inner.missing_go_to_left[node])
        for child, is_above in (
            (int(inner.children_left[node]), False),
            (int(inner.children_right[node]), True),
        ):
            condition = _Condition(
                covariate=str(covariates.columns[feature]),
                is_above=is_above,
                threshold=float(inner.threshold[node]),
                takes_missing=bool(has_missing[feature]) and goes_left != is_above,
            )
            waiting.append((child, (*path, condition)))
    return found


def _rule(
    path: tuple[_Condition, ...], covariates: pd.DataFrame, wording: WordingParameters
) -> str:
    """Put the leaf in words; bounds of one covariate are put together."""
    if not path:
        return f"All {wording.subjects}"
    names = list(dict.fromkeys(condition.covariate for condition in path))
    parts = [
        _bounds(name, [one for one in path if one.covariate == name], covariates[name])
        for name in names
    ]
    text = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    return f"{wording.subjects.capitalize()} with {text}"


def _bounds(name: str, conditions: list[_Condition], values: pd.Series) -> str:
    known = values.dropna()
    above = [one.threshold for one in conditions if one.is_above]
    below = [one.threshold for one in conditions if not one.is_above]
    words = label(name)
    unknown = " or unknown" if all(one.takes_missing for one in conditions) else ""
    if known.isin([0.0, 1.0]).all():
        column, is_level, level = name.partition("=")
        if is_level:  # one level of a text column
            return f"{column} {level}" if above else f"{column} other than {level}"
        return f"{words}: {'yes' if above else 'no'}{unknown}"
    is_whole = bool((known == np.floor(known)).all())
    low = _number(max(above), is_whole) if above else ""
    high = _number(min(below), is_whole) if below else ""
    if low and high:
        return f"{words} above {low} and at most {high}{unknown}"
    return f"{words} above {low}{unknown}" if low else f"{words} at most {high}{unknown}"


def _number(threshold: float, is_whole: bool) -> str:
    return f"{np.floor(threshold):,.0f}" if is_whole else f"{threshold:.3g}"


def _sentence(row: Mapping[Hashable, Any], wording: WordingParameters) -> str:
    share = f"{row['share']:.0%} of rows"
    if not np.isfinite(row["se"]):
        return f"{row['rule']}: too few rows to value it, {share}."
    return (
        f"{row['rule']}: effect {wording.amount(row['effect_usd'])} "
        f"({wording.number(row['ci_low'])} to {wording.number(row['ci_high'])}), {share}; "
        f"predicted {wording.number(row['predicted_usd'])}."
    )
