"""Matrices of the trace benchmarks: the spectra of two papers.

The six of XTrace's, n = 1000; and those of A-Hutch++'s, where a matrix is known by its eigenvalues
or has a trace that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

SPECTRA: dict[str, Callable[[int], Any]] = {
    "flat": lambda n: np.linspace(1, 3, n),
    "poly": lambda n: np.arange(1.0, n + 1) ** -2,
    "slowexp": lambda n: 0.9 ** np.arange(n),
    "exp": lambda n: 0.7 ** np.arange(n),
    "step": lambda n: np.where(np.arange(n) < 50, 1.0, 1e-3),
    "bigstep": lambda n: np.where(np.arange(n) < 50, 1.0, 1e-8),
}


def dense(eigenvalues: Any, seed: int = 42) -> Any:
    """Return a symmetric matrix with Haar eigenvectors."""
    n = len(eigenvalues)
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]
    A = (Q * eigenvalues) @ Q.T
    return 0.5 * (A + A.T)


def reflected(eigenvalues: Any, seed: int = 42) -> Any:
    """Return a dense symmetric matrix with these eigenvalues, for sizes at which Haar is slow."""
    A = np.diag(eigenvalues)
    for v in np.random.default_rng(seed).standard_normal((3, len(A))):
        v /= np.linalg.norm(v)
        A -= np.outer(2 * v, v @ A)
        A -= np.outer(A @ v, 2 * v)
    return 0.5 * (A + A.T)


def scaled(d: Any, X: Any) -> Any:
    return d[:, None] * X


def saibaba_ipsen(n: int) -> tuple[Callable[[Any], Any], float]:
    """Return products with ``log(I + X D X^T)`` for random sparse X, n x 300, and the trace."""
    j = np.arange(1.0, 301)
    X = sparse.random_array((n, 300), density=0.025, rng=np.random.default_rng(42))
    G = X.toarray() * np.sqrt(np.where(j <= 40, 10.0, 1.0) / j**2)
    U, sigma, _ = np.linalg.svd(G, full_matrices=False)
    logs = np.log1p(sigma**2)
    return lambda V: U @ (logs[:, None] * (U.T @ V)), float(logs.sum())


def tolerance_problems(small: bool) -> Iterator[tuple[str, Any, int, float]]:
    """Yield name, product, size and trace."""
    n = 500 if small else 5000
    for c in ("0.1", "0.5", "1", "2", "3"):
        d = np.arange(1.0, n + 1) ** -float(c)
        yield f"i^-{c}", partial(scaled, d), n, float(d.sum())
    product, exact = saibaba_ipsen(n)
    yield "Saibaba-Ipsen logdet", product, n, exact
    n = 1000 if small else 10_000
    d = 1 / (4 - 2 * np.cos(np.arange(1, n + 1) * np.pi / (n + 1)))
    yield "tridiagonal inverse", partial(scaled, d), n, float(d.sum())
    side = 20 if small else 100
    values = 2 - 2 * np.cos(np.arange(1, side + 1) * np.pi / (side + 1))
    d = 1 / (values[:, None] + values).ravel()
    yield "Poisson inverse", partial(scaled, d), side**2, float(d.sum())
