"""What arithmetic costs beside reading, on this machine: it decides which method is the fastest."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from rnla._core.threads import get_num_threads
from rnla.linalg.normal import DampedNormal, DenseNormal, NormalOperator

# In the units of `gemm_balance`, on the machines that were seen and for all sizes.
TYPICAL = 32.0
# At so many columns a product runs at half of the speed it has with very many.
NARROW = 80.0
_RANGE = (8.0, 256.0)
# Below, a whole solution takes not much longer than the measurement.
_LEAST_ENTRIES = 20_000_000
_SWEPT = 16384, 256
# A power of two of columns would meet in the same sets of a cache.
_MULTIPLIED = 1000, 1000
_REPEAT = 3

_known: dict[tuple[str, int], float] = {}
_lock = threading.Lock()


def gemm_balance(A: NormalOperator) -> float:
    """Return the flops of a wide product per entry of A that take as long as a sweep over it.

    With n columns ``A^H A`` takes ``(n + NARROW)`` such flops per entry. Measured once per
    process, type and number of threads, in about 50 ms, when a dense matrix
    arrives that is large enough to repay it; `TYPICAL` otherwise. Rounded to half an octave, so
    that a little noise does not change the choice from one process to the next.

    Parameters
    ----------
    A : NormalOperator
        The matrix; its entries are read, whatever they are.

    Returns
    -------
    float
        Between 8 and 256.
    """
    if isinstance(A, DampedNormal):
        A = A.inner
    if not isinstance(A, DenseNormal) or A.entries < _LEAST_ENTRIES:
        return TYPICAL
    key = A.stored_dtype.char, get_num_threads()
    with _lock:
        if key not in _known:
            _known[key] = _rounded(_measured(A))
        return _known[key]


def _measured(A: DenseNormal) -> float:
    # Pieces of A itself, each read for the first time: a matrix made for it would be in a cache.
    flat = A.A.ravel(order="K")
    size = math.prod(_SWEPT)
    swept = [
        DenseNormal(flat[start : start + size].reshape(_SWEPT))
        for start in np.linspace(0, len(flat) - size, _REPEAT + 1).astype(int)
    ]
    x = np.zeros((_SWEPT[1], 1), A.dtype)
    sweep = min(_seconds(partial(piece.normal, x)) for piece in swept) / size
    # Into memory that is there: for one block its pages would cost as much as the product.
    W = flat[: math.prod(_MULTIPLIED)].reshape(_MULTIPLIED).astype(A.dtype)
    G = np.zeros((_MULTIPLIED[1], _MULTIPLIED[1]), A.dtype)
    with np.errstate(all="ignore"):
        multiply = partial(np.matmul, W.conj().T, W, out=G)
        product = min(_seconds(multiply) for _ in range(_REPEAT))
    return (_MULTIPLIED[1] + NARROW) * sweep * W.size / product


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _rounded(balance: float) -> float:
    least, most = _RANGE
    half_octaves = round(2 * float(np.log2(min(most, max(least, balance)))))
    return float(2.0 ** (half_octaves / 2))
