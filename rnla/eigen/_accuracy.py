"""How accurate Ritz pairs have to be, and what is left to rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.eigen._plan import Plan

# In units of eps * ||OP||: what estimates are asked for, and those of a start, and what rounding
# adds to true residuals.
_FLOOR, _FLOOR_START = 8.0, 2.0
ROUNDING = 120.0
# Ritz values that differ by less are equal, in the same units: so much for a start.
_EQUAL, _EQUAL_START = 20.0, 5000.0
# The part of that for squares of singular values, times the root over the largest one, and the part
# below which products with a Gram matrix round too much.
_ROOT_SHARE, _LEAST_SHARE = 0.6, 0.2


class Accuracy:
    """What is asked of Ritz pairs.

    Parameters
    ----------
    plan : Plan
        Of the search.
    eps : float
        Roundoff of the working precision.

    Attributes
    ----------
    tolerance : float
        Of residual norms, relative to the Ritz values.
    """

    def __init__(self, plan: Plan, eps: float) -> None:
        self.plan, self.eps = plan, eps
        self.tolerance = max(plan.tol, eps)

    def spread(self, norm: float) -> float:
        """Return the difference below which values are equal.

        Parameters
        ----------
        norm : float
            Of the operator.

        Returns
        -------
        float
            Larger for a start.
        """
        return (_EQUAL_START if self.plan.semiorthogonal else _EQUAL) * self.eps * norm

    def allowed(self, theta: NDArray[Any], norm: float, *, rounded: bool) -> NDArray[Any]:
        """Return the residual norms to reach.

        Parameters
        ----------
        theta : ndarray, shape (k,)
            Ritz values.
        norm : float
            Of the operator.
        rounded : bool
            Whether residuals are formed from products, and carry rounding errors.

        Returns
        -------
        ndarray, shape (k,)
            One for each pair.
        """
        plan, unit, sizes = self.plan, self.eps * norm, np.abs(theta)
        sizes = np.maximum(sizes, self.eps ** (2 / 3) * norm)
        floor = _FLOOR_START if plan.semiorthogonal else _FLOOR
        allowed = np.maximum(self.tolerance * sizes, floor * unit)
        rounding = np.full(len(sizes), ROUNDING * unit)
        if plan.semiorthogonal and norm > 0:
            # What large values of a polynomial round lies along vectors that are wanted as well.
            rounding *= sizes / norm
        if plan.squares and norm > 0:
            # Residuals of roots are these over the root, and those are held to their own norm.
            share = _ROOT_SHARE * np.sqrt(np.abs(theta) / norm)
            rounding *= np.where(share >= _LEAST_SHARE, share, 1.0)
        return np.asarray(allowed + rounded * rounding)

    def errors(
        self, theta: NDArray[Any], residuals: NDArray[Any], norm: float, *, rounded: bool
    ) -> NDArray[Any]:
        """Return residual norms in units of what is allowed, times the tolerance.

        Parameters
        ----------
        theta, residuals : ndarray, shape (k,)
            Ritz values and residual norms.
        norm : float
            Of the operator.
        rounded : bool
            As above.

        Returns
        -------
        ndarray, shape (k,)
            At most the tolerance where nothing is left to be done.
        """
        allowed = self.allowed(theta, norm, rounded=rounded)
        allowed[allowed == 0] = 1.0  # The operator zero leaves nothing over either.
        return np.asarray(self.tolerance * residuals / allowed)
