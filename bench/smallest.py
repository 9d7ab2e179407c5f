"""Passes that the smallest singular triplets of a tall matrix take, and what ARPACK makes of them.

python bench/smallest.py
python bench/smallest.py --shapes 2e4x100,1e5x500 --seeds 3 --arpack 0
python bench/smallest.py --shapes 1e5x200 --kinds sparse,complex --spectra logspace
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse
from _report import Report, parser, several, shape
from scipy.sparse.linalg import ArpackError, svds
from svds import Counted

from rnla.eigen._svds_check import check_request
from rnla.eigen._svds_solve import singular_triplets

_COLUMNS = {
    "singular values": "",
    "condition": ".0e",
    "k": "d",
    "seed": "d",
    "passes": ".1f",
    "products": "d",
    "steps": "d",
    "sigma error": ".0e",
    "relative": ".0e",
    "residual / ||B||": ".0e",
    "status": "",
    "ARPACK": "",
}
_SPECTRA = ["logspace", "linear", "flat", "coherent"]
_KINDS = ["dense", "complex", "sparse"]
_SMALL = 10
_LEVERAGE = 1e6
# Entries of a row of a sparse matrix.
_ENTRIES = 12


def spectrum(name: str, n: int, condition: float) -> np.ndarray:
    """Return singular values from 1 down to 1/condition."""
    if name == "linear":
        return np.linspace(1, 1 / condition, n)
    if name == "flat":
        small = np.geomspace(min(_SMALL, condition), 1, _SMALL) / condition
        return np.concatenate([np.ones(n - _SMALL), small])
    return np.geomspace(1, 1 / condition, n)


def planted(
    kind: str, name: str, m: int, n: int, condition: float, rng: np.random.Generator
) -> tuple[Any, np.ndarray]:
    """Return a matrix and its singular values: planted, or LAPACK's for a sparse one."""
    sigma = spectrum(name, n, condition)
    if kind == "sparse":
        B = scipy.sparse.random_array((m, n), density=_ENTRIES / n, rng=rng, format="csr")
        B = scipy.sparse.csr_array(B @ scipy.sparse.diags_array(sigma))
        return B, np.linalg.svd(B.toarray(), compute_uv=False)
    U, V = rng.standard_normal((m, n)), rng.standard_normal((n, n))
    if kind == "complex":
        U, V = U + 1j * rng.standard_normal((m, n)), V + 1j * rng.standard_normal((n, n))
    if name == "coherent":
        U[0] *= _LEVERAGE
    U, V = np.linalg.qr(U)[0], np.linalg.qr(V)[0]
    return (U * sigma) @ V.conj().T, sigma


def row(B: Any, exact: np.ndarray, k: int, seed: int) -> dict[str, Any]:
    """Return what the k smallest triplets took and how good they are."""
    request = check_request(B, k, None, 0, "SM", None, None, True, "sketched", seed, None)
    found = singular_triplets(request)
    errors = np.abs(found.values - exact[: -k - 1 : -1])
    U, V = found.left_vectors, found.vectors
    assert U is not None
    left = np.linalg.norm(B @ V - U * found.values, axis=0)
    right = np.linalg.norm(B.conj().T @ U - V * found.values, axis=0)
    return {
        "k": k,
        "seed": seed,
        # A product with B and one with its adjoint; the sketch reads B as one product does.
        "passes": found.n_passes / 2,
        "products": found.n_matvec,
        "steps": found.n_iter,
        "sigma error": float(errors.max() / exact[0]),
        "relative": float(errors[0] / exact[-1]),
        "residual / ||B||": float(max(left.max(), right.max()) / exact[0]),
        "status": found.status.name,
    }


def arpack(B: Any, k: int, maxiter: int, smallest: float) -> str:
    """Return what SciPy's svds makes of the triangle of B, which has the same B^H B."""
    entries = B.toarray() if scipy.sparse.issparse(B) else B
    counter = Counted(np.linalg.qr(entries, mode="r"))
    start = np.random.default_rng(0)
    try:
        values = svds(
            counter.operator(),
            k,
            which="SM",
            maxiter=maxiter,
            return_singular_vectors=False,
            rng=start,
        )
    except ArpackError:
        return f"none in {counter.columns} products"
    relative = abs(values.min() - smallest) / smallest
    return f"{counter.columns} products, relative {relative:.0e}"


def main(argv: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--shapes", type=several(shape), default=[(100_000, 200)])
    options.add_argument("--kinds", type=several(str), default=["dense"], help=", ".join(_KINDS))
    options.add_argument("--spectra", type=several(str), default=_SPECTRA)
    options.add_argument("--condition", type=several(float), default=[1e2, 1e6, 1e12])
    options.add_argument("--k", type=several(int), default=[1, 5])
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--arpack", type=int, default=3000, help="its maxiter; 0: leave it out")
    arguments = options.parse_args(argv)
    if arguments.quick:
        arguments.shapes, arguments.condition, arguments.k = [(1000, 70)], [1e2], [1]
        arguments.arpack = 10
    warnings.simplefilter("ignore")
    report = Report(arguments)
    for m, n in arguments.shapes:
        for kind in arguments.kinds:
            rows = []
            for name in arguments.spectra:
                for condition in arguments.condition:
                    for seed in range(arguments.seeds):
                        rng = np.random.default_rng(seed)
                        B, exact = planted(kind, name, m, n, condition, rng)
                        for k in arguments.k:
                            facts = {"singular values": name, "condition": condition}
                            facts |= row(B, exact, k, seed)
                            if arguments.arpack:
                                facts["ARPACK"] = arpack(B, k, arguments.arpack, exact[-1])
                            rows.append(facts)
            report.table(f"{m} x {n}, {kind}", _COLUMNS, rows)
            report.note(f"At the most {max(each['passes'] for each in rows):.1f} passes")
    report.finish()


if __name__ == "__main__":
    main()
