"""Randomly pivoted Cholesky: a low-rank factor from a few columns of a kernel matrix."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.checks import as_inexact, check_finite_array

# Pivots are proposed in blocks: large ones save passes, small ones save rejected columns.
_LARGEST_BLOCK = 64


def checked_diagonal(diagonal: Any) -> NDArray[np.float64]:
    """Return the diagonal of a positive semidefinite matrix as float64, or raise."""
    d = as_inexact(diagonal, "diagonal")
    if d.ndim != 1:
        raise ValueError(f"`diagonal` must have shape (n,), got {d.shape}")
    check_finite_array(d, "diagonal")
    d = d.real.astype(np.float64)
    if d.min(initial=0.0) < 0:
        raise ValueError(
            "`A` must be positive semidefinite: its diagonal holds the negative number "
            f"{d.min():.2e}"
        )
    return d


def pivoted_factor(
    columns: Callable[[NDArray[np.intp]], NDArray[Any]],
    diagonal: NDArray[np.float64],
    rank: int,
    rng: np.random.Generator,
) -> tuple[NDArray[Any], int, int]:
    """Return F with ``F F^H`` close to A, from columns drawn by the diagonal of the remainder.

    Pivots are proposed in blocks and accepted one by one with the probability that corrects for
    what was accepted before: their law is that of single draws.

    Parameters
    ----------
    columns : callable
        Maps indices (b,) to those columns, (n, b).
    diagonal : ndarray, shape (n,)
        Of A, not negative.
    rank : int
        Columns of F at the most.
    rng : Generator
        Advanced.

    Returns
    -------
    F : ndarray, shape (n, r)
        Fewer columns than `rank` where nothing but rounding is left.
    evaluated, calls : int
        Columns evaluated, and calls of `columns`.

    References
    ----------
    .. [1] E. N. Epperly, J. A. Tropp, R. J. Webber, "Embrace rejection: kernel matrix
       approximation by accelerated randomly pivoted Cholesky", arXiv:2410.03969.
    """
    n = len(diagonal)
    left = diagonal.copy()
    F = np.empty((n, 0), np.float32)  # promoted by the first columns
    evaluated = calls = 0
    negligible = n * np.finfo(np.float64).eps * float(diagonal.sum())
    block = min(_LARGEST_BLOCK, max(1, rank // 4))
    while F.shape[1] < rank and left.sum() > negligible:
        proposed = rng.choice(n, size=min(block, rank - F.shape[1]), p=left / left.sum())
        C = _checked_columns(columns(proposed), n, len(proposed))
        evaluated += len(proposed)
        calls += 1
        C = C - F @ F[proposed].conj().T
        eps = float(np.finfo(C.dtype).eps)
        G = C[proposed]
        accepted, L = _accept(G, left[proposed], rng, eps)
        # The true remainders of the proposed pivots are known now, be they rounding error.
        left[proposed] = np.clip(np.diagonal(G).real, 0.0, left[proposed])
        if accepted:
            new = np.linalg.solve(L, C[:, accepted].conj().T).conj().T
            F = np.hstack([F, new])
            left = np.maximum(left - (np.abs(new) ** 2).sum(axis=1), 0.0)
        # What is left of a pivot is rounding error.
        left[proposed[accepted]] = 0.0
    return F, evaluated, calls


def _accept(
    G: NDArray[Any], weights: NDArray[np.float64], rng: np.random.Generator, eps: float
) -> tuple[list[int], NDArray[Any]]:
    """Choose among proposed pivots with remainder G; return them and the factor of their part."""
    H = (G + G.conj().T) / 2
    chances = rng.random(len(H)) * weights
    accepted: list[int] = []
    rows: list[NDArray[Any]] = []
    for j in range(len(H)):
        pivot = float(H[j, j].real)
        if pivot > max(chances[j], 10 * eps * weights[j]):
            accepted.append(j)
            column = H[:, j] / math.sqrt(pivot)
            rows.append(column)
            H = H - np.outer(column, column.conj())
    if not accepted:
        return [], np.empty((0, 0))
    return accepted, np.tril(np.column_stack(rows)[accepted])


def _checked_columns(returned: Any, n: int, count: int) -> NDArray[Any]:
    C = as_inexact(returned, "A(indices)")
    if C.shape != (n, count):
        raise ValueError(f"`A` must return shape {(n, count)} for {count} indices, got {C.shape}")
    check_finite_array(C, "A(indices)")
    return C
