"""Methods that factor A itself: LAPACK and the Gram matrix."""

from __future__ import annotations

import numpy as np

from rnla._core.checks import check_finite_array
from rnla.linalg.factor import column_scale, triangular_factor
from rnla.linalg.normal import DenseNormal, NormalOperator
from rnla.linalg.precondition import preconditioner_from_factor
from rnla.lstsq._certificate import KarlsonWalden
from rnla.lstsq._defaults import DENSE_BYTES, EPS
from rnla.lstsq._iterations import spir
from rnla.lstsq._methods import Gram
from rnla.lstsq._minimum_norm import solve_minimum_norm
from rnla.lstsq._problem import Problem, Solved
from rnla.lstsq._stationary import stationary
from rnla.lstsq._surrogate import better_start


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
    X = better_start(problem, P, P.matmat(P.rmatmat(C)))
    states = stationary(A, B, X, P, KarlsonWalden(P), problem.tolerance)
    return Solved.with_preconditioner(problem.run(states), P, "gram")


def fits_dense(A: NormalOperator) -> bool:
    """Tell whether A is dense or small enough to become dense."""
    return A.is_dense or 8 * A.shape[0] * A.shape[1] <= DENSE_BYTES


def solve_lapack(problem: Problem) -> Solved:
    """Householder QR of A itself, which is the case S = I, refined where that still gains."""
    A, B = problem.A, problem.B
    m, n = A.shape
    if not fits_dense(A):
        # With `damp` a wide A has become the tall [A; damp I].
        way = "without `damp` use method='spir'" if m < 2 * n else "use method='spir'"
        raise ValueError(
            f"method='lapack' needs `A` as a dense array, {8 * m * n / 2**30:.1f} GiB for shape "
            f"{A.shape}; {way} or pass a dense array"
        )
    dense = A.todense()
    check_finite_array(dense, "A")
    A.n_passes += 1
    if m < n:
        R, _, scale = triangular_factor(dense.T, np.empty((n, 0)))
        P = preconditioner_from_factor(R, scale, problem.rcond)
        return solve_minimum_norm(problem, DenseNormal(dense.T), P, "lapack")
    R, C, scale = triangular_factor(dense, B)
    P = preconditioner_from_factor(R, scale, problem.rcond)
    X = better_start(problem, P, P.surrogate_solution(C))
    states = spir(A, B, X, P, problem.tolerance)
    return Solved.with_preconditioner(problem.run(states), P, "lapack")
