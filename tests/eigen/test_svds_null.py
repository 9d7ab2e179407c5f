"""Left null vectors, which no product with a right one gives, and what is said where they fail."""

import numpy as np
import pytest
import scipy.sparse
from controls import svds as controls
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator
from svds_cases import assert_triplets, planted

from rnla import Status
from rnla.eigen import _svds_smallest, _svds_solve, svds
from rnla.eigen._svds_check import check_request
from rnla.eigen._svds_choose import Sizes
from rnla.eigen._svds_operator import AdjointView
from rnla.eigen._svds_solve import _iterated, _Problem, singular_triplets

DTYPES = [np.float32, np.float64, np.complex64, np.complex128]
# Roundoffs that the residual of left vectors may have: 4e-12. The certificate of right vectors
# alone, 100 roundoffs, is the larger one in single precision, and moves to either side.
LEFT, SINGLE = 2e4, 200


def incidence(edges, vertices, rng, *, components=1, dtype=float):
    """Rows e_i - e_j of a graph whose parts are rings with chords: one null vector for each."""
    size = vertices // components
    part = np.arange(edges) % components
    turn = np.arange(edges) // components
    tail = np.where(turn < size, turn, rng.integers(0, size, edges))
    head = np.where(turn < size, turn + 1, tail + rng.integers(1, size, edges)) % size
    rows, ones = np.arange(edges), np.ones(edges)
    columns = np.r_[part * size + tail, part * size + head]
    B = scipy.sparse.csr_array(
        (np.r_[ones, -ones], (np.r_[rows, rows], columns)), shape=(edges, size * components)
    )
    if np.dtype(dtype).kind == "c":
        B = B @ scipy.sparse.diags_array(np.exp(1j * rng.standard_normal(B.shape[1])))
    return scipy.sparse.csr_array(B.astype(dtype))


def law(A, found, dtype=np.float64):
    """Both residuals in the roundoffs of a precision."""
    single = np.dtype(dtype).char in "fF"
    limits = {"units": SINGLE, "left": SINGLE} if single else {"left": LEFT}
    assert_triplets(A, found, which="SM", **limits)


def forced(A, k, method, rng):
    """Return the result of a method whatever the shape."""
    wide = A.shape[0] < A.shape[1]
    request = check_request(A, k, None, 0, "SM", None, None, True, "auto", rng, None)
    problem = _Problem(request.A, wide, AdjointView(request.A) if wide else request.A, 1.0)
    return _iterated(request, problem, method, Sizes(2, 50, min(4 * min(A.shape), max(A.shape))))


def triplets(result):
    order = np.argsort(result.values, kind="stable")
    return (
        result.left_vectors[:, order],
        result.values[order],
        result.vectors[:, order].conj().T,
    )


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(("components", "k"), [(1, 1), (1, 3), (4, 3), (4, 4), (4, 7), (20, 3)])
def test_incidence_matrices(components, k, wide, rng):
    A = incidence(1000, 100, rng, components=components)
    A = A.T.tocsr() if wide else A
    found = svds(A, k, which="SM", rng=rng)
    law(A.toarray(), found)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", ["sketched", "factored"])
def test_incidence_matrices_in_every_precision(method, dtype, wide, rng):
    A = incidence(600, 90, rng, components=3, dtype=dtype)
    A = A.conj().T.tocsr() if wide else A
    found = forced(A, 5, method, rng)
    assert found.success
    assert found.verified
    law(A.toarray(), triplets(found), dtype)


@pytest.mark.parametrize("method", ["sketched", "factored"])
@pytest.mark.parametrize("components", [1, 5])
def test_laplacians_above_each_other(components, method, rng):
    B = incidence(400, 80, rng, components=components)
    L = (B.T @ B).tocsr()
    A = scipy.sparse.vstack([L, 2 * L, -L], format="csr")
    found = forced(A, 3, method, rng)
    assert found.success
    law(A.toarray(), triplets(found))


