"""The smallest triplets: from a sketch of a tall matrix, from a sparse factor, from LAPACK."""

import numpy as np
import pytest
import scipy.sparse
from controls import svds as controls
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from svds_cases import assert_triplets, planted

from rnla.eigen import svds
from rnla.eigen._svds_check import check_request
from rnla.eigen._svds_choose import Sizes
from rnla.eigen._svds_exact import exact_factor
from rnla.eigen._svds_operator import AdjointView
from rnla.eigen._svds_precondition import sketched_factor
from rnla.eigen._svds_solve import _iterated, _Problem, singular_triplets
from rnla.linalg.block import as_block_operator

EPS = np.finfo(float).eps
# Roundoffs that the residual of left vectors may have: 4e-12.
LEFT = 2e4


def result(A, k, *, solver="sketched", options=None, rng=0, which="SM", tol=0):
    """Return the result behind the tuple."""
    return singular_triplets(
        check_request(A, k, None, tol, which, None, None, True, solver, rng, options)
    )


def by_sketch(A, k, rows, exact, *, rng=0):
    """Return the same with a sketch of so many rows, whose factor is made exact or not."""
    request = check_request(A, k, None, 0, "SM", None, None, True, "sketched", rng, None)
    problem = _Problem(request.A, False, request.A, 1.0)
    return _iterated(request, problem, "sketched", Sizes(2, 50, rows, exact))


def spectrum(condition, n=100):
    return np.logspace(0, -np.log10(condition), n)


@pytest.mark.parametrize("condition", [1.0, 1e2, 1e4, 1e6, 1e9, 1e12])
@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("exact_first", [True, False])
def test_sketched_smallest_triplets_in_thirty_passes(exact_first, k, condition, rng):
    A = planted(3000, 100, spectrum(condition), rng=rng)
    found = by_sketch(A, k, 1200, exact_first, rng=rng)
    assert found.method == "sketched"
    assert found.success
    # One pass is a product with A and one with its adjoint; the sketch is half a pass.
    assert found.n_passes / 2 <= (10 if exact_first else 30)
    # Vectors of both sides, as far as double precision goes.
    assert found.residual_norms.max() <= 4e-12
    exact = np.linalg.svd(A, compute_uv=False)[::-1][:k]
    assert (np.abs(found.values - exact) <= 1e-10 * exact + 30 * EPS).all()


@pytest.mark.parametrize("n", [3, 4, 5, 7])
@pytest.mark.parametrize("form", [np.asarray, aslinearoperator])
def test_sketches_of_few_rows(form, n, rng):
    # Fewer than a column of a sparse sign matrix has entries.
    for shape in ((2 * n, n), (n, 2 * n + 1)):
        A = planted(*shape, np.linspace(1, 2, n), rng=rng)
        assert_triplets(A, svds(form(A), 1, which="SM", solver="sketched", rng=rng), which="SM")


@pytest.mark.parametrize("form", ["array", "complex", "wide", "sparse", "operator"])
@pytest.mark.parametrize("condition", [1e2, 1e12])
def test_an_exact_factor_takes_ten_passes_in_every_form(condition, form, rng):
    dtype = complex if form == "complex" else float
    A = planted(3000, 100, np.linspace(1 / condition, 1, 100), rng=rng, dtype=dtype)
    # A row that the sketch must not miss.
    A[0] = 0
    A[0, 0] = 3
    exact = np.linalg.svd(A, compute_uv=False)[:-6:-1]
    forms = {
        "wide": lambda: A.T.copy(),
        "sparse": lambda: scipy.sparse.csr_array(A),
        "operator": lambda: LinearOperator(
            A.shape,
            matvec=lambda x: A @ x,
            rmatvec=lambda x: A.T @ x,
            matmat=lambda X: A @ X,
            rmatmat=lambda X: A.T @ X,
            dtype=float,
        ),
    }
    found = result(forms.get(form, lambda: A)(), 5, rng=rng)
    assert found.success
    # Without entries the sketch and the factor take a few blocks more.
    assert found.n_passes / 2 <= (12 if form == "operator" else 10)
    assert found.residual_norms.max() <= 4e-12
    assert (np.abs(found.values - exact) <= 1e-10 * exact + 30 * EPS).all()


def test_an_exact_factor_is_one_of_the_matrix(rng):
    A = planted(2500, 60, spectrum(1e12, 60), rng=rng)
    block = as_block_operator(A, "A")
    H = sketched_factor(block, A, 240, rng)
    for explicit in (A, None):
        R = exact_factor(block, explicit, H).factor()
        _, sigma, VH = np.linalg.svd(R)
        # Each value to roundoff of the norm, and A R^-1 orthonormal where A is not rounding.
        exact = np.linalg.svd(A, compute_uv=False)
        assert np.abs(sigma - exact).max() <= 30 * EPS
        Q = A @ (VH[:40].T / sigma[:40])
        assert np.abs(Q.T @ Q - np.eye(40)).max() <= 1e-7


@pytest.mark.parametrize("condition", [1.0, 1e2, 1e6, 1e12])
def test_a_small_sketch_and_loose_vectors(condition, rng):
    # Values are right to the square of the error of the vectors.
    A = planted(3000, 100, spectrum(condition), rng=rng)
    found = result(A, 5, rng=rng, tol=1e-4, options={"sketch_size": 400})
    assert found.success
    assert found.n_passes / 2 <= 30
    exact = np.linalg.svd(A, compute_uv=False)[:-6:-1]
    assert (np.abs(found.values - exact) <= 1e-10 * exact + 30 * EPS).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("shape", [(1200, 80), (80, 1200)])
