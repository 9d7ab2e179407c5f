"""Products of a small matrix with dense and CSR blocks."""

import numpy as np
import pytest
import scipy.sparse

from rnla._kernels import products


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 13, 16])
@pytest.mark.parametrize("transposed", [False, True])
def test_sums_run_in_the_order_of_rows(rows, dtype, transposed, rng):
    tile = np.zeros((16, 8), dtype)
    tile[:rows, :6] = rng.standard_normal((rows, 6))
    A = rng.standard_normal((rows, 70)).astype(dtype)
    out = rng.standard_normal((8, products.PANEL)).astype(dtype)
    expected = out.copy()
    for i in range(rows):
        expected[:, :50] += tile[i][:, None] * A[i, 11:61]
    given = np.ascontiguousarray(tile.T).T if transposed else tile
    products.add_products(given, A.reshape(-1), 70, 11, 50, rows, out.reshape(-1))
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_csr_sums_run_in_the_order_of_rows(dtype, rng):
    A = scipy.sparse.random_array((30, 9), density=0.3, format="csr", rng=rng).astype(dtype)
    tile = rng.standard_normal((32, 5))
    out = np.zeros((9, 5), dtype)
    products.add_csr_products(A.indptr, A.indices, A.data, tile, out)
    expected = np.zeros((9, 5), dtype)
    for i in range(30):
        expected += A.toarray()[i][:, None] * tile[i]
    np.testing.assert_array_equal(out, expected)