def test_the_square_laplacian_of_a_long_path(rng):
    # Singular values from 6e-9 of the norm on, below the root of the shift of the factor.
    n = 20_000
    D = scipy.sparse.diags_array([-1.0, 1.0], offsets=[0, 1], shape=(n - 1, n), format="csr")
    L = (D.T @ D).tocsr()
    U, sigma, VH = svds(L, 2, which="SM", rng=rng)
    np.testing.assert_allclose(sigma, [0, 4 * np.sin(np.pi / (2 * n)) ** 2], rtol=1e-4, atol=1e-13)
    for R in (L @ VH.T - U * sigma, L.T @ U - VH.T * sigma):
        assert np.linalg.norm(R, axis=0).max() <= 1e-11


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("form", ["dense", "sparse", "operator"])
def test_equal_columns(form, wide, dtype, rng):
    # Differences of equal columns: the product with a null vector is exactly zero, or rounding.
    A = rng.standard_normal((600, 120)).astype(dtype)
    A[:, :3] = A[:, 3:6]
    if form == "sparse":
        A *= rng.random(A.shape) < 0.1
        A[:, :3] = A[:, 3:6]
    A = A.conj().T.copy() if wide else A
    B = scipy.sparse.csr_array(A) if form == "sparse" else A
    if form == "operator":
        H = A.conj().T.copy()
        B = LinearOperator(A.shape, A.dot, H.dot, matmat=A.dot, rmatmat=H.dot, dtype=dtype)
    found = forced(B, 4, "sketched", rng)
    assert found.success
    law(A, triplets(found), dtype)


@pytest.mark.parametrize("deficiency", [1, 4, 12])
@pytest.mark.parametrize("method", ["sketched", "factored"])
def test_sparse_products_of_low_rank(method, deficiency, rng):
    n = 90
    A = scipy.sparse.random_array((700, n - deficiency), density=0.1, rng=rng)
    A = (A @ scipy.sparse.random_array((n - deficiency, n), density=0.3, rng=rng)).tocsr()
    found = forced(A, 4, method, rng)
    assert found.success
    law(A.toarray(), triplets(found))


@pytest.mark.parametrize("deficiency", [1, 5])
def test_a_wide_spectrum_above_null_vectors(deficiency, rng):
    sigma = np.r_[np.logspace(0, -8, 80 - deficiency), np.zeros(deficiency)]
    A = planted(900, 80, sigma, rng=rng)
    found = svds(A, 5, which="SM", solver="sketched", rng=rng)
    law(A, found)


# -- controls ----------------------------------------------------------------------------------


def test_the_law_rejects_left_vectors_by_division(rng):
    A = incidence(1000, 100, rng).toarray()
    with pytest.raises(AssertionError, match=r"A\^H u - sigma v is"):
        assert_triplets(A, controls.left_by_division(A, 1), which="SM", left=LEFT)


def rounding(A, H, U, sigma, V, tolerance, rng):
    """What was returned for null vectors: unit columns in the range of A."""
    W = np.linalg.qr(A.product(rng.standard_normal(V.shape).astype(A.dtype)))[0]
    return W, np.linalg.norm(A.adjoint(W) - V * sigma, axis=0)


def test_wrong_left_vectors_are_no_success(monkeypatch, rng):
    monkeypatch.setattr(_svds_smallest, "refined_left", rounding)
    A = incidence(1000, 100, rng)
    found = forced(A, 2, "sketched", rng)
    assert found.status is Status.STAGNATED
    assert not found.success
    assert not found.verified
    # Without left vectors there is nothing to be wrong.
    np.testing.assert_allclose(
        svds(A, 2, which="SM", return_singular_vectors="vh", rng=rng)[1],
        np.linalg.svd(A.toarray(), compute_uv=False)[:-3:-1],
        atol=1e-13,
    )


def test_lapack_mends_wrong_left_vectors_or_there_is_an_error(monkeypatch, rng):
    monkeypatch.setattr(_svds_smallest, "refined_left", rounding)
    A = incidence(1000, 100, rng)
    request = check_request(A, 2, None, 0, "SM", None, None, True, "auto", rng, None)
    found = singular_triplets(request)
    assert found.status is Status.FELL_BACK
    assert_triplets(A.toarray(), triplets(found), which="SM")
    monkeypatch.setattr(_svds_solve, "can_copy", lambda A, core: False)
    with pytest.raises(ArpackNoConvergence, match="stopped falling above the tolerance"):
        svds(A, 2, which="SM", rng=rng)
