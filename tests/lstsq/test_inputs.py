"""Every form of A and b gives the same answer; every bad one gives a sentence that names it."""

import lstsq_cases as cases
import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import EPS, gaussian
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import rnla
from rnla import lstsq_refine
from rnla.lstsq import backward_error
from rnla.testing import lstsq_problem

METHODS = ["auto", "spir", "gram", "lapack"]
DTYPES = [np.float32, np.float64, np.complex64, np.complex128]


def strided(A):
    wide = np.zeros((2 * A.shape[0], 3 * A.shape[1]), A.dtype)
    wide[::2, 1::3] = A
    return wide[::2, 1::3]


def reversed_rows(A):
    return np.ascontiguousarray(A[::-1, ::-1])[::-1, ::-1]


def read_only(A):
    A = A.copy()
    A.flags.writeable = False
    return A


def swapped(A):
    return A.astype(A.dtype.newbyteorder(">"))


def unsorted_duplicates(A):
    # Every entry twice, half of it each, columns in falling order.
    m, n = A.shape
    indices = np.tile(np.arange(n)[::-1], 2 * m)
    data = np.repeat(A[:, ::-1] / 2, 2, axis=0).ravel()
    return scipy.sparse.csr_array((data, indices, np.arange(0, 2 * m * n + 1, 2 * n)), A.shape)


def long_indices(A):
    A = scipy.sparse.csr_array(A)
    A.indices, A.indptr = A.indices.astype(np.int64), A.indptr.astype(np.int64)
    return A


class Opaque:
    """An operator by duck type alone."""

    def __init__(self, A):
        self._A = A
        self.shape, self.dtype = A.shape, A.dtype

    def matvec(self, x):
        return self._A @ x

    def rmatvec(self, y):
        return self._A.conj().T @ y


DENSE = [
    np.ascontiguousarray,
    np.asfortranarray,
    strided,
    reversed_rows,
    read_only,
    swapped,
    np.ndarray.tolist,
    np.asmatrix,
]
SPARSE = [
    scipy.sparse.csr_array,
    scipy.sparse.csr_matrix,
    scipy.sparse.csc_array,
    scipy.sparse.coo_array,
    scipy.sparse.lil_array,
    scipy.sparse.dok_array,
    scipy.sparse.bsr_array,
    scipy.sparse.dia_array,
    unsorted_duplicates,
    long_indices,
]


def sparse_operator(A):
    return aslinearoperator(scipy.sparse.csc_array(A))


def functions(A):
    return LinearOperator(
        A.shape, matvec=lambda x: A @ x, rmatvec=lambda y: A.conj().T @ y, dtype=A.dtype
    )


def product(A):
    return aslinearoperator(A) @ aslinearoperator(np.eye(A.shape[1], dtype=A.dtype))


OPERATORS = [aslinearoperator, Opaque, sparse_operator, functions, product]


def name_of(form):
    return form.__name__


@pytest.fixture
def problem(rng):
    return lstsq_problem(700, 12, condition=1e3, residual=1e-2, rng=rng)


