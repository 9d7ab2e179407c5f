"""Errors, tolerances, error bars and times of the trace and diagonal estimators.

python bench/trace.py --parts traces,diagonals,tolerances,coverage,peers
python bench/trace.py --parts figure --figure docs/guide/trace-errors.svg

The matrices are those of the XTrace paper: n = 1000 and six spectra, the eigenvectors Haar. For
test vectors whose law rotations leave as it is, diagonal matrices give the same errors and stand in
for them. Peers are measured where they are installed: matfree and traceax, on JAX.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _report import Report, parser, several
from _spectra import SPECTRA, dense, reflected, scaled, tolerance_problems
from _timing import interleaved
from _trace_peers import contenders, installed
from scipy import sparse
from scipy.special import stdtrit

import rnla
from rnla.trace import HutchPP, XNysTrace, XTrace

METHODS: dict[str, tuple[Any, bool]] = {
    "Hutchinson": ("hutchinson", False),
    "Hutch++ signs": (HutchPP(test_vectors="signs"), False),
    "Hutch++": (HutchPP(), True),
    "XTrace signs": (XTrace(test_vectors="signs"), False),
    "XTrace": (XTrace(), True),
    "XNysTrace signs": (XNysTrace(test_vectors="signs"), False),
    "XNysTrace": (XNysTrace(), True),
}
# Mean relative errors of an independent script in twenty trials; columns as in METHODS.
REFERENCE = {
    ("flat", 100): (1.2e-3, 2.1e-3, 1.2e-3, 2.2e-3, 1.2e-3, 1.8e-3, 1.1e-3),
    ("flat", 300): (4.5e-4, 1.6e-3, 9.6e-4, 1.9e-3, 9.2e-4, 1.2e-3, 5.1e-4),
    ("poly", 60): (9.6e-2, 1.2e-3, 1.8e-3, 8.0e-4, 1.0e-3, 8.0e-4, 6.4e-4),
    ("poly", 100): (7.7e-2, 5.4e-4, 5.5e-4, 2.3e-4, 2.7e-4, 2.9e-4, 2.0e-4),
    ("poly", 300): (3.7e-2, 5.8e-5, 4.9e-5, 3.3e-5, 2.5e-5, 1.7e-5, 1.8e-5),
    ("slowexp", 100): (2.3e-2, 1.9e-3, 2.7e-3, 5.4e-4, 5.3e-4, 3.7e-5, 3.2e-5),
    ("slowexp", 200): (2.2e-2, 7.3e-5, 8.1e-5, 1.8e-6, 2.2e-6, 1.6e-9, 2.3e-9),
    ("slowexp", 300): (1.6e-2, 1.2e-6, 1.1e-6, 8.1e-9, 4.1e-9, 8.9e-14, 1.0e-13),
    ("exp", 20): (9.8e-2, 3.1e-2, 3.1e-2, 1.6e-2, 1.6e-2, 2.4e-3, 2.1e-3),
    ("exp", 60): (5.1e-2, 1.6e-4, 1.7e-4, 5.3e-6, 7.6e-6, 5.1e-9, 5.3e-9),
    ("exp", 100): (5.3e-2, 1.3e-6, 1.2e-6, 3.8e-9, 3.3e-9, 4.6e-14, 3.4e-14),
    ("exp", 200): (4.2e-2, 6.5e-12, 9.0e-12, 3e-16, 4e-16, 6.5e-16, 5e-15),
    ("step", 60): (1.6e-2, 2.9e-2, 2.4e-2, 2.8e-2, 2.5e-2, 5.2e-3, 5.5e-3),
    ("step", 100): (1.3e-2, 2.0e-2, 1.3e-2, 1.0e-2, 1.4e-2, 5.2e-4, 5.9e-4),
    ("step", 200): (1.2e-2, 2.6e-5, 2.5e-6, 2.6e-5, 4.0e-7, 8.7e-5, 9.5e-5),
    ("step", 300): (1.1e-2, 2.5e-5, 5.1e-7, 2.6e-5, 1.5e-7, 4.0e-5, 3.5e-5),
    ("bigstep", 60): (2.4e-2, 2.9e-2, 3.3e-2, 3.1e-2, 2.8e-2, 1.3e-7, 1.4e-7),
    ("bigstep", 200): (1.1e-2, 1.8e-10, 1.9e-15, 2.0e-10, 6e-16, 9.9e-10, 8.9e-10),
}
# Errors are nothing but rounding below this.
ROUNDING = 1e-13
# Largest relative error of an entry, median of eight trials: BKS, UDiag++, XDiag, XNysDiag.
DIAGONALS = {
    ("flat", 120): (8.5e-2, 0.19, 0.20, 0.16),
    ("flat", 300): (5.8e-2, 0.14, 0.16, 0.13),
    ("poly", 120): (8.3, 0.27, 0.14, 4.7e-2),
    ("poly", 300): (5.1, 3.5e-2, 1.8e-2, 7.8e-3),
    ("exp", 60): (7.0, 0.10, 4.5e-3, 5.4e-7),
    ("exp", 120): (5.5, 1.3e-4, 1.0e-7, 6.9e-13),
    ("step", 120): (1.4, 1.3, 4.2e-2, 2.6e-2),
    ("step", 300): (0.83, 8.1e-3, 6.1e-3, 4.9e-3),
}
# Products of the published A-Hutch++ at a relative tolerance of 2^-10 and delta = 0.05.
TOLERANCES = {
    "i^-0.1": 3303,
    "i^-0.5": 3688,
    "i^-1": 1630,
    "i^-2": 151,
    "i^-3": 45,
    "tridiagonal inverse": 1907,
    "Poisson inverse": 1774,
    "Saibaba-Ipsen logdet": 159,
}


def mean_error(name: str, n: int, s: int, label: str, trials: int, matrix: Any) -> float:
    """Return the mean relative error of a method of METHODS; `matrix` is for those with signs."""
    method, invariant = METHODS[label]
    d = SPECTRA[name](n)
    A, shape, exact = (partial(scaled, d), n, d.sum()) if invariant else (matrix, None, 0.0)
    exact = exact or np.trace(matrix)
    values = [
        rnla.trace(A, s, shape=shape, method=method, assume="psd", rng=seed).value
        for seed in range(trials)
    ]
    return float(np.mean(np.abs(np.array(values) / exact - 1)))


def traces(report: Report, n: int, trials: int, cells: list[tuple[str, int]]) -> None:
    rows = []
    matrices = {name: dense(SPECTRA[name](n)) for name, _ in cells}
    for name, s in cells:
        row: dict[str, Any] = {"spectrum": name, "s": s}
        for k, label in enumerate(METHODS):
            row[label] = mean_error(name, n, s, label, trials, matrices[name])
            if (name, s) in REFERENCE and n == 1000:
                reference = max(REFERENCE[name, s][k], ROUNDING)
                row[f"{label} / reference"] = max(row[label], ROUNDING) / reference
        rows.append(row)
    report.table(
        f"Relative error of the trace, mean of {trials} trials, n = {n}",
        {"spectrum": "", "s": "d"} | {label: ".1e" for label in METHODS},
        rows,
    )
    ratios = [value for row in rows for key, value in row.items() if key.endswith("reference")]
    if ratios:
        report.note(
            f"over the reference: {min(ratios):.2f} to {max(ratios):.2f}; "
            f"{sum(ratio > 2 for ratio in ratios)} of {len(ratios)} cells above 2"
        )


def figure(n: int, trials: int, path: Path) -> None:
    """Draw the errors on all spectra for s = 20, 60, ..., 300 and write an SVG file."""
    import matplotlib as mpl

    mpl.use("svg")
    # The same file in every run.
    mpl.rcParams["svg.hashsalt"] = "rnla"
    import matplotlib.pyplot as plt

    budgets = range(20, 301, 40)
    labels = ["Hutchinson", "Hutch++", "XTrace signs", "XTrace", "XNysTrace"]
    fig, axes = plt.subplots(2, 3, figsize=(10, 6), sharex=True, layout="constrained")
    for ax, name in zip(axes.flat, SPECTRA, strict=True):
        matrix = dense(SPECTRA[name](n))
        for label in labels:
            errors = [mean_error(name, n, s, label, trials, matrix) for s in budgets]
            ax.semilogy(budgets, errors, marker=".", markersize=4, linewidth=1, label=label)
        ax.set(title=name)
    for ax in axes[1]:
        ax.set(xlabel="products with A")
    for ax in axes[:, 0]:
        ax.set(ylabel="mean relative error")
    axes[0, 0].legend(fontsize="small")
    fig.savefig(path, metadata={"Date": None})
    # Matplotlib ends lines with blanks, which this repository does not keep.
    lines = path.read_text().splitlines()
    path.write_text("".join(f"{line.rstrip()}\n" for line in lines))


def diagonals(report: Report, n: int, trials: int, cells: list[tuple[str, int]]) -> None:
    rows = []
    methods = {"BKS": "bks", "UDiag++": "udiagpp", "XDiag": "xdiag", "XNysDiag": "xnysdiag"}
    matrices = {name: dense(SPECTRA[name](n)) for name, _ in cells}
    for name, s in cells:
        A = matrices[name]
        exact = np.diagonal(A)
        row: dict[str, Any] = {"spectrum": name, "s": s}
        for k, (label, method) in enumerate(methods.items()):
            errors = [
                np.max(
                    np.abs(rnla.diag(A, s, method=method, assume="psd", rng=seed).value / exact - 1)
                )
                for seed in range(trials)
            ]
            row[label] = float(np.median(errors))
            if (name, s) in DIAGONALS and n == 1000:
                row[f"{label} / reference"] = row[label] / DIAGONALS[name, s][k]
        rows.append(row)
    report.table(
        f"Largest relative error of the diagonal, median of {trials} trials, n = {n}",
        {"spectrum": "", "s": "d"} | {label: ".1e" for label in methods},
        rows,
    )
    ratios = [value for row in rows for key, value in row.items() if key.endswith("reference")]
    if ratios:
        report.note(f"over the reference: {min(ratios):.2f} to {max(ratios):.2f}")


def tolerances(report: Report, trials: int, small: bool, matrices: list[str]) -> None:
    rows = []
    tolerance = 2.0**-10
    for name, product, n, exact in tolerance_problems(small):
        if name not in matrices:
            continue
        found = [
            rnla.trace(product, rtol=tolerance, shape=n, assume="psd", rng=seed)
            for seed in range(trials)
        ]
        errors = np.array([abs(estimate.value / exact - 1) for estimate in found])
        count = float(np.mean([estimate.n_matvec for estimate in found]))
        row = {
            "matrix": name,
            "products": count,
            "mean error": float(errors.mean()),
            "missed": float(np.mean(errors > tolerance)),
            "exact": sum(estimate.status is rnla.Status.EXACT for estimate in found) / trials,
        }
        if not small:
            row["published"] = TOLERANCES[name]
            row["ratio"] = count / TOLERANCES[name]
        rows.append(row)
    report.table(
        f"A-Hutch++: products for rtol = 2^-10 at confidence 0.95, {trials} trials",
        {
            "matrix": "",
            "products": ".0f",
            "published": ".0f",
            "ratio": ".2f",
            "mean error": ".1e",
            "missed": ".3f",
            "exact": ".2f",
        },
        rows,
    )


def coverage(report: Report, n: int, trials: int) -> None:
    rows = []
    methods = {"Hutchinson": "hutchinson", "Hutch++": "hutchpp"} | {
        "XTrace": "xtrace",
        "XNysTrace": "xnystrace",
    }
    for name in ("flat", "poly", "exp", "step"):
        d = SPECTRA[name](n)
        # Signs have no error for a diagonal matrix.
        matrices = {"hutchinson": dense(d)}
        for s in (30, 60, 100, 200):
            row: dict[str, Any] = {"spectrum": name, "s": s}
            for label, method in methods.items():
                A = matrices.get(method, sparse.diags_array(d).tocsr())
                found = [
                    rnla.trace(A, s, method=method, assume="psd", rng=seed)
                    for seed in range(trials)
                ]
                row[label] = np.mean([covers(*e.confidence_interval(), d.sum()) for e in found])
                if label.startswith("X"):
                    row[f"{label} spread"] = np.mean([covers(*spread(e), d.sum()) for e in found])
            rows.append(row)
    report.table(
        f"Share of 95 % intervals that hold the trace, {trials} trials, n = {n}",
        {"spectrum": "", "s": "d"}
        | {label: ".3f" for label in [*methods, "XTrace spread", "XNysTrace spread"]},
        rows,
    )
    report.note("spread: Student's interval on the samples, as if they were independent")


def diagonal_coverage(report: Report, n: int, trials: int) -> None:
    rows = []
    diagonals = {"UDiag++": "udiagpp", "XDiag": "xdiag", "XNysDiag": "xnysdiag"}
    for name in ("flat", "poly", "exp", "step"):
        A = dense(SPECTRA[name](n))
        squares = np.sum(A**2, axis=1)
        for s in (30, 60, 120):
            row: dict[str, Any] = {"spectrum": name, "s": s}
            for label, method in diagonals.items():
                found = [
                    rnla.diag(A, s, method=method, assume="psd", rng=seed) for seed in range(trials)
                ]
                row[label] = _share(found, np.diagonal(A))
            found = [
                rnla.row_norms(A, s, method="xrownorm", squared=True, rng=seed)
                for seed in range(trials)
            ]
            row["XRowNorm"] = _share(found, squares)
            rows.append(row)
    report.table(
        f"Share of entries that 95 % intervals hold, {trials} trials, n = {n}",
        {"spectrum": "", "s": "d"} | {label: ".3f" for label in [*diagonals, "XRowNorm"]},
        rows,
    )


def _share(found: list[rnla.Estimate], exact: Any) -> float:
    ends = [estimate.confidence_interval() for estimate in found]
    return float(np.mean([(low <= exact) & (exact <= high) for low, high in ends]))


def covers(low: float, high: float, exact: float) -> bool:
    return low <= exact <= high


def spread(estimate: rnla.Estimate) -> tuple[float, float]:
    """Return the interval that the spread of the samples alone gives, and rounding."""
    if estimate.status is rnla.Status.EXACT:
        return estimate.confidence_interval()
    samples = estimate.samples
    k = len(samples)
    rounding = 1e-13 * abs(estimate.value)
    radius = stdtrit(k - 1, 0.975) * np.hypot(samples.std(ddof=1) / np.sqrt(k), rounding)
    return estimate.value - radius, estimate.value + radius


def peers(report: Report, n: int, s: int, repeat: int) -> None:
    rows = []
    for name in ("poly", "exp", "step"):
        A = reflected(SPECTRA[name](n))
        exact = np.trace(A)
        calls = contenders(A, s)
        errors: dict[str, list[float]] = {label: [] for label in calls}
        for label, call in calls.items():
            errors[label] = [abs(call(seed) / exact - 1) for seed in range(repeat)]
        seconds = interleaved(calls, repeat)
        rows += [
            {
                "spectrum": name,
                "contender": label,
                "mean error": float(np.mean(errors[label])),
                "min s": min(seconds[label]),
                "median s": float(np.median(seconds[label])),
            }
            for label in calls
        ]
    report.table(
        f"Dense A, n = {n}, {s} products, double precision, compiled before timing",
        {"spectrum": "", "contender": "", "mean error": ".1e", "min s": ".3f", "median s": ".3f"},
        rows,
    )
    missing = [name for name in ("matfree", "traceax") if not installed(name)]
    if missing:
        report.note(f"not installed: {', '.join(missing)}")


def main(argv: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument(
        "--parts",
        type=several(str),
        default=["traces", "diagonals", "tolerances", "coverage", "peers"],
    )
    options.add_argument("--n", type=int, default=1000)
    options.add_argument("--trials", type=int, default=100)
    options.add_argument("--repeat", type=int, default=5)
    options.add_argument("--matrices", type=several(str), default=list(TOLERANCES))
    options.add_argument("--figure", type=Path, default=Path("trace-errors.svg"), metavar="FILE")
    arguments = options.parse_args(argv)
    trace_cells, diagonal_cells, size = list(REFERENCE), list(DIAGONALS), 4000
    if arguments.quick:
        arguments.n, arguments.trials, arguments.repeat, size = 120, 3, 1, 150
        trace_cells, diagonal_cells = [("poly", 40), ("step", 60)], [("exp", 40)]
    report = Report(arguments)
    if "traces" in arguments.parts:
        traces(report, arguments.n, arguments.trials, trace_cells)
    if "diagonals" in arguments.parts:
        diagonals(report, arguments.n, max(3, arguments.trials // 5), diagonal_cells)
    if "tolerances" in arguments.parts:
        tolerances(report, arguments.trials, arguments.quick, arguments.matrices)
    if "coverage" in arguments.parts:
        coverage(report, arguments.n, arguments.trials)
        diagonal_coverage(report, arguments.n, max(3, arguments.trials // 5))
    if "peers" in arguments.parts:
        peers(report, size, 60 if arguments.quick else 200, arguments.repeat)
    if "figure" in arguments.parts:
        figure(arguments.n, arguments.trials, arguments.figure)
    report.finish()


if __name__ == "__main__":
    main()
