"""Tiles of the kernel for dense matrices: every layout that some processor has, on this one."""

import numba
import numpy as np
import pytest
from cases import random_matrix

from rnla._kernels._tile import tile_product
from rnla.eigen import solve
from rnla.linalg import skinny

ROWS = {4: 3, 8: 6, 16: 5}


def compiled(multiply):
    @numba.njit
    def call(A, X, Y, i, start, stop, n, lanes):
        multiply(A, X, Y, i, start, stop, n, lanes)

    return call


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("widest", [4, 8, 16])
@pytest.mark.parametrize("transposed", [False, True])
def test_a_tile_adds_its_own_rows_and_columns_alone(rng, dtype, widest, transposed):
    call = compiled(tile_product(ROWS, widest, transposed=transposed))
    A = random_matrix(rng, (9, 40), dtype)
    for lanes, rows in ROWS.items():
        own, columns = slice(2, 2 + rows), slice(3, 38)
        X = random_matrix(rng, (9 if transposed else 40, lanes), dtype)
        Y = random_matrix(rng, (40 if transposed else 9, lanes), dtype)
        exact, part = Y.astype(np.longdouble), A[own, columns].astype(np.longdouble)
        if transposed:
            exact[columns] += part.T @ X[own]
        else:
            exact[own] += part @ X[columns]
        call(A.reshape(-1), X.reshape(-1), Y.reshape(-1), 2, 3, 38, 40, lanes)
        bound = 50 * np.finfo(dtype).eps * (1 + np.abs(exact)).max()
        np.testing.assert_allclose(Y.astype(float), exact.astype(float), rtol=0, atol=bound)


@pytest.mark.parametrize(
    ("widest", "dtype", "columns"),
    [(8, np.float64, 8), (8, np.float32, 16), (16, np.float64, 16), (16, np.float32, 16)],
)
def test_a_search_multiplies_no_more_columns_than_one_reading_does(
    rng, monkeypatch, widest, dtype, columns
):
    monkeypatch.setattr(skinny.skinny, "WIDEST", widest)
    assert skinny.columns_in_one_reading(dtype) == columns
    A, d = random_matrix(rng, (1000, 1000), dtype), np.exp(-np.arange(1000) / 300).astype(dtype)
    H = (A + A.T) * d * d[:, None]
    for k, width in ((2, columns // 2), (2 * columns, columns)):
        result = solve(H, k, which="LA", method="lanczos", verify=False, tol=1e-2)
        assert result.n_matvec == width * result.n_passes
