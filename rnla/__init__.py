"""Randomized numerical linear algebra: a sketch is the preconditioner, never the answer."""

import logging
from importlib import import_module
from typing import Any

from rnla import lstsq, sketch
from rnla._core.results import LstsqResult
from rnla._core.status import ConvergenceWarning, RnlaWarning, Status
from rnla._core.threads import get_num_threads, limit_threads, set_num_threads
from rnla._core.versions import show_versions
from rnla.lstsq import lstsq_refine
from rnla.lstsq._warmup import warmup
from rnla.refinement import RefineResult, refine

# The function takes the place of the module of its name among the attributes of this package;
# `from rnla.trace import ...` finds the module all the same.
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
    "Estimate",
    "FunctionEstimate",
    "LstsqResult",
    "RefineResult",
    "RnlaWarning",
    "SpectralDensity",
    "SpectralQuadrature",
    "Status",
    "diag",
    "get_num_threads",
    "limit_threads",
    "logdet",
    "lstsq",
    "lstsq_refine",
    "refine",
    "row_norms",
    "set_num_threads",
    "show_versions",
    "sketch",
    "spectral_density",
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
