"""Whom a policy contacts, row by row: what its value, its bounds and its error rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from promo_uplift.contracts.errors import PolicyError
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.policy.rules.ranking import top_share


def contact_weights(
    *,
    cate: Mapping[str, FloatArray],
    learner_by_fold: Sequence[str],
    share_by_fold: Sequence[float],
    fold: IntArray,
) -> FloatArray:
    """Chance that each row is contacted by the rule of its fold, ``(n,)``, in [0, 1].

    The top share of the fold's own ranking; tied rows at its edge share what is left, as in
    :func:`promo_uplift.metrics.gain.gain_curve`. So the mean of chance times score is the value
    that :func:`promo_uplift.policy.evaluate_policy` reports, to rounding.

    Parameters
    ----------
    cate : mapping of str to float64 (n, K)
        Cross-fitted effects or scores of the learners that were chosen.
    learner_by_fold : sequence of str (K,)
    share_by_fold : sequence of float (K,)
        Of :class:`promo_uplift.policy.PolicyEvaluation`.
    fold : int64 (n,)
        Fold of each row.

    Raises
    ------
    PolicyError
        If a chosen learner has no effects.

    Examples
    --------
    >>> import numpy as np
    >>> contact_weights(
    ...     cate={"a": np.array([[3.0], [1.0], [1.0], [0.0]])},
    ...     learner_by_fold=["a"], share_by_fold=[0.5], fold=np.zeros(4, dtype=np.int64))
    array([1. , 0.5, 0.5, 0. ])
    """
    absent = sorted(set(learner_by_fold) - set(cate))
    if absent:
        raise PolicyError(f"`cate` must hold every learner that was chosen; missing: {absent}.")
    weights = np.zeros(len(fold))
    for number, (learner, share) in enumerate(zip(learner_by_fold, share_by_fold, strict=True)):
        rows = np.flatnonzero(fold == number)
        weights[rows] = top_share(ranking=cate[learner][rows, number], share=share)
    return weights
