"""Matrices with known singular values, and the law that their triplets obey."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnla.testing import haar


def planted(m: int, n: int, sigma: Any, *, rng: Any, dtype: Any = np.float64) -> Any:
    """Return an (m, n) matrix with the given singular values, the rest zero."""
    sigma = np.asarray(sigma, float)
    U, V = (haar(size, len(sigma), rng=rng, dtype=dtype) for size in (m, n))
    wide = np.result_type(dtype, np.float64)
    return ((U.astype(wide) * sigma) @ V.conj().T).astype(dtype)


def assert_triplets(
    A: Any, triplets: Any, *, which: str = "LM", units: float = 100, left: float | None = None
) -> None:
    """The law: k triplets of A, right to `units` roundoffs of its norm, vectors orthonormal.

    LAPACK's own residuals are 20 to 40 roundoffs long. For small sigma the vectors of the longer
    side, u = A v / sigma, cannot keep ``||A^H u - sigma v||`` so small: it has `left` roundoffs.
    """
    U, sigma, VH = triplets
    k, eps = len(sigma), float(np.finfo(A.dtype).eps)
    assert U.shape == (A.shape[0], k)
    assert VH.shape == (k, A.shape[1])
    assert U.dtype == VH.dtype == A.dtype
    assert sigma.dtype == A.real.dtype
    assert (np.diff(sigma) >= 0).all(), "singular values ascend"
    exact = np.asarray(A, np.result_type(A, np.float64))
    every = np.linalg.svd(exact, compute_uv=False)
    expected = every[:k][::-1] if which == "LM" else every[::-1][:k]
    unit = eps * max(every[0], np.finfo(A.dtype).tiny / eps)
    error = np.abs(sigma - expected).max() / unit
    assert error <= units, f"singular values are off by {error:.1f} roundoffs"
    V = VH.conj().T
    for name, W in (("U", U), ("V", V)):
        loss = np.abs(W.conj().T @ W - np.eye(k)).max() / eps
        assert loss <= 100, f"{name} is off orthonormal by {loss:.1f} roundoffs"
    limits = (units, left or units) if A.shape[0] >= A.shape[1] else (left or units, units)
    for name, R, limit in (
        ("A v - sigma u", exact @ V - U * sigma, limits[0]),
        ("A^H u - sigma v", exact.conj().T @ U - V * sigma, limits[1]),
    ):
        worst = np.linalg.norm(R, axis=0).max() / unit
        assert worst <= limit, f"{name} is {worst:.1f} roundoffs long"
