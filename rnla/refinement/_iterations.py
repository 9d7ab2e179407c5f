"""Fixed-point refinement, plain or accelerated by Anderson's mixing, as a generator of states."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import Iteration
from rnla.refinement._norms import column_norms
from rnla.refinement._problem import Patience, Problem, Round

# Differences are combined only as far as they are independent.
_RCOND = 1e-10


def fixed_point(problem: Problem, now: Round, memory: int) -> Iteration:
    """Yield the states of ``x <- x + B(b - A x)``, mixed over `memory` former steps.

    Every residual is formed anew from A, in the space of b, before B sees it. Right-hand sides
    that are solved are left alone.

    Parameters
    ----------
    problem : Problem
        Equation, solver and right-hand sides.
    now : Round
        The first iterates.
    memory : int
        Differences that Anderson's method keeps; 0 is plain refinement.

    Yields
    ------
    State
        After the start and every correction; all are certified.
    """
    patience = Patience()
    mixers = [_Mixer(memory) for _ in range(now.X.shape[1])]
    n_iter = 0
    yield problem.state(n_iter, now)
    while not patience.exhausted(now):
        columns = problem.open_columns(now)
        step = problem.correction(now.R[:, columns], columns)
        if step is None:
            return
        X = now.X.copy()
        for i, j in enumerate(columns):
            X[:, j] = mixers[j].next(now.X[:, j], step[:, i])
        moved = problem.moved(now, X, columns)
        if moved is None:
            return
        now, n_iter = moved, n_iter + 1
        yield problem.state(n_iter, now)


class _Mixer:
    """Anderson acceleration of type II [1]_ for one right-hand side.

    With steps ``f = B(b - A x)`` and differences dX, dF of former iterates and steps, the next
    iterate is ``x + f - (dX + dF) g``, where g minimises ``||f - dF g||``.

    References
    ----------
    .. [1] H. F. Walker, P. Ni, "Anderson acceleration for fixed-point iterations", SIAM J. Numer.
       Anal. 49 (2011), 1715-1735.
    """

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.before: tuple[NDArray[Any], NDArray[Any]] | None = None
        self.dX: list[NDArray[Any]] = []
        self.dF: list[NDArray[Any]] = []

    def next(self, x: NDArray[Any], f: NDArray[Any]) -> NDArray[Any]:
        """Return the iterate after `x`, whose own step would be `f`."""
        if self.memory == 0:
            return np.asarray(x + f)
        if self.before is not None:
            self.dX = [*self.dX, x - self.before[0]][-self.memory :]
            self.dF = [*self.dF, f - self.before[1]][-self.memory :]
        self.before = (x, f)
        if not self.dF:
            return np.asarray(x + f)
        dX, dF = np.column_stack(self.dX), np.column_stack(self.dF)
        # Steps shrink by orders of magnitude; equal columns let `_RCOND` judge directions only.
        sizes = column_norms(dF)
        scale = np.where(sizes > 0, sizes, 1.0).astype(x.real.dtype)
        g = np.linalg.lstsq(dF / scale, f, rcond=_RCOND)[0] / scale
        return np.asarray(x + f - (dX + dF) @ g)
