"""Projection of a few vectors away from many orthonormal ones, at the speed of memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.threads import even_parts, get_num_threads, run_parts, single_threaded_blas

# Entries of the basis that stay in cache while they are used twice.
_CHUNK_ENTRIES = 1 << 16
_FEWEST_ROWS = 256
# Where waking the pool costs more than the sums.
_INLINE_ENTRIES = 1 << 18
# GEMM packs its factors, which so few columns do not repay.
_FEW_COLUMNS = 3


def project_out(Q: NDArray[Any], W: NDArray[Any]) -> NDArray[Any]:
    """Overwrite W with ``(I - Q Q^H) W``, projected twice, and return ``Q^H W``.

    Q is read three times. Sums go over chunks of rows whose size depends on the shape alone, so
    that the bits do not depend on threads.

    Parameters
    ----------
    Q : ndarray, shape (n, d)
        Orthonormal columns.
    W : ndarray, shape (n, b)
        Overwritten.

    Returns
    -------
    ndarray, shape (d, b)
        The coefficients that were taken away.
    """
    (n, d), b = Q.shape, W.shape[1]
    rows = max(_FEWEST_ROWS, _CHUNK_ENTRIES // max(1, d))
    chunks = [slice(start, start + rows) for start in range(0, n, rows)]
    partial = np.empty((len(chunks), d, b), W.dtype)
    H = np.zeros((d, b), W.dtype)
    conjugate = W.dtype.kind == "c"

    def add_up(k: int) -> None:
        # Conjugating W, twice, is less work than conjugating the basis.
        w = W[chunks[k]]
        found = _product(Q[chunks[k]].T, w.conj() if conjugate else w)
        partial[k] = found.conj() if conjugate else found

    def subtract(k: int) -> None:
        W[chunks[k]] -= _product(Q[chunks[k]], H)

    def subtract_and_add_up(k: int) -> None:
        subtract(k)
        add_up(k)

    def in_parts(task: Callable[[int], None]) -> None:
        def run(start: int, stop: int) -> None:
            for k in range(start, stop):
                task(k)

        count = 1 if n * d < _INLINE_ENTRIES else get_num_threads()
        run_parts(run, even_parts(len(chunks), count))

    with single_threaded_blas():
        in_parts(add_up)
        H = first = partial.sum(axis=0)
        in_parts(subtract_and_add_up)
        H = partial.sum(axis=0)
        in_parts(subtract)
    return np.asarray(first + H)


def _product(X: NDArray[Any], Y: NDArray[Any]) -> NDArray[Any]:
    if Y.shape[1] > _FEW_COLUMNS:
        return np.asarray(X @ Y)
    return np.column_stack([X @ np.ascontiguousarray(y) for y in Y.T])
