"""Counts, limits, starts, callbacks and step lengths of Newton's method with sketches."""

import numpy as np
import pytest
from newton_cases import Model, assert_optimal, badly_scaled, poisson, small_logistic

from rnla import ConvergenceWarning, Status
from rnla.lstsq import NewtonResult, newton_sketch


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
