"""EPSI and Lazy-EPSI: pairs of the true matrix, whatever the sketch."""

import numpy as np
import pytest
import scipy.sparse
from cases import all_dtypes, random_matrix
from controls import epsi as controls
from epsi_cases import assert_eigenpairs, assert_triplets, planted_hermitian, planted_singular
from scipy.sparse.linalg import LinearOperator

import rnla
from rnla import Status, epsi
from rnla.linalg.surrogate import Surrogate

ROW_SKETCHES = ["gaussian", "srht", "sparse_sign", "biased_sparse_sign"]
AUTHORS = np.logspace(0, -3, 50)


def tolerance(dtype):
    return 10 * np.finfo(dtype).eps ** 0.75


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("sketch", [None, *ROW_SKETCHES])
def test_the_authors_singular_values_for_every_sketch(rng, sketch, k):
    A = planted_singular(rng, 600, AUTHORS)
    size = 30 if sketch is None else None
    result = epsi(A, k, sketch=sketch, sketch_size=size, rng=rng)
    assert result.status is Status.CONVERGED
    assert result.method == ("epsi" if k == 1 else "lazy_epsi")
    assert_triplets(A, result, AUTHORS[:k], tolerance=tolerance(float))


@pytest.mark.parametrize("c", [0.0, 0.125, np.inf])
@pytest.mark.parametrize("sketch", ["gaussian", "srht", "sparse_sign", "nystrom"])
def test_the_whole_dial_for_one_eigenpair(rng, c, sketch):
    A, Q = planted_hermitian(rng, np.exp(-np.arange(120) / 10))
    result = epsi(A, c=c, sketch=sketch, sketch_size=40, rng=rng)
    assert result.success
    assert_eigenpairs(A, result, [1.0], tolerance=tolerance(float))
    assert abs(Q[:, 0] @ result.vectors[:, 0]) > 1 - 1e-12


@all_dtypes
def test_every_dtype(rng, dtype):
    A = planted_singular(rng, 200, 0.7 ** np.arange(40), dtype)
    B, _ = planted_hermitian(rng, 0.7 ** np.arange(60), dtype)
    for k in (1, 3):
        result = epsi(A, k, sketch_size=25, rng=rng)
        assert result.success
        assert result.vectors.dtype == result.left_vectors.dtype == dtype
        assert result.values.dtype == np.finfo(dtype).dtype
        assert_triplets(A, result, 0.7 ** np.arange(k), tolerance=tolerance(dtype))
        result = epsi(B, k, sketch_size=30, rng=rng)
        assert result.success
        assert_eigenpairs(B, result, 0.7 ** np.arange(k), tolerance=tolerance(dtype))


@pytest.mark.parametrize("which", ["LA", "SA", "LM"])
@pytest.mark.parametrize("k", [1, 3])
def test_which_eigenpairs(rng, which, k):
    values = np.r_[3 * 0.6 ** np.arange(25), -4 * 0.6 ** np.arange(25)]
    A, _ = planted_hermitian(rng, values)
    order = {"LA": -values, "SA": values, "LM": -np.abs(values)}[which]
    result = epsi(A, k, which=which, c=np.inf if k == 1 else 0, sketch_size=20, rng=rng)
    assert result.success
    assert_eigenpairs(
        A, result, values[np.argsort(order, kind="stable")][:k], tolerance=tolerance(float)
    )


def test_every_kind_of_matrix(rng):
    A = planted_singular(rng, 80, 0.6 ** np.arange(30))
    A[np.abs(A) < 1e-3] = 0
    expected = np.linalg.svd(A)[1][:2]
    products = []

    def count(function):
        def counted(x):
            products.append(1 if x.ndim == 1 else x.shape[1])
            return function(x)

        return counted

    forward, backward = count(A.__matmul__), count(A.T.__matmul__)
    operators = [
        LinearOperator(A.shape, forward, rmatvec=backward, dtype=float),
        LinearOperator(
            A.shape, forward, rmatvec=backward, matmat=forward, rmatmat=backward, dtype=float
        ),
    ]
    for kind in (A.tolist(), np.asfortranarray(A), scipy.sparse.coo_matrix(A), *operators):
        products.clear()
        result = epsi(kind, 2, sketch_size=20, rng=rng)
        assert_triplets(A, result, expected, tolerance=tolerance(float))
        if kind in operators:
            assert sum(products) == result.n_matvec
            assert result.n_passes < result.n_matvec


