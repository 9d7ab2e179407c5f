"""The recurrence of Lanczos."""

import numpy as np
import pytest

from rnla._kernels.lanczos import three_terms


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_what_is_left_is_orthogonal_to_the_last_vector(dtype, rng):
    def vector():
        x = rng.standard_normal(1000)
        x = x + 1j * rng.standard_normal(1000) if np.dtype(dtype).kind == "c" else x
        return (x / np.linalg.norm(x)).astype(dtype)

    w, v, before = vector(), vector(), vector()
    beta = np.dtype(dtype).type(0).real.dtype.type(0.3)
    double = np.result_type(dtype, np.float64)
    left = w.astype(double) - 0.3 * before
    expected = np.vdot(v.astype(double), left)
    a, square = three_terms(w, v, before, beta, double.type(1))
    tolerance = 20 * float(np.finfo(dtype).eps)
    assert a == pytest.approx(expected, abs=tolerance)
    assert w == pytest.approx(left - expected * v, abs=tolerance)
    assert square == pytest.approx(np.linalg.norm(w.astype(double)) ** 2, rel=tolerance)
    assert abs(np.vdot(v, w)) < tolerance
