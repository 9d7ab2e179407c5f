"""Entries of any size, in pencils and where LAPACK solves: values, vectors and certificates."""

import eigen_cases as cases
import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
from scipy.sparse.linalg import aslinearoperator
from svds_cases import assert_triplets, planted

from rnla import svds
from rnla.eigen import solve
from rnla.eigen._svds_dense import triplet_residuals
from rnla.linalg.orth import lengths_of_any_size

N, K = 90, 3
EPS = np.finfo(float).eps
# Of A and of M, in powers of ten.
SIZES = [(-250, 0), (160, 0), (250, 0), (160, 200), (-160, -200), (-100, 80), (100, -80)]


def found(A, M, sigma, sizes, **options):
    """Solve a pencil of other sizes, and scale what comes back."""
    a, m = (10.0**size for size in sizes)
    sigma = None if sigma is None else sigma * a / m
    result = solve(A * a, K, M=M * m, sigma=sigma, **options)
    length = np.sqrt(a if options.get("mode") == "buckling" else m)
    norms = result.residual_norms / a * length
    return result, result.values / a * m, result.vectors * length, norms


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("method", ["dense", "lanczos"])
@pytest.mark.parametrize("dtype", [float, complex])
def test_pencils(dtype, method, sizes, rng):
    A = cases.hermitian(np.linspace(1, 5, N), rng, dtype)
    M = cases.hermitian(np.linspace(1, 2, N), rng, dtype)
    exact = scipy.linalg.eigh(A, M, eigvals_only=True)
    for sigma, which in ((None, "LA"), (None, "SM"), (1.5, "LM")):
        wanted = {"LA": exact[-K:], "SM": exact[:K]}.get(
            which, np.sort(exact[np.argsort(np.abs(exact - 1.5))[:K]])
        )
        result, w, X, norms = found(A, M, sigma, sizes, which=which, method=method, rng=rng)
        assert np.abs(w - wanted).max() <= 100 * EPS * np.abs(exact).max()
        assert cases.orthonormality(X, M) <= 100 * EPS
        true = cases.residuals(A, w, X, M)
        assert 0 < norms.max() <= 300 * EPS
        assert np.abs(norms - true).max() <= 100 * EPS
        assert result.success


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("mode", ["buckling", "cayley"])
def test_modes(mode, sizes, rng):
    A = cases.hermitian(np.linspace(1, 5, N), rng)
    M = cases.hermitian(np.linspace(1, 2, N), rng)
    for form in (np.asarray, scipy.sparse.csr_array):
        for method in ("dense", "lanczos"):
            options = {"mode": mode, "method": method, "rng": rng}
            expected = solve(form(A), K, M=form(M), sigma=1.7, **options)
            _, w, X, _ = found(form(A), form(M), 1.7, sizes, **options)
            assert np.abs(w - expected.values).max() <= 300 * EPS
            assert cases.orthonormality(X, A if mode == "buckling" else M) <= 100 * EPS


@pytest.mark.parametrize("size", [-30, 30])
def test_pencils_in_single_precision(size, rng):
    A = cases.hermitian(np.linspace(1, 5, N), rng).astype("f")
    M = cases.hermitian(np.linspace(1, 2, N), rng).astype("f")
    exact = scipy.linalg.eigh(A, M, eigvals_only=True)
    unit = np.float32(10.0**size)
    result = solve(A * unit, K, M=M, method="lanczos", which="LA", rng=rng)
    assert result.values.dtype == result.vectors.dtype == np.float32
    assert np.abs(result.values / unit - exact[-K:]).max() <= 300 * np.finfo("f").eps


@pytest.mark.parametrize("size", [-250, -170, 170, 250])
@pytest.mark.parametrize("form", [np.asarray, aslinearoperator])
@pytest.mark.parametrize("dtype", [float, complex])
def test_triplets_by_lapack(dtype, form, size, rng):
    A = planted(40, 30, np.linspace(1, 2, 30), rng=rng).astype(dtype)
    for which in ("LM", "SM"):
        U, sigma, VH = svds(form(A * 10.0**size), 4, which=which, rng=rng)
        assert_triplets(A, (U, sigma / 10.0**size, VH), which=which)


@pytest.mark.parametrize("dtype", ["f", "d", "F", "D"])
def test_lengths(dtype, rng):
    X = cases.hermitian(np.linspace(1, 2, 20), rng, dtype)
    power = np.finfo(dtype).maxexp - 5
    plain = np.linalg.norm(X, axis=0)
    for unit in (2.0**power, 1.0, 2.0**-power):
        lengths = lengths_of_any_size((X * unit).astype(dtype))
        assert lengths.dtype == X.real.dtype
        np.testing.assert_allclose(lengths.astype(float) / unit, plain, rtol=1e-5)
    assert (lengths_of_any_size(np.zeros((20, 2), dtype)) == 0).all()


def test_the_certificate_of_triplets_is_in_range():
    U, sigma, V = np.eye(4)[:, :1], np.array([1e250]), np.eye(3)[:, :1]
    left, right = U * 1.5e250, V * 1e250
    assert triplet_residuals(left, right, U, sigma, V) == pytest.approx(0.5e250)
