"""Fixtures of the whole suite."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import settings

from rnla._core.threads import set_num_threads

# The same examples in every run: chance enters through the `rng` fixture alone.
settings.register_profile("rnla", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("rnla")


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator seeded by the test's own id: stable, and different in every test."""
    return np.random.default_rng(list(request.node.nodeid.encode()))


@pytest.fixture
def threads() -> Iterator[Callable[[int | None], None]]:
    """`set_num_threads`, undone at the end of the test."""
    try:
        yield set_num_threads
    finally:
        set_num_threads(None)
