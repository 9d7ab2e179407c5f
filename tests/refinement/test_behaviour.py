"""Limits, callbacks, counts, degenerate problems, answers that are not finite."""

import inspect

import numpy as np
import pytest
from refinement_cases import EPS, SINGLE, backward_error, gaussian, perturbed_inverse, planted
from scipy.linalg import lu_factor
from scipy.sparse import csc_array
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla import ConvergenceWarning, RefineResult, Status, refine

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


@pytest.mark.parametrize("acceleration", ACCELERATIONS)
def test_zero_right_hand_side(problem, acceleration):
    A, _, B = problem
    result = refine(A, np.zeros(40), B.__matmul__, acceleration=acceleration)
    assert result.status is Status.CONVERGED
    assert not result.x.any()
    assert result.backward_error == result.relative_residual == result.residual_norm == 0
    assert result.n_solves == 0


@pytest.mark.parametrize("acceleration", ACCELERATIONS)
def test_zero_right_hand_side_from_elsewhere(problem, acceleration):
    # Relative to ||A|| ||x|| an iterate that falls towards zero would never be good enough.
    A, b, B = problem
    sides = np.stack([np.zeros(40), b], axis=1)
    result = refine(A, sides, B.__matmul__, x0=np.ones((40, 2)), acceleration=acceleration)
    assert result.success
    assert not result.x[:, 0].any()
    assert result.residual_norm[0] == 0


def test_nonlinear_equation_with_zero_right_hand_side():
    result = refine(lambda x: x**2 - 2.0, np.zeros(1), lambda r: r / 3, x0=np.ones(1))
    assert result.success
    assert result.x == pytest.approx([np.sqrt(2)], rel=1e-9)
    # Over the first residual, which was -1.
    assert result.relative_residual == pytest.approx(abs(result.x[0] ** 2 - 2), rel=1e-6)
    assert result.history[0] == 1.0


@pytest.mark.parametrize("acceleration", ACCELERATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_one_unknown(dtype, acceleration):
    A, b = np.array([[3]], dtype), np.array([1], dtype)
    result = refine(A, b, lambda r: r / 4, acceleration=acceleration)
    assert result.success
    assert result.x == pytest.approx([1 / 3], rel=4 * float(np.finfo(dtype).eps))
    assert result.x.dtype == dtype


@pytest.mark.parametrize("shape", [(0,), (0, 2)])
def test_no_equations(shape):
    result = refine(np.zeros((0, 3)), np.zeros(shape), lambda r: 1 / 0)
    assert result.status is Status.CONVERGED
    assert result.x.shape == (3, *shape[1:])
    assert not result.x.any()
    assert result.n_solves == 0


def test_no_right_hand_sides(problem):
    A, _, B = problem
    result = refine(A, np.zeros((40, 0)), aslinearoperator(B), acceleration="krylov")
    assert result.status is Status.CONVERGED
    assert result.x.shape == (40, 0)
    assert result.residual_norm.shape == (0,)


def test_no_unknowns():
    assert refine(np.zeros((2, 0)), np.zeros(2), lambda r: r[:0]).success
    with pytest.warns(ConvergenceWarning):
        result = refine(np.zeros((2, 0)), np.ones(2), lambda r: r[:0])
    assert result.x.shape == (0,)
    assert result.backward_error == 1.0


def test_an_empty_nonlinear_equation():
    result = refine(lambda x: x, np.zeros(0), lambda r: r)
    assert result.status is Status.CONVERGED
    assert result.x.shape == (0,)


def test_the_zero_matrix():
    with pytest.warns(ConvergenceWarning):
        result = refine(np.zeros((3, 3)), np.ones(3), lambda r: r)
    assert result.backward_error == 1.0
    assert result.status is Status.STAGNATED
    operator = LinearOperator((3, 3), matvec=lambda x: 0 * x, dtype=float)
    with pytest.warns(ConvergenceWarning):
        assert refine(operator, np.ones(3), lambda r: r, acceleration="krylov").x.shape == (3,)


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


@pytest.mark.parametrize("rtol", [1e-2, 1e-6, 1e-12])
def test_rtol_is_met_and_not_much_more(problem, rtol):
    A, b, B = problem
    result = refine(A, b, B.__matmul__, rtol=rtol)
    assert result.success
    assert rtol / 30 < result.backward_error <= rtol
    assert result.history[-2] > rtol


def test_dtypes_of_the_answer(rng):
    A, b, _ = planted(10, 10.0, rng)
    single = A.astype(np.float32)
    B = np.linalg.inv(A)
    cases = [
        (single, b.astype(np.float32), np.float32),
        (single, b, np.float64),
        (A, b.astype(np.float32), np.float64),
        (A, b + 1j, np.complex128),
        (single, b.astype(np.complex64), np.complex64),
        (single.astype(np.complex64), b, np.complex128),
        (np.eye(10, dtype=int), np.arange(10), np.float64),
    ]
    for matrix, side, expected in cases:
        solver = (lambda r: r) if matrix.dtype.kind == "i" else B.__matmul__
        result = refine(matrix, side, solver)
        assert result.x.dtype == expected
        assert result.backward_error <= (SINGLE if result.x.itemsize in (4,) else 1.2e-7)
        assert result.success


def test_a_complex_start_of_a_real_problem(problem):
    A, b, B = problem
    result = refine(A, b, B.__matmul__, x0=1j * np.ones(40))
    assert result.x.dtype == np.complex128
    assert result.success
    assert not result.x.imag.any()
    np.testing.assert_allclose(A @ result.x.real, b, rtol=0, atol=1e-13)


def test_complex_nonlinear_equation():
    result = refine(
        lambda z: z**2, np.array([2j]), lambda r: r / (2 + 1.5j), x0=np.array([1 + 0.5j])
    )
    assert result.success
    assert result.x == pytest.approx([1 + 1j], rel=1e-9)


def test_single_precision_nonlinear_equation():
    b = np.array([0.5, -0.25], np.float32)
    result = refine(lambda x: x + 0.1 * x**3, b, lambda r: r)
    assert result.success
    assert result.x.dtype == np.float32
    assert result.relative_residual <= SINGLE ** (2 / 3)


def test_results_are_frozen_and_print_without_arrays(problem):
    A, b, B = problem
    result = refine(A, b, B.__matmul__)
    assert isinstance(result, RefineResult)
    with pytest.raises(AttributeError):
        result.x = 0
    assert "array" not in repr(result)
    assert result.message == Status.CONVERGED.value
    assert isinstance(result.backward_error, float)
    assert isinstance(result.residual_norm, float)
    assert isinstance(result.contraction, float)
    assert isinstance(result.relative_residual, float)


def test_equal_calls_give_equal_bits_and_leave_the_global_generator_alone(problem):
    A, b, B = problem
    operator = aslinearoperator(csc_array(A))
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, two = (refine(operator, b, B.__matmul__) for _ in range(2))
    np.testing.assert_array_equal(one.x, two.x)
    np.testing.assert_array_equal(one.history, two.history)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
