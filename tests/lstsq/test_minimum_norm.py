"""More columns than rows: minimum norm, backward stable for every condition number."""

from functools import partial

import numpy as np
import pytest
import scipy.sparse
from controls import lstsq as controls
from lstsq_cases import EPS, assert_backward_stable, gaussian, refined
from scipy.linalg import qr, solve_triangular
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from rnla import Status, lstsq_refine
from rnla.lstsq import LAPACK, SPIR

M, N = 20, 900
SEEDS = range(6)
CONDITIONS = (1.0, 1e4, 1e8, 1e12, 1e13)
FORMS = [np.ascontiguousarray, np.asfortranarray, scipy.sparse.csr_array, aslinearoperator]
spir = partial(refined, method="spir", sketch_size=5 * M)


def problem(condition, kind, seed, dtype=np.float64):
    """Planted singular values; `kind` says whether x, b or neither hides the small ones."""
    rng = np.random.default_rng([seed, 7])
    U = qr(gaussian(M, M, rng, dtype))[0]
    V = qr(gaussian(N, M, rng, dtype), mode="economic")[0]
    s = np.logspace(0, -np.log10(condition), M)
    power = {"b": 0, "x": 1, "benign": 2}[kind]
    return (U * s) @ V.conj().T, U @ (s**power * gaussian(M, 1, rng, dtype)[:, 0])


def exact_product(M, x):
    """Round once, where the platform has longer numbers."""
    long = np.clongdouble if M.dtype.kind == "c" else np.longdouble
    return M.astype(long) @ x.astype(long)


def error_of(A, b, x):
    """Backward error in units of roundoff, independent of the package's.

    The residual and the distance from the row space, relative to ``||A|| ||x||`` and to
    ``||A|| ||y||``, with the y of least squares.
    """
    adjoint, norm = A.conj().T, np.linalg.norm(A)
    r = (b - exact_product(A, x)).astype(b.dtype)
    Q, R = qr(adjoint, mode="economic")
    y, away = np.zeros_like(b), x
    for _ in range(4):
        y = y + solve_triangular(R, Q.conj().T @ away)
        away = (x - exact_product(adjoint, y)).astype(b.dtype)
    parts = np.linalg.norm(r) / np.linalg.norm(x), np.linalg.norm(away) / np.linalg.norm(y)
    return np.hypot(*parts) / norm / EPS


def errors_of(solver, condition, kind, dtype=np.float64):
    cases = [(*problem(condition, kind, seed, dtype), seed) for seed in SEEDS]
    return np.array([error_of(A, b, solver(A, b, seed)) for A, b, seed in cases])


@pytest.mark.parametrize("solver", [spir(), refined(method="lapack")], ids=["spir", "lapack"])
@pytest.mark.parametrize("kind", ["x", "b", "benign"])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_law(condition, kind, solver):
    assert_backward_stable(errors_of(solver, condition, kind))


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("condition", [1e2, 1e12])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_law_in_every_form(dtype, condition, form):
    solve = spir()
    errors = errors_of(lambda A, b, seed: solve(form(A), b, seed), condition, "x", dtype)
    assert_backward_stable(errors)


@pytest.mark.parametrize("control", controls.MINIMUM_NORM, ids=lambda f: f.__name__)
def test_the_law_rejects(control):
    # What is off the row space counts less the larger the multipliers, hence the condition.
    off = control is controls.minimum_norm_off_the_row_space
    errors = errors_of(control, 1e4 if off else 1e11, "x")
    with pytest.raises(AssertionError, match="median"):
        assert_backward_stable(errors)
    assert np.median(errors) > 20


def test_without_damping_easy_problems_look_right():
    assert_backward_stable(errors_of(controls.minimum_norm_without_damping, 1e3, "x"))


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("kind", ["x", "b"])
def test_forward_error_is_within_ten_times_gelsds(kind, condition):
    ratios = []
    for seed in range(10):
        A, b = problem(condition, kind, seed)
        exact = reference(A, b)
        theirs = np.linalg.norm(np.linalg.lstsq(A, b, rcond=EPS)[0] - exact)
        ours = lstsq_refine(A, b, method="spir", sketch_size=5 * M, rng=seed).x
        ratios.append(np.linalg.norm(ours - exact) / theirs)
    assert np.median(ratios) < 3


