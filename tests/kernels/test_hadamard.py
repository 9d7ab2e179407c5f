"""Tiles of the Walsh-Hadamard transform, forwards and back."""

import numpy as np
import pytest
import scipy.sparse
from scipy.linalg import hadamard

from rnla._kernels.hadamard import (
    PANEL,
    SIDE,
    TILE,
    add_sampled_rows,
    add_sampled_vector,
    load_columns,
    load_csc,
    load_rows,
    spread_rows,
    store_rows,
)

SMALL = hadamard(SIDE).astype(float)


def transform(X):
    """H(4096) X through H(64) x H(64)."""
    n = X.shape[1]
    half = np.einsum("ab,cbn->can", SMALL, X.reshape(SIDE, SIDE, n))
    return np.einsum("ab,bcn->acn", SMALL, half).reshape(TILE, n)


def half_transform(X):
    n = X.shape[1]
    return np.einsum("ab,cbn->can", SMALL, X.reshape(SIDE, SIDE, n)).reshape(TILE, n)


def scratch(*shape):
    return np.zeros(np.prod(shape))


def test_reference_is_the_transform(rng):
    X = rng.standard_normal((TILE, 1))
    H = hadamard(TILE)
    np.testing.assert_allclose(transform(X), H @ X, atol=1e-10)


@pytest.mark.parametrize(("before", "rows"), [(0, 4096), (0, 1), (5, 4091), (100, 999), (4095, 1)])
def test_loads_agree(before, rows, rng):
    X = rng.standard_normal((rows, 50))
    signs = np.zeros(TILE)
    signs[before : before + rows] = rng.choice([-1.0, 1.0], rows)
    full = np.zeros((TILE, 33))
    full[before : before + rows] = X[:, 9:42]
    expected = half_transform(signs[:, None] * full)
    tiles = [rng.standard_normal(TILE * PANEL) for _ in range(3)]
    load_rows(X.reshape(-1), 50, 9, 33, before, rows, signs, tiles[0])
    load_columns(X.T.reshape(-1), rows, 9, 33, before, 0, rows, signs, tiles[1])
    csc = scipy.sparse.csc_array(X)
    place = csc.indptr[9:42].astype(np.int64)
    assert load_csc(
        csc.indptr, csc.indices, csc.data, 1, 9, 33, before, 0, rows, signs, place, tiles[2]
    )
    np.testing.assert_array_equal(place, csc.indptr[10:43])
    for tile in tiles:
        ours = tile.reshape(TILE, PANEL)[:, :33]
        np.testing.assert_allclose(ours, expected, atol=1e-12)
        np.testing.assert_array_equal(ours, tiles[0].reshape(TILE, PANEL)[:, :33])


@pytest.mark.parametrize("block", [0, 5, (1 << 40) + 3])
def test_sampled_rows_and_vectors(block, rng):
    X = rng.standard_normal((TILE, 3))
    signs = rng.choice([-1.0, 1.0], TILE)
    low = np.sort(rng.choice(TILE, 200, replace=False))
    low = low[np.argsort(low % SIDE, kind="stable")]
    high = rng.integers(0, 1 << 50, 200, dtype=np.uint64)
    flips = 1.0 - 2.0 * (np.bitwise_count(high & np.uint64(block)) & 1)
    expected = flips[:, None] * transform(signs[:, None] * X)[low]

    tile, out = scratch(TILE, PANEL), scratch(200, PANEL)
    load_rows(X.reshape(-1), 3, 0, 3, 0, TILE, signs, tile)
    starts = np.searchsorted(low % SIDE, np.arange(SIDE + 1))
    add_sampled_rows(tile, 3, block, starts, low // SIDE, high, scratch(SIDE, PANEL), out)
    ours = out.reshape(200, PANEL)
    np.testing.assert_allclose(ours[:, :3], expected, atol=1e-11)
    assert not ours[:, 3:].any()

    for column in range(3):
        vector = np.zeros(200)
        add_sampled_vector(X[:, column], 0, block, signs, low, high, scratch(TILE), vector)
        np.testing.assert_array_equal(vector, ours[:, column])


def test_spread_and_store_are_the_adjoint(rng):
    d, block = 200, 9
    low = rng.integers(0, TILE, d)
    high = rng.integers(0, 1 << 20, d, dtype=np.uint64)
    flips = 1.0 - 2.0 * (np.bitwise_count(high & np.uint64(block)) & 1)
    signs = rng.choice([-1.0, 1.0], TILE)
    Y = rng.standard_normal((d, 5))
    spread = np.zeros((TILE, 3))
    np.add.at(spread, low, flips[:, None] * Y[:, 1:4])
    expected = signs[:, None] * transform(spread)
    tile, out = scratch(TILE, PANEL), np.zeros((1000, 5))
    spread_rows(Y, 1, 3, block, low, high, tile)
    store_rows(tile, 1, 3, 77, signs, scratch(SIDE, PANEL), out)
    np.testing.assert_allclose(out[:, 1:4], expected[77:1077], atol=1e-11)
    assert not out[:, [0, 4]].any()
