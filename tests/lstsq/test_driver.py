"""The loop as the user sees it: states, limits, status, warnings, counts, the preconditioner."""

import contextlib
import inspect
import warnings

import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import EPS, gaussian
from scipy.sparse.linalg import LinearOperator, aslinearoperator, cg, lsmr, lsqr

import rnla
from rnla import ConvergenceWarning, RnlaWarning, Status, lstsq_refine
from rnla.lstsq import SPIR, Choice, backward_error
from rnla.testing import lstsq_problem

ITERATIVE = ["spir", "gram", "lapack"]
METHODS = ["auto", *ITERATIVE]


@pytest.fixture
def problem(rng):
    A, b, _ = lstsq_problem(800, 20, condition=1e5, residual=0.1, rng=rng)
    return A, b


class Recorder:
    """A callback that keeps what it sees and stops when told."""

    def __init__(self, stop_at=None):
        self.states, self.stop_at = [], stop_at

    def __call__(self, state):
        self.states.append(state)
        if state.n_iter == self.stop_at:
            raise StopIteration


@pytest.mark.parametrize("method", METHODS)
def test_callback_sees_every_state_the_first_included(method, problem):
    seen = Recorder()
    result = lstsq_refine(*problem, method=method, callback=seen, rng=0)
    assert [state.error for state in seen.states] == list(result.history)
    first, last = seen.states[0], seen.states[-1]
    assert first.n_iter == 0
    assert first.certified
    assert last.n_iter == result.n_iter
    assert last.certified
    assert [s.n_iter for s in seen.states] == sorted(s.n_iter for s in seen.states)
    assert result.backward_error == min(s.error for s in seen.states if s.certified)


def test_states_hold_the_iterates(problem):
    A, b = problem
    ratios, iterates = [], []

    def look(state):
        x = np.array(state.x)
        assert x.shape == (20, 1)
        exact = backward_error(A, b, x[:, 0], exact=True)
        iterates.append(x)
        if state.certified:
            assert exact / 3 - EPS / 10 <= state.error <= 3 * exact + EPS / 10
        if exact > 100 * EPS:
            ratios.append(state.error / exact)

    result = lstsq_refine(A, b, method="spir", callback=look, rng=0)
    # The running estimates fall with the true errors; in the first round the size of x is
    # still that of sketch-and-solve, which may be far too large.
    assert min(ratios) > 1e-3
    assert max(ratios) < 20
    np.testing.assert_array_equal(iterates[-1][:, 0], result.x)


def test_a_state_that_is_kept_stays_what_it_was(problem):
    seen, iterates = Recorder(), []

    def look(state):
        seen(state)
        iterates.append(np.array(state.form()))

    lstsq_refine(*problem, method="spir", callback=look, rng=0)
    for state, x in zip(seen.states, iterates, strict=True):
        np.testing.assert_array_equal(state.x, x)


def test_sketch_and_solve_is_the_first_state(problem):
    A, b = problem
    S = rnla.sketch.SparseSign.draw(200, 800, rng=5)
    seen = Recorder(stop_at=0)
    with pytest.warns(ConvergenceWarning):
        lstsq_refine(A, b, method="spir", sketch=S, callback=seen)
    expected = np.linalg.lstsq(S @ A, S @ b)[0]
    np.testing.assert_allclose(seen.states[0].x[:, 0], expected, atol=1e-8)


@pytest.mark.parametrize("stop_at", [0, 1, 3, 7])
def test_stop_iteration_stops_with_the_best_iterate(stop_at, problem):
    A, b = problem
    seen = Recorder(stop_at)
    with pytest.warns(ConvergenceWarning, match="StopIteration"):
        result = lstsq_refine(A, b, method="spir", callback=seen, rng=0)
    assert result.status is Status.STOPPED_BY_CALLBACK
    assert not result.success
    assert result.n_iter == stop_at
    assert "StopIteration" in result.message
    # The callback is not called again after it has stopped the solver.
    assert [s.n_iter for s in seen.states].count(stop_at) == 1
    exact = backward_error(A, b, result.x, exact=True)
    assert exact / 3 <= result.backward_error <= 3 * exact
    assert result.residual_norm == pytest.approx(np.linalg.norm(b - A @ result.x))


def test_stopping_a_converged_solver_does_not_warn(problem):
    def stop_when_good(state):
        if state.certified and state.error <= 2 * EPS:
            raise StopIteration

    result = lstsq_refine(*problem, method="spir", callback=stop_when_good, rng=0)
    assert result.backward_error <= 2 * EPS
    assert result.success == (result.status is Status.CONVERGED)


@pytest.mark.parametrize("method", METHODS)
def test_other_exceptions_pass_through(method, problem):
    def fail(state):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        lstsq_refine(*problem, method=method, callback=fail, rng=0)


def test_callback_on_wide_problems(rng):
    seen = Recorder()
    lstsq_refine(rng.standard_normal((5, 9)), rng.standard_normal(5), callback=seen, rtol=1e-12)
    assert len(seen.states) == 1
    assert seen.states[0].n_iter == 0
    assert seen.states[0].x.shape == (9, 1)


