"""Set least-squares solvers side by side: seconds, passes over A, and errors.

python bench/least_squares.py
python bench/least_squares.py --shapes 1e6x100,3e5x1000 --condition 1e4,1e10 --order C
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from _machine import bandwidth, gemm_rate, median
from _problems import Problem, randsvd
from _report import Report, parser, several, shape
from _solvers import Solver, contenders
from _timing import interleaved, once

from rnla.lstsq._cost import default_sketch_size

_COLUMNS = {
    "method": "",
    "min s": ".4g",
    "median s": ".4g",
    "runs": "d",
    "passes": ".1f",
    "reads": ".0f",
    "backward error": ".1e",
    "forward error": ".1e",
    "× gelsd": ".2f",
    "× QR": ".2f",
    "/ limit": ".2f",
}
# Readings that the sketch costs at the least: 8 entries per row, one addition each.
_SKETCH = 3.0
_RESIDUALS = 3
# What rnla promises, and what any time must come with to count.
_PROMISED = 10
_ACCURATE = 100


def compare(
    problem: Problem, wanted: list[str] | None, repeat: int, gemm: float
) -> list[dict[str, Any]]:
    """Return one row per solver: first its accuracy, then, where that holds, its time."""
    A, b = problem.A, problem.b
    solvers = {
        name: solver
        for name, solver in contenders(A).items()
        if wanted is None or any(word in name for word in wanted)
    }
    eps = np.finfo(A.dtype).eps
    rows: dict[str, dict[str, Any]] = {name: {"method": name} for name in solvers}
    answers, counted = {}, {}
    for name, solver in solvers.items():
        elapsed, answer = once(lambda solver=solver: _attempt(solver, problem))
        if isinstance(answer, Exception):
            rows[name]["min s"] = "refused"
            rows[name]["why"] = str(answer)
            continue
        answers[name], rows[name]["reads"] = answer
        if not solver.compiled:
            counted[name] = [elapsed]
    if not answers:
        return list(rows.values())
    backward, forward = problem.judge(np.column_stack(list(answers.values())))
    for name, back, ahead in zip(answers, backward, forward, strict=True):
        rows[name]["backward error"] = back
        rows[name]["forward error"] = None if np.isnan(ahead) else ahead
        rows[name]["counts"] = solvers[name].baseline or bool(back <= _ACCURATE * eps)
        rows[name]["kept"] = bool(back <= _PROMISED * eps)

    def call(solver: Solver) -> Callable[[int], Any]:
        return lambda turn: solver.solve(A, b, turn)

    counting = {name: call(solvers[name]) for name in answers if rows[name]["counts"]}
    seconds = interleaved(counting, repeat, _worth_counting(counted))
    beta = bandwidth(A)[0]
    for name, times in seconds.items():
        rows[name].update(
            {
                "min s": min(times),
                "median s": median(times),
                "runs": len(times),
                "passes": min(times) * beta / A.nbytes,
                "seconds": times,
                "beta": beta,
            }
        )
    for name in answers:
        if not rows[name]["counts"]:
            # A time without an answer does not count; in brackets it still tells something.
            rows[name]["min s"] = f"({counted[name][0]:.3g})" if name in counted else "(–)"
            rows[name]["runs"] = 1
    _ratios(rows, seconds)
    for row in rows.values():
        if "spir" in row["method"] and "passes" in row:
            row["/ limit"] = row["passes"] / _limit(A, beta, gemm)
    return list(rows.values())


def _limit(A: np.ndarray, beta: float, gemm: float) -> float:
    """Return the readings of A that a sketch, its factor and the steps to roundoff take."""
    m, n = A.shape
    d = default_sketch_size(m, n)
    steps = 2 * np.log(1 / np.finfo(float).eps) / np.log(d / n)
    factor = (2 * d * n**2 - 2 / 3 * n**3) / gemm * beta / A.nbytes
    return float(_SKETCH + steps + _RESIDUALS + factor)


def _attempt(solver: Solver, problem: Problem) -> Any:
    try:
        return solver.solve(problem.A, problem.b, 0)
    except (np.linalg.LinAlgError, ValueError) as error:
        return error


def _worth_counting(seconds: dict[str, list[float]]) -> dict[str, list[float]]:
    # The untimed first run of a solver so slow that repeating it for nothing would be a pity.
    return {name: times for name, times in seconds.items() if times[0] > 10}


def _ratios(rows: dict[str, dict[str, Any]], seconds: dict[str, list[float]]) -> None:
    # NumPy and SciPy bring the same driver: the faster of the two is the baseline.
    baselines = {"× gelsd": "gelsd", "× QR": "QR by geqrt"}
    for column, word in baselines.items():
        best = min((min(times) for name, times in seconds.items() if word in name), default=None)
        for name, times in seconds.items():
            rows[name][column] = best / min(times) if best is not None else None


def main(argv: list[str] | None = None) -> int:
    options = parser(__doc__)
    options.add_argument(
        "--shapes", type=several(shape), default=[(10**6, 100), (10**6, 300), (3 * 10**5, 1000)]
    )
    options.add_argument("--condition", type=several(float), default=[1e4])
    options.add_argument("--residual", type=float, default=1e-3, help="||b - A x||; ||A|| is 1")
    options.add_argument("--order", choices=["C", "F"], default="C")
    options.add_argument("--dtype", choices=["float64", "float32"], default="float64")
    options.add_argument("--coherent", action="store_true", help="with one heavy row")
    options.add_argument("--repeat", type=int, default=5, help="3 above 10 s, 1 above a minute")
    options.add_argument("--methods", type=several(str), help="words: rnla,gelsd,QR")
    options.add_argument("--no-reference", action="store_true", help="skip the forward error")
    options.add_argument("--seed", type=int, default=0)
    arguments = options.parse_args(argv)
    if arguments.quick:
        arguments.shapes, arguments.repeat = [(800, 10)], 1
    report = Report(arguments)
    gemm = gemm_rate(256 if arguments.quick else 2048)[0]
    failed = []
    for m, n in arguments.shapes:
        for condition in arguments.condition:
            problem = randsvd(
                m,
                n,
                condition=condition,
                residual=arguments.residual,
                order=arguments.order,
                dtype=np.dtype(arguments.dtype),
                coherent=arguments.coherent,
                reference=not arguments.no_reference,
                seed=arguments.seed,
            )
            # What the solvers warn of stands in the column of backward errors.
            with warnings.catch_warnings(action="ignore"):
                rows = compare(problem, arguments.methods, arguments.repeat, gemm)
            beta = max((row["beta"] for row in rows if "beta" in row), default=np.nan)
            size = problem.A.dtype.itemsize
            report.table(
                f"{m} x {n}, {arguments.order} order, {arguments.dtype}, condition "
                f"{problem.condition:.1e}, residual {arguments.residual:.0e}; "
                f"beta {beta / 1e9:.1f} GB/s, gemm {gemm / 1e9:.0f} GF/s, "
                f"balance {gemm * size / beta:.0f}",
                _COLUMNS,
                rows,
                beta=beta,
                gemm=gemm,
            )
            failed += [
                f"{m}x{n}, condition {condition:.0e}: {row['method']}"
                for row in rows
                if "rnla" in row["method"] and row.get("kept") is False
            ]
    report.note(
        f"(seconds): backward error above {_ACCURATE} eps, so the time does not count; passes: "
        "min s in readings of A; reads: times that A was really read; × gelsd, × QR: how many "
        "times faster than the faster gelsd and than QR by geqrt, by minima; / limit: the passes "
        "over those of the sketch (3), its QR at the speed of gemm, 2 ln(1/eps) / ln(d/n) steps "
        "and three residuals"
    )
    if failed:
        report.note(f"backward error above {_PROMISED} eps: " + "; ".join(failed))
    report.finish()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
