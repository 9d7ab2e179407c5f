"""The exact formula against its definition, the estimates against the formula."""

import numpy as np
import pytest
import scipy.sparse
from controls import lstsq as controls
from lstsq_cases import EPS, NAMED, RANDSVD, gaussian
from scipy.linalg import solve
from scipy.optimize import minimize
from scipy.sparse.linalg import aslinearoperator

from rnla import lstsq_refine
from rnla.lstsq import backward_error
from rnla.testing import lstsq_problem

THETAS = [1e-3, 0.1, 1.0, 30.0, 1e6, np.inf]
PERTURBATIONS = [1e-7, 1e-4, 1e-1, 3.0]


def literal(A, b, x, theta):
    """Walden, Karlson and Sun word by word: an (m, n + m) singular value problem."""
    r = b - A @ x
    norm, length = np.linalg.norm(r), np.linalg.norm(x)
    mu = 1.0 if np.isinf(theta) else (theta * length) ** 2 / (1 + (theta * length) ** 2)
    phi = np.sqrt(mu) * norm / length
    projector = np.eye(len(A)) - np.outer(r, r.conj()) / norm**2
    smallest = np.linalg.svd(np.hstack([A, phi * projector]), compute_uv=False)[-1]
    return min(phi, smallest) / np.linalg.norm(A)


def perturbed(m, n, size, rng, dtype=np.float64):
    A, b = gaussian(m, n, rng, dtype), gaussian(m, 1, rng, dtype)[:, 0]
    x = np.linalg.lstsq(A, b)[0]
    return A, b, x + size * gaussian(n, 1, rng, dtype)[:, 0]


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("size", PERTURBATIONS)
@pytest.mark.parametrize("theta", THETAS)
@pytest.mark.parametrize(("m", "n"), [(12, 4), (9, 9), (20, 1), (2, 1)])
def test_exact_is_the_definition(m, n, theta, size, dtype, rng):
    A, b, x = perturbed(m, n, size, rng, dtype)
    expected = literal(A, b, x, theta)
    # The literal form is good to roundoff of ||A||, no better.
    assert backward_error(A, b, x, theta=theta, exact=True) == pytest.approx(
        expected, rel=1e-6, abs=100 * EPS
    )


@pytest.mark.parametrize("theta", THETAS)
@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_exact_is_the_definition_far_from_unit_scale(scale, theta, rng):
    # ||r|| / ||x|| far above and far below ||A||.
    A, b, x = perturbed(15, 5, 0.1, rng)
    x = x * scale
    assert backward_error(A, b, x, theta=theta, exact=True) == pytest.approx(
        literal(A, b, x, theta), rel=1e-6, abs=1e-14
    )


def test_no_smaller_perturbation_exists(rng):
    # The definition itself: minimise ||E|| subject to (A + E)^T (b - (A + E) x) = 0.
    A, b, x = perturbed(5, 2, 0.3, rng)

    def normal_equations(e):
        B = A + e.reshape(A.shape)
        return B.T @ (b - B @ x)

    found = min(
        (
            minimize(
                lambda e: e @ e,
                start,
                constraints={"type": "eq", "fun": normal_equations},
                method="SLSQP",
                options={"maxiter": 500, "ftol": 1e-14},
            )
            for start in 0.1 * rng.standard_normal((10, A.size))
        ),
        key=lambda result: result.fun if result.success else np.inf,
    )
    expected = np.sqrt(found.fun) / np.linalg.norm(A)
    assert backward_error(A, b, x) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("size", PERTURBATIONS)
def test_stewarts_perturbations_are_upper_bounds(size, rng):
    A, b, x = perturbed(30, 6, size, rng)
    r = b - A @ x
    best = b - A @ np.linalg.lstsq(A, b)[0]
    norm = np.linalg.norm(A)
    value = backward_error(A, b, x)
    assert value <= (1 + 1e-8) * np.linalg.norm(A.T @ r) / np.linalg.norm(r) / norm
    assert value <= (1 + 1e-8) * np.linalg.norm(r - best) / np.linalg.norm(x) / norm
    assert value <= (1 + 1e-8) * np.linalg.norm(r) / np.linalg.norm(x) / norm


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("theta", THETAS)
@pytest.mark.parametrize("size", PERTURBATIONS)
def test_karlson_walden_is_within_root_two(size, theta, dtype, rng):
    A, b, x = perturbed(60, 7, size, rng, dtype)
    exact = backward_error(A, b, x, theta=theta, exact=True)
    estimate = backward_error(A, b, x, theta=theta, exact=False)
    assert exact / np.sqrt(2) * (1 - 1e-8) <= estimate <= exact * np.sqrt(2) * (1 + 1e-8)


