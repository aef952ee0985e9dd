"""PU-BACON: households that were already treated are not used as controls."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.inputs import numbers
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class ForbiddenComparisons:
    """How much of a two-way estimate comes from comparing with the already treated.

    Attributes
    ----------
    weight : float
        Share of the weight on comparisons whose controls were treated before.
    n_comparisons : int
        Comparisons of two groups that make the estimate.
    """

    weight: float
    n_comparisons: int

    @classmethod
    def of(cls, *, weights: ArrayLike, is_forbidden: ArrayLike) -> ForbiddenComparisons:
        """Sum up a decomposition: the weight of each comparison and whether it is a forbidden one.

        Raises
        ------
        CheckError
            If the lengths differ, or the weights sum to nothing.

        References
        ----------
        Goodman-Bacon (2021), Journal of Econometrics 225(2).
        """
        weight = numbers(weights, name="weights")
        forbidden = numbers(is_forbidden, name="is_forbidden", n=len(weight)) > 0.0
        if (weight < 0.0).any() or weight.sum() == 0.0:
            raise CheckError("`weights` must not be negative, and not all 0.")
        return cls(float(weight[forbidden].sum() / weight.sum()), len(weight))


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Hold the weight of forbidden comparisons against its bound."""
    found, most = evidence.need(ForbiddenComparisons), parameters.max_forbidden_weight
    words = evidence.wording
    return Finding(
        rule=f"weight on comparisons with the already treated <= {most:g}",
        value=found.weight,
        threshold=most,
        passed=found.weight <= most,
        sentence=(
            f"{found.weight:.0%} of the estimate compares {words.treated} {words.subjects} with "
            f"others that were {words.treated} before them (of {found.n_comparisons} comparisons); "
            f"at most {most:.0%} is accepted."
        ),
    )


CHECK = Check(
    code="PU-BACON",
    title="The already treated are no controls",
    family="estimate",
    needs=(ForbiddenComparisons,),
    look=_look,
)
