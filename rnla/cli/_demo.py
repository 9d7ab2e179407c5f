"""The command `demo`: kernel regression on real images, by rnla and by LAPACK."""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import rnla
from rnla.cli._compare import HEADER, QR, TIMING, Run, normal_equations, run_lapack, timed, warm_up
from rnla.cli._digits import IMAGES, KernelRegression, kernel_regression
from rnla.cli._errors import InputError, solver_errors
from rnla.cli._judge import Judge
from rnla.cli._memory import check_memory
from rnla.cli._options import natural_int, positive_int
from rnla.cli._output import check_output
from rnla.cli._progress import Progress
from rnla.cli._report import print_json, print_table, seconds

if TYPE_CHECKING:
    from rnla.cli._options import Commands

_PICTURE = "convergence.png"
_PICTURES = (".png", ".svg", ".pdf")
_EPS = float(np.finfo(np.float64).eps)
# The matrix, LAPACK's copy of it, and a tenth for what is small.
_COPIES = 2.1
_NOTABLE = 10


def add_parser(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    text = "kernel regression on the digits images, by rnla and by LAPACK"
    parser = commands.add_parser("demo", parents=[common], help=text, description=f"{text}.")
    parser.add_argument(
        "--rows", type=positive_int, default=200_000, metavar="M", help="default: 200000"
    )
    parser.add_argument(
        "--columns", type=positive_int, default=400, metavar="N", help="default: 400"
    )
    parser.add_argument("--seed", type=natural_int, default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--output", metavar="PICTURE", help=f"where the picture goes (default: {_PICTURE})"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Make the problem, solve it in every way, print the table and write the picture."""
    m, n = options.rows, options.columns
    if not n <= min(m, IMAGES):
        raise InputError(f"the demo takes 1 to {min(m, IMAGES)} columns with {m} rows, got {n}")
    if options.output is not None:
        check_output(options.output, _PICTURES)
    check_memory(_COPIES * 8 * m * n, f"the demo at {m} x {n}", "choose fewer --rows")
    quiet = options.json
    with Progress() as progress, solver_errors():
        start = time.perf_counter()
        problem = kernel_regression(
            m, n, options.seed, lambda done: progress.show("kernel matrix", done)
        )
        making = time.perf_counter() - start
        progress.clear()
        if not quiet:
            _introduce(problem, making)
        progress.show("kernels")
        compiled = warm_up(problem.A, problem.b)
        progress.clear()
        if not quiet:
            print(f"First call, kernels compiled or loaded from the cache: {seconds(compiled)} s.")
        result, runs = _solve(problem, options.seed, progress)
    picture, remark = _draw(result, options.output or _PICTURE)
    if quiet:
        print_json(
            {
                "rows": m,
                "columns": n,
                "seed": options.seed,
                "bandwidth": problem.bandwidth,
                "condition": result.condition,
                "seconds_of_first_call": compiled,
                "success": result.success,
                "history": result.history,
                "runs": [run.as_dict(runs[0].seconds) for run in runs],
                "picture": picture,
            }
        )
        return
    print()
    print_table(HEADER, [run.cells(runs[0].seconds) for run in runs])
    print()
    print(_verdict(result, runs))
    print(remark)


def _introduce(problem: KernelRegression, making: float) -> None:
    m, n = problem.A.shape
    print(
        f"Kernel regression on the digits images of scikit-learn: {m} images, bootstrapped with\n"
        f"jitter 1e-3, and {n} Gaussian kernels of bandwidth {problem.bandwidth:.1f}; "
        f"A is {m} x {n} in\n"
        f"double precision, {problem.A.nbytes / 2**20:.0f} MiB, made in {seconds(making)} s; "
        f"b holds the digits. {rnla.get_num_threads()} threads."
    )


def _solve(
    problem: KernelRegression, seed: int, progress: Progress
) -> tuple[rnla.LstsqResult, list[Run]]:
    A, b = problem.A, problem.b
    kept: list[rnla.LstsqResult] = []

    def refine() -> NDArray[np.float64]:
        kept[:] = [rnla.lstsq_refine(A, b, rng=seed, callback=progress.follow("rnla", 2 * _EPS))]
        return kept[0].x

    ours = timed("rnla", refine)
    result = kept[0]
    runs = [replace(ours, solver=f"rnla, {result.method}", n_passes=result.n_passes)]
    runs += run_lapack(A, b, ("gelsd", "gelsy"), progress.show)
    progress.show("normal equations")
    runs.append(timed("normal equations", lambda: normal_equations(A, b)))
    progress.show("backward errors")
    judge = Judge(A, b)
    runs = [judge.judge(run) for run in runs]
    progress.clear()
    return result, runs


def _verdict(result: rnla.LstsqResult, runs: list[Run]) -> str:
    ours, direct, *drivers = runs[:-1]
    best = min(drivers, key=lambda run: run.seconds)
    unstable = runs[-1]
    gap = unstable.backward_error / ours.backward_error if ours.backward_error > 0 else math.inf
    sentences = [
        f"{_comparison(ours, best)} {_comparison(ours, direct)}",
        f"The condition number of A is about {result.condition:.0e}. Backward error: the smallest "
        "change of A,\nrelative to its norm, that makes the answer exact (Karlson and Walden, with "
        "A's own QR factor);\nrounding alone makes about 1e-16.",
    ]
    if unstable.x is None:
        sentences.append("The normal equations failed: their matrix is numerically singular.")
    elif gap > _NOTABLE:
        sentences.append(f"That of the normal equations is {gap:.0e} times that of rnla.")
    sentences.append(TIMING)
    return "\n".join(sentences)


def _comparison(ours: Run, other: Run) -> str:
    name = "LAPACK's QR" if other.solver == QR else f"LAPACK's {other.solver.split(', ')[-1]}"
    if ours.seconds <= other.seconds:
        return f"rnla was {other.seconds / ours.seconds:.1f} times as fast as {name}."
    return f"{name} was {ours.seconds / other.seconds:.1f} times as fast as rnla."


def _draw(result: rnla.LstsqResult, path: str) -> tuple[str | None, str]:
    """Write the picture; return its path and a line that says what became of it."""
    if find_spec("matplotlib") is None:
        return None, "No picture: Matplotlib is not installed (pip install matplotlib)."
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from rnla.plot import convergence

    figure = Figure(layout="constrained")
    FigureCanvasAgg(figure)
    axes = convergence(result, figure.subplots())
    axes.set_title("Convergence of lstsq_refine on the digits images")
    try:
        figure.savefig(path)
    except OSError as error:
        return None, f"No picture: {path}: {error.strerror or error}."
    return path, f"Convergence is drawn in {path}."
