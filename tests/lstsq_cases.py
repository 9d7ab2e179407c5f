"""Least-squares problems for the laws, and the laws themselves."""

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from rnla import lstsq_refine, testing
from rnla.lstsq import backward_error

EPS = np.finfo(np.float64).eps
ROWS, COLUMNS = 800, 40
# A few in every run; every night as many as the law speaks of.
SEEDS = range(6)
MANY_SEEDS = range(20)
CONDITIONS = (1.0, 1e4, 1e8, 1e12, 1e16)
RESIDUALS = (1e-12, 1e-6, 1e-3, 1.0, 1e3)


@dataclass(frozen=True)
class Randsvd:
    """Planted singular values, planted residual."""

    condition: float
    residual: float
    m: int = ROWS
    n: int = COLUMNS
    dtype: Any = np.float64

    def __str__(self):
        return f"condition={self.condition:.0e}-residual={self.residual:.0e}"

    def build(self, rng):
        return testing.lstsq_problem(
            self.m,
            self.n,
            condition=self.condition,
            residual=self.residual,
            rng=rng,
            dtype=self.dtype,
        )[:2]


@dataclass(frozen=True)
class Named:
    """A named matrix with ``b = A x + noise``, or with nothing but noise (``x`` zero)."""

    name: str
    matrix: Any
    noise: float = 1e-3

    def __str__(self):
        return f"{self.name}-noise={self.noise:.0e}"

    def build(self, rng):
        A = self.matrix(rng)
        e = rng.standard_normal(len(A))
        b = A @ rng.standard_normal(A.shape[1])
        size = np.linalg.norm(b) or 1.0
        return A, b + self.noise * size / np.linalg.norm(e) * e


def gaussian(m, n, rng, dtype=np.float64):
    X = rng.standard_normal((m, n))
    if np.dtype(dtype).kind == "c":
        X = X + 1j * rng.standard_normal((m, n))
    return X.astype(dtype)


def twice(rng):
    B = gaussian(ROWS, COLUMNS // 2, rng)
    return np.hstack([B, B])


def zero_columns(rng):
    A = gaussian(ROWS, COLUMNS, rng)
    A[:, [0, 7, COLUMNS - 1]] = 0
    return A


def scaled_columns(rng):
    return gaussian(ROWS, COLUMNS, rng) * rng.permutation(np.logspace(-12, 12, COLUMNS))


def scaled_rows(rng):
    return gaussian(ROWS, COLUMNS, rng) * np.logspace(-8, 8, ROWS)[:, None]


def spikes(rng):
    # Half of the columns live in one row each.
    A = np.full((ROWS, COLUMNS), 1e-8)
    half = COLUMNS // 2
    A[:-half, :half] += rng.random((ROWS - half, half))
    A[-half:, half:] += np.eye(half)
    return A


MATRICES = {
    "prolate": lambda rng: testing.prolate(ROWS, COLUMNS),
    "prolate-ridge": lambda rng: testing.prolate(ROWS, COLUMNS, ridge=1e-20),
    "hilbert12": lambda rng: testing.hilbert(ROWS, 12),
    "hilbert25": lambda rng: testing.hilbert(ROWS, 25),
    "vandermonde": lambda rng: testing.vandermonde(ROWS, COLUMNS),
    "vandermonde-positive": lambda rng: testing.vandermonde(ROWS, 25, low=0.0),
    "laeuchli": lambda rng: testing.laeuchli(ROWS, COLUMNS),
    "coherent": lambda rng: testing.coherent(ROWS, COLUMNS, rng=rng),
    "spikes": spikes,
    "twice": twice,
    "zero-columns": zero_columns,
    "scaled-columns": scaled_columns,
    "scaled-rows": scaled_rows,
}

RANDSVD = [Randsvd(c, r) for c in CONDITIONS for r in RESIDUALS]
NAMED = [Named(name, matrix, noise) for name, matrix in MATRICES.items() for noise in (0.0, 1e-3)]


@lru_cache(maxsize=1000)
def problem_of(case, seed):
    """Build a problem that several solvers share; they leave it as it is."""
    return case.build(np.random.default_rng([seed, 20260]))


def errors_of(solver, case, *, seeds=SEEDS, eps=EPS):
    """Return the exact backward errors of `solver(A, b, seed)` in units of `eps`."""
    errors = []
    for seed in seeds:
        A, b = problem_of(case, seed)
        errors.append(backward_error(A, b, solver(A, b, seed), exact=True) / eps)
    return np.array(errors)


def assert_backward_stable(errors):
    """The law: the median is at most 2 and the worst at most 10 units of roundoff."""
    median, worst = np.median(errors), np.max(errors)
    assert median <= 2, f"median {median:.2f} eps, worst {worst:.2f} eps"
    assert worst <= 10, f"median {median:.2f} eps, worst {worst:.2f} eps"


def refined(**options):
    """Return a solver for `errors_of` that also demands a quiet, certified success."""

    def solve(A, b, seed):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = lstsq_refine(A, b, rng=seed, **options)
        assert result.success, result.message
        return result.x

    return solve
