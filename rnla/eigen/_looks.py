"""When to look at the Ritz values: each look costs an eigenvalue problem of its own."""

from __future__ import annotations

import numpy as np

from rnla.eigen._plan import Plan

# What the eigenvalues of T cost per cube of their number, the calls of a look, and those of a step,
# in multiplications of the step.
_LOOK_PRICE, _LOOK_CALLS, _CALLS = 10.0, 1e6, 3e6
# Calls of a look where steps have none, the most steps, also in units of the basis, and the least.
_CHAIN_CALLS, _CHAIN_STRIDE, _CHAIN_SHARE, _CHAIN_LEAST = 1.5e6, 12.0, 0.2, 2.0
# The most steps from one look to the next; where few may be enough, how much less than steps looks
# should cost, and again the most steps.
_MOST_STRIDE, _LESS, _SOON = 8.0, 4.0, 2.0
# Rows up to which a basis that can hold the whole space may as well do so.
_WHOLE = 20


def looks_for(plan: Plan, n: int, tolerance: float, *, chained: bool) -> Looks:
    """Return the looks of a search.

    Parameters
    ----------
    plan : Plan
        Of the search.
    n : int
        Rows.
    tolerance : float
        The error that ends it.
    chained : bool
        Whether the steps from one look to the next are one call.

    Returns
    -------
    Looks
        The first one where there may be enough vectors.
    """
    whole = n <= min(_WHOLE, plan.capacity)
    first = _WHOLE if whole else -(-plan.selection.k // plan.block)
    return Looks(tolerance, first, chained=chained)


class Looks:
    """The step of the next look.

    Parameters
    ----------
    tolerance : float
        The error that ends the search.
    first : int
        Step before which there is no look.
    chained : bool
        Whether the steps from one look to the next are one call.

    Attributes
    ----------
    next : int
        The step.
    """

    def __init__(self, tolerance: float, first: int, *, chained: bool = False) -> None:
        self.tolerance, self.next = tolerance, first
        self.chained = chained
        self.calls, self.step_calls, self.most = _LOOK_CALLS, _CALLS, _MOST_STRIDE
        if chained:
            self.calls, self.step_calls, self.most = _CHAIN_CALLS, 0.0, _CHAIN_STRIDE
        self.last: tuple[int, float] | None = None

    def schedule(self, step: int, error: float, size: int, work: float, *, soon: bool) -> None:
        """Choose the next look: half way to where the error will be small enough, or there.

        It is not put off so long that a step too many would cost more than looks: with p for the
        price of a look in steps, N steps cost ``N p / m + m / 2`` more where every m-th is followed
        by a look, least for ``m = sqrt(2 N p)``.

        Parameters
        ----------
        step : int
            The present one.
        error : float
            What this look has seen.
        size : int
            Vectors of the basis.
        work : float
            Multiplications of a step.
        soon : bool
            Whether few steps of a block may be enough.
        """
        spectrum, price = _LOOK_PRICE * size**3, self.step_calls + work
        if soon and not self.chained:
            stride = min((1 + _LESS * spectrum / price) / 2, _SOON)
        else:
            most = max(self.most, _CHAIN_SHARE * size) if self.chained else self.most
            stride = min(np.sqrt(2 * step * (self.calls + spectrum) / price), most)
        before, self.last = self.last, (step, error)
        if before is not None and self.tolerance < error < before[1]:
            rate = np.log(before[1] / error) / (step - before[0])
            rest = np.log(error / self.tolerance) / rate
            # A few steps of a chain cost less than a look.
            stride = min(stride, max(rest, _CHAIN_LEAST) if self.chained else rest / 2)
        self.next = step + max(1, round(stride))
