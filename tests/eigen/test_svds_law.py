"""The law of `svds`: triplets right to roundoff of the norm, and none missed."""

import numpy as np
import pytest
import scipy.sparse
from controls import svds as controls
from scipy.sparse.linalg import aslinearoperator
from svds_cases import assert_triplets, planted

from rnla.eigen import svds
from rnla.eigen._svds_krylov import Aim, is_still

FORMS = {
    "dense": np.asarray,
    "F": np.asfortranarray,
    "csr": scipy.sparse.csr_array,
    "csc": scipy.sparse.csc_array,
    "coo_matrix": scipy.sparse.coo_matrix,
    "operator": aslinearoperator,
}
DTYPES = [np.float32, np.float64, np.complex64, np.complex128]
# Decay, small values beside large ones, a tail without gaps.
SPECTRA = {
    "geometric": 0.7 ** np.arange(120),
    "harmonic": 1 / np.arange(1, 121),
    "cliff": np.r_[np.ones(3), np.full(117, 1e-9)],
    "flat": np.linspace(1, 2, 120),
}


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("shape", [(150, 120), (120, 150), (120, 120)])
def test_largest_triplets(shape, spectrum, rng):
    A = planted(*shape, SPECTRA[spectrum], rng=rng)
    assert_triplets(A, svds(A, 6, solver="krylov", rng=rng))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_of_matrix(form, dtype, rng):
    A = planted(90, 130, 0.9 ** np.arange(90), rng=rng, dtype=dtype)
    assert_triplets(A, svds(FORMS[form](A), 4, rng=rng))


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_a_matrix_object_gives_arrays(rng):
    A = planted(90, 80, 0.9 ** np.arange(80), rng=rng)
    U, sigma, VH = svds(np.asmatrix(A), 4, rng=rng)
    assert {type(part) for part in (U, sigma, VH)} == {np.ndarray}
    assert_triplets(A, (U, sigma, VH))


def test_small_singular_values_beside_large_ones(rng):
    # Ten of them from 1 to 1e-9, which A^H A would drown in roundoff.
    A = planted(200, 100, np.r_[np.logspace(0, -9, 10), np.full(90, 1e-13)], rng=rng)
    assert_triplets(A, svds(A, 10, solver="krylov", rng=rng))


@pytest.mark.parametrize("copies", [2, 4, 6, 15])
@pytest.mark.parametrize("form", ["dense", "csr", "operator"])
def test_no_copy_of_a_multiple_value_is_missed(form, copies, rng):
    A = planted(300, 200, np.r_[np.ones(copies), np.linspace(0, 0.9, 200 - copies)], rng=rng)
    for tol in (0, 1e-3, 1e-2):
        sigma = svds(FORMS[form](A), 8, tol=tol, return_singular_vectors=False, rng=rng)
        expected = np.linalg.svd(A, compute_uv=False)[7::-1]
        np.testing.assert_allclose(sigma, expected, atol=1e-9)


CLUSTERED = {
    "6 x 1": (8, lambda n: np.r_[np.ones(6), np.linspace(0.9, 0, n - 6)]),
    "12 x 1": (8, lambda n: np.r_[np.ones(12), np.linspace(0.9, 0, n - 12)]),
    "4 x 1, 3 x 0.5": (
        7,
        lambda n: np.r_[np.ones(4), np.full(3, 0.5), 0.45 * 0.9 ** np.arange(n - 7)],
    ),
    "close": (8, lambda n: np.r_[1 - 2e-7 * np.arange(6), np.linspace(0.9, 0, n - 6)]),
}


@pytest.mark.slow
@pytest.mark.parametrize("tol", [0, 1e-5, 1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("n", [300, 600])
@pytest.mark.parametrize("name", CLUSTERED)
def test_nothing_is_missed_in_a_thousand_runs(name, n, tol):
    k, spectrum = CLUSTERED[name]
    sigma = spectrum(n)
    A = scipy.sparse.diags_array(sigma).tocsr()
    wanted = np.sort(sigma)[-k:]
    for seed in range(25):
        found = svds(A, k, tol=tol, return_singular_vectors=False, rng=seed)
        np.testing.assert_allclose(found, wanted, atol=1e-8)


@pytest.mark.parametrize("k", [1, 3, 20])
def test_the_identity(k, rng):
    A = scipy.sparse.eye_array(120, format="csr")
    assert_triplets(A.toarray(), svds(A, k, rng=rng))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (3, 4), (4, 2), (100, 80), (80, 100)])
