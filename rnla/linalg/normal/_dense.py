"""A dense matrix as the solvers see it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.checks import check_finite_array
from rnla._core.threads import even_parts, run_parts, single_threaded_blas
from rnla._kernels import sweep
from rnla.linalg.factor import column_scale
from rnla.linalg.normal._base import CHUNK_ENTRIES, CHUNKS, NormalOperator
from rnla.sketch import SketchingOperator

_BLOCK_ENTRIES = 1 << 20
# In Fortran order a block of rows stays in the second-level cache between the two products.
_FORTRAN_ROWS = (64, 256)
_FORTRAN_ENTRIES = 1 << 17
_WIDE_GRAM = 600
# BLAS adds up as many rows in one sum as it is given.
_RUN = 128
_ADJOINT_ENTRIES = 1 << 20
_GRAM_PARTS, _GRAM_PART_ENTRIES = 16, 1 << 18
# BLAS multiplies large blocks faster, and each of them adds a whole Gram matrix to the sum.
_GRAM_ENTRIES, _WIDE_GRAM_ENTRIES = 1 << 20, 1 << 22
# A block of A, its product and its right-hand sides stay in the second-level cache together.
_SWEEP_ENTRIES = 1 << 18
# Weighted blocks are cut where the tiles of every sketch are.
_SKETCH_TILE = 4096


class DenseNormal(NormalOperator):
    """A dense matrix in any order."""

    def __init__(self, A: NDArray[Any], weights: NDArray[np.float64] | None = None) -> None:
        super().__init__((A.shape[0], A.shape[1]), A.dtype, weights)
        # Any other layout costs one copy here and saves one in every sweep.
        self.A = A if A.flags.c_contiguous or A.flags.f_contiguous else np.ascontiguousarray(A)

    def _sweep(
        self, X: NDArray[Any], B: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        if X.shape[1] != 1:
            return self._sweep_block(X, B)
        if not self.A.flags.c_contiguous:
            return self._sweep_fortran(X, B)
        if self.dtype.kind == "c":
            return self._sweep_complex(X, B)
        x = np.ascontiguousarray(X[:, 0])
        b = np.empty(0) if B is None else np.ascontiguousarray(B[:, 0])
        sums, squares = self._chunks(self.shape[1:], self.dtype)

        def task(chunk: int, start: int, stop: int) -> None:
            squares[chunk] = sweep.sweep_rows(
                self.A[start:stop],
                x,
                b[start:stop],
                self.root[start:stop],
                B is not None,
                sums[chunk],
            )

        self._run(task)
        return sums.sum(axis=(0, 1))[:, None], squares.sum(keepdims=True)

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
        sums, squares = self._chunks((2, 2 * len(x)), np.dtype(np.float64))

        def task(chunk: int, start: int, stop: int) -> None:
            squares[chunk] = sweep.sweep_rows_pair(
                real_view[start:stop],
                pair,
                b[start:stop],
                self.root[start:stop],
                B is not None,
                sums[chunk],
            )

        self._run(task)
        (u, v) = sums.sum(axis=(0, 1))
        # conj(a + ib)(y + iz) = (ay + bz) + i(az - by)
        g = (u[0::2] + v[1::2]) + 1j * (v[0::2] - u[1::2])
        return g[:, None], squares.sum(keepdims=True)

    def _sweep_fortran(
        self, X: NDArray[Any], B: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        x = np.ascontiguousarray(X[:, 0])
        b = np.empty(0, self.dtype) if B is None else np.ascontiguousarray(B[:, 0], self.dtype)
        sums, squares = self._chunks(self.shape[1:], self.dtype)
        least, most = _FORTRAN_ROWS
        rows = max(least, min(most, _FORTRAN_ENTRIES // self.shape[1]))

        def task(chunk: int, start: int, stop: int) -> None:
            y = np.empty(rows, self.dtype)
            squares[chunk] = sweep.sweep_columns(
                self.A.T, start, stop, x, b, self.root, B is not None, y, sums[chunk]
            )

        self._run(task)
        return sums.sum(axis=(0, 1))[:, None], squares.sum(keepdims=True)

    def _sweep_block(
        self, X: NDArray[Any], B: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        # Several columns: matrix products on cache-sized row blocks, A still read once. BLAS
        # shares narrow products badly between its threads: one part per thread instead.
        m, n = self.shape
        parts = even_parts(m, _GRAM_PARTS)
        G = np.zeros((len(parts), *X.shape), self.dtype)
        squares = np.zeros((len(parts), X.shape[1]))
        step = max(1, _SWEEP_ENTRIES // n)

        def task(part: int, start: int, stop: int) -> None:
            # Allocated once: the system would take pages this large back after every block.
            scratch = np.empty((min(step, stop - start), X.shape[1]), self.dtype)
            for first in range(start, stop, step):
                last = min(stop, first + step)
                block = self._rows(first, last)
                Y = np.matmul(block, X, out=scratch[: last - first])
                if B is not None:
                    np.subtract(B[first:last], Y, out=Y)
                squares[part] += np.einsum("ij,ij->j", Y.conj(), Y).real
                G[part] += _in_runs(block, Y)

        with single_threaded_blas():
            run_parts(task, [(part, *ends) for part, ends in enumerate(parts)])
        return G.sum(axis=0), squares.sum(axis=0)

    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        Y = np.empty((self.shape[0], X.shape[1]), self.dtype)
        for block, rows in self._blocks():
            Y[rows] = block @ X
        return Y

    def _adjoint(self, Y: NDArray[Any]) -> NDArray[Any]:
        # Short sums, added pairwise, keep a sum over very many rows exact to a few roundings.
        m, n = self.shape
        parts = even_parts(m, -(-m * n // _ADJOINT_ENTRIES))
        G = np.empty((n, Y.shape[1], len(parts)), self.dtype)

        def task(part: int, start: int, stop: int) -> None:
            G[:, :, part] = _in_runs(self._rows(start, stop), Y[start:stop])

        with single_threaded_blas():
            run_parts(task, [(part, *ends) for part, ends in enumerate(parts)])
        return np.asarray(G.sum(axis=2))

    def _blocks(self, entries: int = _BLOCK_ENTRIES) -> Any:
        m, n = self.shape
        count = -(-m * n // entries)
        for start, stop in even_parts(m, count):
            yield self._rows(start, stop), slice(start, stop)

    def _rows(self, start: int, stop: int) -> NDArray[Any]:
        block = self.A[start:stop].astype(self.dtype, copy=False)
        return np.asarray(self.rooted(block, start))

    def _parts(self) -> list[tuple[int, int]]:
        m, n = self.shape
        return even_parts(m, min(CHUNKS, 1 + m * n // CHUNK_ENTRIES))

    def _chunks(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[Any, Any]:
        count = len(self._parts())
        return np.zeros((count, sweep.LEVELS, *shape), dtype), np.zeros(count)

    def _run(self, task: Any) -> None:
        run_parts(task, [(chunk, *part) for chunk, part in enumerate(self._parts())])

    def column_norms(self) -> NDArray[np.float64]:
        self.n_passes += 1
        norms = np.zeros(self.shape[1])
        for block, _ in self._blocks():
            # No squares of the whole: they may leave the range.
            unit = column_scale(np.abs(block).max(axis=0, initial=0.0))
            norms = np.hypot(norms, np.linalg.norm(block * unit, axis=0) / unit)
        return norms

    def sample(self, count: int) -> NDArray[Any]:
        m = self.shape[0]
        step = max(1, m // min(m, count))
        rows = self.A[::step][:count].astype(self.dtype)
        return rows * self.root[::step][:count, None] if len(self.root) else rows

    @property
    def is_dense(self) -> bool:
        return True

    def sketch(self, S: SketchingOperator) -> NDArray[Any]:
        self.n_passes += 1
        if not len(self.root):
            return S.multiply(self.A, "A")
        m, n = self.shape
        out = np.zeros((S.shape[0], n), np.result_type(S.dtype, self.A.dtype, np.float64))
        step = -(-max(1, _BLOCK_ENTRIES // max(1, n)) // _SKETCH_TILE) * _SKETCH_TILE
        for start in range(0, m, step):
            block = self.rooted(self.A[start : start + step], start)
            check_finite_array(block, "A")
            S.accumulate(block, start, out)
        return out

    def gram(self, B: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        return self._gram(None, B)

    def whitened(self, P: NDArray[Any], B: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        return self._gram(P, B)

    def _gram(self, P: NDArray[Any] | None, B: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        self.n_passes += 1
        m, n = self.shape
        r = n if P is None else P.shape[1]
        if n >= _WIDE_GRAM:
            G, C = np.zeros((r, r), self.dtype), np.zeros((r, B.shape[1]), self.dtype)
            for block, rows in self._blocks(max(_WIDE_GRAM_ENTRIES, n * n)):
                _add_gram(block, P, B[rows], G, C)
            return G, C
        # BLAS shares a narrow product badly between its threads: one part per thread instead.
        parts = even_parts(m, min(_GRAM_PARTS, 1 + m * n // _GRAM_PART_ENTRIES))
        G = np.zeros((len(parts), r, r), self.dtype)
        C = np.zeros((len(parts), r, B.shape[1]), self.dtype)
        step = max(1, _GRAM_ENTRIES // n)

        def task(part: int, start: int, stop: int) -> None:
            for first in range(start, stop, step):
                last = min(stop, first + step)
                _add_gram(self._rows(first, last), P, B[first:last], G[part], C[part])

        with single_threaded_blas():
            run_parts(task, [(part, *ends) for part, ends in enumerate(parts)])
        with np.errstate(over="ignore", invalid="ignore"):
            return G.sum(axis=0), C.sum(axis=0)

    def transposed(self, unit: float = 1.0) -> NormalOperator:
        A = self.todense()
        return DenseNormal((A if unit == 1 else A.astype(self.dtype) * unit).T)

    def todense(self) -> NDArray[Any]:
        return np.asarray(self.rooted(self.A, 0))

    def check_finite(self) -> None:
        check_finite_array(self.A, "A")


def _in_runs(block: NDArray[Any], Y: NDArray[Any]) -> NDArray[Any]:
    """Return ``block^H Y``, added up over short runs of rows and then in pairs."""
    runs = len(block) // _RUN
    whole = runs * _RUN
    G = Y[whole:].conj().T @ block[whole:]
    Y_runs = Y[:whole].reshape(runs, _RUN, Y.shape[1])
    terms = Y_runs.conj().transpose(0, 2, 1) @ block[:whole].reshape(runs, _RUN, block.shape[1])
    while len(terms) > 1:
        half = len(terms) // 2
        terms[:half] += terms[half : 2 * half]
        terms[: len(terms) % 2] += terms[2 * half :]
        terms = terms[:half]
    return np.asarray((G + terms.sum(axis=0)).conj().T)


def _add_gram(
    block: NDArray[Any],
    P: NDArray[Any] | None,
    B: NDArray[Any],
    G: NDArray[Any],
    C: NDArray[Any],
) -> None:
    # What is not finite is found, and named, in the sum.
    with np.errstate(over="ignore", invalid="ignore"):
        W = block if P is None else block @ P
        adjoint = W.conj().T
        G += adjoint @ W
        C += adjoint @ B