def test_every_precision(shape, dtype, rng):
    A = planted(*shape, np.linspace(0.1, 1, 80), rng=rng, dtype=dtype)
    assert_triplets(A, svds(A, 3, which="SM", solver="sketched", rng=rng), which="SM", left=LEFT)


@pytest.mark.parametrize("form", [scipy.sparse.csr_array, scipy.sparse.csc_array])
def test_sparse_and_tall(form, rng):
    A = scipy.sparse.random_array((4000, 100), density=0.05, rng=rng)
    found = svds(form(A), 4, which="SM", rng=rng)
    assert_triplets(A.toarray(), found, which="SM", left=LEFT)
    assert_triplets(A.toarray().T, svds(form(A).T, 4, which="SM", rng=rng), which="SM", left=LEFT)


@pytest.mark.parametrize("deficiency", [1, 3, 7])
def test_null_vectors_of_a_tall_matrix(deficiency, rng):
    A = planted(2000, 80, np.linspace(1, 2, 80 - deficiency), rng=rng)
    triplets = svds(A, 3, which="SM", solver="sketched", rng=rng)
    # What the solver promises: residuals of 100 eps ||A||, and ||A|| is 2.
    assert (triplets[1][: min(deficiency, 3)] <= 200 * EPS).all()
    assert_triplets(A, triplets, which="SM", left=LEFT)


def test_zero_and_equal_singular_values(rng):
    zero = np.zeros((900, 80))
    assert_triplets(zero, svds(zero, 4, which="SM", solver="sketched", rng=rng), which="SM")
    equal = planted(900, 80, np.ones(80), rng=rng)
    assert_triplets(equal, svds(equal, 4, which="SM", solver="sketched", rng=rng), which="SM")


def test_a_gap_beyond_more_copies_than_are_wanted(rng):
    A = planted(2000, 100, np.r_[np.linspace(1, 2, 90), np.full(10, 1e-3)], rng=rng)
    found = svds(A, 4, which="SM", solver="sketched", rng=rng)
    assert_triplets(A, found, which="SM", left=LEFT)


def difference(n):
    """The (n, n + 1) matrix of differences and its smallest singular values."""
    D = scipy.sparse.diags_array([-1.0, 1.0], offsets=[0, 1], shape=(n, n + 1), format="csr")
    return D, 2 * np.sin(np.pi * np.arange(1, n + 1) / (2 * (n + 1)))


def test_a_large_sparse_matrix_by_a_sparse_factor(rng):
    D, exact = difference(20_000)
    found = result(D, 4, solver="auto", rng=rng)
    assert found.method == "factored"
    assert found.success
    np.testing.assert_allclose(found.values, exact[:4], atol=30 * EPS)
    assert found.residual_norms.max() <= 1e-9


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128])
@pytest.mark.parametrize("wide", [False, True])
def test_a_sparse_factor_in_every_precision(wide, dtype, rng):
    D, exact = difference(300)
    phase = np.exp(1j * np.arange(301)) if np.dtype(dtype).kind == "c" else np.ones(301)
    A = (D @ scipy.sparse.diags_array(phase)).astype(dtype)
    A = A if wide else A.conj().T.tocsr()
    request = check_request(A, 3, None, 0, "SM", None, None, True, "auto", rng, None)
    problem = _Problem(request.A, wide, AdjointView(request.A) if wide else request.A, 1.0)
    found = _iterated(request, problem, "factored", Sizes(2, 50, 0))
    eps = np.finfo(dtype).eps
    assert found.success
    np.testing.assert_allclose(found.values, exact[:3], atol=100 * eps)
    assert found.residual_norms.max() <= max(1000 * eps, 1e-11)


def test_a_square_sparse_matrix_with_a_null_vector(rng):
    D, exact = difference(9_999)
    square = scipy.sparse.vstack([D, D[-1:]], format="csr")
    sigma = svds(square, 3, which="SM", return_singular_vectors=False, rng=rng)
    assert abs(sigma[0]) <= 30 * EPS
    np.testing.assert_allclose(sigma[1:], exact[:2], rtol=1e-3)


def test_a_large_operator_without_entries(rng):
    # Too large to be multiplied by the identity, and not tall: Krylov from the lower end.
    values = np.r_[0.01, 0.02, 0.03, np.linspace(0.5, 1, 4997)]
    A = LinearOperator(
        (5000, 5000),
        matvec=lambda x: values * np.ravel(x),
        rmatvec=lambda x: values * np.ravel(x),
        dtype=float,
    )
    found = result(A, 3, solver="auto", rng=rng)
    assert found.method == "krylov"
    np.testing.assert_allclose(found.values, values[:3], atol=30 * EPS)


def test_the_law_rejects_a_sketch_that_is_not_corrected(rng):
    A = planted(3000, 100, spectrum(1e4), rng=rng)
    with pytest.raises(AssertionError, match="singular values are off"):
        assert_triplets(A, controls.sketch_alone(A, 4), which="SM", units=1e9)


def test_the_law_rejects_the_gram_matrix(rng):
    A = planted(3000, 100, spectrum(1e9), rng=rng)
    U, sigma, _ = np.linalg.svd(A, full_matrices=False)
    squares, V = np.linalg.eigh(A.T @ A)
    wrong = U[:, :-4:-1], np.sqrt(np.maximum(squares[:3], 0)), V[:, :3].T
    with pytest.raises(AssertionError, match="singular values are off"):
        assert_triplets(A, wrong, which="SM", units=1000)
    assert sigma[-1] > 1000 * EPS
