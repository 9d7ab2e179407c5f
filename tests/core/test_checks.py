"""The validation vocabulary."""

import numpy as np
import pytest

from rnla._core.checks import (
    as_inexact,
    check_finite_array,
    check_int,
    check_positive_float,
    inexact_dtype,
)


def test_integers():
    assert check_int(np.int32(3), "k", 1, 3) == 3
    assert type(check_int(np.uint8(3), "k", 1)) is int
    for value in (1.0, "1", None, True, np.bool_(True), np.ones(2)):
        with pytest.raises(TypeError, match="`k` must be an integer"):
            check_int(value, "k", 0)
    with pytest.raises(ValueError, match=r"`k` must be in 1\.\.3, got 4"):
        check_int(4, "k", 1, 3)
    with pytest.raises(ValueError, match="`k` must be at least 1, got 0"):
        check_int(0, "k", 1)


def test_floats():
    assert check_positive_float(np.float32(0.5), "tol") == 0.5
    assert check_positive_float(0, "tol") == 0.0
    for value in ("1", b"1", None, True, [1, 2], 1j):
        with pytest.raises(TypeError, match="`tol` must be a real number"):
            check_positive_float(value, "tol")
    for value in (-1e-300, np.nan, np.inf):
        with pytest.raises(ValueError, match="`tol` must lie in"):
            check_positive_float(value, "tol")
    with pytest.raises(ValueError, match=r"`tol` must lie in \[0, 1\)"):
        check_positive_float(1, "tol", below=1)


@pytest.mark.parametrize(
    ("given", "promoted"),
    [
        ("?", "f8"),
        ("i1", "f8"),
        ("u8", "f8"),
        ("f2", "f4"),
        ("f4", "f4"),
        ("f8", "f8"),
        ("c8", "c8"),
        ("c16", "c16"),
        (">f8", "f8"),
        (">c8", "c8"),
        (">i4", "f8"),
    ],
)
def test_dtypes(given, promoted):
    assert inexact_dtype(given, "A") == np.dtype(promoted)
    array = as_inexact(np.ones(3, given), "A")
    assert array.dtype == np.dtype(promoted)
    assert array.dtype.isnative


@pytest.mark.parametrize("dtype", ["O", "U2", "S2", "M8[s]", "m8[s]", "g", "G", "V3"])
def test_dtypes_that_hold_no_numbers(dtype):
    with pytest.raises(TypeError, match="`A` must hold numbers of type float32"):
        inexact_dtype(dtype, "A")


def test_supported_arrays_are_not_copied():
    for array in (np.ones((3, 4)), np.ones((3, 4), np.complex64).T, np.ones(9)[::2]):
        assert as_inexact(array, "A") is array


def test_masked_entries_are_not_read():
    data = np.ones((3, 4))
    masked = np.ma.masked_array(data, mask=np.eye(3, 4, dtype=bool))
    with pytest.raises(ValueError, match="`b` must not have masked entries"):
        as_inexact(masked, "b")
    unmasked = as_inexact(np.ma.masked_array(data), "b")
    assert type(unmasked) is np.ndarray
    assert np.array_equal(unmasked, data)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_finite(dtype):
    array = np.full((5, 4), np.finfo(dtype).max, dtype)
    check_finite_array(array, "A")
    check_finite_array(array[:0], "A")
    for bad in (np.nan, np.inf, -np.inf):
        array[3, 2] = bad
        for given in (array, array.T, array[::-1]):
            with pytest.raises(ValueError, match="`A` must not contain NaN or infinity"):
                check_finite_array(given, "A")
    array[3, 1:] = np.inf, -np.inf, 0
    with pytest.raises(ValueError, match="`A` must not contain NaN or infinity"):
        check_finite_array(array, "A")
