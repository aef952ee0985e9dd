"""What the estimate does when the data are changed so that the answer is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import norm

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import NuisanceValues, TrialData
from promo_uplift.effects.adjusted.sample import take_rows
from promo_uplift.effects.estimate import Estimate
from promo_uplift.nuisance.seeding import derived_rng

#: Fits nuisances of changed data, as cheaply as the caller wants.
FitNuisances = Callable[[TrialData], NuisanceValues]
#: Estimates the effect on changed data.
EstimateEffect = Callable[[TrialData, NuisanceValues], Estimate]
Change = Callable[[np.random.Generator], TrialData]


@dataclass(frozen=True, slots=True)
class Refutation:
    """What an estimate became when the data were changed, over several draws of the change.

    Attributes
    ----------
    refuter : str
        ``placebo_treatment``, ``dummy_outcome`` (nothing is expected), ``random_common_cause`` or
        ``data_subset`` (the original is expected).
    original : float
        The estimate on the data as they are, with the same fit, in the outcome's unit.
    expected : float
        What the change should give: 0 or the original.
    mean, sd : float
        Over the draws.
    ratio : float
        ``mean`` over the original.
    shift_se : float
        ``mean - expected`` in standard errors of the original.
    p_value : float
        Two-sided, of the expected value among the draws (normal).
    stability : float
        ``sd`` over the size of the original.
    same_sign_share, rejected_share : float
        Draws with the original's sign; draws whose own interval leaves out the expected value.
    n_draws, n_failed : int
        Draws with a figure, and without.
    reason : str
        Why there is nothing; empty where there is.
    """

    refuter: str
    original: float
    expected: float
    mean: float
    sd: float
    ratio: float
    shift_se: float
    p_value: float
    stability: float
    same_sign_share: float
    rejected_share: float
    n_draws: int
    n_failed: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RefuterRules:
    """How refuters draw.

    Attributes
    ----------
    n_draws : int
        Draws of each change, at least 2.
    subset_share : float
        Share of the households in a subset, between 0 and 1.
    seed : int
        Seed of all draws.
    """

    n_draws: int
    subset_share: float
    seed: int


def refute(
    *,
    data: TrialData,
    fit_nuisances: FitNuisances,
    estimate: EstimateEffect,
    rules: RefuterRules,
) -> tuple[Refutation, ...]:
    r"""Four refutations of an estimate, each with the nuisances fitted anew.

    - ``placebo_treatment``: the treatment is permuted within campaigns.
    - ``dummy_outcome``: the outcome becomes :math:`\mu_0(x)` plus a residual of a household that
      was not mailed in the same campaign, drawn anew: the mailing changes nothing, and whom it
      chooses still differ in spend. What is found then is confounding that the estimator leaves.
    - ``random_common_cause``: a covariate of standard normal noise is added.
    - ``data_subset``: a share of the households, drawn without replacement.

    Parameters
    ----------
    data : TrialData
        Stacked trials.
    fit_nuisances : callable
        Held-out nuisances of a table of trials. The original is estimated with it as well, so that
        a cheap fit is compared with itself.
    estimate : callable
        The estimate from a table of trials and its nuisances.
    rules : RefuterRules
        How many draws, and their seed.

    Raises
    ------
    MetricError
        If there are fewer than 2 draws or ``subset_share`` is not between 0 and 1.

    References
    ----------
    Sharma & Kiciman (2020), DoWhy, arXiv:2011.04216.
    """
    if rules.n_draws < 2:
        raise MetricError(f"`n_draws` must be at least 2, found {rules.n_draws}.")
    if not 0.0 < rules.subset_share < 1.0:
        raise MetricError(f"`subset_share` must lie between 0 and 1, found {rules.subset_share:g}.")
    nuisances = fit_nuisances(data)
    original = estimate(data, nuisances)
    changes: dict[str, tuple[Change, bool]] = {
        "placebo_treatment": (lambda rng: _placebo_treatment(data, rng), True),
        "dummy_outcome": (lambda rng: _dummy_outcome(data, nuisances, rng), True),
        "random_common_cause": (lambda rng: _random_common_cause(data, rng), False),
        "data_subset": (lambda rng: _data_subset(data, rules.subset_share, rng), False),
    }
    found = []
    for name, (change, is_nothing) in changes.items():
        draws = []
        for number in range(rules.n_draws if original.is_valid else 0):
            changed = change(
                derived_rng(seed=rules.seed, purpose=f"effects/refuter/{name}", index=(number,))
            )
            draws.append(estimate(changed, fit_nuisances(changed)))
        found.append(_summary(name, original, draws, is_nothing=is_nothing))
    return tuple(found)


def refutations_table(refutations: Sequence[Refutation]) -> pd.DataFrame:
    """One row per refutation, columns as the attributes of :class:`Refutation`."""
    names = list(Refutation.__dataclass_fields__)
    return pd.DataFrame(
        [[getattr(one, name) for name in names] for one in refutations], columns=names
    )


def _placebo_treatment(data: TrialData, rng: np.random.Generator) -> TrialData:
    treatment = data.treatment.copy()
    for campaign in np.unique(data.campaign):
        rows = np.flatnonzero(data.campaign == campaign)
        treatment[rows] = rng.permutation(treatment[rows])
    return replace(data, treatment=treatment)


def _dummy_outcome(
    data: TrialData, nuisances: NuisanceValues, rng: np.random.Generator
) -> TrialData:
    residual = data.outcome - nuisances.mu0
    outcome = nuisances.mu0.copy()
    for campaign in np.unique(data.campaign):
        rows = data.campaign == campaign
        pool = residual[rows & (data.treatment == 0)]
        outcome[rows] += rng.choice(pool - pool.mean(), size=int(rows.sum()))
    return replace(data, outcome=outcome)


def _random_common_cause(data: TrialData, rng: np.random.Generator) -> TrialData:
    noise = pd.Series(rng.normal(size=len(data.treatment)), index=data.covariates.index)
    name = "random common cause"
    while name in data.covariates.columns:
        name += " "
    return replace(data, covariates=data.covariates.assign(**{name: noise}))


def _data_subset(data: TrialData, share: float, rng: np.random.Generator) -> TrialData:
    households = np.unique(data.groups)
    size = max(round(share * len(households)), 1)
    chosen = rng.choice(households, size=size, replace=False)
    return take_rows(data=data, rows=np.isin(data.groups, chosen))


def _summary(
    name: str, original: Estimate, draws: Sequence[Estimate], *, is_nothing: bool
) -> Refutation:
    valid = [one for one in draws if one.is_valid]
    expected = 0.0 if is_nothing else original.value
    nan = float("nan")
    if len(valid) < 2 or original.value == 0.0:
        reason = original.reason or (
            f"{len(valid)} of {len(draws)} draws have a figure, e.g. {draws[0].reason}"
            if len(valid) < 2
            else "the original is exactly 0"
        )
        figures = (nan, nan, nan, nan, nan, nan, nan, nan)
        counts = (len(valid), len(draws) - len(valid))
        return Refutation(name, original.value, expected, *figures, *counts, reason)
    values = np.array([one.value for one in valid])
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    outside = [not one.ci_low <= expected <= one.ci_high for one in valid]
    p_value = (
        float(2.0 * norm.sf(abs(mean - expected) / sd)) if sd > 0.0 else float(mean == expected)
    )
    return Refutation(
        refuter=name,
        original=original.value,
        expected=expected,
        mean=mean,
        sd=sd,
        ratio=mean / original.value,
        shift_se=(mean - expected) / original.se,
        p_value=p_value,
        stability=sd / abs(original.value),
        same_sign_share=float(np.mean(np.sign(values) == np.sign(original.value))),
        rejected_share=float(np.mean(outside)),
        n_draws=len(valid),
        n_failed=len(draws) - len(valid),
    )
