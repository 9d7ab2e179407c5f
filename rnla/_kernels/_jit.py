"""The one place that decides how rnla compiles a kernel, and the prefetch that kernels share."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

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


def _prefetch_into(locality: int) -> Any:
    """Make the intrinsic ``prefetch(array, index)``, a hint that never faults."""

    def prefetch(typing_context, array, index):
        signature = types.void(array, index)

        def generate(context, builder, signature, arguments):
            data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
            byte_pointer = ir.IntType(8).as_pointer()
            word = ir.IntType(32)
            function_type = ir.FunctionType(ir.VoidType(), [byte_pointer, word, word, word])
            function = cgutils.get_or_insert_function(
                builder.module, function_type, "llvm.prefetch.p0"
            )
            address = builder.bitcast(builder.gep(data, [arguments[1]]), byte_pointer)
            builder.call(function, [address, word(0), word(locality), word(1)])
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(prefetch)


# Ask for the cache line of `array[index]`, into the first level or only into the second.
prefetch = _prefetch_into(3)
prefetch_far = _prefetch_into(2)
