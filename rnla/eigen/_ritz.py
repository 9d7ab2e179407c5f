"""Eigenpairs of a projection, and the vectors that belong to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.eigen._problem import Problem
from rnla.eigen._select import Selection
from rnla.linalg.tall import combination, dots, without


@dataclass(frozen=True)
class Ritz:
    """Eigenpairs of the projection, most wanted first.

    Attributes
    ----------
    theta : ndarray, shape (m,)
        Ritz values.
    S : ndarray, shape (m, m)
        Coefficients of the Ritz vectors.
    V : ndarray, shape (n, m)
        View of the basis, which the next restart may overwrite.
    W : ndarray, shape (n, m), or None
        View of its products; where they were not kept, they are formed when asked for.
    problem : Problem or None
        Forms them.
    """

    theta: NDArray[Any]
    S: NDArray[Any]
    V: NDArray[Any]
    W: NDArray[Any] | None
    problem: Problem | None = None

    def vectors(self, columns: Any) -> NDArray[Any]:
        """Return the Ritz vectors with these positions.

        Parameters
        ----------
        columns : slice or ndarray of int
            Positions.

        Returns
        -------
        ndarray, shape (n, b)
            Orthonormal.
        """
        return combination(self.V, self._coefficients(columns))

    def products(self, columns: Any) -> NDArray[Any]:
        """Return OP times the Ritz vectors with these positions.

        Parameters
        ----------
        columns : slice or ndarray of int
            Positions.

        Returns
        -------
        ndarray, shape (n, b)
            Without a new product where products are kept.
        """
        if self.W is not None:
            return combination(self.W, self._coefficients(columns))
        assert self.problem is not None
        X = self.vectors(columns)
        return self.problem.product(X, self.problem.image(X))

    def residuals(self, columns: Any) -> NDArray[Any]:
        """Return ``OP x - theta x`` for the pairs with these positions.

        Parameters
        ----------
        columns : slice or ndarray of int
            Positions.

        Returns
        -------
        ndarray, shape (n, b)
            Formed from the products, not from the recurrence.
        """
        S = self._coefficients(columns)
        theta = self.theta[columns].astype(S.real.dtype)
        if self.W is not None:
            return without(combination(self.W, S), self.V, S * theta)
        assert self.problem is not None
        X = combination(self.V, S)
        return np.asarray(self.problem.product(X, self.problem.image(X)) - X * theta)

    def polished(self, selection: Selection) -> Ritz:
        """Return the wanted pairs, formed anew from an orthonormal basis of their vectors.

        Parameters
        ----------
        selection : Selection
            What is wanted.

        Returns
        -------
        Ritz
            These pairs alone, with their products. The vectors, which are real and orthonormal to
            more than half of the digits, are so to all of them.
        """
        assert self.problem is not None
        X = self.vectors(slice(0, selection.k))
        W = self.problem.product(X, self.problem.image(X))
        # A Newton step makes them orthonormal.
        C = 1.5 * np.eye(X.shape[1]) - dots(X, X) / 2
        T = C @ dots(X, W) @ C
        theta, S = np.linalg.eigh((T + T.T) / 2)
        order = selection.order(theta)
        C = np.asfortranarray(C @ S[:, order], X.dtype)
        W = combination(W, C)
        return Ritz(theta[order], np.eye(len(theta)), combination(X, C), W, self.problem)

    def _coefficients(self, columns: Any) -> NDArray[Any]:
        # BLAS wants the columns side by side and in the precision of the basis.
        return np.ascontiguousarray(self.S[:, columns], self.V.dtype)

    def equal(self, k: int, spread: float) -> NDArray[np.intp]:
        """Return the positions of the values equal to the k-th, if some are beyond it.

        Parameters
        ----------
        k : int
            Pairs wanted.
        spread : float
            Values that differ by less are equal.

        Returns
        -------
        ndarray of int
            Empty where the k-th value has no copy beyond.
        """
        last = self.theta[min(k, len(self.theta)) - 1]
        found = np.flatnonzero(np.abs(self.theta - last) <= spread)
        return found if found[-1] >= k else found[:0]

    def settled_first(self, equal: NDArray[np.intp], R: NDArray[Any]) -> tuple[Ritz, NDArray[Any]]:
        """Let those of equal Ritz values come first whose residuals are smallest.

        Where an eigenvalue has more copies than are wanted, rounding errors bring in one after
        the other, and the eigenvectors of the projection are any mixture of old and new ones.

        Parameters
        ----------
        equal : ndarray of int, shape (c,)
            Their positions.
        R : ndarray, shape (b, c)
            Coordinates of their residuals.

        Returns
        -------
        Ritz
            With another basis of their space.
        ndarray, shape (c,)
            The norms of its residuals.
        """
        # What is mixed of values that are not quite equal is a residual too.
        offsets = np.diag(self.theta[equal] - self.theta[equal].mean())
        _, norms, mixture = np.linalg.svd(np.vstack([R, offsets]), full_matrices=False)
        S = self.S.copy()
        S[:, equal] = S[:, equal] @ mixture.conj().T[:, ::-1]
        return replace(self, S=S), norms[::-1]
