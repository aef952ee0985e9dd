"""Which learner speaks for a run: the simplest that the best one does not clearly beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import BoolArray, FloatArray, IntArray
from promo_uplift.metrics.bootstrap import household_draws
from promo_uplift.metrics.folds import FoldRows, fold_rows

#: Always competes, as the simplest: an effect that nobody's covariates explain is one effect.
SIMPLEST = "constant"
#: Name of the ranking in which each fold is ranked by the learner that the other folds chose.
SELECTED = "selected"


@dataclass(frozen=True, slots=True)
class SelectionRule:
    """Distances in standard errors of the paired difference of two losses.

    Attributes
    ----------
    reach : float
        How far behind the lowest loss a simpler learner is still preferred.
    clearance : float
        How far below the loss of the simplest learner any other must lie.
    """

    reach: float
    clearance: float


@dataclass(frozen=True, slots=True)
class Selection:
    """The champion, and what each fold would have chosen without itself.

    Attributes
    ----------
    champion : str
        Chosen on all held-out rows: its own held-out figures are as good as they are because it
        was chosen by them.
    learner_by_fold : tuple of str
        Chosen on the rows outside each fold: figures of these, each on its fold, chose nothing.
    table : DataFrame
        A row per competitor, simplest first: ``learner, loss, loss_minus_best, se,
        gain_over_simplest, gain_se, is_eligible, is_champion, folds_won``. Losses in squared units
        of the outcome; ``se`` and ``gain_se`` are of the paired differences, clustered by
        household.
    """

    champion: str
    learner_by_fold: tuple[str, ...]
    table: pd.DataFrame

    @property
    def shown(self) -> str:
        """Learner whose effects differ between households: the champion, else the lowest loss.

        A champion that is one effect for all has nothing to show beside its mean.
        """
        if self.champion != SIMPLEST:
            return self.champion
        others = self.table[self.table["learner"] != SIMPLEST].sort_values("loss", kind="stable")
        return str(others["learner"].iloc[0])

    def ranking(self, *, cate: Mapping[str, FloatArray], fold: IntArray) -> FloatArray:
        """Held-out effect of each row by the learner that the other folds chose, ``(n,)``.

        Parameters
        ----------
        cate : mapping of str to float64 (n, K)
            Cross-fitted effects of every competitor.
        fold : int64 (n,)
            Fold of each row.
        """
        chosen = np.empty(len(fold))
        for number, name in enumerate(self.learner_by_fold):
            rows = fold == number
            chosen[rows] = cate[name][rows, number]
        return chosen


def competitors(candidates: Sequence[str]) -> tuple[str, ...]:
    """Names that compete, simplest first: ``constant``, then the candidates in their order."""
    return (SIMPLEST, *(name for name in candidates if name != SIMPLEST))


def one_standard_error_choice(
    *, losses: Mapping[str, FloatArray], folds: Sequence[FoldRows], rule: SelectionRule
) -> IntArray:
    r"""Position of the simplest learner within reach of the lowest loss, per replicate, ``(R,)``.

    A learner :math:`j` other than the simplest competes if it is shown to be better than that
    one, and the champion is the first in the order of ``losses`` that the best competitor
    :math:`b` does not clearly beat; the simplest if none competes:

    .. math:: L_0 - L_j > z \; \widehat{se}(L_0 - L_j), \qquad
        L_j - L_b \le c \; \widehat{se}(L_j - L_b)

    where :math:`L_j` is the mean loss over the rows of ``folds``, the error is that of the paired
    difference on the sample, over household sums, :math:`z` is the rule's ``clearance`` and
    :math:`c` its ``reach`` (both 0: the lowest loss). Distance to the best alone forgives noise:
    of two learners equally far behind, the noisier would be within reach; and among ten learners
    one is better than one effect for all by chance. Replicates repeat the choice with the
    sample's errors.

    Parameters
    ----------
    losses : mapping of str to float64 (n,)
        Loss of each row by each learner, simplest learner first.
    folds : sequence of FoldRows
        Rows that choose.
    rule : SelectionRule
        Reach and clearance.

    References
    ----------
    Breiman, Friedman, Olshen & Stone (1984), *Classification and Regression Trees*, section
    3.4.3 (the one-standard-error rule); Hastie, Tibshirani & Friedman (2009), section 7.10.
    """
    mean, error = _losses_and_errors(losses=losses, folds=folds)
    eligible = _eligible(mean=mean, error=error, rule=rule)
    choice: IntArray = np.argmax(eligible, axis=0).astype(np.int64)
    return choice


def select_champion(
    *,
    losses: Mapping[str, FloatArray],
    fold: IntArray,
    groups: IntArray,
    rule: SelectionRule,
) -> Selection:
    """Choose on all held-out rows, and for each fold on the others.

    Parameters
    ----------
    losses : mapping of str to float64 (n, K)
        Cross-fitted loss terms, simplest learner first; column ``k`` chooses for fold ``k`` by
        the rows outside it.
    fold, groups : int64 (n,)
        Fold and household of each row.
    rule : SelectionRule
        Of :func:`one_standard_error_choice`.

    Raises
    ------
    MetricError
        If there is no competitor, or a loss is not finite or not ``(n, K)``.
    """
    n_folds = int(fold.max()) + 1
    _validate(losses=losses, shape=(len(fold), n_folds))
    names = tuple(losses)
    draws = household_draws(groups=groups, replicates=0, rng=np.random.default_rng(0))
    folds = fold_rows(fold=fold, draws=draws)
    rows = np.arange(len(fold))
    held_out = {name: values[rows, fold] for name, values in losses.items()}
    position = one_standard_error_choice(losses=held_out, folds=folds, rule=rule)
    by_fold = tuple(
        names[
            int(
                one_standard_error_choice(
                    losses={name: values[:, part.fold] for name, values in losses.items()},
                    folds=[other for other in folds if other.fold != part.fold],
                    rule=rule,
                )[0]
            )
        ]
        for part in folds
    )
    mean, error = _losses_and_errors(losses=held_out, folds=folds)
    best = int(np.argmin(mean[:, 0]))
    eligible = _eligible(mean=mean[:, :1], error=error, rule=rule)
    table = pd.DataFrame(
        {
            "learner": names,
            "loss": mean[:, 0],
            "loss_minus_best": mean[:, 0] - mean[best, 0],
            "se": error[:, best],
            "gain_over_simplest": mean[0, 0] - mean[:, 0],
            "gain_se": error[:, 0],
            "is_eligible": eligible[:, 0],
            "is_champion": np.arange(len(names)) == int(position[0]),
            "folds_won": [by_fold.count(name) for name in names],
        }
    )
    return Selection(champion=names[int(position[0])], learner_by_fold=by_fold, table=table)


def _eligible(*, mean: FloatArray, error: FloatArray, rule: SelectionRule) -> BoolArray:
    """Within reach of the best competitor, ``(J, R)``; the simplest alone where none competes."""
    competes = mean[:1] - mean > rule.clearance * error[:, :1]
    competes[0] = ~competes.any(axis=0)
    best = np.argmin(np.where(competes, mean, np.inf), axis=0)
    excess = mean - mean[best, np.arange(mean.shape[1])]
    return np.asarray(competes & (excess <= rule.reach * error[:, best]))


def _losses_and_errors(
    *, losses: Mapping[str, FloatArray], folds: Sequence[FoldRows]
) -> tuple[FloatArray, FloatArray]:
    """Mean losses ``(J, R)``, and the error of each pair's difference on the sample ``(J, J)``."""
    stacked = np.stack(list(losses.values()))
    total = np.sum([part.weights.sums(stacked[:, part.rows]) for part in folds], axis=0)
    weight = np.sum([part.weights.total for part in folds], axis=0)
    mean = total / np.where(weight > 0.0, weight, 1.0)
    rows = np.concatenate([part.rows for part in folds])
    households, code = np.unique(
        np.concatenate([part.weights.code for part in folds]), return_inverse=True
    )
    centred = stacked[:, rows] - stacked[:, rows].mean(axis=1, keepdims=True)
    size = len(households)
    sums = np.stack([np.bincount(code, weights=one, minlength=size) for one in centred])
    covariance = size / max(size - 1, 1) * (sums @ sums.T) / len(rows) ** 2
    variance = np.diag(covariance)
    squared = variance[:, np.newaxis] + variance[np.newaxis, :] - 2.0 * covariance
    return mean, np.sqrt(np.maximum(squared, 0.0))


def _validate(*, losses: Mapping[str, FloatArray], shape: tuple[int, int]) -> None:
    if not losses:
        raise MetricError("`losses` must name at least one learner, got none.")
    for name, values in losses.items():
        if values.shape != shape:
            raise MetricError(f"`losses[{name!r}]` must be of shape {shape}, got {values.shape}.")
        n_bad = int(np.sum(~np.isfinite(values)))
        if n_bad:
            raise MetricError(
                f"`losses[{name!r}]` must be finite; {n_bad} of {values.size} values are not. "
                "Look for effects that are not finite."
            )