def test_callback_may_not_harm_the_solver(problem):
    # A state shows the iterate; writing to it must not change the answer.
    def vandal(state):
        with contextlib.suppress(ValueError):
            state.x[:] = 0

    expected = lstsq_refine(*problem, method="spir", rng=0)
    result = lstsq_refine(*problem, method="spir", rng=0, callback=vandal)
    np.testing.assert_array_equal(result.x, expected.x)


@pytest.mark.parametrize("maxiter", [0, 1, 3])
def test_maxiter(maxiter, problem):
    A, b = problem
    with pytest.warns(ConvergenceWarning, match="`maxiter`"):
        result = lstsq_refine(A, b, method="spir", maxiter=maxiter, rng=0)
    assert result.status is Status.MAX_ITERATIONS
    assert not result.success
    assert result.n_iter == maxiter
    assert "`maxiter`" in result.message
    exact = backward_error(A, b, result.x, exact=True)
    assert exact / 3 <= result.backward_error <= 3 * exact
    assert len(result.history) == 1 if maxiter == 0 else len(result.history) == maxiter + 2


def test_more_iterations_give_smaller_errors(problem):
    errors = []
    for maxiter in (0, 4, 8, 12, 400):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            result = lstsq_refine(*problem, method="spir", maxiter=maxiter, rng=0)
        errors.append(result.backward_error)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-6 * errors[0]


def test_the_best_iterate_is_returned_not_the_last(problem):
    # Asked for the impossible, it goes on until nothing is gained; no certified state was better.
    seen = Recorder()
    with pytest.warns(ConvergenceWarning):
        result = lstsq_refine(*problem, method="spir", rtol=0, callback=seen, rng=0)
    certified = [state for state in seen.states if state.certified]
    best = min(certified, key=lambda state: state.error)
    assert result.backward_error == best.error
    np.testing.assert_array_equal(result.x, best.x[:, 0])


@pytest.mark.parametrize("method", ["gram", "lapack"])
def test_maxiter_zero_of_direct_methods(method, problem):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = lstsq_refine(*problem, method=method, maxiter=0, rng=0)
    assert result.n_iter == 0
    assert result.status in (Status.CONVERGED, Status.MAX_ITERATIONS)
    assert result.backward_error < 1e-9


def line_of(function):
    return inspect.getsourcelines(function)[1]


def refine_and_warn(A, b):
    return lstsq_refine(A, b, method="spir", maxiter=0, rng=0)


def test_warnings_point_at_the_users_line(problem):
    with pytest.warns(ConvergenceWarning) as caught:
        refine_and_warn(*problem)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert caught[0].lineno == line_of(refine_and_warn) + 1
    assert issubclass(caught[0].category, RnlaWarning)
    assert issubclass(RnlaWarning, UserWarning)


def test_the_warning_says_what_and_how_much(problem):
    with pytest.warns(ConvergenceWarning, match=r"backward error \d\.\de-\d\d is above rtol="):
        refine_and_warn(*problem)


def test_status_values_are_advice():
    for status in Status:
        assert status.value[0].islower()
        assert not status.value.endswith(".")
    assert "maxiter" in Status.MAX_ITERATIONS.value


class Counter(LinearOperator):
    """Counts the columns it is multiplied with and the calls."""

    def __init__(self, A):
        super().__init__(A.dtype, A.shape)
        self.A, self.columns, self.calls = A, 0, 0

    def _count(self, X):
        self.calls += 1
        self.columns += X.shape[1] if X.ndim == 2 else 1

    def _matmat(self, X):
        self._count(X)
        return self.A @ X

    def _rmatmat(self, Y):
        self._count(Y)
        return self.A.conj().T @ Y

    def _matvec(self, x):
        self._count(x)
        return self.A @ x

    def _rmatvec(self, y):
        self._count(y)
        return self.A.conj().T @ y


@pytest.mark.parametrize("k", [None, 1, 3])
@pytest.mark.parametrize("method", METHODS)
def test_n_matvec_counts_products(method, k, problem):
    A, b = problem
    counter = Counter(A)
    B = b if k is None else np.outer(b, np.arange(1, k + 1))
    result = lstsq_refine(counter, B, method=method, rng=0)
    assert result.n_matvec == counter.columns


def test_n_passes_counts_readings(problem):
    A, b = problem
    counter = Counter(A)
    result = lstsq_refine(counter, b, method="spir", rng=0)
    # A reading is a product with A and one with its adjoint; the sketch takes one of all columns.
    assert result.n_passes == 1 + (counter.calls - 1) / 2
    assert result.n_matvec == 20 + 2 * (result.n_passes - 1)


@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, scipy.sparse.csr_array])
def test_passes_over_arrays(form, problem):
    A, b = problem
    result = lstsq_refine(form(A), b, method="spir", rng=0)
    certified = len(result.history) - result.n_iter
    assert result.n_passes == 1 + result.n_iter + certified
    assert result.n_matvec == 2 * (result.n_passes - 1)
    assert result.n_passes <= 35


