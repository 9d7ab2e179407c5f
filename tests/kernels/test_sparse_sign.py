"""Stacked sparse sign matrices applied to blocks, against sums written out."""

import numpy as np
import pytest
import scipy.sparse

from rnla._kernels import sparse_sign, sparse_sign_csr


@pytest.fixture
def stack(rng):
    """Three stacked blocks of six rows, 40 columns."""
    rows = rng.integers(0, 6, (3, 40)) + 6 * np.arange(3)[:, None]
    signs = rng.integers(0, 2, (3, 40))
    return (rows << 1 | signs).astype(np.int32)


def expected(packed, scale, first, last, A):
    out = np.zeros((18, A.shape[1]), A.dtype)
    for i in range(packed.shape[1]):
        for entry in packed[first:last, i]:
            out[entry >> 1] += scale * (1 - 2 * (entry & 1)) * A[i]
    return out


@pytest.mark.parametrize(("first", "last"), [(0, 3), (1, 3), (2, 2)])
def test_scatters_agree(stack, first, last, rng):
    A = rng.standard_normal((40, 100))
    sums = expected(stack, 0.5, first, last, A)
    panel = np.zeros(18 * sparse_sign.PANEL)
    sparse_sign.scatter_panel(A.reshape(-1), 100, 30, stack, 0.5, first, last, panel)
    np.testing.assert_array_equal(panel.reshape(18, -1), sums[:, 30:94])
    rowwise = np.zeros(18 * 100)
    sparse_sign.scatter_rows(A.reshape(-1), stack, 0.5, 6 * first, 6 * last, rowwise)
    np.testing.assert_array_equal(rowwise.reshape(18, 100), sums)
    csr = scipy.sparse.csr_array(A)
    out = np.zeros((18, 100))
    sparse_sign_csr.scatter_csr(csr.indptr, csr.indices, csr.data, stack, 0.5, first, last, out)
    np.testing.assert_array_equal(out, sums)


def test_scatter_rows_leaves_the_other_rows_alone(stack, rng):
    A = rng.standard_normal((40, 100))
    out = np.zeros(18 * 100)
    sparse_sign.scatter_rows(A.reshape(-1), stack, 0.5, 4, 9, out)
    whole = expected(stack, 0.5, 0, 3, A)
    np.testing.assert_array_equal(out.reshape(18, 100)[4:9], whole[4:9])
    assert not out.reshape(18, 100)[:4].any()
    assert not out.reshape(18, 100)[9:].any()


def test_pack_columns(rng):
    A = rng.standard_normal((40, 30))
    piece = np.zeros((12, 8))
    sparse_sign.pack_columns(A.T, 5, 7, 20, 31, piece)
    np.testing.assert_array_equal(piece[:11, :7], A[20:31, 5:12])
    assert not piece[11:].any()


def test_gather_rows(stack, rng):
    Y = rng.standard_normal((18, 5))
    out = np.empty((40, 5))
    sparse_sign.gather_rows(Y, stack, 0.5, out)
    dense = expected(stack, 0.5, 0, 3, np.eye(40))
    np.testing.assert_allclose(out, dense.T @ Y, rtol=1e-14)
