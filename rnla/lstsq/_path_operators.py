"""Many penalties as one block problem whose column j has a penalty of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.linalg.normal import NormalOperator
from rnla.linalg.precondition import Preconditioner
from rnla.lstsq._certificate import KarlsonWalden


class PathNormal:
    """The matrices ``[A; damps[j] I]``, each applied to its own column.

    Parameters
    ----------
    A : NormalOperator
        The matrix, (m, n).
    damps : ndarray, shape (k,)
        The penalty of every column.
    """

    def __init__(self, A: NormalOperator, damps: NDArray[np.float64]) -> None:
        self.A = A
        self.dtype = A.dtype
        self.damps = damps

    def gradient(self, X: NDArray[Any], B: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return ``A^H (b - A x) - damp^2 x`` and the norms of ``[b - A x; damp x]``."""
        G, r_norm = self.A.gradient(X, B)
        pull = self.damps * X
        return G - self.damps * pull, np.hypot(r_norm, np.linalg.norm(pull, axis=0))


class PathPreconditioner:
    """Preconditioners of shape (n, n), each applied to its own columns.

    Parameters
    ----------
    factors : list of Preconditioner
        One per penalty.
    """

    def __init__(self, factors: list[Preconditioner]) -> None:
        self.factors = factors

    def matmat(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``P_j x_j`` for the columns of every penalty."""
        return self._each(X, lambda P, block: P.matmat(block))

    def rmatmat(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``P_j^H x_j`` for the columns of every penalty."""
        return self._each(X, lambda P, block: P.rmatmat(block))

    def _each(self, X: NDArray[Any], apply: Any) -> NDArray[Any]:
        blocks = np.split(X, len(self.factors), axis=1)
        return np.hstack([apply(P, x) for P, x in zip(self.factors, blocks, strict=True)])


class PathCertificate:
    """The certificate of every penalty's own stacked problem.

    Parameters
    ----------
    factors : list of Preconditioner
        One per penalty.
    """

    def __init__(self, factors: list[Preconditioner]) -> None:
        self.each = [KarlsonWalden(P) for P in factors]

    def size(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the column norms of ``D^-1 X``."""
        blocks = np.split(X, len(self.each), axis=1)
        return np.hstack([one.size(x) for one, x in zip(self.each, blocks, strict=True)])

    def certify(
        self,
        G: NDArray[Any],
        r_norm: NDArray[np.float64],
        x_size: NDArray[np.float64],
        enough: float,
    ) -> NDArray[np.float64]:
        """Return the relative backward error per column, as `KarlsonWalden.certify`."""
        p = len(self.each)
        pieces = zip(
            self.each,
            np.split(G, p, axis=1),
            np.split(r_norm, p),
            np.split(x_size, p),
            strict=True,
        )
        return np.hstack([one.certify(g, r, x, enough) for one, g, r, x in pieces])
