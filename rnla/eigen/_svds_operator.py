"""Views of a matrix: its adjoint, and the matrix times a number."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.linalg.block import BlockOperator


class AdjointView(BlockOperator):
    """``A^H``: products and adjoint products change places."""

    def __init__(self, A: BlockOperator) -> None:
        super().__init__(A.shape[::-1], A.dtype)
        self.inner = A

    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        return self.inner.adjoint(X)

    def _adjoint(self, X: NDArray[Any]) -> NDArray[Any]:
        return self.inner.product(X)

    def todense(self) -> NDArray[Any]:
        return self.inner.todense().conj().T


class ScaledView(BlockOperator):
    """``factor^2 A``, a factor before and one after the product, so that neither leaves the range.

    Parameters
    ----------
    A : BlockOperator
        The matrix.
    factor : float
        A power of two: scaling is exact.
    """

    def __init__(self, A: BlockOperator, factor: float) -> None:
        super().__init__(A.shape, A.dtype)
        self.inner = A
        self._factor = np.asarray(factor, A.dtype.type(0).real.dtype)

    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self.inner.product(X * self._factor) * self._factor)

    def _adjoint(self, X: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self.inner.adjoint(X * self._factor) * self._factor)

    def todense(self) -> NDArray[Any]:
        return np.asarray(self.inner.todense() * self._factor * self._factor)
