"""What is said about a matrix and is not so: refused where products show it."""

import numpy as np
import pytest
from scipy.sparse import diags_array
from scipy.sparse.linalg import LinearOperator, cg
from trace_cases import SPECTRA, general, hermitian

import rnla
from rnla.trace import HutchPP
from rnla.trace._diagonal import xnysdiag_average
from rnla.trace._nystrom import semidefinite_core, symmetric_core
from rnla.trace._vectors import VectorStream
from rnla.trace._xnystrace import nystrom_samples

METHODS = ["exact", "hutchinson", "hutchpp", "xtrace", "a_hutchpp"]
NYSTROM = ["xnystrace", "xsymtrace"]
DIAGONAL = ["exact", "bks", "udiagpp", "xdiag"]


def options(method):
    return {"rtol": 0.2} if method == "a_hutchpp" else {"matvecs": 40 if method == "exact" else 20}


@pytest.mark.parametrize("assume", ["hermitian", "psd"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("method", METHODS)
def test_traces_of_what_is_not_hermitian(method, dtype, assume, rng):
    A = general(rng, 40, dtype)
    with pytest.raises(ValueError, match="`A` must be symmetric or Hermitian"):
        rnla.trace(A, assume=assume, method=method, rng=rng, **options(method))


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
@pytest.mark.parametrize("method", METHODS)
def test_traces_of_what_is_not_semidefinite(method, dtype, rng):
    A = hermitian(rng, np.linspace(-1, 1, 40), dtype)
    with pytest.raises(ValueError, match="negative Rayleigh quotient"):
        rnla.trace(A, assume="psd", method=method, rng=rng, **options(method))


INDEFINITE = {
    "both signs": np.linspace(-1, 1, 150),
    "negative tail": np.where(np.arange(150) < 8, 1.0, -0.02),
    "one large negative": np.where(np.arange(150) == 3, -2.0, 0.7 ** np.arange(150)),
    "negative decay": -(0.9 ** np.arange(150)),
    "some negative": np.where(np.arange(150) % 10 == 0, -0.3, 1 / np.arange(1.0, 151)),
}


@pytest.mark.parametrize("spectrum", INDEFINITE)
@pytest.mark.parametrize("method", ["hutchpp", "xtrace", "xnystrace", "xsymtrace"])
def test_kinds_of_indefinite_matrices(method, spectrum, rng):
    A = hermitian(rng, INDEFINITE[spectrum])
    for _ in range(5):
        with pytest.raises(ValueError, match="negative Rayleigh quotient"):
            rnla.trace(A, 70, assume="psd", method=method, rng=rng)


@pytest.mark.parametrize("method", ["hutchpp", "xtrace", "xnystrace", "xsymtrace"])
@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_semidefinite_matrices_are_not_refused(method, spectrum, dtype, rng):
    """Nor is a semidefinite matrix with zero eigenvalues, in spite of rounding."""
    values = SPECTRA[spectrum](150)
    for A in (hermitian(rng, values, dtype), hermitian(rng, values * (values > 0.3), dtype)):
        for s in (5, 40, 100):
            estimate = rnla.trace(A, s, assume="psd", method=method, rng=rng)
            assert np.isfinite(estimate.value)


@pytest.mark.parametrize("method", DIAGONAL)
def test_diagonals(method, rng):
    A = general(rng, 40, np.complex128)
    products = options(method)
    with pytest.raises(ValueError, match="`A` must be symmetric or Hermitian"):
        rnla.diag(A, assume="hermitian", method=method, rng=rng, **products)
    with pytest.raises(ValueError, match="negative Rayleigh quotient"):
        rnla.diag(A + A.conj().T, assume="psd", method=method, rng=rng, **products)


def test_an_exact_trace_is_not_the_real_part_of_another(rng):
    A = np.array([[0.1 - 0.7j]])
    assert rnla.trace(A, 1).value == A[0, 0]
    for assume in ("hermitian", "psd"):
        with pytest.raises(ValueError, match="`A` must be symmetric or Hermitian"):
            rnla.trace(A, 1, assume=assume)


def test_the_matrix_after_another_one(rng):
    A = general(rng, 60)
    before = rnla.trace(A, 20, rng=rng)
    with pytest.raises(ValueError, match="`A` must be symmetric or Hermitian"):
        rnla.trace(A, 20, previous=before, assume="hermitian", rng=rng)


@pytest.mark.parametrize("method", [*METHODS, *NYSTROM, "na_hutchpp", "auto"])
@pytest.mark.parametrize("spectrum", ["flat", "exp"])
def test_products_need_not_be_accurate_to_rounding(method, spectrum, rng):
    # As those of an iterative solver, stopped at 1e-8.
    A = hermitian(rng, SPECTRA[spectrum](40))
    noise = 1e-8 * general(rng, 40)
    operator = LinearOperator(A.shape, matvec=lambda x: A @ x + noise @ x, dtype=float)
    estimate = rnla.trace(operator, assume="psd", method=method, rng=rng, **options(method))
    assert abs(estimate.value - np.trace(A)) <= 6 * estimate.stderr + 1e-5


@pytest.mark.parametrize("method", [*DIAGONAL, "xnysdiag", "auto"])
@pytest.mark.parametrize("spectrum", ["flat", "exp"])
def test_nor_need_they_for_diagonals(method, spectrum, rng):
    A = hermitian(rng, SPECTRA[spectrum](40))
    noise = 1e-8 * general(rng, 40)
    B = A + 0.5 * (noise + noise.T)
    adjoint = LinearOperator(A.shape, matvec=lambda x: A @ x + noise.T @ x, dtype=float)
    operator = LinearOperator(
        A.shape, matvec=lambda x: A @ x + noise @ x, rmatvec=adjoint.matvec, dtype=float
    )
    estimate = rnla.diag(operator, assume="psd", method=method, rng=rng, **options(method))
    error = abs(estimate.value - np.diagonal(B))
    assert np.mean(error <= estimate.radius() + 1e-12) > 0.8
    assert np.max(error) < 12 * np.max(estimate.stderr) + 1e-6


SOLVERS = [1e-6, 1e-9, 1e-12]


@pytest.mark.parametrize("accuracy", SOLVERS)
@pytest.mark.parametrize("method", ["auto", "xnystrace", "xsymtrace", "na_hutchpp", "xtrace"])
def test_intervals_with_conjugate_gradients_inside(method, accuracy, rng):
    """Their errors are not even linear in the vector; the intervals hold as they do without."""
    n = 200
    L = diags_array([-1.0, 2.05, -1.0], offsets=[-1, 0, 1], shape=(n, n)).tocsr()
    exact = np.trace(np.linalg.inv(L.toarray()))

    def solve(X):
        return np.column_stack([cg(L, x, rtol=accuracy)[0] for x in X.T])

    held = []
    for _ in range(8):
        estimate = rnla.trace(solve, 40, shape=n, assume="psd", method=method, rng=rng)
        low, high = estimate.confidence_interval()
        held.append(low <= exact <= high)
    assert np.mean(held) >= 0.6


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("semidefinite", [True, False])
def test_residuals_of_products_that_are_not_quite_symmetric(dtype, semidefinite, rng):
    """Sample i is that of an approximation without vector i, and of the products as they are."""
    n, s = 24, 6
    A = hermitian(rng, 0.8 ** np.arange(n) + 0.01, dtype) + 1e-6 * general(rng, n, dtype)
    Omega = VectorStream.draw(n, "gaussian", dtype, rng).columns(0, s)
    core = semidefinite_core if semidefinite else symmetric_core
    shift = core(Omega, A @ Omega).shift
    B = A + shift * np.eye(n)
    expected, rows = [], []
    for i in range(s):
        others, w = np.delete(Omega, i, axis=1), Omega[:, i]
        Y = B @ others
        H = others.conj().T @ Y
        N = Y @ np.linalg.inv(0.5 * (H + H.conj().T)) @ Y.conj().T
        expected.append(np.trace(N).real - shift * n + (w.conj() @ (B - N) @ w).real)
        rows.append((np.diagonal(N) - shift + w.conj() * ((B - N) @ w)).real)
    found = nystrom_samples(Omega, A @ Omega, resphere=False, semidefinite=semidefinite)
    assert shift > 0 or not semidefinite
    # The effect of the asymmetry is 1e-6; what is left is its square.
    assert np.max(abs(found.samples - expected)) < 1e-9
    if semidefinite:
        mean, _ = xnysdiag_average(Omega, A @ Omega)
        assert np.max(abs(mean - np.mean(rows, axis=0))) < 1e-9


@pytest.mark.parametrize("method", ["xdiag", "udiagpp"])
def test_an_adjoint_that_is_none(method, rng):
    A = general(rng, 40)
    with pytest.raises(ValueError, match="is not the adjoint of `A`"):
        rnla.diag(lambda X: A @ X, 20, shape=40, adjoint=lambda X: A @ X, method=method, rng=rng)


def test_row_norms_with_an_adjoint_that_is_none(rng):
    A = general(rng, 40)
    with pytest.raises(ValueError, match="is not the adjoint of `A`"):
        rnla.row_norms(lambda X: A @ X, 20, shape=40, adjoint=lambda X: A @ X, rng=rng)


@pytest.mark.parametrize("assume", ["hermitian", "psd"])
def test_what_rounding_leaves_of_a_residual_is_no_violation(assume, rng):
    """What the sketch leaves is some roundoffs of A, and then so is its asymmetry."""
    A = hermitian(rng, SPECTRA["exp"](400))
    for sketch_size in (60, 70, 80):
        method = HutchPP(sketch_size=sketch_size)
        estimate = rnla.trace(A, 190, assume=assume, method=method, rng=rng)
        assert estimate.value == pytest.approx(np.trace(A), rel=1e-9)
