"""How far Lanczos vectors have lost their orthogonality, without looking at them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnla._core.threads import single_threaded_blas

Floats: TypeAlias = NDArray[np.float64]

# Vectors are left alone as long as inner products are below this power of the roundoff; 0.5 would
# do for rules that are accurate to rounding.
SEMIORTHOGONAL = 2 / 3

# Roundoffs by which a vector is off after it was projected.
PROJECTED = 4
ROUNDOFFS = 2


class LossOfOrthogonality:
    """Inner products of Lanczos vectors, followed through the recurrence they obey [1]_.

    Vectors may be left as they are as long as these are below the square root of the roundoff:
    the tridiagonal matrix is then that of A in their span, to rounding.

    Parameters
    ----------
    runs : int
        Number of runs.
    eps : float
        Roundoff.

    References
    ----------
    .. [1] H. D. Simon, "The Lanczos algorithm with partial reorthogonalization", Math. Comp. 42
       (1984), 115-142.
    """

    def __init__(self, runs: int, eps: float) -> None:
        self._eps = eps
        # With the last vector, and with the one before it.
        self._now, self._before = np.ones((runs, 1)), np.zeros((runs, 0))
        # Errors of products, relative to A.
        self._noise = np.full(runs, ROUNDOFFS * eps)

    def advance(self, alpha: Floats, beta: Floats, sizes: Floats, runs: NDArray[np.int_]) -> Floats:
        """Go on to the next vector and return how far it may be from orthogonal to the others.

        Parameters
        ----------
        alpha, beta : ndarray, shape (p, j + 1)
            The tridiagonal matrices of all runs up to the new vector.
        sizes : ndarray, shape (r,)
            Sizes of A in the runs that go on.
        runs : ndarray of int, shape (r,)
            Their indices.

        Returns
        -------
        ndarray, shape (r,)
            The largest modulus of an inner product; infinite for a vector of zeros.
        """
        j = alpha.shape[1] - 1
        now, before, a, b = self._now[runs], self._before[runs], alpha[runs], beta[runs]
        noise = self._noise[runs] * sizes
        change = b[:, :j] * now[:, 1:] + (a[:, :j] - a[:, j:]) * now[:, :j]
        if j:
            change -= b[:, j - 1 : j] * before
            change[:, 1:] += b[:, : j - 1] * now[:, : j - 1]
        # The recurrence is off by rounding errors, which add up in the worst case.
        change += np.copysign(noise[:, None], change)
        found = np.ones((len(runs), j + 2))
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            found[:, :j] = change / b[:, j:]
            found[:, j] = noise / b[:, j]
        self._before, self._now = self._now, np.zeros((len(alpha), j + 2))
        self._now[runs] = found
        return np.asarray(np.abs(found[:, : j + 1]).max(axis=1))

    def projected(
        self, run: int, estimate: float, removed: float, length: float, size: float
    ) -> None:
        """Note that the last vector of a run was projected, and what that has taken away.

        Parameters
        ----------
        run : int
            The run.
        estimate : float
            The largest inner product, as `advance` told it.
        removed : float
            The true one, with a vector of this `length` instead of one.
        length : float
            Of the vector, before it was projected.
        size : float
            That of A in this run.
        """
        self._now[run, :-1] = PROJECTED * self._eps
        if length > 0 and removed > estimate * length:
            # Products have larger errors than those of rounding.
            self._noise[run] = max(self._noise[run], removed / size)


class BlockLossOfOrthogonality:
    """The same for the blocks of a block Lanczos process: inner products of all their columns.

    Parameters
    ----------
    width : int
        Columns of the last block, which is the first one unless there are others before it.
    eps : float
        Roundoff.
    before, start : int, default 0
        Columns of the basis before the block before the last, and before the last: these are known
        to be orthonormal.

    Attributes
    ----------
    noise : float
        Errors of products, relative to A.
    """

    def __init__(self, width: int, eps: float, *, before: int = 0, start: int = 0) -> None:
        self._eps = eps
        # Of all blocks before with the last block, and of those before that with the one before it.
        self._now: NDArray[Any] = np.full((start, width), PROJECTED * eps)
        self._before: NDArray[Any] = np.full((before, start - before), PROJECTED * eps)
        self.noise = ROUNDOFFS * eps
        self._most = 0.0

    @property
    def width(self) -> int:
        """Columns of the last block."""
        return int(self._now.shape[1])

    def advance(
        self, T: NDArray[Any], H: NDArray[Any], B: NDArray[Any], size: float, start: int
    ) -> float:
        """Go on to the next block and return how far it may be from orthogonal to the others.

        Parameters
        ----------
        T : ndarray, shape (d, d)
            A in the space of all blocks so far, with zeros for what is in `H`.
        H : ndarray, shape (d, b)
            What was taken out of the product with the last block.
        B : ndarray, shape (c, b)
            What is left of it, in coordinates of the next block.
        size : float
            Of A.
        start : int
            Columns before the last block.

        Returns
        -------
        float
            The largest modulus of an inner product.
        """
        d = len(H)
        before = self._before.shape[0]
        noise = self.noise * size
        with single_threaded_blas():
            change = T[start:d, :start].conj().T.astype(H.dtype, copy=True)
            change += T[:start, :start].conj().T @ self._now - self._now @ H[start:]
            change[:before] -= self._before @ H[before:start]
            change[before:] -= H[before:start]
            # The recurrence is off by rounding errors, which add up in the worst case.
            change += noise * np.where(change, np.sign(change), 1.0)
            inverse = np.linalg.pinv(B)
            found = np.concatenate([change @ inverse, noise * np.abs(inverse)])
        self._most = float(np.abs(change).max(initial=0.0))
        self._before, self._now = self._now, found
        return float(np.abs(found).max(initial=0.0))

    def noticed(self, removed: float, size: float) -> None:
        """Note the inner products that were found with what is left of a product with A.

        Parameters
        ----------
        removed : float
            The largest.
        size : float
            Of A.
        """
        if removed > self._most:
            # Products have larger errors than those of rounding.
            self.noise = max(self.noise, removed / size)

    def projected(self, width: int) -> None:
        """Note that the last block, of so many columns, was projected against all others."""
        self._now = np.full((len(self._now), width), PROJECTED * self._eps, self._now.dtype)
