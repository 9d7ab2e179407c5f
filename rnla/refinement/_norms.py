"""Norms that neither overflow nor underflow, and the powers of two near them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def column_norms(X: NDArray[Any]) -> NDArray[np.float64]:
    """Return the 2-norm of each column in double precision; NaN or infinity passes through.

    Parameters
    ----------
    X : ndarray, shape (m, k)
        Any dtype and any range of numbers.

    Returns
    -------
    ndarray, shape (k,)
        The norms.
    """
    size = np.abs(X)
    largest = size.max(axis=0, initial=0.0).astype(np.float64)
    scale = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    with np.errstate(over="ignore"):
        return np.asarray(scale * np.linalg.norm(size / scale, axis=0))


def frobenius(entries: NDArray[Any]) -> float:
    """Return the Frobenius norm of an array, without a copy unless the numbers are extreme.

    Parameters
    ----------
    entries : ndarray
        The matrix, or the stored entries of a sparse one.

    Returns
    -------
    float
        The norm; NaN or infinite only if an entry is, or the norm of a finite array leaves the
        range.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        norm = float(np.linalg.norm(entries))
    tiny = float(np.finfo(entries.dtype).tiny)
    if tiny**0.25 < norm < np.inf:
        return norm
    return float(column_norms(entries.reshape(-1, 1))[0])


def power_of_two(norms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest power of two below each norm, and 1 where there is none.

    Parameters
    ----------
    norms : ndarray
        Zero, positive or not finite.

    Returns
    -------
    ndarray
        By these, division makes no rounding error.
    """
    usable = (norms > 0) & np.isfinite(norms)
    exponents = np.frexp(np.where(usable, norms, 1.0))[1] - 1
    # The reciprocal must be a finite number as well.
    return np.asarray(np.ldexp(1.0, np.clip(exponents, -1000, 1000)))
