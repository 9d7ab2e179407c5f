"""Starts with more columns than a block has: residuals lead on from them, as far as they can."""

import eigen_cases as cases
import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator

from rnla.eigen import solve


def near_identity(n, rng):
    """Of an inverse near the multiple eigenvalue, rounding errors are all that residuals show."""
    return cases.hermitian(1 + np.concatenate([[1e-3, -2e-3, 5e-4], np.zeros(n - 3)]), rng)


@pytest.mark.parametrize("which", ["LM", "LA", "BE"])
@pytest.mark.parametrize("operator", [False, True])
def test_a_shift_on_a_multiple_eigenvalue_ends(which, operator, rng):
    n, k = 150, 9
    A = near_identity(n, rng)
    given = LinearOperator(A.shape, A.__matmul__, dtype=A.dtype) if operator else A
    result = solve(
        given, k, sigma=1.0, which=which, v0=rng.standard_normal((n, 5)), method="lanczos", rng=rng
    )
    assert result.n_iter < 40
    assert cases.residuals(A, result.values, result.vectors).max() < 1e-12
    assert cases.orthonormality(result.vectors) < 100 * cases.EPS


@pytest.mark.parametrize("columns", [5, 12, 30])
def test_a_wide_start_of_noise_is_no_hindrance(columns, rng):
    n = 400
    A = cases.hermitian(np.linspace(0, 1, n) ** 3, rng)
    result = solve(
        A, 4, which="LA", v0=rng.standard_normal((n, columns)), method="lanczos", rng=rng
    )
    assert result.success
    assert result.values == pytest.approx(np.linspace(0, 1, n)[-4:] ** 3, abs=1e-12)
