"""Trace, diagonal and row norms of matrices that are known by products with vectors."""

from rnla.trace._density import SpectralDensity, spectral_density
from rnla.trace._estimate import ConfidenceInterval, Estimate
from rnla.trace._function_estimate import FunctionEstimate
from rnla.trace._logdet import logdet
from rnla.trace._quadrature import SpectralQuadrature
from rnla.trace._trace_function import trace_function

__all__ = [
    "ConfidenceInterval",
    "Estimate",
    "FunctionEstimate",
    "SpectralDensity",
    "SpectralQuadrature",
    "logdet",
    "spectral_density",
    "trace_function",
]
