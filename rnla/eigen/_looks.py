"""When to look at the Ritz values: each look costs an eigenvalue problem of its own."""

from __future__ import annotations

import numpy as np

# What the eigenvalues of T cost per cube of their number, and the calls of a step, in its
# multiplications; how much less than steps looks should cost, and the most steps from one look to
# the next, also where few may be enough.
_LOOK_PRICE, _CALLS, _LESS, _MOST_STRIDE, _SOON = 10.0, 3e6, 4.0, 8.0, 2.0


class Looks:
    """The step of the next look.

    Parameters
    ----------
    tolerance : float
        The error that ends the search.
    first : int
        Step before which there is no look.

    Attributes
    ----------
    next : int
        The step.
    """

    def __init__(self, tolerance: float, first: int) -> None:
        self.tolerance, self.next = tolerance, first
        self.last: tuple[int, float] | None = None

    def schedule(self, step: int, error: float, size: int, work: float, *, soon: bool) -> None:
        """Choose the next look: half way to where the error will be small enough.

        It is not put off so long that looking would cost little beside the steps.

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
            Whether few steps may be enough.
        """
        stride = 1 + _LESS * _LOOK_PRICE * size**3 / (_CALLS + work)
        stride = min(stride / 2, _SOON) if soon else min(stride, _MOST_STRIDE)
        before, self.last = self.last, (step, error)
        if before is not None and self.tolerance < error < before[1]:
            rate = np.log(before[1] / error) / (step - before[0])
            stride = min(stride, np.log(error / self.tolerance) / rate / 2)
        self.next = step + max(1, round(stride))
