"""Matrices of extreme size, scaled by a power of two so that squares stay in the range."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.linalg.block import BlockOperator, DenseBlock, SparseBlock

# Entries between the largest number to this power and its inverse are safe.
_SAFE_POWER = 0.3


def safe_root(entries: NDArray[Any], other: float = 0.0) -> float:
    """Return the root of a factor that brings the largest entry to about one.

    Parameters
    ----------
    entries : ndarray
        Finite, in the working precision.
    other : float, default 0
        A number that is scaled with them.

    Returns
    -------
    float
        A power of two; 1 where squares are safe, and for zeros.
    """
    parts = (entries.real, entries.imag) if entries.dtype.kind == "c" else (entries,)
    largest = max(max(float(p.max(initial=0)), -float(p.min(initial=0))) for p in parts)
    largest = max(largest, abs(other))
    limit = float(np.finfo(entries.dtype).max) ** _SAFE_POWER
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
