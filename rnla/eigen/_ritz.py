"""Eigenpairs of a projection, and the vectors that belong to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.eigen._problem import Problem
from rnla.linalg.tall import combination, without


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

    def _coefficients(self, columns: Any) -> NDArray[Any]:
        # BLAS wants the columns side by side and in the precision of the basis.
        return np.ascontiguousarray(self.S[:, columns], self.V.dtype)
