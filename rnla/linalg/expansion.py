"""A step of block Gram-Schmidt where the basis is so small that calls cost more than flops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.linalg.orth import KEPT_LENGTH, MOST_GROWTH, inverse_cholesky
from rnla.linalg.tall import unpacked_pieces

# Multiplications of a projection, up to which the pool and care for huge blocks do not pay.
_SMALL = 1 << 23
# A projection that leaves at least this share of every column has taken rounding errors only.
SHARE_LEFT = 0.9
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
        The block.
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
    rows, last, X = V.T, V.T[recent:], W.T
    first, *others = unpacked_pieces(len(W), len(rows) * len(X))
    # What leaves the range is left to those who look for it.
    with np.errstate(over="ignore", invalid="ignore"):
        near = X[:, first] @ last[:, first].conj().T
        for part in others:
            near += X[:, part] @ last[:, part].conj().T
        X = np.subtract(X, near @ last, order="C")
        H = X[:, first] @ rows[:, first].conj().T
        for part in others:
            H += X[:, part] @ rows[:, part].conj().T
        for part in (first, *others):
            X[:, part] -= H @ rows[:, part]
        G = X.conj() @ X.T
        squares = np.diagonal(G).real
        once = squares + (H.conj() * H).real.sum(axis=1)
        whole = once + (near.conj() * near).real.sum(axis=1)
        length = float(np.sqrt(whole.max()))
    limits = np.finfo(X.dtype)
    least = max((noise * length) ** 2, limits.tiny / limits.eps)
    block = None
    in_range = least < squares.min() and whole.max() < limits.max / 4
    if in_range and (squares >= SHARE_LEFT**2 * once).all():
        block = _orthonormal(X, G)
    return Expansion(X.T, near.T, H.T, length, None if block is None else block.T)


def _orthonormal(X: NDArray[Any], G: NDArray[Any]) -> NDArray[Any] | None:
    """Return rows orthonormalised, unless that magnifies what is left of them along the basis."""
    growth = 1.0
    for _ in range(_ROUNDS):
        lengths = np.sqrt(np.diagonal(G).real)
        if len(X) == 1:
            return np.asarray(X / lengths)
        G = G / (lengths[:, None] * lengths)
        inverse = inverse_cholesky(G, float(np.finfo(X.dtype).eps))
        growth *= np.inf if inverse is None else float(np.abs(inverse).max())
        if inverse is None or growth >= MOST_GROWTH:
            return None
        X = (inverse / lengths[:, None]).T @ X
        if np.abs(G).sum(axis=0).max() < 1 + KEPT_LENGTH:
            return X
        G = X.conj() @ X.T
    return None
