"""The iterations, as generators of states; `rnla._core.driver` runs them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import Iteration, State
from rnla.linalg.normal import NormalOperator
from rnla.linalg.precondition import Preconditioner
from rnla.lstsq._certificate import KarlsonWalden

_EPS = float(np.finfo(np.float64).eps)
# A round aims below the tolerance, because its running estimate drifts from the truth.
_AIM = 0.25
# Gain after which a round ends in any case: its recursion has no correct digits beyond.
_ROUND_DROP = 1e-8
_ROUND_CAP = 100
_STALL_WINDOW = 20
_STALL_FACTOR = 0.999
_FLAT_ROUNDS = 2


@dataclass
class _Round:
    """Iterate and gradient with its certificate, one column per right-hand side."""

    X: NDArray[Any]
    G: NDArray[Any]
    r_norm: NDArray[np.float64]
    errors: NDArray[np.float64]


def spir(
    A: NormalOperator,
    B: NDArray[Any],
    X: NDArray[Any],
    P: Preconditioner,
    tolerance: float,
) -> Iteration:
    """Yield the states of sketched preconditioned iterative refinement [1]_.

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

    Yields
    ------
    State
        After the start, every step and every round.

    References
    ----------
    .. [1] E. N. Epperly, M. Meier, Y. Nakatsukasa, "Fast randomized least-squares solvers can be
       just as accurate and stable as classical direct solvers", arXiv:2406.03468.
    """
    certificate = KarlsonWalden(P)
    now = _certified(A, B, X, certificate, tolerance)
    n_iter, flat, first = 0, 0, True
    stop = yield _state(n_iter, now)
    while not stop and P.rank > 0:
        columns = np.flatnonzero(~(now.errors <= tolerance))
        dY = np.zeros((P.rank, len(columns)), A.dtype)
        for errors in _conjugate_gradients(A, P, certificate, now, columns, dY, tolerance, first):
            n_iter += 1
            former = _former(now.X, P, dY.copy(), columns)
            stop = yield State(n_iter, _worst(errors), False, former)
            if stop:
                break
        X = _former(now.X, P, dY, columns)()
        before, now = now, _certified(A, B, X, certificate, tolerance)
        stop = (yield _state(n_iter, now)) or stop
        # The start may have a small backward error only because its x is far too large, so the
        # first round is not judged by it.
        gained = first or _worst(now.errors) < 0.5 * _worst(before.errors)
        flat = 0 if gained else flat + 1
        stop = stop or flat >= _FLAT_ROUNDS
        first = False


def _conjugate_gradients(
    A: NormalOperator,
    P: Preconditioner,
    certificate: KarlsonWalden,
    now: _Round,
    columns: NDArray[np.intp],
    dY: NDArray[Any],
    tolerance: float,
    first: bool,
) -> Iterator[NDArray[np.float64]]:
    """Advance `dY` in place, all columns in step; yield the estimated backward errors."""
    R = P.rmatmat(now.G[:, columns])
    r_norm = now.r_norm[columns]
    x_size = certificate.size(now.X[:, columns])
    # Level of the forward error, in the norm of A dx: there the first round has done its work.
    forward = 10 * _EPS * (certificate.norm * x_size + 0.04 * P.condition * r_norm)
    start = np.linalg.norm(R, axis=0)
    Z, rho = R, start**2
    active = rho > 0
    smallest, age = np.full(len(columns), np.inf), 0
    for _ in range(_ROUND_CAP):
        H = P.rmatmat(A.normal(P.matmat(Z)))
        curvature = np.einsum("ij,ij->j", Z.conj(), H).real
        # Zero or negative curvature is rounding: such a column has nothing left to gain.
        active &= curvature > 0
        step = np.where(active, rho / np.where(active, curvature, 1.0), 0.0)
        dY += step * Z
        R = R - step * H
        rho_new = np.einsum("ij,ij->j", R.conj(), R).real
        errors = certificate.estimate(R, r_norm, x_size, _AIM * tolerance)
        yield errors
        done = (errors <= _AIM * tolerance) | (np.sqrt(rho_new) <= _ROUND_DROP * start)
        if first:
            done |= step * np.linalg.norm(Z, axis=0) <= forward
        active &= ~done & np.isfinite(rho_new)
        gained = errors < _STALL_FACTOR * smallest
        smallest = np.fmin(smallest, errors)
        age = 0 if gained[active].any() else age + 1
        if not active.any() or age >= _STALL_WINDOW:
            return
        Z = R + np.where(active, rho_new / np.where(rho > 0, rho, 1.0), 0.0) * Z
        rho = rho_new


def gram(
    A: NormalOperator,
    B: NDArray[Any],
    X: NDArray[Any],
    P: Preconditioner,
    tolerance: float,
) -> Iteration:
    """Yield the states of refinement with the Cholesky factor of ``A^H A``.

    ``x <- x + P P^H A^H (b - A x)``, one reading of A per step; it contracts by about
    ``cond(A)**2 * eps``, so it is for well-conditioned matrices only.

    Parameters
    ----------
    A : NormalOperator
        The matrix, (m, n).
    B : ndarray, shape (m, k)
        Right-hand sides.
    X : ndarray, shape (n, k)
        Start: the solution of the normal equations.
    P : Preconditioner
        From the Cholesky factor.
    tolerance : float
        Relative backward error that is wanted.

    Yields
    ------
    State
        After the start and every step.
    """
    certificate = KarlsonWalden(P)
    now = _certified(A, B, X, certificate, tolerance)
    stop = yield _state(0, now)
    n_iter, flat = 0, 0
    while not stop and flat < _FLAT_ROUNDS:
        n_iter += 1
        X = now.X + P.matmat(P.rmatmat(now.G))
        before, now = now, _certified(A, B, X, certificate, tolerance)
        stop = yield _state(n_iter, now)
        flat = 0 if _worst(now.errors) < 0.5 * _worst(before.errors) else flat + 1


def _certified(
    A: NormalOperator,
    B: NDArray[Any],
    X: NDArray[Any],
    certificate: KarlsonWalden,
    tolerance: float,
) -> _Round:
    G, r_norm = A.gradient(X, B)
    errors = certificate.certify(G, r_norm, certificate.size(X), _AIM * tolerance)
    return _Round(X, G, r_norm, errors)


def _state(n_iter: int, now: _Round) -> State:
    X = now.X
    return State(n_iter, _worst(now.errors), True, lambda: X, now.r_norm)


def _worst(errors: NDArray[np.float64]) -> float:
    return float(errors.max(initial=0.0)) if not np.isnan(errors).any() else np.inf


def _former(X: NDArray[Any], P: Preconditioner, dY: NDArray[Any], columns: NDArray[np.intp]) -> Any:
    def form() -> NDArray[Any]:
        moved = X.copy()
        moved[:, columns] += P.matmat(dY)
        return moved

    return form
