"""Forward errors are those of Householder QR, the small ones of small residuals included."""

import lstsq_cases as cases
import numpy as np
import pytest
import scipy.linalg

EPS = np.finfo(float).eps
WELL = [(1e1, 1.0), (1e3, 1e-6), (1e5, 1e-12), (1e6, 1e-12), (1e6, 1e-3), (1e5, 0.0)]
ILL = [(1e8, 1e-3), (1e8, 1e-12), (1e12, 1e-6), (1e12, 0.0)]
METHODS = [
    (method, case)
    for method in ("auto", "spir", "spne", "sirr", "fossils", "lapack", "gram")
    for case in (WELL if method == "gram" else WELL + ILL)
]


def qr_error(A, b, x, rng):
    """Forward error of Householder QR, freed from luck: the median over orders of the rows."""
    n, errors = A.shape[1], []
    for _ in range(5):
        order = rng.permutation(len(b))
        R = np.linalg.qr(np.column_stack([A[order], b[order]]), mode="r")
        errors.append(np.linalg.norm(scipy.linalg.solve_triangular(R[:n, :n], R[:n, n]) - x))
    return np.median(errors)


def ratios(solve, condition, residual, rng, seeds=5):
    found = []
    for seed in range(seeds):
        A, b, x = cases.testing.lstsq_problem(
            1500, 50, condition=condition, residual=residual, rng=rng
        )
        found.append(np.linalg.norm(solve(A, b, seed) - x) / qr_error(A, b, x, rng))
    return np.array(found)


@pytest.mark.parametrize(("method", "case"), METHODS, ids=str)
def test_forward_error_is_within_ten_times_that_of_qr(method, case, rng):
    # The error of one run is random and now and then tiny, so single ratios have no bound.
    found = ratios(
        lambda A, b, seed: cases.lstsq_refine(A, b, method=method, rng=seed).x, *case, rng
    )
    assert np.median(found) < 10
    assert found.max() < 50


def test_a_small_backward_error_does_not_imply_it(rng):
    # The law rejects a solver that stops at the first iterate with a small backward error.
    def content(A, b, seed):
        return cases.lstsq_refine(A, b, method="spir", rtol=2.5 * EPS, rng=seed).x

    with_small_residual = ratios(content, 1e5, 1e-12, rng)
    assert np.median(with_small_residual) > 10


def test_a_callers_tolerance_costs_no_more_steps(rng):
    A, b, _ = cases.testing.lstsq_problem(3000, 40, condition=1e6, residual=1e-12, rng=rng)
    accurate = cases.lstsq_refine(A, b, method="spir", rng=1)
    enough = cases.lstsq_refine(A, b, method="spir", rtol=1e-14, rng=1)
    assert enough.backward_error <= 1e-14
    assert enough.n_passes < accurate.n_passes
