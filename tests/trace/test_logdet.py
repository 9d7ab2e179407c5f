"""Log-determinants: of either sign, by every method, or one sentence why not."""

import function_cases as cases
import numpy as np
import pytest
import scipy.sparse
from controls import functions as controls
from function_cases import assert_coverage, assert_covered, coverage, with_spectrum
from scipy.sparse.linalg import aslinearoperator

from rnla import ConvergenceWarning, Status, logdet

METHODS = ["auto", "krylov_aware", "slq", "nystrom"]


@pytest.mark.parametrize("method", METHODS)
def test_toeplitz(method, rng):
    A, exact = cases.toeplitz(3000)
    estimate = logdet(A, 400, method=method, rng=rng)
    assert_covered(estimate, exact)
    assert estimate.radius() < 0.02 * exact
    assert estimate.n_matvec <= 400


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_laplacian_of_either_sign(method, scale, rng):
    A, eigenvalues = cases.laplacian(50, scale)
    exact = np.log(eigenvalues).sum()
    estimate = logdet(A, rtol=0.02, method=method, rng=rng)
    assert np.sign(exact) == (1 if scale == 1 else -1)
    assert estimate.success
    assert_covered(estimate, exact)
    assert estimate.radius() <= 0.02 * abs(estimate.value)


def test_a_determinant_of_one_needs_an_absolute_tolerance(rng):
    A, eigenvalues = cases.laplacian(50)
    A = A / np.exp(np.log(eigenvalues).mean())
    with pytest.warns(ConvergenceWarning, match="above the tolerance after"):
        missed = logdet(A, 300, rtol=0.01, rng=rng)
    assert missed.status is Status.MAX_MATVECS
    assert not missed.success
    met = logdet(A, atol=60.0, rng=rng)
    assert met.success
    assert met.radius() <= 60
    assert_covered(met, 0.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_small_matrices_are_exact(dtype, rng):
    eigenvalues = np.geomspace(0.1, 10, 30) / 3
    A = with_spectrum(eigenvalues, rng, dtype)
    tolerance = 1e3 * float(np.finfo(dtype).eps)
    for form in (A, scipy.sparse.csr_array(A), aslinearoperator(A), A.tolist()):
        estimate = logdet(form)
        assert estimate.status is Status.EXACT
        assert estimate.method == "exact"
        assert estimate.value == pytest.approx(np.log(eigenvalues).sum(), abs=30 * tolerance)
        assert estimate.n_matvec == (30 if form is not A and hasattr(form, "matvec") else 0)
        assert estimate.stderr < tolerance


def test_orders_zero_and_one():
    assert logdet(np.zeros((0, 0))).value == 0
    assert logdet([[4.0]]).value == pytest.approx(np.log(4))
    assert logdet([[4.0]], 10, method="slq").value == pytest.approx(np.log(4))
    assert logdet([[4.0]], 10, method="krylov_aware").value == pytest.approx(np.log(4))


def test_complex_hermitian(rng):
    eigenvalues = np.linspace(0.2, 3, 250)
    A = with_spectrum(eigenvalues, rng, np.complex128)
    for method in METHODS:
        assert_covered(logdet(A, 150, method=method, rng=rng), np.log(eigenvalues).sum())


def test_the_preconditioner_saves_most_of_the_steps(rng):
    # A kernel matrix plus a multiple of the identity.
    eigenvalues = 1e4 * 0.7 ** np.arange(400) + 0.1
    A = scipy.sparse.csr_array(with_spectrum(eigenvalues, rng))
    exact = np.log(eigenvalues).sum()
    plain = logdet(A, 200, method="slq", rng=rng)
    better = logdet(A, 200, method="nystrom", rng=rng)
    assert_covered(plain, exact)
    assert_covered(better, exact)
    assert better.radius() < 0.05 * plain.radius()


def test_brackets_hold_the_quadrature_error(rng):
    # Few steps on an ill-conditioned matrix: the error is that of the quadrature.
    eigenvalues = np.geomspace(1e-4, 1, 300)
    A = scipy.sparse.csr_array(with_spectrum(eigenvalues, rng))
    exact = np.log(eigenvalues).sum()
    options = {"method": "slq", "degree": 5, "test_vectors": "sphere"}
    estimate = logdet(A, 1000, spectrum=(1e-4, 1.0), rng=rng, **options)
    assert estimate.value - exact > 3 * estimate.stderr
    assert abs(estimate.value - exact) < estimate.bias
    assert_covered(estimate, exact, slack=1.0)


def test_the_error_bar_is_not_that_of_sampling_alone():
    eigenvalues = np.geomspace(1e-4, 1, 200)
    A = scipy.sparse.diags_array(eigenvalues).tocsr()
    exact = np.log(eigenvalues).sum()

    def run(seed):
        return logdet(A, 240, method="slq", degree=8, test_vectors="sphere", rng=seed)

    assert_coverage(run, exact, 40)


@pytest.mark.parametrize("method", [*METHODS, "exact"])
def test_an_indefinite_matrix_is_refused(method, rng):
    A = with_spectrum(np.linspace(-0.5, 2, 300), rng)
    with pytest.raises(ValueError, match=r"`A` must be positive (semi)?definite.* -\d"):
        logdet(A, 100 if method != "exact" else None, method=method, rng=rng)


@pytest.mark.parametrize("method", ["exact", "slq", "krylov_aware", "nystrom"])
def test_a_singular_matrix_is_refused(method):
    with pytest.raises(ValueError, match="`A` must be positive definite"):
        logdet(np.zeros((40, 40)), 30, method=method, rng=0)


@pytest.mark.parametrize("control", [controls.without_bias, controls.sign_lost])
def test_controls_are_rejected(control):
    if control is controls.sign_lost:
        A, eigenvalues = cases.laplacian(50, 0.01)
        options = {}
    else:
        eigenvalues = np.geomspace(1e-4, 1, 200)
        A = scipy.sparse.diags_array(eigenvalues).tocsr()
        options = {"degree": 8, "test_vectors": "sphere"}
    exact = np.log(eigenvalues).sum()

    def run(seed):
        return control(logdet(A, 240, method="slq", rng=seed, **options))

    assert coverage(run, exact, 20) < 0.5


def test_spectrum_is_refused_where_it_does_not_fit():
    with pytest.raises(ValueError, match="`spectrum` must be positive"):
        logdet(np.eye(4), spectrum=(0, 1))
    with pytest.raises(ValueError, match="`spectrum` must be left out for method='nystrom'"):
        logdet(np.eye(4), method="nystrom", spectrum=(1, 1))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", [1e-200, 1e-20, 1e20, 1e200])
def test_scale_does_not_matter(method, scale, rng):
    A, eigenvalues = cases.laplacian(20)
    options = {"method": method, "rng": int(rng.integers(1000))}
    plain = logdet(A, 120, **options)
    scaled = logdet(scale * A, 120, **options)
    assert scaled.n_matvec == plain.n_matvec
    assert scaled.value == pytest.approx(plain.value + 400 * np.log(scale), abs=1e-6)
    assert_covered(scaled, np.log(eigenvalues).sum() + 400 * np.log(scale))


@pytest.mark.parametrize("method", ["krylov_aware", "slq"])
@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_scale_in_single_precision(method, dtype, scale):
    A, eigenvalues = cases.laplacian(20)
    estimate = logdet((scale * A).astype(dtype), 120, method=method, rng=0)
    assert_covered(estimate, np.log(eigenvalues).sum() + 400 * np.log(scale))
    assert estimate.radius() < 100