def test_small_singular_values_keep_their_digits(rng):
    sigma = np.logspace(0, -7, 8)
    A = np.eye(30, 8) * sigma
    Q = np.linalg.qr(rng.standard_normal((30, 30)))[0]
    result = epsi(Q @ A, 8, sketch_size=8, rng=rng)
    # The eigenvalues of A^T A would have lost all digits of the last ones.
    np.testing.assert_allclose(result.values, sigma, rtol=1e-8)


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
def test_matrices_of_every_size(rng, scale):
    A = planted_singular(rng, 60, 0.5 ** np.arange(20))
    B, _ = planted_hermitian(rng, 0.5 ** np.arange(30))
    result = epsi(scale * A, 2, sketch_size=10, rng=rng)
    assert result.success
    np.testing.assert_allclose(result.values / scale, [1, 0.5], rtol=1e-10)
    assert result.residual_norms.max() < 1e-11 * scale
    result = epsi(scale * B, sketch_size=10, rng=rng)
    assert result.success
    np.testing.assert_allclose(result.values / scale, 1, rtol=1e-10)


@pytest.mark.parametrize("scale", [1e-200, 1e-158, 1e160, 1e200])
def test_squares_beyond_the_range_leave_no_surrogate(scale, rng):
    B = rng.standard_normal((80, 30))
    result = epsi(scale * B, 2, rng=rng)
    np.testing.assert_allclose(result.values / scale, np.linalg.svd(B)[1][:2], rtol=1e-10)
    assert result.surrogate is None
    known = epsi(B, 2, rng=rng).surrogate
    assert known is not None
    if scale < 1:
        with pytest.raises(ValueError, match="`surrogate` must be left out where squares"):
            epsi(scale * B, 2, surrogate=known, rng=rng)


@pytest.mark.parametrize("shape", [(80, 30), (1000, 100), (30, 40)])
def test_as_many_rows_as_a_hadamard_matrix_has(shape, rng):
    A = rng.standard_normal(shape) * 0.8 ** np.arange(shape[1])
    result = epsi(A, 2, sketch="srht", rng=rng)
    np.testing.assert_allclose(result.values, np.linalg.svd(A)[1][:2], rtol=1e-10)
    with pytest.raises(ValueError, match=r"`sketch_size` must be in 1\.\.128, got 129"):
        epsi(np.ones((70, 3)), sketch="srht", sketch_size=129, rng=rng)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("rtol", [1e-2, 1e-6, None])
def test_tolerances_are_relative_to_the_norm(rtol, k, rng):
    """Not to the length of a product with a column of a sketch, which is sqrt(n) times that."""
    d = np.linspace(0.5, 1, 20_000)
    d[:3] = [1.5, 1.3, 1.2]
    A = scipy.sparse.csr_array(scipy.sparse.diags_array(d))
    result = epsi(A, k, rtol=rtol, sketch_size=20 * k, rng=rng)
    assert result.success
    assert result.residual_norms.max() <= 1.5 * (rtol or np.finfo(float).eps ** 0.75)
    np.testing.assert_allclose(result.values, d[:k], rtol=3 * (rtol or 1e-12))


def test_degenerate_matrices(rng):
    for A, values in (
        (np.zeros((5, 5)), [0, 0]),
        (np.zeros((6, 4)), [0, 0]),
        (np.eye(6), [1, 1]),
        (np.ones((7, 7)), [7, 0]),
        (np.ones((4, 9)), [6, 0]),
        (np.array([[2.0]]), [2]),
        (np.diag([1.0, -2.0]), [1, -2]),
    ):
        for k in range(1, len(values) + 1):
            result = epsi(A, k, rng=rng)
            assert result.success
            np.testing.assert_allclose(result.values, values[:k], atol=1e-12)
            V = result.vectors
            np.testing.assert_allclose(V.T @ V, np.eye(k), atol=1e-13)


