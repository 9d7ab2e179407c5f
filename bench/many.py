"""Many right-hand sides, many penalties, sparse matrices: what sharing and sketching save.

The e-mail network is looked for in ``../shared/data`` beside the checkout, or where ``--network``
says, and left out with a line that says so where it is not.

python bench/many.py
python bench/many.py --shapes 1e6x100,1e5x1000 --condition 1e8
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from _problems import randsvd
from _report import Report, parser, several, shape
from _timing import interleaved
from scipy.sparse.linalg import lsmr, lsqr

import rnla
from rnla.lstsq import ridge_path
from rnla.lstsq._certificate import karlson_walden

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
    "steps": "d",
    "backward error": ".1e",
    "× lsqr": ".1f",
    "× lsmr": ".1f",
}
_NETWORK = Path(__file__).resolve().parents[2] / "shared" / "data" / "email-Enron.npz"
_DENSE_ENTRIES = 3e7


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


def sparse_rows(name: str, A: Any, repeat: int, most_steps: int) -> list[dict[str, Any]]:
    """Return rows for a sparse matrix: ours, and SciPy's with as many steps as our error takes."""
    rng = np.random.default_rng(2)
    b = A @ rng.standard_normal(A.shape[1]) + rng.standard_normal(A.shape[0])
    ours = rnla.lstsq_refine(A, b, rng=0)
    error = _judge(A, b)
    solvers = {
        "scipy lsqr": lambda steps: lsqr(A, b, atol=0, btol=0, conlim=0, iter_lim=steps)[0],
        "scipy lsmr": lambda steps: lsmr(A, b, atol=0, btol=0, conlim=0, maxiter=steps)[0],
    }
    own = f"rnla {ours.method}"
    calls = {own: lambda turn=0: rnla.lstsq_refine(A, b, rng=0).x}
    steps = {own: ours.n_iter}
    # A little slack, for errors of a few roundings are chance.
    goal = max(2 * error(ours.x), 4e-16)
    for solver, solve in solvers.items():
        steps[solver] = _steps_to(goal, solve, error, most_steps)
        calls[solver] = lambda turn=0, solve=solve, count=steps[solver]: solve(count)
    seconds = interleaved(calls, repeat)
    return [
        {
            "matrix": name,
            "method": method,
            "min s": min(times),
            "steps": steps[method],
            "backward error": error(calls[method]()),
            "× lsqr": min(seconds["scipy lsqr"]) / min(times),
            "× lsmr": min(seconds["scipy lsmr"]) / min(times),
            "seconds": times,
        }
        for method, times in seconds.items()
    ]


def _steps_to(goal: float, solve: Any, error: Any, most: int) -> int:
    """Return about the fewest steps that reach an error, or the most that are allowed."""
    low, high = 0, 8
    while error(solve(high)) > goal:
        if high >= most:
            return most
        low, high = high, min(2 * high, most)
    while high - low > max(1, high // 8):
        middle = (low + high) // 2
        low, high = (low, middle) if error(solve(middle)) <= goal else (middle, high)
    return high


def _judge(A: Any, b: np.ndarray) -> Any:
    """Return the function that measures backward errors, by one factor of A for all of them."""
    dense_entries = A.shape[0] * A.shape[1]
    factor = np.linalg.qr(A.toarray(), mode="r") if dense_entries <= _DENSE_ENTRIES else None
    norm = float(np.sqrt((A.multiply(A)).sum()))

    def error(x: np.ndarray) -> float:
        r = b - A @ x
        if factor is None:
            # An upper bound for large ones: ||A^T r|| / (||A||_F ||r||).
            return float(np.linalg.norm(A.T @ r) / (norm * np.linalg.norm(r)))
        sizes = float(np.linalg.norm(r)), float(np.linalg.norm(x))
        return karlson_walden(factor, A.T @ r, *sizes) / norm

    return error


def network_columns(path: Path, n: int) -> Any:
    """Return the columns of the `n` accounts with the most partners, over accounts that write."""
    A = scipy.sparse.csr_array(scipy.sparse.load_npz(path)).astype(float)
    degrees = np.diff(A.indptr)
    busiest = np.sort(np.argsort(-degrees, kind="stable")[:n])
    return scipy.sparse.csr_array(A[:, busiest])


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
    options.add_argument("--network", type=Path, default=_NETWORK)
    options.add_argument("--network-columns", type=several(int), default=[300, 800])
    options.add_argument("--most-steps", type=int, default=2000, help="of lsqr and lsmr")
    options.add_argument("--repeat", type=int, default=3)
    arguments = options.parse_args(argv)
    if arguments.quick:
        arguments.shapes, arguments.condition = [(2000, 20)], [1e2]
        arguments.sparse_shape, arguments.repeat = (3000, 20), 1
        arguments.network_columns, arguments.most_steps = [10], 20
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
        rows += sparse_rows(name, A, arguments.repeat, arguments.most_steps)
    left_out = None
    if arguments.network.exists():
        for columns in arguments.network_columns:
            A = network_columns(arguments.network, columns)
            name = f"{arguments.network.stem}, {A.shape[0]} x {columns} busiest"
            rows += sparse_rows(name, A, arguments.repeat, arguments.most_steps)
    else:
        left_out = f"The e-mail network is left out: there is no {arguments.network.name}."
    report.table("Sparse", _SPARSE_COLUMNS, rows)
    if left_out:
        report.note(left_out)
    report.finish()


if __name__ == "__main__":
    main()
