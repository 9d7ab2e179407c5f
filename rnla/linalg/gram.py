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

    Attributes
    ----------
    factors : list of csr_array
        The two, the last one applied last.
    """

    def __init__(self, A: SparseBlock) -> None:
        super().__init__((min(A.shape),) * 2, A.dtype)
        self.A = A
        adjoint = A.columns.conj() if A.dtype.kind == "c" else A.columns
        wide = A.shape[0] < A.shape[1]
        self.factors = [adjoint, A.rows] if wide else [A.rows, adjoint]

    @property
    def nnz(self) -> int:
        """Multiplications for a column."""
        return 2 * int(self.factors[0].nnz)

    def count(self, products: int, width: int = 1) -> None:
        """Count products that are made, as two with A.

        Parameters
        ----------
        products : int
            Blocks multiplied.
        width : int, default 1
            Columns of each.
        """
        super().count(products, width)
        self.A.count(2 * products, width)

    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        first, last = self.factors
        return multiply_csr(last, multiply_csr(first, X))

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
        self.count(degree, X.shape[1])
        return chebyshev_csr(self.factors, self._converted(X), degree, center, radius)
