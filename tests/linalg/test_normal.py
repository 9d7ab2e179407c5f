"""Products, sketches and Gram matrices of any A against five lines of dense algebra."""

import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import gaussian
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla.linalg.normal import (
    DenseNormal,
    NormalOperator,
    OperatorNormal,
    SparseNormal,
    as_normal,
)
from rnla.sketch import SparseSign

DTYPES = [np.float32, np.float64, np.complex64, np.complex128]
FORMS = [
    np.asarray,
    np.asfortranarray,
    scipy.sparse.csr_array,
    scipy.sparse.csc_array,
    aslinearoperator,
]
# Around the unrolling by 2 and 4, several chunks, more than one block, rows longer than L1.
SHAPES = [(1, 1), (2, 3), (3, 2), (4, 4), (5, 1), (7, 5), (301, 11), (5000, 40), (9, 2000)]

forms = pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
dtypes = pytest.mark.parametrize("dtype", DTYPES)
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def draw(shape, dtype, rng):
    A = gaussian(*shape, rng, dtype)
    # Sparse forms should have something to leave out.
    A[rng.random(shape) < 0.3] = 0
    return A


def close(found, expected, m):
    scale = np.abs(expected).max(initial=0) + np.sqrt(m)
    np.testing.assert_allclose(found, expected, atol=1e-14 * np.sqrt(m) * scale)


@forms
@dtypes
@shapes
@pytest.mark.parametrize("k", [1, 5])
def test_normal(k, shape, dtype, form, rng):
    A = draw(shape, dtype, rng)
    wide = A.astype(np.result_type(dtype, np.float64))
    operator = as_normal(form(A))
    X = gaussian(shape[1], k, rng, operator.dtype)
    found = operator.normal(X)
    assert found.shape == (shape[1], k)
    assert found.dtype == operator.dtype == wide.dtype
    close(found, wide.conj().T @ (wide @ X), max(shape))


@forms
@dtypes
@shapes
@pytest.mark.parametrize("k", [1, 5])
def test_gradient(k, shape, dtype, form, rng):
    A = draw(shape, dtype, rng)
    wide = A.astype(np.result_type(dtype, np.float64))
    operator = as_normal(form(A))
    X, B = gaussian(shape[1], k, rng, operator.dtype), gaussian(shape[0], k, rng, operator.dtype)
    G, norms = operator.gradient(X, B)
    residual = B - wide @ X
    close(G, wide.conj().T @ residual, max(shape))
    np.testing.assert_allclose(norms, np.linalg.norm(residual, axis=0), rtol=1e-12, atol=1e-12)


@forms
@dtypes
def test_gradient_of_a_small_residual(dtype, form, rng):
    # A^H b - A^H A x would lose the residual, which is 1e-10 of b here.
    A = draw((400, 6), dtype, rng)
    wide = A.astype(np.result_type(dtype, np.float64))
    X = np.round(gaussian(6, 1, rng, wide.dtype) * 2**8) / 2**8
    exact = wide @ X
    E = 1e-10 * gaussian(400, 1, rng, wide.dtype)
    G, norms = as_normal(form(A)).gradient(X, exact + E)
    np.testing.assert_allclose(G, wide.conj().T @ E, atol=1e-12)
    np.testing.assert_allclose(norms, np.linalg.norm(E, axis=0), rtol=1e-4)


@forms
@dtypes
@pytest.mark.parametrize("shape", [(30, 3), (5000, 40), (300, 70)], ids=str)
def test_sketch(shape, dtype, form, rng):
    A = draw(shape, dtype, rng)
    real = np.float32 if np.finfo(dtype).eps > 1e-10 else np.float64
    S = SparseSign.draw(20, shape[0], rng=0, dtype=real)
    found = as_normal(form(A)).sketch(S)
    assert found.shape == (20, shape[1])
    wide = np.result_type(dtype, np.float64)
    expected = S.todense().astype(float) @ A.astype(wide)
    # Every entry is a sum of m terms of size 1.
    atol = 2 * np.sqrt(shape[0]) * np.finfo(dtype).eps * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


@forms
@dtypes
@pytest.mark.parametrize("shape", [(1, 1), (30, 3), (5000, 40), (700, 620)], ids=str)
def test_gram(shape, dtype, form, rng):
    A = draw(shape, dtype, rng)
    wide = A.astype(np.result_type(dtype, np.float64))
    B = gaussian(shape[0], 2, rng, wide.dtype)
    G, C = as_normal(form(A)).gram(B)
    close(G, wide.conj().T @ wide, max(shape))
    close(C, wide.conj().T @ B, max(shape))


