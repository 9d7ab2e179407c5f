"""Dense real matrices times few columns, on the pool."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.threads import even_parts, run_parts
from rnla._kernels import skinny

# Columns that the kernel multiplies at a time. One is left to BLAS, which is as fast then, and so
# are more than these, for which it packs the matrix with profit.
_LANES = (4, 8, 16)
# Bytes from which the matrix is read from memory, where BLAS would read and pack it; and rows and
# columns below which BLAS does not.
_LEAST_BYTES, _LEAST_SIDE = 1 << 24, 64
# The same parts for every number of threads.
_PART_ROWS, _MOST_PARTS = 256, 64


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
    real = A.dtype in (np.float32, np.float64)
    large = A.nbytes >= _LEAST_BYTES and min(A.shape) >= _LEAST_SIDE
    return bool(real and A.flags.c_contiguous and large and 1 < width <= _LANES[-1])


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
    (m, n), width = A.shape, X.shape[1]
    if not A.flags.c_contiguous or A.dtype.kind != "f":
        raise ValueError(f"`A` must be real and C-ordered, got {A.dtype}, strides {A.strides}")
    if len(X) != n or X.dtype != A.dtype or width > _LANES[-1]:
        raise ValueError(
            f"a block of shape ({n}, b), b <= {_LANES[-1]}, and dtype {A.dtype} is needed, "
            f"got {X.shape} and {X.dtype}"
        )
    lanes = lanes_for(width)
    block = padded(X, lanes)
    out = np.zeros((m, lanes), A.dtype)

    def task(first: int, last: int) -> None:
        skinny.add_products(
            A.reshape(-1), block.reshape(-1), out.reshape(-1), n, n, lanes, first, last
        )

    run_parts(task, even_parts(m, min(_MOST_PARTS, -(-m // _PART_ROWS))))
    return out[:, :width]


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
    return next((lanes for lanes in _LANES if lanes >= width), 0)


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
