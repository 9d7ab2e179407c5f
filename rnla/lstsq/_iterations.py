"""The iterations, as generators of states; `rnla._core.driver` runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import Iteration, State
from rnla.linalg.normal import NormalOperator, SingleNormal
from rnla.linalg.precondition import Preconditioner
from rnla.lstsq._certificate import KarlsonWalden
from rnla.lstsq._forward import ForwardError
from rnla.lstsq._inner import conjugate_gradients
from rnla.lstsq._quadrature import QuadratureCertificate
from rnla.lstsq._rounds import Round, certified, worst

RoundT = TypeVar("RoundT", bound=Round)
Inner: TypeAlias = Callable[..., Iterator[NDArray[np.float64]]]
FLAT_ROUNDS = 2


def spir(
    A: NormalOperator,
    B: NDArray[Any],
    X: NDArray[Any],
    P: Preconditioner,
    tolerance: float,
    inner: Inner = conjugate_gradients,
    rounds: int | None = None,
    certificate: QuadratureCertificate | None = None,
    surrogate: SingleNormal | None = None,
) -> Iteration:
    """Return the states of sketched preconditioned iterative refinement [1]_.

    Each round forms the residual anew, ``r = b - A x``, and solves
    ``(P^H A^H A P) dy = P^H A^H r`` by conjugate gradients, one reading of A per step, then
    ``x <- x + P dy``. The first round ends when the update is at the level of the forward error,
    later ones when the weighted residual promises a backward error below the tolerance.

    Parameters
    ----------
    A : NormalOperator
        The matrix, (m, n).
    B : ndarray, shape (m, k)
        Right-hand sides.
    X : ndarray, shape (n, k)
        Start: sketch-and-solve. From zero, two rounds would not reach backward stability.
    P : Preconditioner
        Of shape (n, rank).
    tolerance : float
        Relative backward error that is wanted.
    inner : callable
        Solver for a round's correction, from `_inner`.
    rounds : int or None
        Rounds at the most; None: as many as gain. One alone is sketch-and-precondition.
    certificate : QuadratureCertificate or None
        None: from the factor in `P`.
    surrogate : SingleNormal or None
        What the inner iterations multiply with in the place of A.

    Returns
    -------
    Iteration
        States after the start, every step and every round.

    References
    ----------
    .. [1] E. N. Epperly, M. Meier, Y. Nakatsukasa, "Fast randomized least-squares solvers can be
       just as accurate and stable as classical direct solvers", arXiv:2406.03468.
    """
    judge = KarlsonWalden(P) if certificate is None else certificate

    def form(now: Round, dY: NDArray[Any], columns: NDArray[np.intp]) -> NDArray[Any]:
        return moved(now.X, P.matmat(dY), columns)

    def advance(now: Round, dY: NDArray[Any], columns: NDArray[np.intp], first: bool) -> Round:
        return certified(A, B, form(now, dY, columns), judge, tolerance)

    def correct(
        now: Round, dY: NDArray[Any], columns: NDArray[np.intp], first: bool
    ) -> Iterator[NDArray[np.float64]]:
        return inner(surrogate or A, P, judge, now, B, columns, dY, tolerance, first)

    start = certified(A, B, X, judge, tolerance)
    forward = ForwardError(judge, P, tolerance, len(B))
    return refinement(start, P.rank, correct, form, advance, tolerance, rounds, forward)


def refinement(
    now: RoundT,
    rank: int,
    correct: Callable[
        [RoundT, NDArray[Any], NDArray[np.intp], bool], Iterator[NDArray[np.float64]]
    ],
    form: Callable[[RoundT, NDArray[Any], NDArray[np.intp]], NDArray[Any]],
    advance: Callable[[RoundT, NDArray[Any], NDArray[np.intp], bool], RoundT],
    tolerance: float,
    rounds: int | None = None,
    forward: ForwardError | None = None,
) -> Iteration:
    """Yield the states of rounds of refinement, whatever they correct.

    Parameters
    ----------
    now : Round
        Start.
    rank : int
        Coordinates of a correction.
    correct : callable
        ``correct(now, dY, columns, first)`` improves `dY` (rank, columns) in place and yields the
        estimated errors.
    form : callable
        ``form(now, dY, columns)``, the iterate with a correction added.
    advance : callable
        ``advance(now, dY, columns, first)``, the next round, certified.
    tolerance : float
        Error that is wanted.
    rounds : int or None
        Rounds at the most; None: as many as gain.
    forward : ForwardError or None
        Knows which columns are worth another round, although their error is as small as wanted.

    Yields
    ------
    State
        After the start, every step and every round.
    """
    n_iter, n_rounds, flat = 0, 0, 0
    first = rounds != 1
    late = _late(forward, now)
    stop = yield now.state(n_iter, late)
    while not stop and rank > 0:
        columns = np.flatnonzero(~(now.errors <= tolerance) | late)
        dY = np.zeros((rank, len(columns)), now.X.dtype)
        for errors in correct(now, dY, columns, first):
            n_iter += 1
            stop = yield State(n_iter, worst(errors), False, partial(form, now, dY.copy(), columns))
            if stop:
                break
        before, now = now, advance(now, dY, columns, first)
        n_rounds += 1
        late = _late(forward, now)
        stop = (yield now.state(n_iter, late)) or stop
        # The start may have a small backward error only because its x is far too large, so the
        # first round is not judged by it.
        gained = first or late.any() or worst(now.errors) < 0.5 * worst(before.errors)
        flat = 0 if gained else flat + 1
        stop = stop or flat >= FLAT_ROUNDS or n_rounds == rounds
        first = False


def _late(forward: ForwardError | None, now: Round) -> NDArray[np.bool_]:
    return np.zeros(len(now.errors), np.bool_) if forward is None else forward.judge(now)


def moved(X: NDArray[Any], step: NDArray[Any], columns: NDArray[np.intp]) -> NDArray[Any]:
    """Return `X` with `step` added to its `columns`."""
    X = X.copy()
    X[:, columns] += step
    return X
