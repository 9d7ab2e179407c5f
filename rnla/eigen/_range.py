"""Matrices of extreme size, scaled by a power of two so that squares stay in the range."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnla.linalg.block import BlockOperator, DenseBlock, SparseBlock

# Entries between the largest number to this power and its inverse are safe.
_SAFE_POWER = 0.3


def safe_root(largest: float, dtype: Any) -> float:
    """Return the root of a factor that brings the largest entry to about one.

    Parameters
    ----------
    largest : float
        Its absolute value.
    dtype : dtype
        Working precision.

    Returns
    -------
    float
        A power of two; 1 where squares are safe, and for zeros.
    """
    limit = float(np.finfo(dtype).max) ** _SAFE_POWER
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
