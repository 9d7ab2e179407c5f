"""Newton's method with sketches: the optimum, the certificate, the speed of convergence."""

import warnings

import numpy as np
import pytest
from controls import newton as controls
from newton_cases import (
    METHODS,
    Model,
    assert_optimal,
    badly_scaled,
    breast_cancer,
    digits,
    poisson,
    small_logistic,
)
from sklearn.linear_model import LogisticRegression

from rnla import Status
from rnla.lstsq import newton_sketch
from rnla.sketch import SKETCHES

EPS = np.finfo(np.float64).eps


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
    size = None if method == "exact" else 24
    model.solve(method=method, sketch_size=size, callback=seen.append, rng=0)
    best = model.newton(np.zeros(12))
    for state in seen:
        exact = model.decrement(state.x)
        if exact > 1e-10:
            assert np.sqrt(2 * state.decrement) == pytest.approx(exact, rel=0.02)
            assert state.gradient_norm == pytest.approx(np.linalg.norm(model.gradient(state.x)))
        norms = np.hypot(np.linalg.norm(model.hessian_root(state.x), axis=0), model.penalty)
        size = np.sqrt(2 * state.objective) + norms @ np.abs(state.x)
        assert state.error == pytest.approx(np.sqrt(2 * state.decrement) / size)
        gap = state.objective - model.objective(best)
        if 1e-9 < gap < 1:
            assert state.decrement == pytest.approx(gap, rel=0.2)


@pytest.mark.parametrize("method", ["sketch", "subsample"])
@pytest.mark.parametrize("seed", range(5))
def test_a_sketch_without_spare_rows_does_not_understate_the_decrement(seed, method, rng):
    model = small_logistic(rng)
    seen = []
    model.solve(method=method, sketch_size=12, callback=seen.append, rng=seed)
    for state in seen:
        exact = model.decrement(state.x)
        if exact > 1e-10:
            assert np.sqrt(2 * state.decrement) >= 0.8 * exact


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
