"""The law: what a single-precision factor cannot do alone, the residual does."""

import numpy as np
import pytest
import refinement_cases as cases
from controls import refinement as controls
from refinement_cases import (
    EPS,
    SINGLE,
    assert_refined,
    backward_error,
    errors_of,
    gaussian,
    planted,
    refined,
)
from scipy.linalg import cho_factor, lu_factor
from scipy.sparse import csc_array, csr_array
from scipy.sparse.linalg import LinearOperator, splu

from rnla import refine

CONDITIONS = [1e1, 1e2, 1e3, 1e4, 1e5, 1e6]
ACCELERATIONS = [None, "anderson", "krylov"]


@pytest.mark.parametrize("start", [0.0, 1e6])
@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("acceleration", ACCELERATIONS)
def test_single_precision_factor_gives_double_precision(acceleration, condition, start):
    assert_refined(errors_of(refined(acceleration), condition, start=start))


@pytest.mark.parametrize("control", controls.SOLVERS, ids=lambda f: f.__name__)
def test_the_law_rejects(control):
    # Recursion inherits the rounding of the first residual, so only a far start shows it.
    errors = errors_of(control, 1e4, start=1e6)
    with pytest.raises(AssertionError, match="ward error"):
        assert_refined(errors)
    # By a wide margin in one of the two numbers.
    assert max(errors[0].max() / 2, np.median(errors[1]) / 10) > 20


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_unrefined_answer_is_good_to_single_precision_only(condition):
    backward, _ = errors_of(controls.unrefined, condition)
    assert backward.min() * EPS > 1e-9
    assert backward.max() * EPS < 1e-6


@pytest.mark.parametrize("control", [controls.residual_by_recursion], ids=lambda f: f.__name__)
def test_a_control_that_looks_right_from_a_near_start(control):
    assert_refined(errors_of(control, 1e4, start=0.0))


def test_the_certificate_is_the_backward_error_of_what_is_returned(rng):
    A, b, _ = planted(50, 1e4, rng)
    for rtol in (1e-3, 1e-9, None):
        result = refine(A, b, cases.perturbed_inverse(A, 0.3, rng).__matmul__, rtol=rtol)
        expected = backward_error(A, b, result.x)
        assert result.certificate == "backward error"
        assert result.backward_error == pytest.approx(expected, rel=1e-6, abs=EPS / 10)
        r = np.linalg.norm(b - A @ result.x)
        assert result.residual_norm == pytest.approx(r, rel=1e-6, abs=EPS)
        relative = r / np.linalg.norm(b)
        assert result.relative_residual == pytest.approx(relative, rel=1e-6, abs=EPS)


@pytest.mark.parametrize("size", [0.05, 0.3, 0.8])
def test_contraction_is_that_of_the_residuals(rng, size):
    n = 40
    A, b, _ = planted(n, 10.0, rng)
    # (I - A B) r = -size * r for every r: each residual is `size` times the one before.
    B = (1 + size) * np.linalg.inv(A)
    result = refine(A, b, B.__matmul__, rtol=1e-12)
    assert result.success
    assert result.contraction == pytest.approx(size, rel=1e-2)
    assert result.n_iter == pytest.approx(np.log(1e-12) / np.log(size), rel=0.1, abs=2)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_single_precision_input_is_refined_to_its_own_epsilon(rng, dtype):
    A, b, _ = planted(60, 1e2, rng, dtype)
    coarse = np.linalg.inv(A + 1e-4 * gaussian(A.shape, rng, dtype))
    result = refine(A, b, coarse.__matmul__)
    assert result.success
    assert result.x.dtype == dtype
    assert backward_error(A, b, coarse @ b) > 100 * SINGLE
    assert backward_error(A.astype(complex), b, result.x) <= 2 * SINGLE
    # Beyond the precision of the data, when asked for in the data.
    wide = np.result_type(dtype, np.float64)
    better = refine(A.astype(wide), b.astype(wide), lambda r: coarse @ r.astype(dtype))
    assert better.success
    assert better.x.dtype == wide
    assert backward_error(A, b.astype(wide), better.x) <= 2 * EPS


def as_function(A):
    factor = np.linalg.inv(A.astype(np.float32))
    return lambda r: factor @ r.astype(np.float32)


def as_operator(A):
    inverse = as_function(A)
    return LinearOperator(A.shape, matvec=lambda r: inverse(r.ravel()), dtype=np.float32)


class Solves:
    """An object with `solve`, as sparse packages have them."""

    def __init__(self, A):
        self.solve = as_function(A)


SOLVERS = {
    "function": as_function,
    "operator": as_operator,
    "object": Solves,
    "lu_factor": lambda A: lu_factor(A.astype(np.float32)),
    "splu": lambda A: splu(csc_array(A.astype(np.float32))),
}


@pytest.mark.parametrize("k", [None, 1, 3])
@pytest.mark.parametrize("acceleration", ACCELERATIONS)
@pytest.mark.parametrize("kind", SOLVERS)
def test_every_kind_of_solver(rng, kind, acceleration, k):
    A, b, x = planted(40, 1e3, rng)
    x = x if k is None else gaussian((40, k), rng)
    b = A @ x
    result = refine(A, b, SOLVERS[kind](A), acceleration=acceleration)
    assert result.success
    assert result.x.shape == x.shape
    assert result.backward_error <= EPS
    np.testing.assert_allclose(result.x, x, rtol=0, atol=1e3 * 50 * EPS * np.linalg.norm(x))


def test_cholesky_factors(rng):
    A, _, x = planted(40, 30.0, rng)
    G = A.T @ A
    for lower in (True, False):
        result = refine(G, G @ x, cho_factor(G.astype(np.float32), lower=lower))
        assert result.success
        assert backward_error(G, G @ x, result.x) <= 2 * EPS


