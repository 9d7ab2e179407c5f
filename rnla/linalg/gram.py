"""The Gram matrix of a sparse matrix as an operator that is never formed."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from rnla.linalg.block import BlockOperator, SparseBlock
from rnla.linalg.spmm import multiply_csr, multiply_csr_minus


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

    def _half(self, X: NDArray[Any]) -> NDArray[Any]:
        self.A.n_matvec += 2 * X.shape[1]
        self.A.n_passes += 2
        return multiply_csr(self._first, X)

    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        return multiply_csr(self._second, self._half(X))

    def _adjoint(self, X: NDArray[Any]) -> NDArray[Any]:
        return self._product(X)

    def product_minus(
        self, X: NDArray[Any], Y: NDArray[Any], scale: float, shift: float
    ) -> NDArray[Any]:
        """Return ``scale (A^H A X - shift X) - Y``.

        Parameters
        ----------
        X, Y : ndarray, shape (n, b)
            C-ordered, in the working precision.
        scale, shift : float
            Of the recurrence.

        Returns
        -------
        ndarray, shape (n, b)
            C-ordered.
        """
        return self._counted(
            lambda Z: multiply_csr_minus(self._second, self._half(Z), Y, scale, shift, Z),
            X,
            self.shape[1],
        )
