"""Several right-hand sides at once: every column as good as alone."""

import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import EPS, gaussian
from scipy.sparse.linalg import aslinearoperator

from rnla import ConvergenceWarning, lstsq_refine
from rnla.lstsq import backward_error
from rnla.testing import haar, lstsq_problem

METHODS = ["auto", "spir", "gram", "lapack"]
FORMS = [np.asarray, np.asfortranarray, scipy.sparse.csr_array, aslinearoperator]


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_columns_together_are_as_good_as_alone(dtype, method, form, rng):
    A, b, _ = lstsq_problem(800, 15, condition=1e3, residual=0.1, rng=rng, dtype=dtype)
    B = np.column_stack([b, gaussian(800, 4, rng, dtype)])
    result = lstsq_refine(form(A), B, method=method, rng=0)
    eps = np.finfo(dtype).eps
    assert result.x.shape == (15, 5)
    assert result.x.dtype == dtype
    assert result.residual_norm.shape == (5,)
    for k in range(5):
        alone = lstsq_refine(form(A), B[:, k], method=method, rng=0)
        assert backward_error(A, B[:, k], result.x[:, k]) <= 10 * eps
        size = np.linalg.norm(alone.x) + 1e3 * np.linalg.norm(alone.residual_norm)
        assert np.linalg.norm(result.x[:, k] - alone.x) <= 50 * eps * 1e3 * size
        assert result.residual_norm[k] == pytest.approx(alone.residual_norm, rel=1e-5)


@pytest.mark.parametrize("method", ["spir", "lapack"])
@pytest.mark.parametrize("condition", [1e8, 1e12, 1e16])
def test_law_for_every_column(condition, method, rng):
    A, b, _ = lstsq_problem(800, 20, condition=condition, residual=1e-3, rng=rng)
    B = np.column_stack([b, A @ np.ones(20), rng.standard_normal(800), 1e-6 * b, np.zeros(800)])
    result = lstsq_refine(A, B, method=method, rng=0)
    errors = [backward_error(A, B[:, k], result.x[:, k]) for k in range(5)]
    assert max(errors) <= 10 * EPS
    assert not result.x[:, 4].any()


@pytest.mark.parametrize("method", ["spir", "gram"])
def test_right_hand_sides_of_very_different_size(method, rng):
    # Each column stops by its own certificate: a small one is not drowned by a large one.
    A, b, _ = lstsq_problem(800, 20, condition=1e4, residual=0.5, rng=rng)
    c = rng.standard_normal(800)
    result = lstsq_refine(A, np.column_stack([b, 1e-12 * c, 1e12 * c]), method=method, rng=0)
    assert backward_error(A, b, result.x[:, 0]) <= 10 * EPS
    assert backward_error(A, 1e-12 * c, result.x[:, 1]) <= 10 * EPS
    assert backward_error(A, 1e12 * c, result.x[:, 2]) <= 10 * EPS


def test_finished_columns_cost_nothing_more(rng):
    # Consistent columns are done after a step or two; only the others take part afterwards.
    A = haar(800, 20, rng=rng) @ np.diag(np.logspace(0, -6, 20)) @ haar(20, 20, rng=rng)
    consistent = A @ rng.standard_normal((20, 6))
    hard = rng.standard_normal((800, 1))
    alone = lstsq_refine(A, hard, method="spir", rng=0)
    together = lstsq_refine(A, np.hstack([consistent, hard]), method="spir", rng=0)
    assert together.success
    assert together.n_passes <= alone.n_passes + 6
    assert together.n_matvec <= 0.6 * 7 * alone.n_matvec


def test_backward_error_is_the_worst_column(rng):
    A, b, _ = lstsq_problem(800, 20, condition=1e4, residual=0.5, rng=rng)
    B = np.column_stack([A @ np.ones(20), b, np.zeros(800)])
    with pytest.warns(ConvergenceWarning):
        result = lstsq_refine(A, B, method="spir", maxiter=4, rng=0)
    errors = [backward_error(A, B[:, k], result.x[:, k]) for k in range(3)]
    assert max(errors) / 3 <= result.backward_error <= 3 * max(errors)


def test_many_columns(rng):
    A = rng.standard_normal((2000, 30))
    B = rng.standard_normal((2000, 100))
    for method in METHODS:
        result = lstsq_refine(A, B, method=method, rng=0)
        np.testing.assert_allclose(result.x, np.linalg.lstsq(A, B)[0], atol=1e-12)
        np.testing.assert_allclose(result.residual_norm, np.linalg.norm(B - A @ result.x, axis=0))


def test_more_columns_than_rows(rng):
    A, B = rng.standard_normal((60, 5)), rng.standard_normal((60, 90))
    for method in METHODS:
        result = lstsq_refine(A, B, method=method, rng=0)
        np.testing.assert_allclose(result.x, np.linalg.lstsq(A, B)[0], atol=1e-12)


def test_passes_are_shared(rng):
    A, b, _ = lstsq_problem(2000, 30, condition=1e6, residual=0.1, rng=rng)
    B = np.column_stack([b, rng.standard_normal((2000, 9))])
    one = lstsq_refine(A, b, method="spir", rng=0)
    ten = lstsq_refine(A, B, method="spir", rng=0)
    assert ten.n_passes <= one.n_passes + 8


@pytest.mark.parametrize("method", METHODS)
def test_complex_columns_of_a_real_matrix(method, rng):
    A = rng.standard_normal((500, 8))
    B = gaussian(500, 3, rng, np.complex128)
    result = lstsq_refine(A, B, method=method, rng=0)
    np.testing.assert_allclose(result.x, np.linalg.lstsq(A.astype(complex), B)[0], atol=1e-13)
    np.testing.assert_allclose(result.residual_norm, np.linalg.norm(B - A @ result.x, axis=0))
    assert result.residual_norm.shape == (3,)