def test_an_exact_surrogate_does_not_divide_zero_by_zero(rng):
    A, _ = planted_hermitian(rng, np.linspace(1, 2, 20))
    for k in (1, 4):
        for c in (0.0, np.inf) if k == 1 else (0.0,):
            result = epsi(A, k, c=c, surrogate=A, rng=rng)
            assert result.success
            assert result.n_iter <= 6
            assert_eigenpairs(A, result, np.linspace(2, 1, 20)[:k], tolerance=tolerance(float))


def test_a_matrix_that_is_hermitian_to_rounding_gives_eigenpairs(rng):
    A, _ = planted_hermitian(rng, -(0.7 ** np.arange(40)))
    for kind in (A, scipy.sparse.csr_array(A)):
        assert epsi(kind, which="SA", sketch_size=20, rng=rng).left_vectors is None
    A[0, 1] *= 1 + 4e-16
    assert epsi(A, which="SA", sketch_size=20, rng=rng).values[0] == pytest.approx(-1)
    assert epsi(A, hermitian=False, sketch_size=20, rng=rng).values[0] == pytest.approx(1)
    A[0, 1] += 1e-10
    assert epsi(A, sketch_size=20, rng=rng).left_vectors is not None


def test_a_surrogate_serves_a_related_matrix(rng):
    A = planted_singular(rng, 300, 0.9 ** np.arange(60))
    E = rng.standard_normal(A.shape)
    B = A + 1e-4 * E / np.linalg.norm(E, 2)
    first = epsi(A, 3, sketch_size=40, rng=rng)
    again = epsi(B, 3, surrogate=first.surrogate, v0=first.vectors, rng=rng)
    cold = epsi(B, 3, sketch_size=40, rng=rng)
    assert again.success
    assert_triplets(B, again, np.linalg.svd(B)[1][:3], tolerance=tolerance(float))
    assert again.n_matvec < 0.6 * cold.n_matvec


def test_history_and_callback(rng):
    A, _ = planted_hermitian(rng, 0.8 ** np.arange(50))
    seen = []

    def callback(state):
        seen.append(state.error)
        np.testing.assert_allclose(np.linalg.norm(state.x, axis=0), 1)
        assert state.values.shape == state.residual_norm.shape == (2,)
        if len(seen) == 4:
            raise StopIteration

    with pytest.warns(rnla.ConvergenceWarning, match="callback"):
        result = epsi(A, 2, sketch_size=10, callback=callback, rng=rng)
    assert result.status is Status.STOPPED_BY_CALLBACK
    assert not result.success
    np.testing.assert_array_equal(result.history, seen)
    assert result.residual_history.shape == result.value_history.shape == (4, 2)
    np.testing.assert_allclose(
        result.residual_history.max(axis=1) / result.history,
        result.residual_history[0].max() / result.history[0],
        rtol=0.1,
    )
    best = np.argmin(seen)
    np.testing.assert_array_equal(result.residual_norms, result.residual_history[best])
    assert "lazy_epsi" in result.message


def test_the_iteration_limit(rng):
    A, _ = planted_hermitian(rng, 0.98 ** np.arange(100))
    for limit in (0, 3):
        with pytest.warns(rnla.ConvergenceWarning, match="raise `maxiter`"):
            result = epsi(A, 2, sketch_size=10, maxiter=limit, rng=rng)
        assert result.status is Status.MAX_ITERATIONS
        assert result.n_iter == limit
        assert len(result.history) == limit + 1


@pytest.mark.parametrize("k", [1, 3])
def test_equal_seeds_give_equal_bits(rng, k):
    A = random_matrix(rng, (80, 40), complex) * 0.7 ** np.arange(40)
    first, second = (epsi(A, k, sketch_size=20, rng=5) for _ in range(2))
    np.testing.assert_array_equal(first.vectors, second.vectors)
    np.testing.assert_array_equal(first.history, second.history)


