"""EPSI for one vector and Lazy-EPSI for several, as iterations for the driver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import Iteration, State
from rnla.eigen._epsi_problem import Pairs, Problem
from rnla.linalg.orth import column_lengths, orthonormal_block
from rnla.linalg.surrogate import Surrogate

# Sweeps without a better certificate after which it ends: transients of ten are known.
_PATIENCE = 30
# Below this length of a new vector the coordinates that were carried along have lost digits.
_SHORT = 1e-2
_VANISHED = 100


@dataclass(frozen=True)
class EpsiState(State):
    """One sweep, as callbacks see it.

    Attributes
    ----------
    values : ndarray, shape (k,)
        Eigenvalues or singular values.
    pairs : Pairs
        Of the scaled problem.
    """

    values: Any = None
    pairs: Any = None


def _state(problem: Problem, pairs: Pairs, lag: NDArray[Any], n_iter: int) -> EpsiState:
    largest = float(np.maximum(pairs.norms, lag).max(initial=0.0))
    error = largest / problem.scale if problem.scale > 0 else 0.0
    return EpsiState(
        n_iter=n_iter,
        error=error,
        certified=True,
        form=lambda: pairs.X,
        residual_norm=pairs.norms / abs(problem.unit),
        values=pairs.values,
        pairs=pairs,
    )


def iterate(problem: Problem, X: NDArray[Any], step: Callable[[Pairs], NDArray[Any]]) -> Iteration:
    """Replace vectors by what `step` makes of them and take Ritz pairs, over and over.

    Parameters
    ----------
    problem : Problem
        The matrix.
    X : ndarray, shape (n, k)
        Orthonormal start.
    step : callable
        Maps Ritz pairs to a new orthonormal block.

    Yields
    ------
    EpsiState
        The start, then each sweep. Its error is the largest residual norm, or the largest distance
        by which a Ritz value fell behind, relative to the scale of A. It ends where nothing was
        gained for long.
    """
    n_iter = best_at = 0
    best = np.inf
    most = np.full(X.shape[1], -np.inf)
    while True:
        pairs = problem.pairs(X)
        # Ritz values bound eigenvalues from one side: pairs that fell behind those of an earlier
        # sweep are not the pairs wanted, however small their residuals.
        reached = problem.reached(pairs)
        most = np.maximum(most, reached)
        state = _state(problem, pairs, most - reached, n_iter)
        if state.error < best:
            best, best_at = state.error, n_iter
        stop = yield state
        if stop or n_iter - best_at >= _PATIENCE:
            return
        X = step(state.pairs)
        n_iter += 1


def single_step(surrogate: Surrogate, c: float, pairs: Pairs) -> NDArray[Any]:
    r"""Return the next iterate of EPSI for one vector.

    With the residual r and :math:`K = \hat A - \lambda I` this is a step of Newton's method for
    :math:`(A - \lambda(u) I) u + \frac{c}{2} (u^H u - 1) u = 0`, with the surrogate in the
    Jacobian alone: :math:`u_+ = u - (K - c\, u u^H)^{-1} r`. Then ``c = 0`` is EPSI as published
    and ``c = inf`` the correction of Jacobi and Davidson.

    Parameters
    ----------
    surrogate : Surrogate
        Of H.
    c : float
        Not negative, may be infinite.
    pairs : Pairs
        One vector.

    Returns
    -------
    ndarray, shape (n, 1)
        Of unit length.
    """
    u, theta, r = pairs.X, pairs.theta, pairs.R
    if np.isfinite(c):
        t = newton_correction(surrogate, c, u, theta[0], r)
        new = u - t
        length = column_lengths(new)[0]
        # An exact surrogate makes the step of EPSI vanish: u_+ = K^-1 (A_hat - A) u.
        if length > _VANISHED * np.finfo(u.dtype).eps:
            return np.asarray((new / length).astype(u.dtype, copy=False))
    return orthonormal_block(u - surrogate.correct(r, theta, u))


def newton_correction(
    surrogate: Surrogate, c: float, u: NDArray[Any], theta: float, R: NDArray[Any]
) -> NDArray[Any]:
    """Apply ``(A_hat - theta I - c u u^H)^-1`` by the formula of Sherman and Morrison.

    Parameters
    ----------
    surrogate : Surrogate
        Of H.
    c : float
        Finite.
    u : ndarray, shape (n, 1)
        Unit vector.
    theta : float
        Shift.
    R : ndarray, shape (n, b)
        The block.

    Returns
    -------
    ndarray, shape (n, b)
        The product.
    """
    both = surrogate.solve(np.hstack([R, u]), theta)
    T, a = both[:, :-1], both[:, -1:]
    if c == 0:
        return T
    return np.asarray(T + a * (c * (u.conj().T @ T) / (1 - c * np.vdot(u, a))))


def lazy_step(surrogate: Surrogate, rng: np.random.Generator, pairs: Pairs) -> NDArray[Any]:
    r"""Return the new vectors of one sweep of Lazy-EPSI.

    One after the other, each in the complement of those before it:
    :math:`u_j - ((I - V V^H)(\hat A - \theta_j I)(I - V V^H))^{-1} r_j`, orthonormalised against
    :math:`V = [v_1, \ldots, v_{j-1}]`.

    Parameters
    ----------
    surrogate : Surrogate
        Of H.
    rng : Generator
        For vectors that the sweep has lost.
    pairs : Pairs
        All vectors; one product with H was made for them together.

    Returns
    -------
    ndarray, shape (n, k)
        Orthonormal.
    """
    X, R, U = pairs.X, pairs.R, surrogate.basis
    n, k = X.shape
    c, E = surrogate.inverse_diagonals(pairs.theta)
    both = U.conj().T @ np.hstack([R, X])
    W, H0 = both[:, :k], both[:, k:]
    V = np.zeros((n, k), X.dtype, order="F")
    # U^H V, carried along so that each vector costs one product with U, not two.
    H = np.zeros((surrogate.rank, k), both.dtype)
    for j in range(k):
        before, Hb = V[:, :j], H[:, :j]
        p = before.conj().T @ R[:, j]
        r, w = R[:, j] - before @ p, W[:, j] - Hb @ p
        g = surrogate.multipliers(c[j : j + 1], E[:, j : j + 1], w[:, None], Hb)[:, 0]
        y = w - Hb @ g
        e = E[:, j] * y
        u = X[:, j] - c[j] * (r - before @ g) - U @ e
        h = H0[:, j] - c[j] * y - e
        if np.linalg.norm(u) < _SHORT:
            # The surrogate is nearly exact and cancels the vector, as it would in EPSI itself.
            basis = orthonormal_block(X[:, j : j + 1], before)
            basis = np.hstack([before, basis])
            u = X[:, j] - surrogate.correct(R[:, j : j + 1], pairs.theta[j : j + 1], basis)[:, 0]
            h = U.conj().T @ u
        for _ in range(2):
            p = before.conj().T @ u
            u, h = u - before @ p, h - Hb @ p
        length = np.linalg.norm(u)
        # A vector that went over to those before it stays zero here.
        if length > _VANISHED * np.finfo(X.dtype).eps:
            V[:, j], H[:, j] = u / length, h / length
    return orthonormal_block(V, rng=rng)
