"""The contenders: LAPACK's drivers, iterative solvers, the Gram matrix, and rnla."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse.linalg

import rnla

_COPY_ROWS = 256
_QR_BLOCKS = (64, 96, 128)
_QR_TRIAL_ENTRIES = 4_000_000
_ITERATIONS = 400


@dataclass(frozen=True)
class Solver:
    """A way to solve ``min ||b - A x||``.

    Parameters
    ----------
    solve : callable
        ``solve(A, b, turn)`` returns x and how many times it read A, None if that is not counted;
        `turn` is a seed.
    baseline : bool
        Whether it is one of LAPACK's: its times count always, the others' when they are accurate.
    compiled : bool
        Whether its first call may compile something.
    """

    solve: Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, float | None]]
    baseline: bool = False
    compiled: bool = False


def contenders(A: np.ndarray) -> dict[str, Solver]:
    """Return the solvers by name, the block size of the QR solver tuned for `A`."""
    size = best_qr_block(A)
    return {
        "numpy lstsq (gelsd)": Solver(_numpy, baseline=True),
        "scipy gelsd": Solver(_scipy("gelsd"), baseline=True),
        "scipy gelsy": Solver(_scipy("gelsy"), baseline=True),
        f"QR by geqrt, nb={size}": Solver(geqrt(size), baseline=True),
        "scipy lsqr": Solver(_lsqr(_ITERATIONS)),
        "scipy lsmr": Solver(_lsmr(_ITERATIONS)),
        "Gram + Cholesky, 1 refinement": Solver(_gram),
        "rnla auto": Solver(_rnla("auto"), compiled=True),
        "rnla spir": Solver(_rnla("spir"), compiled=True),
        "rnla spne": Solver(_rnla("spne"), compiled=True),
        "rnla gram": Solver(_rnla("gram"), compiled=True),
        "rnla mixed": Solver(_rnla(rnla.lstsq.SPIR(inner_dtype="auto")), compiled=True),
    }


def best_qr_block(A: np.ndarray) -> int:
    """Return the block size with which ``geqrt`` factors the first rows of `A` fastest."""
    m, n = A.shape
    rows = min(m, max(2 * n, _QR_TRIAL_ENTRIES // n))
    start = np.asfortranarray(A[:rows])
    (factor,) = scipy.linalg.get_lapack_funcs(("geqrt",), (start,))
    seconds = {}
    for _ in range(3):
        for size in {min(size, rows, n) for size in _QR_BLOCKS}:
            W = start.copy(order="F")
            began = time.perf_counter()
            factor(size, W, overwrite_a=True)
            elapsed = time.perf_counter() - began
            seconds[size] = min(elapsed, seconds.get(size, np.inf))
    return min(seconds, key=lambda size: seconds[size])


def geqrt(size: int) -> Any:
    """Return Householder QR with recursive panels, the fastest way that LAPACK offers.

    The right-hand side is one more column, so that ``Q^T b`` costs no second call. Copying A to
    Fortran order is part of the work; block by block it is faster than ``np.asfortranarray``.
    """

    def solve(A: np.ndarray, b: np.ndarray, turn: int) -> tuple[np.ndarray, None]:
        m, n = A.shape
        W = np.empty((m, n + 1), A.dtype, order="F")
        if A.flags.f_contiguous:
            W[:, :n] = A
        else:
            for first in range(0, m, _COPY_ROWS):
                W[first : first + _COPY_ROWS, :n] = A[first : first + _COPY_ROWS]
        W[:, n] = b
        factor, back = scipy.linalg.get_lapack_funcs(("geqrt", "trtrs"), (W,))
        QR, _, info = factor(min(size, n + 1, m), W, overwrite_a=True)
        if info == 0:
            x, info = back(QR[:n, :n], QR[:n, n])
        if info != 0:
            raise np.linalg.LinAlgError("R is singular")
        return x, None

    return solve


def _numpy(A: np.ndarray, b: np.ndarray, turn: int) -> tuple[np.ndarray, None]:
    return np.linalg.lstsq(A, b)[0], None


def _scipy(driver: str) -> Any:
    def solve(A: np.ndarray, b: np.ndarray, turn: int) -> tuple[np.ndarray, None]:
        # Without SciPy's own scan for NaN: LAPACK as fast as it gets.
        return scipy.linalg.lstsq(A, b, lapack_driver=driver, check_finite=False)[0], None

    return solve


def _lsqr(steps: int) -> Any:
    def solve(A: np.ndarray, b: np.ndarray, turn: int) -> tuple[np.ndarray, float]:
        x, _, used, *_ = scipy.sparse.linalg.lsqr(
            A, b, atol=1e-15, btol=1e-15, conlim=0, iter_lim=steps
        )
        return x, 2.0 * used + 1

    return solve


def _lsmr(steps: int) -> Any:
    def solve(A: np.ndarray, b: np.ndarray, turn: int) -> tuple[np.ndarray, float]:
        x, _, used, *_ = scipy.sparse.linalg.lsmr(
            A, b, atol=1e-15, btol=1e-15, conlim=0, maxiter=steps
        )
        return x, 2.0 * used + 1

    return solve


def _gram(A: np.ndarray, b: np.ndarray, turn: int) -> tuple[np.ndarray, float]:
    factor = scipy.linalg.cho_factor(A.T @ A, overwrite_a=True, check_finite=False)
    x = scipy.linalg.cho_solve(factor, A.T @ b, check_finite=False)
    x += scipy.linalg.cho_solve(factor, A.T @ (b - A @ x), check_finite=False)
    return x, 4.0


def _rnla(method: Any) -> Any:
    def solve(A: np.ndarray, b: np.ndarray, turn: int) -> tuple[np.ndarray, float]:
        result = rnla.lstsq_refine(A, b, method=method, rng=turn)
        return result.x, result.n_passes

    return solve
