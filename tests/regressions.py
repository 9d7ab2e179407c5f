"""One test per mended bug, named by what went wrong."""

import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import EPS

import rnla
from rnla import ConvergenceWarning, lstsq_refine
from rnla.lstsq import SPIR, backward_error
from rnla.testing import lstsq_problem, prolate


def test_certificate_of_a_singular_matrix_was_wrong_by_ten_orders(rng):
    # An explicit inverse of the shifted factor cancelled; substitution does not.
    A = prolate(800, 40)
    b = A @ rng.standard_normal(40)
    result = lstsq_refine(A, b, method="spir", rng=0)
    assert result.backward_error <= 10 * EPS
    assert backward_error(A, b, result.x, exact=False) <= 10 * EPS


def test_small_columns_were_not_fitted_beside_large_ones(rng):
    # The backward error of the unscaled matrix was tiny after sketch-and-solve.
    A = rng.standard_normal((800, 40)) * np.logspace(-12, 12, 40)
    b = A @ rng.standard_normal(40)
    b += 1e-3 * np.linalg.norm(b) / np.sqrt(800) * rng.standard_normal(800)
    best = np.linalg.lstsq(A / np.linalg.norm(A, axis=0), b)[1][0]
    result = lstsq_refine(A, b, method="spir", rng=0)
    assert result.residual_norm <= np.sqrt(best) * (1 + 1e-8)


def test_nan_was_certified_as_perfect(rng):
    A, b = rng.standard_normal((600, 5)), rng.standard_normal(600)
    b[5] = np.nan
    with np.errstate(all="ignore"), pytest.warns(ConvergenceWarning):
        assert not lstsq_refine(A, b, method="lapack", check_finite=False).success


def test_a_tiny_right_hand_side_beside_a_huge_one_was_lost(rng):
    A, b, x = lstsq_problem(600, 12, condition=10, residual=0.1, rng=rng)
    result = lstsq_refine(A, np.column_stack([b, 2.0**660 * b]), method="spir", rng=0)
    np.testing.assert_allclose(result.x[:, 0], x, atol=1e-12)
    assert result.residual_norm[0] == pytest.approx(0.1)


def test_a_sketch_of_fewer_than_eight_rows_was_refused():
    result = lstsq_refine(np.diag([1.0, 2.0]), [1.0, 2.0], method="spir", rng=0)
    np.testing.assert_allclose(result.x, [1, 1])


def test_a_vector_without_rows_was_refused():
    assert lstsq_refine(np.zeros((0, 3)), np.zeros(0)).x.shape == (3,)


def test_byte_swapped_matrices_reached_a_kernel(rng):
    A, b = rng.standard_normal((50, 3)), rng.standard_normal(50)
    swapped = lstsq_refine(A.astype(">f8"), b.astype(">f8")).x
    np.testing.assert_allclose(swapped, lstsq_refine(A, b).x, atol=1e-14)


def test_a_kept_state_turned_into_later_ones(rng):
    A, b, _ = lstsq_problem(800, 20, condition=1e5, residual=0.1, rng=rng)
    states = []
    lstsq_refine(A, b, method="spir", rng=0, callback=states.append)
    iterates = [state.x[:, 0] for state in states if not state.certified]
    assert len({x.tobytes() for x in iterates}) == len(iterates)


def test_options_beside_a_method_object_were_ignored(rng):
    A, b = rng.standard_normal((60, 3)), rng.standard_normal(60)
    with pytest.raises(ValueError, match="`sketch_size`"):
        lstsq_refine(A, b, method=SPIR(), sketch_size=30)


def test_backward_error_of_extreme_data_was_zero(rng):
    A, b, _ = lstsq_problem(60, 5, residual=0.1, rng=rng)
    x = rng.standard_normal(5)
    expected = backward_error(A, b, x)
    found = backward_error(2.0**-660 * A, b, 2.0**660 * x)
    assert found == pytest.approx(expected, rel=1e-8)


def test_the_error_of_a_nan_in_a_spoke_of_the_sketch(rng):
    A = rng.standard_normal((900, 4))
    A[5, 2] = np.nan
    for form in (np.asarray, scipy.sparse.csr_array):
        with pytest.raises(ValueError, match="`A`"):
            lstsq_refine(form(A), np.ones(900), method="spir")


def test_minimum_norm_solutions_warned_of_nothing(rng):
    A = rng.standard_normal((9, 4)) @ rng.standard_normal((4, 30))
    for _ in range(20):
        assert rnla.lstsq_refine(A, rng.standard_normal(9)).success
