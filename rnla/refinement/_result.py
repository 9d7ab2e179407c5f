"""What `refine` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class RefineResult:
    r"""Solution of ``A x = b`` or ``F(x) = b`` and the certificate that comes with it.

    Attributes
    ----------
    x : ndarray, shape (n,) or (n, k)
        The iterate that met the tolerance, else the one with the smallest residual; in the common
        precision of A, b and x0.
    status : Status
        Why the iteration stopped.
    message : str
        One sentence: what happened and what to do next.
    certificate : str
        Which number was compared with `rtol`: "backward error", "backward error, norm estimated"
        (the norm of A is a lower bound from a few products) or "relative residual".
    backward_error : float
        For linear A: ``||b - A x|| / (||A|| ||x|| + ||b||)``, the largest over right-hand sides:
        the smallest relative change of A and b that makes `x` exact. NaN for a nonlinear F.
    relative_residual : float
        ``||b - A x|| / ||b||``, the largest over right-hand sides. For a nonlinear F with b = 0 the
        divisor is the residual of the first iterate.
    residual_norm : float or ndarray, shape (k,)
        ``||b - A x||`` for each right-hand side.
    contraction : float
        Geometric mean of ``||r_{i+1}|| / ||r_i||`` from the first residual to that of `x`, or to
        the last one if none was better than the first; NaN if there was no correction. With
        ``acceleration="krylov"`` it is the mean per inner step.
    n_iter : int
        Corrections made after the first iterate.
    n_matvec : int
        Products with A or values of F, one per column; those that estimate the norm included.
    n_solves : int
        Applications of the approximate solver, one per column; the first iterate included.
    history : ndarray
        The certificate of the first iterate and after each correction. Within a cycle of
        ``acceleration="krylov"`` it is estimated; a cycle's last entry is formed from a new
        residual.
    """

    x: NDArray[Any] = field(repr=False)
    status: Status
    message: str
    certificate: str
    backward_error: float
    relative_residual: float
    residual_norm: float | NDArray[np.float64]
    contraction: float
    n_iter: int
    n_matvec: int
    n_solves: int
    history: NDArray[np.float64] = field(repr=False)

    @property
    def success(self) -> bool:
        """Whether the certificate met the tolerance."""
        return self.status.met_tolerance
