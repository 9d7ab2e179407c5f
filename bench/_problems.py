"""Tall least-squares problems of known condition, and judges of their answers.

Products that judge are accumulated in extended precision (where the platform has it), so that the
errors in the tables are those of the solvers.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import lapack, solve_triangular

import rnla

_BLOCK_ENTRIES = 1 << 18
_FACTOR_ENTRIES = 1 << 21
_WIDE = np.longdouble
_REFINEMENTS = 25


@dataclass(frozen=True)
class Problem:
    """A tall matrix, a right-hand side, and what is needed to judge answers.

    Parameters
    ----------
    A : ndarray, shape (m, n)
        The matrix.
    b : ndarray, shape (m,)
        The right-hand side.
    R : ndarray, shape (n, n)
        Householder factor of A, in double precision.
    x : ndarray of longdouble or None
        The solution of the problem as stored, to more digits than any solver here has; None when
        refinement does not converge.
    """

    A: np.ndarray
    b: np.ndarray
    R: np.ndarray
    x: np.ndarray | None

    @property
    def condition(self) -> float:
        """The condition number of A, from the singular values of R."""
        return float(np.linalg.cond(self.R))

    def judge(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the backward and forward errors of the columns of `X`, shape (n, s).

        Backward errors are the Karlson-Walden estimate with the factor of A itself, relative to
        ``||A||_F``; forward errors are relative to ``||x||`` and NaN without a reference.
        """
        X = X.astype(_WIDE)
        G, r_norms = gradient(self.A, self.b, X)
        x_norms = np.linalg.norm(X.astype(float), axis=0)
        backward = [
            self._karlson_walden(*column) for column in zip(G.T, r_norms, x_norms, strict=True)
        ]
        backward = np.array(backward) / np.linalg.norm(self.R)
        if self.x is None:
            return backward, np.full(X.shape[1], np.nan)
        errors = np.linalg.norm((X - self.x[:, None]).astype(float), axis=0)
        return backward, errors / np.linalg.norm(self.x.astype(float))

    def _karlson_walden(self, g: np.ndarray, r_norm: float, x_norm: float) -> float:
        if r_norm == 0 or x_norm == 0:
            return float(np.linalg.norm(g.astype(float)) / r_norm) if r_norm else 0.0
        n = len(g)
        T = np.linalg.qr(np.vstack([self.R, r_norm / x_norm * np.eye(n)]), mode="r")
        y = g.copy()
        # Substitution in extended precision: rounding g would be the largest error of all.
        for k in range(n):
            y[k] /= T[k, k]
            y[k + 1 :] -= y[k] * T[k, k + 1 :]
        return float(np.linalg.norm(y.astype(float)) / x_norm)


def randsvd(
    m: int,
    n: int,
    *,
    condition: float = 1e4,
    residual: float = 1e-3,
    order: str = "C",
    dtype: Any = np.float64,
    coherent: bool = False,
    reference: bool = True,
    seed: int = 0,
) -> Problem:
    """Draw a problem with ``||A|| ~ 1``, ``||x|| ~ 1`` and a residual orthogonal to the range.

    A Gaussian block times an n x n matrix with singular values from 1 down to ``1 / condition``:
    fast at any m, and its condition number is as asked to a few percent when m is much larger
    than n. With `coherent`, one row carries nearly all of one direction.
    """
    rng = np.random.default_rng(seed)
    A = _gaussian(m, n, seed)
    A /= np.sqrt(m)
    if coherent:
        A[m // 2] *= 10 * np.sqrt(m / n)
    V = np.linalg.qr(rng.standard_normal((n, n)))[0]
    mix = np.geomspace(1, 1 / condition, n)[:, None] * V.T
    for rows in _row_blocks(A):
        A[rows] = A[rows] @ mix
    A = np.asarray(A, dtype=dtype, order=order)
    R = householder_factor(A)

    planted = rng.standard_normal(n)
    planted /= np.linalg.norm(planted)
    b = -product(A, np.zeros(m), planted)
    if m > n:
        noise = rng.standard_normal(m)
        noise = product(A, noise, refine(A, noise, R, np.zeros(n))[0])
        b += residual / np.linalg.norm(noise.astype(float)) * noise
    b = b.astype(dtype)
    x, converged = refine(A, b, R, planted) if reference else (None, False)
    return Problem(A, b, R, x if converged else None)


def refine(A: np.ndarray, b: np.ndarray, R: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, bool]:
    """Refine `x` with gradients in extended precision; return it and whether it converged."""
    x = x.astype(_WIDE)
    last = np.inf
    for _ in range(_REFINEMENTS):
        g = gradient(A, b, x[:, None])[0][:, 0]
        step = solve_triangular(R, solve_triangular(R, g.astype(float), trans="T"))
        size = float(np.linalg.norm(step))
        # At its limit the correction no longer shrinks.
        if not size < 0.5 * last:
            break
        x, last = x + step, size
    return x, bool(last < 1e-4 * np.linalg.norm(x.astype(float)) or last == 0)


def gradient(A: np.ndarray, b: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``A^T (b - A X)`` in extended precision and the norms of ``b - A X``."""

    def part(rows: slice) -> tuple[np.ndarray, np.ndarray]:
        block = A[rows].astype(_WIDE)
        Y = b[rows, None] - block @ X
        return block.T @ Y, np.sum(Y * Y, axis=0)

    G = np.zeros((A.shape[1], X.shape[1]), _WIDE)
    squares = np.zeros(X.shape[1], _WIDE)
    with ThreadPoolExecutor(rnla.get_num_threads()) as pool:
        for g, square in pool.map(part, _row_blocks(A)):
            G += g
            squares += square
    return G, np.sqrt(squares).astype(float)


def product(A: np.ndarray, b: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return ``b - A x`` in extended precision."""

    def part(rows: slice) -> np.ndarray:
        return b[rows] - A[rows].astype(_WIDE) @ x.astype(_WIDE)

    with ThreadPoolExecutor(rnla.get_num_threads()) as pool:
        return np.concatenate(list(pool.map(part, _row_blocks(A))))


def householder_factor(A: np.ndarray) -> np.ndarray:
    """Return R of A in double precision, row block by row block, without a copy of A."""
    n = A.shape[1]
    R = np.zeros((0, n))
    step = max(8 * n, _FACTOR_ENTRIES // n)
    for start in range(0, A.shape[0], step):
        block = A[start : start + step]
        W = np.empty((len(R) + len(block), n), order="F")
        W[: len(R)], W[len(R) :] = R, block
        factor, _, info = lapack.dgeqrt(min(64, *W.shape), W, overwrite_a=1)
        if info != 0:
            raise np.linalg.LinAlgError(f"dgeqrt failed with info={info}")
        R = np.triu(factor[:n])
    return R


def _gaussian(m: int, n: int, seed: int) -> np.ndarray:
    A = np.empty((m, n))
    blocks = list(_row_blocks(A))
    sources = np.random.SeedSequence([seed, 1]).spawn(len(blocks))

    def fill(rows: slice, source: np.random.SeedSequence) -> None:
        np.random.default_rng(source).standard_normal(out=A[rows])

    with ThreadPoolExecutor(rnla.get_num_threads()) as pool:
        list(pool.map(fill, blocks, sources))
    return A


def _row_blocks(A: np.ndarray) -> list[slice]:
    m, n = A.shape
    step = max(1, _BLOCK_ENTRIES // n)
    return [slice(start, min(m, start + step)) for start in range(0, m, step)]
