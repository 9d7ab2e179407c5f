"""Beside A and b, a solve needs little more than its sketch."""

import tracemalloc

import numpy as np
import pytest
from lstsq_cases import gaussian

from rnla import lstsq_refine

# Columns are many enough for the sketch to be larger than all work space of fixed size.
SHAPE, ROWS = (30_000, 400), 12


def peak(A, b, **options):
    lstsq_refine(A[:2000, :40], b[:2000], **{**options, "sketch_size": 160})
    tracemalloc.start()
    try:
        result = lstsq_refine(A, b, **options)
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.success
    return kept, most


@pytest.mark.parametrize("condition", [1e1, 1e9])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_peak_is_a_fifth_more_than_the_sketch(dtype, condition, rng):
    m, n = SHAPE
    A = gaussian(m, n, rng, dtype) * np.logspace(0, -np.log10(condition), n)
    b = gaussian(m, 1, rng, dtype)[:, 0]
    sketch = A.itemsize * ROWS * n * n
    kept, most = peak(A, b, method="spir", sketch_size=ROWS * n, rng=0)
    assert most <= 1.2 * sketch
    # The result holds the factor and its adjoint, not the sketch.
    assert kept <= 3 * A.itemsize * n * n


def test_a_second_copy_of_the_sketch_is_seen(rng):
    """The law is sharp: a sketch that is not a stack of square blocks has to be copied."""
    m, n = SHAPE
    A, b = gaussian(m, n, rng, np.float64), np.ones(m)
    _, most = peak(A, b, method="spir", sketch_size=ROWS * n + 1, rng=0)
    assert most > 1.8 * A.itemsize * ROWS * n * n
