"""Compare eigsh with SciPy's: what is missed, products, seconds, sequences.

python bench/eigsh.py
python bench/eigsh.py --tables missed --seeds 10
python bench/eigsh.py --tables seconds --dense 4000 --k 10,50,200
python bench/eigsh.py --tables middle --middle 500,1000,1500,2000,3000
python bench/eigsh.py --tables components --repeat 3
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from _machine import median
from _report import Report, parser, several
from _timing import interleaved
from scipy.sparse.linalg import LinearOperator

import rnla
from rnla.eigen import solve

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import eigen_cases as cases

ENRON = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "email-Enron.npz"
TABLES = ("missed", "seconds", "middle", "components", "sequence")
TOLERANCES = [0.0, 1e-10, 1e-8, 1e-6, 1e-4]
CHANGES = [1e-4, 1e-3, 1e-2]
MISSED = {
    "spectrum": "",
    "n": "d",
    "tol": ".0e",
    "runs": "d",
    "rnla wrong": "d",
    "ARPACK wrong": "d",
    "rnla products": ".0f",
    "ARPACK products": ".0f",
    "× ARPACK(tol=0)": ".2f",
}
SECONDS = {
    "matrix": "",
    "k": "d",
    "solver": "",
    "min s": ".3f",
    "median s": ".3f",
    "products": "d",
    "residual": ".1e",
    "× faster": ".2f",
}
COMPONENTS = {
    "graph": "",
    "k": "d",
    "tol": ".0e",
    "solver": "",
    "min s": ".3f",
    "products": "d",
    "wrong": "d",
    "× faster": ".2f",
}
SEQUENCE = {
    "spectrum": "",
    "change": ".0e",
    "k": "d",
    "rnla products": ".1f",
    "rnla passes": ".1f",
    "ARPACK + v0 products": ".1f",
    "share": ".2f",
    "error": ".0e",
}


def counted(A: Any) -> tuple[LinearOperator, list[int]]:
    """Return A as an operator that counts its products with vectors."""
    count = [0]

    def matvec(x: np.ndarray) -> np.ndarray:
        count[0] += 1
        return np.asarray(A @ x.ravel())

    return LinearOperator(A.shape, matvec=matvec, dtype=A.dtype), count


def arpack(A: Any, case: Any, tol: float, seed: int) -> tuple[np.ndarray, int]:
    operator, count = counted(A)
    start = np.random.default_rng(seed).uniform(-1, 1, A.shape[0])
    w = scipy.sparse.linalg.eigsh(
        operator, case.k, which=case.which, tol=tol, v0=start, return_eigenvectors=False
    )
    return w, count[0]


def missed_rows(n: int, seeds: int, tolerances: list[float]) -> list[dict[str, Any]]:
    rows = []
    for number, case in enumerate(cases.misconvergence(n)):
        exact = []
        for tol in tolerances:
            ours, theirs = [], []
            for seed in range(seeds):
                A = case.build(np.random.default_rng([number, seed]))
                result = solve(A, case.k, which=case.which, tol=tol, method="lanczos", rng=seed)
                ours.append((cases.wrong_set(case, result.values, tol), result.n_matvec))
                w, products = arpack(A, case, tol, seed)
                theirs.append((cases.wrong_set(case, w, tol), products))
            wrong, products = np.array(ours).T
            their_wrong, their_products = np.array(theirs).T
            if tol == tolerances[0]:
                exact = their_products
            rows.append(
                {
                    "spectrum": f"{case.name} ({case.which} {case.k})",
                    "n": A.shape[0],
                    "tol": tol,
                    "runs": seeds,
                    "rnla wrong": int(wrong.sum()),
                    "ARPACK wrong": int(their_wrong.sum()),
                    "rnla products": float(products.mean()),
                    "ARPACK products": float(their_products.mean()),
                    "× ARPACK(tol=0)": float(products.mean() / np.mean(exact)),
                }
            )
    return rows


def kernel_matrix(n: int) -> np.ndarray:
    """Return an RBF kernel of points in clusters, as of images of digits."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((10, 64))
    X = centres[rng.integers(10, size=n)] + 0.5 * rng.standard_normal((n, 64))
    squares = (X * X).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * X @ X.T, 0)
    return np.exp(-distances / 64)


def random_symmetric(n: int) -> np.ndarray:
    """Return a matrix with eigenvalues from a semicircle, whose end no polynomial finds soon."""
    A = np.random.default_rng(0).standard_normal((n, n))
    return A + A.T