def test_zero_matrix(shape, dtype, rng):
    k = min(min(shape), 3)
    for solver in ("krylov", "dense"):
        U, sigma, VH = svds(np.zeros(shape, dtype), k, solver=solver, rng=rng)
        assert_triplets(np.zeros(shape, dtype), (U, sigma, VH))
        assert (sigma == 0).all()


@pytest.mark.parametrize("solver", ["krylov", "dense"])
@pytest.mark.parametrize("shape", [(6, 5), (5, 5), (5, 6), (200, 90), (90, 200)])
def test_more_triplets_than_the_rank(shape, solver, rng):
    A = np.ones(shape)
    assert_triplets(A, svds(A, 4, solver=solver, rng=rng))


@pytest.mark.parametrize("solver", ["propack", "krylov", "dense"])
@pytest.mark.parametrize("shape", [(7, 5), (5, 7), (6, 6), (90, 75)])
def test_all_triplets(shape, solver, rng):
    A = rng.standard_normal(shape)
    for which in ("LM", "SM"):
        assert_triplets(A, svds(A, min(shape), which=which, solver=solver, rng=rng), which=which)


@pytest.mark.parametrize("exponent", [-300, -200, 200, 300])
def test_extreme_scales(exponent, rng):
    A = planted(120, 100, 0.8 ** np.arange(100), rng=rng)
    U, sigma, VH = svds(A * 10.0**exponent, 5, rng=rng)
    assert_triplets(A, (U, sigma / 10.0**exponent, VH))


def test_integers_count_as_double_precision(rng):
    A = rng.integers(-9, 9, (100, 80))
    U, sigma, VH = svds(A, 3, rng=rng)
    assert_triplets(A.astype(float), (U, sigma, VH))


@pytest.mark.parametrize("ncv", [4, 6, 30])
def test_a_small_basis_is_honoured_and_converges(ncv, rng):
    A = planted(110, 100, 0.6 ** np.arange(100), rng=rng)
    assert_triplets(A, svds(A, 3, ncv=ncv, rng=rng))


def test_a_loose_tolerance_is_kept(rng):
    A = planted(300, 200, 1 / np.arange(1, 201), rng=rng)
    U, sigma, VH = svds(A, 5, tol=1e-3, rng=rng)
    residual = np.linalg.norm(A.T @ U - VH.T * sigma, axis=0)
    assert (residual <= 1e-6 * sigma).all()


def test_a_search_judges_each_value_by_itself():
    # Moved by a tenth of itself, and by 1e-9 of the norm: a copy that was missed.
    aim = Aim(k=2, largest=True, residual=1e-8, verify=True, both=True)
    sigma = np.array([1.0, 9e-9])
    assert not is_still(np.array([0.0, 1e-9]), sigma, 1.0, aim)
    assert is_still(np.array([5e-8, 5e-16]), sigma, 1.0, aim)


# -- controls ----------------------------------------------------------------------------------


def test_the_law_rejects_the_gram_matrix(rng):
    A = planted(200, 100, np.r_[np.logspace(0, -9, 10), np.full(90, 1e-13)], rng=rng)
    with pytest.raises(AssertionError, match="singular values are off"):
        assert_triplets(A, controls.by_gram_matrix(A, 10))


def test_the_gram_matrix_looks_right_without_small_values(rng):
    A = planted(200, 100, np.linspace(1, 2, 100), rng=rng)
    assert_triplets(A, controls.by_gram_matrix(A, 4), units=100)


def test_the_law_rejects_a_search_from_one_vector(rng):
    A = planted(300, 200, np.r_[np.ones(4), np.linspace(0, 0.9, 196)], rng=rng)
    with pytest.raises(AssertionError, match="singular values are off"):
        assert_triplets(A, controls.one_vector_unverified(A, 6), units=1e9)
    simple = planted(300, 200, 0.8 ** np.arange(200), rng=rng)
    assert_triplets(simple, controls.one_vector_unverified(simple, 6), units=1e7)
