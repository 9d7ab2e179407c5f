"""Make a preconditioner of ours from anyone's: a map P for which ``A P`` is nearly orthonormal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import rq

from rnla.linalg.factor import column_scale, inverse_upper
from rnla.linalg.normal import NormalOperator
from rnla.linalg.precondition import TriangularPreconditioner

_STEPS = 10
_NEGLIGIBLE = 1e-6
# Largest condition number of A P: it bounds how far the certificate can be off.
MOST_CONDITION = 10.0


def adopted(M: NDArray[Any], A: NormalOperator) -> tuple[TriangularPreconditioner | None, float]:
    """Return the preconditioner with the triangular factor of `M`, and the condition of ``A M``.

    With ``M = T Q``, T upper triangular and Q unitary, ``A T = A M Q^H`` is as well conditioned as
    ``A M``, so ``R = c T^-1`` is to A what the factor of a sketch is. The scalar c centres the
    singular values of ``A R^-1`` around 1.

    Parameters
    ----------
    M : ndarray, shape (n, n)
        The caller's map.
    A : NormalOperator
        The matrix, (m, n).

    Returns
    -------
    P : TriangularPreconditioner or None
        None where M is singular, or ``A M`` vanishes or overflows.
    condition : float
        Of ``A M``, estimated from below; infinite where there is no P.
    """
    T = rq(M, mode="r", check_finite=False)
    R = inverse_upper(T)
    if R is None or not np.isfinite(R).all():
        return None, np.inf
    smallest, largest = _extreme_stretch(TriangularPreconditioner(R, np.ones(len(R))), A)
    if not (smallest > 0 and np.isfinite(largest)):
        return None, np.inf
    # The stretch is that of ``A R^-1``, which the factor has to have itself.
    R = R * np.sqrt(smallest * largest)
    scale = column_scale(np.linalg.norm(R, axis=0))
    return TriangularPreconditioner(np.triu(R * scale), scale), float(largest / smallest)


def _extreme_stretch(P: TriangularPreconditioner, A: NormalOperator) -> tuple[float, float]:
    """Estimate the extreme singular values of ``A P`` by Lanczos steps, from inside."""
    n = A.shape[1]
    v = np.random.default_rng(0).standard_normal((n, 1)).astype(A.dtype)
    V, alpha, beta = [v / np.linalg.norm(v)], [], []
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(min(_STEPS, n)):
            w = P.rmatmat(A.normal(P.matmat(V[-1])))
            alpha.append(float(np.vdot(V[-1], w).real))
            basis = np.hstack(V)
            for _ in range(2):
                w = w - basis @ (basis.conj().T @ w)
            beta.append(float(np.linalg.norm(w)))
            # So weak a coupling changes no estimate, and near rounding there is no direction left.
            if not beta[-1] > _NEGLIGIBLE * abs(alpha[0]):
                break
            V.append(w / beta[-1])
    if not np.isfinite(alpha + beta).all():
        return 0.0, np.inf
    inner = beta[: len(alpha) - 1]
    ritz = np.linalg.eigvalsh(np.diag(alpha) + np.diag(inner, 1) + np.diag(inner, -1))
    return float(np.sqrt(max(0.0, ritz[0]))), float(np.sqrt(max(0.0, ritz[-1])))
