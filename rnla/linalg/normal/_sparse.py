"""A sparse matrix as the solvers see it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from rnla._core.checks import check_finite_array, inexact_dtype
from rnla._core.threads import even_parts, get_num_threads, run_parts
from rnla._kernels import sweep
from rnla._kernels.gram_csr import add_gram_rows
from rnla.linalg.factor import column_scale
from rnla.linalg.normal._base import CHUNK_ENTRIES, CHUNKS, NormalOperator
from rnla.sketch import SketchingOperator

_BLOCK_ENTRIES = 1 << 20
_INLINE_UPDATES = 1 << 16
_MIRROR_ROWS = 256
# From so many columns on, they are swept in step.
_BLOCK_COLUMNS = 4
# Entries per column that one sum may hold.
_SHORT_SUM = 16


class SparseNormal(NormalOperator):
    """A sparse matrix, held in CSR form (other formats are converted once)."""

    def __init__(self, A: Any, weights: NDArray[np.float64] | None = None) -> None:
        stored_dtype = inexact_dtype(A.dtype, "A")
        if A.dtype.kind in "iu":
            # Before repeated entries are added up, whose sum may leave a small integer type.
            A = A.astype(stored_dtype)
        A = csr_array(A)
        if not A.has_canonical_format:
            A = A.copy()
            A.sum_duplicates()
        super().__init__(A.shape, stored_dtype, weights)
        self.A = A.astype(stored_dtype, copy=False)

    def _sweep(
        self, X: NDArray[Any], B: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        if X.shape[1] == 0:
            return np.zeros((self.shape[1], 0), self.dtype), np.zeros(0)
        if X.shape[1] >= _BLOCK_COLUMNS:
            return self._sweep_block(X, B)
        columns = [
            self._sweep_column(X[:, j], None if B is None else B[:, j]) for j in range(X.shape[1])
        ]
        return np.stack([g for g, _ in columns], axis=1), np.array([s for _, s in columns])

    def _sweep_column(
        self, x: NDArray[Any], b: NDArray[Any] | None
    ) -> tuple[NDArray[Any], np.float64]:
        x = np.ascontiguousarray(x, self.dtype)
        b = np.empty(0, self.dtype) if b is None else np.ascontiguousarray(b, self.dtype)
        parts, sums = self._chunks(1)
        squares = np.zeros(len(parts))
        residual = len(b) > 0

        def task(chunk: int, start: int, stop: int) -> None:
            squares[chunk] = sweep.sweep_csr(
                self.A.indptr[start : stop + 1],
                self.A.indices,
                self.A.data,
                x,
                b[start:stop],
                self.root[start:stop],
                residual,
                sums[chunk],
            )

        run_parts(task, [(chunk, *part) for chunk, part in enumerate(parts)])
        return sums.sum(axis=(0, 1)), squares.sum()

    def _sweep_block(
        self, X: NDArray[Any], B: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        n, k = self.shape[1], X.shape[1]
        X = np.ascontiguousarray(X, self.dtype)
        b = np.empty((0, k), self.dtype) if B is None else np.ascontiguousarray(B, self.dtype)
        parts, sums = self._chunks(k)
        squares_of = np.zeros((len(parts), k))

        def task(chunk: int, start: int, stop: int) -> None:
            sweep.sweep_csr_block(
                self.A.indptr[start : stop + 1],
                self.A.indices,
                self.A.data,
                X,
                b[start:stop],
                self.root[start:stop],
                B is not None,
                np.empty(k, self.dtype),
                squares_of[chunk],
                sums[chunk],
            )

        run_parts(task, [(chunk, *part) for chunk, part in enumerate(parts)])
        return sums.sum(axis=(0, 1)).reshape(n, k), squares_of.sum(axis=0)

    def _chunks(self, columns: int) -> tuple[list[tuple[int, int]], NDArray[Any]]:
        # A private result per chunk: few chunks where it is large against the work.
        m, n = self.shape
        count = min(CHUNKS, 1 + self.A.nnz // max(CHUNK_ENTRIES, 4 * n * columns))
        parts = even_parts(m, count)
        # Short sums need no levels.
        levels = sweep.LEVELS if self.A.nnz > _SHORT_SUM * len(parts) * n else 1
        return parts, np.zeros((len(parts), levels, n * columns), self.dtype)

    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self.rooted(self.A @ X, 0))

    def _adjoint(self, Y: NDArray[Any]) -> NDArray[Any]:
        # No x: the kernels take Y as what it is.
        return self._sweep(np.empty((0, Y.shape[1])), Y)[0]

    def sketch(self, S: SketchingOperator) -> NDArray[Any]:
        self.n_passes += 1
        return S.multiply(self.rooted(self.A, 0), "A")

    def gram(self, B: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        self.n_passes += 1
        n = self.shape[1]
        G = np.zeros((n, n), self.dtype)
        A = self.A if self.A.dtype == self.dtype else self.A.astype(self.dtype)
        # Any split gives the same bits, so this one may follow the thread count.
        shares = get_num_threads() if self.gram_updates() > _INLINE_UPDATES else 1
        run_parts(
            lambda share: add_gram_rows(A.indptr, A.indices, A.data, self.root, share, shares, G),
            [(share,) for share in range(shares)],
        )
        # Rounding leaves the squared moduli an imaginary part.
        np.fill_diagonal(G, np.diagonal(G).real)
        # The other triangle, without a second matrix of this size.
        for start in range(0, n, _MIRROR_ROWS):
            stop = min(n, start + _MIRROR_ROWS)
            G[start:stop, :start] = G[:start, start:stop].conj().T
            block = G[start:stop, start:stop]
            block += np.triu(block, 1).conj().T
        with np.errstate(over="ignore", invalid="ignore"):
            return G, self._adjoint(B)

    def column_norms(self) -> NDArray[np.float64]:
        self.n_passes += 1
        A = self.rooted(self.A, 0)
        sizes = np.abs(A.data).astype(np.float64)
        # No squares before scaling: they may leave the range.
        largest = np.zeros(self.shape[1])
        np.maximum.at(largest, A.indices, sizes)
        unit = column_scale(largest)
        squares = np.bincount(A.indices, (sizes * unit[A.indices]) ** 2, self.shape[1])
        return np.asarray(np.sqrt(squares) / unit)

    @property
    def entries(self) -> int:
        return int(self.A.nnz)

    def gram_updates(self) -> float:
        counts = np.diff(self.A.indptr).astype(np.float64)
        return float(counts @ counts) / 2

    def whitened(self, P: NDArray[Any], B: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        self.n_passes += 1
        m, r = self.shape[0], P.shape[1]
        G, C = np.zeros((r, r), self.dtype), np.zeros((r, B.shape[1]), self.dtype)
        step = max(1, _BLOCK_ENTRIES // max(1, r))
        for start in range(0, m, step):
            W = self.rooted(self.A[start : start + step] @ P, start)
            G += W.conj().T @ W
            C += W.conj().T @ B[start : start + step]
        return G, C

    def transposed(self, unit: float = 1.0) -> NormalOperator:
        A = self.rooted(self.A, 0)
        return SparseNormal((A if unit == 1 else A.astype(self.dtype) * unit).T)

    def todense(self) -> NDArray[Any]:
        return np.asarray(self.rooted(self.A, 0).toarray())

    def check_finite(self) -> None:
        check_finite_array(self.A.data, "A")
