"""What this machine can do, measured: read bandwidth, matrix products; and what runs on it."""

from __future__ import annotations

import platform
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numba
import numpy as np
import scipy
from threadpoolctl import threadpool_info

import rnla

_SLICES_PER_THREAD = 4


# A contiguous slice and `range(a.size)`: with other loops LLVM does not vectorise the sum, and the
# bandwidth comes out four times too low.
@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _sum(a):
    total = 0.0
    for i in range(a.size):
        total += a[i]
    return total


def bandwidth(A: np.ndarray, repeat: int = 5, threads: int | None = None) -> list[float]:
    """Return bytes per second of reading `A`, one number per repetition, fastest first.

    `A` must be contiguous in either order; its entries are summed by `threads` threads.
    """
    flat = A.ravel(order="K")
    threads = threads or rnla.get_num_threads()
    edges = np.linspace(0, flat.size, _SLICES_PER_THREAD * threads + 1).astype(int)
    parts = [flat[start:stop] for start, stop in pairwise(edges)]
    _sum(flat[:1])
    seconds = []
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(_sum, parts))
        for _ in range(repeat):
            start = time.perf_counter()
            list(pool.map(_sum, parts))
            seconds.append(time.perf_counter() - start)
    return [flat.nbytes / elapsed for elapsed in sorted(seconds)]


def gemm_rate(size: int = 2048, repeat: int = 5, dtype: Any = np.float64) -> list[float]:
    """Return the flops per second of a square matrix product, fastest first."""
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((2, size, size)).astype(dtype)
    out = X @ Y
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        np.matmul(X, Y, out=out)
        seconds.append(time.perf_counter() - start)
    return [2 * size**3 / elapsed for elapsed in sorted(seconds)]


def describe() -> dict[str, Any]:
    """Return the processor, the versions and every thread pool, for the head of a report."""
    pools = sorted(
        {
            f"{pool['internal_api']} {pool['version']} "
            f"({pool.get('architecture', pool['user_api'])}, {pool['num_threads']} threads)"
            for pool in threadpool_info()
        }
    )
    return {
        "processor": _processor(),
        "rnla threads": rnla.get_num_threads(),
        "pools": pools,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "numba": numba.__version__,
        "rnla": rnla.__version__,
    }


def head(machine: dict[str, Any]) -> str:
    """Return two lines that say what `describe` found."""
    versions = ", ".join(
        f"{name} {machine[name]}" for name in ("python", "numpy", "scipy", "numba", "rnla")
    )
    return (
        f"{machine['processor']}, {machine['rnla threads']} threads; {versions}\n"
        f"{'; '.join(machine['pools'])}"
    )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def median(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)
