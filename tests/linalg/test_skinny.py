"""Dense matrices times few columns: as accurate as BLAS for every shape and layout."""

import numpy as np
import pytest
from cases import random_matrix

from rnla.linalg import skinny, tall
from rnla.linalg.block import DenseBlock

SHAPES = [(1, 1), (15, 3), (16, 1), (17, 1024), (33, 1025), (400, 5), (531, 2050), (1030, 77)]
reals = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@reals
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("width", [1, 2, 4, 5, 8, 11, 16])
def test_every_entry_is_right(rng, dtype, shape, width):
    A, X = random_matrix(rng, shape, dtype), random_matrix(rng, (shape[1], width), dtype)
    found = skinny.multiply_skinny(A, np.asfortranarray(X))
    exact = A.astype(np.longdouble) @ X.astype(np.longdouble)
    bound = (shape[1] + 2) * np.finfo(dtype).eps * (np.abs(A) @ np.abs(X))
    assert (found.shape, found.dtype) == (exact.shape, dtype)
    assert (np.abs(found - exact) <= bound).all()
    Y = random_matrix(rng, (shape[0], width), dtype)
    found = skinny.multiply_skinny_transposed(A, Y)
    exact = A.T.astype(np.longdouble) @ Y.astype(np.longdouble)
    bound = (shape[0] + 2) * np.finfo(dtype).eps * (np.abs(A).T @ np.abs(Y))
    assert (found.shape, found.dtype) == (exact.shape, dtype)
    assert (np.abs(found - exact) <= bound).all()


def test_a_column_has_the_same_bits_in_every_company(rng, threads):
    A, X = rng.standard_normal((1500, 700)), rng.standard_normal((700, 16))
    Y = rng.standard_normal((1500, 16))
    threads(1)
    products = skinny.multiply_skinny(A, X), skinny.multiply_skinny_transposed(A, Y)
    threads(3)
    for width in (2, 7, 16):
        found = skinny.multiply_skinny(A, X[:, :width])
        np.testing.assert_array_equal(found, products[0][:, :width])
        found = skinny.multiply_skinny_transposed(A, Y[:, :width])
        np.testing.assert_array_equal(found, products[1][:, :width])


def test_only_the_column_with_nan_is_spoilt(rng):
    A, X = rng.standard_normal((50, 40)), rng.standard_normal((40, 5))
    X[7, 2] = np.nan
    found = skinny.multiply_skinny(A, X)
    np.testing.assert_array_equal(np.isnan(found).any(axis=0), [False, False, True, False, False])
    assert np.isnan(found[:, 2]).all()


@reals
@pytest.mark.parametrize("order", ["C", "F"])
def test_blocks_multiply_the_right_way_round(rng, monkeypatch, dtype, order):
    for limit in ("_LEAST_BYTES", "_LEAST_ROWS", "_LEAST_COLUMNS"):
        monkeypatch.setattr(skinny, limit, 0)
    A = np.asarray(random_matrix(rng, (90, 70), dtype), order=order)
    H = np.asarray(A @ A.T, order=order)
    tolerance = 100 * np.finfo(dtype).eps * np.linalg.norm(H)
    calls = []
    for name in ("multiply_skinny", "multiply_skinny_transposed"):
        multiply = getattr(skinny, name)
        monkeypatch.setattr(
            skinny,
            name,
            lambda A, X, name=name, multiply=multiply: calls.append(name) or multiply(A, X),
        )
    for width in (2, 8):
        X, Y = random_matrix(rng, (70, width), dtype), random_matrix(rng, (90, width), dtype)
        np.testing.assert_allclose(DenseBlock(A).product(X), A @ X, atol=tolerance)
        np.testing.assert_allclose(DenseBlock(A).adjoint(Y), A.T @ Y, atol=tolerance)
        np.testing.assert_allclose(DenseBlock(H).hermitian_product(Y), H @ Y, atol=tolerance)
    # One of the products with A or its adjoint is transposed, that with H never.
    assert sorted(calls) == 4 * ["multiply_skinny"] + 2 * ["multiply_skinny_transposed"]


def test_both_triangles_are_read(rng, monkeypatch):
    for limit in ("_LEAST_BYTES", "_LEAST_ROWS", "_LEAST_COLUMNS"):
        monkeypatch.setattr(skinny, limit, 0)
    A = random_matrix(rng, (80, 80), float)
    X = random_matrix(rng, (80, 4), float)
    found = DenseBlock(A).hermitian_product(X)
    np.testing.assert_allclose(found, A @ X, atol=1e-12)


def test_what_does_not_fit_is_refused():
    A = np.zeros((4, 3))
    for X in (np.zeros((4, 2)), np.zeros((3, 17)), np.zeros((3, 2), np.float32)):
        with pytest.raises(ValueError, match="a block of shape"):
            skinny.multiply_skinny(A, X)
    for wrong in (np.asfortranarray(A), A + 0j, A.astype(np.float16), A.astype(">f8")):
        with pytest.raises(ValueError, match="`A` must be float32 or float64 and C-ordered"):
            skinny.multiply_skinny(wrong, np.zeros((3, 2), wrong.dtype))
    with pytest.raises(ValueError, match=r"a block of shape \(4, b\)"):
        skinny.multiply_skinny_transposed(A, np.zeros((3, 2)))
    for few in (A + 0j, np.asfortranarray(A), A):
        assert not skinny.is_skinny(few, 4)


@reals
@pytest.mark.parametrize(("m", "width"), [(10, 16), (19, 8), (40, 4), (76, 2), (33, 13)])
def test_dots_with_a_basis(rng, dtype, m, width):
    V = np.asfortranarray(random_matrix(rng, (9001, m), dtype))
    for order in "CF":
        X = np.asarray(random_matrix(rng, (9001, width), dtype), order=order)
        bound = 200 * np.finfo(dtype).eps * (np.abs(V).T @ np.abs(X))
        assert (np.abs(tall.dots(V, X) - V.T.astype(float) @ X.astype(float)) <= bound).all()
    for wrong in (X[:-1], np.vstack([X, X])):
        with pytest.raises(ValueError, match=r"a block of shape \(9001, b\)"):
            tall.dots(V, wrong)
