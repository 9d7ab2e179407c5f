"""Independent Lanczos runs, advanced together so that A multiplies blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.threads import even_parts, get_num_threads, run_parts, single_threaded_blas
from rnla._kernels.lanczos import three_terms
from rnla.linalg.orthogonality import SEMIORTHOGONAL, LossOfOrthogonality
from rnla.trace._input import Operand
from rnla.trace._vectors import column_norms

# A residual of this many roundoffs, times sqrt(n), is rounding: the Krylov space is invariant.
_BREAKDOWN = 10
# Squares of norms below this have lost digits to underflow.
_SMALLEST = 1e-250
# Room to begin with: for all steps, if that takes no more entries than this.
_CAPACITY, _ENTRIES = 16, 1 << 27
_INLINE_ENTRIES = 1 << 16


class LanczosRuns:
    r"""Lanczos runs from each column of a block, with partial reorthogonalisation [1]_.

    Run i builds an orthonormal basis of the Krylov space of ``X[:, i]`` in which A is the
    tridiagonal matrix of `alpha` and `beta`. A run that finds an invariant subspace ends there: its
    quadrature is exact. A vector is projected against all earlier ones where it may have lost its
    orthogonality to them, so that no eigenvalue appears twice; bits of a run do not depend on the
    runs beside it, nor on threads.

    Parameters
    ----------
    operand : Operand
        Hermitian A, (n, n).
    X : ndarray, shape (n, p)
        Starts; none of them zero.
    scale : float
        Size of A, as far as it is known: products in a space where A is small have rounding errors
        of A itself.
    limit : int
        Steps to expect at the most.

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

    References
    ----------
    .. [1] H. D. Simon, "The Lanczos algorithm with partial reorthogonalization", Math. Comp. 42
       (1984), 115-142.
    """

    def __init__(
        self, operand: Operand, X: NDArray[Any], scale: float = 0.0, limit: int = _CAPACITY
    ) -> None:
        n, p = X.shape
        capacity = min(n, limit, max(_CAPACITY, _ENTRIES // max(1, n * p))) + 1
        self._operand, self._size = operand, scale
        self._basis = np.empty((p, capacity, n), operand.dtype)
        self._basis[:, 0] = (X / column_norms(X)).T
        self.alpha = np.zeros((p, 0))
        self.beta = np.zeros((p, 0))
        self.length = np.zeros(p, int)
        self.exhausted = np.zeros(p, bool)
        self.steps = 0
        self._active = np.arange(p)
        self._scale = np.zeros(p)
        self._loss = LossOfOrthogonality(p, float(np.finfo(operand.dtype).eps))
        self._suspect = np.zeros(p, bool)

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
        norms = self._recur(W)
        lost = self._loss.advance(self.alpha, self.beta, self._scale[runs], runs)
        eps = float(np.finfo(W.dtype).eps)
        suspect = ~(lost <= eps**SEMIORTHOGONAL)
        # The vector before has lost as much. Powers of two show what A is.
        chosen = suspect | self._suspect[runs] | (j & (j - 1) == 0)
        self._suspect[runs] = suspect
        self._project(W, norms, lost, np.flatnonzero(chosen))
        self.length[runs] = self.steps = j + 1
        ended = (norms <= _BREAKDOWN * eps * np.sqrt(n) * self._scale[runs]) | (j + 1 == n)
        self.exhausted[runs[ended]] = True
        self.beta[runs, j] = np.where(ended, 0.0, norms)
        self._scale[runs] = np.maximum(self._scale[runs], norms)

        def normalise(start: int, stop: int) -> None:
            for i in np.flatnonzero(~ended)[start:stop]:
                np.divide(W[i], W.real.dtype.type(norms[i]), out=self._basis[runs[i], j + 1])

        self._in_parts(normalise, int(np.count_nonzero(~ended)))
        self._active = runs[~ended]

    def _recur(self, W: NDArray[Any]) -> NDArray[np.float64]:
        """Take the last two vectors out of products, append to `alpha` and `beta`; return norms."""
        j, runs = self.steps, self._active
        double = np.result_type(W.dtype, np.float64).type
        diagonal, norms = np.zeros(len(runs), double), np.zeros(len(runs))

        def task(start: int, stop: int) -> None:
            for i in range(start, stop):
                V = self._basis[runs[i]]
                beta = W.real.dtype.type(self.beta[runs[i], j - 1] if j else 0.0)
                before = V[max(j - 1, 0)]
                diagonal[i], square = three_terms(W[i], V[j], before, beta, double(1))
                norms[i] = np.sqrt(square) if _SMALLEST < square < np.inf else _norm(W[i])

        self._in_parts(task, len(runs))
        self._scale[runs] = np.maximum(self._scale[runs], np.abs(diagonal))
        self._check_hermitian(np.abs(diagonal.imag), runs)
        alpha = np.zeros((len(self.length), 1))
        beta = np.zeros_like(alpha)
        alpha[runs, 0], beta[runs, 0] = diagonal.real, norms
        self.alpha, self.beta = np.hstack([self.alpha, alpha]), np.hstack([self.beta, beta])
        return norms

    def _project(
        self,
        W: NDArray[Any],
        norms: NDArray[np.float64],
        lost: NDArray[np.float64],
        rows: NDArray[np.int_],
    ) -> None:
        """Project some of the new vectors, of these norms, against all of their runs."""
        j, runs = self.steps, self._active
        parts = np.zeros((len(rows), j + 1), W.dtype)

        # Of finite vectors: BLAS kernels that load what lies beside them leave flags of no meaning.
        @np.errstate(divide="ignore", over="ignore", invalid="ignore")
        def task(start: int, stop: int) -> None:
            for i in range(start, stop):
                V, w = self._basis[runs[rows[i]], : j + 1], W[rows[i]]
                # conj(V conj(w)) conjugates a vector where V^H w would copy the basis.
                parts[i] = (V @ w.conj()).conj() if w.dtype.kind == "c" else V @ w
                w -= parts[i] @ V

        with single_threaded_blas():
            self._in_parts(task, len(rows))
        self.alpha[runs[rows], j] += parts[:, j].real
        # For Hermitian A, V^H A v_j has nothing but what the recurrence has taken away.
        off = np.abs(parts).max(axis=1, initial=0.0).astype(np.float64)
        self._check_hermitian(off, runs[rows])
        for i, row in enumerate(rows):
            self._loss.projected(runs[row], lost[row], off[i], norms[row], self._scale[runs[row]])
            norms[row] = _norm(W[row])

    def _check_hermitian(self, off: NDArray[np.float64], runs: NDArray[np.int_]) -> None:
        size = np.maximum(np.maximum(self._scale[runs], self._size), off)
        if (off > np.cbrt(np.finfo(self._operand.dtype).eps) * size).any():
            worst = float(np.max(off / np.where(size > 0, size, 1)))
            raise ValueError(
                "`A` must be Hermitian: products with it show a relative asymmetry of "
                f"{worst:.1e}; pass (A + A.conj().T) / 2 if that is meant"
            )

    def _in_parts(self, task: Callable[[int, int], None], count: int) -> None:
        if count:
            inline = count * self._basis.shape[2] < _INLINE_ENTRIES
            run_parts(task, even_parts(count, 1 if inline else get_num_threads()))

    def _reserve(self, vectors: int) -> None:
        p, capacity, n = self._basis.shape
        if vectors > capacity:
            # Memory that is not touched costs nothing.
            grown = np.empty((p, min(n + 1, max(vectors, 2 * capacity)), n), self._basis.dtype)
            for run in self._active:
                grown[run, :capacity] = self._basis[run]
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
