"""Counters that threads share: read, added to and exchanged as one, in the same order for all."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

_ORDER, _BYTES = "seq_cst", 8


def _address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.gep(array.data, [arguments[1]])


@intrinsic
def load(typing_context, counters, index):
    """Return ``counters[index]``, int64, and what its writers had written before."""
    signature = types.int64(counters, types.intp)

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature, arguments)
        return builder.load_atomic(address, _ORDER, _BYTES)

    return signature, generate


@intrinsic
def add(typing_context, counters, index, amount):
    """Add to ``counters[index]`` and return what it was."""
    signature = types.int64(counters, types.intp, types.int64)

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature, arguments)
        return builder.atomic_rmw("add", address, arguments[2], _ORDER)

    return signature, generate


@intrinsic
def exchange(typing_context, counters, index, expected, new):
    """Write `new` to ``counters[index]`` if it is `expected`, and tell whether it was."""
    signature = types.boolean(counters, types.intp, types.int64, types.int64)

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature, arguments)
        both = builder.cmpxchg(address, arguments[2], arguments[3], _ORDER, _ORDER)
        return builder.extract_value(both, 1)

    return signature, generate
