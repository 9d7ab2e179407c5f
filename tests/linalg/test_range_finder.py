"""Randomized bases, singular value decompositions and Nystrom approximations."""

import numpy as np
import pytest
import scipy.sparse
from cases import all_dtypes, random_matrix
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import rnla
from rnla.linalg.rpcholesky import pivoted_factor
from rnla.sketch import SKETCHES

FAMILIES = sorted(SKETCHES)


def decaying(rng, shape, dtype=np.float64, *, ratio=0.5):
    """A matrix with singular values ratio**i; they are returned as well."""
    r = min(shape)
    s = ratio ** np.arange(r)
    U, V = (np.linalg.qr(random_matrix(rng, (n, r), dtype))[0] for n in shape)
    return ((U * s) @ V.conj().T).astype(dtype), s


def kinds(A):
    return [
        A,
        np.asfortranarray(A),
        scipy.sparse.csr_array(A),
        LinearOperator(A.shape, A.__matmul__, rmatvec=A.conj().T.__matmul__, dtype=A.dtype),
    ]


@all_dtypes
@pytest.mark.parametrize("method", ["power", "block_krylov"])
def test_range_finder(rng, dtype, method):
    A, s = decaying(rng, (90, 60), dtype)
    eps = np.finfo(dtype).eps
    for kind in kinds(A):
        Q = rnla.range_finder(kind, 12, n_iter=1, method=method, rng=rng)
        assert Q.dtype == dtype
        assert Q.shape[0] == 90
        assert np.linalg.norm(Q.conj().T @ Q - np.eye(Q.shape[1])) < 100 * eps
        left = np.linalg.norm(A - Q @ (Q.conj().T @ A), 2)
        assert left < 10 * s[12] + 20 * eps
        assert left > 0.9 * s[min(Q.shape[1], 59)] - 20 * eps


@pytest.mark.parametrize("sketch", FAMILIES)
def test_every_family_of_test_matrices(rng, sketch):
    A, s = decaying(rng, (120, 100))
    Q = rnla.range_finder(A, 20, n_iter=0, sketch=sketch, rng=rng)
    assert np.linalg.norm(A - Q @ (Q.T @ A), 2) < 1e3 * s[20]


def test_a_real_sketch_of_a_complex_matrix(rng):
    A, s = decaying(rng, (120, 100), np.complex128)
    Q = rnla.range_finder(A, 20, n_iter=0, sketch="sparse_sign", rng=rng)
    assert np.linalg.norm(A - Q @ (Q.conj().T @ A), 2) < 1e3 * s[20]


def test_the_sketch_and_its_dense_form_are_the_same_test_matrix(rng):
    A, _ = decaying(rng, (50, 40))
    forms = [rnla.range_finder(A, 5, sketch="sparse_sign", rng=3) for A in kinds(A)]
    for form in forms[1:]:
        np.testing.assert_allclose(form, forms[0], atol=1e-10)


def test_block_krylov_is_the_better_basis_for_the_same_products(rng):
    A = np.diag(np.linspace(1, 0.1, 200))
    errors = {}
    for method in ("power", "block_krylov"):
        U, s, Vh = rnla.rsvd(A, 5, oversample=3, n_iter=8, method=method, rng=rng)
        errors[method] = np.abs(s - np.linspace(1, 0.1, 200)[:5]).max()
        assert np.linalg.norm(A @ Vh.T - U * s) < 1
    assert errors["block_krylov"] < 0.2 * errors["power"]


@all_dtypes
def test_rsvd(rng, dtype):
    A, s = decaying(rng, (70, 90), dtype)
    eps = np.finfo(dtype).eps
    U, values, Vh = rnla.rsvd(A, 6, rng=rng)
    assert (U.shape, values.shape, Vh.shape) == ((70, 6), (6,), (6, 90))
    np.testing.assert_allclose(values, s[:6], rtol=1e-6 if eps < 1e-10 else 1e-4)
    assert np.linalg.norm(A - (U * values) @ Vh, 2) < 1.1 * s[6]
    assert np.linalg.norm(U.conj().T @ U - np.eye(6)) < 100 * eps


def test_rsvd_of_low_rank_matrices(rng):
    A = np.ones((8, 5))
    U, s, Vh = rnla.rsvd(A, 3, rng=rng)
    np.testing.assert_allclose(s, [np.sqrt(40), 0, 0], atol=1e-14)
    np.testing.assert_allclose((U * s) @ Vh, A, atol=1e-14)
    np.testing.assert_allclose(U.T @ U, np.eye(3), atol=1e-14)
    U, s, Vh = rnla.rsvd(np.zeros((3, 4)), 3, rng=rng)
    np.testing.assert_array_equal(s, 0)
    np.testing.assert_allclose(Vh @ Vh.T, np.eye(3), atol=1e-14)


def test_equal_seeds_give_equal_answers(rng):
    A, _ = decaying(rng, (40, 30))
    for kind in kinds(A):
        np.testing.assert_array_equal(
            rnla.range_finder(kind, 4, rng=7), rnla.range_finder(kind, 4, rng=7)
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(size=0), "`size` must be at least 1"),
        (dict(n_iter=-1), "`n_iter` must be at least 0"),
        (dict(method="lanczos"), "`method` must be one of"),
        (dict(sketch="cauchy"), "`sketch` must be one of"),
    ],
)
def test_bad_options(arguments, message):
    with pytest.raises(ValueError, match=message):
        rnla.range_finder(np.eye(4), **{"size": 2, **arguments})
    if "size" not in arguments:
        with pytest.raises(ValueError, match=message):
            rnla.rsvd(np.eye(4), 2, **arguments)


