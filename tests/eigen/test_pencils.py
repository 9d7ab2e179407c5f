"""Pencils (A, M) at the edge of what is defined: indefinite, singular, of low rank."""

import contextlib

import eigen_cases as cases
import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import rnla
from rnla.eigen import solve
from rnla.eigen._definite import inner_space
from rnla.eigen._polish import polished
from rnla.eigen._validate import check_request
from rnla.linalg.block import as_block_operator
from rnla.linalg.orth import IndefiniteError, orthonormal_block

EPS = cases.EPS
FORMS = [np.asarray, scipy.sparse.csr_array, aslinearoperator]
METHODS = ["auto", "lanczos"]


def chain(n):
    return 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)


def alternating(n):
    return np.diag(np.where(np.arange(n) % 2, 1.0, -1.0))


def finite(A, M):
    """Eigenvalues of a pencil whose M is diagonal: those of the Schur complement."""
    m = np.diagonal(M).real
    i, z = np.flatnonzero(m), np.flatnonzero(m == 0)
    S = A[np.ix_(i, i)]
    if len(z):
        S = S - A[np.ix_(i, z)] @ np.linalg.solve(A[np.ix_(z, z)], A[np.ix_(z, i)])
    return scipy.linalg.eigh((S + S.conj().T) / 2, np.diag(m[i]), eigvals_only=True)


def nearest(exact, sigma, k):
    return np.sort(exact[np.argsort(np.abs(exact - sigma))[:k]])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sigma", [None, 2.5])
