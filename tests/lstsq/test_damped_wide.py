"""Ridge regression with more columns than rows: nothing with n columns is made dense."""

import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import EPS, gaussian
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla import lstsq_refine
from rnla.linalg.normal import OperatorNormal, SparseNormal
from rnla.lstsq import LAPACK, SPIR, backward_error, choose_method, ridge_path

M, N = 15, 200
FORMS = [np.ascontiguousarray, np.asfortranarray, scipy.sparse.csr_array, aslinearoperator]
SKETCHED = SPIR(sketch_size=4 * M)

forms = pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
methods = pytest.mark.parametrize("method", [SKETCHED, LAPACK()], ids=lambda m: m.name)


def stacked(A, b, damp):
    n = A.shape[1]
    return np.vstack([A, damp * np.eye(n)]), np.concatenate([b, np.zeros((n, *b.shape[1:]))])


@methods
@forms
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("damp", [1e-3, 1.0, 1e3])
def test_the_solution_is_that_of_the_stacked_problem(damp, dtype, form, method, rng):
    A, b = gaussian(M, N, rng, dtype), gaussian(M, 1, rng, dtype)[:, 0]
    result = lstsq_refine(form(A), b, damp=damp, method=method, rng=0)
    dense, rhs = stacked(A, b, damp)
    expected = np.linalg.lstsq(dense, rhs)[0]
    assert result.success
    assert result.method == method.name
    np.testing.assert_allclose(result.x, expected, atol=1e-12 * np.linalg.norm(expected))
    residual = np.linalg.norm(rhs - dense @ result.x)
    assert result.residual_norm == pytest.approx(residual, rel=1e-12)
    assert backward_error(dense, rhs, result.x, exact=False) <= 10 * EPS


@methods
@pytest.mark.parametrize("condition", [1e4, 1e12])
@pytest.mark.parametrize("damp", [1e-9, 1e-5, 1e-1])
def test_ill_conditioned_rows(damp, condition, method, rng):
    U, V = np.linalg.qr(gaussian(M, M, rng))[0], np.linalg.qr(gaussian(N, M, rng))[0]
    s = np.geomspace(1, 1 / condition, M)
    A, b = (U * s) @ V.T, U @ rng.standard_normal(M)
    result = lstsq_refine(A, b, damp=damp, method=method, rng=0)
    assert result.success
    # In the basis of the singular vectors the solution is a formula.
    expected = V @ (s / (s**2 + damp**2) * (U.T @ b))
    reach = np.hypot(1, damp) / np.hypot(s[-1], damp)
    error = np.linalg.norm(result.x - expected) / np.linalg.norm(expected)
    assert error <= 100 * EPS * reach


@methods
def test_columns_weights_and_reuse(method, rng):
    A, B, w = gaussian(M, N, rng), gaussian(M, 3, rng), rng.random(M)
    B[:, 1] = 0
    root = np.sqrt(w)[:, None]
    expected = np.linalg.lstsq(*stacked(root * A, root * B, 0.3))[0]
    seen = []
    result = lstsq_refine(
        A, B, damp=0.3, weights=w, method=method, rng=0, callback=lambda s: seen.append(s.x)
    )
    np.testing.assert_allclose(result.x, expected, atol=1e-13)
    assert all(x.shape == (N, 3) for x in seen)
    P = result.preconditioner
    assert P.shape == (M, M)
    again = lstsq_refine(A, B, damp=0.3, weights=w, preconditioner=P)
    assert again.method == "spir"
    np.testing.assert_allclose(again.x, expected, atol=1e-13)
    with pytest.raises(ValueError, match="does not belong"):
        lstsq_refine(A, B, damp=300.0, weights=w, preconditioner=P)
    with pytest.raises(ValueError, match="method='spir'"):
        lstsq_refine(A, B, damp=0.3, weights=w, preconditioner=P, method="sirr")


@pytest.mark.parametrize("exponent", [-660, 660])
def test_extreme_sizes(exponent, rng):
    A, b = gaussian(M, N, rng), gaussian(M, 1, rng)[:, 0]
    expected = lstsq_refine(A, b, damp=1.0, method="lapack").x
    for method in (SKETCHED, "lapack"):
        scaled = np.ldexp(A, exponent), b, float(np.ldexp(1.0, exponent))
        result = lstsq_refine(scaled[0], b, damp=scaled[2], method=method, rng=0)
        assert result.success
        np.testing.assert_allclose(np.ldexp(result.x, exponent), expected, atol=1e-13)


@pytest.mark.parametrize("form", [scipy.sparse.csr_array, aslinearoperator])
def test_nothing_of_n_columns_becomes_dense(form, monkeypatch, rng):
    A = scipy.sparse.random_array((40, 30_000), density=0.01, rng=rng, format="csr")
    for kind in (SparseNormal, OperatorNormal):
        monkeypatch.setattr(kind, "todense", lambda self: pytest.fail("made dense"))
    b = rng.standard_normal(40)
    for columns in (400, 3000, 30_000):
        assert isinstance(choose_method(form(A[:, :columns]), damp=0.1).method, SPIR)
    result = lstsq_refine(form(A), b, damp=0.1, rng=0)
    gram = (A @ A.T).toarray() + 0.01 * np.eye(40)
    np.testing.assert_allclose(result.x, A.T @ np.linalg.solve(gram, b), atol=1e-11)


def test_products_are_counted(rng):
    A, columns = gaussian(M, N, rng), []

    def counted(product):
        def apply(X):
            columns.append(1 if X.ndim == 1 else X.shape[1])
            return product(X)

        return apply

    forward, adjoint = counted(lambda x: A @ x), counted(lambda y: A.T @ y)
    operator = LinearOperator(
        A.shape, matvec=forward, rmatvec=adjoint, matmat=forward, rmatmat=adjoint, dtype=float
    )
    result = lstsq_refine(operator, np.ones(M), damp=0.1, method=SKETCHED, rng=0)
    assert result.n_matvec == sum(columns)


def test_paths_of_wide_matrices(rng):
    A, b = gaussian(M, N, rng), gaussian(M, 1, rng)[:, 0]
    path = ridge_path(scipy.sparse.csr_array(A), b, [0.0, 0.1, 10.0], rng=0)
    assert path.success
    for damp, x in zip(path.damps, path.x, strict=True):
        expected = np.linalg.lstsq(*stacked(A, b, damp))[0]
        np.testing.assert_allclose(x, expected, atol=1e-13)


def test_single_precision(rng):
    A, b = gaussian(M, N, rng, np.float32), gaussian(M, 1, rng, np.float32)[:, 0]
    result = lstsq_refine(A, b, damp=0.5, method=SKETCHED, rng=0)
    assert result.success
    assert EPS * 1e6 < result.backward_error < np.finfo(np.float32).eps
