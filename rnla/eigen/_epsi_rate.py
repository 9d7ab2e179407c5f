"""The linear rate of EPSI: the spectral radius of its error map at the solution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.eigen._epsi_iterations import newton_correction
from rnla.eigen._epsi_problem import Pairs, Problem
from rnla.linalg.orth import random_block
from rnla.linalg.surrogate import Surrogate

_STEPS = 80
_EVERY = 5
_SETTLED = 1e-4
_BREAKDOWN = 1e-12

Map = Callable[[NDArray[Any]], NDArray[Any]]


def predicted_rate(
    problem: Problem,
    surrogate: Surrogate,
    pairs: Pairs,
    c: float | None,
    rng: np.random.Generator,
) -> float:
    r"""Return the factor by which the slowest vector's error falls in a step, to first order.

    With :math:`Q = I - X X^H` and the inverse :math:`B_j` of the j-th correction, errors outside
    the span of X are multiplied by :math:`Q (I - B_j (H - \theta_j I)) Q`.

    Parameters
    ----------
    problem : Problem
        The matrix.
    surrogate : Surrogate
        Of H.
    pairs : Pairs
        Converged.
    c : float or None
        Of the single vector; None for Lazy-EPSI.
    rng : Generator
        Advanced.

    Returns
    -------
    float
        Above 1 where the iteration diverges.
    """
    X = pairs.X
    if X.shape[1] == problem.n:
        return 0.0

    def error_map(j: int) -> Map:
        theta = pairs.theta[j : j + 1]

        def correct(R: NDArray[Any]) -> NDArray[Any]:
            if c is None:
                return surrogate.correct(R, theta, X[:, :j])
            if np.isinf(c):
                return surrogate.correct(R, theta, X)
            return newton_correction(surrogate, c, X, float(theta[0]), R)

        def apply(w: NDArray[Any]) -> NDArray[Any]:
            w = w - X @ (X.conj().T @ w)
            w = w - correct(problem.product(w) - theta * w)
            return np.asarray(w - X @ (X.conj().T @ w))

        return apply

    return max(_spectral_radius(error_map(j), problem.n, X.dtype, rng) for j in range(X.shape[1]))


def _spectral_radius(apply: Map, n: int, dtype: Any, rng: np.random.Generator) -> float:
    """Return the largest modulus of an eigenvalue, by Arnoldi steps until it settles."""
    steps = min(_STEPS, n)
    V = np.zeros((n, steps + 1), dtype, order="F")
    H = np.zeros((steps + 1, steps), dtype)
    v = apply(random_block(rng, (n, 1), dtype))[:, 0]
    length = np.linalg.norm(v)
    if length == 0:
        return 0.0
    V[:, 0] = v / length
    radius = before = 0.0
    for j in range(steps):
        w = apply(V[:, j : j + 1])[:, 0]
        size = np.linalg.norm(w)
        for _ in range(2):
            h = V[:, : j + 1].conj().T @ w
            w = w - V[:, : j + 1] @ h
            H[: j + 1, j] += h
        H[j + 1, j] = np.linalg.norm(w)
        broken = H[j + 1, j].real <= _BREAKDOWN * size
        if broken or j + 1 == steps or (j + 1) % _EVERY == 0:
            radius = float(np.abs(np.linalg.eigvals(H[: j + 1, : j + 1])).max())
            if broken or abs(radius - before) <= _SETTLED * radius:
                break
            before = radius
        V[:, j + 1] = w / H[j + 1, j]
    return radius
