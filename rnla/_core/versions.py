"""Versions, threads and folders: what a report of a problem needs."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, overload

from llvmlite.binding import get_host_cpu_name
from threadpoolctl import threadpool_info

from rnla._core.threads import get_num_threads
from rnla._kernels.sweep import sweep_rows

_PACKAGES = ("numpy", "scipy", "numba", "llvmlite", "scikit-learn", "threadpoolctl", "matplotlib")


@overload
def show_versions(mode: Literal["stdout"] = "stdout") -> None: ...
@overload
def show_versions(mode: Literal["dicts"]) -> dict[str, Any]: ...
def show_versions(mode: str = "stdout") -> dict[str, Any] | None:
    """Show versions, threads, BLAS and the folder of compiled kernels, for a report of a problem.

    Parameters
    ----------
    mode : {"stdout", "dicts"}, default "stdout"
        "stdout" writes a table to standard output, "dicts" returns what would stand in it.

    Returns
    -------
    dict or None
        With ``mode="dicts"``: the system, the packages, the threads, the BLAS libraries and the
        cache folder.

    Raises
    ------
    ValueError
        If `mode` is neither.

    See Also
    --------
    numpy.show_runtime : What NumPy knows about its libraries.

    Examples
    --------
    >>> import rnla
    >>> info = rnla.show_versions(mode="dicts")
    >>> sorted(info)
    ['blas', 'numba_cache', 'packages', 'system', 'threads']
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"`mode` must be 'stdout' or 'dicts', got {mode!r}")
    info = _collect()
    if mode == "dicts":
        return info
    sys.stdout.write(_as_text(info))
    return None


def _collect() -> dict[str, Any]:
    from rnla import __version__  # at call time: this module is part of importing rnla

    return {
        "system": {
            "platform": platform.platform(),
            "cpu": _cpu_name(),
            "instruction set": get_host_cpu_name(),
            "processors": os.cpu_count(),
        },
        "packages": {
            "rnla": __version__,
            "python": platform.python_version(),
            **{name: _installed(name) for name in _PACKAGES},
        },
        "threads": get_num_threads(),
        # Other pools register too, SciPy's file readers among them, with fields of other types.
        "blas": [
            _library(library) for library in threadpool_info() if library["user_api"] == "blas"
        ],
        "numba_cache": sweep_rows.stats.cache_path,  # type: ignore[attr-defined]
    }


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _library(library: dict[str, Any]) -> dict[str, Any]:
    return {
        "library": library["internal_api"],
        "version": library["version"],
        "threads": library["num_threads"],
        "threading": library.get("threading_layer"),
        "architecture": library.get("architecture"),
        "file": Path(library["filepath"]).name,
    }


def _as_text(info: dict[str, Any]) -> str:
    pairs: list[tuple[str, Any]] = [*info["packages"].items(), *info["system"].items()]
    pairs.append(("threads of rnla", info["threads"]))
    for library in info["blas"]:
        parts = [library["library"], library["version"], f"{library['threads']} threads"]
        parts += [library["threading"], library["architecture"], library["file"]]
        pairs.append(("BLAS", ", ".join(str(part) for part in parts if part)))
    pairs.append(("compiled kernels", info["numba_cache"] or "not kept: compiled in each process"))
    width = max(len(name) for name, _ in pairs)
    return "".join(
        f"{name.ljust(width)}  {'not installed' if value is None else value}\n"
        for name, value in pairs
    )
