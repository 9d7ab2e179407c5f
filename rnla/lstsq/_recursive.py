"""Sketched iterative and recursive refinement (SIRR)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import Iteration
from rnla.linalg.normal import NormalOperator
from rnla.linalg.precondition import Preconditioner
from rnla.lstsq._certificate import KarlsonWalden
from rnla.lstsq._forward import ForwardError
from rnla.lstsq._iterations import FLAT_ROUNDS
from rnla.lstsq._rounds import certified, worst

_MOST_DEPTH = 8


def sirr(
    A: NormalOperator,
    B: NDArray[Any],
    X: NDArray[Any],
    P: Preconditioner,
    tolerance: float,
    *,
    depth: int | None,
    krylov: int,
) -> Iteration:
    """Yield the states of ``x <- x + RR_t(A^H (b - A x))`` [1]_.

    ``RR_1(g)`` is the best combination of `krylov` sketched solutions, and
    ``RR_t(g) = y + RR_(t-1)(g - A^H A y)`` with ``y = RR_(t-1)(g)``: refinement of the normal
    equations by itself, ``2^(t-1)`` solutions deep. The residual is formed in R^m and only then
    mapped by A^H, which is what makes the iteration backward stable.

    Parameters
    ----------
    A : NormalOperator
        The matrix, (m, n).
    B : ndarray, shape (m, k)
        Right-hand sides.
    X : ndarray, shape (n, k)
        Start: sketch-and-solve.
    P : Preconditioner
        From the sketch.
    tolerance : float
        Relative backward error that is wanted.
    depth : int or None
        The depth t; None: one more in every round, up to ``log2(log4(condition))``.
    krylov : int
        Sketched solutions combined at the bottom.

    Yields
    ------
    State
        After the start and every round.

    References
    ----------
    .. [1] R. Xu, Y. Lu, "Randomized iterative solver as iterative refinement: a simple fix towards
       backward stability", AISTATS 2025, arXiv:2410.11115.
    """
    certificate = KarlsonWalden(P)
    now = certified(A, B, X, certificate, tolerance)
    forward = ForwardError(certificate, P, tolerance, len(B))
    n_iter, flat = 0, 0
    late = forward.judge(now)
    stop = yield now.state(0, late)
    while not stop and flat < FLAT_ROUNDS:
        n_iter += 1
        # Where only the last digits are missing, one solution will do.
        last_digits = late.any() and (now.errors <= tolerance).all()
        t = 1 if last_digits else depth or min(n_iter, deepest(P.condition))
        X = now.X + _recursive(A, P, now.G, t, krylov)
        before, now = now, certified(A, B, X, certificate, tolerance)
        late = forward.judge(now)
        stop = yield now.state(n_iter, late)
        # While the depth grows, a round may gain little and the next one much.
        growing = depth is None and n_iter < deepest(P.condition)
        gained = growing or late.any() or worst(now.errors) < 0.5 * worst(before.errors)
        flat = 0 if gained else flat + 1


def deepest(condition: float) -> int:
    """Return the depth whose ``2^t`` contractions by 1/4 make up for the condition number."""
    if not np.isfinite(condition):
        return _MOST_DEPTH
    contractions = np.log(max(condition, 4.0)) / np.log(4.0)
    return int(np.clip(np.ceil(np.log2(contractions)), 1, _MOST_DEPTH))


def _recursive(
    A: NormalOperator, P: Preconditioner, G: NDArray[Any], depth: int, krylov: int
) -> NDArray[Any]:
    """Return ``RR_depth(G)``."""
    if depth == 1:
        return _combined(A, P, G, krylov)
    Y = _recursive(A, P, G, depth - 1, krylov)
    return np.asarray(Y + _recursive(A, P, G - A.normal(Y), depth - 1, krylov))


def _combined(A: NormalOperator, P: Preconditioner, G: NDArray[Any], krylov: int) -> NDArray[Any]:
    """Minimise ``||A y||^2 / 2 - Re g^H y`` over the sketched solutions, column by column."""
    directions, images = [], []
    R = G
    Y = np.zeros_like(G)
    for _ in range(krylov):
        Y = Y + P.matmat(P.rmatmat(R))
        directions.append(Y)
        images.append(A.normal(Y))
        R = G - images[-1]
    X, H = np.stack(directions), np.stack(images)
    M = np.einsum("ink,jnk->kij", X.conj(), H)
    c = np.einsum("ink,nk->ki", X.conj(), G)
    out = np.empty_like(G)
    for k in range(G.shape[1]):
        # Directions that have become equal to rounding are dropped by the cut-off.
        weights = np.linalg.lstsq(M[k], c[k], rcond=1e-12)[0]
        out[:, k] = weights @ X[:, :, k]
    return out
