"""What a search is told, and the states that it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import State
from rnla.eigen._ritz import Ritz
from rnla.eigen._select import Selection
from rnla.linalg.orthogonality import SEMIORTHOGONAL

# Chains whose pairs are polished may lose their orthogonality up to this power of the roundoff, or
# part of the tolerance: residuals are as long, but for what lies in the span of the wanted ones.
_POLISHED, _OF_TOLERANCE = 0.85, 0.05

Sharpen = Callable[[NDArray[Any], NDArray[Any], NDArray[Any], float], NDArray[Any] | None]
Correction = Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class RitzState(State):
    """A state with the eigenvalues of OP that belong to its vectors.

    Attributes
    ----------
    theta : ndarray, shape (k,)
        Ritz values, most wanted first.
    verified : bool
        Whether a search of the complement found nothing.
    norm : float
        The largest magnitude of a Ritz value that was seen.
    space : Ritz or None
        The whole search space as it was before the complement was searched.
    """

    theta: NDArray[Any] | None = None
    verified: bool = False
    norm: float = 0.0
    space: Ritz | None = None


@dataclass(frozen=True)
class Plan:
    """How to search.

    Attributes
    ----------
    selection : Selection
        What is wanted.
    block : int
        Columns multiplied at a time.
    capacity : int
        Most basis vectors.
    tol : float
        Residual norms relative to the Ritz values.
    verify : bool
        Whether to search the complement in the end.
    tried : int
        Columns at a time in a first trial of A itself, where a polynomial may follow; 0 for none.
    row_cost : float
        Multiplications in a product, for each of its entries.
    keeps_space : bool
        Whether the last state holds the search space, which is large.
    watched : bool
        Whether a callback sees the states, which form their vectors when asked.
    keeps_products : bool
        Whether products of the basis are kept as well.
    estimates : bool
        Whether the Lanczos relation may have the last word on residuals: someone else will look.
    semiorthogonal : bool
        Whether the basis may be orthonormal to half of the digits, for Ritz vectors are a start.
    polishes : bool
        The same, for single vectors, where pairs are formed anew before they are judged.
    squares : bool
        Whether Ritz values are squares, whose roots are wanted.
    sharpen : callable or None
        Maps the vectors found, their Ritz values, a random block and the share of steps that the
        complement is worth to a block in which wanted vectors of the complement stand out, or to
        nothing where it holds none.
    correction : callable or None
        Maps residuals, their Ritz values and all wanted vectors to corrections.
    """

    selection: Selection
    block: int
    capacity: int
    tol: float
    verify: bool
    tried: int = 0
    row_cost: float = np.inf
    keeps_space: bool = False
    watched: bool = False
    keeps_products: bool = True
    estimates: bool = False
    semiorthogonal: bool = False
    polishes: bool = False
    squares: bool = False
    sharpen: Sharpen | None = None
    correction: Correction | None = None

    def chain_loss(self, eps: float) -> float:
        """Return the inner products up to which vectors of a chain are left as they are.

        Parameters
        ----------
        eps : float
            Roundoff.

        Returns
        -------
        float
            Zero where they are to be orthonormal.
        """
        most = float(eps**SEMIORTHOGONAL)
        if self.polishes:
            return min(most, max(float(eps**_POLISHED), _OF_TOLERANCE * self.tol))
        return most if self.semiorthogonal else 0.0

    @property
    def guarded(self) -> int:
        """Wanted and guard vectors, which a restart keeps first."""
        k = self.selection.k
        return min(k + 4, self.capacity - self.block)

    @property
    def kept(self) -> int:
        """Vectors that survive a restart."""
        return (self.guarded + self.capacity - self.block) // 2
