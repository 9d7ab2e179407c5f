"""Householder QR of column-scaled matrices, and what belongs to a triangular factor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import get_lapack_funcs

# Below this many entries the columns of geqrt's panels fit a cache, and small blocks win.
_QR_SMALL = 100_000
# Squares of columns in this range neither overflow nor lose digits to underflow.
_SAFE = 1e280
_MOST_EXPONENT = 1022


def triangular_factor(
    M: NDArray[Any], B: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Factor the column-scaled ``M D = Q R`` by Householder QR.

    Parameters
    ----------
    M : ndarray, shape (d, n)
        The matrix, d >= n.
    B : ndarray, shape (d, k)
        Right-hand sides.

    Returns
    -------
    R : ndarray, shape (n, n)
        Upper triangular factor of the scaled matrix.
    C : ndarray, shape (n, k)
        The rows of ``Q^H B`` that belong to R.
    scale : ndarray, shape (n,)
        The diagonal of D: powers of two, so that scaling is exact; 1 for a zero column.
    """
    d, n = M.shape
    scale = equilibrating_scale(M)
    W = np.empty((d, n + B.shape[1]), np.result_type(M, B, np.float64), order="F")
    np.multiply(M, scale, out=W[:, :n])
    W[:, n:] = B
    factor = upper_factor(W)
    return np.triu(factor[:n, :n]), factor[:n, n:], scale


def equilibrating_scale(M: NDArray[Any]) -> NDArray[np.float64]:
    """Return the powers of two that bring the columns of M to norms in [1/2, 1)."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        parts = (M.real, M.imag) if M.dtype.kind == "c" else (M,)
        squares = sum(np.einsum("ij,ij->j", part, part, dtype=np.float64) for part in parts)
    scale = column_scale(np.sqrt(squares))
    unsafe = np.flatnonzero(~((squares > 1 / _SAFE) & (squares < _SAFE)))
    if len(unsafe):
        # By the largest entries first, so that no square overflows or underflows.
        columns = M[:, unsafe]
        largest = column_scale(np.abs(columns).max(axis=0, initial=0.0))
        norms = np.linalg.norm(columns * largest, axis=0)
        scale[unsafe] = largest * column_scale(norms)
    return scale


def column_scale(norms: NDArray[Any]) -> NDArray[np.float64]:
    """Return the powers of two that bring `norms` into [1/2, 1), and 1 for a zero."""
    # The inverse of a subnormal number would overflow.
    exponent = np.maximum(np.frexp(norms)[1].astype(int), -_MOST_EXPONENT)
    return np.where(norms > 0, np.ldexp(1.0, -exponent), 1.0)


def upper_factor(W: NDArray[Any]) -> NDArray[Any]:
    """Factor an F-ordered `W` (d, n) in place; the upper triangle of what returns is R."""
    d, n = W.shape
    geqrt: Any = get_lapack_funcs("geqrt", (W,))
    # Recursive panels: about twice the speed of geqrf, and only R is needed.
    factor, _, info = geqrt(min(_qr_block(d, n), d, n), W, overwrite_a=True)
    if info != 0:
        raise np.linalg.LinAlgError(f"geqrt failed with info={info}")
    return factor  # type: ignore[no-any-return]


def shifted_factor(R: NDArray[Any], shift: float) -> NDArray[Any]:
    """Return T with ``T^H T = R^H R + shift^2 I``, by QR of ``[R; shift I]``.

    Parameters
    ----------
    R : ndarray, shape (n, n)
        Upper triangular.
    shift : float
        Not negative.

    Returns
    -------
    ndarray, shape (n, n)
        Upper triangular.
    """
    n = len(R)
    W = np.zeros((2 * n, n), R.dtype, order="F")
    W[:n] = R
    # A shift that underflows would leave T singular.
    W[np.arange(n, 2 * n), np.arange(n)] = max(shift, np.finfo(np.float64).tiny ** 0.5)
    return np.triu(upper_factor(W)[:n])


def _qr_block(d: int, n: int) -> int:
    """Return the block size that was fastest; the minimum is flat."""
    if d * n < _QR_SMALL:
        return 8
    if n < 200:
        return 32
    return 48 if n < 700 else 96


def inverse_upper(R: NDArray[Any]) -> NDArray[Any] | None:
    """Return the inverse of an upper triangular matrix, None if a diagonal entry is zero."""
    trtri: Any = get_lapack_funcs("trtri", (R,))
    inverse, info = trtri(R, lower=0)
    return inverse if info == 0 else None


def frobenius(M: NDArray[Any]) -> float:
    """Return the Frobenius norm without BLAS, whose threads would then disturb LAPACK's."""
    return float(np.sqrt(np.einsum("ij,ij->", M.conj(), M).real))
