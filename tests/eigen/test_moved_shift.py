"""Shifts that meet an eigenvalue, and matrices M whose inverse must not be that of another."""

import numpy as np
import pytest
from scipy.linalg import eigh
from scipy.sparse import csr_array, diags_array

import rnla
from rnla.eigen import eigsh, solve


def with_spectrum(values, rng):
    """Return a symmetric matrix with these eigenvalues, and its eigenvectors."""
    Q = np.linalg.qr(rng.standard_normal((len(values), len(values))))[0]
    A = (Q * values) @ Q.T
    return (A + A.T) / 2, Q


def test_smallest_magnitudes_are_those_nearest_to_zero_not_to_a_moved_shift(rng):
    values = np.logspace(0, -12, 150) * rng.choice([-1.0, 1.0], 150)
    A, _ = with_spectrum(values, rng)
    w, v = eigsh(csr_array(A), 8, which="SM", rng=rng)
    wanted = np.sort(values[np.argsort(np.abs(values))[:8]])
    assert np.abs(w - wanted).max() <= 1e-14
    assert np.abs(A @ v - v * w).max() <= 1e-14


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("which", ["LM", "LA", "SA"])
def test_eigenvalues_around_a_shift_that_is_one_of_them(rng, dtype, which):
    values = np.linspace(-1, 1, 301)
    A, _ = with_spectrum(values, rng)
    # Above its eigenvalue by more than rounding, by less than the shift keeps as its distance.
    sigma = 0.3 + (3e-5 if dtype is np.float32 else 1e-9)
    w, v = eigsh(csr_array(A.astype(dtype)), 5, sigma=sigma, which=which, rng=rng)
    step = values[1] - values[0]
    wanted = {"LM": 0.3 + step * np.arange(-2, 3), "LA": 0.3 + step * np.arange(1, 6)}
    wanted["SA"] = 0.3 - step * np.arange(4, -1, -1)
    assert np.abs(w - wanted[which]).max() <= 1e3 * np.finfo(dtype).eps
    assert w.dtype == dtype
    assert v.dtype == dtype


def test_a_wider_search_covers_what_a_moved_shift_would_hide(rng):
    # 3001 rows: more than LAPACK takes over.
    values = np.concatenate([[0.0, 3e-7, -1.5e-6, -2e-6, -2.5e-6], np.linspace(0.5, 1, 2997)])
    w = eigsh(csr_array(np.diag(values)), 2, which="SM", rng=rng)[0]
    assert np.abs(w - [0, 3e-7]).max() <= 1e-14


@pytest.mark.parametrize("options", [{"which": "LA"}, {"which": "SA"}, {"mode": "cayley"}])
def test_a_large_search_beside_a_moved_shift_says_so(rng, options):
    values = np.linspace(-1, 1, 3001)
    A = diags_array(values).tocsr()
    with pytest.warns(rnla.ConvergenceWarning, match="`sigma` meets an eigenvalue") as caught:
        result = solve(A, 4, sigma=float(values[1700]), rng=rng, **options)
    assert caught[0].filename == __file__
    assert result.verified is False
    with pytest.warns(rnla.ConvergenceWarning, match="`sigma` meets an eigenvalue"):
        eigsh(A, 4, sigma=float(values[1700]), rng=rng, **options)
    # Each is an eigenvalue, whether or not it is one of those asked for.
    assert np.abs(values[:, None] - result.values).min(axis=0).max() <= 1e-14


@pytest.mark.parametrize("which", ["LM", "SA"])
def test_ill_conditioned_M_is_inverted_as_it_is(rng, which):
    M, _ = with_spectrum(np.logspace(0, -8, 150), rng)
    A = rng.standard_normal((150, 150))
    A = A + A.T
    result = solve(csr_array(A), 4, M=csr_array(M), which=which, tol=1e-8, maxiter=100, rng=rng)
    values = eigh(A, M, eigvals_only=True)
    order = np.argsort(-np.abs(values) if which == "LM" else values)[:4]
    assert np.abs(result.values / np.sort(values[order]) - 1).max() <= 1e-6


def test_vectors_are_orthonormal_however_loose_the_tolerance(rng):
    M, _ = with_spectrum(np.linspace(0.01, 1, 300), rng)
    A, _ = with_spectrum(np.linspace(-1, 1, 300), rng)
    _, v = eigsh(csr_array(A), 8, M=csr_array(M), sigma=0.1, tol=1e-3, rng=rng)
    assert np.abs(v.T @ M @ v - np.eye(8)).max() <= 100 * np.finfo(float).eps


@pytest.mark.parametrize("mode", ["normal", "cayley"])
def test_solves_without_row_exchanges_are_as_accurate_as_with(rng, mode):
    A, _ = with_spectrum(np.linspace(-1, 1, 250), rng)
    M, _ = with_spectrum(np.linspace(0.1, 1, 250), rng)
    for sigma in rng.uniform(-1, 1, 8):
        # Without a warning, which is an error here.
        assert solve(csr_array(A), 5, M=csr_array(M), sigma=sigma, mode=mode, rng=rng).success