def timed_rows(name: str, A: Any, k: int, repeat: int, tol: float) -> list[dict[str, Any]]:
    start = np.random.default_rng(1).uniform(-1, 1, A.shape[0])
    contenders: dict[str, Callable[[Any], Any]] = {
        "scipy eigsh": lambda M: scipy.sparse.linalg.eigsh(M, k, which="LA", v0=start, tol=tol),
        "rnla eigsh": lambda M: rnla.eigsh(M, k, which="LA", tol=tol, rng=1),
        "rnla, verify=False": lambda M: rnla.eigsh(M, k, which="LA", tol=tol, rng=1, verify=False),
    }
    facts = {}
    for label, call in contenders.items():
        w, X = call(A)
        residual = float(np.linalg.norm(A @ X - X * w, axis=0).max() / np.abs(w).max())
        if label.startswith("scipy"):
            operator, count = counted(A)
            call(operator)
            products = count[0]
        else:
            verify = "False" not in label
            products = solve(A, k, which="LA", tol=tol, rng=1, verify=verify).n_matvec
        facts[label] = (residual, products)
    seconds = interleaved(
        {label: lambda turn, call=call: call(A) for label, call in contenders.items()}, repeat
    )
    base = min(seconds["scipy eigsh"])
    return [
        {
            "matrix": name,
            "k": k,
            "solver": label,
            "min s": min(runs),
            "median s": median(runs),
            "products": facts[label][1],
            "residual": facts[label][0],
            "× faster": None if label == "scipy eigsh" else base / min(runs),
        }
        for label, runs in seconds.items()
    ]


def sequence_rows(n: int, length: int, changes: list[float]) -> list[dict[str, Any]]:
    i = np.arange(n)
    spectra = {
        "exp(-i/20)": np.exp(-i / 20),
        "exp(-i/60)": np.exp(-i / 60),
        "1/(1+i)": 1 / (1.0 + i),
        "6 above linear": np.concatenate([np.linspace(1.5, 1.15, 6), np.linspace(1, 0, n - 6)]),
    }
    return [
        sequence_row(name, spectrum, change, k, length)
        for name, spectrum in spectra.items()
        for change in changes
        for k in (1, 5, 20)
    ]


def sequence_row(
    name: str, spectrum: np.ndarray, change: float, k: int, length: int
) -> dict[str, Any]:
    n, rng = len(spectrum), np.random.default_rng(0)
    A = cases.hermitian(spectrum, rng)
    result = solve(A, k, which="LA", tol=1e-6, method="lanczos", rng=rng)
    vectors = scipy.sparse.linalg.eigsh(A, k, which="LA", tol=1e-6, v0=np.ones(n))[1]
    ours, passes, theirs, errors = [], [], [], []
    for _ in range(length):
        E = rng.standard_normal((n, n))
        E = E + E.T
        A = A + E * (change / np.linalg.norm(E, 2))
        result = solve(
            A, k, which="LA", tol=1e-6, v0=result.vectors, surrogate=result, verify=False, rng=rng
        )
        operator, count = counted(A)
        vectors = scipy.sparse.linalg.eigsh(
            operator, k, which="LA", tol=1e-6, v0=vectors.sum(axis=1)
        )[1]
        ours.append(result.n_matvec)
        passes.append(result.n_passes)
        theirs.append(count[0])
        errors.append(np.abs(result.values - np.linalg.eigvalsh(A)[-k:]).max())
    return {
        "spectrum": name,
        "change": change,
        "k": k,
        "rnla products": float(np.mean(ours)),
        "rnla passes": float(np.mean(passes)),
        "ARPACK + v0 products": float(np.mean(theirs)),
        "share": float(np.mean(ours) / np.mean(theirs)),
        "error": float(max(errors)),
    }


def seconds_table(report: Report, arguments: Any) -> None:
    rows = []
    for n in arguments.dense:
        A = kernel_matrix(n)
        for k in arguments.k:
            rows += timed_rows(f"RBF kernel {n}", A, k, arguments.repeat, arguments.tol)
    if arguments.grid:
        L = cases.square_laplacian(arguments.grid)[0]
        for k in arguments.grid_k:
            title = f"square grid {arguments.grid}"
            rows += timed_rows(title, L, k, arguments.repeat, arguments.tol)
    if ENRON.exists():
        E = scipy.sparse.load_npz(ENRON).astype(float).tocsr()
        for k in arguments.sparse_k:
            rows += timed_rows("email-Enron", E, k, arguments.repeat, arguments.tol)
    report.table(f"Seconds, tol={arguments.tol:.0e}", SECONDS, rows)
    if not ENRON.exists():
        report.note(f"{ENRON.name} is not there: no times for it")


def middle_table(report: Report, arguments: Any) -> None:
    rows = []
    for n in arguments.middle:
        for name, A in (("RBF kernel", kernel_matrix(n)), ("random", random_symmetric(n))):
            for k in arguments.middle_k:
                rows += timed_rows(f"{name} {n}", A, k, arguments.repeat, arguments.tol)
    report.table(f"Seconds, dense, tol={arguments.tol:.0e}", SECONDS, rows)


def normalised(A: Any) -> Any:
    """Return the normalised adjacency matrix: 1 is an eigenvalue once for each component."""
    A = ((A + A.T) > 0).astype(float)
    scale = scipy.sparse.diags_array(1 / np.sqrt(np.maximum(1, A.sum(axis=1))))
    return scipy.sparse.csr_array(scale @ A @ scale)


