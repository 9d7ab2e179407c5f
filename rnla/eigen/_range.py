"""Matrices of extreme size, scaled by powers of two so that squares stay in the range."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnla.eigen._validate import Request
from rnla.linalg.block import BlockOperator, DenseBlock, SparseBlock

# Entries between the largest number to this power and its inverse are safe; in a pencil, where
# those of A are divided by those of M.
_SAFE_POWER, _SAFE_POWER_OF_PENCILS = 0.3, 0.15


def safe_roots(request: Request) -> tuple[float, float]:
    """Return the roots of factors that bring A and M to about one where squares are not safe.

    Parameters
    ----------
    request : Request
        The checked call.

    Returns
    -------
    A_root, M_root : float
        Powers of two; 1 where all is safe, for M = None, and where entries, or those of an inverse
        that was given, are not at hand.
    """
    A, M, sigma = request.A, request.M, abs(request.sigma or 0.0)
    given = request.OPinv is not None or request.Minv is not None
    if given or not isinstance(A, DenseBlock | SparseBlock):
        return 1.0, 1.0
    if M is None:
        return safe_root(max(A.largest, sigma), A.dtype), 1.0
    if not isinstance(M, DenseBlock | SparseBlock):
        return 1.0, 1.0
    largest = min(max(A.largest, sigma * M.largest), float(np.finfo(A.dtype).max))
    power = _SAFE_POWER_OF_PENCILS
    return safe_root(largest, A.dtype, power), safe_root(M.largest, M.dtype, power)


def safe_root(largest: float, dtype: Any, power: float = _SAFE_POWER) -> float:
    """Return the root of a factor that brings the largest entry to about one.

    Parameters
    ----------
    largest : float
        Its absolute value.
    dtype : dtype
        Working precision.
    power : float, optional
        Of the largest number, up to which entries are safe.

    Returns
    -------
    float
        A power of two; 1 where squares are safe, and for zeros.
    """
    limit = float(np.finfo(dtype).max) ** power
    if largest == 0 or 1 / limit < largest < limit:
        return 1.0
    return float(2.0 ** -(np.frexp(largest)[1] // 2))


def scaled(A: DenseBlock | SparseBlock, root: float) -> BlockOperator:
    """Return ``root^2 A``.

    Parameters
    ----------
    A : DenseBlock or SparseBlock
        The matrix.
    root : float
        A power of two.

    Returns
    -------
    BlockOperator
        Of the same kind.
    """
    factor = A.dtype.type(0).real.dtype.type(root)
    if isinstance(A, DenseBlock):
        return DenseBlock(A.A * factor * factor)
    return SparseBlock(A.rows * factor * factor)