def assert_solves(A, b, result, eps=EPS, factor=10):
    assert result.success
    assert backward_error(A, b, result.x, exact=True) <= factor * eps


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("form", [*DENSE, *SPARSE, *OPERATORS], ids=name_of)
def test_forms_of_a(form, method, problem):
    A, b, x = problem
    result = lstsq_refine(form(A), b, method=method, rng=0)
    assert_solves(A, b, result)
    np.testing.assert_allclose(result.x, x, atol=1e-10)
    assert result.x.shape == (12,)
    assert result.rank == 12


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
@pytest.mark.parametrize("form", [*DENSE, *SPARSE[2:4], *SPARSE[-2:], *OPERATORS[:2]], ids=name_of)
@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128])
def test_forms_and_dtypes(dtype, form, rng):
    A, b, _ = lstsq_problem(400, 7, condition=10, residual=0.1, rng=rng, dtype=dtype)
    if form is np.ndarray.tolist:
        dtype = np.result_type(dtype, np.float64)
        b = b.astype(dtype)
    result = lstsq_refine(form(A), b, method="spir", rng=0)
    assert result.x.dtype == dtype
    assert_solves(A, b, result, np.finfo(dtype).eps)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_memory_mapped(dtype, order, method, rng, tmp_path):
    A, b, _ = lstsq_problem(500, 9, condition=10, residual=0.1, rng=rng, dtype=dtype)
    mapped = np.memmap(tmp_path / "A", dtype, "w+", shape=A.shape, order=order)
    mapped[:] = A
    mapped.flush()
    stored = np.memmap(tmp_path / "A", dtype, "r", shape=A.shape, order=order)
    result = lstsq_refine(stored, b, method=method, rng=0)
    assert_solves(A, b, result, np.finfo(dtype).eps)
    assert type(result.x) is np.ndarray


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16, np.bool_, np.float16])
def test_other_numbers_are_promoted(dtype, method, rng):
    A = rng.integers(0, 2, (300, 6)).astype(dtype)
    b = rng.integers(0, 2, 300).astype(dtype)
    expected = np.float32 if dtype == np.float16 else np.float64
    for form in (np.asarray, scipy.sparse.csr_array):
        if form is not np.asarray and dtype == np.float16:
            continue  # scipy has no sparse half precision
        result = lstsq_refine(form(A), b, method=method, rng=0)
        assert result.x.dtype == expected
        assert_solves(A.astype(float), b.astype(float), result, np.finfo(expected).eps)


@pytest.mark.parametrize("b_dtype", [*DTYPES, np.int32])
@pytest.mark.parametrize("a_dtype", [*DTYPES, np.int32])
@pytest.mark.parametrize("method", METHODS)
def test_dtypes_combine_as_numpy_does(method, a_dtype, b_dtype, rng):
    def draw(shape, dtype):
        values = 10 * gaussian(*shape, rng, np.complex128)
        return (values if np.dtype(dtype).kind == "c" else values.real).astype(dtype)

    A, b = draw((200, 5), a_dtype), draw((200, 1), b_dtype)[:, 0]

    def inexact(dtype):
        return np.float64 if np.dtype(dtype).kind == "i" else dtype

    expected = np.result_type(inexact(a_dtype), inexact(b_dtype))
    result = lstsq_refine(A, b, method=method, rng=0)
    assert result.x.dtype == expected
    wide = np.result_type(expected, np.float64)
    reference = np.linalg.lstsq(A.astype(wide), b.astype(wide))[0]
    np.testing.assert_allclose(result.x, reference, atol=30 * np.finfo(expected).eps)
    assert result.residual_norm == pytest.approx(np.linalg.norm(b - A @ reference), rel=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_complex_right_hand_side_of_a_real_matrix(method, rng):
    A, b, _ = lstsq_problem(500, 8, condition=1e3, residual=0.1, rng=rng)
    c = rng.standard_normal(500)
    result = lstsq_refine(A, b + 1j * c, method=method, rng=0)
    real = lstsq_refine(A, b, method=method, rng=0)
    imaginary = lstsq_refine(A, c, method=method, rng=0)
    np.testing.assert_allclose(result.x, real.x + 1j * imaginary.x, atol=1e-11)
    expected = np.hypot(real.residual_norm, imaginary.residual_norm)
    assert result.residual_norm == pytest.approx(expected)
    assert_solves(A, b + 1j * c, result)


@pytest.mark.parametrize("method", METHODS)
def test_real_right_hand_side_of_a_complex_matrix(method, rng):
    A = gaussian(500, 8, rng, np.complex128)
    b = rng.standard_normal(500)
    result = lstsq_refine(A, b, method=method, rng=0)
    assert result.x.dtype == np.complex128
    assert_solves(A, b, result)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("method", METHODS)
def test_shapes_of_b(method, dtype, rng):
    A, b, _ = lstsq_problem(500, 8, condition=1e3, residual=0.1, rng=rng, dtype=dtype)
    vector = lstsq_refine(A, b, method=method, rng=0)
    column = lstsq_refine(A, b[:, None], method=method, rng=0)
    assert vector.x.shape == (8,)
    assert isinstance(vector.residual_norm, float)
    assert column.x.shape == (8, 1)
    assert column.residual_norm.shape == (1,)
    np.testing.assert_allclose(column.x[:, 0], vector.x, atol=1e-11)
    assert vector.residual_norm == pytest.approx(column.residual_norm[0])
    assert backward_error(A, b, column.x[:, 0]) <= 10 * EPS


@pytest.mark.parametrize("form", [np.asfortranarray, strided, read_only, np.ndarray.tolist])
def test_forms_of_b(form, rng):
    A, b, _ = lstsq_problem(300, 5, residual=0.1, rng=rng)
    B = np.column_stack([b, rng.standard_normal((300, 2))])
    expected = lstsq_refine(A, B, method="spir", rng=0).x
    np.testing.assert_allclose(
        lstsq_refine(A, form(B), method="spir", rng=0).x, expected, atol=1e-12
    )
    np.testing.assert_array_equal(
        lstsq_refine(A, np.repeat(b, 2)[::2], method="spir", rng=0).x,
        lstsq_refine(A, b, method="spir", rng=0).x,
    )


@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, scipy.sparse.csr_array])
@pytest.mark.parametrize("method", METHODS)
def test_input_is_left_alone(method, form, rng):
    A, b, _ = lstsq_problem(300, 5, condition=1e3, residual=0.1, rng=rng)
    before, b_before = A.copy(), b.copy()
    given = form(A)
    lstsq_refine(given, b, method=method, rng=0)
    kept = given.toarray() if scipy.sparse.issparse(given) else given
    np.testing.assert_array_equal(kept, before)
    np.testing.assert_array_equal(b, b_before)
    if scipy.sparse.issparse(given):
        untidy = unsorted_duplicates(A)
        indices = untidy.indices.copy()
        lstsq_refine(untidy, b, method=method, rng=0)
        np.testing.assert_array_equal(untidy.indices, indices)


