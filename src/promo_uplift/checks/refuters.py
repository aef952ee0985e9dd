"""PU-REFUTERS: shuffled treatments do less, and half the data says the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.checks.inputs import numbers
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters


@dataclass(frozen=True, slots=True)
class Refuters:
    """What predicted effects become under a shuffled treatment, and on part of the data.

    Attributes
    ----------
    placebo_ratio : float
        Mean size of the effects under a shuffled treatment over that of the effects.
    subset_correlation : float
        Correlation of the effects with those of a model of part of the data; NaN where one of
        them is the same for everybody.
    """

    placebo_ratio: float
    subset_correlation: float

    @classmethod
    def of(
        cls, *, effects: ArrayLike, placebo_effects: ArrayLike, subset_effects: ArrayLike
    ) -> Refuters:
        """Compare three predictions of the same rows, each ``(n,)``, in the outcome's unit.

        Parameters
        ----------
        effects : (n,)
            Predicted effect of each row.
        placebo_effects : (n,)
            The same model fitted after the treatment was shuffled.
        subset_effects : (n,)
            The same model fitted on part of the data, e.g. half of the households.

        Raises
        ------
        CheckError
            If the lengths differ, a value is missing or every effect is 0.
        """
        full = numbers(effects, name="effects")
        shuffled = numbers(placebo_effects, name="placebo_effects", n=len(full))
        part = numbers(subset_effects, name="subset_effects", n=len(full))
        size = float(np.abs(full).mean())
        if size == 0.0:
            raise CheckError("`effects` must not all be 0: there is nothing to refute.")
        spreads = np.ptp(full) > 0.0 and np.ptp(part) > 0.0
        return cls(
            placebo_ratio=float(np.abs(shuffled).mean() / size),
            subset_correlation=float(np.corrcoef(full, part)[0, 1]) if spreads else float("nan"),
        )


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Hold the effects against those of a shuffled treatment, and of part of the data."""
    found = evidence.need(Refuters)
    most, least = parameters.max_placebo_ratio, parameters.min_subset_correlation
    varies = found.subset_correlation == found.subset_correlation
    is_stable = not varies or found.subset_correlation >= least
    stability = (
        f"on part of the data they correlate by {found.subset_correlation:.2f} with themselves "
        f"(at least {least:g})"
        if varies
        else "they are the same for everybody, so their order cannot change"
    )
    return Finding(
        rule=f"effects of a shuffled treatment <= {most:g} of the effects; correlation with those "
        f"of part of the data >= {least:g}",
        value=found.placebo_ratio,
        threshold=most,
        passed=found.placebo_ratio <= most and is_stable,
        sentence=(
            f"With the {evidence.wording.treatment} dealt out at random the effects are "
            f"{found.placebo_ratio:.0%} of the real ones in size (at most {most:.0%}); {stability}."
        ),
    )


CHECK = Check(
    code="PU-REFUTERS",
    title="Refuters refute nothing",
    family="placebo",
    needs=(Refuters,),
    look=_look,
)
