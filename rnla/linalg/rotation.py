"""Linear combinations of stored vectors that overwrite them, or are written to a second store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.threads import run_parts, single_threaded_blas
from rnla.linalg.tall import row_parts

# Entries of a vector that are rotated at a time.
_PIECE = 2048


def rotate_rows(
    S: NDArray[Any], before: Sequence[NDArray[Any]], after: Sequence[NDArray[Any]]
) -> None:
    """Write ``S X`` over the first rows of a store, for several of them.

    Parameters
    ----------
    S : ndarray, shape (p, q)
        Coefficients.
    before : sequence of ndarray, shape (>= q, n)
        Stores with the vectors X as their first rows.
    after : sequence of ndarray, shape (>= p, n)
        Stores that are written to; they may be the same.
    """
    _rotate(S, before, after, None)


def rotate_rows_and_measure(
    S: NDArray[Any],
    before: Sequence[NDArray[Any]],
    after: Sequence[NDArray[Any]],
    V: NDArray[Any],
    BV: NDArray[Any],
) -> NDArray[Any]:
    """Do the same and return the inner products of what was written.

    Parameters
    ----------
    S : ndarray, shape (p, q)
        Coefficients.
    before, after : sequence of ndarray
        As above.
    V, BV : ndarray, shape (>= p, n)
        Two of `after`.

    Returns
    -------
    ndarray, shape (p, p)
        ``(B V)^H V`` of the first rows.
    """
    parts = _rotate(S, before, after, (BV, V))
    return np.asarray(sum(parts[1:], parts[0]))


def _rotate(
    S: NDArray[Any],
    before: Sequence[NDArray[Any]],
    after: Sequence[NDArray[Any]],
    measured: tuple[NDArray[Any], NDArray[Any]] | None,
) -> list[NDArray[Any]]:
    # Piece by piece, so that what was rotated is still in the cache when its dots are formed.
    p, q = S.shape
    n = before[0].shape[1]
    parts = row_parts(n, S.size * float(n))
    wide = np.complex128 if S.dtype.kind == "c" else np.float64
    sums = [np.zeros((p, p), wide) for _ in parts]

    def task(part: int, first: int, last: int) -> None:
        for start in range(first, last, _PIECE):
            piece = slice(start, min(last, start + _PIECE))
            for old, new in zip(before, after, strict=True):
                new[:p, piece] = S @ old[:q, piece]
            if measured is not None:
                BV, V = measured
                sums[part] += BV[:p, piece].conj() @ V[:p, piece].T

    with single_threaded_blas():
        run_parts(task, [(part, *ends) for part, ends in enumerate(parts)])
    return sums
