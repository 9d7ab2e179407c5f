"""Zeros, one unknown or none: defined behaviour."""

import numpy as np
import pytest
from refinement_cases import perturbed_inverse, planted
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla import ConvergenceWarning, Status, refine

ACCELERATIONS = [None, "anderson", "krylov"]


@pytest.fixture
def problem(rng):
    A, b, _ = planted(40, 100.0, rng)
    return A, b, perturbed_inverse(A, 0.5, rng)


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
