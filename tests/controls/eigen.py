"""Eigensolvers that are wrong: the suite must reject every one.

Each takes ``(A, case, rng)`` and returns ``case.k`` eigenvalues, ascending.
"""

import numpy as np


def single_vector(A, case, rng, block=1, tol=1e-8):
    """Restarted Lanczos from one vector, which stops when its residuals are small."""
    n, k, m = A.shape[0], case.k, 2 * case.k + 20
    V = np.linalg.qr(rng.standard_normal((n, block)))[0]
    for _ in range(5000):
        theta, S = np.linalg.eigh(V.T @ (A @ V))
        order = chosen(theta, case)
        theta, S = theta[order], S[:, order]
        R = A @ V @ S[:, :k] - V @ S[:, :k] * theta[:k]
        if V.shape[1] >= k and np.linalg.norm(R, axis=0).max() < tol * np.abs(theta).max():
            return np.sort(theta[:k])
        W = A @ V[:, -block:]
        for _ in range(2):
            W = W - V @ (V.T @ W)
        if V.shape[1] + block > m:
            V = V @ S[:, : k + 6]
        V = np.linalg.qr(np.hstack([V, np.linalg.qr(W)[0]]))[0]
    raise AssertionError("no convergence")


def unverified_block(A, case, rng):
    """Blocks of four, and no look at the complement."""
    return single_vector(A, case, rng, block=4)


def chosen(theta, case):
    """Order Ritz values, the wanted ones first."""
    if case.which == "LM":
        return np.argsort(-np.abs(theta))
    return np.argsort(-theta if case.which == "LA" else theta)


SOLVERS = [single_vector, unverified_block]
