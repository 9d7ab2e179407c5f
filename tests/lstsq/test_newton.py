"""Newton's method with a sketched preconditioner: the optimum, the certificate, honest ends."""

import inspect
import warnings

import numpy as np
import pytest
import scipy.sparse
from controls import newton as controls
from newton_cases import Model, assert_optimal, badly_scaled, breast_cancer, digits, poisson
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

import rnla
from rnla import ConvergenceWarning, Status
from rnla.lstsq import NewtonResult, newton_sketch
from rnla.sketch import SKETCHES

EPS = np.finfo(np.float64).eps
METHODS = ["sketch", "subsample", "exact"]
DATA = [breast_cancer, digits]


def scikit_learn(model, solver):
    """Scikit-learn's optimum of a logistic model; the penalty is 1/2, so that is ``C=1``."""
    intercept = model.penalty[-1] == 0
    A = model.A[:, :-1] if intercept else model.A
    estimator = LogisticRegression(
        C=1.0, solver=solver, tol=1e-10, max_iter=20_000, fit_intercept=intercept
    )
    with warnings.catch_warnings():
        # It may end in a failed line search: its answer is a yardstick all the same.
        warnings.simplefilter("ignore")
        estimator.fit(A, model.y)
    return np.append(estimator.coef_[0], estimator.intercept_ if intercept else [])


def small_logistic(rng, m=1500, n=12):
    A = rng.standard_normal((m, n))
    y = rng.random(m) < expit(A @ rng.standard_normal(n) / np.sqrt(n))
    return Model(A, y.astype(float), np.full(n, 0.5))


# -- the law ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("solver", ["newton-cholesky", "lbfgs"])
@pytest.mark.parametrize("data", DATA, ids=lambda f: f.__name__)
def test_reaches_the_optimum_of_scikit_learn(data, solver, method):
    model = data()
    reference = scikit_learn(model, solver)
    result = model.solve(method=method, rng=0)
    assert result.status is Status.CONVERGED
    assert_optimal(model, result.x, reference)
    # newton-cholesky stops at the level of rounding too: there the order is chance.
    assert model.decrement(result.x) <= 4 * model.decrement(reference)
    if solver == "lbfgs":
        assert result.gradient_norm < np.linalg.norm(model.gradient(reference))


@pytest.mark.parametrize("method", METHODS)
def test_reaches_the_optimum_with_badly_scaled_columns(method, rng):
    model = badly_scaled(rng)
    reference = scikit_learn(model, "newton-cholesky")
    result = model.solve(method=method, rng=0)
    assert result.success
    assert_optimal(model, result.x, model.newton(result.x))
    assert result.objective <= model.objective(reference) * (1 + 1e-10)
    assert result.gradient_norm < 4 * np.linalg.norm(model.gradient(reference))
    assert result.n_iter < 20


@pytest.mark.parametrize("method", METHODS)
def test_reaches_the_optimum_of_poisson_regression(method, rng):
    model = poisson(rng)
    best = model.newton(np.zeros(20))
    result = model.solve(method=method, rng=0)
    assert result.success
    assert_optimal(model, result.x, best)
    np.testing.assert_allclose(result.x, best, rtol=1e-12)


@pytest.mark.parametrize("family", sorted(SKETCHES))
def test_every_family_of_sketches(family, rng):
    model = small_logistic(rng)
    result = model.solve(sketch=family, rng=0)
    assert result.method == "sketch"
    assert_optimal(model, result.x, model.newton(np.zeros(12)))


@pytest.mark.parametrize("size", [12, 13, 24, 400])
@pytest.mark.parametrize("method", ["sketch", "subsample"])
def test_every_size_of_sketch(method, size, rng):
    model = small_logistic(rng)
    result = model.solve(method=method, sketch_size=size, rng=0)
    assert result.success
    assert_optimal(model, result.x, model.newton(np.zeros(12)))


