"""Randomized numerical linear algebra: a sketch is the preconditioner, never the answer."""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnla import eigen, lstsq, sketch
    from rnla._core.results import LstsqResult
    from rnla._core.status import ConvergenceWarning, RnlaWarning, Status
    from rnla._core.threads import get_num_threads, limit_threads, set_num_threads
    from rnla._core.versions import show_versions
    from rnla.eigen import EigenResult, eigsh, epsi, svds
    from rnla.linalg.nystrom import nystrom
    from rnla.linalg.range_finder import range_finder
    from rnla.linalg.rsvd import rsvd
    from rnla.linalg.surrogate import Surrogate
    from rnla.lstsq import lstsq_refine
    from rnla.lstsq._warmup import warmup
    from rnla.refinement import RefineResult, refine
    from rnla.sketch import leverage_scores
    from rnla.trace import (
        Estimate,
        FunctionEstimate,
        SpectralDensity,
        SpectralQuadrature,
        diag,
        logdet,
        row_norms,
        spectral_density,
        trace,
        trace_function,
    )

__version__ = "0.1.0"

# A name is loaded at its first use: all together take a second, mostly for Numba and SciPy.
_HOMES = {
    "rnla._core.results": ("LstsqResult",),
    "rnla._core.status": ("ConvergenceWarning", "RnlaWarning", "Status"),
    "rnla._core.threads": ("get_num_threads", "limit_threads", "set_num_threads"),
    "rnla._core.versions": ("show_versions",),
    "rnla.eigen": ("EigenResult", "eigsh", "epsi", "svds"),
    "rnla.linalg.nystrom": ("nystrom",),
    "rnla.linalg.range_finder": ("range_finder",),
    "rnla.linalg.rsvd": ("rsvd",),
    "rnla.linalg.surrogate": ("Surrogate",),
    "rnla.lstsq": ("lstsq_refine",),
    "rnla.lstsq._warmup": ("warmup",),
    "rnla.refinement": ("RefineResult", "refine"),
    "rnla.sketch": ("leverage_scores",),
    "rnla.trace": (
        "Estimate",
        "FunctionEstimate",
        "SpectralDensity",
        "SpectralQuadrature",
        "diag",
        "logdet",
        "row_norms",
        "spectral_density",
        "trace",
        "trace_function",
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_MODULES = {"eigen", "lstsq", "plot", "sketch", "testing"}

__all__ = [
    "ConvergenceWarning",
    "EigenResult",
    "Estimate",
    "FunctionEstimate",
    "LstsqResult",
    "RefineResult",
    "RnlaWarning",
    "SpectralDensity",
    "SpectralQuadrature",
    "Status",
    "Surrogate",
    "diag",
    "eigen",
    "eigsh",
    "epsi",
    "get_num_threads",
    "leverage_scores",
    "limit_threads",
    "logdet",
    "lstsq",
    "lstsq_refine",
    "nystrom",
    "range_finder",
    "refine",
    "row_norms",
    "rsvd",
    "set_num_threads",
    "show_versions",
    "sketch",
    "spectral_density",
    "svds",
    "trace",
    "trace_function",
    "warmup",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"rnla.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'rnla' has no attribute {name!r}")
    # Kept, so that the function `trace` takes the place of the module that was just loaded.
    globals()[name] = found = getattr(import_module(_HOME[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