@pytest.mark.parametrize("n", [90, 200, 400])
def test_an_indefinite_M_is_refused(n, sigma, method, form, rng):
    A = form(np.diag(np.arange(1.0, n + 1)))
    one = np.ones(n)
    one[n // 3] = -1e-3
    for M in (alternating(n), -np.eye(n), np.diag(one), cases.hermitian(one, rng)):
        with pytest.raises(ValueError, match="`M` must be positive"):
            rnla.eigsh(A, 3, M=form(M), sigma=sigma, method=method, rng=rng)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("which", ["LM", "SM"])
def test_an_indefinite_A_is_refused_in_buckling_mode(which, method, form, rng):
    n = 200
    for shift in (1e-3, 1.0, 5.0):
        A = form(chain(n) - shift * np.eye(n))
        for M in (None, form(np.eye(n))):
            with pytest.raises(ValueError, match="`A` must be positive definite"):
                rnla.eigsh(
                    A, 3, M=M, sigma=0.3, mode="buckling", which=which, method=method, rng=rng
                )


@pytest.mark.parametrize("mode", ["buckling", "cayley"])
def test_a_shift_that_makes_a_mode_void(mode):
    with pytest.raises(ValueError, match=r"`sigma` must not be 0 where mode='\w+', got 0"):
        rnla.eigsh(np.eye(90), 3, sigma=0, mode=mode)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("mode", ["normal", "cayley"])
def test_fewer_finite_eigenvalues_than_wanted(mode, method, form, rng):
    n = 90
    A = form(np.diag(np.arange(1.0, n + 1)))
    L = rng.standard_normal((n, 2))
    for M, rank in ((np.zeros((n, n)), 0), (np.diag(np.arange(n) < 2) * 1.0, 2), (L @ L.T, 2)):
        for call in (rnla.eigsh, solve):
            with pytest.raises(ValueError, match=f"`M` must have rank at least k=3.* got {rank}"):
                call(A, 3, M=form(M), sigma=0.5, mode=mode, method=method, rng=rng)
        if rank:
            w = rnla.eigsh(A, 2, M=form(M), sigma=0.5, mode=mode, method=method, rng=rng)[0]
            inverse = np.linalg.eigvals(np.diag(1 / np.arange(1.0, n + 1)) @ M).real
            np.testing.assert_allclose(w, np.sort(1 / np.sort(inverse)[-2:]), rtol=1e-10)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ncv", [None, 12, 40])
@pytest.mark.parametrize("mode", ["normal", "cayley"])
@pytest.mark.parametrize(("n", "every"), [(10, 4), (20, 4), (23, 3), (250, 3)])
def test_a_singular_M_in_every_mode(n, every, mode, ncv, form, rng):
    A, k, sigma = chain(n), 4, -0.2
    M = np.diag((np.arange(n) % every != every - 1) * 1.0)
    exact = finite(A, M)
    if mode == "cayley":
        exact = exact[np.argsort(-np.abs((exact + sigma) / (exact - sigma)))][:k]
    wanted = np.sort(exact) if mode == "cayley" else nearest(exact, sigma, k)
    for method in METHODS:
        result = solve(
            form(A), k, M=form(M), sigma=sigma, mode=mode, ncv=ncv, method=method, rng=rng
        )
        assert result.success
        # In the Cayley mode those far from the shift are wanted as well.
        spread = np.abs(wanted - sigma).max() ** 2 / abs(2 * sigma) if mode == "cayley" else 1.0
        np.testing.assert_allclose(result.values, wanted, rtol=0, atol=100 * EPS * spread)
        assert cases.orthonormality(result.vectors, M) <= 100 * EPS
        assert cases.residuals(A, result.values, result.vectors, M).max() <= 400 * EPS * spread


@pytest.mark.parametrize("given", ["M", "OPinv", "neither"])
@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("n", [8, 23, 60])
def test_random_pencils_of_any_rank(n, dtype, given, rng):
    for _ in range(6):
        A = cases.hermitian(rng.standard_normal(n), rng, dtype)
        m = 10 ** rng.uniform(0, 2, n) * (rng.random(n) < 0.7)
        rank = int(np.count_nonzero(m))
        M, sigma = np.diag(m).astype(dtype), 1.5
        if rank < 3:
            continue
        exact = finite(A, M)
        options = {}
        if given == "OPinv":
            options = {"OPinv": np.linalg.inv(A - sigma * M)}
        # As an operator beside OPinv, nothing is known of M but its products.
        form = aslinearoperator if given != "M" else np.asarray
        for k in {1, rank // 2, rank - 1, rank} - {n}:
            w, X = rnla.eigsh(A, k, M=form(M), sigma=sigma, method="lanczos", rng=rng, **options)
            theta, found = 1 / (exact - sigma), 1 / (w - sigma)
            wanted = theta[np.argsort(-np.abs(theta))[:k]]
            error = np.abs(np.sort(found) - np.sort(wanted)).max()
            assert error <= 1e-10 * np.abs(theta).max()
            assert cases.orthonormality(X, M) <= 100 * EPS


def test_null_vectors_that_no_zero_shows(rng):
    # The Laplacian of pieces as M: one null vector each, no zero rows.
    n, piece = 120, 6
    M = scipy.sparse.block_diag([scipy.sparse.csr_array(_laplacian(piece))] * (n // piece)).tocsr()
    A = np.diag(np.linspace(1, 4, n)) + chain(n)
    inverse = np.linalg.eigvals(np.linalg.solve(A, M.toarray())).real
    exact = 1 / np.sort(inverse)[-(n - n // piece) :]
    for form in (lambda M: M, lambda M: M.toarray(), aslinearoperator):
        for mode in ("normal", "cayley"):
            w, X = rnla.eigsh(
                scipy.sparse.csr_array(A), 5, M=form(M), sigma=0.1, mode=mode, ncv=30, rng=rng
            )
            np.testing.assert_allclose(w, nearest(exact, 0.1, 5), rtol=1e-9)
            assert cases.orthonormality(X, M) <= 100 * EPS
            assert cases.residuals(A, w, X, M).max() <= 1e-12


def _laplacian(n):
    L = chain(n)
    L[0, 0] = L[-1, -1] = 1
    return L


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", METHODS)
def test_rounding_makes_no_matrix_indefinite(method, form, rng):
    n = 100
    A = cases.hermitian(np.linspace(1, 5, n), rng)
    for dtype in (np.float32, float):
        L = rng.standard_normal((n, 60)).astype(dtype)
        M = L @ L.T
        # As far below zero as products of such sizes are uncertain.
        M -= np.finfo(dtype).eps * np.linalg.norm(M, 2) * np.eye(n, dtype=dtype)
        w = rnla.eigsh(form(A.astype(dtype)), 3, M=form(M), sigma=0.001, method=method, rng=rng)[0]
        inverse = np.linalg.eigvals(np.linalg.solve(A, M.astype(float))).real
        exact = np.sort(1 / np.sort(inverse)[-3:])
        np.testing.assert_allclose(w, exact, rtol=1e3 * np.finfo(dtype).eps)


@pytest.mark.parametrize("options", [{}, {"sigma": 2.5}], ids=str)
def test_an_indefinite_operator_is_noticed_by_the_search(options, rng):
    # Its entries are out of reach: only products show it.
    n = 400
    d, s = np.arange(1.0, n + 1), np.where(np.arange(n) % 2, 1.0, -1.0)
    M = LinearOperator((n, n), lambda x: s * x, dtype=float)
    if options:
        options["OPinv"] = np.diag(1 / (d - 2.5 * s))
    else:
        options["Minv"] = M
    with pytest.raises(ValueError, match="`M` must be positive"):
        rnla.eigsh(np.diag(d), 3, M=M, method="lanczos", rng=rng, **options)


def test_what_is_known_of_an_inner_product(rng):
    n = 60
    shapes = {
        "whole": cases.hermitian(np.linspace(1, 2, n), rng),
        "zeros": np.diag((np.arange(n) % 3 > 0) * 1.0),
        "null": cases.hermitian((np.arange(n) % 3 > 0) * 1.0, rng),
        "both": scipy.linalg.block_diag(
            cases.hermitian((np.arange(n // 2) % 3 > 0) * 1.0, rng), np.zeros((n // 2, n // 2))
        ),
    }
    for name, B in shapes.items():
        rank = np.linalg.matrix_rank(B)
        for form in (np.asarray, scipy.sparse.csr_array):
            space = inner_space(as_block_operator(form(B)))
            assert (space.rank, space.is_known) == (rank, True)
            assert space.is_whole == (name == "whole")
            X = rng.standard_normal((n, 3))
            part = space.part(X.copy())
            np.testing.assert_allclose(B @ part, B @ X, atol=1e-13)
            np.testing.assert_allclose(space.part(part.copy()), part, atol=1e-13)
            assert np.linalg.matrix_rank(space.part(np.eye(n)), tol=1e-8) == rank
    assert inner_space(as_block_operator(scipy.sparse.csr_array(alternating(n)))) is None
    assert inner_space(as_block_operator(cases.hermitian(np.linspace(-1e-5, 1, n), rng))) is None


def test_blocks_in_an_inner_product_that_is_none(rng):
    X, m = rng.standard_normal((30, 4)), np.ones(30)
    m[:10] = 0
    Q = orthonormal_block(
        np.hstack([X, np.eye(30, 2)]),
        inner=lambda Z: m[:, None] * Z,
        inner_norm=1.0,
        semidefinite=True,
    )
    assert Q.shape[1] == 4
    assert cases.orthonormality(Q, np.diag(m)) <= 100 * EPS
    with pytest.raises(IndefiniteError, match="not positive"):
        orthonormal_block(X, inner=lambda Z: -Z, inner_norm=1.0)


def test_pairs_far_from_the_shift_are_polished(rng):
    d = np.concatenate([[-1.0], np.linspace(0, 1, 119)])
    A = cases.hermitian(d, rng)
    w, U = np.linalg.eigh(A)
    # What they lack are directions of neighbours, which an inverse near -1 does not tell apart.
    X = np.linalg.qr(U[:, -4:] + 1e-11 * (U @ rng.standard_normal((120, 4))))[0]
    request = check_request(
        A, 4, M=None, sigma=-0.9, which="SA", v0=None, ncv=None, maxiter=None, tol=0,
        Minv=None, OPinv=None, mode="normal",
    )  # fmt: skip
    inverse = as_block_operator(np.linalg.inv(A + 0.9 * np.eye(120)))
    before = cases.residuals(A, w[-4:], X).max()
    values, Y, norms = polished(request, inverse, w[-4:], X)
    assert norms.max() < before / 10
    np.testing.assert_allclose(cases.residuals(A, values, Y), norms, rtol=0, atol=1e-14)
    assert cases.orthonormality(Y) <= 100 * EPS


def rotated(n, weights, rng, dtype=float):
    """A pencil whose M has these eigenvalues in directions that no zero shows."""
    A = cases.hermitian(rng.standard_normal(n), rng, dtype)
    return A, cases.hermitian(weights, rng, dtype)


def backward_error(A, M, w, X):
    sizes = np.linalg.norm(A, 2) + np.abs(w) * np.linalg.norm(M, 2)
    return (cases.residuals(A, w, X, M) / sizes / np.linalg.norm(X, axis=0)).max()


@pytest.mark.parametrize("form", FORMS[:2])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize(("n", "null"), [(4, 1), (20, 1), (60, 2), (150, 1)])
def test_an_M_that_is_singular_up_to_rounding(n, null, dtype, method, form, rng):
    """Its Cholesky factor exists or not as rounding has it, and says nothing in either case."""
    k, sigma = min(3, n - null - 1), 0.3
    for _ in range(5):
        weights = np.r_[np.zeros(null), np.ones(n - null)]
        A, M = rotated(n, weights, rng, dtype)
        size, U = np.linalg.eigh(M)
        L = U[:, null:] * np.sqrt(size[null:])
        theta = np.linalg.eigvalsh(L.conj().T @ np.linalg.solve(A - sigma * M, L))
        for which, order in (("LM", np.argsort(-np.abs(theta))), ("LA", np.argsort(-theta))):
            exact = np.sort(sigma + 1 / theta[order[:k]])
            options = {"sigma": sigma, "which": which, "method": method, "rng": rng}
            result = solve(form(A), k, M=form(M), **options)
            assert result.verified
            np.testing.assert_allclose(result.values, exact, atol=1e-9 * np.abs(exact).max())
            error = backward_error(A, M, result.values, result.vectors)
            assert error < 1e4 * EPS * max(1.0, np.abs(exact).max())


@pytest.mark.parametrize("which", ["LM", "SM", "LA"])
def test_without_a_shift_it_is_refused(which, rng):
    for _ in range(20):
        A, M = rotated(40, np.r_[0.0, np.ones(39)], rng)
        with pytest.raises(ValueError, match="`M` must be positive definite"):
            rnla.eigsh(A, 3, M=M, which=which, rng=rng)


@pytest.mark.parametrize("mode", ["normal", "cayley", "buckling"])
@pytest.mark.parametrize("digits", [6, 8, 10, 12])
def test_an_ill_conditioned_inner_product(digits, mode, rng):
    C, B = rotated(60, np.logspace(-digits, 0, 60), rng)
    A, M = (B, C) if mode == "buckling" else (C, B)
    result = solve(A, 3, M=M, sigma=0.3, mode=mode, rng=rng)
    assert result.method == "dense"
    assert result.verified
    assert backward_error(A, M, result.values, result.vectors) < 500 * EPS
    assert cases.orthonormality(result.vectors, B) < 100 * EPS
    w = scipy.linalg.eig(A, M)[0].real
    near = np.abs({"normal": 1 / (w - 0.3)}.get(mode, (w + 0.3 * (mode == "cayley")) / (w - 0.3)))
    np.testing.assert_allclose(result.values, np.sort(w[np.argsort(-near)[:3]]), rtol=1e-7)


def test_buckling_of_what_is_singular_up_to_rounding(rng):
    for _ in range(20):
        KG, K = rotated(20, np.r_[0.0, np.ones(19)], rng)
        with pytest.raises(ValueError, match="`A` must be positive definite"):
            rnla.eigsh(K, 2, M=KG, sigma=0.5, mode="buckling", rng=rng)


def test_by_a_useless_factor_nothing_is_verified(monkeypatch, rng):
    """The control: with Cholesky factors of any M, some answers are wrong, and say so."""
    monkeypatch.setattr("rnla.eigen._dense._reciprocal_condition", lambda _: 1.0)
    wrong = 0
    for _ in range(20):
        A, M = rotated(60, np.r_[0.0, np.ones(59)], rng)
        with contextlib.suppress(np.linalg.LinAlgError):
            result = solve(A, 3, M=M, sigma=0.3, rng=rng)
            error = backward_error(A, M, result.values, result.vectors)
            assert result.verified == (error < 1e-8) or 1e-9 < error < 1e-7
            wrong += error > 1e-7
    assert wrong
