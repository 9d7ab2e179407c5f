"""Time ways to factor a sketch, with the condition number that each leaves in ``S A R^-1``.

python bench/factors.py
python bench/factors.py --shapes 3600x300,8000x2000
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from _report import Report, parser, several, shape
from _timing import interleaved
from scipy.linalg import get_lapack_funcs, solve_triangular

from rnla.linalg.factor import triangular_factor

_COLUMNS = {
    "factor": "",
    "condition": ".0e",
    "min s": ".4f",
    "median s": ".4f",
    "× rnla": ".2f",
    "cond(SA/R)": ".1e",
}


def rnla_factor(M: np.ndarray) -> np.ndarray:
    """Recursive Householder QR in the sketch's own memory, as `lstsq_refine` calls it."""
    R, _, scale = triangular_factor(M, np.zeros((len(M), 1)), overwrite=True)
    return R / scale


def geqrf(M: np.ndarray) -> np.ndarray:
    """Householder QR, blocked but not recursive."""
    factor, _, _, _ = get_lapack_funcs("geqrf", (M,))(np.asfortranarray(M), overwrite_a=True)
    return np.triu(factor[: M.shape[1]])


def cholesky_qr(M: np.ndarray) -> np.ndarray:
    """Cholesky factor of the Gram matrix: bare."""
    return np.linalg.cholesky(M.T @ M).T


def shifted_cholesky_qr(M: np.ndarray) -> np.ndarray:
    """Shifted CholeskyQR3 (Fukaya, Kannan, Nakatsukasa, Yamamoto, Yanagisawa 2020)."""
    d, n = M.shape
    shift = 11 * (d * n + n * (n + 1)) * np.finfo(float).eps * np.linalg.norm(M) ** 2 / n
    R = np.linalg.cholesky(M.T @ M + shift * np.eye(n)).T
    for _ in range(2):
        Q = solve_triangular(R, M.T, trans="T", check_finite=False).T
        R = np.linalg.cholesky(Q.T @ Q).T @ R
    return R


def lu_cholesky(M: np.ndarray) -> np.ndarray:
    """LU with row exchanges, then ``R = chol(L^T L) U``."""
    n = M.shape[1]
    factor, _, _ = get_lapack_funcs("getrf", (M,))(np.asfortranarray(M), overwrite_a=True)
    U = np.triu(factor[:n])
    L = np.tril(factor, -1)
    L[np.arange(n), np.arange(n)] = 1
    return np.linalg.cholesky(L.T @ L).T @ U


def single_precision(M: np.ndarray) -> np.ndarray:
    """Recursive Householder QR in float32."""
    n = M.shape[1]
    geqrt = get_lapack_funcs("geqrt", dtype=np.float32)
    factor, _, _ = geqrt(min(96, n), np.asarray(M, np.float32, order="F"), overwrite_a=True)
    return np.triu(factor[:n]).astype(np.float64)


FACTORS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rnla (geqrt)": rnla_factor,
    "geqrf": geqrf,
    "CholeskyQR": cholesky_qr,
    "shifted CholeskyQR3": shifted_cholesky_qr,
    "LU-Cholesky": lu_cholesky,
    "geqrt in float32": single_precision,
}


def left_condition(M: np.ndarray, R: np.ndarray) -> float:
    """Return the condition number of ``M R^-1``: 1 for an exact factor."""
    Q = solve_triangular(R, M.T, trans="T", check_finite=False).T
    return float(np.linalg.cond(Q)) if np.isfinite(Q).all() else np.inf


def rows(d: int, n: int, condition: float, repeat: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    V = np.linalg.qr(rng.standard_normal((n, n)))[0]
    M = rng.standard_normal((d, n)) * np.logspace(0, -np.log10(condition), n) @ V
    quality: dict[str, float] = {}
    calls: dict[str, Callable[[int], Any]] = {}
    for name, factor in FACTORS.items():
        try:
            quality[name] = left_condition(M, factor(M.copy()))
        except np.linalg.LinAlgError:
            quality[name] = np.inf
            continue
        calls[name] = lambda turn, factor=factor: factor(M.copy())
    seconds = interleaved(calls, repeat)
    base = min(seconds["rnla (geqrt)"])
    return [
        {
            "factor": name,
            "condition": condition,
            "min s": min(seconds[name]) if name in seconds else None,
            "median s": float(np.median(seconds[name])) if name in seconds else None,
            "× rnla": min(seconds[name]) / base if name in seconds else None,
            "cond(SA/R)": quality[name],
        }
        for name in FACTORS
    ]


def main(argv: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument(
        "--shapes", type=several(shape), default=[(3600, 300), (4000, 1000), (8000, 2000)]
    )
    options.add_argument("--condition", type=several(float), default=[1e2, 1e7, 1e12])
    options.add_argument("--repeat", type=int, default=5)
    arguments = options.parse_args(argv)
    if arguments.quick:
        arguments.shapes, arguments.condition, arguments.repeat = [(200, 40)], [1e7], 1
    report = Report(arguments)
    for d, n in arguments.shapes:
        table = [
            row
            for condition in arguments.condition
            for row in rows(d, n, condition, arguments.repeat)
        ]
        report.table(f"sketch of {d} x {n}", _COLUMNS, table)
    report.note("every time includes a copy of the sketch; × rnla below 1 is faster than rnla")
    report.finish()


if __name__ == "__main__":
    main()
