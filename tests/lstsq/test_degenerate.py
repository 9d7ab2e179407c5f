"""Zero columns, no rows, more columns than rows, deficient rank: defined behaviour."""

import lstsq_cases as cases
import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import EPS, gaussian, scaled_columns, twice, zero_columns
from scipy.sparse.linalg import aslinearoperator

from rnla import Status, lstsq_refine
from rnla.lstsq import backward_error
from rnla.testing import hilbert, lstsq_problem

METHODS = ["auto", "spir", "lapack"]
EVERY = [*METHODS, "gram"]
FORMS = [np.asarray, np.asfortranarray, scipy.sparse.csr_array, aslinearoperator]
CUT = 30 * EPS


def forms(function):
    return pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)(function)


@forms
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_minimum_norm_when_rank_is_deficient(dtype, method, form, rng):
    A = gaussian(600, 8, rng, dtype) @ gaussian(8, 20, rng, dtype)
    b = gaussian(600, 1, rng, dtype)[:, 0]
    result = lstsq_refine(form(A), b, method=method, rng=0)
    expected, _, rank, _ = np.linalg.lstsq(A, b, rcond=CUT)
    assert result.rank == rank == 8
    assert result.success
    np.testing.assert_allclose(result.x, expected, atol=1e-12)
    assert backward_error(A, b, result.x) <= 10 * EPS


@forms
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("matrix", [twice, zero_columns])
def test_minimum_norm_of_repeated_and_zero_columns(matrix, method, form, rng):
    A, b = matrix(rng), rng.standard_normal(cases.ROWS)
    result = lstsq_refine(form(A), b, method=method, rng=0)
    expected, _, rank, _ = np.linalg.lstsq(A, b, rcond=CUT)
    assert result.rank == rank
    np.testing.assert_allclose(result.x, expected, atol=1e-12)
    assert np.isfinite(result.residual_norm)