def reference(A, b):
    """Correct LAPACK's QR solution with residuals in longer numbers."""
    R = qr(A.T, mode="economic")[1]
    x = np.zeros(N, np.longdouble)
    for _ in range(12):
        r = (b - A.astype(np.longdouble) @ x).astype(float)
        y = solve_triangular(R, solve_triangular(R, r, trans="T"))
        x = x + A.T.astype(np.longdouble) @ y
    return x.astype(float)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_single_precision(dtype, rng):
    A, b = problem(1e3, "x", 0, np.result_type(dtype, np.float64))
    A, b = A.astype(dtype), b.astype(dtype)
    result = lstsq_refine(A, b, method="spir", sketch_size=5 * M, rng=0)
    wide = np.result_type(dtype, np.float64)
    expected = np.linalg.lstsq(A.astype(wide), b.astype(wide))[0]
    assert result.x.dtype == dtype
    np.testing.assert_allclose(result.x, expected, atol=4e-7 * np.linalg.norm(expected))


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("complex_b", [False, True])
def test_several_right_hand_sides(complex_b, form, rng):
    A = gaussian(M, N, rng)
    B = gaussian(M, 3, rng, np.complex128 if complex_b else np.float64)
    B[:, 1] = 0
    result = lstsq_refine(form(A), B, method="spir", sketch_size=5 * M, rng=0)
    assert result.success
    assert result.method == "spir"
    np.testing.assert_allclose(result.x, np.linalg.lstsq(A, B)[0], atol=1e-14)
    assert not result.x[:, 1].any()


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("consistent", [True, False])
def test_rows_that_depend_on_each_other(consistent, form, rng):
    A = gaussian(M, 8, rng) @ gaussian(8, N, rng)
    A[3] = 0
    b = A @ gaussian(N, 1, rng)[:, 0] if consistent else gaussian(M, 1, rng)[:, 0]
    result = lstsq_refine(form(A), b, method="spir", sketch_size=5 * M, rng=0)
    expected = np.linalg.lstsq(A, b, rcond=30 * EPS)[0]
    assert result.rank == 8
    assert result.success
    np.testing.assert_allclose(result.x, expected, atol=1e-12 * np.linalg.norm(expected))


@pytest.mark.parametrize("method", ["spir", "lapack"])
def test_scaling_rows_does_not_change_the_solution(method, rng):
    A, b = problem(1e2, "x", 0)
    scale = 2.0 ** rng.integers(-90, 90, M)
    options = {"sketch_size": 5 * M} if method == "spir" else {}
    plain = lstsq_refine(A, b, method=method, rng=0, **options).x
    scaled = lstsq_refine(A * scale[:, None], b * scale, method=method, rng=0, **options).x
    np.testing.assert_allclose(scaled, plain, atol=1e-12 * np.linalg.norm(plain))


@pytest.mark.parametrize("exponent", [-660, 660])
def test_extreme_scales(exponent):
    A, b = problem(1e3, "x", 0)
    for a, c in ((exponent, 0), (0, exponent), (exponent, exponent)):
        result = lstsq_refine(
            np.ldexp(A, a), np.ldexp(b, c), method="spir", sketch_size=5 * M, rng=0
        )
        assert result.success
        np.testing.assert_allclose(
            np.ldexp(result.x, a - c), np.linalg.lstsq(A, b)[0], atol=1e-11 * np.linalg.norm(b)
        )


def test_weights_of_a_deficient_matrix(rng):
    A = gaussian(M, 8, rng) @ gaussian(8, N, rng)
    b, w = gaussian(M, 1, rng)[:, 0], rng.random(M)
    w[2] = 0
    root = np.sqrt(w)
    expected = np.linalg.lstsq(root[:, None] * A, root * b, rcond=30 * EPS)[0]
    for form in FORMS:
        result = lstsq_refine(form(A), b, weights=w, method="spir", sketch_size=5 * M, rng=0)
        np.testing.assert_allclose(result.x, expected, atol=1e-12 * np.linalg.norm(expected))


def test_certificate_is_the_error(rng):
    for condition in CONDITIONS:
        A, b = problem(condition, "x", 3)
        for options in ({"method": "spir", "sketch_size": 5 * M}, {"method": "lapack"}):
            result = lstsq_refine(A, b, rng=3, maxiter=9, rtol=1e-3, **options)
            # Rows are scaled in the one and not in the other, and the last bits are rounding.
            measured = error_of(A, b, result.x) * EPS
            assert result.backward_error / 10 - EPS <= measured <= 10 * result.backward_error + EPS


def test_stopping_and_counts(rng):
    A, b = problem(1e6, "x", 1)
    seen = []
    result = lstsq_refine(A, b, method="spir", sketch_size=5 * M, callback=seen.append, rng=1)
    assert result.status is Status.CONVERGED
    assert result.n_iter == seen[-1].n_iter
    assert result.n_passes <= 50
    assert len(result.history) == len(seen)
    assert all(state.x.shape == (N, 1) for state in seen)
    with pytest.warns(match="maxiter"):
        cut = lstsq_refine(A, b, method="spir", sketch_size=5 * M, maxiter=3, rng=1)
    assert cut.n_iter == 3


def test_the_preconditioner_serves_again(rng):
    A, b = problem(1e6, "x", 1)
    first = lstsq_refine(A, b, method="spir", sketch_size=5 * M, rng=1)
    W = A.T @ first.preconditioner.matmat(np.eye(M))
    assert np.linalg.cond(W) < 6
    again = lstsq_refine(A, b, preconditioner=first.preconditioner)
    assert again.method == "spir"
    assert error_of(A, b, again.x) < 2
    with pytest.raises(ValueError, match="does not belong"):
        lstsq_refine(gaussian(M, N, rng), b, preconditioner=first.preconditioner)


