"""What every estimator yields, and the one loop that turns it into an `Estimate`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.checks import check_int, check_positive_float
from rnla._core.driver import Iteration, State, run
from rnla._core.status import ConvergenceWarning, Status
from rnla.trace._estimate import Estimate, student
from rnla.trace._input import Operand

_FOREVER = 2**62
# A residual is this many rounding floors at the most where nothing is left of A.
_ROUNDOFFS = 50


@dataclass(frozen=True, kw_only=True)
class Round:
    """An estimate after some products.

    Attributes
    ----------
    value : float, complex or ndarray
        The estimate.
    stderr : float or ndarray
        Its standard error, without a floor for rounding.
    method : str
        What was run so far.
    degrees_of_freedom : float
        Behind the standard error.
    floor : float or ndarray
        Size of the rounding error.
    exact : bool
        Whether nothing but rounding separates `value` from the truth.
    samples : ndarray or None
        What was averaged.
    gap : float or None
        At most 1 where a stopping rule of the method's own is met; None: by the error bar.
    """

    value: Any
    stderr: Any
    method: str
    degrees_of_freedom: float = np.inf
    floor: Any = 0.0
    exact: bool = False
    samples: NDArray[Any] | None = None
    gap: float | None = None

    @property
    def error_bar(self) -> Any:
        """Standard error and rounding together."""
        both = np.hypot(self.stderr, self.floor)
        return both if np.ndim(both) else float(both)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How many products to make, or how accurate to be.

    Attributes
    ----------
    matvecs : int or None
        The number of products; with a tolerance, the largest one, None for no limit.
    rtol, atol : float
        The half length of the confidence interval is to be at most
        ``max(rtol * |value|, atol)``.
    confidence : float
        Level of that interval.
    adaptive : bool
        Whether there is a tolerance.
    """

    matvecs: int | None
    rtol: float
    atol: float
    confidence: float
    adaptive: bool

    def allowed(self, value: Any, unit: float) -> float:
        """Return the error that the tolerance allows; for arrays relative to the largest entry."""
        return max(self.rtol * float(np.max(np.abs(value), initial=0.0)), self.atol / unit)

    def left(self, used: int) -> int:
        """Return how many products may still be made."""
        return _FOREVER if self.matvecs is None else self.matvecs - used

    def gap(self, state: Round, unit: float) -> float:
        """Return how many times too large the error bar is."""
        if state.exact:
            return 0.0
        if state.gap is not None:
            return state.gap
        radius = student(self.confidence, state.degrees_of_freedom) * state.error_bar
        allowed = self.allowed(state.value, unit)
        widest = float(np.max(radius, initial=0.0))
        if widest == 0:
            return 0.0
        return widest / allowed if allowed > 0 else np.inf


def check_budget(matvecs: Any, rtol: Any, atol: Any, confidence: Any) -> Budget:
    """Check the arguments that say how much is to be done.

    Parameters
    ----------
    matvecs, rtol, atol, confidence : object
        As `rnla.trace` got them.

    Returns
    -------
    Budget
        Adaptive if a tolerance was given.
    """
    if matvecs is not None:
        matvecs = check_int(matvecs, "matvecs", 1)
    relative = 0.0 if rtol is None else check_positive_float(rtol, "rtol")
    absolute = check_positive_float(atol, "atol")
    confidence = check_positive_float(confidence, "confidence", below=1.0)
    # Nothing but the exact trace would meet a tolerance of zero: it counts as none.
    adaptive = relative > 0 or absolute > 0
    return Budget(
        matvecs=matvecs, rtol=relative, atol=absolute, confidence=confidence, adaptive=adaptive
    )


def finish(
    rounds: Iterator[Round], operand: Operand, budget: Budget, *, degree: int = 1
) -> Estimate:
    """Run the rounds of an estimator until the tolerance is met, or the only one.

    Parameters
    ----------
    rounds : iterator of Round
        At least one; without a tolerance the first counts.
    operand : Operand
        The matrix, which counts its products.
    budget : Budget
        When to stop.
    degree : int
        Of the estimate as a function of A: it is in the operand's units to this power.

    Returns
    -------
    Estimate
        From the best round.
    """
    seen: list[Round] = []
    history: list[tuple[int, float]] = []

    def unit() -> float:
        return operand.unit**degree

    def states() -> Iteration:
        for state in rounds:
            seen.append(state)
            error_bar = float(np.max(state.error_bar, initial=0.0))
            history.append((operand.n_matvec, error_bar * unit()))
            gap = budget.gap(state, unit()) if budget.adaptive else 0.0
            # What the driver calls an iterate is never asked for.
            if (yield State(len(seen) - 1, gap, True, lambda: np.empty(0))):
                return

    outcome = run(states(), tolerance=1.0, maxiter=_FOREVER, callback=None)
    best = seen[outcome.state.n_iter]
    status = Status.CONVERGED
    if best.exact:
        status = Status.EXACT
    elif not budget.adaptive:
        status = Status.COMPLETED
    elif not outcome.state.error <= 1.0:
        status = Status.MAX_MATVECS
        warnings.warn(
            f"the error bar is {outcome.state.error:.2g} times the tolerance: {status.value}",
            ConvergenceWarning,
            stacklevel=3,
        )
    return Estimate(
        value=best.value * unit(),
        stderr=best.error_bar * unit(),
        n_matvec=operand.n_matvec,
        method=best.method,
        status=status,
        message=f"{best.method}: {status.value}",
        confidence=budget.confidence,
        degrees_of_freedom=np.inf if best.exact else best.degrees_of_freedom,
        samples=None if best.samples is None else best.samples * unit(),
        history=np.array(history),
        source=operand,
    )


def rounding_floor(operand: Operand, size: float) -> float:
    """Return the rounding error of a trace: ``eps sqrt(n) ||A||_F``, given the norm."""
    return float(np.finfo(operand.dtype).eps) * float(np.sqrt(operand.shape[1])) * size


def nothing_left(residuals: NDArray[Any], floor: float) -> bool:
    """Return whether residuals confirm that a sketch of low rank holds all of A.

    Singular values of a sketch may be rounding errors beside the largest one, and yet so many that
    their sum is not.

    Parameters
    ----------
    residuals : ndarray
        Quadratic forms of test vectors in what the sketch leaves.
    floor : float
        The rounding error of a trace.

    Returns
    -------
    bool
        True where they are rounding errors.
    """
    return float(np.max(np.abs(residuals), initial=0.0)) <= _ROUNDOFFS * floor


def norm(X: NDArray[Any]) -> float:
    """Return the Frobenius norm, without overflow or underflow."""
    info = np.finfo(X.dtype)
    with np.errstate(over="ignore", under="ignore"):
        size = float(np.linalg.norm(X))
    if np.sqrt(info.tiny) / info.eps < size < np.inf:
        return size
    scale = float(np.max(np.abs(X), initial=0.0))
    return scale * float(np.linalg.norm(X / scale)) if scale > 0 else 0.0
