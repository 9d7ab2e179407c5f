"""From a method and a checked problem to the driver's outcome."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq as scipy_lstsq

from rnla._core.checks import check_finite_array
from rnla._core.driver import Callback, Iteration, Outcome, State, run
from rnla._core.rng import RNGLike
from rnla._core.status import Status
from rnla.linalg.normal import DenseNormal, NormalOperator
from rnla.linalg.precondition import (
    Preconditioner,
    column_scale,
    preconditioner_from_factor,
    triangular_factor,
)
from rnla.lstsq import _iterations
from rnla.lstsq._choose import check_sketch_size, default_sketch_size
from rnla.lstsq._methods import SPIR, Gram
from rnla.sketch import SketchingOperator
from rnla.sketch._families import SKETCHES

_DENSE_BYTES = 4 << 30
_ZETA = 8
# The bounds of the minimum-norm branch overstate the backward error.
_WIDE_TOLERANCE = 10 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Problem:
    """A checked least-squares problem in double precision.

    Attributes
    ----------
    A : NormalOperator
        The matrix, (m, n).
    B : ndarray, shape (m, k)
        Right-hand sides; a complex one over a real A is a pair of columns.
    rcond : float
        Relative cut-off of singular values.
    tolerance : float
        Relative backward error that is wanted.
    maxiter : int
        Corrections allowed.
    callback : callable or None
        Called with every state.
    """

    A: NormalOperator
    B: NDArray[Any]
    rcond: float
    tolerance: float
    maxiter: int
    callback: Callback | None

    def run(self, iteration: Iteration) -> Outcome:
        """Run an iteration with this problem's limits."""
        return run(
            iteration, tolerance=self.tolerance, maxiter=self.maxiter, callback=self.callback
        )


@dataclass(frozen=True)
class Solved:
    """The driver's outcome and what was learned about A on the way."""

    outcome: Outcome
    preconditioner: Preconditioner | None
    rank: int
    condition: float
    method: str

    @classmethod
    def with_preconditioner(cls, outcome: Outcome, P: Preconditioner, method: str) -> Solved:
        """Take rank and condition from the preconditioner."""
        return cls(outcome, P, P.rank, P.condition, method)

    def judged(self, rcond: float) -> Solved:
        """Count an error below the cut-off as converged where directions were dropped."""
        P, outcome = self.preconditioner, self.outcome
        if P is None:
            reached = outcome.state.error <= max(_WIDE_TOLERANCE, rcond)
        else:
            reached = P.rank < P.shape[0] and outcome.state.error <= rcond
        if outcome.status is not Status.STAGNATED or not reached:
            return self
        return replace(self, outcome=replace(outcome, status=Status.CONVERGED))


def solve_spir(problem: Problem, method: SPIR, rng: RNGLike) -> Solved:
    """Sketch, factor, start from sketch-and-solve, refine."""
    A, B = problem.A, problem.B
    m, n = A.shape
    named = isinstance(method.sketch, str)
    if named and method.sketch_size is None and n <= m <= default_sketch_size(m, n):
        # A sketch as tall as A would only lose: A is its own best sketch.
        return solve_lapack(problem)
    S = _sketching_operator(method, A, rng)
    SA = A.sketch(S)
    if not np.isfinite(SA).all():
        A.check_finite()
        raise np.linalg.LinAlgError("the sketch of `A` overflowed; scale `A` down")
    SB = S.multiply(B, "b")
    R, C, scale = triangular_factor(SA, SB)
    del SA
    P = preconditioner_from_factor(R, scale, problem.rcond)
    states = _iterations.spir(A, B, P.surrogate_solution(C), P, problem.tolerance)
    return Solved.with_preconditioner(problem.run(states), P, "spir")


def _sketching_operator(method: SPIR, A: NormalOperator, rng: RNGLike) -> SketchingOperator:
    m, n = A.shape
    if isinstance(method.sketch, SketchingOperator):
        S = method.sketch
        if S.shape[1] != m or S.shape[0] < n:
            raise ValueError(
                f"`sketch` must have shape (d, {m}) with d at least {n}, got {S.shape}"
            )
        return S
    if m < n:
        raise ValueError(f"method='spir' needs m >= n, got shape {A.shape}; use method='lapack'")
    if method.sketch_size is None:
        d = default_sketch_size(m, n)
    else:
        d = check_sketch_size(method.sketch_size, m, n)
    dtype = np.float32 if A.stored_dtype.char in "fF" else np.float64
    options = {"zeta": min(_ZETA, d)} if method.sketch == "sparse_sign" else {}
    drawn: SketchingOperator = SKETCHES[method.sketch].draw(d, m, rng=rng, dtype=dtype, **options)
    return drawn


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
    if not P.condition <= method.condition_limit:
        return None
    X = P.matmat(P.rmatmat(C))
    states = _iterations.gram(A, B, X, P, problem.tolerance)
    return Solved.with_preconditioner(problem.run(states), P, "gram")


def fits_dense(A: NormalOperator) -> bool:
    """Tell whether A is dense or small enough to become dense."""
    return isinstance(A, DenseNormal) or 8 * A.shape[0] * A.shape[1] <= _DENSE_BYTES


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
    states = _iterations.spir(A, B, P.surrogate_solution(C), P, problem.tolerance)
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
