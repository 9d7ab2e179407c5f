"""One reading of a whole array: how large it is, and whether it is finite."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.threads import even_parts, run_parts
from rnla._kernels import extremes

# Entries of a part, and of an array that NumPy reads as fast.
_PART, _SMALL = 1 << 19, 1 << 16
# Entries that stay in the cache.
_PIECE = 1 << 14
# Whose bits the kernel can compare: not those of the other byte order.
_COMPARABLE = (np.float32, np.float64, np.complex64, np.complex128)


def is_finite(array: NDArray[Any]) -> bool:
    """Tell whether no entry is NaN or infinite.

    Parameters
    ----------
    array : ndarray
        Numbers of any dtype, shape and layout.

    Returns
    -------
    bool
        True for an empty one.
    """
    if array.size >= _SMALL:
        return bool(np.isfinite(largest_entry(array)))
    # A finite sum proves finite entries; a sum that overflowed is looked at entry by entry.
    with np.errstate(over="ignore", invalid="ignore"):
        total = array.sum()
    return bool(np.isfinite(total) or np.isfinite(array).all())


def largest_entry(array: NDArray[Any]) -> float:
    """Return the largest absolute value of real and imaginary parts.

    Parameters
    ----------
    array : ndarray
        Numbers of any dtype, shape and layout.

    Returns
    -------
    float
        NaN if there is one, infinity if an entry is infinite, and zero for an empty array.
    """
    if array.size < _SMALL:
        return _by_pieces(array[None])
    if not array.flags.forc or array.dtype not in _COMPARABLE:
        widest = max(range(array.ndim), key=lambda axis: abs(array.strides[axis]))
        return _by_pieces(np.moveaxis(array, widest, 0))
    flat = array.reshape(-1, order="A")
    real = flat.view(flat.real.dtype)
    bits = real.view(np.uint64 if real.dtype.itemsize == 8 else np.uint32)
    sign = bits.dtype.type(1 << (8 * bits.dtype.itemsize - 1))
    parts = even_parts(len(bits), max(1, len(bits) // _PART))
    found = np.zeros(len(parts), bits.dtype)

    def task(index: int, start: int, stop: int) -> None:
        found[index] = extremes.largest_bits(bits[start:stop], sign)

    run_parts(task, [(index, *ends) for index, ends in enumerate(parts)])
    return float(found.max(keepdims=True).view(real.dtype)[0])


def _by_pieces(array: NDArray[Any]) -> float:
    halves = (array.real, array.imag) if array.dtype.kind == "c" else (array,)
    step = max(1, _PIECE * len(array) // max(1, array.size))
    ends = [
        float(np.abs(half[start : start + step]).max(initial=0))
        for start in range(0, len(array), step)
        for half in halves
    ]
    # The maximum of NumPy passes NaN on.
    return float(np.max(ends, initial=0))
