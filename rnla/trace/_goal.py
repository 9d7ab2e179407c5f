"""How many products an estimate may take, and how accurate it has to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rnla.trace._estimate import student
from rnla.trace._quadrature import Parts
from rnla.trace._rules import Floats

# Of the tolerance, what a quadrature may take; the rest is for the sampling error.
QUADRATURE_SHARE = 0.2
# Without a tolerance, of the standard error that all products together leave. Where errors fall
# like the square of the steps, five times that would make the shortest intervals for one function;
# others that the quadrature is used for may need more steps.
_SETTLED = 0.1


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A budget, a tolerance, or both.

    Attributes
    ----------
    limit : int
        Products allowed, or to be spent where there is no tolerance.
    rtol, atol : float
        ``radius <= atol + rtol |value|`` ends the run; both 0 if there is no tolerance.
    confidence : float
        Level of the interval.
    """

    limit: int
    rtol: float
    atol: float
    confidence: float

    @property
    def has_tolerance(self) -> bool:
        """Whether there is a tolerance."""
        return self.rtol > 0 or self.atol > 0

    @property
    def quantile(self) -> float:
        """The normal quantile of the level."""
        return student(self.confidence, np.inf)

    def tolerance(self, value: float) -> float:
        """Return the radius at which to stop."""
        return self.atol + self.rtol * abs(value)

    def met(self, parts: Parts) -> bool:
        """Return whether an estimate is accurate enough."""
        radius = student(self.confidence, parts.degrees_of_freedom) * parts.stderr + parts.bias
        return bool(radius <= self.tolerance(float(parts.value)))

    def settled(
        self, offset: float, n: int, products: int
    ) -> Callable[[Floats, Floats, int], Floats]:
        """Return the error of a rule that is small enough.

        Parameters
        ----------
        offset : float
            What is added to each sample.
        n : int
            Dimension that the sample stands for.
        products : int
            That all samples may take together, where there is no tolerance.

        Returns
        -------
        callable
            For `Probes.rules`.
        """

        def allowed(samples: Floats, spreads: Floats, steps: int) -> Floats:
            if self.has_tolerance:
                return QUADRATURE_SHARE * (self.atol + self.rtol * np.abs(offset + samples))
            # The standard deviation of a sample is about sqrt(2 / n) of its spread, and fewer steps
            # leave room for more samples: the same for all, short of the whole budget.
            share = np.sqrt(min(1.0, steps / products))
            return np.asarray(_SETTLED * share * np.sqrt(2 / n) * spreads)

        return allowed
