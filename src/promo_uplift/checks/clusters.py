"""PU-CLUSTERS: there are clusters enough for errors to mean something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from promo_uplift.checks.evidence import Check, Evidence, Finding
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters

#: A variance this far below 0, relative to the largest, is more than rounding.
_ROUNDING: Final = -1e-10


@dataclass(frozen=True, slots=True)
class ClusterCovariance:
    """What clustered errors rest on.

    Attributes
    ----------
    n_clusters, n_parameters : int
        Clusters, and coefficients without the fixed effects that lie inside a cluster.
    smallest_variance : float
        Smallest eigenvalue of the covariance, relative to the largest; negative: no covariance.
    """

    n_clusters: int
    n_parameters: int
    smallest_variance: float

    @classmethod
    def of(
        cls, *, n_clusters: int, covariance: ArrayLike, n_parameters: int | None = None
    ) -> ClusterCovariance:
        """Sum up the clustered covariance ``(p, p)`` of the coefficients.

        Parameters
        ----------
        n_clusters : int
            Clusters.
        covariance : (p, p)
            Clustered covariance, of all coefficients or of some.
        n_parameters : int, optional
            Coefficients, without the fixed effects that lie inside a cluster; None: ``p``.

        Raises
        ------
        CheckError
            If the covariance is not square.
        """
        matrix = np.atleast_2d(np.asarray(covariance, dtype=np.float64))
        if matrix.shape[0] != matrix.shape[1] or not matrix.size:
            raise CheckError(f"`covariance` must be square, found shape {matrix.shape}.")
        if np.isfinite(matrix).all():
            values = np.linalg.eigvalsh((matrix + matrix.T) / 2.0)
            largest = float(np.abs(values).max())
            smallest = float(values[0] / largest) if largest > 0.0 else 0.0
        else:
            smallest = float("-inf")
        return cls(n_clusters, len(matrix) if n_parameters is None else n_parameters, smallest)


def _look(evidence: Evidence, parameters: CheckParameters) -> Finding:
    """Clusters must be many, more than parameters, and their covariance one."""
    found, least = evidence.need(ClusterCovariance), parameters.min_clusters
    is_covariance = found.smallest_variance >= _ROUNDING
    return Finding(
        rule=f"clusters >= {least} and more than parameters; the covariance has no negative "
        "variance",
        value=float(found.n_clusters),
        threshold=float(least),
        passed=found.n_clusters >= least
        and found.n_parameters < found.n_clusters
        and is_covariance,
        sentence=(
            f"The errors rest on {found.n_clusters:,} clusters for {found.n_parameters:,} "
            f"coefficients ({least} clusters, and more than coefficients, are required)"
            + ("." if is_covariance else "; some variance comes out negative.")
        ),
    )


CHECK = Check(
    code="PU-CLUSTERS",
    title="Clusters enough",
    family="estimate",
    needs=(ClusterCovariance,),
    look=_look,
)
