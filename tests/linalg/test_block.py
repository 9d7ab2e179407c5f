"""Block products: any kind of matrix gives the same answer, and what is wrong is said."""

import re

import numpy as np
import pytest
import scipy.sparse
from cases import LAYOUTS, all_dtypes, all_layouts, random_matrix
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla.linalg.block import OperatorBlock, as_block_operator


def sparse_matrix(rng, shape, dtype):
    A = random_matrix(rng, shape, dtype)
    # Some rows are empty, one is full: parts of the rows have unequal work.
    A *= rng.random(shape) < 0.2
    A[2] = 1
    A[-1] = 0
    return A


@all_dtypes
@all_layouts
def test_every_kind_multiplies_and_counts(rng, dtype, layout):
    A = sparse_matrix(rng, (23, 17), dtype)
    block = as_block_operator(LAYOUTS[layout](A))
    tolerance = 30 * np.finfo(dtype).eps * np.linalg.norm(A, 2)
    for width in (1, 3, 8, 13):
        X = random_matrix(rng, (17, width), dtype)
        Y = random_matrix(rng, (23, width), dtype)
        product, adjoint = block.product(X), block.adjoint(Y)
        assert product.dtype == adjoint.dtype == dtype
        np.testing.assert_allclose(product, A @ X, atol=tolerance * np.linalg.norm(X))
        np.testing.assert_allclose(adjoint, A.conj().T @ Y, atol=tolerance * np.linalg.norm(Y))
    assert (block.n_matvec, block.n_passes) == (50, 8)
    np.testing.assert_array_equal(block.todense(), A)


@pytest.mark.parametrize("kind", ["dense", "csr", "operator"])
def test_a_real_matrix_multiplies_complex_blocks(rng, kind):
    A = sparse_matrix(rng, (40, 30), np.float64)
    kinds = {
        "dense": A,
        "csr": scipy.sparse.csr_array(A),
        "operator": LinearOperator(A.shape, A.__matmul__, rmatvec=A.T.__matmul__, dtype=float),
    }
    block = as_block_operator(kinds[kind])
    X, Y = random_matrix(rng, (30, 5), complex), random_matrix(rng, (40, 5), complex)
    np.testing.assert_allclose(block.product(X[:, ::2]), A @ X[:, ::2], atol=1e-12)
    np.testing.assert_allclose(block.adjoint(Y), A.T @ Y, atol=1e-12)


def test_the_bits_do_not_depend_on_threads(rng, threads):
    A = scipy.sparse.random_array((3000, 2000), density=0.01, rng=rng, format="csr")
    X = rng.standard_normal((2000, 7))
    results = []
    for number in (1, 3):
        threads(number)
        results.append(as_block_operator(A).product(X))
    np.testing.assert_array_equal(*results)
    np.testing.assert_allclose(results[0], A @ X, atol=1e-12)


def test_empty_blocks_and_matrices(rng):
    A = scipy.sparse.csr_array((0, 4))
    assert as_block_operator(A).product(np.ones((4, 3))).shape == (0, 3)
    np.testing.assert_array_equal(as_block_operator(A).adjoint(np.ones((0, 3))), np.zeros((4, 3)))
    assert as_block_operator(np.ones((3, 4))).product(np.ones((4, 0))).shape == (3, 0)


class Blocks(LinearOperator):
    """An operator with a product with blocks of its own, and nothing else."""

    def __init__(self, A):
        super().__init__(A.dtype, A.shape)
        self.A, self.widths = A, []

    def _matmat(self, X):
        self.widths.append(X.shape[1])
        return self.A @ X

    def _adjoint(self):
        return Blocks(self.A.conj().T)


