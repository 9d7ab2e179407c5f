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
