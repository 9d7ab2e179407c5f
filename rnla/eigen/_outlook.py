"""Whether a search of a dense matrix is worth going on with, as LAPACK takes a known time."""

from __future__ import annotations

import numpy as np

from rnla._core.driver import Iteration
from rnla.eigen._lanczos import BlockLanczos
from rnla.eigen._problem import Problem, Standard
from rnla.linalg.block import DenseBlock

# Steps that LAPACK takes as long as, for each row of a matrix so large that its reading is all that
# counts, and the rows of one whose reading takes as long as the rest of a step; for blocks of so
# many columns, which cost as much as what does not depend on their number.
_PER_ROW, _OVERHEAD_ROWS, _COLUMNS = 0.1, 1000, 8
# The part of these steps after which a rate is known, but not before a basis holds so many times
# the wanted vectors; and how often all of the steps may be spent.
_TRIAL, _LEAST_SIZE, _MOST = 0.2, 6, 2.0
# Steps that a search of the complement takes.
_SECOND_SEARCH = 8


class Outlook:
    """Ends a search that will take longer than LAPACK does.

    Parameters
    ----------
    search : BlockLanczos
        What is judged.
    steps : float
        Of the search, which LAPACK takes as long as.

    Attributes
    ----------
    gave_up : bool
        Whether it was ended.
    """

    def __init__(self, search: BlockLanczos, steps: float) -> None:
        self.search, self.steps = search, steps
        self.least = _LEAST_SIZE * search.k / search.plan.block
        self.looks: list[tuple[int, float]] = []
        self.gave_up = False

    def states(self, iteration: Iteration) -> Iteration:
        """Pass on the states of the search while its outlook is good.

        Parameters
        ----------
        iteration : generator of State
            That of the search.

        Yields
        ------
        RitzState
            Its states.
        """
        state, stop = next(iteration), False
        while True:
            if not (stop or state.certified) and self._is_late(state.error):
                state, self.gave_up = iteration.send(True), True
            stop = yield state
            if self.gave_up:
                return
            try:
                state = iteration.send(stop)
            except StopIteration:
                return

    def _is_late(self, error: float) -> bool:
        """Tell whether the search lasts too long, at the rate of the later half of its steps."""
        now, tolerance = self.search.steps, self.search.tolerance
        best = min(error, self.looks[-1][1] if self.looks else np.inf)
        self.looks.append((now, best))
        if error <= tolerance or now < max(_TRIAL * self.steps, self.least):
            return now > _MOST * self.steps
        then, before = min(self.looks, key=lambda look: abs(2 * look[0] - now))
        if then == now:
            return False
        if not best < before:
            return True
        rest = np.log(best / tolerance) * (now - then) / np.log(before / best)
        return bool(now + rest + _SECOND_SEARCH > self.steps)


def outlook_for(problem: Problem, search: BlockLanczos) -> Outlook | None:
    """Return the judge of a search, None where the time of its steps is not known.

    Parameters
    ----------
    problem : Problem
        What is solved.
    search : BlockLanczos
        The search.

    Returns
    -------
    Outlook or None
        For dense matrices.
    """
    n = problem.n
    if type(problem) is not Standard or not isinstance(problem.main, DenseBlock):
        return None
    cost = (_COLUMNS + search.plan.block) / (2 * _COLUMNS)
    return Outlook(search, _PER_ROW * n / (1 + (_OVERHEAD_ROWS / n) ** 2) / cost)
