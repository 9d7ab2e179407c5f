"""Search of the complement of what a polynomial has found, with the polynomial."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.eigen._chebyshev import Chebyshev, Filtered
from rnla.eigen._hidden import UNLIKELY, log_chance
from rnla.eigen._lanczos import BlockLanczos
from rnla.eigen._plan import Plan, RitzState
from rnla.eigen._select import Selection
from rnla.linalg.orth import orthonormal_block, project_out

# Least steps, and how many times longer to look than without a polynomial: the search that found
# the pairs had no restarts to slow it down.
_LEAST_STEPS, _LONGER = 3, 2.0
# Ritz values to wait for, and what they may rise yet, in units of their last rise.
_OUTSIDE, _TREND = 2, 3.0


class _Deflated(Filtered):
    """``(I - V V^H) p(A)``, on the complement of V."""

    def __init__(self, polynomial: Chebyshev, V: NDArray[Any]) -> None:
        super().__init__(polynomial, V.dtype)
        self.V = V

    def _product(self, V: NDArray[Any], BV: NDArray[Any]) -> NDArray[Any]:
        return project_out(super()._product(V, BV), self.V, self.V)[0]


@dataclass(frozen=True)
class Sharpener:
    """Turns a random block into one in which eigenvectors stand out that were missed.

    Attributes
    ----------
    selection : Selection
        What is wanted.
    polynomial : Chebyshev
        Of A, large where wanted values are.
    plan : Plan
        That of the search which found pairs with it.
    steps : int
        Which that search took.
    rng : Generator
        For directions that vanish.
    """

    selection: Selection
    polynomial: Chebyshev
    plan: Plan
    steps: int
    rng: np.random.Generator

    def __call__(
        self, V: NDArray[Any], theta: NDArray[Any], fresh: NDArray[Any], share: float
    ) -> NDArray[Any] | None:
        """Search the complement of V for a share of the steps that finding V has taken.

        It ends early where what the complement holds is seen to be wanted, or not to be, and with
        nothing where the block cannot have hidden it.

        Parameters
        ----------
        V : ndarray, shape (n, k)
            The vectors found.
        theta : ndarray, shape (k,)
            Their eigenvalues.
        fresh : ndarray, shape (n, b)
            Random.
        share : float
            Of the steps, for a search with A.

        Returns
        -------
        ndarray, shape (n, b), or None
            Ritz vectors of the complement for the largest values of the polynomial; nothing where
            the random block would have shown whatever is wanted.
        """
        width = fresh.shape[1]
        plan = replace(
            self.plan,
            selection=Selection("LA", width),
            block=width,
            capacity=min(self.plan.capacity, len(V) - V.shape[1]),
        )
        search = BlockLanczos(_Deflated(self.polynomial, V), plan, self.rng)
        least = float(self.polynomial.at(theta).min())
        limit = max(_LEAST_STEPS, round(_LONGER * share * self.steps))
        before = np.full(_OUTSIDE, -np.inf)
        ends = self._ends(theta)
        start = orthonormal_block(fresh, V, rng=self.rng)
        for state in search.states(start):
            assert isinstance(state, RitzState)
            if state.theta is None or state.residual_norm is None:
                continue
            size, chance = search.basis.size, 0.0
            if ends and size == search.steps * width:
                T = search.basis.T[:size, :size]
                chance = log_chance(T, search.coupling, ends, len(V))
            if chance <= -UNLIKELY:
                return None
            near = state.theta[:_OUTSIDE]
            reach = state.residual_norm[:_OUTSIDE] + _TREND * np.maximum(near - before, 0.0)
            before = near
            settled = search.steps >= _LEAST_STEPS and (near + reach < least).all()
            # A bound that has begun to fall will be there before a search with A could be.
            settled = settled and chance == 0
            if state.certified or settled or near[0] > least or search.steps >= limit:
                break
        return search.basis.ritz(plan.selection).vectors(slice(0, width))

    def _ends(self, theta: NDArray[Any]) -> list[tuple[int, float]]:
        """Return where values of the polynomial belong to wanted ones; none if it hides some."""
        ends = self.selection.ends(theta)
        values = self.polynomial.at(np.array([end for _, end in ends]))
        if np.abs(values).min() <= 1:
            return []
        return [(1 if value > 0 else -1, float(value)) for value in values]
