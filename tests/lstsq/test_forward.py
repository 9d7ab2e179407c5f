"""Forward errors are those of Householder QR, the small ones of small residuals included."""

import lstsq_cases as cases
import numpy as np
import pytest
import scipy.linalg
import scipy.sparse

from rnla.lstsq import Gram

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
    # The law rejects a solver that stops at the first iterate with a small backward error: one that
    # is so on every machine, for at a quarter of it some stop late enough.
    def content(A, b, seed):
        return cases.lstsq_refine(A, b, method="spir", rtol=10 * EPS, rng=seed).x

    with_small_residual = ratios(content, 1e5, 1e-12, rng)
    assert np.median(with_small_residual) > 10


def test_a_callers_tolerance_costs_no_more_steps(rng):
    A, b, _ = cases.testing.lstsq_problem(3000, 40, condition=1e6, residual=1e-12, rng=rng)
    accurate = cases.lstsq_refine(A, b, method="spir", rng=1)
    enough = cases.lstsq_refine(A, b, method="spir", rtol=1e-14, rng=1)
    assert enough.backward_error <= 1e-14
    assert enough.n_passes < accurate.n_passes


def exact_problem(m, n, condition, residual, rng):
    """A problem with its solution in extended precision and the error of QR, its mean square."""
    left, right = (np.linalg.qr(rng.standard_normal((k, n)))[0] for k in (m, n))
    A = left * np.geomspace(1, 1 / condition, n) @ right.T
    Q, R = np.linalg.qr(A)
    noise = rng.standard_normal(m)
    noise -= Q @ (Q.T @ noise)
    b = A @ rng.standard_normal(n) + residual * noise / np.linalg.norm(noise)
    # Refinement of the augmented system r + A x = b, A^T r = 0.
    A_long, b_long = A.astype(np.longdouble), b.astype(np.longdouble)
    x, r = np.zeros(n, np.longdouble), b_long.copy()
    for _ in range(20):
        f = np.asarray(b_long - r - A_long @ x, float)
        g = scipy.linalg.solve_triangular(R, np.asarray(-(A_long.T @ r), float), trans="T")
        dx = scipy.linalg.solve_triangular(R, Q.T @ f - g)
        x, r = x + dx, r + (f - Q @ (Q.T @ f - g))
    squares = []
    for _ in range(4):
        order = rng.permutation(m)
        T = np.linalg.qr(np.column_stack([A[order], b[order]]), mode="r")
        y = scipy.linalg.solve_triangular(T[:n, :n], T[:n, n])
        squares.append(float(np.sum((y - x) ** 2)))
    of_qr = np.sqrt(np.mean(squares))
    # The reference, whose last correction this is, must be good enough to compare with.
    assert np.linalg.norm(dx) < 0.2 * of_qr
    return A, b, x, of_qr


@pytest.mark.parametrize("method", ["auto", "spir", "spne", "sirr", "fossils", "gram"])
@pytest.mark.parametrize("case", [(1e3, 1.0), (1e5, 1e-3), (1e7, 1e-6)], ids=str)
@pytest.mark.parametrize("layout", [np.asarray, np.asfortranarray, scipy.sparse.csr_array])
def test_tall_narrow_problems_are_as_accurate_as_by_qr(layout, case, method, rng):
    # Where rows are many against columns, QR gains from averaging; long sums would not.
    found = []
    for seed in range(12):
        A, b, x, of_qr = exact_problem(4000, 8, *case, rng)
        with_limit = Gram(condition_limit=5e7) if method == "gram" else method
        mine = cases.lstsq_refine(layout(A), b, method=with_limit, rng=seed).x
        found.append(float(np.linalg.norm(np.asarray(mine - x, float))) / of_qr)
    assert np.median(found) < 5
    assert np.sort(found)[-3] < 10
