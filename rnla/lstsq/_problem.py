"""A checked problem, and what solving it gave."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from rnla._core.driver import Callback, Iteration, Outcome, run
from rnla._core.status import Status
from rnla.linalg.normal import NormalOperator
from rnla.linalg.precondition import Preconditioner
from rnla.lstsq._defaults import EPS, MAXITER, TOLERANCE

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
    maxiter : int or None
        Corrections allowed; None: what is usual for the method.
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
    maxiter: int | None
    callback: Callback | None
    X0: NDArray[Any] | None = None
    P: Preconditioner | None = None

    def run(self, iteration: Iteration, maxiter: int = MAXITER) -> Outcome:
        """Run an iteration with this problem's limits, or the method's own on its steps."""
        if self.maxiter is not None:
            maxiter = self.maxiter
        return run(iteration, tolerance=self.tolerance, maxiter=maxiter, callback=self.callback)


@dataclass(frozen=True)
class Solved:
    """The driver's outcome and what was learned about A on the way."""

    outcome: Outcome
    preconditioner: Preconditioner | None
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

    def judged(self, problem: Problem) -> Solved:
        """Under the default tolerance, count what is the limit for deficient and wide A as met."""
        P, outcome = self.preconditioner, self.outcome
        if P is None:
            return self
        error = outcome.state.error
        limit = _WIDE_TOLERANCE if self.wide else 0.0
        if P.rank < P.shape[0]:
            limit = problem.rcond
        reached = problem.tolerance == TOLERANCE and error <= limit
        if outcome.status is not Status.STAGNATED or not reached:
            return self
        return replace(self, outcome=replace(outcome, status=Status.CONVERGED))