def test_bad_ranks():
    with pytest.raises(ValueError, match=r"`k` must be in 1\.\.3, got 4"):
        rnla.rsvd(np.ones((3, 5)), 4)
    with pytest.raises(ValueError, match=r"`rank` must be in 1\.\.3, got 0"):
        rnla.nystrom(np.eye(3), 0)
    with pytest.raises(ValueError, match="`A` must be square"):
        rnla.nystrom(np.ones((3, 4)), 2)


def psd(rng, n, dtype=np.float64, *, ratio=0.6):
    Q = np.linalg.qr(random_matrix(rng, (n, n), dtype))[0]
    d = ratio ** np.arange(n)
    return ((Q * d) @ Q.conj().T).astype(dtype), d


@all_dtypes
@pytest.mark.parametrize("method", ["sketch", "rpcholesky"])
def test_nystrom_is_close_and_from_below(rng, dtype, method):
    A, d = psd(rng, 60, dtype)
    eps = np.finfo(dtype).eps
    forms = [A, scipy.sparse.csc_array(A)]
    for form in forms if method == "rpcholesky" else kinds(A):
        surrogate = rnla.nystrom(form, 14, method=method, rng=rng)
        assert surrogate.basis.dtype == dtype
        U = surrogate.basis
        assert np.linalg.norm(U.conj().T @ U - np.eye(surrogate.rank)) < 100 * eps
        missing = A - surrogate.product(np.eye(60, dtype=dtype))
        values = np.linalg.eigvalsh((missing + missing.conj().T) / 2)
        assert values[0] > -40 * eps
        assert values.sum() < 20 * d[10:].sum() + 60 * eps
        assert surrogate.n_matvec >= 14


def test_nystrom_of_exactly_low_rank_matrices(rng):
    F = rng.standard_normal((40, 3))
    for A in (F @ F.T, np.zeros((40, 40))):
        for method in ("sketch", "rpcholesky"):
            surrogate = rnla.nystrom(A, 10, method=method, rng=rng)
            assert surrogate.rank <= 10
            np.testing.assert_allclose(surrogate.product(np.eye(40)), A, atol=1e-12)


def test_nystrom_refuses_indefinite_matrices(rng):
    A = np.diag(np.r_[np.ones(10), -np.ones(10)])
    with pytest.raises(ValueError, match="positive semidefinite"):
        rnla.nystrom(A, 15, rng=rng)
    with pytest.raises(ValueError, match="positive semidefinite"):
        rnla.nystrom(A, 5, method="rpcholesky", rng=rng)


def test_nystrom_from_columns(rng):
    x = rng.random(200)
    evaluated = []

    def columns(indices):
        evaluated.extend(indices)
        return np.exp(-30 * (x[:, None] - x[indices]) ** 2)

    surrogate = rnla.nystrom(columns, 30, diagonal=np.ones(200), rng=rng)
    assert len(evaluated) == surrogate.n_matvec < 200
    K = np.exp(-30 * (x[:, None] - x) ** 2)
    assert np.linalg.norm(surrogate.product(np.eye(200)) - K, 2) < 1e-9 * np.linalg.norm(K, 2)
    with pytest.raises(ValueError, match="`diagonal` must be given"):
        rnla.nystrom(columns, 30)
    with pytest.raises(ValueError, match="`diagonal` must be left out"):
        rnla.nystrom(K, 30, diagonal=np.ones(200))
    with pytest.raises(ValueError, match=r"`A` must return shape \(200, "):
        rnla.nystrom(lambda i: np.ones((3, 3)), 30, diagonal=np.ones(200))
    with pytest.raises(TypeError, match="no entries"):
        rnla.nystrom(kinds(K)[3], 30, method="rpcholesky")
    np.testing.assert_array_equal(
        rnla.nystrom(aslinearoperator(K), 5, method="rpcholesky", rng=1).values,
        rnla.nystrom(K, 5, method="rpcholesky", rng=1).values,
    )


def test_blocks_of_pivots_have_the_law_of_single_ones(rng):
    """Three strong directions and a weak tail: two pivots almost never share a direction."""
    A = np.kron(np.diag([4.0, 2.0, 1.0]), np.ones((20, 20))) + 1e-6 * np.eye(60)
    pairs = np.zeros((3, 3))
    draws = 800
    for _ in range(draws):
        chosen = []

        def columns(indices, chosen=chosen):
            chosen.extend(indices)
            return A[:, indices]

        F, _, _ = pivoted_factor(columns, np.diagonal(A).copy(), 8, rng)
        assert F.shape[1] == 8
        groups = list(dict.fromkeys(np.asarray(chosen) // 20))
        pairs[groups[0], groups[1]] += 1
    # First by 4 : 2 : 1, then by what is left.
    weights = np.array([4.0, 2.0, 1.0])
    expected = np.array(
        [
            [0 if i == j else weights[i] / 7 * weights[j] / (7 - weights[i]) for j in range(3)]
            for i in range(3)
        ]
    )
    spread = np.sqrt(expected * (1 - expected) * draws)
    z = (pairs - draws * expected)[spread > 0] / spread[spread > 0]
    assert np.abs(z).max() < 5


@pytest.mark.parametrize("sides", ["both", "left", "right"])
def test_an_operator_that_returns_nan_is_named(sides):
    product = np.full(60, np.nan if sides != "right" else 1.0)
    adjoint = np.full(40, np.nan if sides != "left" else 1.0)
    A = LinearOperator((60, 40), lambda x: product * x.sum(), lambda x: adjoint, dtype=float)
    for n_iter in (0, 2):
        with pytest.raises(ValueError, match="`A` must not return NaN or infinity"):
            rnla.rsvd(A, 3, n_iter=n_iter, rng=0)
    with pytest.raises(ValueError, match="`A` must not return NaN or infinity"):
        rnla.range_finder(A, 3, n_iter=1, rng=0)
