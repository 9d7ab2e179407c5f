"""Ridge and weights: the same as the augmented, scaled problem, without forming it."""

import numpy as np
import pytest
import scipy.sparse
from lstsq_cases import EPS, gaussian
from scipy.sparse.linalg import aslinearoperator, lsqr

from rnla import lstsq_refine
from rnla.lstsq import LAPACK, SPIR, SPNE, Gram, backward_error, choose_method
from rnla.sketch import SKETCHES, SparseSign
from rnla.testing import lstsq_problem

METHODS = ["auto", "spir", "spne", "gram", "lapack"]
FORMS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr": scipy.sparse.csr_array,
    "operator": aslinearoperator,
}


def augmented(A, b, damp, weights):
    """Return the plain problem that a damped and weighted one is."""
    root = np.sqrt(weights)
    n = A.shape[1]
    return np.vstack([root[:, None] * A, damp * np.eye(n)]), np.r_[root * b, np.zeros(n)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("damp", [1e-8, 1e-3, 1.0, 1e3])
@pytest.mark.parametrize("condition", [1e1, 1e5])
def test_ridge_is_backward_stable_on_the_augmented_problem(method, damp, condition, rng):
    A, b, _ = lstsq_problem(900, 20, condition=condition, residual=0.1, rng=rng)
    x = lstsq_refine(A, b, damp=damp, method=method, rng=0).x
    assert backward_error(*augmented(A, b, damp, np.ones(900)), x) <= 4 * EPS


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spread", [0, 3, 8])
def test_weights_are_backward_stable_on_the_scaled_problem(method, spread, rng):
    A, b, _ = lstsq_problem(900, 20, condition=1e3, residual=0.1, rng=rng)
    weights = 10.0 ** rng.uniform(-spread, spread, 900)
    x = lstsq_refine(A, b, weights=weights, method=method, rng=0).x
    assert backward_error(*augmented(A, b, 0, weights), x) <= 10 * EPS


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("method", ["spir", "spne", "gram", "lapack"])
def test_every_form_and_dtype(method, form, dtype, rng):
    A, b = gaussian(1100, 24, rng, dtype), gaussian(1100, 1, rng, dtype)[:, 0]
    weights = rng.random(1100)
    x = lstsq_refine(FORMS[form](A), b, damp=0.5, weights=weights, method=method, rng=0).x
    expected = np.linalg.lstsq(*augmented(A.astype(complex), b, 0.5, weights))[0]
    single = np.dtype(dtype).char in "fF"
    np.testing.assert_allclose(x, expected, rtol=0, atol=1e-6 if single else 1e-13)
    assert x.dtype == dtype


@pytest.mark.parametrize("n", [1, 3, 5, 63, 64, 65, 200])
def test_widths_that_kernels_treat_apart(n, rng):
    A, b, weights = gaussian(1500, n, rng), rng.standard_normal(1500), rng.random(1500)
    for form in (A, np.asfortranarray(A), A + 0j):
        x = lstsq_refine(form, b, damp=0.1, weights=weights, method="spir", rng=0).x
        expected = np.linalg.lstsq(*augmented(A, b, 0.1, weights))[0]
        np.testing.assert_allclose(x, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("family", sorted(SKETCHES))
@pytest.mark.parametrize("m", [4095, 4096, 9000])
def test_weighted_sketches_are_sketches_of_the_scaled_matrix(family, m, rng):
    from rnla.linalg.normal import as_normal

    A, weights = gaussian(m, 20, rng), rng.random(m)
    S = SKETCHES[family].draw(120, m, rng=1)
    expected = S @ (np.sqrt(weights)[:, None] * A)
    for form in (A, np.asfortranarray(A), scipy.sparse.csr_array(A)):
        found = as_normal(form, weights).sketch(S)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_damping_agrees_with_lsqr(rng):
    A, b, _ = lstsq_problem(2000, 30, condition=1e2, residual=1.0, rng=rng)
    result = lstsq_refine(A, b, damp=0.2, method="spir", rng=0)
    x, _, _, r1, r2, *_ = lsqr(A, b, damp=0.2, atol=0, btol=0, iter_lim=500)
    np.testing.assert_allclose(result.x, x, rtol=1e-9)
    # As SciPy's r2norm: what was minimised.
    np.testing.assert_allclose(result.residual_norm, r2, rtol=1e-12)
    assert r1 < r2


def test_rows_of_weight_zero_do_not_count(rng):
    A, b = gaussian(1000, 15, rng), rng.standard_normal(1000)
    weights = np.ones(1000)
    weights[::3] = 0
    for method in METHODS:
        x = lstsq_refine(A, b, weights=weights, method=method, rng=0).x
        expected = np.linalg.lstsq(A[weights > 0], b[weights > 0])[0]
        np.testing.assert_allclose(x, expected, atol=1e-13)
    assert not lstsq_refine(A, b, weights=np.zeros(1000), rng=0).x.any()


def test_equal_integer_weights_are_repeated_rows(rng):
    A, b = gaussian(600, 10, rng), rng.standard_normal(600)
    weights = rng.integers(0, 4, 600)
    x = lstsq_refine(A, b, weights=weights, method="spir", rng=0).x
    np.testing.assert_allclose(
        x, np.linalg.lstsq(np.repeat(A, weights, axis=0), np.repeat(b, weights))[0], atol=1e-13
    )


@pytest.mark.parametrize("shape", [(20, 50), (50, 50), (1, 5), (0, 4)])
def test_damping_makes_wide_problems_full_rank(shape, rng):
    A, b = rng.standard_normal(shape), rng.standard_normal(shape[0])
    result = lstsq_refine(A, b, damp=0.3, rng=0)
    expected = np.linalg.lstsq(*augmented(A, b, 0.3, np.ones(shape[0])))[0]
    np.testing.assert_allclose(result.x, expected, atol=1e-13)
    assert result.rank == shape[1]


def test_a_large_damp_and_a_rank_deficient_matrix(rng):
    B = gaussian(1000, 10, rng)
    A, b = np.hstack([B, B]), rng.standard_normal(1000)
    result = lstsq_refine(A, b, damp=1e4, method="spir", rng=0)
    assert result.rank == 20
    assert result.n_iter <= 3
    np.testing.assert_allclose(result.x[:10], result.x[10:], atol=1e-14)


def test_damping_zero_is_no_damping(rng):
    A, b = gaussian(1000, 10, rng), rng.standard_normal(1000)
    plain = lstsq_refine(A, b, method="spir", rng=0)
    damped = lstsq_refine(A, b, damp=0, weights=np.ones(1000), method="spir", rng=0)
    np.testing.assert_allclose(damped.x, plain.x, atol=1e-15)


def test_operator_without_matmat_and_with_weights(rng):
    from scipy.sparse.linalg import LinearOperator

    A, b, weights = gaussian(500, 12, rng), rng.standard_normal(500), rng.random(500)
    operator = LinearOperator(
        A.shape, matvec=lambda x: A @ x, rmatvec=lambda y: A.T @ y, dtype=A.dtype
    )
    x = lstsq_refine(operator, b, damp=0.1, weights=weights, rng=0).x
    expected = np.linalg.lstsq(*augmented(A, b, 0.1, weights))[0]
    np.testing.assert_allclose(x, expected, atol=1e-13)


def test_an_operator_of_our_own_is_counted_once(rng):
    A, b = gaussian(5000, 12, rng), rng.standard_normal(5000)
    plain = lstsq_refine(A, b, method="spir", rng=0)
    damped = lstsq_refine(A, b, damp=1e-12, method="spir", rng=0)
    assert abs(damped.n_passes - plain.n_passes) <= 2
    assert abs(damped.n_matvec - plain.n_matvec) <= 4


def test_choice_knows_about_damping(rng):
    A = gaussian(40_000, 20, rng) @ np.diag(np.logspace(0, -10, 20)) @ gaussian(20, 20, rng)
    assert choose_method(A).method == SPNE()
    assert choose_method(A, damp=np.linalg.norm(A)).method == Gram()
    assert choose_method(A[:10, :], damp=1.0).method == LAPACK()


def test_sketching_operator_for_a_damped_problem_has_the_rows_of_a(rng):
    A, b = gaussian(1000, 10, rng), rng.standard_normal(1000)
    S = SparseSign.draw(60, 1000, rng=0)
    x = lstsq_refine(A, b, damp=0.5, method=SPIR(sketch=S)).x
    np.testing.assert_allclose(
        x, np.linalg.lstsq(*augmented(A, b, 0.5, np.ones(1000)))[0], atol=1e-13
    )


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"damp": -1.0}, ValueError, "`damp` must lie in"),
        ({"damp": np.nan}, ValueError, "`damp` must lie in"),
        ({"damp": np.inf}, ValueError, "`damp` must lie in"),
        ({"damp": "a"}, TypeError, "`damp` must be a real number"),
        ({"damp": np.ones(3)}, TypeError, "`damp` must be a real number"),
        ({"weights": np.ones(7)}, ValueError, r"`weights` must have shape \(30,\)"),
        ({"weights": np.ones((30, 1))}, ValueError, r"`weights` must have shape \(30,\)"),
        ({"weights": -np.ones(30)}, ValueError, "`weights` must not be negative"),
        ({"weights": np.full(30, np.nan)}, ValueError, "`weights` must not contain NaN"),
        ({"weights": np.full(30, 1j)}, TypeError, "`weights` must be real"),
        ({"weights": ["a"] * 30}, TypeError, "`weights` must hold numbers"),
        ({"x0": np.ones(3)}, ValueError, r"`x0` must have shape \(4,\)"),
        ({"x0": np.ones((4, 1))}, ValueError, r"`x0` must have shape \(4,\)"),
        ({"x0": np.full(4, np.inf)}, ValueError, "`x0` must not contain NaN"),
        ({"x0": np.full(4, 1j)}, TypeError, "`x0` must be real"),
        ({"preconditioner": object()}, TypeError, "`preconditioner` must come from"),
    ],
)
def test_bad_arguments(options, error, message, rng):
    with pytest.raises(error, match=message):
        lstsq_refine(rng.standard_normal((30, 4)), np.ones(30), **options)
