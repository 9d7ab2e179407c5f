"""Products that traces of functions take, beside published counts; log-determinants beside imate.

python bench/trace_function.py
python bench/trace_function.py --trials 100 --tables counts
python bench/trace_function.py --tables logdet --imate /path/to/python
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from _report import Report, parser, several
from _timing import interleaved, once
from scipy.sparse.linalg import splu

import rnla

# Chen and Hallman (2023), mean products of 100 runs at a failure probability of 5 % for
# tolerances 2^-2 ... 2^-7: their adaptive algorithm, and adaptive Hutch++.
NUCLEAR = {
    2: (266, 516),
    3: (335, 719),
    4: (479, 1322),
    5: (747, 3012),
    6: (1270, 6881),
    7: (2199, 15941),
}
# Persson and Kressner (2023), mean relative errors of funNyström++ at n = 5000.
FUN_NYSTROM = [
    ("log(1 + x)", "100 / i^2", 120, 5.7e-3),
    ("log(1 + x)", "100 / i^2", 600, 3.5e-4),
    ("log(1 + x)", "100 / i^2", 1200, 7.9e-5),
    ("x / (x + 0.1)", "exp(-i / 100)", 1200, 3.6e-4),
]
FUNCTIONS = {"log(1 + x)": np.log1p, "x / (x + 0.1)": lambda x: x / (x + 0.1)}
TABLES = ("counts", "nystrom", "spins", "logdet")

# Run by the interpreter that has imate: reads a matrix, prints seconds and the estimate.
IMATE = """
import json, sys, time
import imate, scipy.sparse
A = scipy.sparse.csr_matrix(scipy.sparse.load_npz(sys.argv[1]))
found = []
for seed in range(int(sys.argv[2])):
    start = time.perf_counter()
    value, info = imate.logdet(
        A, method="slq", min_num_samples=int(sys.argv[3]), max_num_samples=int(sys.argv[3]),
        lanczos_degree=int(sys.argv[4]), orthogonalize=int(sys.argv[5]), seed=seed + 1,
        num_threads=int(sys.argv[6]), return_info=True,
    )
    found.append((time.perf_counter() - start, float(value)))
