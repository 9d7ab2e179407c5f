"""Solvers that are singular, far off or not finite, and what is never claimed then."""

import inspect

import numpy as np
import pytest
from refinement_cases import EPS, backward_error, perturbed_inverse, planted
from scipy.linalg import lu_factor
from scipy.sparse.linalg import LinearOperator

from rnla import ConvergenceWarning, Status, refine

ACCELERATIONS = [None, "anderson", "krylov"]


@pytest.fixture
def problem(rng):
    A, b, _ = planted(40, 100.0, rng)
    return A, b, perturbed_inverse(A, 0.5, rng)


@pytest.mark.parametrize("acceleration", ACCELERATIONS)
def test_a_singular_solver_stops_where_it_is(problem, acceleration):
    # B = 0 cannot move anything.
    A, b, _ = problem
    with pytest.warns(ConvergenceWarning):
        result = refine(A, b, np.zeros_like, acceleration=acceleration)
    assert result.status is Status.STAGNATED
    assert not result.x.any()


class FailsLater:
    """An approximate inverse that returns NaN from call `at` on."""

    def __init__(self, B, at, value=np.nan):
        self.B, self.at, self.value, self.calls = B, at, value, 0

    def __call__(self, r):
        self.calls += 1
        return self.B @ r if self.calls < self.at else np.full(len(self.B), self.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("acceleration", ACCELERATIONS)
def test_a_solver_that_returns_nan(problem, acceleration, value):
    A, b, B = problem
    with pytest.raises(np.linalg.LinAlgError, match="`approximate_solver` returned NaN"):
        refine(A, b, FailsLater(B, 1, value), acceleration=acceleration)
    with pytest.warns(ConvergenceWarning, match="`approximate_solver` returned NaN"):
        result = refine(A, b, FailsLater(B, 5, value), acceleration=acceleration)
    assert result.status is Status.STAGNATED
    assert result.n_iter == 3
    assert result.n_solves == 5
    assert result.backward_error == pytest.approx(backward_error(A, b, result.x))
    assert result.backward_error < 0.3 * backward_error(A, b, B @ b)
    with pytest.warns(ConvergenceWarning):
        stuck = refine(A, b, FailsLater(B, 1, value), x0=np.ones(40), acceleration=acceleration)
    np.testing.assert_array_equal(stuck.x, np.ones(40))


def test_a_singular_factor(rng):
    U = np.triu(np.ones((4, 4)))
    U[3, 3] = 0
    with pytest.raises(np.linalg.LinAlgError, match="`approximate_solver`"):
        refine(np.eye(4), np.ones(4), (U, np.arange(4)))


def test_a_map_that_leaves_its_domain():
    def F(x):
        return np.where(x > 0.2, x**2, np.nan)

    with pytest.raises(np.linalg.LinAlgError, match="`A` returned NaN"):
        refine(F, np.ones(1), lambda r: r, x0=np.zeros(1))
    with pytest.warns(ConvergenceWarning, match="`A` returned NaN"):
        result = refine(F, np.array([1.0]), lambda r: r, x0=np.array([2.0]))
    assert result.status is Status.STAGNATED
    np.testing.assert_array_equal(result.x, [2.0])
    assert result.residual_norm == 3.0


def test_warnings_of_the_callers_operator_are_the_callers(rng):
    A, b, _ = planted(5, 10.0, rng)

    def product(x):
        np.array([1e200]) ** 2
        return A @ x.ravel()

    with pytest.warns(RuntimeWarning, match="overflow"):
        refine(LinearOperator(A.shape, matvec=product, dtype=float), b, lu_factor(A))


def test_a_factor_that_is_far_from_the_truth_is_not_believed(rng):
    A, b, _ = planted(30, 10.0, rng)
    with pytest.warns(ConvergenceWarning) as caught:
        result = refine(A, b, lu_factor(-A))
    assert not result.success
    # Every step doubles the error; the first answer, -x, is the best.
    assert result.contraction == pytest.approx(2.0, rel=1e-3)
    np.testing.assert_allclose(result.x, np.linalg.solve(-A, b), rtol=1e-9)
    assert caught[0].filename == __file__


def test_of_two_wrong_answers_the_smaller_residual_is_returned(rng):
    # From zero, the diverging iterates have backward errors below that of zero itself.
    A, b, _ = planted(30, 10.0, rng)
    with pytest.warns(ConvergenceWarning):
        result = refine(A, b, lu_factor(-A), x0=np.zeros(30))
    assert min(result.history) < result.backward_error == 1.0
    assert not result.x.any()


def call_and_warn(A, b):
    return refine(A, b, lu_factor(A), maxiter=0, rtol=0)


def test_warnings_point_at_the_users_line(rng):
    A, b, _ = planted(30, 10.0, rng)
    with pytest.warns(ConvergenceWarning, match=r"backward error \d\.\de-\d\d is above") as caught:
        call_and_warn(A, b)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert caught[0].lineno == inspect.getsourcelines(call_and_warn)[1] + 1


def test_asked_for_the_impossible_it_ends_soon(rng):
    A, b, _ = planted(30, 1e3, rng)
    for acceleration in ACCELERATIONS:
        with pytest.warns(ConvergenceWarning, match="stopped falling"):
            result = refine(
                A, b, lu_factor(A.astype(np.float32)), rtol=0, acceleration=acceleration
            )
        assert result.status is Status.STAGNATED
        assert result.n_iter <= 100
        assert result.backward_error <= EPS / 2
