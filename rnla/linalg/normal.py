"""Any matrix as the least-squares solvers see it: sweeps, sketches and a Gram matrix."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla._core.checks import as_inexact, check_finite_array, inexact_dtype
from rnla._core.threads import even_parts, run_parts, single_threaded_blas
from rnla._kernels import sweep
from rnla.sketch import SketchingOperator

# Rows are cut by size alone, so that sums do not depend on the thread count.
_CHUNKS = 32
_CHUNK_ENTRIES = 1 << 15
_BLOCK_ENTRIES = 1 << 20
_FORTRAN_SCRATCH = 256
_PROBE_COLUMNS = 64
_WIDE_GRAM = 600
_GRAM_PARTS = 16
_GRAM_ENTRIES = 1 << 17


class NormalOperator(ABC):
    """A matrix A (m, n) with the products that refinement needs, counted.

    Vectors are in double precision (`dtype` float64 or complex128) whatever A is stored in.

    Attributes
    ----------
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

    def __init__(self, shape: tuple[int, int], stored_dtype: Any) -> None:
        self.shape = shape
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

    def _count(self, products: int) -> None:
        self.n_matvec += products
        self.n_passes += 1

    @abstractmethod
    def _sweep(
        self, X: NDArray[Any], B: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Return ``A^H Y`` and the squared column norms of Y = A X or B - A X."""

    @abstractmethod
    def sketch(self, S: SketchingOperator) -> NDArray[Any]:
        """Return ``S @ A``, shape (d, n)."""

    @abstractmethod
    def gram(self, B: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return ``A^H A`` and ``A^H B``."""

    @abstractmethod
    def todense(self) -> NDArray[Any]:
        """Return A as an array."""

    @abstractmethod
    def check_finite(self) -> None:
        """Raise ``ValueError`` if A holds NaN or infinity; asked when a product is not finite."""


class DenseNormal(NormalOperator):
    """A dense matrix in any order."""

    def __init__(self, A: NDArray[Any]) -> None:
        super().__init__((A.shape[0], A.shape[1]), A.dtype)
        # Any other layout costs one copy here and saves one in every sweep.
        self.A = A if A.flags.c_contiguous or A.flags.f_contiguous else np.ascontiguousarray(A)

    def _sweep(
        self, X: NDArray[Any], B: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        if X.shape[1] > 1:
            return self._sweep_block(X, B)
        if not self.A.flags.c_contiguous:
            return self._sweep_fortran(X, B)
        if self.dtype.kind == "c":
            return self._sweep_complex(X, B)
        x = np.ascontiguousarray(X[:, 0])
        b = np.empty(0) if B is None else np.ascontiguousarray(B[:, 0])
        G, squares = self._chunks(self.shape[1:], self.dtype)

        def task(chunk: int, start: int, stop: int) -> None:
            squares[chunk] = sweep.sweep_rows(
                self.A[start:stop], x, b[start:stop], B is not None, G[chunk]
            )

        self._run(task)
        return G.sum(axis=0)[:, None], squares.sum(keepdims=True)

    def _sweep_complex(
        self, X: NDArray[Any], B: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        # (a + ib)(p + iq) = (ap - bq) + i(aq + bp): two real products with the row (a, b, ...).
        x = X[:, 0]
        pair = np.empty((2, 2 * len(x)))
        pair[0, 0::2], pair[0, 1::2] = x.real, -x.imag
        pair[1, 0::2], pair[1, 1::2] = x.imag, x.real
        real_view = self.A.view(self.A.real.dtype)
        b = np.empty((0, 2)) if B is None else np.ascontiguousarray(B[:, 0]).view(float)
        b = b.reshape(-1, 2)
        G, squares = self._chunks((2, 2 * len(x)), np.dtype(np.float64))

        def task(chunk: int, start: int, stop: int) -> None:
            squares[chunk] = sweep.sweep_rows_pair(
                real_view[start:stop], pair, b[start:stop], B is not None, G[chunk]
            )

        self._run(task)
        (u, v) = G.sum(axis=0)
        # conj(a + ib)(y + iz) = (ay + bz) + i(az - by)
        g = (u[0::2] + v[1::2]) + 1j * (v[0::2] - u[1::2])
        return g[:, None], squares.sum(keepdims=True)

    def _sweep_fortran(
        self, X: NDArray[Any], B: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        x = np.ascontiguousarray(X[:, 0])
        b = np.empty(0, self.dtype) if B is None else np.ascontiguousarray(B[:, 0], self.dtype)
        G, squares = self._chunks(self.shape[1:], self.dtype)

        def task(chunk: int, start: int, stop: int) -> None:
            y = np.empty(_FORTRAN_SCRATCH, self.dtype)
            squares[chunk] = sweep.sweep_columns(
                self.A.T, start, stop, x, b, B is not None, y, G[chunk]
            )

        self._run(task)
        return G.sum(axis=0)[:, None], squares.sum(keepdims=True)

    def _sweep_block(
        self, X: NDArray[Any], B: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        # Several columns: matrix products on cache-sized row blocks, A still read once.
        G = np.zeros(X.shape, self.dtype)
        squares = np.zeros(X.shape[1])
        for block, rows in self._blocks():
            Y = block @ X if B is None else B[rows] - block @ X
            squares += np.einsum("ij,ij->j", Y.conj(), Y).real
            G += (Y.conj().T @ block).conj().T
        return G, squares

    def _blocks(self) -> Any:
        m, n = self.shape
        count = -(-m * n // _BLOCK_ENTRIES)
        for start, stop in even_parts(m, count):
            yield self.A[start:stop].astype(self.dtype, copy=False), slice(start, stop)

    def _parts(self) -> list[tuple[int, int]]:
        m, n = self.shape
        return even_parts(m, min(_CHUNKS, 1 + m * n // _CHUNK_ENTRIES))

    def _chunks(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[Any, Any]:
        count = len(self._parts())
        return np.zeros((count, *shape), dtype), np.zeros(count)

    def _run(self, task: Any) -> None:
        run_parts(task, [(chunk, *part) for chunk, part in enumerate(self._parts())])

    def sketch(self, S: SketchingOperator) -> NDArray[Any]:
        self.n_passes += 1
        return S.multiply(self.A, "A")

    def gram(self, B: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        self.n_passes += 1
        m, n = self.shape
        if n >= _WIDE_GRAM:
            G, C = np.zeros((n, n), self.dtype), np.zeros((n, B.shape[1]), self.dtype)
            for block, rows in self._blocks():
                _add_gram(block, B[rows], G, C)
            return G, C
        # BLAS shares a narrow product badly between its threads: one part per thread instead.
        parts = even_parts(m, _GRAM_PARTS)
        G = np.zeros((len(parts), n, n), self.dtype)
        C = np.zeros((len(parts), n, B.shape[1]), self.dtype)
        step = max(1, _GRAM_ENTRIES // n)

        def task(part: int, start: int, stop: int) -> None:
            for first in range(start, stop, step):
                rows = slice(first, min(stop, first + step))
                block = self.A[rows].astype(self.dtype, copy=False)
                _add_gram(block, B[rows], G[part], C[part])

        with single_threaded_blas():
            run_parts(task, [(part, *ends) for part, ends in enumerate(parts)])
        with np.errstate(over="ignore", invalid="ignore"):
            return G.sum(axis=0), C.sum(axis=0)

    def todense(self) -> NDArray[Any]:
        return self.A

    def check_finite(self) -> None:
        check_finite_array(self.A, "A")


def _add_gram(block: NDArray[Any], B: NDArray[Any], G: NDArray[Any], C: NDArray[Any]) -> None:
    adjoint = block.conj().T
    # What is not finite is found, and named, in the sum.
    with np.errstate(over="ignore", invalid="ignore"):
        G += adjoint @ block
        C += adjoint @ B


class SparseNormal(NormalOperator):
    """A sparse matrix, held in CSR form (other formats are converted once)."""

    def __init__(self, A: Any) -> None:
        A = csr_array(A)
        if not A.has_canonical_format:
            A = A.copy()
            A.sum_duplicates()
        super().__init__(A.shape, inexact_dtype(A.dtype, "A"))
        self.A = A.astype(self.stored_dtype, copy=False)

    def _sweep(
        self, X: NDArray[Any], B: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        if X.shape[1] > 1:
            Y = self.A @ X if B is None else B - self.A @ X
            squares = np.einsum("ij,ij->j", Y.conj(), Y).real
            return (self.A.T @ Y.conj()).conj(), squares
        x = np.ascontiguousarray(X[:, 0], self.dtype)
        b = np.empty(0, self.dtype) if B is None else np.ascontiguousarray(B[:, 0], self.dtype)
        m, n = self.shape
        # A private result per chunk: few chunks where n is large against the work.
        count = min(_CHUNKS, 1 + self.A.nnz // max(_CHUNK_ENTRIES, 4 * n))
        parts = even_parts(m, count)
        G = np.zeros((len(parts), n), self.dtype)
        squares_of = np.zeros(len(parts))
        indptr, indices, data = self.A.indptr, self.A.indices, self.A.data

        def task(chunk: int, start: int, stop: int) -> None:
            squares_of[chunk] = sweep.sweep_csr(
                indptr[start : stop + 1], indices, data, x, b[start:stop], B is not None, G[chunk]
            )

        run_parts(task, [(chunk, *part) for chunk, part in enumerate(parts)])
        return G.sum(axis=0)[:, None], squares_of.sum(keepdims=True)

    def sketch(self, S: SketchingOperator) -> NDArray[Any]:
        self.n_passes += 1
        return S.multiply(self.A, "A")

    def gram(self, B: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        self.n_passes += 1
        adjoint = self.A.astype(self.dtype).conj().T
        with np.errstate(over="ignore", invalid="ignore"):
            return (adjoint @ self.A).toarray(), adjoint @ B

    def todense(self) -> NDArray[Any]:
        return np.asarray(self.A.toarray())

    def check_finite(self) -> None:
        check_finite_array(self.A.data, "A")


class OperatorNormal(NormalOperator):
    """A ``LinearOperator``: sketched through its products with blocks of the identity."""

    def __init__(self, A: LinearOperator) -> None:
        super().__init__(A.shape, inexact_dtype(A.dtype, "A"))
        self.A = A

    def _sweep(
        self, X: NDArray[Any], B: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        Y = np.asarray(self.A.matmat(X))
        if B is not None:
            Y = B - Y
        squares = np.einsum("ij,ij->j", Y.conj(), Y).real
        return np.asarray(self.A.rmatmat(Y)).astype(self.dtype, copy=False), squares

    def _column_blocks(self) -> Any:
        n = self.shape[1]
        for start in range(0, n, _PROBE_COLUMNS):
            stop = min(n, start + _PROBE_COLUMNS)
            unit = np.zeros((n, stop - start), self.dtype)
            unit[np.arange(start, stop), np.arange(stop - start)] = 1
            self.n_matvec += stop - start
            yield np.asarray(self.A.matmat(unit)), slice(start, stop)
        self.n_passes += 1

    def sketch(self, S: SketchingOperator) -> NDArray[Any]:
        # n products with A, where sketching through the adjoint would take d > n.
        parts = [S.multiply(columns, "A") for columns, _ in self._column_blocks()]
        return np.concatenate(parts, axis=1)

    def gram(self, B: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        G = np.zeros((self.shape[1],) * 2, self.dtype)
        for columns, where in self._column_blocks():
            self.n_matvec += columns.shape[1]
            with np.errstate(over="ignore", invalid="ignore"):
                G[:, where] = self.A.rmatmat(columns)
        self._count(B.shape[1])
        return G, np.asarray(self.A.rmatmat(B.astype(self.dtype, copy=False)))

    def todense(self) -> NDArray[Any]:
        dense = np.empty(self.shape, self.dtype)
        for columns, where in self._column_blocks():
            dense[:, where] = columns
        return dense

    def check_finite(self) -> None:
        """Form the columns, which is worth n products when something went wrong."""
        for columns, _ in self._column_blocks():
            check_finite_array(columns, "A")


def as_normal(A: Any) -> NormalOperator:
    """Wrap a matrix by its kind.

    Parameters
    ----------
    A : array_like, sparse matrix or LinearOperator, shape (m, n)
        The matrix.

    Returns
    -------
    NormalOperator
        Dense, sparse or matrix-free.

    Raises
    ------
    TypeError
        If its dtype is not numeric.
    ValueError
        If it does not have two axes.
    """
    if isinstance(A, NormalOperator):
        return A
    if issparse(A):
        sparse: Any = A
        if sparse.ndim != 2:
            raise ValueError(f"`A` must have two axes, got shape {sparse.shape}")
        return SparseNormal(sparse)
    if isinstance(A, LinearOperator) or (
        not isinstance(A, np.ndarray) and hasattr(A, "matvec") and hasattr(A, "shape")
    ):
        operator: Any = A
        return OperatorNormal(aslinearoperator(operator))
    A = as_inexact(A, "A")
    if A.ndim != 2:
        raise ValueError(f"`A` must have two axes, got shape {A.shape}")
    return DenseNormal(A)
