"""A Chebyshev polynomial of a sparse matrix, as an operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.eigen._problem import Standard
from rnla.linalg.block import SparseBlock
from rnla.linalg.gram import GramBlock


@dataclass(frozen=True)
class Chebyshev:
    """``p(A) X = T_d((A - center I) / radius) X``.

    Attributes
    ----------
    main : SparseBlock or GramBlock
        A, Hermitian.
    center, radius : float
        Of the interval on which the polynomial stays within [-1, 1].
    degree : int
        Products with A for one with the polynomial.
    """

    main: SparseBlock | GramBlock
    center: float
    radius: float
    degree: int

    def __call__(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``p(A) X``.

        Parameters
        ----------
        X : ndarray, shape (n, b)
            Any layout.

        Returns
        -------
        ndarray, shape (n, b)
            C-ordered.
        """
        return self.main.chebyshev(X, self.degree, self.center, self.radius)

    def at(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the polynomial of numbers.

        Parameters
        ----------
        values : ndarray
            Real.

        Returns
        -------
        ndarray
            Of the same shape.
        """
        scaled = (np.asarray(values, np.float64) - self.center) / self.radius
        return np.polynomial.Chebyshev.basis(self.degree)(scaled)


class Filtered(Standard):
    """``OP = p(A)``.

    Parameters
    ----------
    polynomial : Chebyshev
        Of A.
    dtype : dtype
        Working precision.
    """

    is_original = False

    def __init__(self, polynomial: Chebyshev, dtype: Any) -> None:
        super().__init__(polynomial.main, 0.0, dtype)
        self.polynomial = polynomial

    def _product(self, V: NDArray[Any], BV: NDArray[Any]) -> NDArray[Any]:
        return self.polynomial(V)