@pytest.mark.parametrize("case", [*RANDSVD, *NAMED], ids=str)
def test_estimates_agree_at_roundoff(case, rng):
    # Of a stable x: singular and graded matrices included.
    A, b = case.build(rng)
    x = np.linalg.lstsq(A, b)[0]
    exact = backward_error(A, b, x, exact=True)
    estimate = backward_error(A, b, x, exact=False)
    # Below a hundredth of roundoff both are noise.
    floor = EPS / 100
    assert max(exact, floor) / 1.5 <= max(estimate, floor) <= 1.5 * max(exact, floor)


@pytest.mark.parametrize("method", ["spir", "lapack"])
@pytest.mark.parametrize("case", [*RANDSVD, *NAMED], ids=str)
@pytest.mark.filterwarnings("ignore::rnla.ConvergenceWarning")
def test_certificate_is_honest(case, method, rng):
    # It speaks of the matrix with columns of equal size.
    A, b = case.build(rng)
    result = lstsq_refine(A, b, method=method, rng=1)
    scale = np.linalg.norm(A, axis=0)
    scale[scale == 0] = 1
    exact = backward_error(A / scale, b, result.x * scale, exact=True)
    assert result.backward_error >= exact / 3 - EPS / 20
    assert result.backward_error <= max(5 * exact, EPS / 2)


@pytest.mark.filterwarnings("ignore::rnla.ConvergenceWarning")
@pytest.mark.parametrize("maxiter", [0, 2, 5, 8])
@pytest.mark.parametrize("condition", [1.0, 1e4, 1e8, 1e12])
def test_certificate_is_honest_far_from_convergence(condition, maxiter, rng):
    A, b, _ = lstsq_problem(800, 30, condition=condition, residual=0.1, rng=rng)
    result = lstsq_refine(A, b, method="spir", maxiter=maxiter, rng=1)
    exact = backward_error(A, b, result.x, exact=True)
    assert exact / 2.5 <= result.backward_error <= 2.5 * exact


@pytest.mark.parametrize("control", controls.CERTIFICATES, ids=lambda f: f.__name__)
def test_wrong_certificates_are_rejected(control):
    ratios = []
    for seed in range(10):
        A, b, x = lstsq_problem(100, 8, condition=1e4, residual=1e-2, rng=seed)
        A, x = 50 * A, x / 50
        x = x + 1e-8 * np.random.default_rng(seed).standard_normal(8)
        estimate, exact = control(A, b, x), backward_error(A, b, x, exact=True)
        ratios.append(max(estimate / exact, exact / estimate))
    assert np.median(ratios) > 2.5


@pytest.mark.parametrize("m", [1000, 1001])
def test_exact_is_the_default(m, rng):
    A, b, x = perturbed(m, 3, 1e-3, rng)
    assert backward_error(A, b, x) == backward_error(A, b, x, exact=True)
    assert backward_error(A, b, x) != backward_error(A, b, x, exact=False)


@pytest.mark.parametrize("exact", [True, False])
def test_scaling_and_rotation_change_nothing(exact, rng):
    A, b, x = perturbed(50, 5, 1e-3, rng)
    Q = np.linalg.qr(rng.standard_normal((50, 50)))[0]
    V = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    value = backward_error(A, b, x, exact=exact)
    assert backward_error(8 * A, 8 * b, x, exact=exact) == pytest.approx(value, rel=1e-9)
    assert backward_error(A, 4 * b, 4 * x, exact=exact) == pytest.approx(value, rel=1e-9)
    assert backward_error(Q @ A @ V, Q @ b, V.T @ x, exact=exact) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("exact", [True, False])
