"""The one place that decides how rnla compiles a kernel."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])

# `reassoc` lets LLVM vectorise a dot product; `nnan` and `ninf` stay off because they
# would delete the NaN checks callers rely on.
_REDUCTION = {"reassoc", "contract", "nsz"}


def kernel(function: Function) -> Function:
    """Compile a serial kernel whose sums keep the order they are written in.

    Parameters
    ----------
    function : callable
        Arrays in, arrays out.

    Returns
    -------
    callable
        The compiled function, with the GIL released while it runs.
    """
    return _compile(function, fastmath=False)


def reduction_kernel(function: Function) -> Function:
    """Compile a serial kernel whose inner sums may be reordered by the compiler.

    Parameters
    ----------
    function : callable
        Arrays in, arrays out.

    Returns
    -------
    callable
        The compiled function, with the GIL released while it runs.
    """
    return _compile(function, fastmath=_REDUCTION)


def _compile(function: Function, fastmath: bool | set[str]) -> Function:
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}
    try:
        return njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError as error:
        # Numba finds no folder it may write to: slower start, same answers.
        if "no locator available" not in str(error):
            raise
        _warn_uncached(function.__module__)
        return njit(**options)(function)  # type: ignore[no-any-return]


_WARNED: list[str] = []


def _warn_uncached(module: str) -> None:
    if _WARNED:
        return
    _WARNED.append(module)
    warnings.warn(
        "Numba found no writable cache folder, so rnla compiles its kernels in every process; "
        "set NUMBA_CACHE_DIR to a writable folder",
        RuntimeWarning,
        stacklevel=4,
    )
