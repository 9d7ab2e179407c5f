"""What a reviewer found at the edges of the range, and what must never be claimed there."""

import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import EPS, gaussian

from rnla import ConvergenceWarning, lstsq_refine
from rnla.lstsq import SPIR, SPNE, backward_error, newton_sketch, ridge_path

SKETCHED = SPIR(sketch_size=160)


@pytest.fixture
def problem(rng):
    return gaussian(3000, 20, rng), rng.standard_normal(3000)


@pytest.mark.parametrize("other", ["damp", "weights", "large", "small", "columns"])
@pytest.mark.parametrize("method", ["auto", "spir", "sirr", "fossils"])
def test_preconditioner_of_another_problem_is_refused(problem, other, method):
    A, b = problem
    first = {
        "damp": lambda: lstsq_refine(A, b, damp=1e4, method=SKETCHED, rng=0),
        "weights": lambda: lstsq_refine(
            A, b, weights=np.r_[1.0, np.full(2999, 1e-6)], rng=0, method=SKETCHED
        ),
        "large": lambda: lstsq_refine(A * 1e14, b, method=SKETCHED, rng=0),
        "small": lambda: lstsq_refine(A * 1e-10, b, method=SKETCHED, rng=0),
        "columns": lambda: lstsq_refine(A * 10.0 ** np.arange(20), b, method=SKETCHED, rng=0),
    }[other]()
    with pytest.raises(ValueError, match="`preconditioner` does not belong"):
        lstsq_refine(A, b, preconditioner=first.preconditioner, method=method)


@pytest.mark.parametrize("size", [1.5, 2, 4, 12])
def test_preconditioners_from_small_sketches_are_accepted(problem, size):
    A, b = problem
    P = lstsq_refine(A, b, method=SPIR(sketch_size=int(20 * size)), rng=0).preconditioner
    x = lstsq_refine(A, b, preconditioner=P).x
    assert backward_error(A, b, x) <= 4 * EPS


@pytest.mark.parametrize("weight", [1e-320, 1e-310, 1e-300, 1e300, 1e308])
@pytest.mark.parametrize("method", ["spir", "spne", "sirr", "lapack"])
def test_extreme_equal_weights_change_nothing(problem, weight, method):
    A, b = problem
    plain = lstsq_refine(A, b, method=method, rng=0)
    weighted = lstsq_refine(A, b, weights=np.full(3000, weight), method=method, rng=0)
    np.testing.assert_allclose(weighted.x, plain.x, rtol=0, atol=1e-13)
    assert weighted.success
    np.testing.assert_allclose(weighted.residual_norm, np.sqrt(weight) * plain.residual_norm)


def test_weights_and_damping_keep_their_relation(problem):
    A, b = problem
    for scale in (1e-200, 1e-6, 1e6, 1e200):
        options = {"weights": np.full(3000, scale), "damp": 30 * np.sqrt(scale)}
        x = lstsq_refine(A, b, method="spir", rng=0, **options).x
        np.testing.assert_allclose(x, lstsq_refine(A, b, damp=30.0, rng=0).x, atol=1e-13)
        path = ridge_path(A, b, [options["damp"]], weights=options["weights"], rng=0)
        np.testing.assert_allclose(path.x[0], x, atol=1e-13)


def test_a_lost_gradient_is_no_success(problem):
    A, b = problem
    with np.errstate(all="ignore"), pytest.warns(ConvergenceWarning, match="backward error inf"):
        result = lstsq_refine(A * 1e-250, b * 1e-90, method=SKETCHED, rng=0)
    assert not result.success


def test_a_subnormal_pivot_is_a_rank_deficiency():
    A = np.zeros((6, 3))
    A[0], A[1, 1], A[2, 2] = 1, 1e-310, 1
    result = lstsq_refine(A, np.arange(6.0) + 1, rng=0)
    assert np.isfinite(result.x).all()
    assert result.rank == 2
    assert result.success


@pytest.mark.parametrize("method", ["auto", "spir", "spne", "lapack"])
def test_subnormal_right_hand_sides(problem, method):
    A, b = problem
    x = lstsq_refine(A, b * 1e-310, method=method, rng=0).x
    np.testing.assert_allclose(x, np.linalg.lstsq(A, b)[0] * 1e-310, rtol=0, atol=1e-312)


def test_gram_respects_rcond(rng):
    A = gaussian(40_000, 12, rng) @ np.diag(np.logspace(0, -4, 12)) @ gaussian(12, 12, rng)
    b = rng.standard_normal(40_000)
    expected = lstsq_refine(A, b, rcond=1e-2, method="lapack").rank
    assert lstsq_refine(A, b, rcond=1e-2, rng=0).rank == expected < 12
    with pytest.raises(ValueError, match="method='gram' needs"):
        lstsq_refine(A, b, rcond=1e-2, method="gram")


def test_a_solution_beyond_single_precision_is_refused(problem):
    A, b = (array.astype(np.float32) for array in problem)
    with pytest.raises(ValueError, match="does not fit float32"):
        lstsq_refine(A * np.float32(1e-30), b * np.float32(1e30), rng=0)


@pytest.mark.parametrize("damp", [1e100, 1e160, 1e250])
@pytest.mark.parametrize("method", [SKETCHED, SPNE(sketch_size=160), "lapack"])
def test_huge_damping(problem, damp, method):
    A, b = problem
    # Beside such a penalty zero is a solution to roundoff; the exact one is A^T b / damp^2.
    result = lstsq_refine(A, b, damp=damp, method=method, rng=0)
    path = ridge_path(A, b, [1.0, damp], rng=0)
    for x in (result.x, path.x[1]):
        assert np.abs(x).max() <= 1e4 / damp / damp
    assert result.success
    assert path.success
    np.testing.assert_allclose(path.x[0], lstsq_refine(A, b, damp=1.0, rng=0).x, atol=1e-13)


def test_paths_without_columns(problem):
    A, b = problem
    with pytest.raises(ValueError, match="`A` must have columns"):
        ridge_path(A[:, :0], b, [0.1])


def test_nan_with_weights_names_the_matrix(problem):
    A, b = problem
    A = A.copy()
    A[7, 3] = np.nan
    for form in (A, np.asfortranarray(A), scipy.sparse.csr_array(A)):
        with pytest.raises(ValueError, match="`A` must not contain NaN"):
            lstsq_refine(form, b, weights=np.full(3000, 2.0), method="spir", rng=0)


@pytest.mark.parametrize("damp", [0.0, 0.1])
@pytest.mark.parametrize("maxiter", [8, None])
def test_newton_with_the_value_zero_at_the_optimum(problem, damp, maxiter, rng):
    A, _ = problem
    start = np.full(20, 5.0)
    result = newton_sketch(
        lambda x: A.T @ (A @ x),
        lambda x: A,
        start,
        objective=lambda x: 0.5 * float(np.sum((A @ x) ** 2)),
        damp=damp,
        maxiter=maxiter,
        rng=0,
    )
    assert np.linalg.norm(result.x) < 1e-12 * np.linalg.norm(start)
