"""A matrix known by its products only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import diags_array
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla._core.checks import check_finite_array, inexact_dtype
from rnla.linalg.normal._base import NormalOperator
from rnla.sketch import SketchingOperator

_PROBE_COLUMNS = 64


class OperatorNormal(NormalOperator):
    """A ``LinearOperator``: sketched through its products with blocks of the identity."""

    def __init__(self, A: LinearOperator, weights: NDArray[np.float64] | None = None) -> None:
        super().__init__(A.shape, inexact_dtype(A.dtype, "A"), weights)
        self.A = A

    @property
    def matrix_free(self) -> bool:
        return True

    def _sweep(
        self, X: NDArray[Any], B: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        Y = self._product(X) if B is None else B - self._product(X)
        return self._adjoint(Y), np.einsum("ij,ij->j", Y.conj(), Y).real

    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        Y = np.asarray(self.rooted(np.asarray(self.A.matmat(X)), 0))
        self._check_product(X, Y, "a product with `A`")
        return Y

    def _adjoint(self, Y: NDArray[Any]) -> NDArray[Any]:
        G = self._adjoint_columns(Y)
        self._check_product(Y, G, "a product with the adjoint of `A`")
        return G

    @staticmethod
    def _check_product(X: NDArray[Any], product: NDArray[Any], what: str) -> None:
        """Raise where a finite block became NaN or infinity: nothing can come of it."""
        if not np.isfinite(product).all() and np.isfinite(X).all():
            raise ValueError(
                f"{what} is NaN or infinity: mend the LinearOperator, or scale it if it overflows"
            )

    def _adjoint_columns(self, Y: NDArray[Any]) -> NDArray[Any]:
        Y = self.rooted(Y.astype(self.dtype, copy=False), 0)
        try:
            G = np.asarray(self.A.rmatmat(Y))
        except (NotImplementedError, TypeError):
            self._check_adjoint()
            raise
        return G.astype(self.dtype, copy=False)

    def _check_adjoint(self) -> None:
        """Raise if A has no adjoint products, of which SciPy's own message says nothing."""
        try:
            self.A.rmatvec(np.zeros(self.shape[0], self.dtype))
        except NotImplementedError:
            raise TypeError(
                "`A` must have products with its adjoint: give the LinearOperator an `rmatvec` or "
                "`rmatmat`, or pass `A` as an array"
            ) from None

    def _column_blocks(self) -> Any:
        n = self.shape[1]
        for start in range(0, n, _PROBE_COLUMNS):
            stop = min(n, start + _PROBE_COLUMNS)
            unit = np.zeros((n, stop - start), self.dtype)
            unit[np.arange(start, stop), np.arange(stop - start)] = 1
            self.n_matvec += stop - start
            yield self.rooted(np.asarray(self.A.matmat(unit)), 0), slice(start, stop)
        self.n_passes += 1

    def sketch(self, S: SketchingOperator) -> NDArray[Any]:
        # n products with A, where sketching through the adjoint would take d > n.
        parts = [S.multiply(columns, "A") for columns, _ in self._column_blocks()]
        return np.concatenate(parts, axis=1)

    def gram(self, B: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        G = np.zeros((self.shape[1],) * 2, self.dtype)
        for columns, where in self._column_blocks():
            self.n_matvec += columns.shape[1]
            # What overflows here makes another method the better one.
            with np.errstate(over="ignore", invalid="ignore"):
                G[:, where] = self._adjoint_columns(columns)
        return G, self.adjoint_product(B)

    def whitened(self, P: NDArray[Any], B: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        # As many columns at a time as stay small beside a dense A.
        G = np.empty((P.shape[1],) * 2, self.dtype)
        for start in range(0, P.shape[1], _PROBE_COLUMNS):
            block = P[:, start : start + _PROBE_COLUMNS]
            G[:, start : start + block.shape[1]] = P.conj().T @ self.normal(block)
        return G, P.conj().T @ self.adjoint_product(B)

    def transposed(self, unit: float = 1.0) -> NormalOperator:
        # The transposed operator would not know what it lacks.
        self.adjoint_product(np.zeros((self.shape[0], 1), self.dtype))
        A = self.A
        if len(self.root):
            A = aslinearoperator(diags_array(self.root)) @ A
        return OperatorNormal((A if unit == 1 else unit * A).T)

    def todense(self) -> NDArray[Any]:
        dense = np.empty(self.shape, self.dtype)
        for columns, where in self._column_blocks():
            dense[:, where] = columns
        return dense

    def check_finite(self) -> None:
        """Form the columns, which is worth n products when something went wrong."""
        for columns, _ in self._column_blocks():
            check_finite_array(columns, "A")
