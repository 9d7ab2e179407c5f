"""Sparse matrices whose arrays have gaps: the real part of a complex one is a view."""

import eigen_cases as cases
import numpy as np
import pytest
import scipy.sparse

import rnla
from rnla.linalg.block import SparseBlock
from rnla.trace import diag, trace

EPS = np.finfo(float).eps


def strided(A):
    """The same numbers between others that must not be seen."""
    B = A.astype(np.result_type(A.dtype, np.complex64))
    B.data = B.data + 7j
    C = B.real
    assert not C.data.flags.c_contiguous
    return C


def symmetric(rng, n=900):
    return cases.block_diagonal(np.exp(-np.arange(n) / 40), rng)


@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.csc_array])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 9, 16])
def test_products(kind, width, rng):
    A = kind(scipy.sparse.random_array((70, 50), density=0.2, rng=rng))
    block = SparseBlock(strided(A))
    X, Y = rng.standard_normal((50, width)), rng.standard_normal((70, width))
    np.testing.assert_allclose(block.product(X), A @ X, rtol=0, atol=1e-13)
    np.testing.assert_allclose(block.adjoint(Y), A.T @ Y, rtol=0, atol=1e-13)
    gaps = A.copy()
    gaps.indices = np.repeat(A.indices, 2)[::2]
    gaps.indptr = np.repeat(A.indptr, 2)[::2]
    np.testing.assert_allclose(SparseBlock(gaps).product(X), A @ X, rtol=0, atol=1e-13)


@pytest.mark.parametrize("k", [2, 5, 12, 24])
def test_eigenvalues_and_singular_values(k, rng):
    A = symmetric(rng)
    wanted = np.exp(-np.arange(k) / 40)
    w = rnla.eigsh(strided(A), k, which="LA", rng=rng)[0]
    assert np.abs(w[::-1] - wanted).max() < 100 * EPS
    sigma = rnla.svds(strided(A), k, rng=rng)[1]
    assert np.abs(np.sort(sigma)[::-1] - wanted).max() < 100 * EPS


def test_traces(rng):
    A = symmetric(rng, 600)
    exact = A.trace()
    assert abs(trace(strided(A), rng=rng).value - exact) < 1e-2 * exact
    np.testing.assert_allclose(
        diag(strided(A), rng=0).value, diag(A, rng=0).value, rtol=0, atol=1e-12
    )
