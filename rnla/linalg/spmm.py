"""CSR times block, cut into parts of equal work for the pool."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from rnla._core.threads import get_num_threads, run_parts
from rnla._kernels import spmm
from rnla.linalg.tall import reordered

# Entries of A up to which waking the pool costs more than it saves, and columns that take about as
# long as one, for A is read once.
_INLINE_ENTRIES, _FEW = 1 << 19, 4
_PARTS_PER_THREAD = 2
_ROWS = 4096
# Columns that kernels multiply at a time.
_LANES, _COMPLEX_COLUMNS = (16, 8, 4, 2, 1), (2, 1)
# From so many complex columns on, sums in memory beat sums in registers.
_WIDE = 4


def multiply_csr(A: Any, X: NDArray[Any]) -> NDArray[Any]:
    """Return ``A X`` for a CSR array of checked structure, on the pool.

    Parameters
    ----------
    A : csr_array, shape (m, n)
        Real or complex.
    X : ndarray, shape (n, b)
        Of the precision of A, real or complex.

    Returns
    -------
    ndarray, shape (m, b)
        C-ordered; the same bits for every number of threads.
    """
    if A.dtype.kind != "c" and X.dtype.kind == "c":
        return by_real_parts(lambda Y: multiply_csr(A, Y), X)
    if X.shape[0] != A.shape[1]:
        raise ValueError(f"a block of shape ({A.shape[1]}, b) is needed, got {X.shape}")
    return _multiply(A, _by_rows(X, np.result_type(A.dtype, X.dtype)))


def _multiply(
    A: Any, X: NDArray[Any], recurrence: tuple[NDArray[Any], NDArray[Any], Any, Any] | None = None
) -> NDArray[Any]:
    m, width = A.shape[0], X.shape[1]
    dtype = X.dtype
    out = np.empty((m, width), dtype)
    source, zero = X.reshape(-1), dtype.type(0)
    real = dtype.kind != "c"
    wide = not real and width >= _WIDE
    groups = [] if wide else _column_groups(width, _LANES if real else _COMPLEX_COLUMNS)

    def multiply(start: int, stop: int) -> None:
        rows, target = A.indptr[start : stop + 1], out[start:stop].reshape(-1)
        if wide:
            spmm.multiply_rows_wide(rows, A.indices, A.data, X, out[start:stop])
        for column, count in groups:
            if count == 1:
                spmm.multiply_column(rows, A.indices, A.data, source, width, column, zero, target)
            elif real:
                spmm.multiply_columns(rows, A.indices, A.data, source, width, column, count, target)
            else:
                spmm.multiply_two_columns(
                    rows, A.indices, A.data, source, width, column, zero, target
                )
        if recurrence is not None:
            Z, Y, scale, shift = recurrence
            piece = slice(start * width, stop * width)
            spmm.recur(target, Z[piece], Y[piece], scale, shift)

    def task(start: int, stop: int) -> None:
        # Few rows at a time, so that what is needed again is still in the cache.
        for first in range(start, stop, _ROWS):
            multiply(first, min(stop, first + _ROWS))

    inline = A.nnz * max(width, _FEW) < _FEW * _INLINE_ENTRIES
    parts = 1 if inline else _PARTS_PER_THREAD * get_num_threads()
    cuts = row_cuts(A.indptr, parts)
    run_parts(task, [(start, stop) for start, stop in pairwise(cuts) if start < stop])
    return out


def multiply_csr_minus(
    A: Any,
    X: NDArray[Any],
    Y: NDArray[Any],
    scale: float,
    shift: float,
    Z: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Return ``scale (A X - shift Z) - Y``, one step of a three-term recurrence.

    Parameters
    ----------
    A : csr_array, shape (n, m)
        Real or complex.
    X : ndarray, shape (m, b)
        Any layout, C order costs no copy; complex only where A is.
    Y : ndarray, shape (n, b)
        Likewise.
    scale, shift : float
        Of the recurrence.
    Z : ndarray, shape (n, b), optional
        X itself by default.

    Returns
    -------
    ndarray, shape (n, b)
        C-ordered, in the dtype of A and X together.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    n, m = A.shape
    Z = X if Z is None else Z
    if len(X) != m or not Y.shape == Z.shape == (n, X.shape[1]):
        raise ValueError(
            f"a block of shape ({m}, b) and two of shape ({n}, b) are needed, got {X.shape}, "
            f"{Z.shape} and {Y.shape}"
        )
    dtype = np.result_type(A.dtype, X.dtype)
    X, Y, Z = (_by_rows(each, dtype) for each in (X, Y, Z))
    return _multiply(A, X, (Z.reshape(-1), Y.reshape(-1), dtype.type(scale), dtype.type(shift)))


def _by_rows(X: NDArray[Any], dtype: Any) -> NDArray[Any]:
    return reordered(X.astype(dtype, copy=False), "C")


def _column_groups(width: int, counts: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return the columns at which kernels for so many start, the widest first."""
    groups: list[tuple[int, int]] = []
    column = 0
    for count in counts:
        while width - column >= count:
            groups.append((column, count))
            column += count
    return groups


def row_cuts(indptr: NDArray[Any], count: int) -> list[int]:
    """Cut the rows into pieces of about as many entries each; a row counts as one more.

    Parameters
    ----------
    indptr : ndarray of int, shape (m + 1,)
        Of a CSR array.
    count : int
        Pieces, of which some may be empty.

    Returns
    -------
    list of int
        Where pieces start, and m.
    """
    m = len(indptr) - 1

    def work(row: int) -> int:
        return int(indptr.item(row)) + row

    total = work(m)
    inner = [bisect_left(range(m), total * part // count, key=work) for part in range(1, count)]
    return [0, *inner, m]


def checked_rows(A: Any) -> Any:
    """Return A for kernels, which read whatever an index points at, and arrays without gaps.

    Parameters
    ----------
    A : csr_array
        Of any dtype.

    Returns
    -------
    csr_array
        The same, unless its arrays are strided: those of the real part of a complex matrix are.

    Raises
    ------
    ValueError
        If an index lies outside the shape.
    """
    indptr, indices = A.indptr, A.indices
    sound = (
        len(indptr) == A.shape[0] + 1
        and indptr[0] == 0
        and (np.diff(indptr) >= 0).all()
        and indptr[-1] <= min(len(indices), len(A.data))
        and (len(indices) == 0 or (indices.min() >= 0 and indices.max() < A.shape[1]))
    )
    if not sound:
        raise ValueError("`A` must be a valid sparse matrix: an index lies outside its shape")
    arrays = [np.require(each, requirements=["C", "A"]) for each in (A.data, indices, indptr)]
    if any(each is not own for each, own in zip(arrays, (A.data, indices, indptr), strict=True)):
        return csr_array(tuple(arrays), shape=A.shape)
    return A


def by_real_parts(apply: Any, X: NDArray[Any]) -> NDArray[Any]:
    """Apply a real map to a complex block as to twice as many real columns.

    Parameters
    ----------
    apply : callable
        Maps a real block to a real block.
    X : ndarray, shape (n, b)
        Complex.

    Returns
    -------
    ndarray
        Complex.
    """
    X = np.ascontiguousarray(X)
    width = X.shape[1]
    if 0 in X.shape:
        return np.asarray(apply(X.real)).astype(X.dtype)
    product = np.ascontiguousarray(apply(X.view(X.real.dtype).reshape(-1, 2 * width)))
    return product.view(X.dtype)
