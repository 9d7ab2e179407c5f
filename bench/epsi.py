"""Lazy-EPSI against subspace iteration, sweep by sweep, and the rate of EPSI against sketch size.

python bench/epsi.py
python bench/epsi.py --data FOLDER --graphs email-Enron --rank 200 --sweeps 50
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from _graphs import DATA, load
from _report import Report, parser, several
from scipy.sparse.linalg import svds

import rnla
from rnla.testing import haar

_GRAPHS = "email-Enron,amazon0302"
_COLUMNS = {
    "method": "",
    "sweep": "d",
    "within 1e-7": "d",
    "within 1e-4": "d",
    "error of the 9th": ".1e",
    "error of the 10th": ".1e",
    "products": "d",
    "seconds": ".3g",
}
_RATES = {
    "rows of S": "d",
    "c": ".3g",
    "predicted": ".3f",
    "observed": ".3f",
    "sweeps": "d",
}
_FLOOR = 1e-11


def subspace_iteration(A: Any, k: int, sweeps: int) -> tuple[np.ndarray, int]:
    """Return the singular values after each sweep of the usual randomized iteration."""
    rng = np.random.default_rng(1)
    V = rnla.rsvd(A, k, n_iter=0, rng=rng)[2].T
    AT = scipy.sparse.csr_array(A.T)
    history = []
    for _ in range(sweeps + 1):
        Y = A @ V
        U, s, _ = np.linalg.svd(Y, full_matrices=False)
        history.append(s)
        V = np.linalg.qr(AT @ U)[0]
    return np.array(history), 2 * k * sweeps + k


def lazy_epsi(A: Any, k: int, sweeps: int, rank: int) -> tuple[np.ndarray, int]:
    """Return the singular values after each sweep of Lazy-EPSI."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rnla.ConvergenceWarning)
        result = rnla.epsi(
            A, k, hermitian=False, sketch_size=rank, maxiter=sweeps, rtol=1e-14, rng=1
        )
    return result.value_history, result.n_matvec


def compare(A: Any, k: int, sweeps: int, rank: int) -> list[dict[str, Any]]:
    """Return rows for both methods at a few sweeps."""
    exact = np.sort(svds(A, k, ncv=6 * k, tol=0, v0=np.ones(min(A.shape)))[1])[::-1]
    rows = []
    for method, run in (
        ("subspace iteration", lambda: subspace_iteration(A, k, sweeps)),
        (f"Lazy-EPSI, rank {rank}", lambda: lazy_epsi(A, k, sweeps, rank)),
    ):
        start = time.perf_counter()
        history, products = run()
        seconds = time.perf_counter() - start
        errors = np.abs(history - exact)
        for sweep in sorted({0, 5, 10, 15, 25, 40, sweeps}):
            error = errors[min(sweep, len(errors) - 1)]
            rows.append(
                {
                    "method": method,
                    "sweep": sweep,
                    "within 1e-7": int((error <= 1e-7).sum()),
                    "within 1e-4": int((error <= 1e-4).sum()),
                    "error of the 9th": float(error[-2]),
                    "error of the 10th": float(error[-1]),
                    "products": products if sweep == sweeps else None,
                    "seconds": seconds if sweep == sweeps else None,
                    "errors": error.tolist(),
                }
            )
    return rows


def rates(m: int, sizes: list[int]) -> list[dict[str, Any]]:
    """Return predicted and observed rates on the authors' synthetic matrix."""
    n = 50
    A = haar(m, n, rng=0) * np.logspace(0, -3, n) @ haar(n, n, rng=1)
    rows = []
    for size in sizes:
        for c in (0.0, 0.125, np.inf):
            result = rnla.epsi(
                A, c=c, sketch="gaussian", sketch_size=size, predict_rate=True, rng=2
            )
            above = np.flatnonzero(result.history > _FLOOR)
            first, last = max(0, above[-1] - 5), above[-1]
            rows.append(
                {
                    "rows of S": size,
                    "c": c,
                    "predicted": result.rate,
                    "observed": (result.history[last] / result.history[first])
                    ** (1 / max(1, last - first)),
                    "sweeps": result.n_iter,
                }
            )
    return rows


def main(argv: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--data", type=Path, default=DATA, help="folder with the graphs (.npz)")
    options.add_argument("--graphs", type=several(str), default=_GRAPHS)
    options.add_argument("--k", type=int, default=10)
    options.add_argument("--rank", type=int, default=200)
    options.add_argument("--sweeps", type=int, default=50)
    options.add_argument("--sizes", type=several(int), default="150,300,600,1200")
    arguments = options.parse_args(argv)
    report = Report(arguments)
    quick = arguments.quick
    sizes = [150, 300] if quick else arguments.sizes
    report.table(
        "rate of EPSI, 2000 x 50, singular values 1 to 1e-3",
        _RATES,
        rates(500 if quick else 2000, sizes),
    )
    for name in arguments.graphs[:1] if quick else arguments.graphs:
        title, A = load(name, arguments.data, quick)
        rows = compare(A, arguments.k, 10 if quick else arguments.sweeps, arguments.rank)
        report.table(f"{arguments.k} singular values of {title}", _COLUMNS, rows)
    report.finish()


if __name__ == "__main__":
    main()
