"""Matrices that are not Hermitian are refused where their entries are at hand."""

import eigen_cases as cases
import numpy as np
import pytest
import scipy.sparse

import rnla


def skew(n, rng, dtype):
    A = rng.standard_normal((n, n))
    return A + 1j * rng.standard_normal((n, n)) if dtype is complex else A


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, scipy.sparse.csr_array])
@pytest.mark.parametrize(
    ("n", "options"), [(60, {}), (60, {"method": "lanczos"}), (60, {"sigma": 0.1}), (900, {})]
)
def test_a_matrix_that_is_not_hermitian_is_refused(make, n, options, dtype, rng):
    A = skew(n, rng, dtype)
    with pytest.raises(ValueError, match="`A` must be symmetric, or Hermitian if complex"):
        rnla.eigsh(make(A), 3, rng=rng, **options)
    with pytest.raises(ValueError, match="`A` must be symmetric"):
        rnla.eigsh(make(np.triu(A)), 3, rng=rng, **options)


@pytest.mark.parametrize("k", [1, 3, 6])
@pytest.mark.parametrize("options", [{}, {"block_size": 1}, {"block_size": 1, "ncv": 40}])
def test_so_is_one_that_is_multiplied_by_single_columns(k, options, rng):
    """One random column has nothing to compare; with the next one it has."""
    A = scipy.sparse.random_array((2000, 2000), density=0.005, rng=rng, format="csr")
    for B in (A, scipy.sparse.csr_array(A + A.T + scipy.sparse.eye_array(2000, k=1))):
        with pytest.raises(ValueError, match="`A` must be symmetric"):
            rnla.eigsh(B, k, which="LA", rng=rng, **options)
    assert rnla.eigsh(A + A.T, k, which="LA", rng=rng, **options)[0].shape == (k,)


def test_a_complex_symmetric_matrix_is_refused(rng):
    A = skew(80, rng, complex)
    with pytest.raises(ValueError, match="Hermitian if complex"):
        rnla.eigsh(A + A.T, 3, rng=rng)


def test_so_is_such_a_mass_matrix(rng):
    M = np.triu(np.ones((50, 50))) + 50 * np.eye(50)
    with pytest.raises(ValueError, match="`M` must be symmetric"):
        rnla.eigsh(cases.hermitian(np.arange(50.0), rng), 3, M=M, rng=rng)


@pytest.mark.parametrize("n", [60, 900])
@pytest.mark.parametrize("dtype", [float, complex])
def test_digits_that_single_precision_lacks_do_not_count(n, dtype, rng):
    A = cases.hermitian(np.linspace(-1, 2, n), rng, dtype)
    noise = 1e-8 * skew(n, rng, dtype)
    w = rnla.eigsh(A + noise / np.sqrt(n), 3, which="LA", rng=rng)[0]
    assert w == pytest.approx(np.linalg.eigvalsh(A)[-3:], abs=1e-7)
