"""Time what a user waits for before any work: the import, and the first call.

python bench/startup.py
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _report import Report, parser, several

ROOT = Path(__file__).resolve().parents[1]
_LARGEST = 8
_PACKAGES = ("numpy", "numba", "scipy.sparse.linalg", "rnla")

# The first call compiles or loads what it needs, the second is what it costs from then on.
_FIRST_CALL = """
import sys, time
import numpy as np
start = time.perf_counter()
import rnla
imported = time.perf_counter() - start
kind, method, m, n = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
rng = np.random.default_rng(0)
A = rng.standard_normal((m, n))
b = A @ np.ones(n) + 1e-3 * rng.standard_normal(m)
if kind == "sparse":
    import scipy.sparse
    A[np.abs(A) < 1] = 0
    A = scipy.sparse.csr_array(A)
elif kind == "F":
    A = np.asfortranarray(A)
elif kind == "float32":
    A, b = A.astype(np.float32), b.astype(np.float32)
seconds = []
for _ in range(2):
    start = time.perf_counter()
    result = rnla.lstsq_refine(A, b, method=method, rng=0)
    seconds.append(time.perf_counter() - start)
assert result.backward_error < 1e-6 if kind == "float32" else result.backward_error < 2e-15
print(imported, *seconds)
"""
# A name of rnla is loaded at its first use.
_ALL = "from rnla import *"
_FIRST_USE = ["from rnla import lstsq_refine", "from rnla import eigsh", _ALL]


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run this Python with rnla of this checkout."""
    path = os.pathsep.join(filter(None, [os.fspath(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": path, **environment},
        check=True,
        capture_output=True,
        text=True,
    )


def wall(code: str, repeat: int) -> list[float]:
    """Return the seconds of a fresh process that runs `code`, fastest first."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        run("-c", code)
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)


def import_rows(processes: list[str], repeat: int) -> list[dict[str, Any]]:
    rows = []
    for what in processes:
        seconds = wall(what, repeat)
        rows.append({"process": what, "best s": seconds[0], "median s": seconds[len(seconds) // 2]})
    for row in rows:
        row["above python s"] = row["best s"] - rows[0]["best s"]
    return rows


def largest_imports() -> list[dict[str, Any]]:
    """Return the modules that take longest themselves while all of rnla is imported."""
    found = re.findall(
        r"import time:\s+(\d+) \|\s+(\d+) \| +(\S+)",
        run("-X", "importtime", "-c", _ALL).stderr,
    )
    packages: dict[str, float] = {}
    for own, _, module in found:
        package = module.split(".")[0]
        packages[package] = packages.get(package, 0.0) + int(own) / 1e6
    largest = sorted(packages.items(), key=lambda item: -item[1])[:_LARGEST]
    return [{"package": package, "own s": own} for package, own in largest]


def first_call_rows(kinds: list[str], method: str, m: int, n: int) -> list[dict[str, Any]]:
    rows = []
    for kind in kinds:
        with tempfile.TemporaryDirectory() as folder:
            row: dict[str, Any] = {"input": kind}
            for cache in ("cold", "cached"):
                out = run("-c", _FIRST_CALL, kind, method, str(m), str(n), NUMBA_CACHE_DIR=folder)
                _, first, second = map(float, out.stdout.split())
                row[f"{cache} first call s"] = first
                row["second call s"] = second
            rows.append(row)
    return rows


def main(argv: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--repeat", type=int, default=5)
    options.add_argument("--method", default="spir")
    options.add_argument("--kinds", type=several(str), default=["C", "F", "float32", "sparse"])
    arguments = options.parse_args(argv)
    m, n = 50_000, 50
    processes = ["pass", *(f"import {name}" for name in _PACKAGES), *_FIRST_USE]
    if arguments.quick:
        arguments.repeat, arguments.kinds, arguments.method = 1, ["C"], "lapack"
        m, processes = 200, ["pass", "import rnla"]
    report = Report(arguments)
    # First, because it also warms the byte code and the disk cache.
    packages = largest_imports()
    report.table(
        f"A process that does nothing but import, best of {arguments.repeat}",
        {"process": "", "best s": ".3f", "median s": ".3f", "above python s": ".3f"},
        import_rows(processes, arguments.repeat),
    )
    report.table(
        f"Own time of packages during `{_ALL}` (-X importtime)",
        {"package": "", "own s": ".3f"},
        packages,
    )
    report.table(
        f"First call: lstsq_refine(A, b, method={arguments.method!r}), A {m} x {n}",
        {
            "input": "",
            "cold first call s": ".2f",
            "cached first call s": ".3f",
            "second call s": ".4f",
        },
        first_call_rows(arguments.kinds, arguments.method, m, n),
    )
    report.note("cold: NUMBA_CACHE_DIR empty, every kernel is compiled; cached: the next process")
    report.finish()


if __name__ == "__main__":
    main()
