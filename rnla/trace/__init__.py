"""Trace, diagonal and row norms of matrices that are known by products with vectors.

Traces of functions and log-determinants too. ``rnla.trace`` is the function of that name; the names
below are imported from this module.
"""

import inspect
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from rnla.trace._api import trace
from rnla.trace._choose import Choice, choose_method
from rnla.trace._density import SpectralDensity, spectral_density
from rnla.trace._diag_api import diag
from rnla.trace._diag_methods import BKS, UDiagPP, XDiag, XNysDiag, XRowNorm
from rnla.trace._estimate import ConfidenceInterval, Estimate
from rnla.trace._function_estimate import FunctionEstimate
from rnla.trace._logdet import logdet
from rnla.trace._methods import (
    AHutchPP,
    Exact,
    Hutchinson,
    HutchPP,
    NAHutchPP,
    XNysTrace,
    XSymTrace,
    XTrace,
)
from rnla.trace._quadrature import SpectralQuadrature
from rnla.trace._row_norms import row_norms
from rnla.trace._trace_function import trace_function

__all__ = [
    "BKS",
    "AHutchPP",
    "Choice",
    "ConfidenceInterval",
    "Estimate",
    "Exact",
    "FunctionEstimate",
    "HutchPP",
    "Hutchinson",
    "NAHutchPP",
    "SpectralDensity",
    "SpectralQuadrature",
    "UDiagPP",
    "XDiag",
    "XNysDiag",
    "XNysTrace",
    "XRowNorm",
    "XSymTrace",
    "XTrace",
    "choose_method",
    "diag",
    "logdet",
    "row_norms",
    "spectral_density",
    "trace",
    "trace_function",
]


class _CallableModule(ModuleType):
    """A module that can be called like the function of its name.

    Whoever imports from the module first finds it, and not the function, among the attributes of
    the package.
    """

    def __call__(self, *args: Any, **options: Any) -> Estimate:
        return trace(*args, **options)

    def __reduce__(self) -> tuple[Any, ...]:
        return import_module, (__name__,)


__signature__ = inspect.signature(trace)
sys.modules[__name__].__class__ = _CallableModule
