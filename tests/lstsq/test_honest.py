"""What a result claims was checked: on the x that is returned, for the limit that was asked."""

import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import EPS, gaussian
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla import ConvergenceWarning, Status, lstsq_refine
from rnla.lstsq import backward_error, ridge_path

SINGLE = float(np.finfo(np.float32).eps)


@pytest.mark.parametrize("shape", [(900, 15), (15, 900)], ids=str)
@pytest.mark.parametrize("method", ["spir", "lapack"])
@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_the_certificate_is_that_of_the_rounded_solution(dtype, method, shape, rng):
    A, b = gaussian(*shape, rng, dtype), gaussian(shape[0], 1, rng, dtype)[:, 0]
    result = lstsq_refine(A, b, method=method, rng=0)
    assert result.success
    assert result.history[-1] <= 10 * EPS
    true = backward_error(A, b, result.x)
    assert true > 1e6 * EPS
    assert true / 3 < result.backward_error < 3 * true


def test_the_certificates_of_a_path_are_those_of_the_rounded_solutions(rng):
    A, b = gaussian(2000, 15, rng, np.float32), gaussian(2000, 1, rng, np.float32)[:, 0]
    path = ridge_path(A, b, [0.0, 3.0, 50.0], rng=0)
    assert path.success
    for damp, x, error in zip(path.damps, path.x, path.backward_error, strict=True):
        stacked, rhs = np.vstack([A, damp * np.eye(15)]), np.r_[b, np.zeros(15)]
        true = backward_error(stacked, rhs, x)
        assert true / 3 < error < 3 * true


@pytest.mark.parametrize("method", ["spir", "lapack"])
def test_entries_that_underflow_are_no_success(method, rng):
    A = gaussian(900, 4, rng, np.float32)
    A[:, 2] *= np.float32(2.0**100)
    b = np.float32(2.0**-60) * gaussian(900, 1, rng, np.float32)[:, 0]
    with pytest.warns(ConvergenceWarning, match="double precision"):
        result = lstsq_refine(A, b, method=method, rng=0)
    assert result.status is Status.OUT_OF_RANGE
    assert result.x[2] == 0
    assert result.backward_error > 100 * SINGLE
    assert lstsq_refine(A, b.astype(float), method=method, rng=0).success


@pytest.mark.parametrize("rtol", [0, 1e-20])
@pytest.mark.parametrize("method", ["spir", "lapack"])
def test_ten_epsilons_of_a_wide_problem_are_not_zero(method, rtol, rng):
    A, b = gaussian(15, 900, rng), gaussian(15, 1, rng)[:, 0]
    with pytest.warns(ConvergenceWarning, match="is above rtol"):
        result = lstsq_refine(A, b, method=method, rtol=rtol, rng=0)
    assert result.backward_error > rtol
    assert not result.success


@pytest.mark.parametrize("rtol", [0, 1e-20])
def test_the_cut_off_of_a_deficient_problem_is_not_zero(rtol, rng):
    B = gaussian(900, 5, rng)
    with pytest.warns(ConvergenceWarning, match="is above rtol"):
        result = lstsq_refine(np.hstack([B, B]), rng.standard_normal(900), rtol=rtol, rng=0)
    assert not result.success


def broken(A, *, forward=False, adjoint=False):
    """Products of A, some of which are infinite."""

    def spoiled(Y, bad):
        return Y + np.inf if bad else Y

    return LinearOperator(
        A.shape,
        matvec=lambda x: spoiled(A @ x, forward),
        rmatvec=lambda y: spoiled(A.T @ y, adjoint),
        matmat=lambda X: spoiled(A @ X, forward),
        rmatmat=lambda Y: spoiled(A.T @ Y, adjoint),
        dtype=float,
    )


@pytest.mark.parametrize("which", ["forward", "adjoint"])
@pytest.mark.parametrize("shape", [(900, 15), (15, 900)], ids=str)
@pytest.mark.parametrize("method", ["auto", "spir", "gram", "lapack"])
@pytest.mark.parametrize("options", [{}, {"damp": 0.1}], ids=str)
def test_infinite_products_are_one_sentence(options, method, shape, which, rng):
    if method == "gram" and shape[0] < shape[1]:
        pytest.skip("needs m >= n")
    if method == "lapack" and shape[0] < shape[1] and which == "adjoint":
        pytest.skip("takes no product with the adjoint")
    A, b = gaussian(*shape, rng), rng.standard_normal(shape[0])
    with pytest.raises(ValueError, match="NaN or infinity"):
        lstsq_refine(broken(A, **{which: True}), b, method=method, rng=0, **options)


class Counter(LinearOperator):
    """Counts the columns it is multiplied with."""

    def __init__(self, A):
        super().__init__(A.dtype, A.shape)
        self.A, self.columns = A, 0

    def _matmat(self, X):
        self.columns += X.shape[1]
        return self.A @ X

    def _rmatmat(self, Y):
        self.columns += Y.shape[1]
        return self.A.T @ Y


@pytest.mark.parametrize("method", ["spir", "lapack"])
def test_products_of_a_wide_operator_are_counted(method, rng):
    counter = Counter(gaussian(15, 900, rng))
    result = lstsq_refine(counter, rng.standard_normal(15), method=method, rng=0)
    assert result.n_matvec == counter.columns


@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_array, aslinearoperator])
@pytest.mark.parametrize("method", ["auto", "spir", "spne", "sirr", "fossils", "gram", "lapack"])
@pytest.mark.parametrize("k", [None, 2])
def test_huge_first_guesses_are_quiet(k, method, form, rng):
    A, b = gaussian(900, 15, rng), rng.standard_normal(900)
    x0 = np.full(15, 1e300)
    if k is not None:
        b, x0 = np.outer(b, [1.0, 2.0]), np.outer(x0, [1.0, 1e-300])
    result = lstsq_refine(form(A), b, x0=x0, method=method, rng=0)
    assert result.success
    np.testing.assert_allclose(result.x, np.linalg.lstsq(A, b)[0], atol=1e-12)
