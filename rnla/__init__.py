"""Randomized numerical linear algebra: a sketch is the preconditioner, never the answer."""

import logging
from importlib import import_module
from typing import Any

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

# Loaded on first use: Matplotlib, and matrices for tests.
_LAZY = {"plot", "testing"}

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return import_module(f"rnla.{name}")
    raise AttributeError(f"module 'rnla' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
