"""Equations and approximate solvers for the tests of `rnla.refine`."""

import numpy as np
import scipy.sparse
from scipy.linalg import lu_factor, lu_solve

from rnla import refine
from rnla.testing import haar

EPS = float(np.finfo(np.float64).eps)
SINGLE = float(np.finfo(np.float32).eps)


def gaussian(shape, rng, dtype=np.float64):
    z = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        z = z + 1j * rng.standard_normal(shape)
    return z.astype(dtype)


def planted(n, condition, rng, dtype=np.float64):
    """A matrix with singular values from 1 to 1 / condition, a solution, a right-hand side."""
    U, V = haar(n, n, rng=rng, dtype=dtype), haar(n, n, rng=rng, dtype=dtype)
    A = (U * np.geomspace(1, 1 / condition, n)) @ V.conj().T
    x = gaussian(n, rng, dtype)
    return A.astype(dtype), (A @ x).astype(dtype), x


def perturbed_inverse(A, size, rng):
    """``A^-1 (I + E)`` with ``||E||_2 = size``, so that ``I - A B = -E``."""
    E = rng.standard_normal(A.shape)
    return np.linalg.inv(A) @ (np.eye(len(A)) + size * E / np.linalg.norm(E, 2))


def laplacian(n):
    """The Laplacian of the unit interval on n inner points."""
    return scipy.sparse.diags_array(
        [-np.ones(n - 1), 2 * np.ones(n), -np.ones(n - 1)], offsets=[-1, 0, 1], format="csc"
    ) * float((n + 1) ** 2)


def convection_diffusion(n, wind):
    """``-Laplace u + wind . grad u`` on n x n points of the unit square; Poisson for no wind."""
    one, h = scipy.sparse.eye_array(n), 1 / (n + 1)
    slope = scipy.sparse.diags_array([-np.ones(n - 1), np.ones(n - 1)], offsets=[-1, 1]) / (2 * h)
    line = laplacian(n) + wind * slope
    return scipy.sparse.csc_array(scipy.sparse.kron(line, one) + scipy.sparse.kron(one, line))


def backward_error(A, b, x):
    """Rigal and Gaches, for dense or sparse A and one right-hand side."""
    A = A.toarray() if scipy.sparse.issparse(A) else A
    return np.linalg.norm(b - A @ x) / (np.linalg.norm(A) * np.linalg.norm(x) + np.linalg.norm(b))


def refined(acceleration):
    """`rnla.refine` in the form of the controls."""

    def solve(A, b, B, x0):
        return refine(A, b, B, x0=x0, acceleration=acceleration).x

    return solve


def errors_of(solve, condition, *, start=0.0, seeds=range(6), n=60):
    """Backward errors and forward errors over LAPACK's; float32 LU, first iterate of size start."""
    backward, forward = [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        A, b, x = planted(n, condition, rng)
        factor = lu_factor(A.astype(np.float32))

        def B(r, factor=factor):
            return lu_solve(factor, r.astype(np.float32))

        x0 = start * gaussian(n, rng)
        answer = solve(A, b, B, x0)
        lapack = [np.linalg.solve(A[p], b[p]) for p in map(rng.permutation, [n] * 5)]
        backward.append(backward_error(A, b, answer))
        usual = np.median([np.linalg.norm(y - x) for y in lapack])
        forward.append(np.linalg.norm(answer - x) / usual)
    return np.array(backward) / EPS, np.array(forward)


def assert_refined(errors):
    """The law: backward errors of at most 2 eps, forward errors like those of double precision."""
    backward, forward = errors
    assert backward.max() <= 2, f"worst backward error {backward.max():.2f} eps"
    assert np.median(forward) <= 10, f"median forward error {np.median(forward):.1f} times LAPACK's"
