"""Dense real matrices times few columns, on the pool."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.threads import even_parts, run_parts
from rnla._kernels import skinny

# Columns that the kernel multiplies at a time. One is left to BLAS, which is as fast then, and so
# are more than these, for which it packs the matrix with profit.
LANES = (4, 8, 16)
REAL = (np.float32, np.float64)
# Bytes from which the matrix leaves a core's cache, and BLAS would read and pack it; and rows and
# columns below which BLAS does not.
_LEAST_BYTES, _LEAST_COLUMNS, _LEAST_ROWS = 1 << 22, 64, 512
# The same parts for every number of threads, which few threads can share out evenly.
_ROUND_ROWS, _ROUND_PARTS, _MOST_PARTS = 1024, 4, 64


def columns_in_one_reading(dtype: Any) -> int:
    """Return by how many columns the kernels multiply a matrix as fast as they read it.

    Parameters
    ----------
    dtype : dtype
        Of the matrix.

    Returns
    -------
    int
        8 or 16, as vector registers of the processor are wide.
    """
    return int(min(LANES[-1], skinny.WIDEST * 8 // np.dtype(dtype).itemsize))


def is_skinny(A: NDArray[Any], width: int) -> bool:
    """Tell whether a product with so many columns is faster here than in BLAS.

    Parameters
    ----------
    A : ndarray, shape (m, n)
        The matrix.
    width : int
        Columns.

    Returns
    -------
    bool
        Never for complex matrices and those that are not C-ordered.
    """
    real = A.dtype in REAL
    large = A.nbytes >= _LEAST_BYTES and A.shape[0] >= _LEAST_ROWS and A.shape[1] >= _LEAST_COLUMNS
    return bool(real and A.flags.c_contiguous and large and 1 < width <= LANES[-1])


def multiplied_in_one_reading(A: NDArray[Any], X: NDArray[Any]) -> NDArray[Any] | None:
    """Return ``A X`` where that is faster here than in BLAS.

    Parameters
    ----------
    A : ndarray, shape (m, n)
        Of any dtype and order.
    X : ndarray, shape (n, b)
        Likewise.

    Returns
    -------
    ndarray, shape (m, b), or None
        None where it is BLAS's.
    """
    if X.dtype == A.dtype and is_skinny(A, X.shape[1]):
        return multiply_skinny(A, X)
    if X.dtype == A.dtype and is_skinny(A.T, X.shape[1]):
        return multiply_skinny_transposed(A.T, X)
    return None


def multiply_skinny(A: NDArray[Any], X: NDArray[Any]) -> NDArray[Any]:
    """Return ``A X`` in one reading of A.

    Parameters
    ----------
    A : ndarray, shape (m, n)
        Real, C-ordered.
    X : ndarray, shape (n, b)
        Any layout, of the dtype of A; b at most 16.

    Returns
    -------
    ndarray, shape (m, b)
        The same bits for every number of threads.

    Raises
    ------
    ValueError
        If A is not C-ordered, or shape or dtype of X do not fit.
    """
    m, n = A.shape
    block, lanes = _checked(A, X, n)
    out = np.zeros((m, lanes), A.dtype)

    def task(first: int, last: int) -> None:
        skinny.add_products(
            A.reshape(-1), block.reshape(-1), out.reshape(-1), n, n, lanes, first, last
        )

    run_parts(task, _row_parts(m))
    return out[:, : X.shape[1]]


def multiply_skinny_transposed(A: NDArray[Any], X: NDArray[Any]) -> NDArray[Any]:
    """Return ``A^T X`` in one reading of A, along its rows.

    Parameters
    ----------
    A : ndarray, shape (m, n)
        Real, C-ordered.
    X : ndarray, shape (m, b)
        Any layout, of the dtype of A; b at most 16.

    Returns
    -------
    ndarray, shape (n, b)
        The same bits for every number of threads.

    Raises
    ------
    ValueError
        If A is not C-ordered, or shape or dtype of X do not fit.
    """
    m, n = A.shape
    block, lanes = _checked(A, X, m)
    parts = _row_parts(m)
    sums = np.zeros((len(parts), n, lanes), A.dtype)

    def task(part: int, first: int, last: int) -> None:
        skinny.add_transposed_products(
            A.reshape(-1), block.reshape(-1), sums[part].reshape(-1), n, n, lanes, first, last
        )

    run_parts(task, [(part, *ends) for part, ends in enumerate(parts)])
    return np.asarray(sums.sum(axis=0)[:, : X.shape[1]])


def _checked(A: NDArray[Any], X: NDArray[Any], rows: int) -> tuple[NDArray[Any], int]:
    """Return the block as kernels take it, and its columns."""
    if not A.flags.c_contiguous or A.dtype not in REAL:
        raise ValueError(
            f"`A` must be float32 or float64 and C-ordered, got {A.dtype}, strides {A.strides}"
        )
    lanes = lanes_for(X.shape[1])
    if len(X) != rows or X.dtype != A.dtype or not lanes:
        raise ValueError(
            f"a block of shape ({rows}, b), b <= {LANES[-1]}, and dtype {A.dtype} is needed, "
            f"got {X.shape} and {X.dtype}"
        )
    return padded(X, lanes), lanes


def _row_parts(m: int) -> list[tuple[int, int]]:
    return even_parts(m, min(_MOST_PARTS, _ROUND_PARTS * -(-m // _ROUND_ROWS)))


def lanes_for(width: int) -> int:
    """Return how many columns the kernels take for so many.

    Parameters
    ----------
    width : int
        Columns.

    Returns
    -------
    int
        4, 8 or 16; zero for more columns than that.
    """
    return next((lanes for lanes in LANES if lanes >= width), 0)


def padded(X: NDArray[Any], lanes: int) -> NDArray[Any]:
    """Return a block in C order, filled up with columns of zeros.

    Parameters
    ----------
    X : ndarray, shape (n, b)
        Any layout.
    lanes : int
        Columns of the result.

    Returns
    -------
    ndarray, shape (n, lanes)
        X itself where that is what it is.
    """
    if X.shape[1] == lanes and X.flags.c_contiguous:
        return X
    block = np.zeros((len(X), lanes), X.dtype)
    block[:, : X.shape[1]] = X
    return block
