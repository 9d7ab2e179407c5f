"""Limits, callbacks, counts: what every run does whatever the solver."""

import numpy as np
import pytest
from refinement_cases import EPS, backward_error, gaussian, perturbed_inverse, planted
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla import ConvergenceWarning, Status, refine

ACCELERATIONS = [None, "anderson", "krylov"]


@pytest.fixture
def problem(rng):
    A, b, _ = planted(40, 100.0, rng)
    return A, b, perturbed_inverse(A, 0.5, rng)


class Recorder:
    """A callback that keeps what it sees and stops when told."""

    def __init__(self, stop_at=None):
        self.states, self.stop_at = [], stop_at

    def __call__(self, state):
        self.states.append(state)
        if state.n_iter == self.stop_at:
            raise StopIteration


@pytest.mark.parametrize("acceleration", ACCELERATIONS)
def test_callback_sees_every_state_the_first_included(problem, acceleration):
    A, b, B = problem
    seen = Recorder()
    result = refine(A, b, B.__matmul__, acceleration=acceleration, callback=seen)
    assert [state.error for state in seen.states] == list(result.history)
    assert seen.states[0].n_iter == 0
    np.testing.assert_allclose(seen.states[0].x, B @ b, rtol=1e-12)
    assert seen.states[-1].n_iter == result.n_iter
    np.testing.assert_array_equal(seen.states[-1].x, result.x)
    for state in seen.states:
        if state.certified:
            assert state.error == pytest.approx(backward_error(A, b, state.x), abs=EPS / 10)
            assert state.residual_norm.shape == (1,)


@pytest.mark.parametrize("stop_at", [0, 1, 3])
@pytest.mark.parametrize("acceleration", ACCELERATIONS)
def test_stop_iteration_stops(problem, acceleration, stop_at):
    A, b, B = problem
    seen = Recorder(stop_at)
    with pytest.warns(ConvergenceWarning, match="StopIteration"):
        result = refine(A, b, B.__matmul__, acceleration=acceleration, callback=seen)
    assert result.status is Status.STOPPED_BY_CALLBACK
    assert not result.success
    assert result.n_iter == stop_at
    assert result.backward_error == pytest.approx(backward_error(A, b, result.x))


@pytest.mark.parametrize("maxiter", [0, 1, 4])
@pytest.mark.parametrize("acceleration", ACCELERATIONS)
def test_maxiter(problem, acceleration, maxiter):
    A, b, B = problem
    with pytest.warns(ConvergenceWarning, match="`maxiter`"):
        result = refine(A, b, B.__matmul__, acceleration=acceleration, maxiter=maxiter)
    assert result.status is Status.MAX_ITERATIONS
    assert result.n_iter == maxiter
    assert result.n_solves == maxiter + 1
    if maxiter == 0:
        np.testing.assert_allclose(result.x, B @ b, rtol=1e-12)
        assert np.isnan(result.contraction)
    else:
        assert 0 < result.contraction < 0.7


def test_other_exceptions_pass_through(problem):
    A, b, B = problem

    def fail(_):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        refine(A, b, B.__matmul__, callback=fail)
    with pytest.raises(KeyError, match="mine"):
        refine(A, b, fail)
    with pytest.raises(KeyError, match="mine"):
        refine(fail, b, B.__matmul__)


@pytest.mark.parametrize("acceleration", ACCELERATIONS)
@pytest.mark.parametrize("k", [None, 3])
def test_counts_are_those_of_the_calls(problem, acceleration, k):
    A, b, B = problem
    b = b if k is None else np.outer(b, [1.0, -2.0, 5.0])
    calls = {"A": 0, "B": 0}

    def count(name, matrix):
        def product(x):
            calls[name] += 1
            return matrix @ x.ravel()

        return product

    operator = LinearOperator(A.shape, matvec=count("A", A), dtype=A.dtype)
    result = refine(operator, b, count("B", B), acceleration=acceleration)
    assert result.n_matvec == calls["A"]
    assert result.n_solves == calls["B"]


def test_solved_sides_cost_nothing_more(rng):
    A, b, x = planted(30, 10.0, rng)
    B = perturbed_inverse(A, 0.5, rng)
    one = refine(A, b, B.__matmul__)
    x0 = np.stack([np.zeros(30), x], axis=1)
    two = refine(A, np.stack([b, b], axis=1), B.__matmul__, x0=x0)
    assert two.success
    assert two.n_solves <= one.n_solves + 3
    np.testing.assert_allclose(two.x[:, 1], x, rtol=0, atol=1e-13)


@pytest.mark.parametrize("acceleration", ACCELERATIONS)
def test_sides_together_are_as_sides_alone(rng, acceleration):
    A, _, _ = planted(30, 10.0, rng)
    B, b = perturbed_inverse(A, 0.5, rng), gaussian((30, 3), rng)
    together = refine(A, b, aslinearoperator(B), acceleration=acceleration, rtol=1e-10)
    for j in range(3):
        alone = refine(A, b[:, j], aslinearoperator(B), acceleration=acceleration, rtol=1e-10)
        np.testing.assert_allclose(together.x[:, j], alone.x, rtol=0, atol=1e-7)
        assert backward_error(A, b[:, j], together.x[:, j]) <= 1.01e-10


@pytest.mark.parametrize("acceleration", ACCELERATIONS)
def test_a_start_that_is_exact_needs_no_solve(problem, acceleration):
    A, b, B = problem
    x = np.linalg.solve(A, b)
    result = refine(A, b, B.__matmul__, x0=x, acceleration=acceleration)
    assert result.status is Status.CONVERGED
    assert (result.n_iter, result.n_solves, result.n_matvec) == (0, 0, 1)
    np.testing.assert_allclose(result.x, x, rtol=1e-15)
    assert not np.shares_memory(result.x, x)


def test_nothing_given_is_changed(problem):
    A, b, B = problem
    x0 = np.ones(40)
    kept = [array.copy() for array in (A, b, x0)]

    def in_place(r):
        r[:] = B @ r
        return r

    result = refine(A, b, in_place, x0=x0)
    assert result.success
    for array, copy in zip((A, b, x0), kept, strict=True):
        np.testing.assert_array_equal(array, copy)
    result.x[:] = 0  # and the answer is the caller's own


def test_a_solver_with_one_buffer(problem):
    A, b, B = problem
    buffer = np.zeros(40)

    def solve(r):
        np.matmul(B, r, out=buffer)
        return buffer

    x = refine(A, np.stack([b, -3 * b], axis=1), solve).x
    np.testing.assert_allclose(x[:, 1], -3 * x[:, 0], rtol=0, atol=1e-11)
