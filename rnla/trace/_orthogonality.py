"""How far Lanczos vectors have lost their orthogonality, without looking at them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rnla.trace._rules import Floats

# Roundoffs by which a vector is off after it was projected.
_PROJECTED = 4
_ROUNDOFFS = 2


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
        self._noise = np.full(runs, _ROUNDOFFS * eps)

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
        self._now[run, :-1] = _PROJECTED * self._eps
        if length > 0 and removed > estimate * length:
            # Products have larger errors than those of rounding.
            self._noise[run] = max(self._noise[run], removed / size)
