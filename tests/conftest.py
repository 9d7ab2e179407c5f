"""Fixtures of the whole suite."""

import os
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import scipy.linalg  # noqa: F401  its BLAS is to be loaded when threads are limited
from hypothesis import settings
from threadpoolctl import threadpool_limits

from rnla._core.threads import set_num_threads

# The same examples in every run: chance enters through the `rng` fixture alone.
settings.register_profile("rnla", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("rnla")


def pytest_configure(config: pytest.Config) -> None:
    """Share the cores between the workers of `pytest -n`.

    Each would otherwise start as many BLAS threads as there are cores, and these spin: a small
    SVD then takes many times as long. A run without workers leaves the threads as they are.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        share = max(1, (os.cpu_count() or 1) // workers)
        threadpool_limits(share, user_api="blas")
        # For the processes that tests start.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", str(share))


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
