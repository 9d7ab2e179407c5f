"""Factors that overwrite what they are given, and factors of stacked triangles."""

import numpy as np
import pytest
from lstsq_cases import gaussian

from rnla.linalg.factor import fortran_in_place, shifted_factor, triangular_factor

DTYPES = [np.float64, np.complex128]
SHAPES = [(1, 1), (3, 1), (4, 2), (28, 7), (99, 33), (64, 64), (500, 100)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
class TestInItsOwnMemory:
    def test_reordering_keeps_every_entry(self, shape, dtype, rng):
        M = gaussian(*shape, rng, dtype)
        expected = M.copy()
        F = fortran_in_place(M)
        assert F.flags.f_contiguous
        assert np.shares_memory(F, M)
        np.testing.assert_array_equal(F, expected)

    def test_same_bits_as_with_a_copy(self, shape, dtype, rng):
        M, B = gaussian(*shape, rng, dtype), gaussian(shape[0], 2, rng, dtype)
        given = M.copy()
        kept = triangular_factor(given, B)
        np.testing.assert_array_equal(given, M)
        overwritten = triangular_factor(M, B, overwrite=True)
        for one, other in zip(kept, overwritten, strict=True):
            np.testing.assert_array_equal(one, other)
        # What is left of M is the factor's own size.
        assert M.shape == (shape[1], shape[1])

    def test_it_is_the_factor(self, shape, dtype, rng):
        M, B = gaussian(*shape, rng, dtype), gaussian(shape[0], 2, rng, dtype)
        M *= np.logspace(-9, 9, shape[1])
        R, C, scale = triangular_factor(M.copy(), B, overwrite=True)
        scaled = M * scale
        np.testing.assert_array_equal(R, np.triu(R))
        tolerance = 1e-13 * np.linalg.norm(scaled)
        np.testing.assert_allclose(
            R.conj().T @ R, scaled.conj().T @ scaled, atol=tolerance * np.linalg.norm(scaled)
        )
        np.testing.assert_allclose(
            R.conj().T @ C, scaled.conj().T @ B, atol=tolerance * np.linalg.norm(B)
        )


def test_other_layouts_are_copied(rng):
    B = gaussian(40, 1, rng, np.float64)
    for M in (
        np.asfortranarray(gaussian(40, 10, rng, np.float64)),
        gaussian(40, 9, rng, np.float64),
        gaussian(40, 10, rng, np.float32),
        gaussian(80, 10, rng, np.float64)[:40],
    ):
        expected = triangular_factor(M.copy(), B)
        shape = M.shape
        for one, other in zip(expected, triangular_factor(M, B, overwrite=True), strict=True):
            np.testing.assert_array_equal(one, other)
        assert M.shape == shape


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shift", [0.0, 1e-8, 1.0, 1e8])
@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 100])
def test_shifted_factor(n, shift, dtype, rng):
    R = np.triu(gaussian(n, n, rng, dtype))
    expected = R.conj().T @ R + shift**2 * np.eye(n)
    given = R.copy()
    T = shifted_factor(R, shift)
    np.testing.assert_array_equal(R, given)
    np.testing.assert_array_equal(T, np.triu(T))
    np.testing.assert_allclose(T.conj().T @ T, expected, atol=1e-13 * np.linalg.norm(expected))


def test_a_singular_triangle_becomes_regular():
    T = shifted_factor(np.zeros((5, 5)), 0.0)
    assert (np.diagonal(T) != 0).all()
