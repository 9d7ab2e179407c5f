"""What solvers return: frozen dataclasses that print without their arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator

from rnla._core.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class LstsqResult:
    """Solution of a least-squares problem and the certificate that comes with it.

    Attributes
    ----------
    x : ndarray, shape (n,) or (n, k)
        The solution, in the precision of the input.
    status : Status
        Why the solver stopped; ``status.value`` says what to do next.
    method : str
        What was really run: a name that `method` accepts. "lapack" is Householder QR, which for a
        tiny real problem under "auto" is rnla's own compiled routine instead of LAPACK's.
    backward_error : float
        Size of the smallest change of A that makes `x` an exact solution, as estimated by Karlson
        and Walden: for A with its columns scaled to equal norm, relative to the Frobenius norm of
        that matrix; the largest over right-hand sides. The estimate uses the sketch, so it is
        good to a small factor, or is an upper bound where that is cheaper. For m < n, where `x`
        is to be the solution of minimum norm, it has two parts, and rows are scaled instead of
        columns: ``||b - A x|| / ||x||`` (of the residual's part in the range of A where rows
        depend on each other) and ``||x - A^H y|| / ||y||``, the distance of `x` from the row
        space with the multipliers y that the solver found; their root of the sum of squares; with
        `damp` both are of ``[A, damp I]`` and (x, z), where ``A x + damp z = b``. It
        is measured on `x` as returned: in single precision some 1e-8, which rounding alone costs,
        although ``success`` and `history` speak of the solution before that.
    residual_norm : float or ndarray, shape (k,)
        ``||b - A x||`` for each right-hand side.
    rank : int
        Numerical rank of the column-scaled matrix; of the row-scaled one for m < n; n where `damp`
        is above the cut-off.
    condition : float
        Estimated condition number of that matrix.
    n_iter : int
        Corrections made after the first answer.
    n_matvec : int
        Products with A and its adjoint, one per column.
    n_passes : int
        How often A was read.
    history : ndarray
        Backward error after the first answer and after each step; inside a round of refinement
        it is estimated, at its end certified.
    preconditioner : LinearOperator or None
        Map P that makes the columns of ``A @ P``, for m < n of ``A.T @ P``, nearly orthonormal,
        for use in other solvers; None where "lapack" solved a tiny problem.
    """

    x: NDArray[Any] = field(repr=False)
    status: Status
    method: str
    backward_error: float
    residual_norm: float | NDArray[np.float64]
    rank: int
    condition: float
    n_iter: int
    n_matvec: int
    n_passes: int
    history: NDArray[np.float64] = field(repr=False)
    preconditioner: LinearOperator | None = field(repr=False)

    @property
    def success(self) -> bool:
        """Whether the certificate met the tolerance."""
        return self.status.met_tolerance

    @property
    def message(self) -> str:
        """One sentence: what happened and what to do next."""
        return f"{self.method}: {self.status.value}"