def test_passes_do_not_depend_on_the_condition(rng):
    passes = []
    for condition in (1.0, 1e4, 1e8, 1e12):
        A, b, _ = lstsq_problem(2000, 40, condition=condition, residual=1e-3, rng=rng)
        passes.append(lstsq_refine(A, b, method="spir", sketch_size=480, rng=0).n_passes)
    assert max(passes) <= 28
    assert max(passes) - min(passes) <= 10


def test_history_is_the_record(problem):
    result = lstsq_refine(*problem, method="spir", rng=0)
    assert result.history.dtype == np.float64
    assert result.history[-1] == result.backward_error
    assert len(result.history) > result.n_iter
    assert np.isfinite(result.history).all()
    assert (result.history >= 0).all()


class TestPreconditioner:
    """``A @ P`` has nearly orthonormal columns, so SciPy's solvers converge in a few steps."""

    @pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_array, aslinearoperator])
    @pytest.mark.parametrize("condition", [1e2, 1e8])
    @pytest.mark.parametrize("solver", [lsqr, lsmr])
    def test_scipys_solvers_take_it(self, solver, condition, form, rng):
        A, b, x = lstsq_problem(1000, 30, condition=condition, residual=1e-6, rng=rng)
        P = lstsq_refine(A, b, method="spir", rng=0).preconditioner
        assert P.shape == (30, 30)
        preconditioned = aslinearoperator(form(A)) @ P
        options = {"atol": 1e-14, "btol": 1e-14, "conlim": 0}
        limit = "iter_lim" if solver is lsqr else "maxiter"
        y, _, n_iter = solver(preconditioned, b, **options, **{limit: 400})[:3]
        assert n_iter <= 60
        # From zero it is not backward stable, so x itself is only as good as the fit.
        assert np.linalg.norm(A @ (P @ y - x)) <= 1e-9
        plain = solver(form(A), b, **options, **{limit: 400})[2]
        assert plain > (4 if condition > 1e6 else 1) * n_iter

    def test_conjugate_gradients_on_the_normal_equations(self, rng):
        A, b, x = lstsq_problem(1000, 30, condition=1e6, residual=1e-6, rng=rng)
        P = lstsq_refine(A, b, method="spir", rng=0).preconditioner
        M = aslinearoperator(A) @ P
        y, info = cg(M.H @ M, M.H @ b, rtol=1e-12, maxiter=40)
        assert info == 0
        assert np.linalg.norm(A @ (P @ y - x)) <= 1e-10

    @pytest.mark.parametrize("method", ITERATIVE)
    @pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
    def test_it_makes_the_columns_nearly_orthonormal(self, dtype, method, rng):
        A, b, _ = lstsq_problem(3000, 40, condition=1e4, residual=0.1, rng=rng, dtype=dtype)
        P = lstsq_refine(A, b, method=method, rng=0).preconditioner
        sigma = np.linalg.svd(A @ (P @ np.eye(40)), compute_uv=False)
        low, high = (0.55, 2.0) if method == "spir" else (1 - 1e-3, 1 + 1e-3)
        assert low < sigma[-1]
        assert sigma[0] < high
        rnla.testing.assert_adjoint(P, rng)

    def test_deficient_rank(self, rng):
        A = gaussian(800, 5, rng) @ gaussian(5, 12, rng)
        P = lstsq_refine(A, rng.standard_normal(800), method="spir", rng=0).preconditioner
        assert P.shape == (12, 5)
        sigma = np.linalg.svd(A @ (P @ np.eye(5)), compute_uv=False)
        assert sigma[-1] > 0.4
        assert sigma[0] < 2.5
        rnla.testing.assert_adjoint(P, rng)

    def test_none_where_there_is_no_factor(self, rng):
        # Tiny problems are solved by one kernel.
        assert lstsq_refine(rng.standard_normal((40, 3)), np.ones(40)).preconditioner is None


def test_progress_through_the_callback(problem):
    # What the documentation promises to people who want a progress bar.
    ticks = []
    lstsq_refine(*problem, method="spir", rng=0, callback=lambda state: ticks.append(state.error))
    assert ticks[0] > ticks[-1]


def test_fallback_to_lapack_is_reported(problem, monkeypatch):
    # Force what should not happen: a randomized method that misses by far.
    from rnla.lstsq import _direct, _surrogate

    A, b = problem
    real = _surrogate.triangular_factor

    def ruined(M, B, *, overwrite=False):
        rows = len(M)
        R, C, scale = real(M, B, overwrite=overwrite)
        return (R + 0.9 * np.triu(np.ones_like(R)), C, scale) if rows < 500 else (R, C, scale)

    assert _direct.triangular_factor is real
    monkeypatch.setattr(_surrogate, "triangular_factor", ruined)
    forced = Choice(method=SPIR(), reason="for this test")
    monkeypatch.setattr("rnla.lstsq._choose.choose", lambda *arguments: forced)
    monkeypatch.setattr("rnla.lstsq._api.is_small", lambda m, n: False)
    result = lstsq_refine(A, b, method="auto", rng=0, maxiter=4000)
    assert result.status is Status.FELL_BACK
    assert result.method == "lapack"
    assert result.success
    assert backward_error(A, b, result.x) <= 10 * EPS