@pytest.mark.parametrize("control", controls.SOLVERS, ids=lambda f: f.__name__)
def test_the_checks_reject(rng, control):
    A = planted_singular(rng, 300, np.logspace(0, -6, 30))
    result = control(A, 5, rng)
    with pytest.raises(AssertionError):
        assert_triplets(A, result, np.logspace(0, -6, 30)[:5], tolerance=tolerance(float))


UNKNOWN = Surrogate(
    basis=np.eye(4, 2), values=np.array([np.nan, 1.0]), tail=0.1, n_matvec=0, n_passes=0
)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (dict(k=0), ValueError, r"`k` must be in 1\.\.4, got 0"),
        (dict(k=5), ValueError, r"`k` must be in 1\.\.4, got 5"),
        (dict(k=1.0), TypeError, "`k` must be an integer"),
        (dict(which="BE"), ValueError, "`which` must be one of"),
        (dict(which="SA"), ValueError, '`which` must be "LA" or "LM" for singular'),
        (dict(method="block"), ValueError, "`method` must be one of"),
        (dict(k=2, method="single"), ValueError, "`k` must be 1"),
        (dict(k=2, c=0.1), ValueError, "`c` must be left out"),
        (dict(c=-1.0), ValueError, "`c` must be a number"),
        (dict(c=np.nan), ValueError, "`c` must be a number"),
        (dict(c="a"), ValueError, "`c` must be a number"),
        (dict(sketch="cauchy"), ValueError, "`sketch` must be one of"),
        (dict(sketch_size=0), ValueError, "`sketch_size` must be"),
        (dict(sketch="biased_sparse_sign", sketch_size=4), ValueError, "more than 4 columns"),
        (dict(shrink=0.0), ValueError, "`shrink` must lie in"),
        (dict(shrink=2.0), ValueError, "`shrink` must lie in"),
        (dict(surrogate=np.eye(3)), ValueError, "`surrogate` must have shape"),
        (dict(surrogate=np.full((4, 4), np.nan)), ValueError, "`surrogate` must not contain NaN"),
        (dict(surrogate=UNKNOWN), ValueError, "`surrogate` must not contain NaN"),
        (dict(surrogate=np.eye(4), sketch_size=3), ValueError, "must be left out"),
        (dict(v0=np.ones(3)), ValueError, "`v0` must have shape"),
        (dict(v0=np.full(4, np.nan)), ValueError, "`v0` must not contain NaN"),
        (dict(v0=np.ones(4) * 1j), ValueError, "`v0` must be real"),
        (dict(rtol=-1.0), ValueError, "`rtol` must lie in"),
        (dict(maxiter=-1), ValueError, "`maxiter` must be at least 0"),
        (dict(callback=3), TypeError, "`callback` must be callable"),
        (dict(hermitian=True), ValueError, "`A` must be square"),
        (dict(hermitian="yes"), TypeError, "`hermitian` must be True, False or None, got 'yes'"),
        (dict(hermitian=1), TypeError, "`hermitian` must be True, False or None, got 1"),
        (dict(rng="a"), TypeError, "`rng`"),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        epsi(np.ones((6, 4)) + np.eye(6, 4), **options)


def test_bad_matrices():
    with pytest.raises(ValueError, match="NaN"):
        epsi(np.full((4, 4), np.nan))
    with pytest.raises(ValueError, match="two axes"):
        epsi(np.ones(4))
    with pytest.raises(ValueError, match="`hermitian` must be True or False"):
        epsi(LinearOperator((4, 4), lambda x: x, dtype=float))
    with pytest.raises(ValueError, match="`A` must not return NaN"):
        epsi(LinearOperator((4, 4), lambda x: x * np.nan, dtype=float), hermitian=True)
    with pytest.raises(ValueError, match="row sketch"):
        epsi(np.eye(4), sketch="biased_sparse_sign")
    with pytest.raises(ValueError, match="positive semidefinite"):
        epsi(np.diag([1.0, -1.0, 2.0, -2.0]), sketch="nystrom")
