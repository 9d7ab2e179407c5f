"""Many penalties together: each as accurate as on its own."""

import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import EPS, gaussian
from scipy.sparse.linalg import aslinearoperator

from rnla import lstsq_refine
from rnla.lstsq import backward_error, ridge_path
from rnla.testing import lstsq_problem

DAMPS = np.logspace(-9, 3, 20)


def stacked(A, b, damp, weights=None):
    root = np.ones(len(b)) if weights is None else np.sqrt(weights)
    n = A.shape[1]
    return np.vstack([root[:, None] * A, damp * np.eye(n)]), np.r_[root * b, np.zeros(n)]


@pytest.mark.parametrize("condition", [1e1, 1e6, 1e10, 1e14])
def test_every_penalty_is_backward_stable(condition, rng):
    A, b, _ = lstsq_problem(1500, 25, condition=condition, residual=1e-2, rng=rng)
    path = ridge_path(A, b, DAMPS, rng=0)
    assert path.success
    for damp, x, error in zip(DAMPS, path.x, path.backward_error, strict=True):
        true = backward_error(*stacked(A, b, damp), x)
        assert true <= 4 * EPS
        assert true <= 3 * error + EPS


def test_one_sketch_serves_all(rng):
    A, b, _ = lstsq_problem(4000, 25, condition=1e6, residual=1e-2, rng=rng)
    # Sketch, product, certificate, and few corrections: not one solve per penalty.
    assert ridge_path(A, b, DAMPS, rng=0).n_passes <= 6


@pytest.mark.parametrize("form", [np.asfortranarray, scipy.sparse.csr_array, aslinearoperator])
@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128])
def test_forms_dtypes_and_weights(form, dtype, rng):
    A, b = gaussian(1200, 15, rng, dtype), gaussian(1200, 1, rng, dtype)[:, 0]
    weights = rng.random(1200)
    path = ridge_path(form(A), b, [0.0, 1e-2, 10.0], weights=weights, rng=0)
    assert path.x.dtype == dtype
    for damp, x in zip(path.damps, path.x, strict=True):
        expected = np.linalg.lstsq(*stacked(A.astype(complex), b, damp, weights))[0]
        single = np.dtype(dtype).char in "fF"
        np.testing.assert_allclose(x, expected, rtol=0, atol=1e-6 if single else 1e-13)


def test_complex_right_hand_side_of_a_real_matrix(rng):
    A, b = gaussian(1000, 10, rng), gaussian(1000, 1, rng, complex)[:, 0]
    path = ridge_path(A, b, [0.1, 1.0], rng=0)
    for damp, x, norm in zip(path.damps, path.x, path.residual_norm, strict=True):
        M, c = stacked(A, b, damp)
        np.testing.assert_allclose(x, np.linalg.lstsq(M, c)[0], atol=1e-13)
        np.testing.assert_allclose(norm, np.linalg.norm(c - M @ x), rtol=1e-12)


@pytest.mark.parametrize("shape", [(30, 50), (60, 50), (5, 1), (0, 3)])
def test_matrices_without_room_for_a_sketch(shape, rng):
    A, b = rng.standard_normal(shape), rng.standard_normal(shape[0])
    path = ridge_path(A, b, [0.3, 3.0], rng=0)
    for damp, x in zip(path.damps, path.x, strict=True):
        np.testing.assert_allclose(x, np.linalg.lstsq(*stacked(A, b, damp))[0], atol=1e-12)


def test_rank_deficient_with_and_without_penalty(rng):
    B = gaussian(1000, 8, rng)
    A, b = np.hstack([B, B]), rng.standard_normal(1000)
    path = ridge_path(A, b, [0.0, 1e-3, 1.0], rng=0)
    assert path.rank.tolist() == [8, 16, 16]
    np.testing.assert_allclose(path.x[0], np.linalg.lstsq(A, b, rcond=1e-12)[0], atol=1e-9)
    # The condition is 3e4 and the residual large: its square counts.
    np.testing.assert_allclose(path.x[:, :8], path.x[:, 8:], atol=1e-6)


def test_agrees_with_single_solves_in_any_order(rng):
    A, b, _ = lstsq_problem(1500, 12, condition=1e3, residual=1.0, rng=rng)
    damps = np.array([1.0, 1e-4, 0.0, 1.0, 30.0])
    path = ridge_path(A, b, damps, rng=0)
    np.testing.assert_array_equal(path.damps, damps)
    for damp, x, norm in zip(damps, path.x, path.residual_norm, strict=True):
        one = lstsq_refine(A, b, damp=damp, rng=0)
        # Both are backward stable; the condition is 1e3 and the residual as large as b.
        np.testing.assert_allclose(x, one.x, rtol=1e-9)
        np.testing.assert_allclose(norm, one.residual_norm, rtol=1e-12)
    np.testing.assert_array_equal(path.x[0], path.x[3])


def test_nothing_to_do(rng):
    A = rng.standard_normal((500, 4))
    empty = ridge_path(A, np.ones(500), [])
    assert empty.x.shape == (0, 4)
    assert empty.success
    zero = ridge_path(A, np.zeros(500), [0.0, 1.0])
    assert not zero.x.any()
    assert zero.success


@pytest.mark.parametrize(
    ("damps", "options", "error", "message"),
    [
        ([-1.0], {}, ValueError, "`damps` must not be negative"),
        ([np.nan], {}, ValueError, "`damps` must not contain NaN"),
        ([[1.0]], {}, ValueError, "`damps` must be a vector"),
        (1.0, {}, ValueError, "`damps` must be a vector"),
        ([1j], {}, ValueError, "`damps` must be a vector of real"),
        (["a"], {}, TypeError, "`damps` must hold numbers"),
        ([1.0], {"sketch_size": 2}, ValueError, "`sketch_size` must be in"),
        ([1.0], {"weights": -np.ones(100)}, ValueError, "`weights` must not be negative"),
        ([1.0], {"rtol": -1}, ValueError, "`rtol` must lie in"),
    ],
)
def test_bad_arguments(damps, options, error, message, rng):
    with pytest.raises(error, match=message):
        ridge_path(rng.standard_normal((100, 5)), np.ones(100), damps, **options)


def test_one_right_hand_side_only(rng):
    with pytest.raises(ValueError, match="`b` must have shape"):
        ridge_path(rng.standard_normal((100, 5)), np.ones((100, 2)), [1.0])
