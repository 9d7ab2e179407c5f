"""One step of block Gram-Schmidt on a small basis."""

import numpy as np
import pytest

from rnla.linalg.expansion import expanded, is_small
from rnla.linalg.orth import orthonormal_block

# Blocks for BLAS, by columns and whole, and for the kernel, with more rows than it takes at a time.
SIZES = [(1, 1, 4), (50, 1, 1), (300, 40, 1), (300, 40, 2), (300, 40, 3), (300, 40, 5)]
SIZES += [(300, 40, 4), (90, 60, 8), (5000, 23, 4), (200, 40, 16)]


def normal(rng, shape, dtype):
    X = rng.standard_normal(shape)
    return (X + 1j * rng.standard_normal(shape) if np.dtype(dtype).kind == "c" else X).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize(("n", "m", "b"), SIZES)
def test_the_parts_add_up_and_the_block_is_orthonormal(dtype, n, m, b, rng):
    eps = float(np.finfo(dtype).eps)
    V = np.asfortranarray(orthonormal_block(normal(rng, (n, m), dtype)))
    W = normal(rng, (n, b), dtype)
    recent = max(0, m - 2 * b)
    step = expanded(W, V, recent, 10 * eps)
    H = step.H.copy()
    H[recent:] += step.near
    scale = 20 * eps * np.linalg.norm(W)
    assert np.linalg.norm(V @ H + step.remainder - W) < scale
    assert np.linalg.norm(V.conj().T @ step.remainder) < scale
    assert step.length == pytest.approx(np.linalg.norm(W, axis=0).max(), rel=20 * eps)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("condition", [1.0, 3.0, 1e6])
@pytest.mark.parametrize("b", [3, 8])
def test_what_a_lanczos_step_leaves_becomes_the_next_block(dtype, condition, b, rng):
    """W lies in the last vectors but for columns that may be nearly dependent."""
    n, m = 200, 30
    eps = float(np.finfo(dtype).eps)
    V = np.asfortranarray(orthonormal_block(normal(rng, (n, m), dtype)))
    rest = orthonormal_block(normal(rng, (n, b), dtype), V)
    left, right = (np.linalg.qr(rng.standard_normal((b, b)))[0] for _ in range(2))
    mixture = (left * np.geomspace(1, 1 / condition, b)) @ right
    W = V[:, -2 * b :] @ normal(rng, (2 * b, b), dtype) + rest @ mixture
    block = expanded(W, V, m - 2 * b, 10 * eps).block
    # Care is needed from some dependence on; what comes is orthonormal in any case.
    assert (block is not None) == (condition < 10)
    if block is not None:
        assert np.linalg.norm(block.conj().T @ block - np.eye(b)) < 20 * eps
        assert np.linalg.norm(V.conj().T @ block) < 100 * eps
        assert np.linalg.norm(rest @ (rest.conj().T @ block) - block) < 100 * eps


def test_noise_is_no_block(rng):
    n, m = 100, 20
    V = np.asfortranarray(orthonormal_block(rng.standard_normal((n, m))))
    W = V @ rng.standard_normal((m, 2)) + 1e-16 * rng.standard_normal((n, 2))
    assert expanded(W, V, m - 4, 1e-14).block is None


@pytest.mark.parametrize("size", [1e200, np.inf, np.nan, 0.0])
def test_what_leaves_the_range_is_no_block(size, rng):
    V = np.asfortranarray(orthonormal_block(rng.standard_normal((50, 5))))
    W = np.full((50, 2), size) * rng.choice([-1.0, 1.0], (50, 2))
    assert expanded(W, V, 3, 1e-15).block is None


def test_only_blocks_with_columns_are_small():
    assert is_small(np.empty((100, 20)), 4)
    assert not is_small(np.empty((100, 20)), 0)
    assert not is_small(np.empty((100_000, 100)), 4)


@pytest.mark.parametrize("rows", [29, 31])
@pytest.mark.parametrize("b", [1, 3, 4])
def test_blocks_of_another_length_are_refused(rows, b, rng):
    V = np.asfortranarray(orthonormal_block(rng.standard_normal((30, 5))))
    with pytest.raises(ValueError, match=r"a block of shape \(30, b\) is needed"):
        expanded(rng.standard_normal((rows, b)), V, 2, 1e-15)