def many_components(n: int, rng: np.random.Generator) -> Any:
    """Return a graph of which a fifth are small components, beside a large one."""
    large, small = n - n // 5, n // 5
    i, j = rng.integers(large, size=(2, 5 * large))
    first = large + 4 * rng.integers(small // 4, size=2 * small)
    rows, columns = np.append(i, first), np.append(j, first + rng.integers(1, 4, size=2 * small))
    ones = np.ones(len(rows))
    return scipy.sparse.coo_array((ones, (rows, columns)), shape=(n, n)).tocsr()


def components_table(report: Report, arguments: Any) -> None:
    n = 500 if arguments.quick else 20_000
    graphs = {f"random, {n} nodes": many_components(n, np.random.default_rng(0))}
    if ENRON.exists() and not arguments.quick:
        graphs["email-Enron"] = scipy.sparse.load_npz(ENRON)
    rows = []
    for name, graph in graphs.items():
        A = normalised(graph)
        start = np.random.default_rng(1).uniform(-1, 1, A.shape[0])
        for k in arguments.components_k:
            for tol in (0.0, 1e-10):
                options = {"k": k, "which": "LA", "tol": tol}
                calls = {
                    "scipy eigsh": lambda turn, A=A, options=options, v0=start: (
                        scipy.sparse.linalg.eigsh(A, v0=v0, **options)
                    ),
                    "rnla eigsh": lambda turn, A=A, options=options: rnla.eigsh(
                        A, rng=1, **options
                    ),
                }
                wrong = {label: np.sum(call(0)[0] < 1 - 1e-8) for label, call in calls.items()}
                operator, count = counted(A)
                scipy.sparse.linalg.eigsh(operator, v0=start, **options)
                products = {
                    "scipy eigsh": count[0],
                    "rnla eigsh": solve(A, rng=1, **options).n_matvec,
                }
                seconds = interleaved(calls, arguments.repeat)
                base = min(seconds["scipy eigsh"])
                rows += [
                    {
                        "graph": name,
                        "k": k,
                        "tol": tol,
                        "solver": label,
                        "min s": min(runs),
                        "products": products[label],
                        "wrong": int(wrong[label]),
                        "× faster": None if label == "scipy eigsh" else base / min(runs),
                    }
                    for label, runs in seconds.items()
                ]
    report.table("Normalised graphs with many components: copies of 1", COMPONENTS, rows)


def main(argv: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--tables", type=several(str), default=list(TABLES))
    options.add_argument("--orders", type=several(int), default=[300, 600])
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--dense", type=several(int), default=[4000])
    options.add_argument("--k", type=several(int), default=[10, 50, 200])
    options.add_argument("--sparse-k", type=several(int), default=[6, 50, 100])
    options.add_argument("--middle", type=several(int), default=[500, 1000, 1500, 2000, 3000])
    options.add_argument("--middle-k", type=several(int), default=[1, 6, 20])
    options.add_argument("--grid", type=int, default=150, help="of so many points a side; 0: none")
    options.add_argument("--grid-k", type=several(int), default=[1, 2, 6, 12, 24])
    options.add_argument("--components-k", type=several(int), default=[6, 20])
    options.add_argument("--repeat", type=int, default=5)
    options.add_argument("--length", type=int, default=20)
    options.add_argument("--tol", type=float, default=1e-10)
    arguments = options.parse_args(argv)
    if arguments.quick:
        arguments.orders, arguments.seeds, arguments.repeat = [120], 1, 1
        arguments.dense, arguments.k, arguments.sparse_k, arguments.length = [400], [6], [], 1
        arguments.grid, arguments.grid_k = 12, [4]
        arguments.middle, arguments.middle_k = [200], [2]
        arguments.components_k = [2]
    tolerances, changes = (
        (TOLERANCES[:1], CHANGES[:1]) if arguments.quick else (TOLERANCES, CHANGES)
    )
    report = Report(arguments)
    if "missed" in arguments.tables:
        rows = [
            row for n in arguments.orders for row in missed_rows(n, arguments.seeds, tolerances)
        ]
        report.table("Wrong sets of eigenvalues, and products with A", MISSED, rows)
        report.note(
            f"rnla: {sum(row['rnla wrong'] for row in rows)} wrong, "
            f"ARPACK: {sum(row['ARPACK wrong'] for row in rows)} wrong "
            f"of {sum(row['runs'] for row in rows)} runs"
        )
    if "seconds" in arguments.tables:
        seconds_table(report, arguments)
    if "middle" in arguments.tables:
        middle_table(report, arguments)
    if "components" in arguments.tables:
        components_table(report, arguments)
    if "sequence" in arguments.tables:
        n = 120 if arguments.quick else 800
        rows = sequence_rows(n, arguments.length, changes)
        report.table(f"Sequences of {arguments.length} matrices, tol=1e-6", SEQUENCE, rows)
    report.finish()


if __name__ == "__main__":
    main()
