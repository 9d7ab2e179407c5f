"""The validation vocabulary: every bad argument gets one sentence that names it."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.scan import is_finite

KINDS = "float32, float64, complex64 or complex128"
_INEXACT = (np.float32, np.float64, np.complex64, np.complex128)


def check_int(value: Any, name: str, low: int, high: int | None = None) -> int:
    """Return `value` as an int in ``low..high`` or raise with the accepted range.

    Parameters
    ----------
    value : int
        The argument.
    name : str
        Its name in the caller's signature.
    low, high : int
        The accepted range, ends included; `high` None means no upper end.

    Returns
    -------
    int
        The value as a Python int.

    Raises
    ------
    TypeError
        If it is not an integer (floats and bools are not).
    ValueError
        If it lies outside the range.
    """
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"`{name}` must be an integer, got {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"`{name}` must be an integer, got {value!r}") from None
    if number < low or (high is not None and number > high):
        accepted = f"at least {low}" if high is None else f"in {low}..{high}"
        raise ValueError(f"`{name}` must be {accepted}, got {number}")
    return number


def check_positive_float(value: Any, name: str, *, below: float = np.inf) -> float:
    """Return `value` as a float with ``0 <= value < below`` or raise.

    Parameters
    ----------
    value : float
        The argument.
    name : str
        Its name in the caller's signature.
    below : float
        Upper end, excluded.

    Returns
    -------
    float
        The value as a Python float.

    Raises
    ------
    TypeError
        If it is not a real number.
    ValueError
        If it is NaN or lies outside the range.
    """
    if isinstance(value, (str, bytes, bool, np.bool_)):
        raise TypeError(f"`{name}` must be a real number, got {value!r}")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"`{name}` must be a real number, got {value!r}") from None
    if not 0 <= number < below:
        raise ValueError(f"`{name}` must lie in [0, {below}), got {number}")
    return number


def check_word(value: Any, name: str, words: tuple[str, ...]) -> str:
    """Return `value` if it is one of `words` or raise with the list.

    Parameters
    ----------
    value : str
        The argument.
    name : str
        Its name in the caller's signature.
    words : tuple of str
        The accepted values.

    Returns
    -------
    str
        The value.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if not isinstance(value, str) or value not in words:
        listed = ", ".join(map(repr, words))
        raise ValueError(f"`{name}` must be one of {listed}, got {value!r}")
    return value


def as_inexact(array: Any, name: str) -> NDArray[Any]:
    """Return `array` as an ndarray of a supported dtype, without a copy where it is one already.

    Parameters
    ----------
    array : array_like
        Integers and bools become float64, half precision float32.
    name : str
        Its name in the caller's signature.

    Returns
    -------
    ndarray
        In float32, float64, complex64 or complex128.

    Raises
    ------
    TypeError
        If the dtype is neither numeric nor one of those (object, str, long double).
    ValueError
        If entries are masked.
    """
    check_unmasked(array, name)
    try:
        result = np.asarray(array)
    except ValueError as error:
        raise ValueError(f"`{name}` must be an array: {error}") from None
    if result.dtype.isnative and result.dtype.type in _INEXACT:
        return result
    return result.astype(inexact_dtype(result.dtype, name))


def check_unmasked(array: Any, name: str) -> None:
    """Raise if entries are masked: NumPy would read what lies under the mask.

    Parameters
    ----------
    array : array_like
        The argument.
    name : str
        Its name in the caller's signature.

    Raises
    ------
    ValueError
        If it is a masked array with masked entries.
    """
    if np.ma.is_masked(array):
        raise ValueError(f"`{name}` must not have masked entries; fill them or leave them out")


def inexact_dtype(dtype: Any, name: str) -> np.dtype[Any]:
    """Return the supported dtype that `dtype` is promoted to.

    Parameters
    ----------
    dtype : dtype
        Of the argument.
    name : str
        Its name in the caller's signature.

    Returns
    -------
    dtype
        Float32, float64, complex64 or complex128.

    Raises
    ------
    TypeError
        If there is none.
    """
    dtype = np.dtype(dtype)
    if dtype.kind in "iub":
        return np.dtype(np.float64)
    if dtype == np.float16:
        return np.dtype(np.float32)
    native: np.dtype[Any] = dtype.newbyteorder("=")
    if native.type in _INEXACT:
        return native
    raise TypeError(f"`{name}` must hold numbers of type {KINDS}, got dtype {dtype}")


def check_finite_array(array: NDArray[Any], name: str) -> None:
    """Raise if an array holds NaN or infinity, reading it once.

    Parameters
    ----------
    array : ndarray
        Real or complex.
    name : str
        Its name in the caller's signature.

    Raises
    ------
    ValueError
        If an entry is NaN or infinite.
    """
    if not is_finite(array):
        raise ValueError(f"`{name}` must not contain NaN or infinity")
