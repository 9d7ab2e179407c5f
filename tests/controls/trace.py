"""Estimators of a trace that are biased or too sure: the suite must reject every one.

Each takes a matrix, a number of products and a generator and returns an estimate.
"""

from itertools import pairwise

import numpy as np


def rayleigh(A, s, rng):
    """Gaussian vectors scaled by n / ||w||^2 instead of to the length sqrt(n)."""
    n = len(A)
    W = rng.standard_normal((n, s))
    W = W * n / np.sum(W**2, axis=0)
    return np.einsum("ij,ij->j", W, A @ W).mean()


def kept_in(A, s, rng):
    """XTrace whose sketch keeps the vector that then samples the residual."""
    W = rng.standard_normal((len(A), s // 2))
    Q = np.linalg.qr(A @ W)[0]
    X = W - Q @ (Q.T @ W)
    rest = np.einsum("ij,ij->j", X, A @ X).mean()
    return np.trace(Q.T @ A @ Q) + rest


def resphered_signs(A, s, rng):
    """Hutch++ with signs whose projections are given full length all the same."""
    n, k = len(A), s // 3
    Q = np.linalg.qr(A @ rng.choice([-1.0, 1.0], (n, k)))[0]
    X = rng.choice([-1.0, 1.0], (n, s - 2 * k))
    X = X - Q @ (Q.T @ X)
    X *= np.sqrt(n - k) / np.linalg.norm(X, axis=0)
    return np.trace(Q.T @ A @ Q) + np.einsum("ij,ij->j", X, A @ X).mean()


def surrogate_only(A, s, rng):
    """The trace of the randomized SVD, not debiased."""
    Q = np.linalg.qr(A @ rng.standard_normal((len(A), s // 2)))[0]
    return np.trace(Q.T @ A @ Q)


def wrong_dimension(A, s, rng):
    """Hutch++ resphered to n instead of n - k."""
    n, k = len(A), s // 3
    Q = np.linalg.qr(A @ rng.standard_normal((n, k)))[0]
    X = rng.standard_normal((n, s - 2 * k))
    X = X - Q @ (Q.T @ X)
    X *= np.sqrt(n) / np.linalg.norm(X, axis=0)
    return np.trace(Q.T @ A @ Q) + np.einsum("ij,ij->j", X, A @ X).mean()


BIASED = [rayleigh, kept_in, resphered_signs, surrogate_only, wrong_dimension]


def repeated_vectors(matrices, s, rng):
    """Steps of a sequence that all draw the same signs; the value and its supposed error."""
    W = rng.choice([-1.0, 1.0], (len(matrices[0]), s // 2))
    samples = np.einsum("ij,ij->j", W, matrices[0] @ W)
    value, variance = samples.mean(), samples.var(ddof=1) / len(samples)
    for before, after in pairwise(matrices):
        samples = np.einsum("ij,ij->j", W, (after - before) @ W)
        value += samples.mean()
        variance += samples.var(ddof=1) / len(samples)
    return value, np.sqrt(variance)
