"""The Gram matrix of a sparse matrix as an operator that is never formed."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from rnla.linalg.block import BlockOperator, SparseBlock
from rnla.linalg.chebyshev import chebyshev_csr
from rnla.linalg.spmm import multiply_csr


class GramBlock(BlockOperator):
    """``A^H A``, or ``A A^H``, of the smaller order; products count as two with A.

    Parameters
    ----------
    A : SparseBlock, shape (m, n)
        The matrix.
    """

    def __init__(self, A: SparseBlock) -> None:
        super().__init__((min(A.shape),) * 2, A.dtype)
        self.A = A
        adjoint = A.columns.conj() if A.dtype.kind == "c" else A.columns
        wide = A.shape[0] < A.shape[1]
        self._first, self._second = (adjoint, A.rows) if wide else (A.rows, adjoint)

    @property
    def nnz(self) -> int:
        """Multiplications for a column."""
        return 2 * int(self._first.nnz)

    def _count(self, products: int, width: int) -> None:
        self.A.n_matvec += 2 * products * width
        self.A.n_passes += 2 * products

    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        self._count(1, X.shape[1])
        return multiply_csr(self._second, multiply_csr(self._first, X))

    def _adjoint(self, X: NDArray[Any]) -> NDArray[Any]:
        return self._product(X)

    def chebyshev(self, X: NDArray[Any], degree: int, center: float, radius: float) -> NDArray[Any]:
        """Return ``T_d((A^H A - center I) / radius) X``.

        Parameters
        ----------
        X : ndarray, shape (n, b)
            Any layout.
        degree : int
            d, positive.
        center, radius : float
            Of the interval on which the polynomial stays within [-1, 1].

        Returns
        -------
        ndarray, shape (n, b)
            C-ordered.
        """
        self.n_matvec += degree * X.shape[1]
        self.n_passes += degree
        self._count(degree, X.shape[1])
        return chebyshev_csr(
            [self._first, self._second], self._converted(X), degree, center, radius
        )
