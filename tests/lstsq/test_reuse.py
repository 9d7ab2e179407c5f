"""First guesses and preconditioners that are used again."""

import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import EPS, gaussian
from scipy.sparse.linalg import aslinearoperator, cg, lsmr, lsqr

from rnla import lstsq_refine
from rnla.lstsq import backward_error
from rnla.testing import lstsq_problem

ITERATIVE = ["spir", "spne", "sirr", "fossils", "gram", "lapack", "auto"]


@pytest.fixture
def problem(rng):
    A, b, _ = lstsq_problem(1500, 30, condition=1e4, residual=0.1, rng=rng)
    return A, b


@pytest.mark.parametrize("method", ITERATIVE)
@pytest.mark.parametrize("start", ["zero", "huge", "exact", "random"])
def test_the_start_never_changes_the_answer(problem, method, start, rng):
    A, b = problem
    exact = np.linalg.lstsq(A, b)[0]
    x0 = {
        "zero": np.zeros(30),
        "huge": 1e12 * rng.standard_normal(30),
        "exact": exact,
        "random": rng.standard_normal(30),
    }[start]
    result = lstsq_refine(A, b, x0=x0, method=method, rng=0)
    assert backward_error(A, b, result.x) <= 4 * EPS


def test_a_good_start_saves_iterations(problem):
    A, b = problem
    cold = lstsq_refine(A, b, method="spir", rng=0)
    warm = lstsq_refine(A, b, method="spir", x0=cold.x, rng=0)
    assert warm.n_iter == 0
    assert warm.n_passes <= 4
    nearby = cold.x * (1 + 1e-9)
    assert lstsq_refine(A, b, method="spir", x0=nearby, rng=0).n_iter < 0.8 * cold.n_iter


def test_each_right_hand_side_takes_its_better_start(problem, rng):
    A, b = problem
    B = np.column_stack([b, rng.standard_normal(len(b))])
    X = np.linalg.lstsq(A, B)[0]
    guess = np.column_stack([X[:, 0], 1e6 * np.ones(30)])
    result = lstsq_refine(A, B, method="spir", x0=guess, rng=0)
    assert result.x.shape == (30, 2)
    for k in range(2):
        assert backward_error(A, B[:, k], result.x[:, k]) <= 4 * EPS


def test_a_start_does_not_leave_the_minimum_norm_solution(rng):
    B = gaussian(1200, 12, rng)
    A, b = np.hstack([B, B]), rng.standard_normal(1200)
    null = np.r_[np.ones(12), -np.ones(12)]
    result = lstsq_refine(A, b, x0=1e3 * null, method="spir", rng=0)
    np.testing.assert_allclose(result.x, np.linalg.lstsq(A, b, rcond=1e-12)[0], atol=1e-9)


def test_complex_starts(rng):
    A, b = gaussian(1000, 10, rng), gaussian(1000, 1, rng, complex)[:, 0]
    exact = np.linalg.lstsq(A.astype(complex), b)[0]
    result = lstsq_refine(A, b, x0=exact, method="spir", rng=0)
    np.testing.assert_allclose(result.x, exact, atol=1e-13)
    assert 2 * result.n_iter < lstsq_refine(A, b, method="spir", rng=0).n_iter
    result = lstsq_refine(A + 0j, b, x0=np.zeros(10), method="spir", rng=0)
    np.testing.assert_allclose(result.x, exact, atol=1e-13)


@pytest.mark.parametrize("method", ["auto", "spir", "sirr", "fossils"])
def test_reused_preconditioner_needs_no_sketch(problem, method, rng):
    A, b = problem
    P = lstsq_refine(A, b, method="spir", rng=0).preconditioner
    c = rng.standard_normal(len(b))
    result = lstsq_refine(A, c, preconditioner=P, method=method)
    assert backward_error(A, c, result.x) <= 4 * EPS
    assert result.preconditioner is P


