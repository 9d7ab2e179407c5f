"""Where LAPACK should win: tiny, small and nearly square problems, the price of calling rnla.

python bench/small.py
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
from _problems import randsvd
from _report import Report, parser, several, shape
from _solvers import best_qr_block, geqrt
from _timing import batched

import rnla

_SHAPES = (
    "10x3,20x5,50x10,200x20,1000x50,2000x100,1000x800,2000x1500,500x500,5000x500,20000x20,"
    "100000x5,10000x100,50000x10"
)
_UNIT = 1e3
_LIMIT = 1.3
# Of backward error: what rnla promises, and what any solver must reach.
_PROMISED, _ACCURATE = 10, 1000


def compare(
    m: int, n: int, *, condition: float, order: str, rounds: int, budget: float
) -> dict[str, Any]:
    """Return a row: milliseconds of each solver, and rnla's time over the best of the others."""
    problem = randsvd(m, n, condition=condition, order=order, reference=False)
    A, b = problem.A, problem.b
    qr = geqrt(best_qr_block(A))
    calls = {
        "numpy": lambda: np.linalg.lstsq(A, b)[0],
        "gelsd": lambda: scipy.linalg.lstsq(A, b)[0],
        "gelsy": lambda: scipy.linalg.lstsq(A, b, lapack_driver="gelsy")[0],
        "QR": lambda: qr(A, b, 0)[0],
        "rnla": lambda: rnla.lstsq_refine(A, b, rng=0).x,
    }
    backward, _ = problem.judge(np.column_stack([call() for call in calls.values()]))
    for name, error in zip(calls, backward, strict=True):
        limit = _PROMISED if name == "rnla" else _ACCURATE
        if not error <= limit * np.finfo(A.dtype).eps:
            raise AssertionError(f"{m} x {n}: {name} has backward error {error:.1e}")
    seconds = batched(calls, rounds, budget)
    best = {name: min(times) for name, times in seconds.items()}
    rnla_best = best["rnla"]
    others = {name: value for name, value in best.items() if name != "rnla"}
    fastest = min(others, key=lambda name: others[name])
    result = rnla.lstsq_refine(A, b, rng=0)
    return {
        "shape": f"{m} x {n}",
        **{f"{name} ms": value * _UNIT for name, value in best.items()},
        "method": result.method,
        "fastest": fastest,
        "rnla / fastest": rnla_best / others[fastest],
        "rnla / numpy": rnla_best / best["numpy"],
        "backward error": float(backward[-1]),
        "seconds": seconds,
    }


_COLUMNS = {
    "shape": "",
    **{f"{name} ms": ".4g" for name in ("numpy", "gelsd", "gelsy", "QR", "rnla")},
    "method": "",
    "fastest": "",
    "rnla / fastest": ".2f",
    "rnla / numpy": ".2f",
    "backward error": ".1e",
}


def main(argv: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--shapes", type=several(shape), default=several(shape)(_SHAPES))
    options.add_argument("--condition", type=float, default=1e4)
    options.add_argument("--order", choices=["C", "F"], default="C")
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--budget", type=float, default=0.05, help="seconds per batch")
    arguments = options.parse_args(argv)
    if arguments.quick:
        arguments.shapes, arguments.rounds, arguments.budget = [(10, 3), (200, 20)], 1, 0.001
    report = Report(arguments)
    rows = [
        compare(
            m,
            n,
            condition=arguments.condition,
            order=arguments.order,
            rounds=arguments.rounds,
            budget=arguments.budget,
        )
        for m, n in arguments.shapes
    ]
    report.table(
        f"Small and square-ish, {arguments.order} order, condition {arguments.condition:.0e}, "
        f"{arguments.rounds} rounds",
        _COLUMNS,
        rows,
    )
    slow = [row["shape"] for row in rows if row["rnla / fastest"] > _LIMIT]
    report.note(
        f"rnla is at most {_LIMIT} times slower than the fastest everywhere"
        if not slow
        else f"rnla is more than {_LIMIT} times slower than the fastest at {', '.join(slow)}"
    )
    report.finish()


if __name__ == "__main__":
    main()
