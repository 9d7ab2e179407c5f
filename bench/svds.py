"""Singular triplets: rnla against SciPy's svds, LAPACK and scikit-learn's randomized_svd.

python bench/svds.py
python bench/svds.py --matrices amazon0302 --k 10,50 --shapes 1e5x200 --condition 1e2,1e12
python bench/svds.py --seeds 20
python bench/svds.py --matrices "" --shapes 1000x200,3000x1000 --condition 10 --smallest 0
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse
from _report import Report, parser, several, shape
from _timing import interleaved, once
from scipy.sparse.linalg import ArpackError, LinearOperator
from scipy.sparse.linalg import svds as scipy_svds
from sklearn.utils.extmath import randomized_svd

import rnla
from rnla.eigen._svds_check import check_request
from rnla.eigen._svds_solve import singular_triplets

_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
_COLUMNS = {
    "method": "",
    "min s": ".4g",
    "median s": ".4g",
    "products": "d",
    "passes": "d",
    "residual / ||A||": ".1e",
    "sigma error": ".1e",
    "× scipy": ".2f",
}
# A residual above this, relative to the norm, is another problem: its time stands in brackets.
_EQUAL = 1e-10
_SMALLEST_MAXITER = 3000
_TOLERANCES = [0, 1e-5, 1e-4, 1e-3]
_CLUSTERED: list[tuple[str, int, Callable[[int], np.ndarray]]] = [
    ("6 x 1, then 0.9 to 0", 6, lambda n: np.r_[np.ones(6), np.linspace(0.9, 0, n - 6)]),
    ("6 x 1, then 0.9 to 0", 8, lambda n: np.r_[np.ones(6), np.linspace(0.9, 0, n - 6)]),
    ("12 x 1, then 0.9 to 0", 8, lambda n: np.r_[np.ones(12), np.linspace(0.9, 0, n - 12)]),
    (
        "4 x 1, 3 x 0.5, decay",
        7,
        lambda n: np.r_[np.ones(4), np.full(3, 0.5), 0.45 * 0.9 ** np.arange(n - 7)],
    ),
    (
        "6 within 1e-6 of 1",
        8,
        lambda n: np.r_[1 - 2e-7 * np.arange(6), np.linspace(0.9, 0, n - 6)],
    ),
]
_MISSED_COLUMNS = {
    "singular values": "",
    "n": "d",
    "k": "d",
    "tol": "g",
    "wrong rnla": "d",
    "wrong scipy": "d",
    "products rnla": "d",
    "products scipy": "d",
}


class Counted:
    """A matrix that counts the columns and the blocks it multiplies, by itself and its adjoint."""

    def __init__(self, A: Any) -> None:
        adjoint = A.conj().T
        self.A, self.AT = A, adjoint.tocsr() if scipy.sparse.issparse(A) else adjoint
        self.columns = self.blocks = 0

    def operator(self) -> LinearOperator:
        return LinearOperator(
            self.A.shape,
            matvec=lambda x: self._times(self.A, x),
            matmat=lambda x: self._times(self.A, x),
            rmatvec=lambda x: self._times(self.AT, x),
            rmatmat=lambda x: self._times(self.AT, x),
            dtype=self.A.dtype,
        )

    def _times(self, A: Any, X: np.ndarray) -> np.ndarray:
        self.columns += X.size // X.shape[0]
        self.blocks += 1
        return A @ X


def judge(A: Any, triplets: tuple[Any, Any, Any], exact: np.ndarray | None) -> dict[str, float]:
    """Return the larger of the two residuals over ``||A||``, and the error of sigma."""
    U, sigma, VH = triplets
    norm = sigma.max() if exact is None else exact.max()
    left = np.linalg.norm(A @ VH.conj().T - U * sigma, axis=0)
    right = np.linalg.norm(A.T.conj() @ U - VH.conj().T * sigma, axis=0)
    facts = {"residual / ||A||": float(max(left.max(), right.max()) / norm)}
    if exact is not None:
        k = len(sigma)
        wanted = exact[:k][::-1] if sigma.max() > exact[len(exact) // 2] else exact[-k:][::-1]
        facts["sigma error"] = float(np.abs(np.sort(sigma) - np.sort(wanted)).max() / norm)
    return facts


def compare(
    A: Any,
    calls: dict[str, Callable[..., Any]],
    *,
    exact: np.ndarray | None,
    repeat: int,
    counts: dict[str, tuple[int, int]],
) -> list[dict[str, Any]]:
    """Return a row for each call; one that raises gets its reason instead of a time."""
    first, facts, failed = {}, {}, {}
    for name, call in calls.items():
        try:
            # Not counted: it compiles, and its answer is judged before anything is timed.
            seconds, triplets = once(lambda call=call: call())
        except (ArpackError, np.linalg.LinAlgError) as error:
            failed[name] = str(error).split(":")[-1].strip()[:40]
            continue
        first[name], facts[name] = seconds, judge(A, triplets, exact)
    timed = {name: (lambda turn, call=calls[name]: call()) for name in first}
    seconds = interleaved(timed, repeat)
    reference = next((min(seconds[n]) for n in seconds if n == "scipy arpack"), None)
    rows = []
    for name in calls:
        row: dict[str, Any] = {"method": name}
        if name in counts:
            row["products"], row["passes"] = counts[name]
        if name in failed:
            row["min s"] = failed[name]
        else:
            best = min(seconds[name])
            equal = facts[name]["residual / ||A||"] <= _EQUAL
            row |= facts[name]
            row |= {"min s": best if equal else f"[{best:.4g}]", "seconds": seconds[name]}
            row["median s"] = float(np.median(seconds[name]))
            if equal and reference is not None:
                row["× scipy"] = reference / best
        rows.append(row)
    return rows


def counted(A: Any, call: Callable[[LinearOperator], Any]) -> tuple[int, int]:
    """Return the columns and the blocks that a call multiplies."""
    counter = Counted(A)
    # PROPACK has an exception of its own.
    with suppress(ArpackError, np.linalg.LinAlgError):
        call(counter.operator())
    return counter.columns, counter.blocks


def largest(A: Any, k: int, repeat: int, exact: np.ndarray | None) -> list[dict[str, Any]]:
    """Return the rows for the k largest triplets."""
    calls = {
        "rnla svds": lambda B=A: rnla.svds(B, k, rng=0),
        "rnla svds, verify=False": lambda B=A: rnla.svds(B, k, rng=0, options={"verify": False}),
        "scipy arpack": lambda B=A: scipy_svds(B, k, rng=np.random.default_rng(0)),
        "scipy propack": lambda B=A: scipy_svds(B, k, solver="propack", rng=0),
        "sklearn randomized_svd": lambda B=A: _randomized(B, k),
    }
    counts = {
        name: counted(A, calls[name]) for name in ("scipy arpack", "scipy propack")
    } | _own_counts(
        k, {"rnla svds": {}, "rnla svds, verify=False": {"options": {"verify": False}}}, A, "LM"
    )
    return compare(A, calls, exact=exact, repeat=repeat, counts=counts)


def smallest(A: Any, k: int, repeat: int, exact: np.ndarray) -> list[dict[str, Any]]:
    """Return the rows for the k smallest triplets of a tall matrix."""
    calls = {
        "rnla svds": lambda B=A: rnla.svds(B, k, which="SM", rng=0),
        "rnla svds, sketched": lambda B=A: rnla.svds(B, k, which="SM", solver="sketched", rng=0),
        "scipy arpack": lambda B=A: scipy_svds(
            B, k, which="SM", maxiter=_SMALLEST_MAXITER, rng=np.random.default_rng(0)
        ),
        "LAPACK gesdd": lambda B=A: _lapack(B, k),
        "QR, then LAPACK": lambda B=A: _by_factor(B, k),
    }
    counts = {"scipy arpack": counted(A, calls["scipy arpack"])} | _own_counts(
        k, {"rnla svds, sketched": {"solver": "sketched"}}, A, "SM"
    )
    return compare(A, calls, exact=exact, repeat=repeat, counts=counts)


def _own_counts(
    k: int, calls: dict[str, dict[str, Any]], A: Any, which: str
) -> dict[str, tuple[int, int]]:
    found = {}
    for name, arguments in calls.items():
        solver, options = arguments.get("solver", "auto"), arguments.get("options")
        request = check_request(A, k, None, 0, which, None, None, True, solver, 0, options)
        result = singular_triplets(request)
        found[name] = result.n_matvec, result.n_passes
    return found


def _randomized(A: Any, k: int) -> tuple[Any, Any, Any]:
    U, sigma, VH = randomized_svd(A, k, random_state=0)
    return U[:, ::-1], sigma[::-1], VH[::-1]


def _lapack(A: Any, k: int) -> tuple[Any, Any, Any]:
    U, sigma, VH = scipy.linalg.svd(A, full_matrices=False, check_finite=False)
    return U[:, : -k - 1 : -1], sigma[: -k - 1 : -1], VH[: -k - 1 : -1]


def _by_factor(A: Any, k: int) -> tuple[Any, Any, Any]:
    R = scipy.linalg.qr(A, mode="r", check_finite=False)[0][: A.shape[1]]
    _, _, VH = scipy.linalg.svd(R, check_finite=False)
    W, R = np.linalg.qr(A @ VH[-k:].conj().T)
    P, sigma, QH = np.linalg.svd(R)
    return (W @ P)[:, ::-1], sigma[::-1], (QH @ VH[-k:])[::-1]


def missed(seeds: int, sizes: list[int], tolerances: list[float]) -> list[dict[str, Any]]:
    """Return how often a set of triplets is wrong where singular values are equal or close."""
    rows = []
    for name, k, spectrum in _CLUSTERED:
        for n in sizes:
            sigma = spectrum(n)
            A = scipy.sparse.diags_array(sigma).tocsr()
            wanted = np.sort(sigma)[::-1][:k]
            for tol in tolerances:
                row: dict[str, Any] = {"singular values": name, "n": n, "k": k, "tol": tol}
                for who, solve in (("rnla", rnla.svds), ("scipy", scipy_svds)):
                    wrong, products = 0, []
                    for seed in range(seeds):
                        counter = Counted(A)
                        s = solve(
                            counter.operator(),
                            k,
                            tol=tol,
                            return_singular_vectors=False,
                            rng=np.random.default_rng(seed),
                        )
                        products.append(counter.columns)
                        wrong += np.abs(np.sort(s)[::-1] - wanted).max() > max(1e-8, tol**2)
                    row |= {f"wrong {who}": int(wrong), f"products {who}": int(np.median(products))}
                rows.append(row)
    return rows


def tall(m: int, n: int, condition: float) -> np.ndarray:
    """Return a Gaussian block times an n x n matrix of singular values from 1 to 1/condition."""
    rng = np.random.default_rng(0)
    V = np.linalg.qr(rng.standard_normal((n, n)))[0]
    return rng.standard_normal((m, n)) @ (np.geomspace(1, 1 / condition, n)[:, None] * V.T)


def load(name: str) -> Any:
    """Return a SuiteSparse matrix from the data folder, None where it is absent."""
    path = _DATA / f"{name}.npz"
    return (
        scipy.sparse.csr_array(scipy.sparse.load_npz(path)).astype(float) if path.exists() else None
    )


def main(argv: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--matrices", type=several(str), default=["email-Enron", "amazon0302"])
    options.add_argument("--k", type=several(int), default=[10, 50])
    options.add_argument("--shapes", type=several(shape), default=[(10_000, 100), (100_000, 200)])
    options.add_argument("--condition", type=several(float), default=[1e2, 1e6, 1e12])
    options.add_argument("--smallest", type=several(int), default=[1, 5], help="0: none")
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--seeds", type=int, default=0, help="runs for each row on missed copies")
    arguments = options.parse_args(argv)
    if arguments.quick:
        arguments.matrices, arguments.k, arguments.smallest = [], [3], [1]
        arguments.shapes, arguments.condition, arguments.repeat = [(1000, 70)], [1e2], 1
        arguments.seeds = 1
    warnings.simplefilter("ignore")
    report = Report(arguments)
    if arguments.seeds:
        quick = arguments.quick
        rows = missed(
            arguments.seeds, [300] if quick else [300, 600], [1e-4] if quick else _TOLERANCES
        )
        report.table(f"Sets that are wrong, of {arguments.seeds} runs", _MISSED_COLUMNS, rows)
    for name in filter(None, arguments.matrices):
        A = load(name)
        if A is None:
            print(f"\n{name} skipped: no such file in shared/data beside the repository")
            continue
        for k in arguments.k:
            title = f"{name}, {A.shape[0]} x {A.shape[1]}, {A.nnz} entries: {k} largest"
            report.table(title, _COLUMNS, largest(A, k, arguments.repeat, None))
    for m, n in arguments.shapes:
        for condition in arguments.condition:
            A = tall(m, n, condition)
            exact = np.linalg.svd(np.linalg.qr(A, mode="r"), compute_uv=False)
            if condition == arguments.condition[0]:
                for k in (k for k in arguments.k if k < n):
                    rows = largest(A, k, arguments.repeat, exact)
                    report.table(f"{m} x {n}, dense: {k} largest", _COLUMNS, rows)
            for k in filter(None, arguments.smallest):
                rows = smallest(A, k, arguments.repeat, exact)
                title = f"{m} x {n}, condition {condition:.0e}: {k} smallest"
                report.table(title, _COLUMNS, rows)
    report.finish()


if __name__ == "__main__":
    main()
