"""Surrogates: inverses with any shift, projected corrections, updates."""

import numpy as np
import pytest
from cases import random_matrix
from scipy.sparse.linalg import cg

from rnla import Surrogate

REAL_AND_COMPLEX = pytest.mark.parametrize("dtype", [np.float64, np.complex128])


def surrogate_of(rng, n, r, dtype, tail):
    U = np.linalg.qr(random_matrix(rng, (n, r), dtype))[0]
    return Surrogate(basis=U, values=np.linspace(3, 1, r), tail=tail)


def dense(surrogate):
    return surrogate.product(np.eye(surrogate.n, dtype=surrogate.basis.dtype))


@REAL_AND_COMPLEX
@pytest.mark.parametrize("tail", [0.0, 0.25])
def test_solve_with_a_shift_for_every_column(rng, dtype, tail):
    surrogate = surrogate_of(rng, 30, 7, dtype, tail)
    A = dense(surrogate)
    U = surrogate.basis
    np.testing.assert_allclose(
        A, (U * surrogate.values) @ U.conj().T + tail * (np.eye(30) - U @ U.conj().T), atol=1e-14
    )
    R = random_matrix(rng, (30, 4), dtype)
    shifts = np.array([-1.0, 0.6, 1.7, 5.0])
    X = surrogate.solve(R, shifts)
    for j, shift in enumerate(shifts):
        np.testing.assert_allclose((A - shift * np.eye(30)) @ X[:, j], R[:, j], atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_shift_on_an_eigenvalue_gives_inverse_iteration(rng, dtype):
    surrogate = surrogate_of(rng, 20, 5, np.float64, 0.5)
    surrogate = Surrogate(
        basis=surrogate.basis.astype(dtype), values=surrogate.values.astype(dtype), tail=0.5
    )
    x = surrogate.solve(np.ones((20, 1), dtype), surrogate.values[2])
    assert x.dtype == dtype
    assert np.isfinite(x).all()
    x = x / np.linalg.norm(x)
    assert abs(x[:, 0] @ surrogate.basis[:, 2]) > 1 - (1e-2 if dtype == np.float32 else 1e-12)
    assert np.isfinite(surrogate.solve(np.ones((20, 1), dtype), 0.5)).all()


def projected_solution(A, theta, r, X):
    """Solve in a basis of the complement of X."""
    n, q = X.shape
    N = np.linalg.qr(np.hstack([X, np.eye(n)]))[0][:, q:n]
    inner = N.conj().T @ (A - theta * np.eye(n)) @ N
    return N @ np.linalg.solve(inner, N.conj().T @ r)


@REAL_AND_COMPLEX
@pytest.mark.parametrize("q", [0, 1, 4])
@pytest.mark.parametrize("full", [False, True])
def test_correct_solves_in_the_complement(rng, dtype, q, full):
    n = 24
    surrogate = surrogate_of(rng, n, n if full else 6, dtype, 0.3)
    A = dense(surrogate)
    X = np.linalg.qr(random_matrix(rng, (n, max(q, 1)), dtype))[0][:, :q]
    R = random_matrix(rng, (n, 3), dtype)
    # The last shift meets an eigenvalue of the surrogate, which the projection makes harmless.
    shifts = np.array([0.1, 2.35, surrogate.values[1] if q else 9.0])
    T = surrogate.correct(R, shifts, X)
    assert np.abs(X.conj().T @ T).max(initial=0) < 1e-13 * np.abs(T).max()
    for j, theta in enumerate(shifts):
        expected = projected_solution(A, theta, R[:, j], X)
        # Half the digits where it meets one.
        accuracy = 1e-4 if j == 2 and q else 1e-11
        np.testing.assert_allclose(T[:, j], expected, atol=accuracy * np.linalg.norm(expected))


@REAL_AND_COMPLEX
def test_updates_and_downdates(rng, dtype):
    surrogate = surrogate_of(rng, 30, 5, dtype, 0.2)
    A = dense(surrogate)
    X = random_matrix(rng, (30, 3), dtype)
    weights = np.array([2.0, -0.5, 1.0])
    both = surrogate.updated(X, weights)
    np.testing.assert_allclose(dense(both), A + (X * weights) @ X.conj().T, atol=1e-12)
    back = both.updated(X, -weights, rank=5)
    assert back.rank == 5
    np.testing.assert_allclose(dense(back), A, atol=1e-12)
    # Within the span of the basis the rank stays.
    inside = surrogate.updated(surrogate.basis @ random_matrix(rng, (5,), dtype), -1.0)
    assert inside.rank == 5


def test_many_updates_stay_orthonormal(rng):
    surrogate = surrogate_of(rng, 40, 6, np.float64, 0.0)
    window = [rng.standard_normal(40) for _ in range(4)]
    A = dense(surrogate) + sum(np.outer(x, x) for x in window)
    surrogate = surrogate.updated(np.column_stack(window))
    for _ in range(200):
        window.append(rng.standard_normal(40))
        old = window.pop(0)
        A += np.outer(window[-1], window[-1]) - np.outer(old, old)
        surrogate = surrogate.updated(window[-1]).updated(old, -1.0, rank=10)
    U = surrogate.basis
    assert np.linalg.norm(U.T @ U - np.eye(10)) < 1e-12
    np.testing.assert_allclose(dense(surrogate), A, atol=1e-10)


def test_the_inverse_works_in_other_solvers(rng):
    surrogate = surrogate_of(rng, 50, 8, np.float64, 1e-3)
    A = dense(surrogate) + 1e-6 * np.diag(rng.random(50))
    b = rng.standard_normal(50)
    steps = []
    x, info = cg(A, b, M=surrogate.inverse(), rtol=1e-10, callback=steps.append)
    assert info == 0
    assert len(steps) < 5
    np.testing.assert_allclose(A @ x, b, atol=1e-8)


def test_of_matrix_and_bad_shapes(rng):
    A = random_matrix(rng, (9, 9), complex)
    A = A + A.conj().T
    surrogate = Surrogate.of_matrix(A)
    np.testing.assert_allclose(dense(surrogate), A, atol=1e-12)
    assert surrogate.norm == pytest.approx(np.linalg.norm(A, 2))
    with pytest.raises(ValueError, match="`basis` must have shape"):
        Surrogate(basis=np.eye(3), values=np.ones(2))
