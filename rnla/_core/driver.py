"""The only loop: it counts, records, calls back, keeps the best iterate and decides the status."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.status import Status

Recertify = Callable[[NDArray[Any]], NDArray[np.float64]]


@dataclass(frozen=True)
class State:
    """One step of an iteration, as callbacks see it.

    Attributes
    ----------
    n_iter : int
        Corrections made so far; 0 for the first answer.
    error : float
        The certificate of `x` that the solver aims for: for least squares the backward error
        relative to ``||A||_F``.
    certified : bool
        True if the residual was formed anew from A; False for the running estimate in between.
    form : callable
        Makes `x`, which costs a small product: `x` calls it once.
    residual_norm : ndarray or None
        Norms of ``b - A x`` of a certified state.
    column_errors : ndarray or None
        The backward error of every column, of which `error` is the largest.
    recertify : callable or None
        Of a certified state: ``recertify(X)`` returns the error of every column of an `X` close to
        `x`, say `x` in lower precision, for one or two readings of A.
    late : bool
        Whether another round is worth its cost although `error` is as small as wanted.
    """

    n_iter: int
    error: float
    certified: bool
    form: Callable[[], NDArray[Any]]
    residual_norm: NDArray[np.float64] | None = None
    column_errors: NDArray[np.float64] | None = None
    recertify: Recertify | None = None
    late: bool = False

    @cached_property
    def x(self) -> NDArray[Any]:
        """The iterate, read-only, formed when asked for."""
        iterate = self.form().view()
        iterate.flags.writeable = False
        return iterate


Iteration = Generator[State, bool, None]
Callback = Callable[[State], object]


@dataclass(frozen=True)
class Outcome:
    """What the driver hands back: the best certified state and why it stopped."""

    state: State
    status: Status
    n_iter: int
    history: NDArray[np.float64]


def run(
    iteration: Iteration, *, tolerance: float, maxiter: int, callback: Callback | None
) -> Outcome:
    """Advance `iteration` until a certified error, the budget or the caller says stop.

    Parameters
    ----------
    iteration : generator of State
        The first state must be certified. Sent True, it ends its round: it yields one more
        certified state and returns. It returns by itself when it cannot improve any more.
    tolerance : float
        Stop with success at a certified ``error <= tolerance`` that is not late.
    maxiter : int
        Corrections allowed.
    callback : callable or None
        Called with every state, the first included; raising ``StopIteration`` stops.

    Returns
    -------
    Outcome
        The best certified state, the status, the corrections made and the history of errors.
    """
    state = best = next(iteration)
    status = Status.STAGNATED
    history = []
    stop = False
    while True:
        history.append(state.error)
        if state.certified and (
            not state.error >= best.error or (best.late and state.error <= tolerance)
        ):
            best = state
        if callback is not None and not stop:
            try:
                callback(state)
            except StopIteration:
                stop, status = True, Status.STOPPED_BY_CALLBACK
        if best.error <= tolerance and not best.late:
            if not stop:
                status = Status.CONVERGED
            break
        if not stop and state.n_iter >= maxiter:
            stop, status = True, Status.MAX_ITERATIONS
        if stop and state.certified:
            break
        try:
            state = iteration.send(stop)
        except StopIteration:
            break
    iteration.close()
    if best.error <= tolerance and status is not Status.STOPPED_BY_CALLBACK:
        status = Status.CONVERGED
    return Outcome(best, status, state.n_iter, np.asarray(history))
