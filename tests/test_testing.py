"""The public assertions tell right from wrong; the matrices are as promised."""

import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla import testing
from rnla.lstsq import backward_error
from rnla.testing import (
    assert_adjoint,
    assert_orthonormal,
    coherent,
    haar,
    hilbert,
    laeuchli,
    lstsq_problem,
    prolate,
    vandermonde,
)

DTYPES = [np.float32, np.float64, np.complex64, np.complex128]
EPS = np.finfo(float).eps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (50, 3), (400, 400)])
def test_adjoint_of_matrices(shape, dtype, rng):
    A = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        A = A + 1j * rng.standard_normal(shape)
    assert_adjoint(aslinearoperator(A.astype(dtype)), rng)
    assert_adjoint(aslinearoperator(scipy.sparse.csr_array(A.astype(dtype))), 0)


def wrong_adjoints(A):
    n = A.shape[1]

    def operator(rmatvec):
        return LinearOperator(A.shape, lambda x: A @ x, rmatvec=rmatvec, dtype=A.dtype)

    yield operator(lambda y: A.T @ y)  # not conjugated
    yield operator(lambda y: -(A.conj().T @ y))
    yield operator(lambda y: A.conj().T @ y * (1 + 1e-9))
    yield operator(lambda y: np.roll(A.conj().T @ y, 1, axis=0))
    yield operator(lambda y: np.where(np.arange(n) == 0, 0, (A.conj().T @ y).T).T)
    yield operator(lambda y: np.nan * (A.conj().T @ y))


def test_wrong_adjoints_are_rejected(rng):
    A = rng.standard_normal((30, 8)) + 1j * rng.standard_normal((30, 8))
    for wrong in wrong_adjoints(A):
        with pytest.raises(AssertionError):
            assert_adjoint(wrong, rng)


def test_a_wrong_block_product_is_rejected(rng):
    A = rng.standard_normal((30, 8))

    class Wrong(LinearOperator):
        def _matvec(self, x):
            return A @ x

        def _rmatvec(self, y):
            return A.T @ y

        def _matmat(self, X):
            return A @ X[:, ::-1]

        def _rmatmat(self, Y):
            return A.T @ Y

    with pytest.raises(AssertionError):
        assert_adjoint(Wrong(A.dtype, A.shape), rng)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (5, 0), (40, 7), (2000, 100)])
def test_orthonormal(shape, dtype, rng):
    Q = haar(*shape, rng=rng, dtype=dtype)
    assert Q.dtype == dtype
    assert_orthonormal(Q)
    if shape[1]:
        Q[0, 0] += 2e3 * np.finfo(dtype).eps * max(1, shape[1])
        with pytest.raises(AssertionError, match="above"):
            assert_orthonormal(Q)
        assert_orthonormal(Q, rtol=1.0)


def test_what_is_not_orthonormal():
    for bad in (np.ones((3, 2)), np.eye(3) * np.nan, np.zeros((4, 2)), np.eye(3)[:2], np.ones(3)):
        with pytest.raises(AssertionError):
            assert_orthonormal(bad)


def test_haar_is_not_biased(rng):
    # LAPACK's signs would make the diagonal of Q negative on average.
    traces = [np.trace(haar(4, 4, rng=rng)) for _ in range(2000)]
    # E trace = 0, E trace^2 = 1 over the orthogonal group.
    assert abs(np.mean(traces)) < 5 / np.sqrt(2000)
    assert abs(np.mean(np.square(traces)) - 1) < 5 * np.sqrt(2 / 2000)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("condition", [1.0, 1e3, 1e9])
