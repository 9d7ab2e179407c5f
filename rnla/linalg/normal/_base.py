"""The contract between a matrix and the least-squares solvers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import diags_array, issparse

from rnla.sketch import SketchingOperator

# Rows are cut by size alone, so that sums do not depend on the thread count.
CHUNKS = 32
CHUNK_ENTRIES = 1 << 18


class NormalOperator(ABC):
    """A matrix A (m, n) with the products that refinement needs, counted.

    Vectors are in double precision (`dtype` float64 or complex128) whatever A is stored in. With
    weights w, "A" means ``diag(sqrt(w)) A`` everywhere; it is never formed whole.

    Parameters
    ----------
    shape : tuple of int
        Of A.
    stored_dtype : dtype
        Of the entries of A.
    weights : ndarray of float64, shape (m,), optional
        Row weights, not negative.

    Attributes
    ----------
    root : ndarray of float64
        Square roots of the weights; empty without weights.
    shape : tuple of int
        Of A.
    dtype : dtype
        Of the vectors.
    stored_dtype : dtype
        Of the entries of A.
    n_matvec : int
        Products with A and with its adjoint so far, one per column.
    n_passes : int
        Readings of A so far.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        stored_dtype: Any,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        self.shape = shape
        self.root = np.empty(0) if weights is None else np.sqrt(weights)
        self.stored_dtype = np.dtype(stored_dtype)
        self.dtype = np.result_type(self.stored_dtype, np.float64)
        self.n_matvec = 0
        self.n_passes = 0

    def normal(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``A^H (A X)`` for `X` of shape (n, k)."""
        self._count(2 * X.shape[1])
        return self._sweep(X, None)[0]

    def gradient(self, X: NDArray[Any], B: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return ``A^H (B - A X)`` and the norms of the columns of ``B - A X``.

        The residual is formed first: ``A^H B - A^H (A X)`` would not be backward stable.
        """
        self._count(2 * X.shape[1])
        G, squares = self._sweep(X, B)
        return G, np.sqrt(squares)

    def product(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``A X``, (m, k); with `adjoint_product` it costs two readings per step."""
        self._count(X.shape[1])
        return self._product(X)

    def adjoint_product(self, Y: NDArray[Any]) -> NDArray[Any]:
        """Return ``A^H Y``, (n, k)."""
        self._count(Y.shape[1])
        return self._adjoint(Y)

    def _count(self, products: int) -> None:
        self.n_matvec += products
        self.n_passes += 1

    @property
    def sketched_rows(self) -> int:
        """How many columns a sketching operator for this matrix has."""
        return self.shape[0]

    @property
    def is_dense(self) -> bool:
        """Whether the entries are held as an array."""
        return False

    @property
    def matrix_free(self) -> bool:
        """Whether A is known by its products only."""
        return False

    @property
    def entries(self) -> int:
        """How many entries are stored."""
        return self.shape[0] * self.shape[1]

    def gram_updates(self) -> float:
        """Return how many products of two entries `gram` adds up."""
        return float(self.entries) * self.shape[1]

    def column_norms(self) -> NDArray[np.float64]:
        """Return the norms of the columns, where entries are at hand."""
        raise ValueError(
            "method='cgls' needs the entries of `A`, which a LinearOperator does not show; "
            "use method='spir'"
        )

    def sample(self, count: int) -> NDArray[Any]:
        """Return about `count` evenly spaced rows, where rows are at hand."""
        raise TypeError(f"{type(self).__name__} has no rows at hand")

    def transposed(self, unit: float = 1.0) -> NormalOperator:
        """Return ``unit A^T``, which counts its own products; no copy of a plain dense A."""
        raise TypeError(f"{type(self).__name__} always has more rows than columns")

    @property
    def tall(self) -> NormalOperator:
        """The matrix with at least as many rows as columns whose factor preconditions A."""
        return self if self.shape[0] >= self.shape[1] else self.transposed()

    def sketch_rhs(self, S: SketchingOperator, B: NDArray[Any]) -> NDArray[Any]:
        """Return the right-hand sides that belong to `sketch`, (d, k)."""
        return S.multiply(B, "b")

    def rooted(self, block: Any, start: int) -> Any:
        """Return rows from `start` on, times the square roots of their weights."""
        if not len(self.root):
            return block
        root = self.root[start : start + block.shape[0]]
        if issparse(block):
            diagonal: Any = diags_array(root)
            return diagonal.tocsr() @ block
        return root[:, None] * block

    @abstractmethod
    def _sweep(
        self, X: NDArray[Any], B: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Return ``A^H Y`` and the squared column norms of Y = A X or B - A X."""

    @abstractmethod
    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``A X``."""

    @abstractmethod
    def _adjoint(self, Y: NDArray[Any]) -> NDArray[Any]:
        """Return ``A^H Y``."""

    @abstractmethod
    def sketch(self, S: SketchingOperator) -> NDArray[Any]:
        """Return ``S @ A``, shape (d, n)."""

    @abstractmethod
    def whitened(self, P: NDArray[Any], B: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return ``W^H W`` and ``W^H B`` for ``W = A P``, with `P` of shape (n, r)."""

    @abstractmethod
    def gram(self, B: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return ``A^H A`` and ``A^H B``."""

    @abstractmethod
    def todense(self) -> NDArray[Any]:
        """Return A as an array."""

    @abstractmethod
    def check_finite(self) -> None:
        """Raise ``ValueError`` if A holds NaN or infinity; asked when a product is not finite."""
