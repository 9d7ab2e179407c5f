"""Scratch arrays for kernels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LINE = 64


def aligned_zeros(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return zeros that start on a cache line (numpy's own start 16 bytes after one).

    Vector loads that straddle two cache lines take up to twice the time.

    Parameters
    ----------
    shape : tuple of int
        Of the array.
    dtype : dtype
        Of the array.

    Returns
    -------
    ndarray
        C-ordered, its first byte at a multiple of 64.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    raw = np.zeros(size + _LINE, np.uint8)
    offset = -raw.ctypes.data % _LINE
    array: NDArray[Any] = raw[offset : offset + size].view(dtype).reshape(shape)
    return array
