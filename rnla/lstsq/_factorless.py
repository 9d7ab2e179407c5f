"""Conjugate gradients on the column-scaled A, where no factor of n columns fits in memory."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.linalg.factor import column_scale
from rnla.linalg.precondition import Preconditioner
from rnla.lstsq._inner import conjugate_gradients
from rnla.lstsq._iterations import spir
from rnla.lstsq._problem import Problem, Solved
from rnla.lstsq._quadrature import QuadratureCertificate

# Without a factor many steps are usual, and the error falls by fits and starts.
MAXITER = 4000
_WINDOW = 300


class ColumnScaling(Preconditioner):
    """The diagonal D that brings the columns of ``A D`` to equal norm.

    Parameters
    ----------
    norms : ndarray, shape (n,)
        Column norms of A.
    dtype : dtype
        Of the vectors.
    """

    def __init__(self, norms: NDArray[np.float64], dtype: Any) -> None:
        n = len(norms)
        super().__init__((n, n), np.empty((0, 0), dtype), column_scale(norms), np.nan)

    def _matmat(self, X: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self.scale * X)

    def _rmatmat(self, X: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self.scale * X)

    def surrogate_solution(self, C: NDArray[Any]) -> NDArray[Any]:
        return self._matmat(C)

    def coordinates(self, X: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(X / self.scale)

    def lift(self, Y: NDArray[Any]) -> NDArray[Any]:
        return Y

    def damped(self, damp: float) -> Preconditioner:
        return self


def solve_cgls(problem: Problem) -> Solved:
    """Refine from zero, or from the caller's guess where its residual is smaller."""
    A, B = problem.A, problem.B
    m, n = A.shape
    if m < n:
        raise ValueError(
            f"method='cgls' needs m >= n, got shape {(m, n)}; use method='spir' or 'lapack'"
        )
    norms = A.column_norms()
    P = ColumnScaling(norms, A.dtype)
    norm = float(np.linalg.norm(norms * P.scale[:, 0]))
    X = np.zeros((n, B.shape[1]), A.dtype)
    if problem.X0 is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            _, r_norm = A.gradient(problem.X0, B)
            X = np.where(r_norm < np.linalg.norm(B, axis=0), problem.X0, X)
    states = spir(
        A,
        B,
        X,
        P,
        problem.tolerance,
        partial(conjugate_gradients, cap=MAXITER, window=_WINDOW),
        certificate=QuadratureCertificate(A, P.scale, norm),
    )
    outcome = problem.run(states, maxiter=MAXITER)
    return Solved(outcome, None, int(np.count_nonzero(norms)), np.nan, "cgls")
