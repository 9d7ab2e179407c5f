"""A real ``LinearOperator`` that multiplies sparse matrices and transposes without a copy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator


def is_sparse(x: Any) -> bool:
    """Return whether `x` is a scipy.sparse array or matrix."""
    return bool(issparse(x))


# SciPy builds its operators in `__new__`, which hides the rest of the class from type checkers.
_Base: Any = LinearOperator


class RealOperator(_Base):  # type: ignore[misc]
    """A real operator: its transpose is its adjoint and is a plain view of it.

    SciPy takes a sparse column for a vector, hides what is wrong with a sparse operand behind an
    error of its own, and conjugates (that is, copies) the operand of every transpose.
    """

    def dot(self, x: Any) -> Any:
        """Multiply by a vector, a matrix (dense or sparse), a scalar or an operator: ``S @ x``.

        Parameters
        ----------
        x : array_like, sparse matrix, scalar or LinearOperator
            With as many rows as the operator has columns.

        Returns
        -------
        ndarray or LinearOperator
            The product; dense also for sparse `x`.

        Examples
        --------
        >>> import numpy as np
        >>> from rnla.sketch import CountSketch
        >>> CountSketch.draw(8, 100, rng=0).dot(np.ones((100, 3))).shape
        (8, 3)
        """
        return self._matmat(x) if is_sparse(x) else super().dot(x)

    def matmat(self, X: Any) -> NDArray[Any]:
        """Multiply by a matrix, dense or sparse: ``S @ X``.

        Parameters
        ----------
        X : array_like or sparse matrix
            With as many rows as the operator has columns.

        Returns
        -------
        ndarray
            The product; dense also for sparse `X`.

        Raises
        ------
        TypeError
            If `X` does not hold numbers.
        ValueError
            If its shape does not fit or it holds NaN or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from rnla.sketch import CountSketch
        >>> CountSketch.draw(8, 100, rng=0).matmat(np.ones((100, 3))).shape
        (8, 3)
        """
        product: NDArray[Any] = self._matmat(X) if is_sparse(X) else super().matmat(X)
        return product

    def rmatmat(self, X: Any) -> NDArray[Any]:
        """Multiply the transpose by a matrix, dense or sparse: ``S.T @ X``.

        Parameters
        ----------
        X : array_like or sparse matrix
            With as many rows as the operator has.

        Returns
        -------
        ndarray
            The product; dense also for sparse `X`.

        Raises
        ------
        TypeError
            If `X` does not hold numbers.
        ValueError
            If its shape does not fit or it holds NaN or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from rnla.sketch import CountSketch
        >>> CountSketch.draw(8, 100, rng=0).rmatmat(np.ones((8, 3))).shape
        (100, 3)
        """
        product: NDArray[Any] = self._rmatmat(X) if is_sparse(X) else super().rmatmat(X)
        return product

    def __rmatmul__(self, x: Any) -> Any:
        return self.T.dot(x.T).T if is_sparse(x) else super().__rmatmul__(x)

    def _transpose(self) -> RealOperator:
        return Transposed(self)

    def _adjoint(self) -> RealOperator:
        return Transposed(self)


class Transposed(RealOperator):
    """The transpose of a real operator; transposed again it is that operator."""

    def __init__(self, S: RealOperator) -> None:
        super().__init__(S.dtype, S.shape[::-1])
        self._S = S

    def _matvec(self, x: Any) -> NDArray[Any]:
        return self._S._rmatvec(x)  # type: ignore[no-any-return]

    def _rmatvec(self, x: Any) -> NDArray[Any]:
        return self._S._matvec(x)  # type: ignore[no-any-return]

    def _matmat(self, X: Any) -> NDArray[Any]:
        return self._S._rmatmat(X)  # type: ignore[no-any-return]

    def _rmatmat(self, X: Any) -> NDArray[Any]:
        return self._S._matmat(X)  # type: ignore[no-any-return]

    def _transpose(self) -> RealOperator:
        return self._S

    def _adjoint(self) -> RealOperator:
        return self._S

    def __reduce__(self) -> tuple[Any, ...]:
        return Transposed, (self._S,)


def apply_to_stack(apply: Any, X: NDArray[Any]) -> NDArray[Any]:
    """Apply to a stack (..., rows, k) of matrices, which SciPy passes on since 1.18, at once."""
    columns = np.moveaxis(X, -2, 0)
    product = apply(columns.reshape(len(columns), -1))
    return np.moveaxis(product.reshape(-1, *columns.shape[1:]), 0, -2)