@pytest.mark.parametrize("layout", [np.asfortranarray, csr_array, csc_array, lambda A: A.tolist()])
def test_every_kind_of_matrix(rng, layout):
    A, b, _ = planted(40, 1e3, rng)
    result = refine(layout(A), b, lu_factor(A.astype(np.float32)))
    assert result.success
    assert backward_error(A, b, result.x) <= 2 * EPS


@pytest.mark.parametrize("form", ["coo", "dia", "bsr", "lil"])
def test_sparse_formats_with_padding_and_duplicates(rng, form):
    A = cases.convection_diffusion(6, 10.0).asformat(form)
    b = gaussian(36, rng)
    result = refine(A, b, splu(cases.convection_diffusion(6, 10.0).astype(np.float32)))
    assert result.success
    # Padding and duplicates are no part of the norm in the certificate.
    assert result.backward_error == pytest.approx(backward_error(A, b, result.x), rel=1e-3)


def test_duplicates_in_csr_are_summed_for_the_norm():
    doubled = csr_array((np.array([5.0, -4.0]), np.array([0, 0]), np.array([0, 2])), shape=(1, 1))
    result = refine(doubled, np.array([1.0]), lambda r: r / 2, rtol=0.3)
    # From 1/2 on, r = 1/2 and the error is 0.5 / (1 * 0.5 + 1); then 0.25 / (0.75 + 1).
    assert list(result.history) == pytest.approx([1 / 3, 1 / 7])
    assert doubled.nnz == 2


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1.0, 1e30, 1e200])
def test_right_hand_sides_of_every_size(rng, scale):
    A, b, x = planted(30, 1e3, rng)
    result = refine(A, scale * b, lu_factor(A.astype(np.float32)))
    assert result.success
    np.testing.assert_allclose(result.x / scale, x, rtol=0, atol=1e-11)
    assert result.residual_norm <= 1e-14 * scale


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_matrices_of_every_size(rng, scale):
    A, b, x = planted(30, 1e3, rng)
    B = np.linalg.inv(A.astype(np.float32))
    result = refine(scale * A, b, lambda r: (B @ r) / scale)
    assert result.success
    np.testing.assert_allclose(result.x * scale, x, rtol=0, atol=1e-11)
    assert result.backward_error <= EPS


def test_sides_of_very_different_size_in_one_call(rng):
    A, b, x = planted(30, 1e3, rng)
    sizes = np.array([1e-150, 1.0, 0.0, 1e150])
    result = refine(A, b[:, None] * sizes, lu_factor(A.astype(np.float32)))
    assert result.success
    assert not result.x[:, 2].any()
    for j in (0, 1, 3):
        np.testing.assert_allclose(result.x[:, j] / sizes[j], x, rtol=0, atol=1e-11)


def test_operator_certificate_is_an_upper_bound(rng):
    A, b, _ = planted(60, 1e4, rng)
    operator = LinearOperator(A.shape, matvec=lambda x: A @ x.ravel(), dtype=A.dtype)
    for acceleration in ACCELERATIONS:
        result = refine(operator, b, lu_factor(A.astype(np.float32)), acceleration=acceleration)
        assert result.success
        assert result.certificate == "backward error, norm estimated"
        size = np.linalg.norm(A, 2) * np.linalg.norm(result.x) + np.linalg.norm(b)
        true = np.linalg.norm(b - A @ result.x) / size
        assert 0.99 * true <= result.backward_error <= 20 * true


@pytest.mark.parametrize("acceleration", ACCELERATIONS)
def test_complex(rng, acceleration):
    A, b, _ = planted(40, 1e4, rng, np.complex128)
    result = refine(A, b, lu_factor(A.astype(np.complex64)), acceleration=acceleration)
    assert result.success
    assert backward_error(A, b, result.x) <= 2 * EPS


@pytest.mark.parametrize("kind", SOLVERS)
def test_complex_sides_of_a_real_matrix_need_only_a_real_solver(rng, kind):
    A, _, _ = planted(40, 1e3, rng)
    x = gaussian((40, 2), rng, np.complex128)
    result = refine(A, A @ x, SOLVERS[kind](A))
    assert result.success
    assert result.residual_norm.shape == (2,)
    for j in range(2):
        assert backward_error(A, (A @ x)[:, j], result.x[:, j]) <= 2 * EPS


def test_numbers_of_a_complex_side_of_a_real_matrix(rng):
    A, _, _ = planted(40, 1e3, rng)
    b = A @ gaussian((40, 2), rng, np.complex128)
    result = refine(A, b, cases.perturbed_inverse(A, 0.3, rng).__matmul__, rtol=1e-5)
    norms = np.linalg.norm(b - A @ result.x, axis=0)
    np.testing.assert_allclose(result.residual_norm, norms, rtol=1e-6)
    relative = norms / np.linalg.norm(b, axis=0)
    assert result.relative_residual == pytest.approx(relative.max(), rel=1e-6)
    # Parts that are solved apart are solved together.
    true = [backward_error(A, b[:, j], result.x[:, j]) for j in range(2)]
    assert max(true) <= result.backward_error * (1 + 1e-6)


@pytest.mark.parametrize("kind", ["operator", "lu_factor", "splu"])
def test_real_solver_for_a_nearly_real_matrix(rng, kind):
    A, b, _ = planted(40, 10.0, rng)
    C = A + 1e-3j * rng.standard_normal(A.shape)
    result = refine(C, b, SOLVERS[kind](A))
    assert result.success
    assert backward_error(C, b, result.x) <= 2 * EPS
