"""What can stand in for the inverse: incomplete factors, Laplacians, regressors, poor guesses."""

import numpy as np
import pytest
import scipy.sparse
from refinement_cases import (
    EPS,
    backward_error,
    convection_diffusion,
    gaussian,
    laplacian,
    perturbed_inverse,
    planted,
)
from scipy.linalg import lu_factor
from scipy.sparse.linalg import LinearOperator, aslinearoperator, spilu, splu
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor

from rnla import ConvergenceWarning, Status, refine


@pytest.mark.parametrize("wind", [0.0, 20.0])
@pytest.mark.parametrize("acceleration", [None, "anderson", "krylov"])
def test_incomplete_factors(rng, wind, acceleration):
    A = convection_diffusion(20, wind)
    x = gaussian(400, rng)
    b = A @ x
    ilu = spilu(A, drop_tol=1e-2, fill_factor=5)
    result = refine(A, b, ilu, acceleration=acceleration)
    assert result.success
    assert backward_error(A, b, result.x) <= 2 * EPS
    assert backward_error(A, b, ilu.solve(b)) > 1e-5
    assert np.linalg.norm(result.x - x) <= 1e3 * 50 * EPS * np.linalg.norm(x)


def test_krylov_needs_fewer_solves_than_plain_refinement(rng):
    A = convection_diffusion(20, 0.0)
    b, ilu = gaussian(400, rng), spilu(A, drop_tol=1e-2, fill_factor=5)
    plain, mixed, fast = (
        refine(A, b, ilu, acceleration=acceleration)
        for acceleration in (None, "anderson", "krylov")
    )
    assert fast.n_solves < 0.7 * plain.n_solves
    assert fast.n_solves <= mixed.n_solves < plain.n_solves
    assert fast.contraction < plain.contraction < 1


def test_krylov_is_optimal(rng):
    # One cycle of GMRES after j steps has the smallest residual over r + A B span(r, ..).
    A, b, _ = planted(30, 10.0, rng)
    B = perturbed_inverse(A, 2.0, rng)
    seen = []
    with pytest.warns(ConvergenceWarning):
        refine(A, b, aslinearoperator(B), acceleration="krylov", maxiter=4, callback=seen.append)
    r = b - A @ (B @ b)
    K = [r]
    for _ in range(3):
        K.append(A @ (B @ K[-1]))
    for j in range(1, 5):
        K_j = A @ B @ np.stack(K[:j], axis=1)
        smallest = np.linalg.norm(r - K_j @ np.linalg.lstsq(K_j, r)[0])
        assert np.linalg.norm(b - A @ seen[j].x) == pytest.approx(smallest, rel=1e-8)


@pytest.mark.parametrize("memory", [2, 5, 40])
def test_short_cycles_form_the_residual_anew(rng, memory):
    A, b, _ = planted(40, 1e3, rng)
    B = perturbed_inverse(A, 0.9, rng)
    seen = []
    result = refine(A, b, B.__matmul__, acceleration="krylov", memory=memory, callback=seen.append)
    assert result.success
    assert backward_error(A, b, result.x) <= 2 * EPS
    runs = "".join("c" if state.certified else "." for state in seen).split("c")
    assert max(map(len, runs)) <= memory
    for state in seen:
        true = backward_error(A, b, state.x)
        if state.certified:
            assert state.error == pytest.approx(true, rel=1e-6, abs=EPS / 10)
        elif true > 1e-12:
            assert state.error == pytest.approx(true, rel=1e-2)


def test_a_side_whose_krylov_space_is_exhausted_waits_for_the_others(rng):
    # Its residual is an eigenvector: one step solves it, and it is given no further one.
    A = np.diag(np.linspace(1, 2, 12))
    sides = np.stack([np.eye(12)[3], gaussian(12, rng)], axis=1)
    result = refine(A, sides, aslinearoperator(np.eye(12)), acceleration="krylov", rtol=1e-9)
    assert result.success
    assert result.n_iter > 5
    assert result.n_solves == 3 + result.n_iter


@pytest.mark.parametrize("size", [1.5, 4.0])
def test_a_poor_inverse_diverges_plainly_and_krylov_mends_it(rng, size):
    A, b, _ = planted(40, 10.0, rng)
    B = (1 + size) * np.linalg.inv(A)
    with pytest.warns(ConvergenceWarning, match="grew"):
        result = refine(A, b, B.__matmul__)
    assert result.status is Status.STAGNATED
    assert not result.success
    assert result.n_iter <= 25
    assert result.contraction == pytest.approx(size, rel=1e-6)
    assert "acceleration" in result.message
    # The best is the first; the last is far worse.
    np.testing.assert_allclose(result.x, B @ b, rtol=1e-12)
    assert result.backward_error == result.history[0]
    for acceleration in ("anderson", "krylov"):
        mended = refine(A, b, B.__matmul__, acceleration=acceleration)
        assert mended.success
        assert mended.n_iter <= 5


