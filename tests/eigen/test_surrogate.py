"""A surrogate is a help, and never more than that."""

import eigen_cases as cases
import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import LinearOperator, splu

import rnla
from rnla.eigen import solve
from rnla.eigen._correction import left_over
from rnla.eigen._ritz import Ritz
from rnla.eigen._select import Selection
from rnla.linalg.surrogate import Surrogate

N = 400


def perturbation(rng, n, size):
    E = rng.standard_normal((n, n))
    E = E + E.T
    return E * (size / np.linalg.norm(E, 2))


@pytest.mark.parametrize("k", [1, 5])
def test_a_sequence_needs_a_fraction_of_the_products(k, rng):
    A = cases.hermitian(np.exp(-np.arange(N) / 20), rng)
    result = solve(A, k, which="LA", tol=1e-6, method="lanczos", rng=rng)
    first = result.n_matvec
    for _ in range(5):
        A = A + perturbation(rng, N, 1e-3)
        result = solve(
            A, k, which="LA", tol=1e-6, v0=result.vectors, surrogate=result, verify=False, rng=rng
        )
        assert result.n_matvec <= {1: 6, 5: 20}[k] < first / 2
        assert result.n_passes <= 6
        assert np.abs(result.values - np.linalg.eigvalsh(A)[-k:]).max() < 1e-6
        assert result.residual_norms.max() <= 1e-6


@pytest.mark.parametrize("dtype", [float, complex])
def test_what_is_left_over_knows_the_products(dtype, rng):
    A = cases.hermitian(np.linspace(-1, 1, 80), rng)
    A = A + 1j * np.triu(A, 1) - 1j * np.triu(A, 1).T if dtype is complex else A
    V = np.linalg.qr(rng.standard_normal((80, 12)))[0].astype(dtype)
    W = A @ V
    theta, S = np.linalg.eigh(V.conj().T @ W)
    space = Ritz(theta[::-1], S[:, ::-1], V, W)
    old = Surrogate.of_matrix(A + perturbation(rng, 80, 0.3))
    old = Surrogate(basis=old.basis[:, :30], values=old.values[:30], tail=-0.2)
    found = left_over(space, Selection("LA", 3), old)
    # Of rank 54 at the most, so that nothing is cut.
    assert np.abs(found.basis.conj().T @ found.basis - np.eye(found.rank)).max() < 1e-13
    low = (found.basis * found.values) @ found.basis.conj().T
    assert np.abs(low @ V - W).max() < 1e-12
    assert -1 < found.tail < theta[-3]


@pytest.mark.parametrize("which", ["LA", "SA", "LM", "BE"])
def test_sequences_at_every_end_and_of_operators(which, rng):
    spectrum = np.concatenate([[-1.5, -1.3, 1.2, 1.4], np.linspace(-0.9, 0.9, N - 4)])
    A = cases.hermitian(spectrum, rng)
    result = solve(A, 2, which=which, tol=1e-6, rng=rng)
    for turn in range(4):
        A = A + perturbation(rng, N, 1e-3)
        given = LinearOperator(A.shape, lambda x, A=A: A @ x, dtype=float) if turn % 2 else A
        result = solve(
            given, 2, which=which, tol=1e-6, v0=result.vectors, surrogate=result, rng=rng
        )
        w = np.linalg.eigvalsh(A)
        exact = {"LA": w[-2:], "SA": w[:2], "LM": w[[0, -1]], "BE": w[[0, -1]]}[which]
        assert np.abs(result.values - exact).max() < 1e-10
        assert cases.orthonormality(result.vectors) < 1e-13


def wrong_surrogates(A, rng):
    n = len(A)
    Q = np.linalg.qr(rng.standard_normal((n, 50)))[0]
    yield Surrogate(basis=Q, values=rng.standard_normal(50))
    yield Surrogate.of_matrix(A + perturbation(rng, n, 0.5))
    yield Surrogate.of_matrix(-A)
    # Exact: every correction is zero over zero without the projection.
    yield Surrogate.of_matrix(A)
    yield np.zeros((n, n))
    yield cases.hermitian(rng.standard_normal(n), rng)
    yield LinearOperator((n, n), lambda x: np.full(n, np.nan), dtype=float)


@pytest.mark.parametrize("which", ["LA", "SA", "LM", "BE"])
def test_a_wrong_surrogate_breaks_nothing(which, rng):
    case = cases.Case("six", np.concatenate([np.ones(6), np.linspace(-0.8, 0.9, 294)]), 6, which)
    A = case.build(rng)
    for surrogate in wrong_surrogates(A, rng):
        result = solve(A, 6, which=which, tol=1e-8, surrogate=surrogate, rng=rng)
        assert result.success
        assert not cases.wrong_set(case, result.values, 1e-8), surrogate
        assert cases.orthonormality(result.vectors) < 1e-13


def test_a_preconditioner_helps(rng):
    n = 2000
    A = scipy.sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n)).tocsc()
    factor = splu(A)
    P = LinearOperator((n, n), factor.solve, matmat=factor.solve, dtype=float)
    result = solve(A, 3, which="SA", surrogate=P, rng=rng)
    assert np.abs(result.values - cases.path_laplacian(n)[:3]).max() < 1e-13
    assert result.n_matvec < 150


def test_a_nystrom_surrogate_and_a_sketched_one(rng):
    A = cases.hermitian(1 / (1.0 + np.arange(N)) ** 2, rng)
    exact = np.linalg.eigvalsh(A)[-4:]
    for options in ({"surrogate": rnla.nystrom(A, 40, rng=rng)}, {"sketch_size": 40}):
        w, X = rnla.eigsh(A, 4, which="LA", rng=rng, **options)
        assert np.abs(w - exact).max() < 1e-13
        assert cases.residuals(A, w, X).max() < 1e-13


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"surrogate": np.eye(9)}, ValueError, "`surrogate` must have shape"),
        ({"surrogate": np.eye(80) * 1j}, ValueError, "`surrogate` must be real"),
        ({"surrogate": np.eye(80), "sketch_size": 3}, ValueError, "`sketch_size` must be left out"),
        ({"surrogate": np.eye(80), "sigma": 1.0}, ValueError, "`surrogate` and `sketch_size`"),
        ({"surrogate": np.eye(80), "method": "dense"}, ValueError, "method='dense'"),
        ({"sketch_size": 81}, ValueError, "`sketch_size`"),
    ],
)
def test_messages(options, error, message):
    with pytest.raises(error, match=message):
        rnla.eigsh(np.diag(np.arange(80.0)), 2, **options)
