"""Sums must not depend on where arrays lie: LLVM guards loops that store by checks of overlap.

Where such a check is too wide, neighbours in memory send a kernel to its scalar loop, which adds
up in another order. So a loop that reduces must not store.
"""

import numpy as np
import pytest
from lstsq_cases import gaussian

from rnla._kernels import small_lstsq, sweep, triangle

PLACEMENTS = 100
NO_WEIGHTS = np.empty(0)
REAL_AND_COMPLEX = [np.float64, np.complex128]


def placed(arrays, rng):
    """Copies of `arrays` in one block of memory, in random order with small random gaps."""
    gaps = 8 * rng.integers(0, 64, len(arrays))
    size = sum(a.nbytes for a in arrays) + gaps.sum() + 16 * (len(arrays) + 2)
    block = np.empty(size, np.uint8)
    # Complex entries lie at multiples of 16 bytes, as everywhere.
    position, copies = -block.ctypes.data % 16, [None] * len(arrays)
    for index in rng.permutation(len(arrays)):
        position += gaps[index] // 16 * 16
        array = arrays[index]
        copy = block[position : position + array.nbytes].view(array.dtype).reshape(array.shape)
        copy[...] = array
        copies[index] = copy
        position += -(-array.nbytes // 16) * 16
    return copies


def assert_placement_does_not_matter(kernel, arrays, rng):
    """`kernel(*arrays)` returns a number and changes arrays; all of it must stay the same."""
    seen = set()
    for _ in range(PLACEMENTS):
        copies = placed(arrays, rng)
        value = kernel(*copies)
        seen.add((repr(value), *(copy.tobytes() for copy in copies)))
    assert len(seen) == 1


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(7, 5), (2000, 40), (33, 2000)])
def test_rows(shape, dtype, residual, rng):
    m, n = shape
    A, x, b = gaussian(m, n, rng, dtype), rng.standard_normal(n), rng.standard_normal(m)
    assert_placement_does_not_matter(
        lambda A, x, b, sums: sweep.sweep_rows(A, x, b, NO_WEIGHTS, residual, sums),
        [A, x, b, np.zeros((sweep.LEVELS, n))],
        rng,
    )


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("shape", [(7, 5), (2000, 40)])
def test_rows_pair(shape, residual, rng):
    m, n = shape
    sums = np.zeros((sweep.LEVELS, 2, n))
    assert_placement_does_not_matter(
        lambda A, X, B, sums: sweep.sweep_rows_pair(A, X, B, NO_WEIGHTS, residual, sums),
        [gaussian(m, n, rng), gaussian(2, n, rng), gaussian(m, 2, rng), sums],
        rng,
    )


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("start", [0, 750, 4500])
@pytest.mark.parametrize("dtype", [np.float32, *REAL_AND_COMPLEX])
def test_columns(dtype, start, residual, rng):
    m, n = 6000, 10
    wide = np.result_type(dtype, np.float64)
    arrays = [
        gaussian(n, m, rng, dtype),
        gaussian(n, 1, rng, wide)[:, 0],
        gaussian(m, 1, rng, wide)[:, 0],
        np.zeros(256, wide),
        np.zeros((sweep.LEVELS, n), wide),
    ]
    assert_placement_does_not_matter(
        lambda AT, x, b, y, sums: sweep.sweep_columns(
            AT, start, start + 750, x, b, NO_WEIGHTS, residual, y, sums
        ),
        arrays,
        rng,
    )


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("dtype", REAL_AND_COMPLEX)
def test_csr(dtype, residual, rng):
    m, n, width = 3000, 60, 9
    arrays = [
        np.arange(0, m * width + 1, width, dtype=np.int32),
        rng.integers(0, n, m * width).astype(np.int32),
        gaussian(m * width, 1, rng, dtype)[:, 0],
        gaussian(n, 1, rng, dtype)[:, 0],
        gaussian(m, 1, rng, dtype)[:, 0],
        np.zeros((sweep.LEVELS, n), dtype),
    ]
    assert_placement_does_not_matter(
        lambda p, i, d, x, b, sums: sweep.sweep_csr(p, i, d, x, b, NO_WEIGHTS, residual, sums),
        arrays,
        rng,
    )


@pytest.mark.parametrize("dtype", REAL_AND_COMPLEX)
def test_csr_block(dtype, rng):
    m, n, width, k = 3000, 60, 9, 5
    arrays = [
        np.arange(0, m * width + 1, width, dtype=np.int32),
        rng.integers(0, n, m * width).astype(np.int32),
        gaussian(m * width, 1, rng, dtype)[:, 0],
        gaussian(n, k, rng, dtype),
        gaussian(m, k, rng, dtype),
        np.zeros(k, dtype),
        np.zeros(k),
        np.zeros((sweep.LEVELS, n * k), dtype),
    ]
    assert_placement_does_not_matter(
        lambda p, i, d, X, B, *out: sweep.sweep_csr_block(p, i, d, X, B, NO_WEIGHTS, True, *out),
        arrays,
        rng,
    )


@pytest.mark.parametrize("dtype", REAL_AND_COMPLEX)
@pytest.mark.parametrize("n", [3, 40, 200])
def test_triangles(n, dtype, rng):
    R = np.triu(gaussian(n, n, rng, dtype)) / np.sqrt(n) + 2 * np.eye(n)
    x = gaussian(n, 1, rng, dtype)[:, 0]
    L = np.ascontiguousarray(R.conj().T)
    assert_placement_does_not_matter(triangle.solve_upper, [R, x], rng)
    assert_placement_does_not_matter(triangle.solve_lower, [L, x], rng)
    for inverse in (False, True):
        assert_placement_does_not_matter(
            lambda R, L, x, inverse=inverse: triangle.stretch(R, L, x, 3, inverse), [R, L, x], rng
        )
    assert_placement_does_not_matter(sweep.multiply_rows, [R, x, np.zeros(n, dtype)], rng)


@pytest.mark.parametrize("shape", [(8, 3), (300, 20), (2000, 5)])
def test_tiny_problems(shape, rng):
    m, n = shape
    arrays = [
        gaussian(m, n, rng),
        rng.standard_normal(m),
        np.zeros((n + 1, m)),
        np.zeros((n, n)),
        np.zeros(n),
        np.zeros(3 * n + 3),
    ]
    assert_placement_does_not_matter(
        lambda A, b, W, R, x, info: small_lstsq.solve_small(A, b, 1e-14, W, R, x, info),
        arrays,
        rng,
    )
