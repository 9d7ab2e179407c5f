"""Ridge regression as a plain least-squares problem with n more rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.linalg.normal._base import NormalOperator
from rnla.sketch import SketchingOperator


class DampedNormal(NormalOperator):
    """The matrix ``[A; damp I]``, whose right-hand side is ``[b; 0]``.

    Only A is sketched: the identity is kept as it is, so a large `damp` makes the sketch exact.

    Parameters
    ----------
    A : NormalOperator
        The matrix, (m, n).
    damp : float or ndarray, shape (n, 1)
        Not negative; an array holds one for each column.
    """

    def __init__(self, A: NormalOperator, damp: Any) -> None:
        m, n = A.shape
        self.inner = A
        self.damp = damp
        super().__init__((m + n, n), A.stored_dtype)

    # The readings of A are counted where A is read; the zero is what the base class starts with.
    @property
    def n_matvec(self) -> int:
        return self.inner.n_matvec

    @n_matvec.setter
    def n_matvec(self, count: int) -> None:
        if count:
            self.inner.n_matvec = count

    @property
    def n_passes(self) -> int:
        return self.inner.n_passes

    @n_passes.setter
    def n_passes(self, count: int) -> None:
        if count:
            self.inner.n_passes = count

    @property
    def sketched_rows(self) -> int:
        return self.inner.shape[0]

    @property
    def is_dense(self) -> bool:
        return self.inner.is_dense

    @property
    def matrix_free(self) -> bool:
        return self.inner.matrix_free

    @property
    def entries(self) -> int:
        return self.inner.entries

    def gram_updates(self) -> float:
        return self.inner.gram_updates()

    def column_norms(self) -> NDArray[np.float64]:
        return np.hypot(self.inner.column_norms(), np.ravel(self.damp))

    def sample(self, count: int) -> NDArray[Any]:
        rows = self.inner.sample(count)
        share = len(rows) / self.inner.shape[0]
        return np.vstack([rows, np.sqrt(share) * self._identity()])

    @property
    def is_wide(self) -> bool:
        """Whether the undamped matrix has rows, but fewer than columns."""
        return 0 < self.inner.shape[0] < self.inner.shape[1]

    @property
    def tall(self) -> NormalOperator:
        return self.ridge_transposed() if self.is_wide else self

    def ridge_transposed(self, unit: float = 1.0) -> DampedNormal:
        """Return the tall ``unit [A, damp I]^T`` of a wide A, with the same ridge problem.

        ``min ||b - A x||^2 + damp^2 ||x||^2`` is the minimum norm of (x, z), ``A x + damp z = b``.
        """
        return DampedNormal(self.inner.transposed(unit), unit * self.damp)

    def _sweep(
        self, X: NDArray[Any], B: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        m = self.inner.shape[0]
        G, squares = self.inner._sweep(X, None if B is None else B[:m])
        Y = self.damp * X if B is None else B[m:] - self.damp * X
        return G + self.damp * Y, squares + np.einsum("ij,ij->j", Y.conj(), Y).real

    def _count(self, products: int) -> None:
        self.inner._count(products)

    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        return np.vstack([self.inner._product(X), self.damp * X])

    def _adjoint(self, Y: NDArray[Any]) -> NDArray[Any]:
        m = self.inner.shape[0]
        return np.asarray(self.inner._adjoint(Y[:m]) + self.damp * Y[m:])

    def sketch(self, S: SketchingOperator) -> NDArray[Any]:
        return np.vstack([self.inner.sketch(S), self._identity()])

    def sketch_rhs(self, S: SketchingOperator, B: NDArray[Any]) -> NDArray[Any]:
        m = self.inner.shape[0]
        return np.vstack([self.inner.sketch_rhs(S, B[:m]), B[m:]])

    def whitened(self, P: NDArray[Any], B: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        m = self.inner.shape[0]
        G, C = self.inner.whitened(P, B[:m])
        # The factors of P may be as small as damp is large.
        scaled = self.damp * P
        return G + scaled.conj().T @ scaled, C + scaled.conj().T @ B[m:]

    def gram(self, B: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        m = self.inner.shape[0]
        G, C = self.inner.gram(B[:m])
        return G + self.damp * self._identity(), C + self.damp * B[m:]

    def todense(self) -> NDArray[Any]:
        return np.vstack([self.inner.todense(), self._identity()])

    def check_finite(self) -> None:
        self.inner.check_finite()

    def _identity(self) -> NDArray[np.float64]:
        return np.asarray(self.damp * np.eye(self.shape[1]))