def test_a_really_sparse_matrix(rng):
    A = scipy.sparse.random_array((5000, 60), density=0.02, rng=rng, format="csr")
    b = rng.standard_normal(5000)
    for method, used in (("auto", "gram"), ("spir", "spir")):
        result = lstsq_refine(A, b, method=method, rng=0)
        assert result.method == used
        assert_solves(A.toarray(), b, result)


def test_fused_sweeps_agree_over_odd_sizes(rng):
    # Row counts and widths around the unrolling of the kernels.
    for m in range(8, 20):
        for n in (1, 2, 3, 5):
            for dtype in DTYPES:
                A, b = gaussian(m, n, rng, dtype), gaussian(m, 1, rng, dtype)[:, 0]
                for form in (np.asarray, np.asfortranarray, scipy.sparse.csr_array):
                    result = lstsq_refine(form(A), b, method="spir", rng=0)
                    assert_solves(A, b, result, np.finfo(dtype).eps)


OBJECTS = np.full((30, 4), None)
STRINGS = np.full((30, 4), "a")


@pytest.mark.parametrize(
    ("A", "b", "error", "name"),
    [
        (OBJECTS, np.ones(30), TypeError, "`A`"),
        (STRINGS, np.ones(30), TypeError, "`A`"),
        (np.ones((30, 4), np.longdouble), np.ones(30), TypeError, "`A`"),
        (np.ones((30, 4), np.clongdouble), np.ones(30), TypeError, "`A`"),
        (np.ones((30, 4), "M8[s]"), np.ones(30), TypeError, "`A`"),
        ("text", np.ones(30), TypeError, "`A`"),
        (None, np.ones(30), TypeError, "`A`"),
        (np.ones(30), np.ones(30), ValueError, "`A`"),
        (np.ones((30, 4, 1)), np.ones(30), ValueError, "`A`"),
        (np.float64(3), np.ones(1), ValueError, "`A`"),
        ([[1.0, 2.0], [3.0]], np.ones(2), (TypeError, ValueError), "`A`"),
        (scipy.sparse.coo_array(np.ones(30)), np.ones(30), ValueError, "`A`"),
        (np.ones((30, 4)), OBJECTS[:, 0], TypeError, "`b`"),
        (np.ones((30, 4)), STRINGS[:, 0], TypeError, "`b`"),
        (np.ones((30, 4)), None, TypeError, "`b`"),
        (np.ones((30, 4)), np.ones(29), ValueError, "`b`"),
        (np.ones((30, 4)), np.ones((1, 30)), ValueError, "`b`"),
        (np.ones((30, 4)), np.ones((30, 1, 1)), ValueError, "`b`"),
        (np.ones((30, 4)), 1.0, ValueError, "`b`"),
        (np.ones((30, 4)), scipy.sparse.csr_array(np.ones((30, 1))), TypeError, "`b`"),
    ],
)
def test_bad_matrices_are_named(A, b, error, name):
    for method in METHODS:
        with pytest.raises(error, match=name):
            lstsq_refine(A, b, method=method)
    if name == "`A`":
        with pytest.raises(error, match=name):
            rnla.lstsq.choose_method(A)


