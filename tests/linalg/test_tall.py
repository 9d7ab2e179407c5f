"""Products of a tall basis with few columns: right for every layout, the same on any threads."""

from itertools import pairwise

import numpy as np
import pytest
from cases import random_matrix

from rnla.linalg import tall

SHAPES = [(50, 3, 2), (9001, 40, 4), (9001, 40, 8), (5000, 60, 16), (9001, 40, 5), (700, 300, 8)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize(("n", "m", "b"), SHAPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_is_left_and_what_is_combined(dtype, n, m, b, order, rng, threads):
    V = np.asfortranarray(random_matrix(rng, (n, m), dtype))
    X = np.asarray(random_matrix(rng, (n, b), dtype), order=order)
    H, before = random_matrix(rng, (m, b), dtype), X.copy()
    wide = np.clongdouble if np.dtype(dtype).kind == "c" else np.longdouble
    product = V.astype(wide) @ H.astype(wide)
    bound = (m + 4) * np.finfo(dtype).eps * (np.abs(V) @ np.abs(H) + np.abs(X))
    threads(3)
    rest, combination = tall.without(X, V, H), tall.combination(V, H)
    assert rest.dtype == combination.dtype == dtype
    assert (np.abs(rest - (X - product)) <= bound).all()
    assert (np.abs(combination - product) <= bound).all()
    np.testing.assert_array_equal(X, before)
    threads(1)
    np.testing.assert_array_equal(tall.without(X, V, H), rest)
    np.testing.assert_array_equal(tall.combination(V, H), combination)


@pytest.mark.parametrize(("x", "h"), [((99, 4), (50, 4)), ((100, 4), (49, 4)), ((100, 4), (50, 8))])
def test_what_does_not_fit_is_refused(x, h, rng):
    V = np.asfortranarray(rng.standard_normal((100, 50)))
    with pytest.raises(ValueError, match=r"blocks of shapes \(100, 4\) and \(50, 4\) are needed"):
        tall.without(rng.standard_normal(x), V, rng.standard_normal(h))


@pytest.mark.parametrize(
    ("n", "work", "count"),
    [
        (4000, 1e5, 1),
        (4000, 1e9, 7),
        (4000, 2e7, 2),
        (100_000, 2e7, 16),
        (9001, 2e6, 3),
        (300, 1e9, 1),
    ],
)
def test_rows_are_shared_out_where_it_pays(n, work, count):
    parts = tall.row_parts(n, work)
    assert len(parts) == count
    assert parts[0][0] == 0
    assert parts[-1][1] == n
    assert all(stop == start for (_, stop), (start, _) in pairwise(parts))
