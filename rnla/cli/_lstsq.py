"""The command `lstsq`: solve a least-squares problem from files."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import rnla
from rnla.cli._compare import HEADER, TIMING, Run, run_lapack, timed
from rnla.cli._errors import solver_errors
from rnla.cli._files import READABLE, is_sparse, read_matrix, read_right_hand_sides
from rnla.cli._judge import Judge
from rnla.cli._memory import available_memory
from rnla.cli._options import natural_int, positive_int
from rnla.cli._output import WRITABLE, check_output, check_writes_complex, write_solution
from rnla.cli._progress import Progress
from rnla.cli._report import print_json, print_pairs, print_table, seconds, tiny
from rnla.sketch import SKETCHES

if TYPE_CHECKING:
    from rnla.cli._options import Commands

_PRINTED = 10
_DEFAULT_TOLERANCE = 2 * float(np.finfo(np.float64).eps)
_GIB = 2**30


def add_parser(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "lstsq",
        parents=[common],
        help="solve min ||b - A x|| from files",
        description="Solve min ||b - A x|| for a matrix and right-hand sides in files.",
        epilog=f"Files: {READABLE}. A .npz is one of scipy.sparse, or holds arrays: the only one, "
        "those named A and b, or the ones named by --key and --b-key.",
    )
    parser.add_argument("A", help="file with the matrix, m x n")
    parser.add_argument("b", help="file with the right-hand sides, m or m x k")
    parser.add_argument(
        "-o", "--output", metavar="X", help=f"write the solution to X ({', '.join(WRITABLE)})"
    )
    parser.add_argument("--compare", action="store_true", help="solve by LAPACK too, side by side")
    parser.add_argument("--key", metavar="NAME", help="array of the matrix in its .npz")
    parser.add_argument("--b-key", metavar="NAME", help="array of the right-hand sides")
    parser.add_argument(
        "--method", choices=("auto", "spir", "gram", "lapack"), default="auto", help="default: auto"
    )
    parser.add_argument("--rtol", type=float, help="stop at this relative backward error")
    parser.add_argument("--rcond", type=float, help="singular values below count as zero")
    parser.add_argument("--maxiter", type=natural_int, metavar="N", help="corrections allowed")
    parser.add_argument(
        "--seed", type=natural_int, default=0, metavar="N", help="of the sketch (default: 0)"
    )
    parser.add_argument(
        "--sketch", choices=sorted(SKETCHES), default="sparse_sign", help="default: sparse_sign"
    )
    parser.add_argument(
        "--sketch-size", type=positive_int, metavar="D", help="rows of the sketch, n to m"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Solve, and print or write what was found."""
    if options.output is not None:
        check_output(options.output, WRITABLE, (options.A, options.b))
    with Progress() as progress:
        progress.show(f"reading {options.A}")
        A = read_matrix(options.A, options.key)
        progress.show(f"reading {options.b}")
        b = read_right_hand_sides(options.b, options.b_key)
        if options.output is not None and "c" in (A.dtype.kind, b.dtype.kind):
            check_writes_complex(options.output)
        solve = partial(_solve, A, b, options, progress)
        runs: list[Run] = []
        notes: list[str] = []
        with solver_errors():
            result, elapsed = solve()
            if options.output is not None:
                write_solution(options.output, result.x)
            if options.compare:
                runs, notes = _compare(A, b, result, solve, progress)
    if options.json:
        report = _as_dict(A, b, result, elapsed, options)
        if options.compare:
            report["compare"] = [run.as_dict(runs[0].seconds) for run in runs]
            report["notes"] = notes
        print_json(report)
        return
    _print_result(A, b, result, elapsed, options.output)
    if options.compare:
        print()
        print_table(HEADER, [run.cells(runs[0].seconds) for run in runs])
        print("\n".join(notes))


def _solve(
    A: Any, b: NDArray[Any], options: argparse.Namespace, progress: Progress
) -> tuple[rnla.LstsqResult, float]:
    progress.show("solving")
    start = time.perf_counter()
    result = rnla.lstsq_refine(
        A,
        b,
        method=options.method,
        rtol=options.rtol,
        rcond=options.rcond,
        maxiter=options.maxiter,
        sketch=options.sketch,
        sketch_size=options.sketch_size,
        rng=options.seed,
        callback=progress.follow("solving", options.rtol or _DEFAULT_TOLERANCE),
    )
    elapsed = time.perf_counter() - start
    progress.clear()
    return result, elapsed


