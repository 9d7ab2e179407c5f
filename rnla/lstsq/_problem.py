"""A checked problem, and what solving it gave."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from rnla._core.driver import Callback, Iteration, Outcome, run
from rnla._core.status import Status
from rnla.linalg.normal import NormalOperator
from rnla.linalg.precondition import Preconditioner
from rnla.lstsq._defaults import EPS

# With m < n every residual is a sum of n terms, whose rounding the certificate sees.
_WIDE_TOLERANCE = 10 * EPS


@dataclass(frozen=True)
class Problem:
    """A checked least-squares problem in double precision.

    Attributes
    ----------
    A : NormalOperator
        The matrix, (m, n).
    B : ndarray, shape (m, k)
        Right-hand sides; a complex one over a real A is a pair of columns.
    rcond : float
        Relative cut-off of singular values.
    tolerance : float
        Relative backward error that is wanted.
    maxiter : int
        Corrections allowed.
    callback : callable or None
        Called with every state.
    X0 : ndarray, shape (n, k), or None
        The caller's first guess.
    P : Preconditioner or None
        The caller's preconditioner: nothing is sketched.
    """

    A: NormalOperator
    B: NDArray[Any]
    rcond: float
    tolerance: float
    maxiter: int
    callback: Callback | None
    X0: NDArray[Any] | None = None
    P: Preconditioner | None = None

    def run(self, iteration: Iteration) -> Outcome:
        """Run an iteration with this problem's limits."""
        return run(
            iteration, tolerance=self.tolerance, maxiter=self.maxiter, callback=self.callback
        )


@dataclass(frozen=True)
class Solved:
    """The driver's outcome and what was learned about A on the way."""

    outcome: Outcome
    preconditioner: Preconditioner
    rank: int
    condition: float
    method: str
    wide: bool = False

    @classmethod
    def with_preconditioner(
        cls, outcome: Outcome, P: Preconditioner, method: str, *, wide: bool = False
    ) -> Solved:
        """Take rank and condition from the preconditioner; `wide` says that m < n."""
        return cls(outcome, P, P.rank, P.condition, method, wide)

    def judged(self, rcond: float) -> Solved:
        """Count an error below the cut-off as converged where directions were dropped."""
        P, outcome = self.preconditioner, self.outcome
        error = outcome.state.error
        reached = error <= rcond if P.rank < P.shape[0] else self.wide and error <= _WIDE_TOLERANCE
        if outcome.status is not Status.STAGNATED or not reached:
            return self
        return replace(self, outcome=replace(outcome, status=Status.CONVERGED))
