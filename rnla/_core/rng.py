"""Randomness: SPEC 7 generators in, Philox keys out."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnla._kernels.philox import philox_words

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
    given: object = rng
    if isinstance(given, np.random.RandomState) or given is np.random:
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


def philox_uint64(
    key: NDArray[np.uint64], tag: np.uint64, count: int, start: int = 0
) -> NDArray[np.uint64]:
    """Return some of the 64-bit words that belong to a key and a tag.

    Parameters
    ----------
    key : ndarray of uint64, shape (2,)
        Philox key.
    tag : uint64
        Below 2**32; keeps the uses of one key apart.
    count : int
        How many words.
    start : int, default 0
        Index of the first of them.

    Returns
    -------
    ndarray of uint64, shape (count,)
        Word i is a pure function of the key, the tag and ``start + i``.
    """
    index = np.arange(start, start + count, dtype=np.uint64)
    counter = np.zeros((count, 4), np.uint64)
    counter[:, 0] = index & np.uint64(0xFFFFFFFF)
    counter[:, 1] = index >> np.uint64(32)
    counter[:, 3] = tag
    words = np.empty_like(counter)
    philox_words(counter, key, words)
    return (words[:, 0] << np.uint64(32)) | words[:, 1]
