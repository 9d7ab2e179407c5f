"""Run other solvers on a problem, timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, lstsq
from scipy.sparse import csr_array

import rnla
from rnla._core.checks import as_inexact, inexact_dtype
from rnla.cli._files import is_sparse
from rnla.cli._report import ratio, seconds, tiny

# BLAS threads spin for a while after their last call and would slow whatever runs next.
_PAUSE = 0.3
_REPEATS = 2
_ENOUGH = 0.05
_LONG = 10.0
_WARM_COLUMNS = 64
_WARM_ROWS = 20
_WARM_DENSITY = 0.2

QR = "LAPACK, QR"
TIMING = "Seconds are the best of at least two runs, or of one that took over ten seconds."
HEADER = ("solver", "seconds", "ratio", "backward error", "residual norm", "passes over A")


@dataclass(frozen=True)
class Run:
    """One solver's answer and what it cost.

    Attributes
    ----------
    solver : str
        Its name in the table.
    x : ndarray or None
        The solution, None where the solver gave up.
    seconds : float
        Of the best run.
    n_passes : int or None
        How often A was read, where that is counted.
    backward_error, residual_norm : float
        As the `Judge` finds them.
    """

    solver: str
    x: NDArray[Any] | None
    seconds: float
    n_passes: int | None = None
    backward_error: float = np.nan
    residual_norm: float = np.nan

    def cells(self, fastest: float) -> list[str]:
        """Return the row of the table; the ratio is to `fastest` seconds."""
        return [
            self.solver,
            seconds(self.seconds),
            ratio(self.seconds / fastest),
            tiny(self.backward_error) if self.x is not None else "failed",
            f"{self.residual_norm:.6g}" if self.x is not None else "failed",
            "-" if self.n_passes is None else str(self.n_passes),
        ]

    def as_dict(self, fastest: float) -> dict[str, Any]:
        """Return the row for JSON."""
        return {
            "solver": self.solver,
            "seconds": self.seconds,
            "ratio": self.seconds / fastest,
            "backward_error": self.backward_error,
            "residual_norm": self.residual_norm,
            "n_passes": self.n_passes,
        }


def timed(solver: str, solve: Callable[[], Any]) -> Run:
    """Run a solver twice, more often if it is quick, once if it is long; keep the best time.

    One that raises ``LinAlgError`` has failed.
    """
    time.sleep(_PAUSE)
    x = None
    elapsed: list[float] = []
    while sum(elapsed) < (_ENOUGH if len(elapsed) >= _REPEATS else _LONG):
        start = time.perf_counter()
        try:
            x = solve()
        except np.linalg.LinAlgError:
            return Run(solver, None, time.perf_counter() - start)
        elapsed.append(time.perf_counter() - start)
    return Run(solver, x, min(elapsed))


def run_lapack(
    A: NDArray[Any],
    b: NDArray[Any],
    drivers: Sequence[Literal["gelsd", "gelsy"]],
    show: Callable[[str], None],
    *,
    qr: bool = True,
) -> list[Run]:
    """Solve by LAPACK's routes, Householder QR with recursive panels first.

    Parameters
    ----------
    A : ndarray, shape (m, n)
        The matrix.
    b : ndarray, shape (m,) or (m, k)
        The right-hand sides.
    drivers : sequence of {"gelsd", "gelsy"}
        Of `scipy.linalg.lstsq`.
    show : callable
        Called with the name of what runs next.
    qr : bool, default True
        Whether QR is among them.

    Returns
    -------
    list of Run
        Not judged yet.
    """

    def solve_qr() -> NDArray[Any]:
        return rnla.lstsq_refine(A, b, method="lapack").x

    def solve(driver: Literal["gelsd", "gelsy"]) -> NDArray[Any]:
        # SciPy no longer takes booleans.
        matrix, rhs = as_inexact(A, "A"), as_inexact(b, "b")
        return np.asarray(lstsq(matrix, rhs, lapack_driver=driver, check_finite=False)[0])

    runs: list[Run] = []
    if qr:
        show(QR)
        runs.append(timed(QR, solve_qr))
    for driver in drivers:
        name = f"LAPACK, {driver}"
        show(name)
        runs.append(timed(name, partial(solve, driver)))
    return runs


def normal_equations(A: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Solve by the Cholesky factor of ``A^H A``: fast, and only as good as the matrix."""
    adjoint = A.conj().T
    factor = cho_factor(adjoint @ A, overwrite_a=True, check_finite=False)
    return np.asarray(cho_solve(factor, adjoint @ b, check_finite=False))


def warm_up(A: Any, b: NDArray[Any]) -> float:
    """Solve a small problem of the same kind and return the seconds that took.

    Numba compiles the kernels the first time, and loads them from its cache afterwards.
    """
    n = min(A.shape[1], _WARM_COLUMNS)
    m = _WARM_ROWS * n
    rng = np.random.default_rng(0)
    sample: Any = rng.standard_normal((m, n)).astype(inexact_dtype(A.dtype, "A"))
    if is_sparse(A):
        sample = csr_array(np.where(rng.random((m, n)) < _WARM_DENSITY, sample, 0))
        sample.indices = sample.indices.astype(A.indices.dtype)
        sample.indptr = sample.indptr.astype(A.indptr.dtype)
    elif A.flags.f_contiguous and not A.flags.c_contiguous:
        sample = np.asfortranarray(sample)
    side = rng.standard_normal((m, *b.shape[1:])).astype(inexact_dtype(b.dtype, "b"))
    start = time.perf_counter()
    rnla.lstsq_refine(sample, side, method="spir", rng=0)
    return time.perf_counter() - start
