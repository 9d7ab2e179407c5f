"""What counts as a matrix, and what is said about everything else."""

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import rnla
from rnla.trace._input import as_operand


def matrix(rng, dtype=np.float64, m=7, n=7):
    A = rng.standard_normal((m, n))
    if np.dtype(dtype).kind == "c":
        A = A + 1j * rng.standard_normal((m, n))
    return A.astype(dtype)


FORMS = {
    "array": lambda A: as_operand(A, square=False),
    "csr": lambda A: as_operand(sparse.csr_array(A), square=False),
    "csc": lambda A: as_operand(sparse.csc_matrix(A), square=False),
    "coo": lambda A: as_operand(sparse.coo_array(A), square=False),
    "operator": lambda A: as_operand(aslinearoperator(A), square=False, block=2),
    "callable": lambda A: as_operand(
        lambda X: A @ X,
        shape=A.shape,
        dtype=A.dtype,
        adjoint=lambda X: A.conj().T @ X,
        block=3,
        square=False,
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_products_and_their_count(form, dtype, rng):
    A = matrix(rng, dtype, 6, 9)
    operand = FORMS[form](A)
    X, Y = matrix(rng, dtype, 9, 5), matrix(rng, dtype, 6, 4)
    tolerance = 30 * float(np.finfo(dtype).eps)
    assert operand.dtype == dtype
    assert operand.has_adjoint
    assert operand.product(X).dtype == dtype
    assert operand.product(X) == pytest.approx(A @ X, rel=tolerance, abs=tolerance)
    adjoint = operand.adjoint_product(Y)
    assert adjoint == pytest.approx(A.conj().T @ Y, rel=tolerance, abs=tolerance)
    assert operand.n_matvec == 2 * 5 + 4


@pytest.mark.parametrize("dtype", [int, bool, np.float16, ">f8"])
def test_other_numbers_are_promoted(dtype):
    operand = as_operand(np.eye(3).astype(dtype))
    assert operand.dtype == (np.float32 if dtype is np.float16 else np.float64)
    assert np.array_equal(operand.product(np.eye(3, dtype=operand.dtype)), np.eye(3))


def test_operators_get_blocks_of_bounded_width(rng):
    A, widths = matrix(rng), []

    def product(X):
        widths.append(X.shape[1])
        X *= 1  # a callable may write to what it gets
        return A @ X

    operand = as_operand(product, shape=7, block=4)
    X = matrix(rng, n=10)
    kept = X.copy()
    assert operand.product(X) == pytest.approx(A @ X)
    assert widths == [4, 4, 2]
    assert np.array_equal(X, kept)


class Overwriting(LinearOperator):
    """An operator that uses the memory of its argument."""

    def __init__(self, A):
        self.A = A
        super().__init__(A.dtype, A.shape)

    def _matmat(self, X):
        Y = self.A @ X
        X[:] = np.nan
        return Y

    def _rmatmat(self, X):
        Y = self.A.T @ X
        X[:] = np.nan
        return Y

    def _matvec(self, x):
        return self._matmat(x.reshape(-1, 1))


@pytest.mark.parametrize("block", [2, 30])
def test_operators_may_write_to_what_they_get(block, rng):
    A, X = matrix(rng), matrix(rng, n=5)
    kept = X.copy()
    operand = as_operand(Overwriting(A), block=block)
    assert operand.product(X) == pytest.approx(A @ X)
    assert operand.adjoint_product(X) == pytest.approx(A.T @ X)
    with_adjoint = as_operand(lambda X: A @ X, shape=7, adjoint=Overwriting(A.T))
    assert with_adjoint.adjoint_product(X) == pytest.approx(A.T @ X)
    assert np.array_equal(X, kept)
    seed = int(rng.integers(2**31))
    for method in ("hutchinson", "hutchpp", "xtrace"):
        estimate = rnla.trace(Overwriting(A), 6, method=method, rng=seed)
        expected = rnla.trace(aslinearoperator(A), 6, method=method, rng=seed)
        assert estimate.value == pytest.approx(expected.value)


def test_missing_adjoint():
    operator = LinearOperator((3, 3), matvec=lambda x: x, dtype=float)
    operand = as_operand(operator)
    assert not operand.has_adjoint
    with pytest.raises(TypeError, match="`A` must have products with its adjoint"):
        operand.adjoint_product(np.eye(3))
    assert as_operand(operator, adjoint=lambda X: X).has_adjoint
    assert as_operand(operator, hermitian=True).has_adjoint


BAD = {
    "one axis": (np.ones(3), {}, ValueError, "`A` must have two axes"),
    "not square": (np.ones((3, 4)), {}, ValueError, "`A` must be square"),
    "text": ("abc", {}, TypeError, "`A` must hold numbers"),
    "objects": (np.array([[object()]]), {}, TypeError, "`A` must hold numbers"),
    "long double": (np.eye(2, dtype=np.longdouble), {}, TypeError, "`A` must hold numbers"),
    "ragged": ([[1, 2], [3]], {}, ValueError, "`A` must be an array"),
    "no shape": (lambda X: X, {}, TypeError, "`shape` is missing"),
    "bad shape": (lambda X: X, {"shape": (3, 3, 3)}, ValueError, "`shape` must be"),
    "float shape": (lambda X: X, {"shape": 3.0}, TypeError, "`shape` must be an integer"),
    "shape of an array": (np.eye(3), {"shape": 3}, ValueError, "`shape` must be left out"),
    "adjoint of an array": (np.eye(3), {"adjoint": abs}, ValueError, "`adjoint` must be left"),
    "another's operand": (as_operand(np.eye(3)), {}, TypeError, "got the `source` of an estimate"),
    "dtype": (lambda X: X, {"shape": 3, "dtype": "nonsense"}, TypeError, "`dtype` must be a dtype"),
    "long dtype": (
        lambda X: X,
        {"shape": 3, "dtype": np.longdouble},
        TypeError,
        "`dtype` must hold numbers",
    ),
    "object dtype": (
        lambda X: X,
        {"shape": 3, "dtype": object},
        TypeError,
        "`dtype` must hold numbers",
    ),
    "adjoint": (lambda X: X, {"shape": 3, "adjoint": 3}, TypeError, "`adjoint` must be a call"),
    "adjoint's shape": (
        lambda X: X,
        {"shape": 3, "adjoint": aslinearoperator(np.eye(2))},
        ValueError,
        "`adjoint` must have shape",
    ),
    "block": (np.eye(3), {"block": 0}, ValueError, "`block` must be at least 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_sentence(case):
    A, options, error, words = BAD[case]
    with pytest.raises(error, match=words):
        as_operand(A, **options)


@pytest.mark.parametrize(
    ("product", "error", "words"),
    [
        (lambda X: X[:2], ValueError, "must map a block of shape"),
        (lambda X: X * 1j, TypeError, "must return real numbers"),
        (lambda X: X * np.nan, ValueError, "must not contain NaN"),
        (lambda X: X.astype(object), TypeError, "must return an array of numbers"),
        (lambda X: [[1], [1, 2]], ValueError, "`A` must return an array of numbers: "),
        (lambda X: sparse.csr_array(X), TypeError, "must return an array of numbers, got a sparse"),
        (
            lambda X: np.ma.masked_array(X, mask=X > 0),
            ValueError,
            "`A @ vectors` must not have masked entries",
        ),
        (lambda X: None, ValueError, r"must map a block of shape .* got \(\)"),
    ],
)
def test_bad_products(product, error, words):
    operand = as_operand(product, shape=3)
    with pytest.raises(error, match=words):
        operand.product(np.ones((3, 2)))


@pytest.mark.parametrize("form", ["array", "csr"])
def test_nan_in_the_matrix(form):
    A = np.eye(3)
    A[1, 1] = np.nan
    operand = as_operand(A if form == "array" else sparse.csr_array(A))
    with pytest.raises(ValueError, match="NaN"):
        operand.product(np.ones((3, 2)))
