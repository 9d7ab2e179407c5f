"""When to look at the Ritz values: each look costs an eigenvalue problem of its own."""

from __future__ import annotations

import numpy as np

# What the eigenvalues of T cost per cube of their number, and the calls of a step, in its
# multiplications; how much less than steps looks should cost, and steps without a look.
_LOOK_PRICE, _CALLS, _LESS, _MOST_STRIDE = 10.0, 3e6, 4.0, 8.0


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

    def schedule(self, step: int, error: float, size: int, work: float, *, at_once: bool) -> None:
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
        at_once : bool
            Whether every step counts.
        """
        stride = 1 + _LESS * _LOOK_PRICE * size**3 / (_CALLS + work)
        stride = 1.0 if at_once else min(stride, _MOST_STRIDE)
        before, self.last = self.last, (step, error)
        if before is not None and self.tolerance < error < before[1]:
            rate = np.log(before[1] / error) / (step - before[0])
            stride = min(stride, np.log(error / self.tolerance) / rate / 2)
        self.next = step + max(1, round(stride))
