"""Orthonormal blocks: a few roundoffs for every scale and rank, and the right span."""

import numpy as np
import pytest
from cases import all_dtypes, random_matrix

from rnla.linalg.orth import orthonormal_block, random_block


def defect(Q, M=None):
    return np.abs(Q.conj().T @ (Q if M is None else M @ Q) - np.eye(Q.shape[1])).max(initial=0)


def missed(X, Q):
    """The largest part of a unit column of X outside the span of Q, in units of roundoff."""
    X = X / np.abs(X).max(axis=0)
    X = X / np.linalg.norm(X, axis=0)
    return np.linalg.norm(X - Q @ (Q.conj().T @ X), axis=0).max() / np.finfo(X.dtype).eps


def extreme_block(rng, n, dtype):
    """Columns over the whole range of scales, some of them dependent or zero."""
    X = random_matrix(rng, (n, 8), dtype)
    X[:, 3] = X[:, 1]
    X[:, 5] = X[:, 0] + 1e-3 * X[:, 2]
    reach = 150 if X.real.dtype == np.float64 else 18
    X *= np.logspace(-reach, reach, 8)
    X[:, 7] = 0
    return X


@all_dtypes
def test_extreme_blocks(rng, dtype):
    eps = np.finfo(dtype).eps
    X = extreme_block(rng, 200, dtype)
    Q = orthonormal_block(X)
    assert Q.dtype == dtype
    assert Q.shape == (200, 5)
    assert defect(Q) < 10 * eps
    assert missed(X[:, :7], Q) < 1000
    V = np.linalg.qr(random_matrix(rng, (200, 30), dtype))[0]
    # Half in the span of the basis, up to the last digits.
    X[:, :2] = V[:, :2] + 10 * eps * X[:, 6:] / np.linalg.norm(X[:, 6])
    W = orthonormal_block(X, V, rng=rng)
    assert W.shape == (200, 8)
    assert defect(np.hstack([V, W])) < 20 * eps


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_graded_dependence(rng, dtype):
    """Columns that differ by less and less: Cholesky must give up before it is wrong."""
    base = random_matrix(rng, (100, 1), dtype)
    X = base + random_matrix(rng, (100, 12), dtype) * 10.0 ** -np.arange(12)
    V = np.linalg.qr(np.hstack([random_matrix(rng, (100, 5), dtype), base]))[0]
    for basis in (None, V):
        Q = orthonormal_block(X, basis)
        full = Q if basis is None else np.hstack([basis, Q])
        assert Q.shape[1] == 12
        assert defect(full) < 1e-14
        assert missed(X, full) < 1000


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_inner_product(rng, dtype):
    F = random_matrix(rng, (60, 60), dtype) * np.logspace(0, -3, 60)[:, None]
    M = 1e-12 * (F.conj().T @ F)
    X = extreme_block(rng, 60, dtype)
    V = orthonormal_block(random_matrix(rng, (60, 9), dtype), inner=lambda Z: M @ Z)
    Q = orthonormal_block(X, V, inner=lambda Z: M @ Z, basis_image=M @ V)
    again = orthonormal_block(X, V, inner=lambda Z: M @ Z, rng=rng)
    assert Q.shape[1] == 5
    assert again.shape[1] == 8
    scale = np.linalg.norm(M, 2) * max(np.linalg.norm(Z, 2) for Z in (V, Q, again)) ** 2
    assert defect(np.hstack([V, Q]), M) < 10 * 2.2e-16 * scale
    assert defect(np.hstack([V, again]), M) < 10 * 2.2e-16 * scale


def test_an_ill_conditioned_inner_product_with_little_room_left(rng):
    F = np.linalg.qr(rng.standard_normal((40, 40)))[0]
    M = (F * np.logspace(0, -7, 40)) @ F.T
    M = (M + M.T) / 2
    V = orthonormal_block(rng.standard_normal((40, 38)), inner=M.__matmul__)
    for fill in (None, rng):
        Q = orthonormal_block(rng.standard_normal((40, 9)), V, inner=M.__matmul__, rng=fill)
        full = np.hstack([V, Q])
        assert Q.shape[1] == 2 if fill is not None else Q.shape[1] <= 2
        assert defect(full, M) < 10 * 2.2e-16 * np.linalg.norm(full, 2) ** 2


@pytest.mark.parametrize("dependent", [False, True])
def test_a_block_that_was_projected_before(rng, dependent):
    V = np.linalg.qr(rng.standard_normal((50, 12)))[0]
    X = rng.standard_normal((50, 4))
    X = V @ rng.standard_normal((12, 4)) + 1e-6 * X
    once = X - V @ (V.T @ X)
    once[:, 3] = once[:, 2] + (0 if dependent else 1e-9) * once[:, 3]
    Q = orthonormal_block(once, V, projections=1)
    assert Q.shape[1] == 4 - dependent
    assert defect(np.hstack([V, Q])) < 1e-14


def test_noise_is_dropped_by_the_scale_of_the_operator(rng):
    X = rng.standard_normal((50, 4)) * [1.0, 1e-17, 1.0, 1e-16]
    assert orthonormal_block(X, floor=1e-14).shape == (50, 2)
    assert orthonormal_block(X).shape == (50, 4)
    assert orthonormal_block(X * 1e-200, floor=1e-214).shape == (50, 2)


def test_no_room_left(rng):
    V = np.linalg.qr(rng.standard_normal((6, 4)))[0]
    Q = orthonormal_block(rng.standard_normal((6, 5)), V, rng=rng)
    assert Q.shape == (6, 2)
    assert defect(np.hstack([V, Q])) < 1e-14
    full = np.hstack([V, Q])
    assert orthonormal_block(rng.standard_normal((6, 3)), full, rng=rng).shape == (6, 0)
    assert orthonormal_block(np.zeros((6, 3))).shape == (6, 0)


def test_one_direction_left_for_many_columns(rng):
    """The rest of a column is then rounding error, which must not pass for a direction."""
    for n in (6, 16, 58):
        V = np.linalg.qr(random_matrix(rng, (n, n - 1), complex))[0]
        noise = random_matrix(rng, (n, 5), complex) * 10.0 ** -np.arange(11, 16)
        Q = orthonormal_block(V @ random_matrix(rng, (n - 1, 5), complex) + noise, V)
        assert Q.shape[1] <= 1
        assert defect(np.hstack([V, Q])) < 1e-14


def test_zero_columns_become_random_ones(rng):
    first = orthonormal_block(np.zeros((40, 3)), rng=np.random.default_rng(1))
    second = orthonormal_block(np.zeros((40, 3)), rng=np.random.default_rng(1))
    assert defect(first) < 1e-14
    np.testing.assert_array_equal(first, second)


def test_an_orthonormal_block_is_left_alone(rng):
    Q = np.linalg.qr(rng.standard_normal((80, 7)))[0]
    np.testing.assert_allclose(orthonormal_block(Q), Q, atol=1e-14)


def test_nan_is_an_error():
    with pytest.raises(np.linalg.LinAlgError, match="NaN"):
        orthonormal_block(np.array([[1.0], [np.nan]]))


def test_an_indefinite_inner_product_is_an_error(rng):
    M = np.diag([1.0, -1.0, 1.0, -1.0])
    Q = orthonormal_block(np.eye(4)[:, :2], inner=lambda Z: M @ Z)
    assert Q.shape[1] == 1


def test_random_blocks_have_the_dtype_asked_for(rng):
    assert random_block(rng, (3, 2), np.complex64).dtype == np.complex64
    assert random_block(rng, (3, 2), np.float32).dtype == np.float32
