"""Singular value solvers that are wrong: the suite must reject every one."""

from types import SimpleNamespace

import numpy as np

SWEEPS = 40


def _result(A, V):
    Y = A @ V
    U, s, Wh = np.linalg.svd(Y, full_matrices=False)
    return SimpleNamespace(values=s, vectors=V @ Wh.T, left_vectors=U)


def _sketched_gram(A, rng):
    S = rng.standard_normal((6 * A.shape[1], len(A))) / np.sqrt(6 * A.shape[1])
    B = S @ A
    return B.T @ B


def sketch_and_solve(A, k, rng):
    """Return what the sketch says."""
    return _result(A, np.linalg.eigh(_sketched_gram(A, rng))[1][:, ::-1][:, :k])


def residual_of_the_sketch(A, k, rng):
    """Correct with the residual of the surrogate, where that of A belongs."""
    G = _sketched_gram(A, rng)
    V = np.linalg.qr(rng.standard_normal((A.shape[1], k)))[0]
    for _ in range(SWEEPS):
        V = np.linalg.qr(G @ V)[0]
    return _result(A, V)


def subspace_iteration(A, k, rng):
    """Forty power steps, which the gaps of this problem do not reward."""
    V = np.linalg.qr(rng.standard_normal((A.shape[1], k)))[0]
    for _ in range(SWEEPS // 8):
        V = np.linalg.qr(A.T @ (A @ V))[0]
    return _result(A, V)


def squared(A, k, rng):
    """Right vectors from the Gram matrix and left ones by division."""
    G = (A.T @ A).astype(np.float32)
    values, V = np.linalg.eigh(G.astype(float))
    V = V[:, ::-1][:, :k]
    s = np.sqrt(values[::-1][:k])
    return SimpleNamespace(values=s, vectors=V, left_vectors=A @ V / s)


SOLVERS = [sketch_and_solve, residual_of_the_sketch, subspace_iteration, squared]
