"""Judge every solution by the same measure, whoever found it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.cli._compare import Run
from rnla.linalg.factor import upper_factor
from rnla.linalg.normal import NormalOperator, as_normal
from rnla.lstsq._certificate import karlson_walden


class Judge:
    """Backward error and residual of any solver's x: Karlson-Walden with A's own factor.

    Parameters
    ----------
    A : ndarray or sparse array, shape (m, n)
        The matrix.
    b : ndarray, shape (m,) or (m, k)
        The right-hand sides.
    """

    def __init__(self, A: Any, b: NDArray[Any]) -> None:
        self.A = as_normal(A)
        self.B = b.reshape(len(b), -1)
        self.R = _triangular_factor(self.A)
        self.norm = float(np.linalg.norm(self.A.todense() if self.R is None else self.R))

    def __call__(self, x: NDArray[Any]) -> tuple[float, float]:
        """Return the largest backward error over the columns and the norm of all residuals."""
        X = x.reshape(len(x), -1)
        G, r_norm = self._gradient(X)
        x_norm = np.linalg.norm(X, axis=0)
        errors = [
            self._error(G[:, k], float(r_norm[k]), float(x_norm[k])) for k in range(X.shape[1])
        ]
        return max(errors, default=0.0), float(np.linalg.norm(r_norm))

    def _gradient(self, X: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float64]]:
        if self.A.dtype.kind == "c" or (X.dtype.kind != "c" and self.B.dtype.kind != "c"):
            dtype = self.A.dtype
            return self.A.gradient(X.astype(dtype), self.B.astype(dtype, copy=False))
        # A real matrix takes the real and the imaginary parts as columns of their own.
        G, r_norm = self.A.gradient(
            np.hstack([X.real, X.imag]).astype(np.float64),
            np.hstack([self.B.real, self.B.imag]).astype(np.float64),
        )
        k = X.shape[1]
        return G[:, :k] + 1j * G[:, k:], np.hypot(r_norm[:k], r_norm[k:])

    def _error(self, g: NDArray[Any], r_norm: float, x_norm: float) -> float:
        if r_norm == 0 or self.norm == 0:
            return 0.0
        if self.R is not None:
            return karlson_walden(self.R, g, r_norm, x_norm) / self.norm
        # Fewer rows than columns: two upper bounds need no factor.
        bounds = [float(np.linalg.norm(g)) / r_norm]
        if x_norm > 0:
            bounds.append(r_norm / x_norm)
        return min(bounds) / self.norm

    def judge(self, run: Run) -> Run:
        """Return the run with its errors filled in."""
        if run.x is None:
            return run
        error, residual = self(run.x)
        return replace(run, backward_error=error, residual_norm=residual)


def _triangular_factor(A: NormalOperator) -> NDArray[Any] | None:
    m, n = A.shape
    if not m >= n > 0:
        return None
    W = np.empty((m, n), A.dtype, order="F")
    # A ufunc goes through its operands in blocks; assignment would jump from row to row.
    np.positive(A.todense(), out=W)
    return np.triu(upper_factor(W)[:n])