def test_krylov_with_an_indefinite_spectrum(rng):
    A, b, _ = planted(40, 10.0, rng)
    B = perturbed_inverse(A, 3.0, rng)
    with pytest.warns(ConvergenceWarning):
        plain = refine(A, b, B.__matmul__)
    assert not plain.success
    result = refine(A, b, B.__matmul__, acceleration="krylov", memory=40)
    assert result.success
    assert backward_error(A, b, result.x) <= 2 * EPS


def semilinear(strength, n=99):
    """``-u'' + strength u^3 = f`` with the solution sin(pi t) of the discrete problem.

    With the inverse Laplacian, the defects contract by about ``9 strength / (4 pi^2)``.
    """
    L = laplacian(n)
    u = np.sin(np.pi * np.linspace(0, 1, n + 2)[1:-1])
    return (lambda v: L @ v + strength * v**3), L @ u + strength * u**3, splu(L), u


def test_defect_correction_of_a_semilinear_equation():
    F, f, inverse, u = semilinear(2.0)
    result = refine(F, f, inverse)
    assert result.success
    assert result.certificate == "relative residual"
    assert np.isnan(result.backward_error)
    np.testing.assert_allclose(result.x, u, rtol=0, atol=1e-9)
    residual = np.linalg.norm(f - F(result.x))
    assert result.residual_norm == pytest.approx(residual)
    assert result.relative_residual == pytest.approx(residual / np.linalg.norm(f))
    assert result.history[-1] == result.relative_residual
    assert result.contraction == pytest.approx(9 * 2 / (4 * np.pi**2), rel=0.1)
    assert result.n_solves == result.n_matvec == result.n_iter + 1


@pytest.mark.parametrize(("strength", "fewer"), [(2.0, 0.5), (4.0, 0.1)])
def test_anderson_needs_fewer_iterations_on_a_nonlinear_equation(strength, fewer):
    F, f, inverse, u = semilinear(strength)
    plain = refine(F, f, inverse)
    mixed = refine(F, f, inverse, acceleration="anderson")
    assert plain.success
    assert mixed.success
    np.testing.assert_allclose(mixed.x, u, rtol=0, atol=1e-9)
    assert mixed.n_iter <= fewer * plain.n_iter


def test_anderson_where_plain_defect_correction_diverges():
    F, f, inverse, u = semilinear(10.0)
    with pytest.warns(ConvergenceWarning):
        plain = refine(F, f, inverse, x0=np.zeros(99))
    assert not plain.success
    mixed = refine(F, f, inverse, x0=np.zeros(99), acceleration="anderson")
    assert mixed.success
    np.testing.assert_allclose(mixed.x, u, rtol=0, atol=1e-8)


def test_anderson_with_full_memory_is_gmres(rng):
    # Walker and Ni: as long as GMRES does not stagnate, x_{j+1} of Anderson is one step B r after
    # the iterate j of GMRES for B A x = B b.
    A, b, _ = planted(20, 5.0, rng)
    B = perturbed_inverse(A, 0.7, rng)
    seen = []
    refine(A, b, B.__matmul__, acceleration="anderson", memory=20, callback=seen.append)
    x0, M = B @ b, B @ A
    f = B @ (b - A @ x0)
    K = [f]
    for _ in range(4):
        K.append(M @ K[-1])
    for j in range(1, 5):
        basis = np.stack(K[:j], axis=1)
        x = x0 + basis @ np.linalg.lstsq(M @ basis, f)[0]
        np.testing.assert_allclose(seen[j + 1].x, x + B @ (b - A @ x), rtol=1e-6, atol=1e-9)


def pairs(A, rng, count, size=1.0):
    """Samples of residuals and corrections in rows."""
    X = size * rng.standard_normal((count, A.shape[1]))
    return X @ A.T, X


@pytest.mark.parametrize("k", [None, 3])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_a_fitted_ridge_is_a_solver(rng, fit_intercept, k):
    A, _, _ = planted(20, 30.0, rng)
    R, X = pairs(A, rng, 200)
    # An offset in the data gives the model an intercept that is not small.
    model = Ridge(alpha=0.01, fit_intercept=fit_intercept).fit(R, X + 3.0 * fit_intercept)
    x = gaussian((20,) if k is None else (20, k), rng)
    result = refine(A, A @ x, model)
    assert result.success
    assert result.backward_error <= EPS
    np.testing.assert_allclose(result.x, x, rtol=0, atol=1e-12)
    once = model.predict((A @ x).reshape(20, -1).T).T.reshape(x.shape)
    assert np.linalg.norm(once - x) > 1e-4 * np.linalg.norm(x)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_a_regressor_that_is_not_linear_is_used_at_the_size_it_was_fitted(rng, size):
    A = np.eye(2) + 0.1 * rng.standard_normal((2, 2))
    R, X = pairs(A, rng, 4000, size)
    model = KNeighborsRegressor(3).fit(R, X)
    b = size * (A @ np.array([0.3, -0.4]))
    result = refine(A, b, model)
    assert result.success
    assert backward_error(A, b, result.x) <= 2 * EPS
    # At the size of late residuals a plain iteration would see one constant.
    x = model.predict(b[None])[0]
    for _ in range(50):
        x = x + (model.predict((b - A @ x)[None]) - model.predict(np.zeros((1, 2))))[0]
    assert backward_error(A, b, x) > 1e-6