def test_auto_and_options(rng):
    A = gaussian(10, 40_000, rng)
    assert lstsq_refine(A, np.ones(10), rng=0).method == "spir"
    assert lstsq_refine(A[:, :100], np.ones(10), rng=0).method == "lapack"
    with pytest.raises(ValueError, match="inner='cg'"):
        lstsq_refine(A, np.ones(10), method=SPIR(inner="lsqr"), rng=0)
    with pytest.raises(ValueError, match="`sketch_size`"):
        lstsq_refine(A, np.ones(10), method="spir", sketch_size=5, rng=0)
    assert lstsq_refine(A[:, :30], np.ones(10), method=LAPACK()).method == "lapack"
    A[3, 5] = np.nan
    with pytest.raises(ValueError, match="`A`"):
        lstsq_refine(A, np.ones(10), rng=0)


@pytest.mark.parametrize("condition", [1e0, 1e6, 1e12])
@pytest.mark.parametrize("shape", [(1, 2), (3, 10), (19, 20), (20, 200)])
def test_tiny_problems_in_one_compiled_call(shape, condition, rng):
    m, n = shape
    U = np.linalg.qr(rng.standard_normal((m, m)))[0]
    V = np.linalg.qr(rng.standard_normal((n, m)))[0]
    A = U * np.logspace(0, -np.log10(condition), m) @ V.T
    for b in (rng.standard_normal(m), A @ rng.standard_normal(n)):
        result = lstsq_refine(A, b)
        assert result.backward_error <= 2 * EPS
        rounding = n * EPS * np.linalg.norm(A) * np.linalg.norm(result.x)
        residual = np.linalg.norm(b - A @ result.x)
        assert result.residual_norm == pytest.approx(residual, rel=0, abs=rounding)
        general = lstsq_refine(A, b, method="lapack")
        gap = np.linalg.norm(result.x - general.x) / np.linalg.norm(general.x)
        assert gap <= 100 * condition * EPS
        # Nothing outside the row space, by an SVD.
        VH = np.linalg.svd(A, full_matrices=False)[2]
        outside = result.x - VH.T @ (VH @ result.x)
        assert np.linalg.norm(outside) <= 10 * condition * EPS * np.linalg.norm(result.x)


def test_tiny_problems_make_no_preconditioner(rng):
    A, b = rng.standard_normal((20, 200)), rng.standard_normal(20)
    assert lstsq_refine(A, b).preconditioner is None
    assert lstsq_refine(A, b, method="lapack").preconditioner is not None


@pytest.mark.parametrize("exponent", [-980, -500, 0, 500, 530])
@pytest.mark.parametrize("method", ["spir", "lapack"])
def test_one_row_of_another_size(method, exponent, rng):
    """Scaling rows exactly does not change the solution, and the certificate does not underflow."""
    A = rng.standard_normal((20, 900))
    b = A @ rng.standard_normal(900)
    expected = lstsq_refine(A, b, method=method, rng=0).x
    rows = np.zeros(20, int)
    rows[0] = exponent
    scaled = np.ldexp(A, rows[:, None])
    result = lstsq_refine(scaled, np.ldexp(b, rows), method=method, rng=0)
    assert 0 < result.backward_error <= 10 * EPS
    assert np.linalg.norm(result.x - expected) <= 1e-13 * np.linalg.norm(expected)


@pytest.mark.parametrize(("a", "c"), [(166, -329), (-196, 329), (332, -329), (-500, 465)])
def test_sizes_of_a_and_b_apart(a, c, rng):
    A, b = rng.standard_normal((20, 900)), rng.standard_normal(20)
    expected = np.linalg.lstsq(A, b)[0]
    result = lstsq_refine(np.ldexp(A, a), np.ldexp(b, c), method="spir", rng=0)
    assert 0 < result.backward_error <= 10 * EPS
    np.testing.assert_allclose(np.ldexp(result.x, a - c), expected, atol=1e-13)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_tiny_problem_with_a_bad_right_hand_side(bad):
    with pytest.raises(ValueError, match="`b` must not contain NaN or infinity"):
        lstsq_refine(np.array([[1.0, 2.0]]), np.array([bad]))


@pytest.mark.parametrize("size", [1e-318, 1e160])
def test_a_tiny_problem_of_extreme_size_is_still_certified(size, rng):
    A = rng.standard_normal((4, 9))
    b = (A @ np.ones(9)) * size
    result = lstsq_refine(A, b)
    expected = np.linalg.lstsq(A, b / size)[0]
    # The right-hand side itself has lost digits where it is subnormal.
    digits = max(EPS, 5e-324 / size)
    assert np.linalg.norm(result.x / size - expected) <= 100 * digits * np.linalg.norm(expected)


def test_an_operator_without_adjoint_is_named(rng):
    A = rng.standard_normal((15, 700))
    operator = LinearOperator(A.shape, matvec=lambda v: A @ v, dtype=float)
    with pytest.raises(TypeError, match="`A` must have products with its adjoint"):
        lstsq_refine(operator, np.ones(15))


def test_gram_refuses_without_forming_the_product():
    A = scipy.sparse.csr_array((100, 200_000))
    with pytest.raises(ValueError, match=r"needs m >= n.*use method='spir'"):
        lstsq_refine(A, np.ones(100), method="gram")
