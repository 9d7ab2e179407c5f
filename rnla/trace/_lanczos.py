"""Independent Lanczos runs, advanced together so that A multiplies blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.threads import even_parts, get_num_threads, run_parts, single_threaded_blas
from rnla.trace._input import Operand
from rnla.trace._vectors import column_norms

# A residual of this many roundoffs, times sqrt(n), is rounding: the Krylov space is invariant.
_BREAKDOWN = 10
_CAPACITY = 16
_INLINE_ENTRIES = 1 << 16


class LanczosRuns:
    r"""Lanczos runs from each column of a block, with full reorthogonalisation.

    Run i builds an orthonormal basis of the Krylov space of ``X[:, i]`` in which A is the
    tridiagonal matrix of `alpha` and `beta`. A run that finds an invariant subspace ends there: its
    quadrature is exact. Every vector is projected against all earlier ones, so that no eigenvalue
    appears twice; bits of a run do not depend on the runs beside it, nor on
    threads.

    Parameters
    ----------
    operand : Operand
        Hermitian A, (n, n).
    X : ndarray, shape (n, p)
        Starts; none of them zero.
    scale : float
        Size of A, as far as it is known: products in a space where A is small have rounding errors
        of A itself.

    Attributes
    ----------
    alpha, beta : ndarray of float64, shape (p, steps)
        Diagonals; ``beta[i, j]`` belongs to the step from j to j + 1.
    length : ndarray of int, shape (p,)
        Steps that each run made.
    exhausted : ndarray of bool, shape (p,)
        Runs that ended in an invariant subspace.
    steps : int
        Steps of those that go on.
    """

    def __init__(self, operand: Operand, X: NDArray[Any], scale: float = 0.0) -> None:
        n, p = X.shape
        self._operand, self._size = operand, scale
        self._basis = np.empty((p, min(_CAPACITY, n) + 1, n), operand.dtype)
        self._basis[:, 0] = (X / column_norms(X)).T
        self.alpha = np.zeros((p, 0))
        self.beta = np.zeros((p, 0))
        self.length = np.zeros(p, int)
        self.exhausted = np.zeros(p, bool)
        self.steps = 0
        self._active = np.arange(p)
        self._scale = np.zeros(p)

    @property
    def active(self) -> NDArray[np.int_]:
        """Indices of the runs that go on."""
        return self._active

    def stop(self, runs: NDArray[np.int_]) -> None:
        """End some runs: their rules are good enough."""
        self._active = np.setdiff1d(self._active, runs)

    def advance(self, steps: int) -> None:
        """Go on to `steps` steps in all runs that are still active."""
        while self.steps < steps and len(self._active):
            self._step()

    def _step(self) -> None:
        j, runs, n = self.steps, self._active, self._basis.shape[2]
        self._reserve(j + 2)
        W = self._operand.product(np.ascontiguousarray(self._basis[runs, j].T)).T.copy()
        h = np.zeros((len(runs), j + 1), self._operand.dtype)
        norms = np.zeros(len(runs))

        def task(start: int, stop: int) -> None:
            for i in range(start, stop):
                basis, w = self._basis[runs[i], : j + 1], W[i]
                # First the three-term recurrence, which makes w short; then all of the basis.
                h[i, j] = np.vdot(basis[j], w)
                w -= h[i, j] * basis[j]
                if j:
                    h[i, j - 1] = self.beta[runs[i], j - 1]
                    w -= h[i, j - 1] * basis[j - 1]
                # conj(V conj(w)) conjugates a vector where V^H w would copy the basis.
                part = (basis @ w.conj()).conj() if w.dtype.kind == "c" else basis @ w
                w -= part @ basis
                h[i] += part
                norms[i] = _norm(w)

        parts = 1 if W.size < _INLINE_ENTRIES else get_num_threads()
        with single_threaded_blas():
            run_parts(task, even_parts(len(runs), parts))
        self._check_hermitian(h, runs, j)
        alpha = np.zeros((len(self.length), 1))
        beta = np.zeros_like(alpha)
        alpha[runs, 0], beta[runs, 0] = h[:, j].real, norms
        self.alpha, self.beta = np.hstack([self.alpha, alpha]), np.hstack([self.beta, beta])
        self.length[runs] = self.steps = j + 1
        self._scale[runs] = np.maximum(self._scale[runs], np.abs(h).max(axis=1))
        eps = float(np.finfo(W.dtype).eps)
        ended = (norms <= _BREAKDOWN * eps * np.sqrt(n) * self._scale[runs]) | (j + 1 == n)
        self.exhausted[runs[ended]] = True
        self.beta[runs[ended], j] = 0.0
        self._scale[runs] = np.maximum(self._scale[runs], norms)
        going = runs[~ended]
        self._basis[going, j + 1] = W[~ended] / norms[~ended, None].astype(W.real.dtype)
        self._active = going

    def _check_hermitian(self, h: NDArray[Any], runs: NDArray[np.int_], j: int) -> None:
        # For Hermitian A, V^H A v_j has two entries: beta_{j-1} and a real alpha_j.
        expected = np.zeros_like(h)
        expected[:, j] = h[:, j].real
        if j:
            expected[:, j - 1] = self.beta[runs, j - 1]
        off = np.abs(h - expected).max(axis=1, initial=0.0)
        size = np.maximum(np.maximum(self._scale[runs], self._size), np.abs(h).max(axis=1))
        if (off > np.cbrt(np.finfo(h.dtype).eps) * size).any():
            worst = float((off / np.where(size > 0, size, 1)).max())
            raise ValueError(
                "`A` must be Hermitian: products with it show a relative asymmetry of "
                f"{worst:.1e}; pass (A + A.conj().T) / 2 if that is meant"
            )

    def _reserve(self, vectors: int) -> None:
        p, capacity, n = self._basis.shape
        if vectors > capacity:
            grown = np.empty((p, min(n + 1, max(vectors, 3 * capacity // 2)), n), self._basis.dtype)
            grown[:, :capacity] = self._basis
            self._basis = grown


def _norm(w: NDArray[Any]) -> float:
    """Return the 2-norm, of numbers too whose squares overflow or vanish."""
    with np.errstate(over="ignore"):
        size = float(np.linalg.norm(w))
    limits = np.finfo(w.dtype)
    if np.sqrt(float(limits.tiny)) < float(limits.eps) * size < np.sqrt(float(limits.max)) / len(w):
        return size
    largest = float(np.abs(w).max())
    if not 0 < largest < np.inf:
        return largest
    return largest * float(np.linalg.norm(w / w.real.dtype.type(largest)))
