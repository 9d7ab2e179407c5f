"""SPEC 7 generators and keys."""

import numpy as np
import pytest

from rnla._core.rng import as_generator, draw_key


def test_generators_pass_through():
    generator = np.random.default_rng(0)
    assert as_generator(generator) is generator


@pytest.mark.parametrize(
    "rng", [3, np.int64(3), [3], np.random.SeedSequence(3)], ids=lambda rng: type(rng).__name__
)
def test_equal_seeds_give_equal_keys(rng):
    key = draw_key(rng)
    assert key.shape == (2,)
    assert key.dtype == np.uint64
    assert key.max() < 2**32
    assert not key.flags.writeable
    np.testing.assert_array_equal(key, draw_key(3))


def test_bit_generators_and_generators_advance():
    for rng in (np.random.PCG64(3), np.random.default_rng(3)):
        np.testing.assert_array_equal(draw_key(rng), draw_key(3))
        assert not np.array_equal(draw_key(rng), draw_key(3))


def test_none_is_fresh():
    assert not np.array_equal(draw_key(None), draw_key(None))


@pytest.mark.parametrize(
    ("rng", "error"),
    [(-1, ValueError), (1.5, TypeError), ("a", TypeError), (np.random.RandomState(0), TypeError)],
    ids=["negative", "float", "string", "legacy"],
)
def test_what_is_no_seed(rng, error):
    with pytest.raises(error, match="`rng` must be None"):
        as_generator(rng)