print(json.dumps(found))
"""
# Its vectors are orthogonalised against all before them, or against none: its default.
IMATE_RUNS = {"imate slq, orthogonal": -1, "imate slq": 0}


def counts(report: Report, trials: int) -> None:
    """Nuclear norm of i^-1.5, n = 2500: products until the tolerance is met."""
    eigenvalues = np.arange(1.0, 2501) ** -1.5
    # Rotation-invariant vectors see nothing of the eigenvectors.
    A = scipy.sparse.diags_array(eigenvalues).tocsr()
    exact = float(np.sqrt(eigenvalues).sum())
    rows = []
    for p, (krylov, hutch) in NUCLEAR.items():
        runs = [rnla.trace_function(np.sqrt, A, rtol=2.0**-p, rng=seed) for seed in range(trials)]
        errors = np.array([abs(run.value - exact) / exact * 2**p for run in runs])
        products = float(np.mean([run.n_matvec for run in runs]))
        rows.append(
            {
                "tolerance": f"2^-{p}",
                "products": products,
                "Chen-Hallman": krylov,
                "A-Hutch++": hutch,
                "ratio": products / krylov,
                "mean error / tolerance": float(errors.mean()),
                "failures": float(np.mean(errors > 1)),
            }
        )
    columns = {
        "tolerance": "",
        "products": ".0f",
        "Chen-Hallman": "d",
        "A-Hutch++": "d",
        "ratio": ".2f",
        "mean error / tolerance": ".2f",
        "failures": ".2f",
    }
    report.table(f"nuclear norm, eigenvalues i^-1.5, n = 2500, {trials} runs", columns, rows)
    report.note("published counts at confidence 95 %, as here; ratio is to Chen-Hallman's")


def nystrom(report: Report, trials: int, quick: bool) -> None:
    """Errors of funNyström++ at a given number of products, n = 5000."""
    i = np.arange(1.0, 5001)
    spectra = {"100 / i^2": 100 * i**-2, "exp(-i / 100)": np.exp(-i / 100)}
    rows = []
    for function, spectrum, matvecs, published in FUN_NYSTROM[: 1 if quick else None]:
        f, eigenvalues = FUNCTIONS[function], spectra[spectrum]
        A, exact = scipy.sparse.diags_array(eigenvalues).tocsr(), f(eigenvalues).sum()
        row: dict[str, Any] = {"f": function, "eigenvalues": spectrum, "products": matvecs}
        for method, vectors in (("fun_nystrom", "sphere"), ("krylov_aware", "auto")):
            errors, bars = [], []
            for seed in range(trials):
                options = {"method": method, "test_vectors": vectors, "rng": seed}
                run = rnla.trace_function(f, A, matvecs, **options)
                errors.append(abs(run.value - exact) / exact)
                bars.append(run.radius() / exact)
            row[method], row[f"{method} bar"] = float(np.mean(errors)), float(np.mean(bars))
        row["published"] = published
        row["ratio"] = row["fun_nystrom"] / published
        rows.append(row)
    columns = {
        "f": "",
        "eigenvalues": "",
        "products": "d",
        "fun_nystrom": ".1e",
        "fun_nystrom bar": ".1e",
        "krylov_aware": ".1e",
        "krylov_aware bar": ".1e",
        "published": ".1e",
        "ratio": ".2f",
    }
    report.table(f"mean relative errors and half-widths, n = 5000, {trials} runs", columns, rows)
    report.note("ratio is that of fun_nystrom to the published error of funNyström++")


def spins(report: Report, trials: int, size: int) -> None:
    """Compute the partition function of an Ising ring, all temperatures from one run."""
    states = np.arange(2**size)
    ring = (states >> 1) | ((states & 1) << (size - 1))
    broken = np.array([bin(x).count("1") for x in states ^ ring])
    rows_, columns_ = (
        np.tile(states, size),
        np.concatenate([states ^ (1 << j) for j in range(size)]),
    )
    flips = scipy.sparse.csr_array((np.full(len(rows_), -1.0), (rows_, columns_)))
    H = (scipy.sparse.diags_array(2.0 * broken - size) + flips).tocsr()
    rows = []
    betas = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
    errors: dict[float, list[float]] = {beta: [] for beta in betas}
    bars: dict[float, list[float]] = {beta: [] for beta in betas}
    for seed in range(trials):
        run = rnla.trace_function(lambda x: np.exp(-(x + 2 * size)), H, 640, rng=seed)
        for beta in betas:
            found = run.quadrature.trace(lambda x, beta=beta: np.exp(-beta * (x + 2 * size)))
            exact = np.exp(_log_partition(size, beta) - 2 * size * beta)
            errors[beta].append(abs(found.value - exact) / exact)
            bars[beta].append(found.radius() / exact)
    rows = [
        {
            "beta": beta,
            "mean error": float(np.mean(errors[beta])),
            "mean half-width": float(np.mean(bars[beta])),
            "covered": float(np.mean(np.less_equal(errors[beta], bars[beta]))),
        }
        for beta in betas
    ]
    columns = {"beta": "g", "mean error": ".1e", "mean half-width": ".1e", "covered": ".2f"}
    title = f"partition function, {size} spins, one run of 640 products, {trials} runs"
    report.table(title, columns, rows)


def _log_partition(size: int, beta: float) -> float:
    even = np.arange(1 - size, size, 2) * np.pi / size
    odd = np.arange(-size // 2, size // 2) * 2 * np.pi / size
    logs = []
    for k, sign in ((even, 1), (odd, -1)):
        eps = 2 * np.sqrt(np.maximum(2 + 2 * np.cos(k), 0))
        if sign < 0:
            eps[0], eps[size // 2] = -4.0, 0.0
        whole = np.sum(np.log1p(np.exp(-beta * eps)))
        alternating = np.prod(np.tanh(beta * eps / 2))
        logs.append(beta * eps.sum() / 2 + whole + np.log((1 + sign * alternating) / 2))
    return float(np.logaddexp(*logs))


def logdet(
    report: Report, n: int, repeat: int, python: Path | None, budgets: list[tuple[int, int]]
) -> None:
    """Log-determinants of sparse matrices with known answers, beside imate."""
    k = round(np.sqrt(n))
    L = scipy.sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(k, k))
    mu = 4 * np.sin(np.arange(1, k + 1) * np.pi / (2 * k + 2)) ** 2
    B = scipy.sparse.diags_array([2.0, 1.0], offsets=[0, 1], shape=(n, n))
    problems = {
        f"Laplacian {k} x {k}": (
            scipy.sparse.kronsum(L, L, format="csr"),
            float(np.log(mu + mu[:, None]).sum()),
        ),
        f"Toeplitz {n}": ((B.T @ B).tocsr(), 2 * n * np.log(2.0)),
    }
    for title, (A, exact) in problems.items():
        rows = []
        for samples, degree in budgets:
            matvecs = samples * degree
            contenders: dict[str, tuple[list[float], list[float], list[float]]] = {}
            calls = {
                "rnla slq, same degree": {"method": "slq", "degree": degree},
                "rnla slq": {"method": "slq"},
                "rnla auto": {},
            }
            for name, options in calls.items():
                found: list[Any] = []

                def call(
                    turn: int,
                    A: Any = A,
                    matvecs: int = matvecs,
                    options: Any = options,
                    found: list[Any] = found,
                ) -> None:
                    found.append(rnla.logdet(A, matvecs, rng=turn, **options))

                call(repeat)
                found.clear()
                seconds = interleaved({name: call}, repeat)[name]
                contenders[name] = (
                    seconds,
                    [abs(run.value - exact) / abs(exact) for run in found],
                    [run.radius() / abs(exact) for run in found],
                )
            for name, orthogonalize in IMATE_RUNS.items() if python is not None else ():
                pairs = _imate(python, A, repeat, samples, degree, orthogonalize)
                contenders[name] = (
                    [second for second, _ in pairs],
                    [abs(value - exact) / abs(exact) for _, value in pairs],
                    [],
                )
            rows += [
                {
                    "method": name,
                    "products": matvecs,
                    "min s": min(seconds),
                    "mean error": float(np.mean(errors)),
                    "half-width": float(np.mean(bars)) if bars else None,
                }
                for name, (seconds, errors, bars) in contenders.items()
            ]
        columns = {
            "method": "",
            "products": "d",
            "min s": ".2f",
            "mean error": ".1e",
            "half-width": ".1e",
        }
        report.table(f"log-determinant, {title}", columns, rows)
        if python is None:
            report.note("imate was left out: pass --imate with an interpreter that has it")
    _factor_note(report, problems)


def _factor_note(report: Report, problems: dict[str, Any]) -> None:
    for title, (A, exact) in problems.items():
        seconds, factor = once(lambda A=A: splu(A.tocsc()))
        value = np.log(np.abs(factor.U.diagonal())).sum()
        report.note(
            f"{title}: SciPy's sparse LU takes {seconds:.2f} s, relative error "
            f"{abs(value - exact) / exact:.0e}"
        )


def _imate(
    python: Path, A: Any, repeat: int, samples: int, degree: int, orthogonalize: int
) -> list[tuple[float, float]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "A.npz"
        scipy.sparse.save_npz(path, scipy.sparse.csr_matrix(A))
        time.sleep(0.5)
        command = [python, "-c", IMATE, path, repeat, samples, degree]
        command += [orthogonalize, rnla.get_num_threads()]
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, check=True
        )
    return [tuple(pair) for pair in json.loads(done.stdout.strip().splitlines()[-1])]


def main(argv: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--tables", type=several(str), default=list(TABLES))
    options.add_argument("--trials", type=int, default=100)
    options.add_argument("--spins", type=int, default=14)
    options.add_argument("--order", type=int, default=100_000, help="of the sparse matrices")
    options.add_argument("--repeat", type=int, default=5)
    options.add_argument("--imate", type=Path, metavar="PYTHON", help="interpreter that has imate")
    arguments = options.parse_args(argv)
    if arguments.quick:
        arguments.trials, arguments.spins, arguments.order, arguments.repeat = 1, 8, 900, 1
    report = Report(arguments)
    if "counts" in arguments.tables:
        counts(report, arguments.trials)
    if "nystrom" in arguments.tables:
        nystrom(report, max(2, arguments.trials // 5), arguments.quick)
    if "spins" in arguments.tables:
        spins(report, max(2, arguments.trials // 10), arguments.spins)
    if "logdet" in arguments.tables:
        budgets = [(4, 10)] if arguments.quick else [(10, 30), (20, 60)]
        logdet(report, arguments.order, arguments.repeat, arguments.imate, budgets)
    report.finish()


if __name__ == "__main__":
    main()
