"""Products of a tall basis, stored vector by vector, with few columns: on the pool.

BLAS shares such products badly between its threads, and these go on spinning when they are done, in
the way of whoever comes next. So each part of the rows is one thread's, with BLAS held to one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.threads import even_parts, run_parts, single_threaded_blas
from rnla._kernels import skinny
from rnla.linalg.skinny import lanes_for, padded

# Below so many multiplications waking the pool costs more than it saves.
_INLINE = 1 << 20
# The same parts for every number of threads: of so many rows, or of fewer with so much work.
_PART_ROWS, _MOST_PARTS = 4096, 16
_LEAST_PART_ROWS, _PART_WORK = 512, 1 << 23
# Rows of a product with BLAS, which stay in the cache.
_PIECE = 4096
# For so few columns it pays to stay below so many multiplications, up to which OpenBLAS does not
# pack its arguments; but not below so many rows.
_FEW, _UNPACKED, _LEAST_ROWS = 4, 900_000, 64
# For so many columns sums of many rows are faster in a kernel.
_UNPACKED_SUMS = (4, 8)
# From so many sums on kernels that do not pack anything are faster than BLAS.
_LEAST_SUMS = 150


def row_parts(n: int, work: float) -> list[tuple[int, int]]:
    """Cut n rows into the parts that products of this many multiplications are shared out in.

    Parameters
    ----------
    n : int
        Rows.
    work : float
        Multiplications.

    Returns
    -------
    list of (int, int)
        Start and stop of each part; a single one where sharing does not pay.
    """
    if work < _INLINE:
        return even_parts(n, 1)
    hard = min(n // _LEAST_PART_ROWS, int(work / _PART_WORK))
    return even_parts(n, min(_MOST_PARTS, max(hard, -(-n // _PART_ROWS))))


def pieces(start: int, stop: int, step: int = _PIECE) -> list[slice]:
    """Cut a part of the rows into slices.

    Parameters
    ----------
    start, stop : int
        The part.
    step : int
        Rows of a slice.

    Returns
    -------
    list of slice
        Consecutive.
    """
    return [slice(first, min(stop, first + step)) for first in range(start, stop, step)]


def unpacked_pieces(n: int, sums: int) -> list[slice]:
    """Cut n rows into slices so short that BLAS does not pack its arguments.

    Parameters
    ----------
    n : int
        Rows.
    sums : int
        Dots of a product with them, or combinations formed of each row.

    Returns
    -------
    list of slice
        Consecutive.
    """
    return pieces(0, n, max(_LEAST_ROWS, _UNPACKED // max(1, sums)))


def dots(V: NDArray[Any], X: NDArray[Any]) -> NDArray[Any]:
    """Return ``V^H X``.

    Parameters
    ----------
    V : ndarray, shape (n, m)
        Fortran-ordered.
    X : ndarray, shape (n, b)
        The block.

    Returns
    -------
    ndarray, shape (m, b)
        Summed in an order that does not depend on the number of threads.
    """
    rows = V.T
    parts = row_parts(len(X), rows.size * float(X.shape[1]))
    if _is_unpacked(rows, X):
        return _unpacked_dots(rows, X, parts)
    if len(parts) == 1:
        return np.asarray(rows.conj() @ X)
    H = np.zeros((len(parts), len(rows), X.shape[1]), np.result_type(V, X))
    step = max(_LEAST_ROWS, _UNPACKED // H[0].size) if X.shape[1] <= _FEW else _PIECE

    def task(part: int, start: int, stop: int) -> None:
        for piece in pieces(start, stop, step):
            H[part] += rows[:, piece].conj() @ X[piece]

    with single_threaded_blas():
        run_parts(task, [(part, *ends) for part, ends in enumerate(parts)])
    return np.asarray(H.sum(axis=0))


def _is_unpacked(rows: NDArray[Any], X: NDArray[Any]) -> bool:
    real = rows.dtype == X.dtype and rows.dtype in (np.float32, np.float64)
    many = X.shape[1] > 1 and len(rows) * X.shape[1] >= _LEAST_SUMS
    return bool(real and many and rows.flags.c_contiguous and lanes_for(X.shape[1]))


def _unpacked_dots(
    rows: NDArray[Any], X: NDArray[Any], parts: list[tuple[int, int]]
) -> NDArray[Any]:
    (m, n), lanes = rows.shape, lanes_for(X.shape[1])
    if len(X) != n:
        raise ValueError(f"a block of shape ({n}, b) is needed, got {X.shape}")
    entries, H = rows.reshape(-1), np.zeros((len(parts), m, lanes), rows.dtype)

    def task(part: int, start: int, stop: int) -> None:
        for piece in pieces(start, stop):
            block = padded(X[piece], lanes)
            first, count, own = entries[piece.start :], len(block), H[part]
            skinny.add_products(first, block.reshape(-1), own.reshape(-1), n, count, lanes, 0, m)

    run_parts(task, [(part, *ends) for part, ends in enumerate(parts)])
    return np.asarray(H.sum(axis=0)[:, : X.shape[1]])


def combination(V: NDArray[Any], S: NDArray[Any]) -> NDArray[Any]:
    """Return ``V S``.

    Parameters
    ----------
    V : ndarray, shape (n, m)
        Fortran-ordered.
    S : ndarray, shape (m, b)
        Coefficients.

    Returns
    -------
    ndarray, shape (n, b)
        Fortran-ordered.
    """
    rows, C = V.T, np.ascontiguousarray(S.T, np.result_type(V, S))
    parts = row_parts(len(V), rows.size * float(len(C)))
    if len(parts) == 1:
        return np.asarray((C @ rows).T)
    out = np.empty((len(C), len(V)), C.dtype)

    def task(start: int, stop: int) -> None:
        for piece in pieces(start, stop):
            np.matmul(C, rows[:, piece], out=out[:, piece])

    with single_threaded_blas():
        run_parts(task, parts)
    return out.T


def without(X: NDArray[Any], V: NDArray[Any], H: NDArray[Any]) -> NDArray[Any]:
    """Return ``X - V H``.

    Parameters
    ----------
    X : ndarray, shape (n, b)
        The block.
    V : ndarray, shape (n, m)
        Fortran-ordered.
    H : ndarray, shape (m, b)
        Coordinates.

    Returns
    -------
    ndarray, shape (n, b)
        In C order where a kernel is faster than BLAS, else Fortran-ordered.
    """
    rows = V.T
    parts = row_parts(len(V), rows.size * float(X.shape[1]))
    if X.dtype == H.dtype and X.shape[1] in _UNPACKED_SUMS and _is_unpacked(rows, X):
        return _unpacked_without(X, rows, H, parts)
    C = np.ascontiguousarray(H.T)
    if len(parts) == 1:
        return np.asarray((X.T - C @ rows).T)
    out = np.empty((len(C), len(V)), np.result_type(X, V, H))

    def task(start: int, stop: int) -> None:
        for piece in pieces(start, stop):
            product = out[:, piece]
            np.matmul(C, rows[:, piece], out=product)
            np.subtract(X[piece].T, product, out=product)

    with single_threaded_blas():
        run_parts(task, parts)
    return out.T


def _unpacked_without(
    X: NDArray[Any], rows: NDArray[Any], H: NDArray[Any], parts: list[tuple[int, int]]
) -> NDArray[Any]:
    (m, n), b = rows.shape, X.shape[1]
    if X.shape != (n, b) or H.shape != (m, b):
        raise ValueError(
            f"blocks of shapes ({n}, {b}) and ({m}, {b}) are needed, got {X.shape} and {H.shape}"
        )
    entries, taken, out = rows.reshape(-1), -H.reshape(-1), np.empty((n, b), X.dtype)

    def task(start: int, stop: int) -> None:
        out[start:stop] = X[start:stop]
        own, count = out[start:stop].reshape(-1), stop - start
        skinny.add_transposed_products(entries[start:], taken, own, n, count, b, 0, m)

    run_parts(task, parts)
    return out


def squared_lengths(X: NDArray[Any]) -> NDArray[Any]:
    """Return the squared Euclidean norms of the columns.

    Parameters
    ----------
    X : ndarray, shape (n, b)
        Any layout.

    Returns
    -------
    ndarray, shape (b,)
        Real; summed in an order that does not depend on the number of threads.
    """
    parts = row_parts(len(X), float(X.size))
    sums = np.empty((len(parts), X.shape[1]), X.real.dtype)

    def task(part: int, start: int, stop: int) -> None:
        piece = X[start:stop]
        halves = (piece.real, piece.imag) if X.dtype.kind == "c" else (piece,)
        sums[part] = sum(np.einsum("ij,ij->j", half, half) for half in halves)

    run_parts(task, [(part, *ends) for part, ends in enumerate(parts)])
    return np.asarray(sums.sum(axis=0))


def reordered(X: NDArray[Any], order: str) -> NDArray[Any]:
    """Return the block in the memory order asked for.

    Parameters
    ----------
    X : ndarray, shape (n, b)
        Any layout.
    order : str
        "C", row by row, or "F", column by column.

    Returns
    -------
    ndarray, shape (n, b)
        X itself where that is its order.
    """
    if X.flags.c_contiguous if order == "C" else X.flags.f_contiguous:
        return X
    out = np.empty(X.shape, X.dtype, order="C" if order == "C" else "F")
    copy_rows(X, out)
    return out


def copy_rows(X: NDArray[Any], out: NDArray[Any]) -> None:
    """Copy a block; the first touch of fresh memory takes longest, and is shared out as well.

    Parameters
    ----------
    X, out : ndarray, shape (n, b)
        Any layout.
    """

    def task(start: int, stop: int) -> None:
        out[start:stop] = X[start:stop]

    run_parts(task, row_parts(len(X), float(X.size)))


def scaled_columns(X: NDArray[Any], scale: NDArray[Any]) -> NDArray[Any]:
    """Return ``X diag(scale)``.

    Parameters
    ----------
    X : ndarray, shape (n, b)
        Any layout, which the result has as well.
    scale : ndarray, shape (b,)
        Factors, in the precision of X.

    Returns
    -------
    ndarray, shape (n, b)
        A new array.
    """
    out = np.empty_like(X)

    def task(start: int, stop: int) -> None:
        np.multiply(X[start:stop], scale, out=out[start:stop])

    run_parts(task, row_parts(len(X), float(X.size)))
    return out
