"""Block Lanczos: an orthonormal basis of a block Krylov space, and A in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.threads import single_threaded_blas
from rnla.linalg.orthogonality import SEMIORTHOGONAL, BlockLossOfOrthogonality
from rnla.trace._input import Operand
from rnla.trace._projection import project_out
from rnla.trace._rounds import norm

# Residuals of this many roundoffs, times sqrt(n), are rounding.
_BREAKDOWN = 10
_UNEVEN = 1e-3


class BlockLanczos:
    """The block Krylov space of A and a block X, one product with a block at a time.

    A block is projected against all earlier ones where it may have lost its orthogonality to them
    [1]_, else against the last two. Blocks lose the directions that turn out to be invariant; when
    none is left, the space is invariant and A is known in it exactly.

    Parameters
    ----------
    operand : Operand
        Hermitian A, (n, n).
    X : ndarray, shape (n, b)
        Start.

    Attributes
    ----------
    offsets : list of int
        Columns of the basis before each block, and all of them.
    steps : int
        Blocks that A was multiplied with.
    exhausted : bool
        Whether the space is invariant.

    References
    ----------
    .. [1] R. G. Grimes, J. G. Lewis, H. D. Simon, "A shifted block Lanczos algorithm for solving
       sparse symmetric generalized eigenproblems", SIAM J. Matrix Anal. Appl. 15 (1994), 228-272.
    """

    def __init__(self, operand: Operand, X: NDArray[Any]) -> None:
        self._operand = operand
        self._storage = np.empty((X.shape[0], 0), operand.dtype, order="F")
        self._T = np.zeros((0, 0), np.result_type(operand.dtype, np.float64))
        self.offsets = [0]
        self.steps = 0
        self._scale = 0.0
        with single_threaded_blas():
            self._append(np.linalg.qr(X)[0])
        eps = float(np.finfo(operand.dtype).eps)
        self._loss = BlockLossOfOrthogonality(self.offsets[1], eps)
        self._suspect = False

    @property
    def exhausted(self) -> bool:
        """Whether A maps the space into itself."""
        return self.offsets[self.steps] == self.offsets[-1]

    @property
    def columns(self) -> int:
        """Columns of the basis that A was multiplied with."""
        return self.offsets[self.steps]

    def basis(self, columns: int) -> NDArray[Any]:
        """Return the first `columns` columns of the basis."""
        return self._storage[:, :columns]

    def matrix(self, steps: int) -> NDArray[Any]:
        """Return ``Q^H A Q`` for the columns Q that A was multiplied with in so many steps."""
        d = self.offsets[steps]
        T = self._T[:d, :d]
        return np.asarray((T + T.conj().T) / 2)

    def step(self) -> None:
        """Multiply A with the last block and orthonormalise what is new in it."""
        j, end = self.steps, self.offsets[-1]
        start = self.offsets[j]
        W = self._operand.product(np.ascontiguousarray(self._storage[:, start:end]))
        Q = self._storage[:, :end]
        R = W.copy()
        H = np.zeros((end, end - start), R.dtype)
        # Of the products, not of H: their rounding errors are of that size, and H may be smaller.
        self._scale = max(self._scale, norm(W))
        eps = float(np.finfo(R.dtype).eps)
        floor = _BREAKDOWN * eps * np.sqrt(len(R)) * self._scale
        last = self.offsets[max(j - 1, 0)]
        H[last:] = project_out(Q[:, last:], R)
        self._check_hermitian(H[last:], last, start, end)
        fresh, complete = _orthonormal(R, Q, floor)
        lost = self._loss.advance(self._T, H, fresh.conj().T @ W, self._scale, start)
        suspect = not lost <= eps**SEMIORTHOGONAL
        # The block before has lost as much. Powers of two show what A is.
        if last and (suspect or self._suspect or j & (j - 1) == 0):
            removed = project_out(Q, R)
            H += removed
            self._check_hermitian(H, 0, start, end)
            fresh, complete = _orthonormal(R, Q, floor)[0], True
            self._loss.noticed(float(np.abs(removed[:start]).max()), self._scale)
        if complete:
            self._loss.projected(fresh.shape[1])
        self._suspect = suspect
        self._append(fresh)
        self._T[:end, start:end] = H
        B = fresh.conj().T @ W
        self._T[end : self.offsets[-1], start:end] = B
        self._T[start:end, end : self.offsets[-1]] = B.conj().T
        self.steps = j + 1

    def _append(self, block: NDArray[Any]) -> None:
        (n, capacity), used = self._storage.shape, self.offsets[-1]
        total = used + block.shape[1]
        if total > capacity:
            grown = np.empty(
                (n, min(n, max(total, 3 * capacity // 2))), self._operand.dtype, order="F"
            )
            grown[:, :used] = self._storage[:, :used]
            self._storage = grown
        self._storage[:, used:total] = block
        T = np.zeros((total, total), self._T.dtype)
        T[:used, :used] = self._T
        self._T = T
        self.offsets.append(total)

    def _check_hermitian(self, H: NDArray[Any], first: int, start: int, end: int) -> None:
        # The columns of T are known from earlier steps, but for its last diagonal block.
        known = self._T[first:end, start:end].copy()
        last = H[start - first :]
        known[start - first :] = (last + last.conj().T) / 2
        off = float(np.abs(H - known).max(initial=0.0))
        if off > np.cbrt(np.finfo(H.dtype).eps) * self._scale:
            raise ValueError(
                "`A` must be Hermitian: products with it show a relative asymmetry of "
                f"{off / self._scale:.1e}; pass (A + A.conj().T) / 2 if that is meant"
            )


def _orthonormal(R: NDArray[Any], Q: NDArray[Any], floor: float) -> tuple[NDArray[Any], bool]:
    """Return a basis of the directions in which a projected block is longer than `floor`.

    And whether it was projected against all of Q once more.
    """
    with single_threaded_blas():
        V, triangle = np.linalg.qr(R)
        U, sizes, _ = np.linalg.svd(triangle)
    kept = sizes[: R.shape[0] - Q.shape[1]] > floor
    V = V @ U[:, : len(kept)][:, kept]
    uneven = bool(kept.any() and sizes[: len(kept)][kept].min() < _UNEVEN * sizes[0])
    if uneven:
        # Rounding of the long directions is not small beside the short ones.
        project_out(Q, V)
        V = np.linalg.qr(V)[0]
    return np.asarray(V), uneven