def _compare(
    A: Any,
    b: NDArray[Any],
    result: rnla.LstsqResult,
    solve: Callable[[], tuple[rnla.LstsqResult, float]],
    progress: Progress,
) -> tuple[list[Run], list[str]]:
    """Return what each solver did, rnla first, and what has to be said about it."""
    ours = timed(f"rnla, {result.method}", lambda: solve()[0].x)
    ours = replace(ours, n_passes=result.n_passes)
    if 0 in A.shape or b.size == 0:
        return [ours], ["The problem is empty: there is nothing to compare."]
    needed = 8.0 * A.shape[0] * A.shape[1] * (3 if is_sparse(A) else 2)
    if needed > available_memory():
        known = float(np.linalg.norm(result.residual_norm))
        ours = replace(ours, backward_error=result.backward_error, residual_norm=known)
        return [ours], [f"LAPACK is left out: it needs {needed / _GIB:.1f} GiB of memory."]
    dense = A.toarray() if is_sparse(A) else A
    # A second run of what "auto" has chosen would tell nothing.
    others = run_lapack(dense, b, ("gelsd",), progress.show, qr=result.method != "lapack")
    progress.show("backward errors")
    judge = Judge(A, b)
    progress.clear()
    notes = ["Ratio: seconds relative to rnla. Backward error: by Karlson and Walden.", TIMING]
    if is_sparse(A):
        notes.append("LAPACK had A as a dense array; making it is not in its seconds.")
    return [judge.judge(run) for run in (ours, *others)], notes


def _print_result(
    A: Any, b: NDArray[Any], result: rnla.LstsqResult, elapsed: float, output: str | None
) -> None:
    kind = f", {A.nnz} entries" if is_sparse(A) else ""
    x = result.x
    pairs = [
        ("A", f"{A.shape[0]} x {A.shape[1]}, {A.dtype}{kind}"),
        ("b", f"{' x '.join(map(str, b.shape))}, {b.dtype}"),
        ("method", result.method),
        ("status", result.status.value),
        ("backward error", tiny(result.backward_error)),
        ("residual norm", _norms(result.residual_norm)),
        ("rank", f"{result.rank} of {A.shape[1]}"),
        ("condition", tiny(result.condition)),
        ("iterations", str(result.n_iter)),
        ("passes over A", str(result.n_passes)),
        ("seconds", f"{seconds(elapsed)}, loading or compiling the kernels included"),
    ]
    if output is not None:
        pairs.append(("x", f"written to {output}"))
    elif x.size <= _PRINTED:
        # The shortest digits that give back the same number.
        rows = [" ".join(map(str, row)) for row in np.atleast_2d(x)]
        pairs += zip(["x", *[""] * (len(rows) - 1)], rows, strict=True)
    else:
        pairs.append(("x", f"{' x '.join(map(str, x.shape))}; write it with -o FILE"))
    print_pairs(pairs)


def _norms(norms: float | NDArray[np.float64]) -> str:
    values = np.atleast_1d(norms)
    if len(values) > 3:
        return f"{values.min():.6g} to {values.max():.6g} in {len(values)} columns"
    return ", ".join(f"{value:.6g}" for value in values)


def _as_dict(
    A: Any,
    b: NDArray[Any],
    result: rnla.LstsqResult,
    elapsed: float,
    options: argparse.Namespace,
) -> dict[str, Any]:
    values = {
        "A": {"file": options.A, "shape": A.shape, "dtype": str(A.dtype), "sparse": is_sparse(A)},
        "b": {"file": options.b, "shape": b.shape, "dtype": str(b.dtype)},
        "success": result.success,
        "status": result.status.name,
        "message": result.message,
        "method": result.method,
        "backward_error": result.backward_error,
        "residual_norm": result.residual_norm,
        "rank": result.rank,
        "condition": result.condition,
        "n_iter": result.n_iter,
        "n_matvec": result.n_matvec,
        "n_passes": result.n_passes,
        "history": result.history,
        "seconds": elapsed,
    }
    if options.output is None:
        values["x"] = result.x
    else:
        values["output"] = options.output
    return values
