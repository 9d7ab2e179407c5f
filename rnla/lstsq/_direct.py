"""Methods that factor A itself: LAPACK and the Gram matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq as scipy_lstsq

from rnla._core.checks import check_finite_array
from rnla._core.driver import Iteration, State
from rnla.linalg.factor import column_scale, triangular_factor
from rnla.linalg.normal import NormalOperator
from rnla.linalg.precondition import preconditioner_from_factor
from rnla.lstsq._certificate import KarlsonWalden
from rnla.lstsq._defaults import DENSE_BYTES, EPS
from rnla.lstsq._iterations import spir
from rnla.lstsq._methods import Gram
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
        raise ValueError(
            f"method='lapack' needs `A` as a dense array, {8 * m * n / 2**30:.1f} GiB for shape "
            f"{A.shape}; use method='spir' or pass a dense array"
        )
    dense = A.todense()
    check_finite_array(dense, "A")
    if m < n:
        return _minimum_norm(problem, dense)
    A.n_passes += 1
    R, C, scale = triangular_factor(dense, B)
    P = preconditioner_from_factor(R, scale, problem.rcond)
    X = better_start(problem, P, P.surrogate_solution(C))
    states = spir(A, B, X, P, problem.tolerance)
    return Solved.with_preconditioner(problem.run(states), P, "lapack")


def _minimum_norm(problem: Problem, dense: NDArray[Any]) -> Solved:
    """Take LAPACK's SVD-based solution, certified by bounds that need no factor of A."""
    A, B = problem.A, problem.B
    # One power of two for all of A, so that no norm overflows or underflows.
    unit = float(column_scale(np.abs(dense).max(initial=0.0)))
    scaled = dense.astype(A.dtype) * unit
    X, _, rank, sigma = scipy_lstsq(scaled, B, cond=problem.rcond, check_finite=False)
    R = B - scaled @ X
    G, r_norm = scaled.conj().T @ R, np.linalg.norm(R, axis=0)
    A.n_passes += 1
    x_norm, norm = np.linalg.norm(X, axis=0), float(np.linalg.norm(scaled))
    with np.errstate(divide="ignore", invalid="ignore"):
        bounds = np.fmin(np.linalg.norm(G, axis=0) / r_norm, r_norm / x_norm) / (norm or 1.0)
    error = float(np.where(r_norm == 0, 0.0, bounds).max(initial=0.0))
    solution = X * unit

    def states() -> Iteration:
        yield State(0, error, True, lambda: solution, r_norm)

    condition = float(sigma[0] / sigma[-1]) if sigma[-1] > 0 else np.inf
    return Solved(problem.run(states()), None, rank, condition, "lapack")