def test_limits(exact, rng):
    A, b = gaussian(20, 3, rng), gaussian(20, 1, rng)[:, 0]
    x = rng.standard_normal(3)
    # A consistent system solved exactly, integers so that no rounding occurs.
    whole = rng.integers(-9, 9, (20, 3)).astype(float)
    assert backward_error(whole, whole @ np.ones(3), np.ones(3), exact=exact) == 0
    # x = 0 is the solution for b orthogonal to the range, and for no other.
    assert backward_error(A, np.zeros(20), np.zeros(3), exact=exact) == 0
    expected = np.linalg.norm(A.T @ b) / np.linalg.norm(b) / np.linalg.norm(A)
    assert backward_error(A, b, np.zeros(3), exact=exact) == pytest.approx(expected)
    assert backward_error(np.zeros((20, 3)), b, x, exact=exact) == 0
    # Cheap changes of b alone explain any x.
    assert backward_error(A, b, x, theta=1e-12, exact=exact) <= 1e-11


def test_inputs_of_every_kind_give_the_same(rng):
    A, b, x = perturbed(40, 4, 1e-2, rng)
    value = backward_error(A, b, x)
    for form in (scipy.sparse.csr_array(A), scipy.sparse.coo_matrix(A), aslinearoperator(A)):
        assert backward_error(form, b, x) == pytest.approx(value, rel=1e-10)
    assert backward_error(A.tolist(), b.tolist(), x.tolist()) == value
    assert backward_error(np.asfortranarray(A), b, x) == pytest.approx(value, rel=1e-10)
    assert isinstance(value, float)


def test_single_precision_is_measured_in_double(rng):
    A, b, x = (v.astype(np.float32) for v in perturbed(40, 4, 1e-2, rng))
    double = backward_error(A.astype(float), b.astype(float), x.astype(float))
    assert backward_error(A, b, x) == pytest.approx(double, rel=1e-10)


@pytest.mark.parametrize(
    ("change", "error", "name"),
    [
        ({"A": np.ones(20)}, ValueError, "`A`"),
        ({"A": np.full((20, 3), "a")}, TypeError, "`A`"),
        ({"b": np.ones(19)}, ValueError, "`b`"),
        ({"b": np.ones((20, 1))}, ValueError, "`b`"),
        ({"x": np.ones(4)}, ValueError, "`x`"),
        ({"x": np.array([1, None, 2])}, TypeError, "`x`"),
        ({"theta": 0.0}, ValueError, "`theta`"),
        ({"theta": -1.0}, ValueError, "`theta`"),
        ({"theta": np.nan}, ValueError, "`theta`"),
        ({"theta": "a"}, TypeError, "`theta`"),
        ({"A": np.full((20, 3), np.nan)}, ValueError, "`A`"),
        ({"b": np.full(20, np.inf)}, ValueError, "`b`"),
        ({"x": np.array([1.0, np.nan, 0.0])}, ValueError, "`x`"),
    ],
)
@pytest.mark.parametrize("exact", [True, False])
def test_bad_arguments_are_named(change, error, name, exact, rng):
    arguments = {"A": gaussian(20, 3, rng), "b": rng.random(20), "x": rng.random(3), "theta": 1.0}
    with pytest.raises(error, match=name):
        backward_error(**{**arguments, **change}, exact=exact)


def wide_problem(rng, size=0.0, dtype=np.float64, shape=(4, 9)):
    A, b = gaussian(*shape, rng, dtype), gaussian(shape[0], 1, rng, dtype)[:, 0]
    x = np.linalg.lstsq(A, b)[0]
    return A, b, x + size * gaussian(shape[1], 1, rng, dtype)[:, 0]


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("theta", [0.1, 1.0, np.inf])
@pytest.mark.parametrize("size", [1e-6, 1e-2, 1.0])
def test_minimum_norm_change_does_what_it_should(size, theta, dtype, rng):
    """The change of that size makes x the solution of minimum norm, by the formula's own proof."""
    A, b, x = wide_problem(rng, size, dtype)
    r, unit = b - A @ x, x / np.linalg.norm(x)
    weight = 1.0 if np.isinf(theta) else theta**2 * np.vdot(x, x).real
    share = 1.0 if np.isinf(theta) else weight / (1 + weight)
    away = A - np.outer(A @ unit, unit.conj())
    U, sigma, VH = np.linalg.svd(away, full_matrices=False)
    E = share / np.linalg.norm(x) * np.outer(r, unit.conj())
    E -= sigma[-1] * np.outer(U[:, -1], VH[-1])
    f = 0 * b if np.isinf(theta) else (share - 1) * r
    np.testing.assert_allclose(np.linalg.lstsq(A + E, b + f)[0], x, atol=1e-7 * np.linalg.norm(x))
    weighted = f if np.isinf(theta) else theta * f
    change = np.hypot(np.linalg.norm(E), np.linalg.norm(weighted))
    value = backward_error(A, b, x, theta=theta)
    assert value == pytest.approx(change / np.linalg.norm(A), rel=1e-6)