@pytest.mark.parametrize("method", METHODS)
def test_zero_columns_get_exact_zeros(method, rng):
    A, b = zero_columns(rng), rng.standard_normal(cases.ROWS)
    assert (lstsq_refine(A, b, method=method, rng=0).x[~A.any(axis=0)] == 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_column_repeated_at_other_scales_has_minimum_norm(method, rng):
    # Scaling columns must not change which solution is the smallest.
    a = rng.standard_normal((500, 1))
    A = np.hstack([a, 100 * a, rng.standard_normal((500, 3)), 1e-3 * a])
    b = rng.standard_normal(500)
    result = lstsq_refine(A, b, method=method, rng=0)
    assert result.rank == 4
    np.testing.assert_allclose(result.x, np.linalg.lstsq(A, b, rcond=CUT)[0], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rank", [1, 2, 19, 20])
def test_every_rank_is_found(rank, method, rng):
    U = np.linalg.qr(rng.standard_normal((500, rank)))[0]
    V = np.linalg.qr(rng.standard_normal((20, rank)))[0]
    A = U @ V.T
    b = rng.standard_normal(500)
    result = lstsq_refine(A, b, method=method, rng=0)
    assert result.rank == rank
    np.testing.assert_allclose(result.x, V @ (U.T @ b), atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_rcond_decides_the_rank(method, rng):
    A, b, _ = lstsq_problem(500, 11, condition=1e10, residual=1e-3, rng=rng)
    # Singular values 1, 1e-1, ..., 1e-10; scaling columns shifts the cut by a small factor.
    assert lstsq_refine(A, b, method=method, rng=0).rank == 11
    ranks = [
        lstsq_refine(A, b, method=method, rng=0, rcond=rcond, rtol=0.1).rank
        for rcond in (1e-12, 10**-7.5, 10**-3.5, 0.5)
    ]
    assert ranks[0] == 11
    assert 7 <= ranks[1] <= 9
    assert 3 <= ranks[2] <= 5
    assert 1 <= ranks[3] <= 2


@pytest.mark.parametrize("method", METHODS)
def test_truncated_solutions_do_not_warn(method, rng):
    # Deficient on purpose: there is nothing better, hence nothing to warn of.
    A = hilbert(600, 25)
    b = rng.standard_normal(600)
    result = lstsq_refine(A, b, method=method, rng=0)
    assert 14 <= result.rank <= 18
    assert result.success


@pytest.mark.parametrize("method", METHODS)
def test_badly_scaled_columns_are_all_fitted(method, rng):
    # The backward error relative to ||A||_F sees the largest columns only.
    A = scaled_columns(rng)
    b = A @ rng.standard_normal(cases.COLUMNS) + np.linalg.norm(A) * rng.standard_normal(len(A))
    result = lstsq_refine(A, b, method=method, rng=0)
    scale = np.linalg.norm(A, axis=0)
    expected, squares, *_ = np.linalg.lstsq(A / scale, b)
    assert result.rank == cases.COLUMNS
    assert result.residual_norm <= np.sqrt(squares[0]) * (1 + 1e-8)
    np.testing.assert_allclose(result.x * scale, expected, rtol=1e-6)


@pytest.mark.parametrize("method", EVERY)
def test_scaling_columns_by_powers_of_two_changes_nothing(method, rng):
    A, b, _ = lstsq_problem(500, 12, condition=1e2, residual=0.1, rng=rng)
    scale = 2.0 ** rng.permutation(np.arange(-24, 24, 4))
    plain = lstsq_refine(A, b, method=method, rng=0).x
    scaled = lstsq_refine(A * scale, b, method=method, rng=0).x * scale
    np.testing.assert_allclose(scaled, plain, atol=1e-12)


@forms
@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("k", [None, 1, 3])
def test_zero_right_hand_side(k, method, form, rng):
    A = rng.standard_normal((300, 6))
    b = np.zeros(300) if k is None else np.zeros((300, k))
    result = lstsq_refine(form(A), b, method=method, rng=0)
    np.testing.assert_array_equal(result.x, np.zeros((6,) if k is None else (6, k)))
    assert result.success
    assert result.backward_error == 0
    assert np.all(result.residual_norm == 0)


@forms
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(300, 6), (6, 6), (4, 9), (1, 1)])
def test_zero_matrix(shape, method, form, rng):
    b = rng.standard_normal(shape[0])
    result = lstsq_refine(form(np.zeros(shape)), b, method=method, rng=0)
    np.testing.assert_array_equal(result.x, np.zeros(shape[1]))
    assert result.rank == 0
    assert result.success
    assert result.backward_error == 0
    assert result.residual_norm == pytest.approx(np.linalg.norm(b))
    if result.preconditioner is not None:
        # For m < n it belongs to A^H.
        assert result.preconditioner.shape == (min(shape), 0)


@pytest.mark.parametrize("method", METHODS)
def test_zero_matrix_and_zero_right_hand_side(method):
    result = lstsq_refine(np.zeros((50, 3)), np.zeros(50), method=method, rng=0)
    np.testing.assert_array_equal(result.x, np.zeros(3))
    assert result.success


@forms
@pytest.mark.parametrize("method", METHODS)
def test_right_hand_side_orthogonal_to_the_range(method, form, rng):
    A, b, _ = lstsq_problem(400, 7, condition=1e3, residual=1, rng=rng)
    b = b - A @ np.linalg.lstsq(A, b)[0]
    result = lstsq_refine(form(A), b, method=method, rng=0)
    assert result.success
    assert np.linalg.norm(result.x) <= 1e-9
    assert result.residual_norm == pytest.approx(1, rel=1e-9)


@forms
@pytest.mark.parametrize("method", ["auto", "lapack"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("k", [None, 3])
def test_wide_matrices_have_minimum_norm(k, dtype, method, form, rng):
    A = gaussian(9, 30, rng, dtype)
    b = gaussian(9, k or 1, rng, dtype)
    b = b[:, 0] if k is None else b
    result = lstsq_refine(form(A), b, method=method)
    expected = np.linalg.lstsq(A, b)[0]
    assert result.x.dtype == dtype
    assert result.rank == 9
    assert result.success
    np.testing.assert_allclose(result.x, expected, atol=50 * np.finfo(dtype).eps)


@pytest.mark.parametrize("method", METHODS)
def test_wide_and_deficient(method, rng):
    A = rng.standard_normal((9, 4)) @ rng.standard_normal((4, 30))
    consistent, b = A @ rng.standard_normal(30), rng.standard_normal(9)
    for rhs in (consistent, b):
        result = lstsq_refine(A, rhs, method=method)
        np.testing.assert_allclose(result.x, np.linalg.lstsq(A, rhs, rcond=CUT)[0], atol=1e-12)
        assert result.rank == 4
        assert result.success


def test_wide_matrices_are_refused_by_tall_methods():
    A = np.ones((3, 5))
    with pytest.raises(ValueError, match=r"method='sirr' needs m >= n.*'spir'"):
        lstsq_refine(A, np.ones(3), method="sirr")
    with pytest.raises(ValueError, match=r"method='gram'.*use method='(lapack|spir)'"):
        lstsq_refine(A, np.ones(3), method="gram")


@forms
@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("n", [1, 2, 7])
def test_square(n, method, form, rng):
    A = rng.standard_normal((n, n)) + 3 * n * np.eye(n)
    x = rng.standard_normal(n)
    result = lstsq_refine(form(A), A @ x, method=method, rng=0)
    np.testing.assert_allclose(result.x, x, atol=1e-12)
    assert result.success


@forms
@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("m", [1, 2, 50, 5000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_one_column(dtype, m, method, form, rng):
    a, b = gaussian(m, 1, rng, dtype), gaussian(m, 1, rng, dtype)[:, 0]
    result = lstsq_refine(form(a), b, method=method, rng=0)
    expected = np.vdot(a[:, 0], b) / np.vdot(a, a)
    scale = np.linalg.norm(b) / np.linalg.norm(a)
    np.testing.assert_allclose(result.x, [expected], atol=10 * np.finfo(dtype).eps * scale)
    assert result.rank == 1
    assert result.condition == pytest.approx(1)


@forms
@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (7, 0)])
@pytest.mark.parametrize("k", [None, 0, 2])
def test_empty(k, shape, method, form):
    if form is scipy.sparse.csr_array and scipy.sparse.csr_array(np.zeros(shape)).shape != shape:
        pytest.skip("scipy cannot hold this shape")
    m, n = shape
    b = np.ones(m) if k is None else np.ones((m, k))
    result = lstsq_refine(form(np.zeros(shape)), b, method=method)
    assert result.x.shape == ((n,) if k is None else (n, k))
    assert not result.x.any()
    assert result.success
    assert result.rank == 0
    np.testing.assert_allclose(result.residual_norm, np.linalg.norm(b, axis=0))


@forms
@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_no_right_hand_sides(dtype, method, form, rng):
    result = lstsq_refine(form(gaussian(40, 3, rng, dtype)), np.ones((40, 0), dtype), method=method)
    assert result.x.shape == (3, 0)
    assert result.x.dtype == dtype
    assert result.residual_norm.shape == (0,)
    assert result.status is Status.CONVERGED


def test_empty_problems_still_check_their_arguments():
    for bad in ({"method": "qr"}, {"rtol": -1}, {"sketch": "none"}, {"maxiter": -1}):
        with pytest.raises(ValueError, match=f"`{next(iter(bad))}`"):
            lstsq_refine(np.zeros((7, 0)), np.ones(7), **bad)
    with pytest.raises(ValueError, match="`b`"):
        lstsq_refine(np.zeros((7, 0)), np.full(7, np.nan))


@forms
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("extra", [0, 1, 2, 5])
def test_barely_tall(extra, method, form, rng):
    A = rng.standard_normal((20 + extra, 20))
    b = rng.standard_normal(20 + extra)
    result = lstsq_refine(form(A), b, method=method, rng=0)
    assert result.success
    assert backward_error(A, b, result.x) <= 10 * EPS


@pytest.mark.parametrize("method", EVERY)
def test_a_sparse_matrix_without_entries_in_some_rows_and_columns(method, rng):
    A = scipy.sparse.random_array((3000, 30), density=0.001, rng=rng, format="csr")
    b = rng.standard_normal(3000)
    dense = A.toarray()
    deficient = np.linalg.matrix_rank(dense) < 30
    if method == "gram" and deficient:
        with pytest.raises(ValueError, match="method='spir'"):
            lstsq_refine(A, b, method=method, rng=0)
        return
    result = lstsq_refine(A, b, method=method, rng=0)
    np.testing.assert_allclose(result.x, np.linalg.lstsq(dense, b, rcond=CUT)[0], atol=1e-11)


@pytest.mark.parametrize("condition", [1e8, 1e12, 1e17])
@forms
def test_gram_refuses_what_it_cannot_certify(form, condition, rng):
    A, b, _ = lstsq_problem(500, 15, condition=condition, residual=1e-3, rng=rng)
    with pytest.raises(ValueError, match=r"method='gram' needs a condition number.*method='spir'"):
        lstsq_refine(form(A), b, method="gram")


@pytest.mark.parametrize("matrix", [twice, zero_columns])
def test_gram_refuses_deficient_rank(matrix, rng):
    with pytest.raises(ValueError, match="method='spir'"):
        lstsq_refine(matrix(rng), np.ones(cases.ROWS), method="gram")