@pytest.mark.parametrize("condition", [1e2, 1e8, 1e12])
def test_cold_start_with_a_preconditioner_is_still_backward_stable(condition):
    for seed in range(6):
        A, b, _ = lstsq_problem(800, 40, condition=condition, residual=1e-3, rng=seed)
        P = lstsq_refine(A, b[::-1].copy(), method="spir", rng=seed).preconditioner
        x = lstsq_refine(A, b, preconditioner=P).x
        assert backward_error(A, b, x) <= 4 * EPS


def test_preconditioner_of_a_similar_matrix(problem, rng):
    A, b = problem
    P = lstsq_refine(A, b, method="spne", rng=0).preconditioner
    changed = A + 1e-2 * np.linalg.norm(A, 2) / np.linalg.cond(A) * gaussian(*A.shape, rng) / 40
    result = lstsq_refine(changed, b, preconditioner=P)
    assert backward_error(changed, b, result.x) <= 10 * EPS


def test_preconditioner_works_for_weights_and_damping(problem, rng):
    A, b = problem
    weights = rng.random(len(b))
    options = {"damp": 0.1, "weights": weights}
    first = lstsq_refine(A, b, method="spir", rng=0, **options)
    again = lstsq_refine(A, b, preconditioner=first.preconditioner, **options)
    np.testing.assert_allclose(again.x, first.x, atol=1e-13)


def test_preconditioner_in_scipys_solvers(problem):
    A, b = problem
    result = lstsq_refine(A, b, method="spne", rng=0)
    AP = aslinearoperator(A) @ result.preconditioner
    for solver in (lsqr, lsmr):
        y, _, steps = solver(AP, b, atol=1e-14, btol=1e-14)[:3]
        assert steps <= 6
        np.testing.assert_allclose(result.preconditioner @ y, result.x, atol=1e-9)
    y, info = cg(AP.H @ AP, AP.H @ b, rtol=1e-13)
    assert info == 0
    # Rounding of A^H b is magnified by the condition number, 1e4, in P^H and again in P.
    allowed = EPS * 1e4**2 * np.linalg.norm(b)
    np.testing.assert_allclose(result.preconditioner @ y, result.x, rtol=0, atol=allowed)


@pytest.mark.parametrize("method", ["spne", "gram", "lapack", "sketch_and_solve"])
def test_methods_that_make_their_own_factor_refuse_one(problem, method):
    A, b = problem
    P = lstsq_refine(A, b, method="spir", rng=0).preconditioner
    with pytest.raises(ValueError, match=f"`preconditioner` is of no use to method='{method}'"):
        lstsq_refine(A, b, preconditioner=P, method=method)


def test_preconditioners_that_do_not_fit(problem, rng):
    A, b = problem
    P = lstsq_refine(A, b, method="spir", rng=0).preconditioner
    with pytest.raises(ValueError, match="`preconditioner` must have 29 rows"):
        lstsq_refine(A[:, :29], b, preconditioner=P)
    complex_P = lstsq_refine(A + 0j, b, method="spir", rng=0).preconditioner
    with pytest.raises(TypeError, match="`preconditioner` must be real"):
        lstsq_refine(A, b, preconditioner=complex_P)
    # A real factor serves a complex matrix.
    x = lstsq_refine(A + 0j, b, preconditioner=P).x
    np.testing.assert_allclose(x, np.linalg.lstsq(A, b)[0], atol=1e-12)


def test_sparse_with_a_reused_preconditioner(rng):
    A = scipy.sparse.random_array((3000, 40), density=0.1, rng=rng, format="csr")
    P = lstsq_refine(A, rng.standard_normal(3000), rng=0).preconditioner
    b = rng.standard_normal(3000)
    x = lstsq_refine(A, b, preconditioner=P).x
    np.testing.assert_allclose(x, np.linalg.lstsq(A.toarray(), b)[0], atol=1e-12)


def test_momentum_does_not_stop_where_an_exact_factor_makes_all_updates_swing_together(problem):
    A, b = problem
    exact = lstsq_refine(A, b, method="spne", rng=0)
    P = exact.preconditioner
    result = lstsq_refine(A, b, method="iterative_sketching", preconditioner=P)
    assert np.linalg.norm(result.x - exact.x) <= 1e-8 * np.linalg.norm(exact.x)