def test_an_operator_gets_whole_blocks_only_if_it_has_a_product_with_them(rng):
    A = random_matrix(rng, (6, 6), complex)
    seen = []

    def matvec(x):
        seen.append(x.shape)
        return A @ x

    X = random_matrix(rng, (6, 4), complex)
    as_block_operator(LinearOperator(A.shape, matvec, dtype=complex)).product(X)
    assert seen == [(6,)] * 4
    own = Blocks(A)
    np.testing.assert_allclose(as_block_operator(own).adjoint(X), A.conj().T @ X)
    for operator in (own, 2.0 * own, own.H.H, own + own):
        own.widths.clear()
        block = as_block_operator(operator)
        assert isinstance(block, OperatorBlock)
        block.product(X)
    mixed = own + LinearOperator(A.shape, matvec, dtype=complex)
    seen.clear()
    np.testing.assert_allclose(as_block_operator(mixed).product(X), 2 * A @ X)
    assert seen == [(6,)] * 4


def test_an_operator_may_overwrite_its_argument_and_reuse_its_buffer(rng):
    A, X = rng.standard_normal((5, 5)), rng.standard_normal((5, 3))
    buffer = np.empty((5, 3))

    def spoil(x):
        np.matmul(A, x, out=buffer[:, 0] if x.ndim == 1 else buffer)
        x[...] = np.nan
        return buffer[:, 0] if x.ndim == 1 else buffer

    for matmat in (None, spoil):
        block = as_block_operator(LinearOperator(A.shape, spoil, matmat=matmat, dtype=float))
        given = X.copy()
        first, second = block.product(given), block.product(-given)
        np.testing.assert_array_equal(given, X)
        np.testing.assert_allclose(first, A @ X)
        np.testing.assert_array_equal(first, -second)


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (np.ones(4), ValueError, "`A.matvec` must return shape (5,), got (4,)"),
        (np.ones((5, 5)), ValueError, "`A.matvec` must return shape (5,), got (5, 5)"),
        (1j * np.ones(5), TypeError, "`A` has dtype float64, but `A.matvec` returned complex128"),
        (np.array(["a"] * 5), TypeError, "`A.matvec` must return numbers"),
    ],
)
def test_a_wrong_product_is_named(returned, error, message):
    block = as_block_operator(LinearOperator((5, 5), lambda x: returned, dtype=float))
    with pytest.raises(error, match=re.escape(message)):
        block.product(np.ones((5, 2)))


def test_an_operator_without_adjoint_says_so():
    block = as_block_operator(LinearOperator((5, 4), lambda x: np.ones(5), dtype=float))
    with pytest.raises(TypeError, match="`A` must have `rmatvec`"):
        block.adjoint(np.ones((5, 2)))


def test_errors_of_the_operator_are_not_swallowed():
    def fail(x):
        raise RuntimeError("disk full")

    block = as_block_operator(LinearOperator((5, 5), fail, dtype=float))
    with pytest.raises(RuntimeError, match="disk full"):
        block.product(np.ones((5, 2)))


def test_bad_matrices_are_refused(rng):
    A = scipy.sparse.csr_array(np.eye(4))
    with pytest.raises(ValueError, match="two axes"):
        as_block_operator(np.ones(3))
    with pytest.raises(ValueError, match="NaN"):
        as_block_operator(A * np.nan)
    with pytest.raises(ValueError, match="NaN"):
        as_block_operator(np.full((2, 2), np.inf))
    with pytest.raises(TypeError, match="`A` must hold numbers"):
        as_block_operator(np.array([["a"]]))
    with pytest.raises(ValueError, match=re.escape("a block of shape (4, b) is needed")):
        as_block_operator(A).product(np.ones((3, 2)))
    # The kernel would read foreign memory.
    A.indices[1] = 1000
    with pytest.raises(ValueError, match="valid sparse matrix"):
        as_block_operator(A)


def test_a_wrapped_matrix_is_that_matrix(rng):
    A = scipy.sparse.csr_array(np.eye(4))
    assert not isinstance(as_block_operator(aslinearoperator(A)), OperatorBlock)


def test_small_integers_do_not_overflow():
    A = scipy.sparse.coo_array((np.full(3, 100, np.int8), ([0, 0, 0], [0, 0, 0])), shape=(1, 1))
    assert as_block_operator(A).product(np.ones((1, 1)))[0, 0] == 300
