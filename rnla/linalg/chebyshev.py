"""Chebyshev polynomials of sparse matrices: all of their products in one call of a kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core import threads
from rnla._kernels import spmm
from rnla.linalg.spmm import by_real_parts, multiply_csr, multiply_csr_minus, row_cuts

# Multiplications up to which waking the pool costs more than it saves, and columns that take about
# as long as one, for A is read once.
_INLINE, _FEW = 1 << 20, 4
# Parts of a product for each thread, and rows that are multiplied at a time.
_PARTS_PER_THREAD, _ROWS = 4, 4096


def chebyshev_csr(
    matrices: list[Any], X: NDArray[Any], degree: int, center: float, radius: float
) -> NDArray[Any]:
    """Return ``T_d((A - center I) / radius) X``, ``A = matrices[-1] @ ... @ matrices[0]``.

    Parameters
    ----------
    matrices : list of csr_array
        One or two of checked structure, of one precision; A is square.
    X : ndarray, shape (n, b)
        Any layout, of the precision of A; real or complex where A is real.
    degree : int
        d, positive.
    center, radius : float
        Of the interval on which the polynomial stays within [-1, 1], if A is Hermitian.

    Returns
    -------
    ndarray, shape (n, b)
        C-ordered; the same bits for every number of threads.

    Raises
    ------
    ValueError
        If shapes or dtypes do not fit.
    """
    first, last = matrices[0], matrices[-1]
    if X.dtype.kind == "c" and first.dtype.kind != "c":
        return by_real_parts(lambda Y: chebyshev_csr(matrices, Y, degree, center, radius), X)
    fits = last.shape[0] == first.shape[1] == len(X) and last.shape[1] == (
        first.shape[0] if len(matrices) == 2 else len(X)
    )
    if not fits or not first.dtype == last.dtype == X.dtype or degree < 1:
        raise ValueError(
            f"a block of {first.shape[1]} rows and dtype {first.dtype} and a positive degree are "
            f"needed for matrices of shapes {[A.shape for A in matrices]}, got {X.shape}, "
            f"{X.dtype} and {degree}"
        )
    if X.dtype.kind == "c":
        return _one_by_one(matrices, X, degree, center, radius)
    n, width = X.shape
    blocks = np.empty((3, n * width), X.dtype)
    blocks[0].reshape(X.shape)[:] = X
    between = np.empty(first.shape[0] * width if len(matrices) == 2 else 0, X.dtype)
    scale = X.dtype.type(1 / radius)
    work = degree * sum(A.nnz for A in matrices) * max(width, _FEW)
    helpers = threads.get_num_threads() if work >= _FEW * _INLINE else 1
    cuts = [np.array(row_cuts(A.indptr, _PARTS_PER_THREAD * helpers)) for A in matrices]
    arguments = (
        tuple((A.indptr, A.indices, A.data) for A in (first, last)), (cuts[0], cuts[-1]),
        _ROWS, blocks, between, width, degree, (scale, 2 * scale, X.dtype.type(center)),
        np.zeros(2 * spmm.DONE, np.int64), threads.LOOKS,
    )  # fmt: skip
    threads.take_turns(lambda: spmm.chebyshev_turns(*arguments), helpers)
    result: NDArray[Any] = blocks[degree % 3].reshape(X.shape)
    return result


def _one_by_one(
    matrices: list[Any], X: NDArray[Any], degree: int, center: float, radius: float
) -> NDArray[Any]:
    def step(now: NDArray[Any], before: NDArray[Any], scale: float) -> NDArray[Any]:
        source = multiply_csr(matrices[0], now) if len(matrices) == 2 else now
        return multiply_csr_minus(matrices[-1], source, before, scale, center, now)

    before = np.ascontiguousarray(X)
    now = step(before, np.zeros_like(before), 1 / radius)
    for _ in range(degree - 1):
        now, before = step(now, before, 2 / radius), now
    return now
