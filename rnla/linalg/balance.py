"""What arithmetic costs beside reading, on this machine: it decides which method is the fastest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from rnla._core.threads import get_num_threads
from rnla.linalg.normal import DampedNormal, DenseNormal, NormalOperator

# Flops of a matrix product in the time of reading one double, on the machines that were seen.
TYPICAL = 20.0
_RANGE = (8.0, 128.0)
# Below, a whole solution takes not much longer than the measurement.
_LEAST_ENTRIES = 20_000_000
_COLUMNS = 256
_SWEPT_ROWS, _GRAM_ROWS = 16384, 4096
_REPEAT = 3

_known: dict[tuple[str, int], float] = {}
_lock = threading.Lock()


def gemm_balance(A: NormalOperator) -> float:
    """Return the flops of ``A^H A`` per entry that take as long as reading the entry.

    Measured once per process, type and number of threads, in about 20 ms, when a dense matrix
    arrives that is large enough to repay it; `TYPICAL` otherwise. Rounded to half an octave, so
    that a little noise does not change the choice from one process to the next.

    Parameters
    ----------
    A : NormalOperator
        The matrix; its entries are read, whatever they are.

    Returns
    -------
    float
        Between 8 and 128.
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
    size = _SWEPT_ROWS * _COLUMNS
    pieces = [
        DenseNormal(flat[start : start + size].reshape(-1, _COLUMNS))
        for start in np.linspace(0, len(flat) - size, _REPEAT + 1).astype(int)
    ]
    gram = DenseNormal(pieces[0].A[:_GRAM_ROWS])
    x, none = np.zeros((_COLUMNS, 1), A.dtype), np.empty((_GRAM_ROWS, 0), A.dtype)
    sweep = min(_seconds(partial(piece.normal, x)) for piece in pieces)
    product = min(_seconds(partial(gram.gram, none)) for _ in range(_REPEAT))
    return _COLUMNS * (sweep / _SWEPT_ROWS) / (product / _GRAM_ROWS)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _rounded(balance: float) -> float:
    least, most = _RANGE
    half_octaves = round(2 * float(np.log2(min(most, max(least, balance)))))
    return float(2.0 ** (half_octaves / 2))