def test_no_smaller_change_gives_a_minimum_norm_solution(rng):
    A, b, x = wide_problem(rng, 0.3, shape=(2, 3))

    def conditions(e):
        B, w = A + e[:6].reshape(A.shape), e[6:]
        return np.r_[B @ x - b, B.T @ w - x]

    starts = (np.r_[0.1 * rng.standard_normal(6), rng.standard_normal(2)] for _ in range(20))
    found = min(
        (
            minimize(
                lambda e: e[:6] @ e[:6],
                start,
                constraints={"type": "eq", "fun": conditions},
                method="SLSQP",
                options={"maxiter": 500, "ftol": 1e-14},
            )
            for start in starts
        ),
        key=lambda result: result.fun if result.success else np.inf,
    )
    expected = np.sqrt(found.fun) / np.linalg.norm(A)
    assert backward_error(A, b, x) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("condition", [1e1, 1e6, 1e12])
def test_minimum_norm_of_stable_and_of_other_solutions(condition, rng):
    A = gaussian(8, 30, rng)
    U, _, VH = np.linalg.svd(A, full_matrices=False)
    A = U * np.geomspace(1, 1 / condition, 8) @ VH
    b = A @ rng.standard_normal(30)
    stable, basic = lstsq_refine(A, b, method="lapack").x, np.zeros(30)
    basic[:8] = np.linalg.solve(A[:, :8], b)
    for x, low, high in ((stable, 0, 10 * EPS), (basic, 1e-9 / condition, 1)):
        assert low <= backward_error(A, b, x) <= high


@pytest.mark.parametrize("exact", [True, False])
def test_minimum_norm_limits(exact, rng):
    A, b = gaussian(3, 20, rng), gaussian(3, 1, rng)[:, 0]
    assert backward_error(A, np.zeros(3), np.zeros(20), exact=exact) == 0
    assert backward_error(A, b, np.zeros(20), exact=exact) == np.inf
    expected = np.linalg.norm(b) / np.linalg.norm(A)
    assert backward_error(A, b, np.zeros(20), theta=1.0, exact=exact) == pytest.approx(expected)
    x = np.linalg.lstsq(A, b)[0]
    value = backward_error(A, b, x * 1.5, exact=exact)
    assert value > 1e-2
    for a, c in ((-660, 0), (0, 600), (500, -400)):
        scaled = np.ldexp(A, a), np.ldexp(b, c), np.ldexp(x * 1.5, c - a)
        assert backward_error(*scaled, exact=exact) == pytest.approx(value, rel=1e-9)
    for form in (scipy.sparse.csr_array(A), aslinearoperator(A)):
        assert backward_error(form, b, x * 1.5, exact=exact) == pytest.approx(value)


def test_against_extended_precision(rng):
    # Residual and gradient with 64-bit mantissas: double precision is enough to measure roundoff.
    if np.finfo(np.longdouble).eps >= EPS:
        pytest.skip("no extended precision here")
    A, b, _ = lstsq_problem(300, 10, condition=1e3, residual=1e-3, rng=rng)
    x = solve(A.T @ A, A.T @ b)
    r = b.astype(np.longdouble) - A.astype(np.longdouble) @ x.astype(np.longdouble)
    g = (A.T.astype(np.longdouble) @ r).astype(float)
    nu = float(np.linalg.norm(r.astype(float)) / np.linalg.norm(x))
    _, sigma, VH = np.linalg.svd(A, full_matrices=False)
    estimate = np.linalg.norm(VH @ g / np.hypot(sigma, nu)) / np.linalg.norm(x) / np.linalg.norm(A)
    assert backward_error(A, b, x) == pytest.approx(estimate, rel=0.5)
