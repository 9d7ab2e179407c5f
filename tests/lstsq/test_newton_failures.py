"""Functions without an optimum, without curvature or not their own: no success is claimed."""

import numpy as np
import pytest
from newton_cases import METHODS, Model, small_logistic
from scipy.special import expit

from rnla import ConvergenceWarning, Status
from rnla.lstsq import newton_sketch


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
