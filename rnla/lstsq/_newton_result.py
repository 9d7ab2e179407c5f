"""What `newton_sketch` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.status import Status

_STAGNATED = (
    "the certificate stopped falling above the tolerance and the best iterate is returned; the "
    "optimum may lie at infinity (use `damp`), or `gradient`, `hessian_root` and `objective` may "
    "not belong to one smooth convex function"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewtonResult:
    """Minimiser of a penalised convex function and the certificate that comes with it.

    Write F for the penalised function, g and ``H = [B; D]^T [B; D]`` for its gradient and Hessian
    at `x`, and ``lambda = sqrt(g^T H^-1 g)`` for the Newton decrement.

    Attributes
    ----------
    x : ndarray, shape (n,)
        The iterate with the smallest `relative_decrement`, in the precision of `x0`.
    status : Status
        Why the solver stopped.
    method : str
        What was really run: "sketch", "subsample" or "exact".
    relative_decrement : float
        The certificate: lambda over ``sqrt(2 |F(x)|) + theta sum_j ||[B; D] e_j|| |x_j|``, measured
        with the true gradient and the true Hessian. By default theta is 1, and the second term
        says what rounding the entries of x costs: about one machine epsilon is the best that any
        method can reach. With an `rtol` above one epsilon theta is ``eps / rtol``, so that the
        answer is judged by F.
    decrement : float
        ``lambda^2 / 2``: what a full Newton step promises to gain, and near the optimum
        ``F(x) - min F``.
    gradient_norm : float
        Norm of g.
    objective : float or None
        ``F(x)``, penalty included; None if no objective was given.
    n_iter : int
        Newton steps made.
    n_hessian : int
        Roots of the Hessian formed.
    n_sketch : int
        Sketches drawn: fewer than roots where an old factor still served.
    n_matvec : int
        Products with a Hessian, two readings of its root each.
    n_gradient, n_objective : int
        Calls of these functions.
    history : ndarray
        The relative decrement at the start and after every step.
    """

    x: NDArray[Any] = field(repr=False)
    status: Status
    method: str
    relative_decrement: float
    decrement: float
    gradient_norm: float
    objective: float | None
    n_iter: int
    n_hessian: int
    n_sketch: int
    n_matvec: int
    n_gradient: int
    n_objective: int
    history: NDArray[np.float64] = field(repr=False)

    @property
    def success(self) -> bool:
        """Whether the certificate met the tolerance."""
        return self.status.met_tolerance

    @property
    def message(self) -> str:
        """One sentence: what happened and what to do next."""
        return f"{self.method}: {advice(self.status)}"


def advice(status: Status) -> str:
    """Return what a status means for Newton's method."""
    return _STAGNATED if status is Status.STAGNATED else status.value
