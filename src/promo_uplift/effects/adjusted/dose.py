"""The effect of one unit of a treatment that has a size, residual on residual."""

from __future__ import annotations

import numpy as np

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.effects.clustered import MIN_CLUSTERS
from promo_uplift.effects.cross_section import EffectTerms
from promo_uplift.effects.estimate import Estimate, Label, clustered_influence


def partially_linear_terms(
    *, dose: FloatArray, outcome: FloatArray, dose_mean: FloatArray, outcome_mean: FloatArray
) -> EffectTerms:
    r"""Terms of :math:`\sum (D - E[D|x])(Y - E[Y|x]) / \sum (D - E[D|x])^2`, each ``(n,)``."""
    residual = dose - dose_mean
    return EffectTerms(
        estimand="ato",
        rows=np.ones(len(dose), dtype=np.bool_),
        numerator=residual * (outcome - outcome_mean),
        weight=residual**2,
        effective=residual**2,
    )


def dose_effect(
    *,
    label: Label,
    dose: FloatArray,
    outcome: FloatArray,
    means: tuple[FloatArray, FloatArray],
    groups: IntArray,
    level: float,
    least_variation: float,
) -> Estimate:
    r"""Effect of one unit of the dose, in the outcome's unit per unit of dose.

    The model is :math:`Y = \theta D + g(x) + \varepsilon`. Where the effect differs between
    households, :math:`\theta` is their average weighted by how much of the dose is not explained
    by ``x``; where it is not linear in the dose, the average slope with the same weights.

    Parameters
    ----------
    label : Label
        What it is an effect of.
    dose : float64 (n,)
        Share of list price discounted, weeks on display ...
    outcome : float64 (n,)
        Outcome.
    means : tuple of float64 (n,)
        Held-out E[dose | x] and E[outcome | x].
    groups : int64 (n,)
        Household of each row: the cluster. ``n_treated`` counts rows with a dose other than 0.
    level : float
        Confidence level.
    least_variation : float
        Smallest share of the dose's variance that ``x`` may leave; with less there is no estimate.

    Raises
    ------
    MetricError
        If lengths differ or a value is not finite.

    References
    ----------
    Robinson (1988), Econometrica 56(4); Chernozhukov et al. (2018), The Econometrics Journal 21(1).
    """
    dose_mean, outcome_mean = means
    given = {"dose": dose, "outcome": outcome, "E[dose|x]": dose_mean, "E[outcome|x]": outcome_mean}
    for name, values in given.items():
        if len(values) != len(groups) or not np.isfinite(values).all():
            raise MetricError(
                f"`{name}` must hold one finite value per row, {len(groups)}; found {len(values)}, "
                f"{int((~np.isfinite(values)).sum())} of them not finite. Leave such rows out, "
                "with a count."
            )
    counts = (len(groups), int((dose != 0.0).sum()), len(np.unique(groups)))
    if counts[2] < MIN_CLUSTERS:
        reason = f"{counts[2]} household carries it; an error needs {MIN_CLUSTERS}"
        return Estimate.none(label=label, reason=reason, counts=counts)
    terms = partially_linear_terms(
        dose=dose, outcome=outcome, dose_mean=dose_mean, outcome_mean=outcome_mean
    )
    left, spread = float(terms.weight.mean()), float(dose.var())
    if spread <= 0.0 or left < least_variation * spread:
        reason = f"covariates leave {left:.3g} of the dose's variance {spread:.3g}"
        return Estimate.none(label=label, reason=reason, counts=counts)
    total = float(terms.weight.sum())
    value = float(terms.numerator.sum()) / total
    influence, se = clustered_influence(
        contributions=(terms.numerator - value * terms.weight) / total, groups=groups
    )
    return Estimate.normal(
        label=label, value=value, se=se, level=level, counts=counts, influence=influence
    )
