"""Triangular factors, equilibration and the preconditioners made from them."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lstsq_cases import EPS, gaussian
from scipy.sparse.linalg import aslinearoperator

from rnla.linalg import factor, precondition
from rnla.linalg.factor import (
    column_scale,
    inverse_upper,
    triangular_factor,
    upper_factor,
)
from rnla.linalg.precondition import (
    TriangularPreconditioner,
    TruncatedPreconditioner,
    preconditioner_from_factor,
    small_product,
)
from rnla.testing import assert_adjoint, assert_orthonormal, haar, lstsq_problem

REAL_AND_COMPLEX = pytest.mark.parametrize("dtype", [np.float64, np.complex128])
CUT = 30 * EPS


@REAL_AND_COMPLEX
@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (40, 1), (40, 7), (500, 130)])
@pytest.mark.parametrize("k", [0, 1, 3])
def test_triangular_factor(k, shape, dtype, rng):
    M, B = gaussian(*shape, rng, dtype), gaussian(shape[0], k, rng, dtype)
    M *= np.logspace(-3, 3, shape[1])
    R, C, scale = triangular_factor(M, B)
    n = shape[1]
    assert R.shape == (n, n)
    assert C.shape == (n, k)
    assert (np.tril(R, -1) == 0).all()
    scaled = M * scale
    np.testing.assert_allclose(R.conj().T @ R, scaled.conj().T @ scaled, atol=1e-13 * shape[0])
    np.testing.assert_allclose(R.conj().T @ C, scaled.conj().T @ B, atol=1e-11)
    norms = np.linalg.norm(scaled, axis=0)
    assert (norms >= 0.5).all()
    assert (norms < 1).all()


def test_scale_is_made_of_powers_of_two(rng):
    M = rng.standard_normal((50, 8)) * np.logspace(-200, 200, 8)
    M[:, 3] = 0
    scale = triangular_factor(M, np.zeros((50, 0)))[2]
    assert (np.frexp(scale)[0] == 0.5).all()
    assert scale[3] == 1


@given(st.floats(min_value=0, allow_infinity=False, allow_subnormal=False))
def test_column_scale_brings_any_norm_near_one(norm):
    with np.errstate(all="raise"):
        scale = column_scale(np.array([norm]))[0]
    assert scale == 1 if norm == 0 else 0.5 <= norm * scale < 1


def test_factor_leaves_its_input_alone(rng):
    M, B = np.asfortranarray(rng.standard_normal((30, 4))), rng.standard_normal((30, 2))
    before = M.copy(), B.copy()
    triangular_factor(M, B)
    np.testing.assert_array_equal(M, before[0])
    np.testing.assert_array_equal(B, before[1])


def test_factor_promotes_single_precision(rng):
    M = rng.standard_normal((60, 5)).astype(np.float32)
    R, _, scale = triangular_factor(M, np.zeros((60, 0), np.float32))
    assert R.dtype == np.float64
    wide = M.astype(float) * scale
    np.testing.assert_allclose(R.T @ R, wide.T @ wide, atol=1e-14)


@REAL_AND_COMPLEX
def test_upper_factor_is_householders(dtype, rng):
    # Backward stable whatever the condition: the factor of a Gram matrix would not be.
    A = lstsq_problem(300, 20, condition=1e14, rng=rng, dtype=dtype)[0]
    R = np.triu(upper_factor(np.array(A, order="F"))[:20])
    # ||A - Q R|| / ||A|| for the best orthonormal Q.
    stacked = np.linalg.svd(A @ np.linalg.pinv(R, rcond=1e-30), compute_uv=False)
    sigma = np.linalg.svd(A, compute_uv=False)
    np.testing.assert_allclose(np.linalg.svd(R, compute_uv=False), sigma, atol=50 * EPS)
    assert stacked[0] < 2


@REAL_AND_COMPLEX
@pytest.mark.parametrize("n", [1, 2, 33])
def test_inverse_upper(n, dtype, rng):
    R = np.triu(gaussian(n, n, rng, dtype)) + 3 * np.eye(n)
    inverse = np.triu(inverse_upper(R))
    np.testing.assert_allclose(inverse @ R, np.eye(n), atol=1e-12)
    R[n // 2, n // 2] = 0
    assert inverse_upper(R) is None


@pytest.mark.parametrize("m_type", [np.float64, np.complex128])
@pytest.mark.parametrize("x_type", [np.float64, np.complex128])
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (3, 7), (300, 300)])
@pytest.mark.parametrize("k", [0, 1, 4])
def test_small_product(k, shape, x_type, m_type, rng):
    M, X = gaussian(*shape, rng, m_type), gaussian(shape[1], k, rng, x_type)
    found = small_product(M, X)
    assert found.dtype == np.result_type(M, X)
    np.testing.assert_allclose(found, M @ X, atol=1e-13 * shape[1])


@REAL_AND_COMPLEX
@pytest.mark.parametrize("n", [1, 2, 9, 260])
class TestTriangular:
    @pytest.fixture
    def pair(self, n, dtype, rng):
        R = np.triu(gaussian(n, n, rng, dtype)) / np.sqrt(n) + 2 * np.eye(n)
        scale = 2.0 ** rng.integers(-5, 5, n)
        return TriangularPreconditioner(R, scale), np.diag(scale) @ np.linalg.inv(R), R, scale

    @pytest.mark.parametrize("k", [0, 1, 3])
    def test_products(self, k, pair, n, dtype, rng):
        P, dense, _, _ = pair
        assert P.shape == (n, n)
        assert P.dtype == dtype
        X = gaussian(n, k, rng, dtype)
        np.testing.assert_allclose(P @ X, dense @ X, atol=1e-12 * n)
        np.testing.assert_allclose(P.H @ X, dense.conj().T @ X, atol=1e-12 * n)

    def test_vectors_and_columns(self, pair, n, dtype, rng):
        P, dense, _, _ = pair
        x = gaussian(n, 1, rng, dtype)
        assert P.matvec(x[:, 0]).shape == (n,)
        assert P.rmatvec(x[:, 0]).shape == (n,)
        assert (P @ x).shape == (n, 1)
        np.testing.assert_allclose(P @ x[:, 0], dense @ x[:, 0], atol=1e-12 * n)
        np.testing.assert_allclose((P @ x)[:, 0], P @ x[:, 0])

    def test_adjoint_belongs(self, pair, n, dtype, rng):
        assert_adjoint(pair[0], rng)

    def test_complex_vectors_through_a_real_preconditioner(self, pair, n, dtype, rng):
        P, dense, _, _ = pair
        x = gaussian(n, 1, rng, np.complex128)[:, 0]
        np.testing.assert_allclose(P @ x, dense @ x, atol=1e-12 * n)
        np.testing.assert_allclose(P.H @ x, dense.conj().T @ x, atol=1e-12 * n)

    def test_surrogate_solution_and_lift(self, pair, n, dtype, rng):
        P, dense, _R, scale = pair
        C = gaussian(n, 2, rng, dtype)
        np.testing.assert_allclose(P.surrogate_solution(C), dense @ C, atol=1e-12 * n)
        # D A^H r from P^H A^H r, for any gradient.
        g = gaussian(n, 1, rng, dtype)
        np.testing.assert_allclose(
            P.lift(P.H @ g), scale[:, None] * g, atol=1e-11 * n * np.linalg.norm(g)
        )

    def test_condition_is_within_a_factor_from_below(self, pair, n, dtype):
        P, _, R, _ = pair
        true = np.linalg.cond(R)
        assert true / 3 <= P.condition <= true * (1 + 1e-8)

    def test_pickle(self, pair, n, dtype, rng):
        P, x = pair[0], gaussian(n, 1, rng, dtype)[:, 0]
        copy = pickle.loads(pickle.dumps(P))
        np.testing.assert_array_equal(copy @ x, P @ x)
        assert (copy.rank, copy.condition) == (P.rank, P.condition)


@pytest.mark.parametrize("condition", [1e2, 1e7, 1e12])
def test_condition_of_hidden_small_singular_values(condition, rng):
    # Kahan's matrix and friends hide them from the diagonal.
    A = lstsq_problem(400, 30, condition=condition, rng=rng)[0]
    R, _, scale = triangular_factor(A, np.zeros((400, 0)))
    P = preconditioner_from_factor(R, scale, CUT)
    true = np.linalg.cond(R)
    assert true / 5 <= P.condition <= true * 1.1


def deficient(n, rank, rng, dtype=np.float64):
    A = haar(80, rank, rng=rng, dtype=dtype) @ haar(n, rank, rng=rng, dtype=dtype).conj().T
    R, _, scale = triangular_factor(A, np.zeros((80, 0)))
    return A, R, scale


@REAL_AND_COMPLEX
@pytest.mark.parametrize("rank", [1, 3, 8])
def test_truncation_at_the_rank(rank, dtype, rng):
    A, R, scale = deficient(9, rank, rng, dtype)
    P = preconditioner_from_factor(R, scale, CUT)
    assert isinstance(P, TruncatedPreconditioner)
    assert P.rank == rank
    assert P.shape == (9, rank)
    assert P.condition > 1e13
    assert_orthonormal(A @ (P @ np.eye(rank)), rtol=1e-12)
    # Its range is the row space of A: solutions have minimum norm.
    N = np.linalg.svd(A)[2][rank:].conj().T
    dense = P @ np.eye(rank)
    assert np.linalg.norm(N.conj().T @ dense) <= 1e-12 * np.linalg.norm(dense)
    assert_adjoint(P, rng)
    X, Y = gaussian(rank, 3, rng, dtype), gaussian(9, 3, rng, dtype)
    np.testing.assert_allclose(P @ X, dense @ X, atol=1e-13)
    np.testing.assert_allclose(P.H @ Y, dense.conj().T @ Y, atol=1e-13)
    assert P.matvec(X[:, 0]).shape == (9,)
    assert P.rmatvec(Y[:, 0]).shape == (rank,)


def test_rank_zero(rng):
    P = preconditioner_from_factor(np.zeros((4, 4)), np.ones(4), CUT)
    assert P.shape == (4, 0)
    assert (P @ np.zeros((0, 3))).shape == (4, 3)
    assert (P.H @ np.ones((4, 3))).shape == (0, 3)
    np.testing.assert_array_equal(P.matvec(np.zeros(0)), np.zeros(4))
    np.testing.assert_array_equal(P.rmatvec(np.ones(4)), np.zeros(0))


@pytest.mark.parametrize(("rcond", "rank"), [(0.0, 6), (1e-12, 6), (3e-4, 4), (0.5, 1)])
def test_rcond_is_relative_to_the_largest(rcond, rank):
    sigma = 10.0 ** -np.arange(6)
    for size in (1e-50, 1.0, 1e50):
        P = preconditioner_from_factor(size * np.diag(sigma), np.ones(6), rcond)
        assert P.rank == rank


@pytest.mark.parametrize("factor", [1e-150, 1.0, 1e150])
def test_exactly_singular_factors_do_not_warn(factor):
    R = factor * np.triu(np.ones((5, 5)))
    R[2, 2] = 0
    P = preconditioner_from_factor(R, np.ones(5), CUT)
    assert P.rank == 4


@REAL_AND_COMPLEX
def test_it_is_an_operator_like_any_other(dtype, rng):
    A, _b, _ = lstsq_problem(300, 9, condition=1e4, residual=0.1, rng=rng, dtype=dtype)
    R, _, scale = triangular_factor(A, np.zeros((300, 0), dtype))
    P = preconditioner_from_factor(R, scale, CUT)
    M = aslinearoperator(A) @ P
    assert_orthonormal(M @ np.eye(9), rtol=1e-10)
    np.testing.assert_allclose((2 * P) @ np.ones(9), 2 * (P @ np.ones(9)))
    np.testing.assert_allclose((P.H @ P) @ np.ones(9), P.H @ (P @ np.ones(9)))
    np.testing.assert_allclose(
        P.T @ np.ones(9), (P @ np.eye(9)).T @ np.ones(9), atol=1e-8, rtol=1e-8
    )
    assert repr(P).startswith("<9x9 TriangularPreconditioner")
    for wrong in (np.ones(8), np.ones((8, 2)), np.ones((1, 9))):
        with pytest.raises(ValueError, match=r"dimension mismatch|shape"):
            P @ wrong


def test_substitution_is_backward_stable(rng):
    # Along directions that the factor hardly sees, an explicit inverse loses every digit.
    R = np.triu(rng.standard_normal((60, 60)))  # condition about 1e12 to 1e16
    P = TriangularPreconditioner(R, np.ones(60))
    x = rng.standard_normal(60)
    y = P @ x
    residual = np.linalg.norm(R @ y - x)
    assert residual <= 60 * EPS * np.linalg.norm(R) * np.linalg.norm(y)
    explicit = inverse_upper(R) @ x
    del explicit
    z = P.H @ x
    assert np.linalg.norm(R.T @ z - x) <= 60 * EPS * np.linalg.norm(R) * np.linalg.norm(z)


def test_threads_leave_every_bit(rng, threads):
    R = np.triu(rng.standard_normal((400, 400))) + 30 * np.eye(400)
    X, bits = rng.standard_normal((400, 5)), []
    for n in (1, 2, 4):
        threads(n)
        P = TriangularPreconditioner(R, np.ones(400))
        bits.append(((P @ X).tobytes(), (P.H @ X).tobytes(), small_product(R, X[:, :1]).tobytes()))
    assert bits[0] == bits[1] == bits[2]


def test_module_exports_what_it_documents():
    for name in ("Preconditioner", "triangular_factor", "column_scale"):
        assert getattr(precondition if name == "Preconditioner" else factor, name).__doc__
