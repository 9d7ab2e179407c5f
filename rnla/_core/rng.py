"""Randomness: SPEC 7 generators in, Philox keys out."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

RNGLike: TypeAlias = (
    int
    | np.integer
    | list[int]
    | np.random.SeedSequence
    | np.random.BitGenerator
    | np.random.Generator
    | None
)


def as_generator(rng: RNGLike) -> np.random.Generator:
    """Turn a SPEC 7 `rng` argument into a generator; the global state is never touched.

    Parameters
    ----------
    rng : {None, int, SeedSequence, BitGenerator, Generator}
        Passed to `numpy.random.default_rng`.

    Returns
    -------
    numpy.random.Generator
        The generator itself when one was given.

    Raises
    ------
    TypeError
        If `rng` is a legacy ``RandomState`` or not a seed at all.
    """
    if isinstance(rng, np.random.RandomState) or rng is np.random:
        raise TypeError(
            "`rng` must be None, a seed or a numpy.random.Generator, got a legacy RandomState"
        )
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"`rng` must be None, a non-negative seed or a numpy.random.Generator, got {rng!r}"
        ) from error


def draw_key(rng: RNGLike) -> NDArray[np.uint64]:
    """Draw a Philox key: two 32-bit words.

    Parameters
    ----------
    rng : {None, int, SeedSequence, BitGenerator, Generator}
        A generator is advanced; equal seeds give equal keys.

    Returns
    -------
    ndarray of uint64, shape (2,)
        Each below 2**32; read-only.
    """
    key = as_generator(rng).integers(0, 2**32, size=2, dtype=np.uint64)
    key.flags.writeable = False
    return key
