"""Triplets of a sparse matrix by way of its Gram matrix: the law of `svds`, and the count."""

import numpy as np
import pytest
import scipy.sparse

from rnla.eigen import _basis, _filter, _svds_gram, _svds_krylov, svds
from rnla.eigen._golub_kahan import GolubKahan
from rnla.eigen._svds_check import check_request
from rnla.eigen._svds_solve import singular_triplets
from rnla.linalg import block, chebyshev, gram, lanczos_steps
from rnla.linalg.block import SparseBlock
from rnla.testing import haar

SIZE = 8
N = 800


def block_diagonal(sigma, rng, *, tall=0, dtype=float):
    """A sparse matrix with these singular values in small random blocks, and rows of zeros."""
    sigma = rng.permutation(sigma)
    pieces = []
    for i in range(0, len(sigma), SIZE):
        part = sigma[i : i + SIZE]
        U, V = (haar(len(part), len(part), rng=rng, dtype=dtype) for _ in range(2))
        pieces.append(scipy.sparse.csr_array((U * part) @ V.conj().T))
    A = scipy.sparse.block_diag(pieces, format="csr")
    A.resize(len(sigma) + tall, len(sigma))
    return A[rng.permutation(A.shape[0])][:, rng.permutation(len(sigma))].astype(dtype)


def spectra():
    i = np.arange(N)
    return {
        "decay": np.exp(-i / 60),
        "fast": 1 / (1.0 + i) ** 2,
        "cliff": np.r_[np.logspace(0, -9, 12), np.full(N - 12, 1e-13)],
        "rank": np.r_[np.linspace(2, 1, 5), np.zeros(N - 5)],
        "flat": np.linspace(1, 2, N),
        "copies": np.r_[np.ones(9), np.full(14, 0.97), np.linspace(0, 0.96, N - 23)],
        "cluster": np.r_[1 - 1e-7 * np.arange(12), np.linspace(0, 0.9, N - 12)],
    }


def solve(A, k, rng, **options):
    request = check_request(
        A, k, None, options.pop("tol", 0), "LM", None, None, True, "auto", rng, options
    )
    return singular_triplets(request)


def check(A, result, sigma, units=100):
    k = len(result.values)
    norm, eps = sigma.max(), np.finfo(result.values.dtype).eps
    U, s, V = result.left_vectors, result.values, result.vectors
    assert np.abs(s - np.sort(sigma)[::-1][:k]).max() <= units * eps * norm
    for Q in (U, V):
        assert np.abs(Q.conj().T @ Q - np.eye(k)).max() <= units * eps
    assert np.linalg.norm(A @ V - U * s, axis=0).max() <= units * eps * norm
    assert np.linalg.norm(A.conj().T @ U - V * s, axis=0).max() <= units * eps * norm


@pytest.fixture
def starts(monkeypatch):
    """Count the searches of a Gram matrix."""
    seen = []
    original = _svds_gram.gram_started

    def counted(*arguments):
        seen.append(arguments)
        return original(*arguments)

    monkeypatch.setattr("rnla.eigen._svds_solve.gram_started", counted)
    return seen


@pytest.mark.parametrize("name", spectra())
@pytest.mark.parametrize("form", ["tall", "wide", "square"])
@pytest.mark.parametrize("k", [1, 3, 12, 24])
def test_triplets_are_right_to_roundoff_of_the_norm(name, form, k, starts, rng):
    sigma = spectra()[name]
    A = block_diagonal(sigma, rng, tall=0 if form == "square" else 150)
    A = A.T.tocsr() if form == "wide" else A
    result = solve(A, k, rng)
    assert len(starts) == 1
    assert result.success
    assert result.verified
    check(A, result, sigma)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, complex])
@pytest.mark.parametrize("wide", [False, True])
def test_other_precisions(dtype, wide, starts, rng):
    sigma = np.exp(-np.arange(N) / 50)
    A = block_diagonal(sigma, rng, tall=100, dtype=dtype)
    A = A.T.tocsc() if wide else A
    result = solve(A, 10, rng)
    assert len(starts) == 1
    assert result.vectors.dtype == dtype
    check(A, result, sigma)


@pytest.mark.parametrize("tol", [1e-5, 1e-4])
def test_tolerance_is_relative_to_each_value(tol, rng):
    A = block_diagonal(np.exp(-np.arange(N) / 40), rng)
    result = solve(A, 12, rng, tol=tol)
    assert result.success
    assert (result.residual_norms <= 2 * tol**2 * result.values).all()


