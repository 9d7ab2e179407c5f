"""What the eigenvalue and singular value solvers return."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class EigenResult:
    """Eigenpairs or singular triplets and the certificate that comes with them.

    Attributes
    ----------
    values : ndarray, shape (k,)
        Eigenvalues or singular values, real.
    vectors : ndarray, shape (n, k)
        Eigenvectors or right singular vectors V, orthonormal (``V^H M V = I`` for a generalised
        problem).
    left_vectors : ndarray, shape (m, k), or None
        Left singular vectors; None for an eigenproblem.
    residual_norms : ndarray, shape (k,)
        ``||A v - lambda M v||`` for each eigenpair; for a singular triplet
        ``sqrt(||A v - sigma u||^2 + ||A^H u - sigma v||^2)``. For a Hermitian A an eigenvalue lies
        within that distance of the computed one.
    status : Status
        Why the solver stopped; ``status.value`` says what to do next.
    method : str
        What was really run.
    verified : bool or None
        Whether a search of the complement of `vectors` found nothing that was missed, where it
        would have with a probability of about 1 - 1e-6, or all pairs were computed; False if there
        was no such search, None if the solver has none.
    n_iter : int
        Corrections made: sweeps, expansions or restarts.
    n_matvec : int
        Products with A and its adjoint, one per column; what was spent on the surrogate included.
    n_passes : int
        Blocks multiplied: how often A was read.
    history : ndarray, shape (steps,)
        The certificate that was compared with the tolerance, for the first answer and after each
        step: the largest residual norm relative to the scale of A. `rnla.epsi` also counts by how
        much a value fell behind that of an earlier sweep.
    residual_history : ndarray, shape (steps, k)
        The residual norms of every pair at each look, in the order of `values`; (0, k) where they
        were not recorded, and where an inverse was iterated on, whose residuals are others.
    value_history : ndarray, shape (steps, k)
        The values, likewise, also of an inverse.
    rate : float
        Predicted factor by which the error falls in one step, in the end; NaN if not asked for.
    surrogate : object or None
        The approximation of A that made the corrections, for use with a related matrix.
    """

    values: NDArray[Any]
    vectors: NDArray[Any] = field(repr=False)
    left_vectors: NDArray[Any] | None = field(default=None, repr=False)
    residual_norms: NDArray[Any] = field(repr=False)
    status: Status
    method: str
    verified: bool | None = None
    n_iter: int
    n_matvec: int
    n_passes: int
    history: NDArray[np.float64] = field(repr=False)
    residual_history: NDArray[np.float64] = field(repr=False)
    value_history: NDArray[np.float64] = field(repr=False)
    rate: float = np.nan
    surrogate: Any = field(default=None, repr=False)

    @property
    def success(self) -> bool:
        """Whether the certificate met the tolerance."""
        return self.status.met_tolerance

    @property
    def message(self) -> str:
        """One sentence: what happened and what to do next."""
        return f"{self.method}: {self.status.value}"
