"""Beside A and b, a solve needs little more than its sketch."""

import tracemalloc

import numpy as np
import pytest
from lstsq_cases import gaussian

from rnla import lstsq_refine
from rnla.sketch import SketchingOperator

# Columns are many enough for the sketch to be larger than all work space of fixed size.
SHAPE, ROWS = (15_000, 400), 12


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


@pytest.mark.parametrize(("dtype", "condition"), [(np.float64, 1e9), (np.complex128, 1e1)])
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


class Identity(SketchingOperator):
    """The embedding that hands out what it is given."""

    def __init__(self, m):
        super().__init__(m, m, np.zeros(2, np.uint64), np.float64)

    def multiply(self, X, name):
        return X

    def _add_dense(self, block, start, out):
        out[start : start + len(block)] += block

    _add_csr = _add_dense

    def _adjoint_rows(self, Y, start, out):
        out[...] = Y[start : start + len(out)]


def test_the_product_of_a_callers_sketch_is_left_alone(rng):
    A, b = gaussian(400, 20, rng, np.float64), rng.standard_normal(400)
    given = A.copy()
    result = lstsq_refine(A, b, method="spir", sketch=Identity(400))
    np.testing.assert_array_equal(A, given)
    np.testing.assert_allclose(result.x, np.linalg.lstsq(given, b)[0], atol=1e-12)