@pytest.mark.parametrize("residual", [0.0, 1e-4, 10.0])
def test_lstsq_problem_is_as_promised(residual, condition, dtype, rng):
    A, b, x = lstsq_problem(300, 12, condition=condition, residual=residual, rng=rng, dtype=dtype)
    sigma = np.linalg.svd(A, compute_uv=False)
    np.testing.assert_allclose(sigma, np.geomspace(1, 1 / condition, 12), atol=1e-14)
    assert np.linalg.norm(x) == pytest.approx(1)
    r = b - A @ x
    assert np.linalg.norm(r) == pytest.approx(residual, abs=1e-14)
    assert np.linalg.norm(A.conj().T @ r) <= 1e-14 * (1 + residual)
    assert backward_error(A, b, x) <= 10 * EPS
    assert A.dtype == b.dtype == x.dtype == dtype


def test_lstsq_problem_by_seed():
    for first, second in zip(lstsq_problem(30, 3, rng=1), lstsq_problem(30, 3, rng=1), strict=True):
        np.testing.assert_array_equal(first, second)
    assert not np.array_equal(lstsq_problem(30, 3, rng=1).A, lstsq_problem(30, 3, rng=2).A)
    single = lstsq_problem(30, 3, rng=1, dtype=np.float32)
    np.testing.assert_array_equal(single.A, lstsq_problem(30, 3, rng=1).A.astype(np.float32))


@pytest.mark.parametrize(
    ("make", "arguments", "options", "name"),
    [
        (lstsq_problem, (3, 3), {}, "`m`"),
        (lstsq_problem, (3, 0), {}, "`n`"),
        (lstsq_problem, (30, 3), {"condition": 0.5}, "`condition`"),
        (lstsq_problem, (30, 3), {"condition": np.nan}, "`condition`"),
        (lstsq_problem, (30, 3), {"residual": -1}, "`residual`"),
        (haar, (3, 4), {}, "`m`"),
        (prolate, (30, 4), {"bandwidth": 0.7}, "`bandwidth`"),
        (prolate, (7, 4), {"ridge": 0.1}, "`m`"),
        (laeuchli, (4, 4), {}, "`m`"),
    ],
)
def test_bad_arguments_are_named(make, arguments, options, name):
    with pytest.raises(ValueError, match=name):
        make(*arguments, **options)


def test_named_matrices_are_as_hard_as_said():
    assert 1e11 < np.linalg.cond(hilbert(800, 12)) < 1e13
    assert np.linalg.cond(hilbert(800, 25)) > 1e16
    assert 1e13 < np.linalg.cond(vandermonde(800, 40)) < 1e16
    assert np.linalg.cond(vandermonde(800, 25, low=0.0)) > 1e16
    assert np.linalg.cond(prolate(800, 40)) > 1e14
    assert np.linalg.cond(prolate(800, 40, ridge=1e-8)) < 2e4
    assert 1e7 < np.linalg.cond(coherent(800, 40, rng=0)) < 1e9
    A = laeuchli(800, 40)
    assert np.linalg.matrix_rank(A) == 40
    assert np.linalg.matrix_rank(A.T @ A) == 1


def test_prolate_is_toeplitz():
    T = prolate(9, 4, bandwidth=0.2)
    assert T.shape == (9, 4)
    np.testing.assert_allclose(np.diagonal(T), 0.4)
    np.testing.assert_array_equal(T[1:, 1:], T[:-1, :-1])
    np.testing.assert_allclose(T[3, 0], np.sin(2 * np.pi * 0.2 * 3) / (3 * np.pi))


@pytest.mark.parametrize("dtype", DTYPES)
def test_coherent_has_one_heavy_row(dtype):
    A = coherent(200, 5, weight=1e6, rng=0, dtype=dtype)
    assert A.dtype == dtype
    leverage = np.linalg.norm(np.linalg.qr(A.astype(np.complex128))[0], axis=1) ** 2
    assert leverage.argmax() == 100
    assert leverage.max() > 1 - 1e-6
    assert np.sort(leverage)[-2] < 0.5


def test_everything_public_is_documented():
    for name in testing.__all__:
        assert "Examples" in getattr(testing, name).__doc__
