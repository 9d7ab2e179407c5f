"""Tolerances, dtypes and the result itself."""

import numpy as np
import pytest
from refinement_cases import SINGLE, perturbed_inverse, planted
from scipy.sparse import csc_array
from scipy.sparse.linalg import aslinearoperator

from rnla import RefineResult, Status, refine


@pytest.fixture
def problem(rng):
    A, b, _ = planted(40, 100.0, rng)
    return A, b, perturbed_inverse(A, 0.5, rng)


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