@pytest.mark.parametrize("last", [0.8, 0.55, 0.4])
def test_what_the_squares_leave_is_small_enough_for_the_roots(last, monkeypatch, rng):
    # Residuals of the Gram matrix are divided by singular values: at roundoff of the norm of the
    # squares they were too large for the smaller ones, and everything had to be formed anew.
    def never(self):
        raise AssertionError("a power step")

    monkeypatch.setattr(GolubKahan, "power", never)
    tail = 0.99 * last * np.exp(-np.arange(N - 31) / 400)
    sigma = np.r_[1.0, np.linspace(1, last, 30), tail]
    A = block_diagonal(sigma, rng)
    result = solve(A, 24, rng)
    assert result.verified
    check(A, result, sigma)


@pytest.mark.parametrize("seed", range(12))
def test_copies_of_a_small_value_above_many_others(seed):
    # Squares are not trusted so far below the norm, and eight steps with A told too little.
    A, sigma, rng = copies_below_the_norm(seed)
    result = solve(A, 6, rng)
    assert result.verified
    check(A, result, sigma)


def test_a_search_that_does_not_look_as_long_as_finding_took_is_found_out(monkeypatch):
    # The control: the least number of steps, whatever finding took.
    monkeypatch.setattr(_svds_krylov, "share_of_steps", lambda *arguments: 0.0)
    wrong = 0
    for seed in range(12):
        A, sigma, rng = copies_below_the_norm(seed)
        result = solve(A, 6, rng)
        wrong += result.verified and result.values.min() < 0.995 * np.sort(sigma)[-6]
    assert wrong


def copies_below_the_norm(seed):
    rng = np.random.default_rng(seed)
    sigma = np.r_[1e3, np.ones(5), np.linspace(0.99, 0.1, N - 6)]
    return block_diagonal(sigma, rng), sigma, rng


def test_zero_has_no_squares_to_compare_with(rng, starts):
    result = solve(scipy.sparse.csr_array((900, N)), 6, rng)
    assert len(starts) == 1
    assert result.success
    np.testing.assert_array_equal(result.values, 0)


def test_a_polynomial_that_hides_wanted_values_costs_time_alone(monkeypatch, starts, rng):
    # The control: an interval that covers most of what is wanted.
    original = _filter._polynomial
    monkeypatch.setattr(
        _filter, "_polynomial", lambda main, which, theta, count: original(main, which, theta, 2)
    )
    for name in ("decay", "copies"):
        A = block_diagonal(spectra()[name], rng)
        check(A, solve(A, 24, rng), spectra()[name])
    assert len(starts) == 2


def test_few_triplets_take_the_products_of_single_columns(starts, rng):
    # ARPACK takes 136 for these, blocks of columns with A took 250.
    sigma = np.r_[np.linspace(2, 1.1, 10), np.linspace(1, 0, N - 10)]
    A = block_diagonal(sigma, rng)
    result = solve(A, 10, rng, verify=False)
    assert len(starts) == 1
    check(A, result, sigma)
    assert result.n_matvec <= 160