@pytest.mark.parametrize("control", controls.SOLVERS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("scaled", [False, True])
def test_the_law_rejects_wrong_methods(scaled, control, rng):
    model = badly_scaled(rng, m=2000, n=12) if scaled else small_logistic(rng)
    best = model.solve(rng=0).x
    x = control(model, rng)
    # They do look right: one would take them for the optimum at a glance.
    assert model.objective(x) < model.objective(best) + 0.01 * abs(model.objective(best))
    with pytest.raises(AssertionError, match=r"objective|decrement"):
        assert_optimal(model, x, best)


def test_convergence_is_superlinear_whatever_the_sketch(rng):
    # The sketched Hessian alone would gain the same factor in every step.
    history = small_logistic(rng).solve(rng=0).history
    above = history[history > 1e3 * EPS]
    ratios = above[1:] / above[:-1]
    assert ratios[-1] < 1e-3 < 1e-1 * ratios[0]


# -- quadratics ----------------------------------------------------------------------------------


@pytest.mark.parametrize("damp", [0.0, 3.0, "vector"])
@pytest.mark.parametrize("method", METHODS)
def test_ridge_in_few_steps(method, damp, rng):
    A = rng.standard_normal((5000, 40)) * np.logspace(0, 3, 40)
    b = A @ np.ones(40) + rng.standard_normal(5000)
    penalty = np.arange(40.0) if damp == "vector" else np.full(40, damp)
    result = newton_sketch(
        lambda x: A.T @ (A @ x - b),
        lambda x: A,
        np.zeros(40),
        objective=lambda x: 0.5 * np.sum((A @ x - b) ** 2),
        damp=penalty if damp == "vector" else damp,
        method=method,
        rng=0,
    )
    stacked, right = np.vstack([A, np.diag(penalty)]), np.append(b, np.zeros(40))
    np.testing.assert_allclose(result.x, np.linalg.lstsq(stacked, right)[0], rtol=1e-11)
    assert result.success
    assert result.n_iter <= 4
    expected = 0.5 * np.sum((stacked @ result.x - right) ** 2)
    assert result.objective == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("start", [0.0, 1e3])
def test_consistent_equations_where_the_objective_vanishes(start, rng):
    A = rng.standard_normal((600, 8))
    b = A @ np.arange(8.0)
    result = newton_sketch(
        lambda x: A.T @ (A @ x - b),
        lambda x: A,
        np.full(8, start),
        objective=lambda x: 0.5 * np.sum((A @ x - b) ** 2),
        rng=0,
    )
    assert result.success
    np.testing.assert_allclose(result.x, np.arange(8.0), atol=1e-13)


@pytest.mark.parametrize("method", METHODS)
def test_repeated_and_zero_columns(method, rng):
    model = small_logistic(rng)
    repeated = np.hstack([model.A, model.A, np.zeros((len(model.A), 1))])
    singular = Model(repeated, model.y, np.zeros(25))
    plain = Model(model.A, model.y, np.zeros(12))
    result = singular.solve(method=method, rng=0)
    best = plain.newton(np.zeros(12))
    assert result.success
    assert result.x[-1] == 0
    np.testing.assert_allclose(result.x[:12] + result.x[12:24], best, atol=1e-12)
    # The other direction of each pair stays where it was.
    np.testing.assert_allclose(result.x[:12], result.x[12:24], atol=1e-10)


# -- the certificate ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_decrement_is_that_of_the_true_hessian(method, rng):
    model = small_logistic(rng)
    seen = []
    model.solve(method=method, sketch_size=12 if method != "exact" else None, callback=seen.append)
    best = model.newton(np.zeros(12))
    for state in seen:
        exact = model.decrement(state.x)
        if exact > 1e-10:
            assert np.sqrt(2 * state.decrement) == pytest.approx(exact, rel=0.2)
            assert state.gradient_norm == pytest.approx(np.linalg.norm(model.gradient(state.x)))
        norms = np.hypot(np.linalg.norm(model.hessian_root(state.x), axis=0), model.penalty)
        size = np.sqrt(2 * state.objective) + norms @ np.abs(state.x)
        assert state.error == pytest.approx(np.sqrt(2 * state.decrement) / size)
        gap = state.objective - model.objective(best)
        if 1e-9 < gap < 1:
            assert state.decrement == pytest.approx(gap, rel=0.2)


@pytest.mark.parametrize("rtol", [1e-2, 1e-4, 1e-6])
def test_rtol_bounds_the_gap_whatever_the_offset_of_the_columns(rtol, rng):
    model = small_logistic(rng)
    shifted = Model(np.column_stack([model.A + 1e5, np.ones(1500)]), model.y, np.zeros(13))
    best = shifted.solve(rng=0)
    result = shifted.solve(rtol=rtol, rng=0)
    assert result.status is Status.CONVERGED
    assert result.relative_decrement <= rtol
    assert result.n_iter < best.n_iter
    gap = shifted.objective(result.x) - shifted.objective(best.x)
    assert gap <= 4 * rtol**2 * abs(best.objective) + 1e-10


def test_result_counts_what_was_called(rng):
    model, calls = small_logistic(rng), {"f": 0, "g": 0, "B": 0}

    def counted(name, function):
        def call(x):
            calls[name] += 1
            return function(x)

        return call

    result = newton_sketch(
        counted("g", model.loss_gradient),
        counted("B", model.hessian_root),
        np.zeros(12),
        objective=counted("f", model.loss),
        damp=0.5,
        rng=0,
    )
    assert calls == {"f": result.n_objective, "g": result.n_gradient, "B": result.n_hessian}
    assert result.n_hessian == result.n_iter + 1 == len(result.history)
    assert 1 <= result.n_sketch <= result.n_hessian
    assert result.n_matvec > 2 * result.n_iter
    assert isinstance(result, NewtonResult)
    assert "array" not in repr(result)
    assert result.message.startswith("sketch: ")


# -- ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", [True, False])
@pytest.mark.parametrize("naive", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_separable_data_is_no_success(method, naive, objective, rng):
    A = rng.standard_normal((400, 5))
    model = Model(A, (A @ np.ones(5) > 0).astype(float), np.zeros(5))
    gradient, root = model.loss_gradient, model.hessian_root
    if naive:  # its gradient is exactly zero where the probabilities are rounded to 0 and 1

        def gradient(x):
            return A.T @ (expit(A @ x) - model.y)

        def root(x):
            return A * np.sqrt(expit(A @ x) * (1 - expit(A @ x)))[:, None]

    with pytest.warns(ConvergenceWarning):
        result = newton_sketch(
            gradient,
            root,
            np.zeros(5),
            objective=model.loss if objective else None,
            method=method,
            maxiter=300,
            rng=0,
        )
    assert not result.success
    assert result.status in (Status.STAGNATED, Status.MAX_ITERATIONS)
    if result.status is Status.STAGNATED:
        assert "infinity" in result.message


def test_one_coefficient_at_infinity_is_no_success(rng):
    model = small_logistic(rng)
    marker = (rng.random(1500) < 0.05) * model.y
    quasi = Model(np.column_stack([model.A, marker]), model.y, np.zeros(13))
    with pytest.warns(ConvergenceWarning, match="infinity"):
        result = quasi.solve(rng=0)
    assert result.status is Status.STAGNATED


def test_no_curvature_at_the_start(rng):
    # Every residual in the linear part of a Huber loss.
    A = rng.standard_normal((100, 3))
    with pytest.warns(ConvergenceWarning):
        result = newton_sketch(
            lambda x: A.T @ np.ones(100), lambda x: np.zeros((100, 3)), [1, 2, 3]
        )
    assert result.status is Status.STAGNATED
    assert result.n_iter == 0
    np.testing.assert_array_equal(result.x, [1.0, 2, 3])


def test_a_slope_without_curvature_is_no_optimum(rng):
    A = np.column_stack([rng.standard_normal((100, 2)), np.zeros(100)])
    with pytest.warns(ConvergenceWarning):
        result = newton_sketch(lambda x: A.T @ (A @ x) + [0, 0, 1], lambda x: A, np.zeros(3), rng=0)
    assert not result.success
    assert result.relative_decrement == np.inf


def test_a_gradient_of_another_function_is_no_success(rng):
    model = small_logistic(rng)
    with pytest.warns(ConvergenceWarning):
        result = newton_sketch(
            lambda x: -model.loss_gradient(x),
            model.hessian_root,
            np.zeros(12),
            objective=model.loss,
            damp=0.5,
            rng=0,
        )
    assert result.status is Status.STAGNATED
    assert result.n_iter == 0


@pytest.mark.parametrize("maxiter", [0, 2])
def test_maxiter(maxiter, rng):
    model = small_logistic(rng)
    with pytest.warns(ConvergenceWarning, match="iteration limit"):
        result = model.solve(maxiter=maxiter, rng=0)
    assert result.status is Status.MAX_ITERATIONS
    assert not result.success
    assert result.n_iter == maxiter
    if maxiter == 0:
        np.testing.assert_array_equal(result.x, np.zeros(12))
        assert result.n_gradient == result.n_objective == 1


def test_start_at_the_optimum(rng):
    model = small_logistic(rng)
    best = model.solve(rng=0)
    again = model.solve(x0=best.x, rng=1)
    assert again.status is Status.CONVERGED
    assert again.n_iter == 0
    np.testing.assert_array_equal(again.x, best.x)


def test_start_at_an_optimum_that_is_zero(rng):
    A = rng.standard_normal((300, 4))
    both = Model(np.vstack([A, A]), np.repeat([0.0, 1.0], 300), np.ones(4))
    result = both.solve(rng=0)
    assert result.success
    np.testing.assert_allclose(result.x, 0, atol=1e-15)


def test_callback_sees_every_state_and_may_stop(rng):
    model, seen = small_logistic(rng), []

    def look(state):
        seen.append(state)
        if state.n_iter == 2:
            raise StopIteration

    with pytest.warns(ConvergenceWarning):
        result = model.solve(callback=look, rng=0)
    assert result.status is Status.STOPPED_BY_CALLBACK
    assert [state.n_iter for state in seen] == [0, 1, 2]
    np.testing.assert_array_equal(result.history, [state.error for state in seen])
    np.testing.assert_array_equal(result.x, seen[2].x)
    assert all(state.certified and not state.x.flags.writeable for state in seen)
    values = [state.objective for state in seen]
    assert values == sorted(values, reverse=True)
    assert values[2] == model.objective(seen[2].x)


# -- line search ---------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", [True, False])
def test_far_start_of_poisson_regression_needs_short_steps(objective, rng):
    model = poisson(rng)
    # The full step from here overshoots by far.
    start = np.full(20, -3.0)
    with np.errstate(over="ignore", invalid="ignore"):
        options = {} if objective else {"objective": None}
        result = model.solve(x0=start, rng=0, **options)
    assert result.success
    assert_optimal(model, result.x, model.newton(np.zeros(20)))


def test_objective_falls_in_every_step(rng):
    model, values = badly_scaled(rng, m=2000), []
    model.solve(x0=rng.standard_normal(50), callback=lambda s: values.append(s.objective), rng=0)
    assert np.all(np.diff(values) <= 1e-13 * np.abs(values[1:]))


def test_a_step_out_of_the_domain_is_shortened():
    # x - log x on x > 0: from 2.5 the full Newton step ends at a negative number.
    result = newton_sketch(
        lambda x: 1 - 1 / x if x[0] > 0 else np.array([np.nan]),
        lambda x: (1 / x)[:, None],
        [2.5],
        objective=lambda x: x[0] - np.log(x[0]) if x[0] > 0 else np.inf,
    )
    assert result.success
    assert result.n_objective > result.n_iter + 1
    np.testing.assert_allclose(result.x, [1.0], rtol=1e-15)


# -- input ---------------------------------------------------------------------------------------


def test_equal_seeds_give_equal_bits(rng):
    model = small_logistic(rng)
    first, same = (model.solve(rng=7) for _ in range(2))
    np.testing.assert_array_equal(first.x, same.x)
    np.testing.assert_array_equal(first.history, same.history)
    other = model.solve(rng=8)
    assert not np.array_equal(first.history, other.history)
    np.testing.assert_allclose(first.x, other.x, rtol=1e-12)


@pytest.mark.parametrize("layout", [scipy.sparse.csr_array, scipy.sparse.csc_matrix, "coo", "F"])
@pytest.mark.parametrize("method", METHODS)
def test_layouts(layout, method, rng):
    A = scipy.sparse.random_array((2000, 15), density=0.2, rng=rng, format="csr")
    A.data -= 0.5
    y = (rng.random(2000) < expit(A @ np.full(15, 2.0))).astype(float)
    dense = Model(A.toarray(), y, np.ones(15))
    if layout == "F":
        given = Model(np.asfortranarray(A.toarray()), y, np.ones(15))
    elif layout == "coo":
        given = Model(scipy.sparse.coo_array(A), y, np.ones(15))
    else:
        given = Model(layout(A), y, np.ones(15))
    result = given.solve(method=method, rng=0)
    assert result.success
    assert_optimal(dense, result.x, dense.newton(np.zeros(15)))


def test_duplicate_entries_of_a_sparse_root_are_summed(rng):
    A = rng.standard_normal((200, 3))
    i, j = np.indices(A.shape)
    halves = np.concatenate([0.5 * A.ravel(), 0.5 * A.ravel()])
    where = (np.tile(i.ravel(), 2), np.tile(j.ravel(), 2))
    root = scipy.sparse.coo_array((halves, where), shape=A.shape)
    seen = []
    H = A.T @ A
    result = newton_sketch(
        lambda x: H @ (x - 1), lambda x: root, np.zeros(3), callback=seen.append, rng=0
    )
    assert result.n_iter <= 4
    assert seen[0].decrement == pytest.approx(0.5 * H.sum(), rel=0.1)


@pytest.mark.parametrize("method", METHODS)
def test_single_precision(method, rng):
    model = small_logistic(rng)
    single = Model(model.A.astype(np.float32), model.y.astype(np.float32), np.float32(0.5))
    seen = []
    result = single.solve(x0=np.zeros(12, np.float32), method=method, callback=seen.append, rng=0)
    assert result.success
    assert result.x.dtype == np.float32
    assert all(state.x.dtype == np.float32 for state in seen)
    best = model.newton(np.zeros(12))
    np.testing.assert_allclose(result.x, best, atol=1e-5)
    assert result.relative_decrement <= 100 * np.finfo(np.float32).eps


def test_fewer_rows_than_columns_with_a_penalty(rng):
    A = rng.standard_normal((20, 50))
    model = Model(A, (rng.random(20) < 0.5).astype(float), np.ones(50))
    result = model.solve(rng=0)
    assert result.success
    assert result.method == "exact"
    assert result.n_sketch == 0
    assert_optimal(model, result.x, model.newton(np.zeros(50)))


@pytest.mark.parametrize("method", METHODS)
def test_a_penalty_without_data(method):
    result = newton_sketch(
        lambda x: -np.ones(3),
        lambda x: np.zeros((90, 3)),
        np.zeros(3),
        damp=[1, 2, 4],
        method=method,
    )
    assert result.success
    np.testing.assert_allclose(result.x, [1, 1 / 4, 1 / 16], rtol=1e-15)


def test_integers_start_in_double_precision_and_nothing_is_changed(rng):
    model = small_logistic(rng)
    start = np.zeros(12, int)
    result = model.solve(x0=start, rng=0)
    assert result.x.dtype == np.float64
    assert result.x.flags.writeable
    np.testing.assert_array_equal(start, 0)


def test_functions_may_reuse_their_arrays(rng):
    model = small_logistic(rng)
    gradient, root = np.empty(12), np.empty_like(model.A)

    def gradient_in_place(x):
        gradient[:] = model.loss_gradient(x)
        return gradient

    def root_in_place(x):
        root[:] = model.hessian_root(x)
        return root

    again = newton_sketch(
        gradient_in_place, root_in_place, np.zeros(12), objective=model.loss, damp=0.5, rng=0
    )
    np.testing.assert_array_equal(again.x, model.solve(rng=0).x)


BAD_OPTIONS = [
    ({"damp": -1.0}, ValueError, r"`damp` must lie in \[0, inf\), got -1.0"),
    ({"damp": np.nan}, ValueError, "`damp`"),
    ({"damp": [0.0, np.inf, 0.0]}, ValueError, "`damp`"),
    ({"damp": np.ones(2)}, ValueError, r"`damp` must be a real number or have shape \(3,\)"),
    ({"damp": "much"}, TypeError, "`damp`"),
    ({"x0": np.zeros((3, 1))}, ValueError, r"`x0` must have shape \(n,\)"),
    ({"x0": []}, ValueError, "`x0`"),
    ({"x0": [0, np.nan, 0]}, ValueError, "`x0` must not contain NaN"),
    ({"x0": np.zeros(3, complex)}, TypeError, "`x0` must be real"),
    ({"gradient": np.ones(3)}, TypeError, "`gradient` must be callable"),
    ({"hessian_root": np.eye(3)}, TypeError, "`hessian_root` must be callable"),
    ({"objective": 1.0}, TypeError, "`objective` must be callable or None"),
    ({"callback": "print"}, TypeError, "`callback` must be callable or None"),
    ({"method": "auto"}, ValueError, "`method` must be 'sketch'"),
    ({"sketch": "dense"}, ValueError, "`sketch` must be one of count_sketch"),
    ({"sketch_size": 2}, ValueError, "`sketch_size` must be at least 3, got 2"),
    ({"sketch_size": 9.0}, TypeError, "`sketch_size` must be an integer"),
    ({"rtol": -1e-3}, ValueError, "`rtol`"),
    ({"rtol": 1.0}, ValueError, "`rtol`"),
    ({"maxiter": -1}, ValueError, "`maxiter` must be at least 0"),
    ({"rng": "seed"}, TypeError, "`rng`"),
    ({"gradient": lambda x: np.ones(4)}, ValueError, r"`gradient\(x\)` must have shape \(3,\)"),
    ({"gradient": lambda x: np.ones((3, 1))}, ValueError, r"`gradient\(x\)` must have shape"),
    ({"gradient": lambda x: np.full(3, np.nan)}, ValueError, r"`gradient\(x\)` must not contain"),
    ({"gradient": lambda x: 1j * x}, TypeError, r"`gradient\(x\)` must be real"),
    ({"hessian_root": lambda x: np.ones((9, 4))}, ValueError, r"`hessian_root\(x\)` must have"),
    ({"hessian_root": lambda x: np.ones(3)}, ValueError, r"`hessian_root\(x\)` must have shape"),
    ({"hessian_root": lambda x: np.full((9, 3), np.inf)}, ValueError, r"`hessian_root\(x\)`"),
    ({"hessian_root": lambda x: np.full((9, 3), 1e200)}, ValueError, "squares are finite"),
    ({"hessian_root": lambda x: np.eye(3) * 1j}, TypeError, r"`hessian_root\(x\)` must be real"),
    ({"hessian_root": lambda x: "no"}, TypeError, r"`hessian_root\(x\)`"),
    ({"objective": lambda x: np.nan}, ValueError, r"`objective\(x0\)` must be finite"),
    ({"objective": lambda x: x}, ValueError, r"`objective\(x\)` must be one real number"),
    ({"objective": lambda x: 1j}, ValueError, r"`objective\(x\)` must be one real number"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD_OPTIONS)
def test_bad_input_is_named(options, error, message):
    arguments = {
        "gradient": lambda x: x - 1,
        "hessian_root": lambda x: np.eye(3),
        "x0": np.zeros(3),
        "objective": lambda x: 0.5 * np.sum((x - 1) ** 2),
    }
    newton_sketch(**arguments)
    with pytest.raises(error, match=message):
        newton_sketch(**(arguments | options))


def test_nan_from_a_later_call_is_named(rng):
    model = small_logistic(rng)

    def broken(x):
        root = model.hessian_root(x)
        return root if not x.any() else np.full_like(root, np.nan)

    with pytest.raises(ValueError, match=r"`hessian_root\(x\)` must not contain NaN"):
        newton_sketch(model.loss_gradient, broken, np.zeros(12), objective=model.loss, damp=0.5)


def test_errors_of_the_callables_pass_through(rng):
    def fail(x):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        newton_sketch(fail, lambda x: np.eye(2), np.zeros(2))


def test_signature():
    parameters = inspect.signature(rnla.lstsq.newton_sketch).parameters
    assert list(parameters)[:3] == ["gradient", "hessian_root", "x0"]
    assert {n: p.default for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY} == {
        "objective": None,
        "damp": 0.0,
        "method": "sketch",
        "sketch": "sparse_sign",
        "sketch_size": None,
        "rtol": None,
        "maxiter": None,
        "callback": None,
        "rng": None,
    }
