"""Matrices with planted eigenpairs or triplets, and what an answer of EPSI must satisfy."""

from __future__ import annotations

from typing import Any

import numpy as np
from cases import random_matrix

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


def observed_rate(history: Any, floor: float = 1e-11) -> float:
    """Return the geometric mean of the last contractions above the floor of rounding."""
    above = np.flatnonzero(np.asarray(history) > floor)
    last = above[-1]
    first = max(0, last - 5)
    return float((history[last] / history[first]) ** (1 / (last - first)))
