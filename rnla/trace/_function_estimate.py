"""The estimate of a matrix function's trace, which carries its quadrature."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from rnla.trace._estimate import Estimate
from rnla.trace._quadrature import SpectralQuadrature


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionEstimate(Estimate):
    """An estimate of ``tr f(A)`` with the quadrature that gave it.

    `stderr` is the sampling error alone, `bias` that of the quadrature: what the last Lanczos steps
    changed, or the width of a bracket. The confidence interval holds both. Other attributes are
    those of `Estimate`.

    Attributes
    ----------
    quadrature : SpectralQuadrature or None
        Nodes and weights; ``quadrature.trace(g)`` estimates ``tr g(A)`` without any product. None
        where no spectrum of A was looked at: Cholesky factors, and preconditioned matrices.
    """

    quadrature: SpectralQuadrature | None = field(repr=False, compare=False)

    @classmethod
    def of(
        cls, estimate: Estimate, quadrature: SpectralQuadrature | None, source: Any
    ) -> FunctionEstimate:
        """Return an estimate together with its quadrature and its matrix."""
        values = {each.name: getattr(estimate, each.name) for each in fields(Estimate)}
        return cls(**{**values, "source": source}, quadrature=quadrature)
