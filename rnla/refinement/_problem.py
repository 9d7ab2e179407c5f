"""What the iterations share: the scaled problem, its residuals, and when to give up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import State
from rnla.refinement._equations import Equation
from rnla.refinement._norms import column_norms
from rnla.refinement._solvers import Solver

_NOT_FINITE = "returned NaN or infinity"
# A window without this gain ends the iteration; so does growth beyond what is transient.
_WINDOW = 20
_GAIN = 0.999
_GROWTH = 1e4


@dataclass
class Round:
    """Iterates, their residuals formed from the equation, and the certificates, by columns."""

    X: NDArray[Any]
    R: NDArray[Any]
    r_norm: NDArray[np.float64]
    errors: NDArray[np.float64]

    @property
    def worst(self) -> float:
        """The largest error."""
        return worst(self.errors)

    @property
    def size(self) -> float:
        """The norm of all residuals."""
        return float(np.linalg.norm(self.r_norm))


@dataclass
class Problem:
    """An equation, its approximate solver, and right-hand sides scaled to a norm near one."""

    equation: Equation
    solver: Solver
    B: NDArray[Any]
    unit: NDArray[np.float64]
    tolerance: float
    restore: Callable[[NDArray[Any]], NDArray[Any]]
    residuals: list[tuple[int, float]] = field(default_factory=list)
    least: State | None = None
    note: str = ""

    def __post_init__(self) -> None:
        self.b_norm = column_norms(self.B)

    def start(self, X: NDArray[Any] | None) -> Round:
        """Return the round of `X`, or else of the solver's first answer."""
        if X is None:
            X = self._first_answer()
        elif self.equation.linear:
            # No iterate that falls towards zero is near it relative to its own size.
            X = np.where(self.b_norm > 0, X, 0).astype(X.dtype)
        R = self.B - self._product(X)
        r_norm = column_norms(R)
        if not np.isfinite(r_norm).all():
            raise np.linalg.LinAlgError(f"`A` {_NOT_FINITE} for the first iterate")
        return Round(X, R, r_norm, self.equation.errors(r_norm, X, self.b_norm))

    def _first_answer(self) -> NDArray[Any]:
        if not self.equation.linear:
            X = self.solver(self.B)
        else:
            assert self.solver.n is not None
            X = np.zeros((self.solver.n, self.B.shape[1]), self.B.dtype)
            columns = np.flatnonzero(self.b_norm)
            if len(columns):
                X[:, columns] = self.solver.correct(self.B[:, columns], self.unit[columns])
        if not np.isfinite(X).all():
            raise np.linalg.LinAlgError(f"`approximate_solver` {_NOT_FINITE} for `b`")
        return X

    def correction(self, R: NDArray[Any], columns: NDArray[np.intp]) -> NDArray[Any] | None:
        """Return ``B(R)`` for these columns; None, with a note, where it is not finite."""
        linear = self.equation.linear
        X = self.solver.correct(R, self.unit[columns]) if linear else self.solver(R)
        if np.isfinite(X).all():
            return X
        self.note = f"`approximate_solver` {_NOT_FINITE}; the best iterate is returned"
        return None

    def moved(self, now: Round, X: NDArray[Any], columns: NDArray[np.intp]) -> Round | None:
        """Return the round of iterates that differ in `columns`; None where it is not finite."""
        R, r_norm, errors = now.R.copy(), now.r_norm.copy(), now.errors.copy()
        R[:, columns] = self.B[:, columns] - self._product(X[:, columns])
        r_norm[columns] = column_norms(R[:, columns])
        if not np.isfinite(r_norm).all():
            self.note = f"`A` {_NOT_FINITE}; the best iterate is returned"
            return None
        errors[columns] = self.equation.errors(r_norm[columns], X[:, columns], self.b_norm[columns])
        return Round(X, R, r_norm, errors)

    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        Y = self.equation.product(X)
        if len(Y) != len(self.B):
            raise ValueError(
                f"`A` must return shape ({len(self.B)},), that of `b`, got ({len(Y)},)"
            )
        return Y

    def state(self, n_iter: int, now: Round) -> State:
        """Return what the driver sees, in the caller's shape and units."""
        X = now.X
        state = State(n_iter, now.worst, True, lambda: self.restore(X), now.r_norm * self.unit)
        if self.least is None or now.size < min(size for _, size in self.residuals):
            self.least = state
        self.residuals.append((n_iter, now.size))
        return state

    def estimate(self, n_iter: int, errors: NDArray[np.float64], X: NDArray[Any]) -> State:
        """Return a state whose error was not computed from its residual."""
        return State(n_iter, worst(errors), False, lambda: self.restore(X))

    def open_columns(self, now: Round) -> NDArray[np.intp]:
        """Return the right-hand sides that are not solved yet."""
        return np.flatnonzero(~(now.errors <= self.tolerance))


class Patience:
    """Says when an iteration has diverged or stopped to improve."""

    def __init__(self, window: int = _WINDOW, gain: float = _GAIN) -> None:
        self.window, self.gain = window, gain
        self.best, self.least, self.age = np.inf, np.inf, 0

    def exhausted(self, now: Round) -> bool:
        """Return True if nothing was gained for a while, or far too much was lost."""
        gained = now.worst < self.gain * self.best
        self.age = 0 if gained else self.age + 1
        self.best = min(self.best, now.worst)
        # A backward error cannot tell: as x grows, it stays below one.
        self.least = min(self.least, now.size)
        return self.age >= self.window or now.size > _GROWTH * self.least


def worst(errors: NDArray[np.float64]) -> float:
    """Return the largest error, 0 where there is none.

    Parameters
    ----------
    errors : ndarray
        One per right-hand side.

    Returns
    -------
    float
        Infinite if one is NaN.
    """
    return float(np.max(errors, initial=0.0)) if not np.isnan(errors).any() else np.inf