def test_a_regressor_for_a_nonlinear_equation(rng):
    F = lambda x: x + 0.1 * np.sin(x)  # noqa: E731
    X = rng.standard_normal((300, 3))
    result = refine(F, np.array([0.5, -0.2, 1.0]), LinearRegression().fit(F(X), X + 1.0))
    assert result.success
    np.testing.assert_allclose(F(result.x), [0.5, -0.2, 1.0], rtol=0, atol=1e-10)


def test_regressors_with_one_target_predict_flat(rng):
    r = rng.standard_normal((50, 1))
    result = refine(np.array([[2.0]]), np.array([3.0]), Ridge(alpha=1.0).fit(r, r[:, 0] / 2))
    assert result.success
    assert result.x == pytest.approx([1.5], rel=1e-15)


def test_a_tall_consistent_system(rng):
    A = rng.standard_normal((60, 20))
    x = gaussian(20, rng)
    R, X = pairs(A, rng, 500)
    result = refine(A, A @ x, Ridge(alpha=1.0, fit_intercept=False).fit(R, X))
    assert result.success
    np.testing.assert_allclose(result.x, x, rtol=0, atol=1e-13)
    krylov = refine(A, A @ x, aslinearoperator(A.T / 60), acceleration="krylov")
    assert krylov.success
    np.testing.assert_allclose(krylov.x, x, rtol=0, atol=1e-13)


def test_an_inconsistent_tall_system_is_never_called_solved(rng):
    A = rng.standard_normal((60, 20))
    b = gaussian(60, rng)
    pinv = np.linalg.pinv(A) * 1.1
    with pytest.warns(ConvergenceWarning, match="lstsq_refine"):
        result = refine(A, b, aslinearoperator(pinv))
    assert result.status is Status.STAGNATED
    # For this B the fixed point is the least-squares solution all the same.
    np.testing.assert_allclose(result.x, np.linalg.lstsq(A, b)[0], rtol=0, atol=1e-3)


def test_a_wide_system(rng):
    A = rng.standard_normal((20, 60))
    b = gaussian(20, rng)
    result = refine(A, b, aslinearoperator(np.linalg.pinv(A) * 0.9))
    assert result.success
    assert np.linalg.norm(b - A @ result.x) <= 1e-14 * np.linalg.norm(A) * np.linalg.norm(result.x)


def test_iterative_solver_inside(rng):
    # A few steps of Richardson: an approximate solver that is itself an iteration.
    A = np.eye(50) + 0.02 * rng.standard_normal((50, 50))
    b = gaussian(50, rng)

    def richardson(r):
        x = np.zeros_like(r)
        for _ in range(3):
            x += r - A @ x
        return x

    result = refine(A, b, richardson)
    assert result.success
    assert result.contraction < np.linalg.norm(np.eye(50) - A, 2)


def test_operator_without_matmat(rng):
    class OnlyVectors(LinearOperator):
        def __init__(self, A):
            super().__init__(A.dtype, A.shape)
            self.A = A

        def _matvec(self, x):
            assert x.ndim == 1 or x.shape[1] == 1
            return self.A @ x.ravel()

    A, _, _ = planted(30, 100.0, rng)
    x = gaussian((30, 4), rng)
    result = refine(OnlyVectors(A), A @ x, OnlyVectors(np.linalg.inv(A)))
    assert result.success
    np.testing.assert_allclose(result.x, x, rtol=0, atol=1e-11)


def test_refinement_of_refinement(rng):
    # The outer solver is itself a refinement, in single precision.
    A, b, _ = planted(40, 100.0, rng)
    A32 = A.astype(np.float32)
    coarse = lu_factor(A32 + np.float32(1e-4) * rng.standard_normal(A.shape).astype(np.float32))
    inner = lambda r: refine(A32, r.astype(np.float32), coarse).x  # noqa: E731
    outer = refine(A, b, inner)
    direct = refine(A, b, coarse)
    assert outer.success
    assert direct.success
    assert backward_error(A, b, outer.x) <= 2 * EPS
    assert outer.n_solves < direct.n_solves


def test_sparse_solver_objects_see_their_own_precision(rng):
    A = scipy.sparse.csc_array(np.eye(10) * 3 + 0.1 * rng.standard_normal((10, 10)))
    b = gaussian(10, rng)
    for dtype in (np.float32, np.float64):
        assert refine(A, b, splu(A.astype(dtype))).success
