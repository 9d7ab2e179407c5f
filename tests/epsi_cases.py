"""Matrices with planted eigenpairs or triplets, and what an answer of EPSI must satisfy."""

from __future__ import annotations

from typing import Any

import numpy as np
from cases import random_matrix

from rnla import epsi

EPS = float(np.finfo(float).eps)


def orthonormal(rng: np.random.Generator, n: int, r: int, dtype: Any = float) -> Any:
    return np.linalg.qr(random_matrix(rng, (n, r), dtype))[0]


def planted_hermitian(rng, values, dtype=float):
    """Return a Hermitian matrix with these eigenvalues and its eigenvectors."""
    Q = orthonormal(rng, len(values), len(values), dtype)
    A = (Q * values) @ Q.conj().T
    return ((A + A.conj().T) / 2).astype(dtype), Q.astype(dtype)


def planted_singular(rng, m, sigma, dtype=float):
    """Return a tall matrix with these singular values."""
    n = len(sigma)
    U, V = orthonormal(rng, m, n, dtype), orthonormal(rng, n, n, dtype)
    return ((U * sigma) @ V.conj().T).astype(dtype)


def assert_eigenpairs(A, result, expected, *, tolerance):
    """The values, the residuals and orthonormality, all relative to the norm of A."""
    scale = np.linalg.norm(A, 2)
    X = result.vectors
    assert np.linalg.norm(X.conj().T @ X - np.eye(X.shape[1])) < 100 * np.finfo(X.dtype).eps
    np.testing.assert_allclose(result.values, expected, rtol=0, atol=tolerance * scale)
    residual = np.linalg.norm(A @ X - X * result.values, axis=0)
    assert residual.max() < tolerance * scale
    np.testing.assert_allclose(result.residual_norms, residual, atol=0.1 * tolerance * scale)


def assert_triplets(A, result, expected, *, tolerance):
    """The values, both residuals and orthonormality on both sides."""
    scale = np.linalg.norm(A, 2)
    V, U, s = result.vectors, result.left_vectors, result.values
    for Q in (U, V):
        assert np.linalg.norm(Q.conj().T @ Q - np.eye(len(s))) < 100 * np.finfo(Q.dtype).eps
    np.testing.assert_allclose(s, expected, rtol=0, atol=tolerance * scale)
    assert np.linalg.norm(A @ V - U * s, axis=0).max() < tolerance * scale
    assert np.linalg.norm(A.conj().T @ U - V * s, axis=0).max() < tolerance * scale


def observed_rate(A: Any, solved: Any, rng: np.random.Generator, **options: Any) -> float:
    """Return the contraction of errors that EPSI shows, asymptotically.

    Each run starts a little away from the answer, in the direction in which the last one was still
    wrong: power iteration with the algorithm itself.
    """
    X = solved.vectors
    W = random_matrix(rng, X.shape, X.dtype)
    rates = []
    for _ in range(6):
        W = W - X @ (X.conj().T @ W)
        W *= 1e-4 / np.linalg.norm(W)
        errors = []

        def record(state: Any, errors: list[Any] = errors) -> None:
            errors.append(state.x - X @ (X.conj().T @ state.x))

        epsi(
            A,
            X.shape[1],
            surrogate=solved.surrogate,
            v0=X + W,
            rtol=1e-9,
            callback=record,
            rng=rng,
            **options,
        )
        sizes = [np.linalg.norm(error) for error in errors]
        last = min(4, len(sizes) - 1)
        rates.append((sizes[last] / sizes[1]) ** (1 / (last - 1)))
        W = errors[last]
    return float(rates[-1])
