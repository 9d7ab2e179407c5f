"""Householder QR of column-scaled matrices, and what belongs to a triangular factor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import get_lapack_funcs

from rnla._core.threads import run_parts
from rnla._kernels.reorder import interleave_pieces, transpose_square

# Below this many entries the columns of geqrt's panels fit a cache, and small blocks win.
_QR_SMALL = 100_000
_TRIANGLE_BLOCK = 16
# Squares of columns in this range neither overflow nor lose digits to underflow.
_SAFE = 1e280
_MOST_EXPONENT = 1022


def triangular_factor(
    M: NDArray[Any], B: NDArray[Any], *, overwrite: bool = False
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Factor the column-scaled ``M D = Q R`` by Householder QR.

    Parameters
    ----------
    M : ndarray, shape (d, n)
        The matrix, d >= n.
    B : ndarray, shape (d, k)
        Right-hand sides.
    overwrite : bool
        Whether M may be destroyed. It must then own its memory and no view of it may be in use.
        Where its layout allows, no second copy is made and M shrinks to the (n, n) factor.

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
    dtype = np.result_type(M, B, np.float64)
    fits = M.flags.c_contiguous and M.flags.owndata and n > 0 and d % n == 0
    in_place = overwrite and M.dtype == dtype and fits
    W = fortran_in_place(M) if in_place else np.empty((d, n), dtype, order="F")
    np.multiply(W if in_place else M, scale, out=W)
    reflectors, T = _householder(W)
    gemqrt: Any = get_lapack_funcs("gemqrt", (W,))
    adjoint = "C" if dtype.kind == "c" else "T"
    C, info = gemqrt(reflectors, T, np.array(B, dtype, order="F"), trans=adjoint, overwrite_c=True)
    if info != 0:
        raise np.linalg.LinAlgError(f"gemqrt failed with info={info}")
    if not in_place:
        return np.triu(reflectors[:n]), C[:n], scale
    del W, reflectors
    return _shrunk_to_triangle(M), C[:n], scale


def fortran_in_place(M: NDArray[Any]) -> NDArray[Any]:
    """Reorder a C-ordered M (c n, n) to Fortran order in its own memory and return that view."""
    d, n = M.shape
    buffer = M.reshape(-1)
    square = n * n
    run_parts(
        lambda start: transpose_square(buffer[start : start + square], n),
        [(start,) for start in range(0, d * n, square)],
    )
    interleave_pieces(buffer, d // n, n, np.empty(n, M.dtype), np.zeros(d, np.bool_))
    return buffer.reshape(n, d).T


def _shrunk_to_triangle(M: NDArray[Any]) -> NDArray[Any]:
    """Return the upper triangle that stands in Fortran order in the memory of M, and free the rest.

    What is left of M holds its transpose.
    """
    d, n = M.shape
    columns = M.reshape(n, d)
    # Column j moves to the left by j (d - n) places: never over one that is still to be moved.
    kept = M.reshape(-1)[: n * n].reshape(n, n)
    for j in range(n):
        kept[j, : j + 1] = columns[j, : j + 1].copy()
        kept[j, j + 1 :] = 0
    del columns, kept
    # The caller promised that nothing else looks at this memory.
    M.resize((n, n), refcheck=False)
    return np.ascontiguousarray(M.T)


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
        # Beyond the largest power of two a column of subnormal numbers stays short.
        with np.errstate(over="ignore"):
            scale[unsafe] = np.fmin(largest * column_scale(norms), 2.0**_MOST_EXPONENT)
    return scale


def column_scale(norms: NDArray[Any]) -> NDArray[np.float64]:
    """Return the powers of two that bring `norms` into [1/2, 1), and 1 for a zero."""
    # The inverse of a subnormal number would overflow.
    exponent = np.maximum(np.frexp(norms)[1].astype(int), -_MOST_EXPONENT)
    return np.where(norms > 0, np.ldexp(1.0, -exponent), 1.0)


def upper_factor(W: NDArray[Any]) -> NDArray[Any]:
    """Factor an F-ordered `W` (d, n) in place; the upper triangle of what returns is R."""
    return _householder(W)[0]


def _householder(W: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return R above the reflectors, in the memory of W, and the triangles of their blocks."""
    d, n = W.shape
    geqrt: Any = get_lapack_funcs("geqrt", (W,))
    # Recursive panels: about twice the speed of geqrf.
    factor, T, info = geqrt(min(_qr_block(d, n), d, n), W, overwrite_a=True)
    if info != 0:
        raise np.linalg.LinAlgError(f"geqrt failed with info={info}")
    return factor, T


def shifted_factor(R: NDArray[Any], shift: float) -> NDArray[Any]:
    """Return T with ``T^H T = R^H R + shift^2 I``, by QR of ``[R; shift I]``.

    The triangles stay triangles: half the memory and a fifth of the flops of a plain QR.

    Parameters
    ----------
    R : ndarray, shape (n, n)
        Upper triangular.
    shift : float
        Not negative.

    Returns
    -------
    ndarray, shape (n, n)
        Upper triangular, F-ordered.
    """
    n = len(R)
    tpqrt: Any = get_lapack_funcs("tpqrt", (R,))
    below = np.zeros((n, n), R.dtype, order="F")
    # A shift that underflows would leave T singular.
    np.fill_diagonal(below, max(shift, np.finfo(np.float64).tiny ** 0.5))
    block = min(_TRIANGLE_BLOCK, n)
    T, _, _, info = tpqrt(
        n, block, np.array(R, order="F"), below, overwrite_a=True, overwrite_b=True
    )
    if info != 0:
        raise np.linalg.LinAlgError(f"tpqrt failed with info={info}")
    return T  # type: ignore[no-any-return]


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
