"""Readings of whole arrays: the same answer for every layout, wherever the odd entry lies."""

import tracemalloc

import numpy as np
import pytest

from rnla._core import scan

ARRAYS = {
    "vector": lambda: np.zeros(3 << 19),
    "rows": lambda: np.zeros((1500, 1100)),
    "columns": lambda: np.zeros((1500, 1100), order="F"),
    "strided": lambda: np.zeros((1500, 2200))[:, ::-2],
    "transposed slice": lambda: np.zeros((2200, 1500))[::2].T,
    "wide": lambda: np.zeros((2, 1 << 20)),
    "three axes": lambda: np.zeros((7, 500, 400)),
    "single": lambda: np.zeros((1300, 1300), np.float32),
    "complex": lambda: np.zeros((1300, 900), complex),
    "other byte order": lambda: np.zeros((700, 300), np.dtype(float).newbyteorder()),
    "other order, complex": lambda: np.zeros((700, 300), np.dtype(complex).newbyteorder()),
    "half": lambda: np.zeros((700, 300), np.float16),
    "long": lambda: np.zeros((700, 300), np.longdouble),
    "small": lambda: np.zeros((3, 2)),
    "no axis": lambda: np.zeros(()),
}
arrays = pytest.mark.parametrize("kind", ARRAYS)


def places(array):
    last = tuple(size - 1 for size in array.shape)
    return [tuple(0 for _ in last), tuple(size // 2 for size in array.shape), last]


@arrays
def test_one_bad_entry_is_seen(kind):
    array = ARRAYS[kind]()
    for place in places(array):
        for bad in (np.nan, np.inf, -np.inf):
            array[place] = bad
            np.testing.assert_equal(scan.largest_entry(array), abs(bad))
            assert not scan.is_finite(array)
        array[place] = 0
    assert scan.largest_entry(array) == 0
    if array.ndim:
        first, *_, last = places(array)
        array[first], array[last] = np.nan, np.inf
        assert np.isnan(scan.largest_entry(array))


@arrays
def test_the_largest_entry_is_found(kind):
    array = ARRAYS[kind]()
    assert scan.largest_entry(array) == 0
    for size, place in enumerate(places(array), start=1):
        array[place] = size
        assert scan.largest_entry(array) == size
        array[place] = -size - 0.5
        assert scan.largest_entry(array) == size + 0.5
    if array.dtype.kind == "c":
        array[0, 0] = -9j
        assert scan.largest_entry(array) == 9


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64])
def test_integers_are_finite(dtype):
    array = np.zeros((700, 300), dtype)
    array[-1, 7] = 1
    assert scan.is_finite(array)
    assert scan.largest_entry(array) == 1


def test_the_ends_of_the_range(rng):
    for dtype in (np.float32, np.float64, np.complex128):
        limits = np.finfo(dtype)
        array = np.full((1 << 20, 2), limits.smallest_subnormal, dtype)
        assert scan.largest_entry(array) == limits.smallest_subnormal
        array[3] = -limits.max
        assert scan.largest_entry(array) == limits.max
        array[:] = limits.max
        assert scan.is_finite(array)
        assert scan.is_finite(array[:9])


def test_nothing_has_size_zero():
    for shape in ((0,), (0, 5), (5, 0), (0, 2, 2)):
        assert scan.largest_entry(np.zeros(shape)) == 0
        assert scan.is_finite(np.zeros(shape))


def test_a_strided_array_is_not_copied(rng):
    array = rng.standard_normal((2000, 2000))[:, ::2]
    expected = np.abs(array).max()
    tracemalloc.start()
    assert scan.largest_entry(array) == expected
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < array.nbytes // 4
