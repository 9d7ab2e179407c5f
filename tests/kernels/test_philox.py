"""The counter-based generator and what is drawn from it."""

import numpy as np
import pytest
from scipy import stats

from rnla._core.rng import philox_uint64
from rnla._kernels import philox

KEY = np.array([0xA4093822, 0x299F31D0], np.uint64)
TAG = np.uint64(77)
ONES = 0xFFFFFFFF


def philox_reference(counter, key):
    """Philox4x32-10 in Python integers, as published."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & ONES, (p0 >> 32) ^ c3 ^ k1, p0 & ONES
        k0, k1 = (k0 + 0x9E3779B9) & ONES, (k1 + 0xBB67AE85) & ONES
    return c0, c1, c2, c3


def words(row, block, tag=77, key=KEY):
    return philox_reference((row & ONES, row >> 32, block, tag), [int(word) for word in key])


KNOWN = {
    "zeros": ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    "ones": ([ONES] * 4, [ONES] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    "pi": (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_answers(name):
    counter, key, expected = KNOWN[name]
    out = np.empty((1, 4), np.uint64)
    philox.philox_words(np.array([counter], np.uint64), np.array(key, np.uint64), out)
    assert out[0].tolist() == expected
    assert list(philox_reference(counter, key)) == expected


def test_words_of_64_bits():
    start = (1 << 32) - 2
    expected = []
    for index in range(start, start + 5):
        w0, w1, _, _ = words(index, 0)
        expected.append((w0 << 32) | w1)
    assert philox_uint64(KEY, TAG, 5, start).tolist() == expected


@pytest.mark.parametrize("zeta", range(1, 9))
def test_sparse_stack_is_a_function_of_row_and_block(zeta):
    sizes = np.arange(5, 5 + zeta, dtype=np.uint64)
    offsets = np.cumsum(sizes) - sizes
    start = (1 << 32) - 3
    packed = np.empty((zeta, 9), np.int32)
    philox.fill_sparse_stack(KEY, TAG, np.uint64(start), sizes, offsets, packed)
    for block in range(zeta):
        for i in range(9):
            word = words(start + i, block // 4)[block % 4]
            row = ((word >> 1) * int(sizes[block]) >> 31) + int(offsets[block])
            assert packed[block, i] == (row << 1) | (word & 1)


def sign(group, index, bit):
    return 1 - 2 * (words(group, index)[(bit >> 5) & 3] >> (bit & 31) & 1)


@pytest.mark.parametrize("column", [0, 1, 31, 32, 100, 128, 250])
def test_signs_are_a_function_of_row_and_column(column):
    out = np.empty((2, 140))
    start = (1 << 32) - 1
    philox.fill_signs(KEY, TAG, np.uint64(start), column, out)
    for i in range(2):
        expected = [sign(start + i, c >> 7, c) for c in range(column, column + 140)]
        assert out[i].tolist() == expected


@pytest.mark.parametrize("start", [0, 1, 31, 32, 127, 128, (1 << 39) - 5])
def test_row_signs_are_a_function_of_the_row(start):
    out = np.empty(200, np.float32)
    philox.fill_row_signs(KEY, TAG, np.uint64(start), out)
    assert out.tolist() == [sign(row >> 7, 0, row) for row in range(start, start + 200)]


def normals_reference(row, quad):
    """Box-Muller, with the angle as the kernel takes it from the bits."""
    w = words(row, quad)
    out = []
    for u, v in (w[:2], w[2:]):
        radius = np.sqrt(-2 * np.log((u + 0.5) / 2**32))
        angle = ((v & (2**30 - 1)) + 0.5 - 2**29) * np.pi / 2**31
        x, y = np.cos(angle), np.sin(angle)
        if v >> 30 & 1:
            x, y = y, x
        flip = 1 - 2 * (v >> 31)
        out += [flip * radius * x, flip * radius * y]
    return out


@pytest.mark.parametrize("columns", [1, 2, 3, 4, 7, 300])
def test_normals_are_a_function_of_row_and_column(columns):
    start = (1 << 32) - 2
    out = np.empty((5, columns))
    philox.fill_normals(KEY, TAG, np.uint64(start), 8, out)
    for i in range(5):
        expected = np.ravel([normals_reference(start + i, 2 + q) for q in range(75)])[:columns]
        np.testing.assert_allclose(out[i], expected, rtol=1e-12, atol=1e-15)


def test_normals_are_normal(rng):
    out = np.empty((500, 402))
    philox.fill_normals(rng.integers(0, 2**32, 2, dtype=np.uint64), TAG, np.uint64(0), 0, out)
    flat = out.ravel()
    assert stats.kstest(flat, "norm").pvalue > 1e-9
    for power, expected, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)]:
        z = (np.mean(flat**power) - expected) / np.sqrt(variance / flat.size)
        assert abs(z) < 6.5
    # Numbers that share a Philox call are independent, in sign and in size.
    for power in (1, 2):
        columns = out[:, :400].reshape(-1, 4) ** power
        correlation = np.corrcoef(columns.T) - np.eye(4)
        assert np.abs(correlation).max() < 6.5 / np.sqrt(len(columns))


@pytest.mark.parametrize(("zeta", "d"), [(1, 10), (4, 64), (3, 50), (8, 24)])
def test_sparse_rows_are_uniform(zeta, d, rng):
    sizes = np.array([len(part) for part in np.array_split(np.arange(d), zeta)], np.uint64)
    offsets = np.cumsum(sizes) - sizes
    packed = np.empty((zeta, 40_000), np.int32)
    key = rng.integers(0, 2**32, 2, dtype=np.uint64)
    philox.fill_sparse_stack(key, TAG, np.uint64(0), sizes, offsets, packed)
    for block in range(zeta):
        low, high = int(offsets[block]), int(offsets[block] + sizes[block])
        counts = np.bincount(packed[block] >> 1, minlength=d)
        assert counts[low:high].sum() == 40_000
        assert stats.chisquare(counts[low:high]).pvalue > 1e-9
    signs = 1 - 2 * (packed & 1)
    correlation = signs @ signs.T / 40_000
    assert np.abs(signs.mean(axis=1)).max() < 6.5 / 200
    assert np.abs(correlation - np.eye(zeta)).max() < 6.5 / 200
