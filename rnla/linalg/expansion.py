"""A step of block Gram-Schmidt where the basis is so small that calls cost more than flops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._kernels import skinny
from rnla.linalg.orth import KEPT_LENGTH, MOST_GROWTH, inverse_cholesky
from rnla.linalg.skinny import LANES, REAL
from rnla.linalg.tall import unpacked_pieces

# Multiplications of a projection, up to which the pool and care for huge blocks do not pay.
_SMALL = 1 << 23
# A projection that leaves at least this share of every column has taken rounding errors only.
SHARE_LEFT = 0.9
# For two or three columns BLAS's product is slower than one with each of them.
_FEW = (2, 3)
# Rounds of CholeskyQR: the second one is the last as a rule.
_ROUNDS = 3


@dataclass(frozen=True)
class Expansion:
    """What a block leaves over beside a basis.

    Attributes
    ----------
    remainder : ndarray, shape (n, b)
        ``W - V (H + near)``, in two projections.
    near : ndarray, shape (r, b)
        Coordinates along the last r vectors of the basis, which were taken out first.
    H : ndarray, shape (m, b)
        Those along the whole basis, of what was left then.
    length : float
        Of the longest column of W.
    block : ndarray, shape (n, b), or None
        The remainder orthonormalised, unless that needs care.
    """

    remainder: NDArray[Any]
    near: NDArray[Any]
    H: NDArray[Any]
    length: float
    block: NDArray[Any] | None


def is_small(V: NDArray[Any], width: int) -> bool:
    """Tell whether `expanded` is for a basis like this.

    Parameters
    ----------
    V : ndarray, shape (n, m)
        The basis.
    width : int
        Columns of a block.

    Returns
    -------
    bool
        Whether its products take less time than to share them out.
    """
    return 0 < V.size * width <= _SMALL


def expanded(W: NDArray[Any], V: NDArray[Any], recent: int, noise: float) -> Expansion:
    """Project a block against the last vectors of a basis, then against all, and orthonormalise it.

    Parameters
    ----------
    W : ndarray, shape (n, b)
        The block, of the dtype of V.
    V : ndarray, shape (n, m)
        Orthonormal, Fortran-ordered.
    recent : int
        Where its last vectors begin, of which all but rounding errors of W beside the remainder
        consists.
    noise : float
        The length below which a column of the remainder is noise, in units of that of W.

    Returns
    -------
    Expansion
        With a block where the second projection took little, no column is noise, and columns are
        far from dependent.
    """
    if len(W) != len(V):
        raise ValueError(f"a block of shape ({len(V)}, b) is needed, got {W.shape}")
    rows, last = V.T, V.T[recent:]
    fits = W.dtype == rows.dtype and W.dtype in REAL and W.shape[1] in LANES
    X = np.array(W, order="C" if fits and rows.flags.c_contiguous else "F")
    # What leaves the range is left to those who look for it.
    with np.errstate(over="ignore", invalid="ignore"):
        near = _coordinates(X, last)
        _take_out(X, near, last)
        H = _coordinates(X, rows)
        _take_out(X, H, rows)
        G = X.conj().T @ X
        squares = np.diagonal(G).real
        once = squares + (H.conj() * H).real.sum(axis=0)
        whole = once + (near.conj() * near).real.sum(axis=0)
        length = float(np.sqrt(whole.max()))
    limits = np.finfo(X.dtype)
    least = max((noise * length) ** 2, limits.tiny / limits.eps)
    block = None
    in_range = least < squares.min() and whole.max() < limits.max / 4
    if in_range and (squares >= SHARE_LEFT**2 * once).all():
        block = _orthonormal(X, G)
    return Expansion(X, near, H, length, block)


def _is_for_kernel(X: NDArray[Any]) -> bool:
    # Blocks that BLAS would pack are the only ones here in C order.
    return not X.flags.f_contiguous


def _coordinates(X: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
    """Return ``rows.conj() X``."""
    (m, n), b = rows.shape, X.shape[1]
    if _is_for_kernel(X):
        H = np.zeros((m, b), X.dtype)
        skinny.add_products(rows.reshape(-1), X.reshape(-1), H.reshape(-1), n, n, b, 0, m)
        return H
    if b in _FEW:
        return np.stack([(rows @ x.conj()).conj() for x in X.T], axis=1)
    first, *others = unpacked_pieces(n, m * b)
    H = X.T[:, first] @ rows[:, first].conj().T
    for part in others:
        H += X.T[:, part] @ rows[:, part].conj().T
    return np.asarray(H.T)


def _take_out(X: NDArray[Any], H: NDArray[Any], rows: NDArray[Any]) -> None:
    """Subtract ``rows^T H`` from X, in place."""
    (m, n), b = rows.shape, X.shape[1]
    if _is_for_kernel(X):
        entries, out = rows.reshape(-1), X.reshape(-1)
        skinny.add_transposed_products(entries, -H.reshape(-1), out, n, n, b, 0, m)
    elif b in _FEW:
        for x, h in zip(X.T, H.T, strict=True):
            x -= h @ rows
    else:
        for part in unpacked_pieces(n, m * b):
            X[part] -= (H.T @ rows[:, part]).T


def _times(X: NDArray[Any], M: NDArray[Any]) -> NDArray[Any]:
    """Return ``X M``, in the order of X."""
    return np.asarray(X @ M if _is_for_kernel(X) else (M.T @ X.T).T)


def _orthonormal(X: NDArray[Any], G: NDArray[Any]) -> NDArray[Any] | None:
    """Return X orthonormalised, unless that magnifies what is left of it along the basis."""
    growth = 1.0
    for _ in range(_ROUNDS):
        lengths = np.sqrt(np.diagonal(G).real)
        if X.shape[1] == 1:
            return np.asarray(X / lengths)
        G = G / (lengths[:, None] * lengths)
        inverse = inverse_cholesky(G, float(np.finfo(X.dtype).eps))
        growth *= np.inf if inverse is None else float(np.abs(inverse).max())
        if inverse is None or growth >= MOST_GROWTH:
            return None
        X = _times(X, inverse / lengths[:, None])
        if np.abs(G).sum(axis=0).max() < 1 + KEPT_LENGTH:
            return X
        G = X.conj().T @ X
    return None
