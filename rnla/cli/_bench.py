"""The command `bench`: the limits of this machine, and rnla beside LAPACK on it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import rnla
from rnla.cli._compare import TIMING, run_lapack, timed, warm_up
from rnla.cli._errors import solver_errors
from rnla.cli._judge import Judge
from rnla.cli._memory import check_memory
from rnla.cli._options import natural_int
from rnla.cli._progress import Progress
from rnla.cli._report import print_json, print_table, ratio, seconds, tiny

if TYPE_CHECKING:
    from rnla.cli._options import Commands

HEADER = (
    "rows x columns",
    "condition",
    "method",
    "rnla, s",
    "passes",
    "gelsd, s",
    "gelsy, s",
    "QR, s",
    "ratio",
    "error, rnla",
    "error, LAPACK",
)
_COPIES = 2.2


class Case(NamedTuple):
    """One problem of the table."""

    rows: int
    columns: int
    condition: float


_CASES = (
    Case(300_000, 50, 1e2),
    Case(200_000, 100, 1e10),
    Case(100_000, 300, 1e6),
    Case(20_000, 500, 1e6),
    Case(2_000, 500, 1e6),
    Case(1_000, 20, 1e2),
)
_QUICK_CASES = (Case(4_000, 20, 1e2), Case(3_000, 40, 1e6))


def add_parser(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    text = "the limits of this machine, and rnla beside LAPACK on it"
    parser = commands.add_parser("bench", parents=[common], help=text, description=f"{text}.")
    parser.add_argument(
        "--quick", action="store_true", help="sizes that say nothing about speed, to try it out"
    )
    parser.add_argument("--seed", type=natural_int, default=0, metavar="N", help="default: 0")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Measure the machine, solve every case in every way, print the table."""
    cases = _QUICK_CASES if options.quick else _CASES
    check_memory(
        max(_COPIES * 8 * case.rows * case.columns for case in cases), "the bench", "use --quick"
    )
    rng = np.random.default_rng(options.seed)
    with Progress() as progress, solver_errors():
        progress.show("memory bandwidth")
        bandwidth = read_bandwidth(1 << 20 if options.quick else 1 << 26)
        progress.show("matrix product")
        product = product_rate(200 if options.quick else 2000)
        measured = []
        for case in cases:
            progress.show(f"{case.rows} x {case.columns}")
            measured.append(_measure(case, rng, options.seed, progress))
    if options.json:
        print_json(
            {
                "bytes_per_second": bandwidth,
                "flops_per_second": product,
                "threads": rnla.get_num_threads(),
                "cases": measured,
            }
        )
        return
    print(
        f"Reading memory: {bandwidth / 1e9:.1f} GB/s; matrix product: {product / 1e9:.0f} GFLOP/s; "
        f"{rnla.get_num_threads()} threads; double precision, C-ordered."
    )
    print()
    print_table(HEADER, [_cells(case) for case in measured])
    print()
    print(
        "ratio: the fastest of the three LAPACK routes over rnla; below 1 LAPACK wins.\n"
        "error: backward error by Karlson and Walden, that of LAPACK for its fastest route.\n"
        f"{TIMING} The first call, which compiles or loads the kernels, is not in them."
    )


def read_bandwidth(entries: int) -> float:
    """Return the bytes per second of the best of five inner products of a vector with itself."""
    v = np.ones(entries)
    return v.nbytes / _best(lambda: v @ v, 5)


def product_rate(n: int) -> float:
    """Return the floating-point operations per second of the best of three matrix products."""
    M = np.full((n, n), 0.5)
    out = np.empty_like(M)
    return 2.0 * n**3 / _best(lambda: np.matmul(M, M, out=out), 3)


def _best(task: Callable[[], Any], repeats: int) -> float:
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def random_problem(
    case: Case, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a matrix of about the given condition number and a noisy right-hand side."""
    n = case.columns
    V = np.linalg.qr(rng.standard_normal((n, n)))[0]
    mixing = (V * np.logspace(0, -np.log10(case.condition), n)) @ V.T
    A = rng.standard_normal((case.rows, n))
    step = max(1, (1 << 20) // n)
    for start in range(0, case.rows, step):
        A[start : start + step] = A[start : start + step] @ mixing
    return A, A @ np.ones(n) + 1e-3 * rng.standard_normal(case.rows)


def _measure(case: Case, rng: np.random.Generator, seed: int, progress: Progress) -> dict[str, Any]:
    A, b = random_problem(case, rng)
    warm_up(A, b)
    kept: list[rnla.LstsqResult] = []

    def refine() -> NDArray[np.float64]:
        kept[:] = [rnla.lstsq_refine(A, b, rng=seed)]
        return kept[0].x

    label = f"{case.rows} x {case.columns}"
    progress.show(f"{label}: rnla")
    ours = timed("rnla", refine)
    runs = run_lapack(A, b, ("gelsd", "gelsy"), lambda solver: progress.show(f"{label}: {solver}"))
    direct, gelsd, gelsy = runs
    fastest = min(runs, key=lambda run: run.seconds)
    judge = Judge(A, b)
    return {
        "rows": case.rows,
        "columns": case.columns,
        "condition": case.condition,
        "method": kept[0].method,
        "n_passes": kept[0].n_passes,
        "seconds": ours.seconds,
        "seconds_gelsd": gelsd.seconds,
        "seconds_gelsy": gelsy.seconds,
        "seconds_qr": direct.seconds,
        "ratio": fastest.seconds / ours.seconds,
        "backward_error": judge.judge(ours).backward_error,
        "backward_error_lapack": judge.judge(fastest).backward_error,
    }


def _cells(case: dict[str, Any]) -> list[str]:
    return [
        f"{case['rows']} x {case['columns']}",
        f"{case['condition']:.0e}",
        case["method"],
        seconds(case["seconds"]),
        str(case["n_passes"]),
        seconds(case["seconds_gelsd"]),
        seconds(case["seconds_gelsy"]),
        seconds(case["seconds_qr"]),
        ratio(case["ratio"]),
        tiny(case["backward_error"]),
        tiny(case["backward_error_lapack"]),
    ]