@forms
@dtypes
def test_dense(dtype, form, rng):
    A = draw((50, 70), dtype, rng)
    dense = as_normal(form(A)).todense()
    assert isinstance(dense, np.ndarray)
    np.testing.assert_array_equal(dense, A)


@forms
@dtypes
def test_descriptions(dtype, form, rng):
    operator = as_normal(form(draw((9, 4), dtype, rng)))
    assert operator.shape == (9, 4)
    assert operator.stored_dtype == dtype
    assert operator.dtype == np.result_type(dtype, np.float64)
    assert (operator.n_matvec, operator.n_passes) == (0, 0)
    assert as_normal(operator) is operator


def test_kinds(rng):
    A = rng.standard_normal((9, 4))
    assert type(as_normal(A)) is DenseNormal
    assert type(as_normal(A.tolist())) is DenseNormal
    assert type(as_normal(scipy.sparse.coo_matrix(A))) is SparseNormal
    assert type(as_normal(aslinearoperator(A))) is OperatorNormal
    assert issubclass(OperatorNormal, NormalOperator)


def test_dense_arrays_are_not_copied(rng):
    A = rng.standard_normal((9, 4))
    assert as_normal(A).todense() is A
    assert np.shares_memory(as_normal(A.T).todense(), A)
    assert as_normal(A.astype(np.float32)).todense().dtype == np.float32
    sparse = scipy.sparse.csr_array(A)
    assert np.shares_memory(as_normal(sparse).A.data, sparse.data)


@forms
def test_counts(form, rng):
    operator = as_normal(form(rng.standard_normal((50, 4))))
    operator.normal(np.ones((4, 1)))
    assert (operator.n_matvec, operator.n_passes) == (2, 1)
    operator.gradient(np.ones((4, 3)), np.ones((50, 3)))
    assert (operator.n_matvec, operator.n_passes) == (8, 2)
    operator.sketch(SparseSign.draw(12, 50, rng=0))
    assert operator.n_passes == 3
    assert operator.n_matvec == (12 if form is aslinearoperator else 8)


@forms
@dtypes
@pytest.mark.parametrize("k", [1, 3])
def test_threads_leave_every_bit(k, dtype, form, rng, threads):
    operator = as_normal(form(draw((20_000, 33), dtype, rng)))
    X, B = gaussian(33, k, rng, operator.dtype), gaussian(20_000, k, rng, operator.dtype)
    bits = []
    for n in (1, 2, 4):
        threads(n)
        G, norms = operator.gradient(X, B)
        bits.append((operator.normal(X).tobytes(), G.tobytes(), norms.tobytes()))
    assert bits[0] == bits[1] == bits[2]


@dtypes
def test_rows_from_elsewhere_in_memory(dtype, rng):
    A = draw((60, 30), dtype, rng)
    x = gaussian(10, 1, rng, np.result_type(dtype, np.float64))
    for view in (A[::2, ::3], A[::-1, :10], A[5:, 3:13], A.T[:10, ::-1].T):
        wide = view.astype(x.dtype)
        close(as_normal(view).normal(x), wide.conj().T @ (wide @ x), 60)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@dtypes
@pytest.mark.parametrize("form", FORMS[:4], ids=lambda f: f.__name__)
def test_finite_or_not(form, dtype, value, rng):
    A = draw((60, 30), dtype, rng)
    as_normal(form(A)).check_finite()
    A[7, 3] = value
    with pytest.raises(ValueError, match="`A`"):
        as_normal(form(A)).check_finite()


def test_products_of_an_operator_that_only_knows_vectors(rng):
    A = gaussian(40, 6, rng, np.complex128)
    operator = as_normal(
        LinearOperator(
            A.shape,
            matvec=lambda x: A @ x.ravel(),
            rmatvec=lambda y: A.conj().T @ y.ravel(),
            dtype=A.dtype,
        )
    )
    X = gaussian(6, 3, rng, np.complex128)
    close(operator.normal(X), A.conj().T @ (A @ X), 40)


@pytest.mark.parametrize("bad", [np.ones(3), np.ones((2, 2, 2)), 3.0])
def test_two_axes(bad):
    with pytest.raises(ValueError, match="`A` must have two axes"):
        as_normal(bad)


def test_numbers_only():
    for bad in (np.full((3, 2), "a"), np.full((3, 2), None), np.ones((3, 2), np.longdouble)):
        with pytest.raises(TypeError, match="`A`"):
            as_normal(bad)
