"""Methods that factor A itself: LAPACK and the Gram matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.checks import check_finite_array
from rnla.linalg.factor import column_scale, triangular_factor
from rnla.linalg.normal import DampedNormal, DenseNormal, NormalOperator
from rnla.linalg.precondition import Preconditioner, preconditioner_from_factor
from rnla.lstsq._certificate import KarlsonWalden
from rnla.lstsq._choose import is_damped_wide
from rnla.lstsq._defaults import DENSE_BYTES, EPS
from rnla.lstsq._forward import ForwardError
from rnla.lstsq._iterations import spir
from rnla.lstsq._methods import Gram
from rnla.lstsq._minimum_norm import solve_minimum_norm
from rnla.lstsq._problem import Problem, Solved
from rnla.lstsq._stationary import stationary
from rnla.lstsq._surrogate import better_start

# Up to this condition number no rounding of a Gram matrix, of however many rows, can matter.
_TRUSTED = 1e4
_INVERSE_STEPS = 6


def solve_gram(problem: Problem, method: Gram) -> Solved | None:
    """Cholesky of the scaled Gram matrix, refine; None where A is not well conditioned."""
    A, B = problem.A, problem.B
    G, C = A.gram(B)
    if not np.isfinite(G).all():
        A.check_finite()
        return None
    diagonal = np.sqrt(np.diagonal(G).real)
    if not (diagonal > 0).all():
        return None
    scale = column_scale(diagonal)
    try:
        R = np.linalg.cholesky(scale[:, None] * G * scale).conj().T
    except np.linalg.LinAlgError:
        return None
    # The limit keeps the factor far from singular, so the preconditioner is never truncated.
    P = preconditioner_from_factor(R, scale, np.finfo(np.float64).eps)
    if not P.condition <= min(method.condition_limit, 1 / max(problem.rcond, EPS)):
        return None
    if P.condition > _TRUSTED and not _belongs(A, P):
        return None
    X = better_start(problem, P, P.matmat(P.rmatmat(C)))
    certificate = KarlsonWalden(P)
    forward = ForwardError(certificate, P, problem.tolerance, len(B))
    states = stationary(A, B, X, P, certificate, problem.tolerance, forward=forward)
    return Solved.with_preconditioner(problem.run(states), P, "gram")


def _belongs(A: NormalOperator, P: Preconditioner) -> bool:
    """Tell whether the smallest singular value is that of A, not the roundoff of its Gram matrix.

    Roundoff makes a singular matrix look like one of condition ``1 / sqrt(eps)`` and less, and a
    certificate from its factor would not notice.
    """
    w = np.cos(1.0 + np.arange(P.shape[0])).astype(A.dtype)[:, None]
    for _ in range(_INVERSE_STEPS):
        w = P.matmat(P.rmatmat(w / P.scale)) / P.scale
        w /= np.linalg.norm(w)
    found = np.linalg.norm(A.product(P.scale * w))
    return bool(0.5 < found / np.linalg.norm(P.R @ w) < 2.0)


def fits_dense(A: NormalOperator) -> bool:
    """Tell whether A is dense or small enough to become dense."""
    m, n = A.inner.shape if is_damped_wide(A) else A.shape
    return A.is_dense or 8 * (m + n) * min(m, n) <= DENSE_BYTES


def _checked_dense(A: NormalOperator) -> NDArray[Any]:
    dense = A.todense()
    check_finite_array(dense, "A")
    A.n_passes += 1
    return dense


def _lapack_minimum_norm(problem: Problem, dense: NDArray[Any], tall: NormalOperator) -> Solved:
    R, _, scale = triangular_factor(dense, np.empty((len(dense), 0)))
    P = preconditioner_from_factor(R, scale, problem.rcond)
    return solve_minimum_norm(problem, tall, P, "lapack")


def solve_lapack(problem: Problem) -> Solved:
    """Householder QR of A itself, which is the case S = I, refined where that still gains."""
    A, B = problem.A, problem.B
    if not fits_dense(A):
        m, n = (A.inner if isinstance(A, DampedNormal) else A).shape
        raise ValueError(
            f"method='lapack' needs `A` as a dense array, {8 * m * n / 2**30:.1f} GiB for shape "
            f"{(m, n)}; use method='spir' or pass a dense array"
        )
    if is_damped_wide(A):
        inner = _checked_dense(A.inner)
        tall = DampedNormal(DenseNormal(inner.T), A.damp)
        return _lapack_minimum_norm(problem, tall.todense(), tall)
    dense = _checked_dense(A)
    if dense.shape[0] < dense.shape[1]:
        return _lapack_minimum_norm(problem, dense.T, DenseNormal(dense.T))
    R, C, scale = triangular_factor(dense, B)
    P = preconditioner_from_factor(R, scale, problem.rcond)
    X = better_start(problem, P, P.surrogate_solution(C))
    states = spir(A, B, X, P, problem.tolerance)
    return Solved.with_preconditioner(problem.run(states), P, "lapack")