BAD_VALUES = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", BAD_VALUES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, strided, scipy.sparse.csr_array])
def test_nan_and_infinity_in_a(form, dtype, value, method, rng):
    A, b = gaussian(600, 5, rng, dtype), gaussian(600, 1, rng, dtype)[:, 0]
    A[411, 3] = value
    with pytest.raises(ValueError, match=r"`A` must not contain NaN or infinity"):
        lstsq_refine(form(A), b, method=method, rng=0)


@pytest.mark.parametrize("method", METHODS)
def test_infinities_of_both_signs_in_a(method, rng):
    A = gaussian(600, 5, rng)
    A[3, 1], A[4, 1], A[5, 2] = np.inf, -np.inf, np.nan
    for form in (np.asarray, scipy.sparse.csr_array):
        with pytest.raises(ValueError, match=r"`A` must not contain NaN or infinity"):
            lstsq_refine(form(A), np.ones(600), method=method, rng=0)


@pytest.mark.parametrize("value", BAD_VALUES)
@pytest.mark.parametrize("method", METHODS)
def test_nan_in_a_large_matrix_that_auto_would_sketch(method, value, rng):
    A = gaussian(20_000, 24, rng)
    A[12_345, 3] = value
    with pytest.raises(ValueError, match=r"`A` must not contain NaN or infinity"):
        lstsq_refine(A, np.ones(20_000), method=method, rng=0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", BAD_VALUES)
def test_nan_and_infinity_from_an_operator(value, method, rng):
    A = gaussian(600, 5, rng)
    A[411, 3] = value
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(ValueError, match=r"`A`.*NaN"),
    ):
        lstsq_refine(aslinearoperator(A), np.ones(600), method=method, rng=0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", BAD_VALUES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_and_infinity_in_b(dtype, value, method, rng):
    A, B = gaussian(60, 5, rng, dtype), gaussian(60, 3, rng, dtype)
    B[7, 1] = value
    with pytest.raises(ValueError, match=r"`b` must not contain NaN or infinity"):
        lstsq_refine(A, B, method=method)
    with pytest.raises(ValueError, match=r"`b` must not contain NaN or infinity"):
        lstsq_refine(A, B[:, 1], method=method)


@pytest.mark.parametrize("method", METHODS)
def test_nan_wins_when_the_caller_promises_too_much(method, rng):
    # check_finite=False is a promise; broken, it must end, and not with an answer that looks good.
    A, b = gaussian(600, 5, rng), gaussian(600, 1, rng)[:, 0]
    b[5] = np.nan
    if method == "spir":
        # The sketch sees every entry of b in any case.
        with pytest.raises(ValueError, match=r"`b` must not contain NaN or infinity"):
            lstsq_refine(A, b, method=method, check_finite=False, rng=0)
        return
    with np.errstate(all="ignore"), pytest.warns(rnla.ConvergenceWarning):
        result = lstsq_refine(A, b, method=method, check_finite=False, rng=0)
    assert not result.success
    assert not result.backward_error <= cases.EPS
