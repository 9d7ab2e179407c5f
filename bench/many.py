"""Many right-hand sides, many penalties, sparse matrices: what sharing and sketching save.

python bench/many.py
python bench/many.py --shapes 1e6x100,1e5x1000 --condition 1e8
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse
from _problems import randsvd
from _report import Report, parser, several, shape
from _timing import interleaved
from scipy.sparse.linalg import lsqr

import rnla
from rnla.lstsq import backward_error, ridge_path

_COUNTS = 32, 20
_COLUMNS = {
    "what": "",
    "method": "",
    "min s": ".4g",
    "reads": "d",
    "backward error": ".1e",
    "× one": ".2f",
}
_SPARSE_COLUMNS = {
    "matrix": "",
    "method": "",
    "min s": ".4g",
    "backward error": ".1e",
    "× lsqr": ".1f",
}


def shared(m: int, n: int, condition: float, repeat: int) -> list[dict[str, Any]]:
    """Return rows for one right-hand side, 32 of them, and 20 penalties."""
    problem = randsvd(m, n, condition=condition, order="C", reference=False)
    A, b = problem.A, problem.b
    rng = np.random.default_rng(1)
    rhs, penalties = _COUNTS
    B = b[:, None] + 1e-3 * np.linalg.norm(b) / np.sqrt(m) * rng.standard_normal((m, rhs))
    damps = np.logspace(-10, 0, penalties) * np.linalg.norm(problem.R)
    calls = {
        "one right-hand side": lambda turn=0: rnla.lstsq_refine(A, b, rng=0),
        f"{rhs} right-hand sides": lambda turn=0: rnla.lstsq_refine(A, B, rng=0),
        f"{penalties} penalties": lambda turn=0: ridge_path(A, b, damps, rng=0),
    }
    results = {what: call() for what, call in calls.items()}
    seconds = interleaved(calls, repeat)
    one = min(seconds["one right-hand side"])
    return [
        {
            "what": what,
            "method": getattr(results[what], "method", None),
            "min s": min(times),
            "reads": results[what].n_passes,
            "backward error": float(np.max(results[what].backward_error)),
            "× one": min(times) / one,
            "seconds": times,
        }
        for what, times in seconds.items()
    ]


def sparse_rows(name: str, A: Any, repeat: int) -> list[dict[str, Any]]:
    """Return rows for a sparse matrix: ours, and lsqr as far as it gets to our backward error."""
    rng = np.random.default_rng(2)
    b = A @ rng.standard_normal(A.shape[1]) + rng.standard_normal(A.shape[0])
    ours = rnla.lstsq_refine(A, b, rng=0)
    # Its tolerances are not backward errors in our sense: ask for the most it can do.
    calls = {
        f"rnla {ours.method}": lambda turn=0: rnla.lstsq_refine(A, b, rng=0).x,
        "scipy lsqr": lambda turn=0: lsqr(A, b, atol=1e-15, btol=1e-15, conlim=0, iter_lim=5000)[0],
    }
    solutions = {method: call() for method, call in calls.items()}
    seconds = interleaved(calls, repeat)
    reference = min(seconds["scipy lsqr"])
    small = A.shape[0] * A.shape[1] <= 3e7
    return [
        {
            "matrix": name,
            "method": method,
            "min s": min(times),
            "backward error": _error(A, b, solutions[method], small),
            "× lsqr": reference / min(times),
            "seconds": times,
        }
        for method, times in seconds.items()
    ]


def _error(A: Any, b: np.ndarray, x: np.ndarray, small: bool) -> float:
    if small:
        return backward_error(A, b, x, exact=False)
    # An upper bound for large ones: ||A^T r|| / (||A||_F ||r||).
    r = b - A @ x
    norm = np.sqrt((A.multiply(A)).sum())
    return float(np.linalg.norm(A.T @ r) / (norm * np.linalg.norm(r)))


def random_rows(m: int, n: int, spread: float) -> Any:
    """Return three entries of either sign per row; with `spread`, columns mixed with neighbours.

    Then column j + 1 has 1 to ``10**spread`` times column j added: no column scaling undoes it.
    """
    rng = np.random.default_rng(3)
    columns = rng.integers(0, n, 3 * m)
    signs = rng.choice([-1.0, 1.0], 3 * m)
    A = scipy.sparse.csr_array((signs, columns, np.arange(0, 3 * m + 1, 3)), shape=(m, n))
    mixing = scipy.sparse.eye_array(n, format="csr") + scipy.sparse.diags_array(
        np.logspace(0, spread, n - 1), offsets=1, shape=(n, n)
    )
    A = scipy.sparse.csr_array(A @ mixing) if spread else A
    A.sum_duplicates()
    return A


def main(argv: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument(
        "--shapes", type=several(shape), default=[(1_000_000, 100), (200_000, 500)]
    )
    options.add_argument("--condition", type=several(float), default=[1e2, 1e8])
    options.add_argument("--sparse-shape", type=shape, default=(1_000_000, 500))
    options.add_argument("--repeat", type=int, default=3)
    arguments = options.parse_args(argv)
    if arguments.quick:
        arguments.shapes, arguments.condition = [(2000, 20)], [1e2]
        arguments.sparse_shape, arguments.repeat = (3000, 20), 1
    warnings.simplefilter("ignore", rnla.ConvergenceWarning)
    report = Report(arguments)
    for m, n in arguments.shapes:
        for condition in arguments.condition:
            rows = shared(m, n, condition, arguments.repeat)
            report.table(f"{m} x {n}, condition {condition:.0e}", _COLUMNS, rows)
    m, n = arguments.sparse_shape
    rows = []
    for spread in (0.0, 2.0):
        A = random_rows(m, n, spread)
        name = f"3 per row, {m} x {n}, spread 1e{spread:.0f}"
        rows += sparse_rows(name, A, arguments.repeat)
    report.table("Sparse", _SPARSE_COLUMNS, rows)
    report.finish()


if __name__ == "__main__":
    main()
