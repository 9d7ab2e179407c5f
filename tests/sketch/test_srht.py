"""The subsampled randomized Hadamard transform against its definition."""

import numpy as np
import pytest
import scipy.sparse
from scipy import stats
from scipy.linalg import hadamard

from rnla.sketch import SRHT
from rnla.sketch._srht import _sample_rows

KEY = np.array([7, 11], np.uint64)


def hadamard_rows(rows, columns):
    """Entries of the Walsh-Hadamard matrix of any order."""
    parity = np.bitwise_count(np.uint64(rows)[:, None] & np.uint64(columns)) & 1
    return 1.0 - 2.0 * parity


def split(S):
    """Return the sampled rows of H and the signs of the columns, read off the first row of S."""
    d, m = S.shape
    rows = _sample_rows(S.key, d, 1 << (m - 1).bit_length())
    H = hadamard_rows(rows, np.arange(m))
    return H, np.sign(S.T @ np.eye(d)[:, 0]) * H[0]


def test_reference_is_the_hadamard_matrix():
    np.testing.assert_array_equal(hadamard_rows(np.arange(64), np.arange(64)), hadamard(64))


@pytest.mark.parametrize(
    ("d", "m"), [(1, 1), (2, 2), (3, 5), (40, 64), (40, 100), (128, 128), (50, 4096), (60, 5000)]
)
def test_definition(d, m):
    S = SRHT(d, m, KEY)
    H, signs = split(S)
    assert len(np.unique(H, axis=0)) == d
    dense = H * signs / np.sqrt(d)
    np.testing.assert_allclose(S.todense(), dense, rtol=1e-15)
    X = np.random.default_rng(d).standard_normal((m, 70))
    scale = np.linalg.norm(dense) * np.linalg.norm(X)
    for block in (X, X[:, :3], X[:, 0]):
        assert np.abs(S @ block - dense @ block).max() <= 1e-15 * scale
    Y = np.random.default_rng(m).standard_normal((d, 70))
    assert np.abs(S.T @ Y - dense.T @ Y).max() <= 1e-15 * np.linalg.norm(dense) * np.linalg.norm(Y)


def test_all_rows_are_an_orthogonal_matrix():
    S = SRHT.draw(256, 200, rng=0)
    np.testing.assert_allclose(S.T @ S.todense(), np.eye(200), atol=1e-14)


def test_signs_do_not_depend_on_the_height():
    short, tall = SRHT(4, 4096, KEY), SRHT(4, 4097, KEY)
    ours, theirs = split(short)[1], split(tall)[1][:4096]
    np.testing.assert_array_equal(ours, theirs)
    assert abs(ours.sum()) < 6 * 64


@pytest.mark.parametrize("d", [1, 3, 8, 9, 15, 16])
def test_rows_are_uniform_without_replacement(d, rng):
    draws = 4000
    counts = np.zeros(16)
    for _ in range(draws):
        rows = _sample_rows(rng.integers(0, 2**32, 2, dtype=np.uint64), d, 16)
        assert len(np.unique(rows)) == d
        counts[rows] += 1
    if d == 16:
        np.testing.assert_array_equal(counts, draws)
        return
    expected = draws * d / 16
    statistic = np.sum((counts - expected) ** 2) / (expected * (1 - d / 16)) * 15 / 16
    assert stats.chi2.sf(statistic, 15) > 1e-9


def test_rows_beyond_32_bits():
    rows = _sample_rows(KEY, 1000, 1 << 50)
    assert rows.max() > 1 << 49
    assert rows.min() < 1 << 48


def test_tall_matrix_in_pieces(rng):
    # Rows far from the start: their tile has an index of more than 12 bits.
    m = 1 << 40
    S = SRHT.draw(30, m, rng=rng)
    start = (1 << 39) + 4096 * 12345
    block = rng.standard_normal((5000, 20))
    out = S.accumulate(block, start, np.zeros((30, 20)))
    rows = _sample_rows(S.key, 30, m)
    H = hadamard_rows(rows, start + np.arange(5000))
    signs = np.sign(S.accumulate(np.eye(5000), start, np.zeros((30, 5000)))[0]) * H[0]
    np.testing.assert_allclose(out, H * signs @ block / np.sqrt(30), atol=1e-12)


def test_empty_tiles_of_a_sparse_matrix_are_skipped(rng):
    X = scipy.sparse.random_array((40_000, 90), density=1e-5, rng=rng, format="csc")
    S = SRHT.draw(50, 40_000, rng=rng)
    np.testing.assert_array_equal(S @ X, S @ X.toarray())
