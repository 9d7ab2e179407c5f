"""Time sketches and sweeps in passes: how often A could have been read meanwhile.

python bench/sketches.py
python bench/sketches.py --columns 100 --orders C --kinds sparse_sign_8,srht
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from _machine import bandwidth, median
from _report import Report, parser, several
from _timing import interleaved
from scipy.linalg import clarkson_woodruff_transform

import rnla
from rnla.linalg.normal import as_normal

_DENSE_COLUMNS = 300
_COLUMNS = {
    "kind": "",
    "order": "",
    "n": "d",
    "d": "d",
    "min s": ".4f",
    "median s": ".4f",
    "passes": ".2f",
    "× beta": ".2f",
    "× faster": ".1f",
}


def kinds() -> dict[str, Callable[[int, int], Any]]:
    """Return the sketches that this version of rnla has, by name, as functions of d and m."""
    sketch = rnla.sketch
    result: dict[str, Callable[[int, int], Any]] = {
        "sparse_sign_8": lambda d, m: sketch.SparseSign.draw(d, m, zeta=8, rng=1),
        "sparse_sign_4": lambda d, m: sketch.SparseSign.draw(d, m, zeta=4, rng=1),
        "count_sketch": lambda d, m: sketch.CountSketch.draw(d, m, rng=1),
    }
    for name, family in (("srht", "SRHT"), ("gaussian", "Gaussian"), ("rademacher", "Rademacher")):
        if hasattr(sketch, family):
            draw = getattr(sketch, family).draw
            result[name] = lambda d, m, draw=draw: draw(d, m, rng=1)
    return result


def check_sketch(S: Any, A: np.ndarray, SA: np.ndarray) -> None:
    """Raise unless ``(S A) v = S (A v)`` to rounding: a wrong answer has no time."""
    v = np.random.default_rng(2).standard_normal(A.shape[1])
    expected = S @ (A @ v)
    error = np.linalg.norm(SA @ v - expected) / np.linalg.norm(expected)
    if not error < 1e4 * np.finfo(A.dtype).eps:
        raise AssertionError(f"{S!r}: S @ A is wrong by {error:.1e}")


def sketch_rows(
    A: np.ndarray, factors: list[int], names: list[str], repeat: int, scipy_too: bool
) -> list[dict[str, Any]]:
    m, n = A.shape
    rows = []
    for factor in factors:
        d = factor * n
        calls: dict[str, Callable[[int], Any]] = {}
        for name in names:
            if name in ("gaussian", "rademacher") and n > _DENSE_COLUMNS:
                continue
            S = kinds()[name](d, m)
            check_sketch(S, A, S @ A)
            calls[name] = lambda turn, S=S: S @ A
            if scipy_too and name.startswith("sparse_sign"):
                T = S.tosparse()
                if not np.allclose(T @ A, S @ A, rtol=0, atol=1e-10 * np.abs(A).sum(0).max()):
                    raise AssertionError(f"{S!r} differs from its sparse matrix")
                calls[f"scipy csc of {name}"] = lambda turn, T=T: T @ A
        if scipy_too and "count_sketch" in names:
            calls["scipy clarkson_woodruff"] = lambda turn, d=d: clarkson_woodruff_transform(A, d)
        rivals = {name: f"scipy csc of {name}" for name in names}
        rivals["count_sketch"] = "scipy clarkson_woodruff"
        rows += _rows(A, d, interleaved(calls, repeat), rivals)
    return rows


def sweep_rows(A: np.ndarray, repeat: int) -> list[dict[str, Any]]:
    m, n = A.shape
    rng = np.random.default_rng(3)
    p, b = rng.standard_normal(n), rng.standard_normal(m)
    normal = as_normal(A)
    P, B = p[:, None], b[:, None]
    for computed, expected in (
        (normal.normal(P)[:, 0], A.T @ (A @ p)),
        (normal.gradient(P, B)[0][:, 0], A.T @ (b - A @ p)),
    ):
        error = np.linalg.norm(computed - expected) / np.linalg.norm(expected)
        if not error < 1e4 * np.finfo(A.dtype).eps:
            raise AssertionError(f"a sweep is wrong by {error:.1e}")
    calls: dict[str, Callable[[int], Any]] = {
        "sweep A.T @ (A @ p)": lambda turn: normal.normal(P),
        "numpy A.T @ (A @ p)": lambda turn: A.T @ (A @ p),
        "sweep A.T @ (b - A @ x)": lambda turn: normal.gradient(P, B),
        "numpy A.T @ (b - A @ x)": lambda turn: A.T @ (b - A @ p),
    }
    rivals = {name: name.replace("sweep", "numpy") for name in calls if name.startswith("sweep")}
    return _rows(A, None, interleaved(calls, repeat), rivals)


def _rows(
    A: np.ndarray, d: int | None, seconds: dict[str, list[float]], rivals: dict[str, str]
) -> list[dict[str, Any]]:
    # Measured next to the times it is compared with.
    beta = bandwidth(A)[0]
    rows = []
    for name, times in seconds.items():
        rival = seconds.get(rivals.get(name, ""))
        passes = min(times) * beta / A.nbytes
        rows.append(
            {
                "kind": name,
                "order": "C" if A.flags.c_contiguous else "F",
                "n": A.shape[1],
                "d": d,
                "min s": min(times),
                "median s": median(times),
                "passes": passes,
                "× beta": 1 / passes,
                "× faster": min(rival) / min(times) if rival else None,
                "beta": beta,
                "seconds": times,
            }
        )
    return rows


def main(argv: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--entries", type=float, default=1e8, help="of A; rows = entries / n")
    options.add_argument("--columns", type=several(int), default=[100, 300, 1000])
    options.add_argument("--factors", type=several(int), default=[4, 6], help="d = factor * n")
    options.add_argument("--orders", type=several(str), default=["C", "F"])
    options.add_argument("--kinds", type=several(str), default=list(kinds()))
    options.add_argument("--dtype", choices=["float64", "float32"], default="float64")
    options.add_argument("--repeat", type=int, default=5)
    options.add_argument("--no-scipy", action="store_true", help="leave SciPy's sketches out")
    arguments = options.parse_args(argv)
    if arguments.quick:
        arguments.entries, arguments.columns, arguments.factors = 2e5, [100], [4]
        arguments.repeat = 1
    for name in arguments.kinds:
        if name not in kinds():
            options.error(f"no sketch {name!r}; there are {', '.join(kinds())}")
    report = Report(arguments)
    for n in arguments.columns:
        m = int(arguments.entries / n)
        rng = np.random.default_rng(0)
        drawn = rng.standard_normal((m, n), dtype=np.dtype(arguments.dtype))
        rows = []
        for order in arguments.orders:
            A = np.asarray(drawn, order=order)
            rows += sweep_rows(A, arguments.repeat)
            rows += sketch_rows(
                A, arguments.factors, arguments.kinds, arguments.repeat, not arguments.no_scipy
            )
        beta = max(row["beta"] for row in rows) / 1e9
        report.table(f"{m} x {n} {arguments.dtype}, beta = {beta:.1f} GB/s", _COLUMNS, rows)
    report.note(
        "passes: min s in readings of A at the bandwidth measured beside it; × beta: its inverse; "
        "× faster: than SciPy's (sketches) or two NumPy products (sweeps)"
    )
    report.finish()


if __name__ == "__main__":
    main()
