"""Starts with more columns than a block has: residuals lead on from them, as far as they can."""

import eigen_cases as cases
import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator

from rnla.eigen import solve
from rnla.eigen._verify import Progress


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


def test_residuals_lead_on_while_they_gain():
    progress = Progress()
    assert not any(progress.ended(restarts, 10.0 ** (-restarts / 5)) for restarts in range(2, 40))
    progress = Progress()
    ends = [restarts for restarts in range(2, 40) if progress.ended(restarts, 0.9**restarts)]
    assert ends[0] == 8


def products_of_a_sequence(A, k, rng, length=4):
    result = solve(A, k, which="LA", tol=1e-6, method="lanczos", rng=rng)
    count = 0
    for _ in range(length):
        E = rng.standard_normal(A.shape)
        E = E + E.T
        A = A + E * (1e-3 / np.linalg.norm(E, 2))
        result = solve(
            A, k, which="LA", tol=1e-6, v0=result.vectors, surrogate=result, verify=False, rng=rng
        )
        np.testing.assert_allclose(result.values, np.linalg.eigvalsh(A)[-k:], atol=1e-9)
        count += result.n_matvec
    return count


def test_what_residuals_have_found_is_not_given_up_while_they_gain(monkeypatch, rng):
    n = 800
    spectrum = np.concatenate([np.linspace(1.5, 1.15, 6), np.linspace(1, 0, n - 6)])
    A, seed = cases.hermitian(spectrum, rng), rng.integers(1000)
    count = products_of_a_sequence(A, 20, np.random.default_rng(seed))
    # The control: after six restarts Lanczos begins anew.
    monkeypatch.setattr(Progress, "ended", lambda self, restarts, error: restarts >= 6)
    assert count < 0.9 * products_of_a_sequence(A, 20, np.random.default_rng(seed))