@pytest.mark.parametrize("k", [4, 16])
def test_residuals_of_an_adopted_basis_need_no_block(k, rng):
    A = block_diagonal(spectra()["decay"], rng, tall=100)
    basis = GolubKahan(SparseBlock(A), np.empty((N, 0)), 40, rng)
    # Close to right singular vectors: some residuals are rounding errors, others are not.
    V = np.linalg.svd(A.toarray())[2][:k].T
    V[:, k // 2 :] += 1e-6 * rng.standard_normal((N, k - k // 2))
    basis.adopt(V)
    ritz = basis.ritz(True)
    U, V = basis.U @ ritz.P, basis.V @ ritz.Q
    true = np.linalg.norm(A.T @ U - V * ritz.sigma, axis=0)
    np.testing.assert_allclose(ritz.residuals, true, rtol=1e-6, atol=1e-14)
    assert 1e-8 < ritz.residuals.max() < 1e-3
    # The block stands for the same residuals, but for what is noise.
    F = basis.F
    assert np.abs(F.T @ F - np.eye(F.shape[1])).max() < 1e-14
    assert np.abs(F.T @ basis.V).max() < 1e-14
    np.testing.assert_allclose(basis.ritz(True).residuals, true, rtol=1e-6, atol=1e-13)


@pytest.mark.parametrize("seed", [0, 5])
def test_a_cluster_that_does_not_settle_is_left_to_lapack(seed):
    # Thirty-five values within 1.3e-6: squares went on without a limit, and A for thousands of
    # restarts.
    rng, gap = np.random.default_rng(seed), 6.5e-7
    sigma = np.r_[1 + gap * rng.random(7), 1 - gap * rng.random(28), 0.99 * rng.random(304)]
    A = scipy.sparse.diags_array(sigma).tocsr()
    request = check_request(
        A, 7, None, 0, "LM", rng.standard_normal(339), None, True, "auto", 0, None
    )
    result = singular_triplets(request)
    assert result.success
    check(A, result, sigma)
    assert result.n_matvec < 50_000


def test_a_start_that_lacks_wanted_vectors_is_found_out(monkeypatch, rng):
    # The control: a search of the Gram matrix that has missed, and does not say so.
    sigma = spectra()["decay"]
    A = block_diagonal(sigma, rng)
    _, s, VH = np.linalg.svd(A.toarray())

    def wrong(search, start):
        state = next(search.states(start))
        yield type(state)(
            0, 0.0, True, lambda: VH[2:14].T, theta=s[2:14] ** 2, residual_norm=0 * s[2:14]
        )

    monkeypatch.setattr(_svds_gram, "filtered_states", wrong)
    result = solve(A, 12, rng)
    assert result.verified
    check(A, result, sigma)


@pytest.mark.parametrize("k", [12, 24])
@pytest.mark.parametrize("name", ["decay", "cliff", "rank"])
def test_every_product_is_counted(name, k, monkeypatch, rng):
    columns = []

    def counting(original):
        def multiply(A, X, *rest):
            columns.append(X.shape[1])
            return original(A, X, *rest)

        return multiply

    def polynomial(matrices, X, degree, *rest):
        columns.extend(len(matrices) * degree * [X.shape[1]])
        return chebyshev.chebyshev_csr(matrices, X, degree, *rest)

    def steps(factors, *rest):
        found = lanczos_steps.lanczos_steps(factors, *rest)
        columns.extend(len(factors) * len(found.H) * [1])
        return found

    monkeypatch.setattr(_basis, "lanczos_steps", steps)
    for module in (gram, block):
        monkeypatch.setattr(module, "multiply_csr", counting(module.multiply_csr))
        monkeypatch.setattr(module, "chebyshev_csr", polynomial)
    result = solve(block_diagonal(spectra()[name], rng, tall=40), k, rng)
    assert result.n_matvec == sum(columns)
    assert result.n_passes == len(columns)


def test_the_operator(rng):
    sigma = np.linspace(0.5, 1, 48)
    for dtype in (float, complex):
        A = block_diagonal(sigma, rng, tall=9, dtype=dtype)
        for B in (A, A.conj().T.tocsr()):
            G = gram.GramBlock(SparseBlock(B))
            X = rng.standard_normal((48, 3)).astype(dtype)
            expected = (A.conj().T @ A) @ X
            np.testing.assert_allclose(G.product(X), expected, rtol=0, atol=1e-13)
            first = 2 * (expected - 0.3 * X)
            second = 4 * (A.conj().T @ A @ first - 0.3 * first) - X
            np.testing.assert_allclose(G.chebyshev(X, 2, 0.3, 0.5), second, rtol=0, atol=1e-12)
            assert G.A.n_matvec == 18


def test_it_is_for_sparse_matrices_whose_basis_nobody_has_chosen(starts, rng):
    A = block_diagonal(np.linspace(1, 2, N), rng)
    for options in (
        {"k": 12, "A": A.toarray()},
        {"k": 12, "ncv": 80},
        {"k": 12, "maxiter": 500},
        {"k": 12, "options": {"block_size": 3}},
        {"k": 12, "solver": "krylov"},
        {"k": 12, "tol": 1e-3, "A": 1e-200 * A},
    ):
        svds(**{"A": A, "rng": rng, **options})
    assert not starts
    svds(A, 12, rng=rng)
    assert len(starts) == 1


def test_the_same_seed_gives_the_same_bits(rng):
    A = block_diagonal(spectra()["decay"], rng)
    first, second = (svds(A, 12, rng=5) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert (one == other).all()


def test_looks_are_recorded(rng):
    A = block_diagonal(spectra()["decay"], rng)
    result = solve(A, 12, rng)
    looks = len(result.value_history)
    assert looks > 2
    assert result.value_history.shape == result.residual_history.shape == (looks, 12)
    np.testing.assert_allclose(result.value_history[-1], result.values, rtol=1e-12)
    # By Courant and Fischer no Ritz value is above its singular value.
    assert (result.value_history <= result.values * (1 + 1e-12)).all()
    assert result.residual_history[-1].max() < 1e-6 * result.residual_history[0].max()
