"""The gauntlet: matrices at the edge of what is defined, and clients that misbehave."""

import threading

import eigen_cases as cases
import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import rnla
from rnla.eigen import solve

DTYPES = ["f", "d", "F", "D"]


def check(A, w, X, M=None, units=100):
    """Residuals and orthonormality of a few roundoffs."""
    eps = np.finfo(w.dtype).eps
    A = A.astype("D") if not isinstance(A, np.ndarray) else A
    scale = np.linalg.norm(A.toarray() if scipy.sparse.issparse(A) else A, 2)
    assert cases.orthonormality(X, M) <= units * eps
    assert cases.residuals(A, w, X, M).max() <= units * eps * scale


@pytest.mark.parametrize("method", ["auto", "lanczos"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_zero_identity_and_rank_one(dtype, method, rng):
    n = 130
    u = np.ones((n, 1), dtype) / np.sqrt(np.array(n, dtype))
    for A, top in ((np.zeros((n, n), dtype), 0), (np.eye(n, dtype=dtype), 1), (u @ u.T, 1)):
        for form in (np.asarray, scipy.sparse.csr_array, aslinearoperator):
            w, X = rnla.eigsh(form(A), 5, method=method, rng=rng)
            assert abs(w[-1] - top) < 100 * np.finfo(w.dtype).eps
            check(A, w, X)


@pytest.mark.parametrize("options", [{}, {"maxiter": 100}, {"sigma": 0.3}], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_tiny_orders_and_all_but_one(dtype, options, rng):
    for n in range(2, 6):
        A = cases.hermitian(np.arange(1.0, n + 1), rng, dtype)
        for k in range(1, n):
            w, X = rnla.eigsh(A, k, rng=rng, **options)
            expected = np.arange(1.0, k + 1) if "sigma" in options else np.arange(n - k + 1, n + 1)
            assert np.abs(w - expected).max() < 100 * np.finfo(w.dtype).eps * n
            check(A, w, X)


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_but_one_of_many(dtype, rng):
    d = np.linspace(-1, 1, 40) ** 3
    A = cases.hermitian(d, rng, dtype)
    for options in ({}, {"maxiter": 400}):
        w, X = rnla.eigsh(A, 39, which="LA", rng=rng, **options)
        assert np.abs(w - d[1:]).max() < 100 * np.finfo(w.dtype).eps
        check(A, w, X)


def test_order_one():
    with pytest.warns(RuntimeWarning, match="k >= N"):
        w, X = rnla.eigsh(np.array([[3.0]]), 1)
    assert w == 3
    assert abs(X) == 1


@pytest.mark.parametrize("method", ["dense", "lanczos"])
@pytest.mark.parametrize("dtype", [float, complex])
def test_singular_M_has_finite_eigenvalues_only(dtype, method, rng):
    n, r = 90, 60
    A = cases.hermitian(np.linspace(1, 5, n), rng, dtype)
    L = rng.standard_normal((n, r)).astype(dtype)
    M = L @ L.conj().T
    # The finite eigenvalues are those of the Schur complement, by way of M x = (1 / w) A x.
    inverse = np.linalg.eigvals(np.linalg.solve(A, M)).real
    exact = np.sort(1 / np.sort(inverse)[-r:])
    w, X = rnla.eigsh(A, 4, M=M, sigma=0.01, method=method, rng=rng)
    nearest = np.sort(exact[np.argsort(np.abs(exact - 0.01))[:4]])
    assert np.abs(w / nearest - 1).max() < 1e-8
    assert np.abs(X.conj().T @ M @ X - np.eye(4)).max() < 1e-11
    assert cases.residuals(A, w, X, M).max() < 1e-10


@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_array, aslinearoperator])
@pytest.mark.parametrize("method", ["dense", "lanczos"])
def test_shift_on_an_eigenvalue(method, form, rng):
    A = np.diag(np.arange(1.0, 91))
    w, X = rnla.eigsh(form(A), 3, sigma=7.0, method=method, rng=rng)
    assert np.abs(w - [6, 7, 8]).max() < 1e-12
    check(A, w, X)


@pytest.mark.parametrize("which", ["LM", "SM"])
def test_null_space_of_a_graph_in_pieces(which, rng):
    # Five components: zero is five-fold, and the Laplacian exactly singular.
    T = scipy.sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(60, 60)).tolil()
    T[0, 0] = T[-1, -1] = 1
    A = scipy.sparse.block_diag([T] * 5).tocsr()
    options = {"which": "SM"} if which == "SM" else {"sigma": 0.0}
    w, X = rnla.eigsh(A, 8, rng=rng, **options)
    second = 2 - 2 * np.cos(np.pi / 60)
    assert np.abs(w - [0, 0, 0, 0, 0, second, second, second]).max() < 1e-13
    check(A, w, X)


def test_smallest_of_a_matrix_free_laplacian(rng):
    n = 400
    A = LinearOperator(
        (n, n),
        matvec=lambda x: 2 * x - np.append(x[1:], 0) - np.append(0, x[:-1]),
        dtype=float,
    )
    w = rnla.eigsh(A, 3, which="SM", rng=rng)[0]
    assert np.abs(w - cases.path_laplacian(n)[:3]).max() < 1e-13


@pytest.mark.parametrize("sign", [1, -1])
def test_smallest_of_a_large_operator(sign, rng):
    # Semidefinite, so at one end; indefinite, so by an inner iteration.
    d = np.concatenate([[0.0, 0.01, 0.03], np.linspace(0.2, 1, 2397)])
    A = LinearOperator((2400, 2400), lambda x: sign * d * x, dtype=float)
    w = rnla.eigsh(A, 3, which="SM", rng=rng)[0]
    assert np.abs(w - np.sort(sign * d[:3])).max() < 1e-13
    e = np.where(np.arange(2400) % 2, d, -d)
    e[0] = -0.005
    B = LinearOperator((2400, 2400), lambda x: e * x, dtype=float)
    w = rnla.eigsh(B, 3, which="SM", tol=1e-8, rng=rng)[0]
    assert np.abs(w - [-0.03, -0.005, 0.01]).max() < 1e-9


def test_one_negative_value_of_a_large_operator_shows_up_late(rng):
    # The few steps that tell at which end to search do not see it.
    d = np.concatenate([[-0.002, 0.001], np.linspace(0.01, 1, 2398)])
    A = LinearOperator((2400, 2400), lambda x: d * x, dtype=float)
    w = rnla.eigsh(A, 1, which="SM", tol=1e-6, rng=rng)[0]
    assert abs(w[0] - 0.001) < 1e-8


@pytest.mark.parametrize("mode", ["buckling", "cayley"])
def test_modes_with_a_pencil(mode, rng):
    n = 90
    A = cases.hermitian(np.linspace(1, 9, n), rng)
    d = np.linspace(-1, 1, n) if mode == "buckling" else np.linspace(0.5, 2, n)
    M = cases.hermitian(d, rng)
    exact = np.sort(1 / np.linalg.eigvals(np.linalg.solve(A, M)).real)
    for which in ("LM", "LA", "SA", "BE", "SM"):
        found = [
            rnla.eigsh(A, 4, M=M, sigma=1.7, mode=mode, which=which, method=method, rng=rng)
            for method in ("dense", "lanczos")
        ]
        for w, X in found:
            assert np.abs(w[:, None] - exact).min(axis=1).max() < 1e-9 * np.abs(w).max()
            assert (cases.residuals(A, w, X, M) < 1e-10 * np.abs(w)).all()
        assert np.abs(found[0][0] / found[1][0] - 1).max() < 1e-8


def test_relative_size_is_no_obstacle(rng):
    d = np.logspace(0, 16, 200)
    A = cases.hermitian(d, rng)
    w, X = rnla.eigsh(A, 5, method="lanczos", rng=rng)
    assert np.abs(w / d[-5:] - 1).max() < 1e-13
    check(A, w, X)
    for scale in (1e-100, 1e100):
        assert (
            np.abs(rnla.eigsh(A * scale, 5, method="lanczos", rng=rng)[0] / w / scale - 1).max()
            < 1e-12
        )


def test_doublet_of_the_ising_chain(rng):
    # Two levels that differ by 1e-8 of the spectrum: open transverse-field Ising, h = 0.2.
    L, h = 10, 0.2
    bits = (np.arange(2**L)[:, None] >> np.arange(L)) & 1
    spins = 1 - 2 * bits
    diagonal = -(spins * np.roll(spins, 1, axis=1)).sum(axis=1).astype(float)

    def matmat(X):
        Y = diagonal[:, None] * X
        for site in range(L):
            Y = Y - h * X[np.arange(2**L) ^ (1 << site)]
        return Y

    A = LinearOperator(
        (2**L, 2**L), matvec=lambda x: matmat(x.reshape(-1, 1)).ravel(), matmat=matmat, dtype=float
    )
    k = np.pi * (2 * np.arange(L) + 1) / L
    even = -np.sqrt(1 + h * h + 2 * h * np.cos(k)).sum()
    result = solve(A, 4, which="SA", rng=rng)
    assert abs(result.values[0] - even) < 1e-12
    assert 0 < result.values[1] - result.values[0] < 1e-5
    assert result.residual_norms.max() < 1e-12
    assert result.verified


def test_generalised_integers(rng):
    # Mikota's chain: eigenvalues are the squares of 1 to n.
    n = 300
    j = np.arange(n, 0, -1.0)
    A = scipy.sparse.diags_array([2 * j - 1, 1 - j[:-1], 1 - j[:-1]], offsets=[0, 1, -1]).tocsr()
    M = scipy.sparse.diags_array(1 / np.arange(1.0, n + 1)).tocsr()
    w, X = rnla.eigsh(A, 6, M=M, sigma=0.0, rng=rng)
    assert np.abs(w / np.arange(1.0, 7) ** 2 - 1).max() < 1e-10
    assert cases.orthonormality(X, M) < 1e-13
    w = rnla.eigsh(A, 3, M=M, method="lanczos", rng=rng)[0]
    assert np.abs(w / np.arange(n - 2.0, n + 1) ** 2 - 1).max() < 1e-10


def test_operators_in_every_place(rng):
    n = 120
    A = cases.hermitian(np.linspace(1, 4, n), rng)
    M = cases.hermitian(np.linspace(1, 2, n), rng)
    exact = np.sort(np.linalg.eigvals(np.linalg.solve(M, A)).real)
    inverse, shifted = np.linalg.inv(M), np.linalg.inv(A - 1.5 * M)
    for form in (np.asarray, aslinearoperator, scipy.sparse.csc_array):
        w = rnla.eigsh(form(A), 3, M=form(M), Minv=form(inverse), rng=rng)[0]
        assert np.abs(w - exact[-3:]).max() < 1e-11
        w, X = rnla.eigsh(form(A), 3, M=form(M), sigma=1.5, OPinv=form(shifted), rng=rng)
        nearest = np.sort(exact[np.argsort(np.abs(exact - 1.5))[:3]])
        assert np.abs(w - nearest).max() < 1e-11
        assert cases.orthonormality(X, M) < 1e-12


def test_clients_that_misbehave(rng):
    def broken(x):
        raise RuntimeError("no product today")

    with pytest.raises(RuntimeError, match="no product today"):
        rnla.eigsh(LinearOperator((200, 200), broken, dtype=float), 2)
    with pytest.raises(TypeError, match="dtype"):
        rnla.eigsh(LinearOperator((200, 200), lambda x: x * 1j, dtype=float), 2)
    nothing = LinearOperator((90, 90), np.zeros_like, dtype=float)
    with pytest.raises(ValueError, match="`OPinv` must be the inverse"):
        rnla.eigsh(np.diag(np.arange(90.0)), 2, sigma=3.5, OPinv=nothing)

    d = np.linspace(0, 1, 150)

    def recursive(x):
        return d * x * rnla.eigsh(np.diag([1.0, 0.5]), 1)[0][0]

    w = rnla.eigsh(LinearOperator((150, 150), recursive, dtype=float), 2, rng=rng)[0]
    assert np.abs(w - d[-2:]).max() < 1e-13


def test_an_operator_of_low_precision_is_no_deadlock(rng):
    d = np.linspace(0, 1, 500) ** 3
    A32 = cases.hermitian(d, rng).astype(np.float32)
    A = LinearOperator(
        (500, 500), lambda x: (A32 @ x.astype(np.float32)).astype(float), dtype=float
    )
    with pytest.warns(rnla.ConvergenceWarning, match="stopped falling"):
        w = rnla.eigsh(A, 3, rng=rng)[0]
    assert np.abs(w - d[-3:]).max() < 1e-5


def test_callback_sees_and_stops(rng):
    A = cases.hermitian(np.linspace(0, 1, 400), rng)
    seen = []

    def callback(state):
        seen.append(state.error)
        if len(seen) == 5:
            assert state.x.shape == (400, 2)
            raise StopIteration

    with pytest.raises(rnla.eigen.EigenNoConvergence) as caught:
        rnla.eigsh(A, 2, method="lanczos", rng=rng, callback=callback)
    assert len(seen) == 5
    assert caught.value.result.vectors.shape == (400, 2)


def test_many_threads_at_once(rng):
    A = scipy.sparse.csr_array(cases.hermitian(np.linspace(0, 1, 300), rng))
    found = [None] * 6

    def work(i):
        found[i] = rnla.eigsh(A, 3, method="lanczos", rng=5)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for w, X in found:
        assert (w == found[0][0]).all()
        assert (found[0][1] == X).all()


@pytest.mark.parametrize("exponent", [-320, -290, -160, 160, 290, 303])
@pytest.mark.parametrize("which", ["LA", "SM"])
@pytest.mark.parametrize("n", [40, 200])
def test_any_size_of_entries(rng, exponent, which, n):
    A = rng.standard_normal((n, n))
    A = A + A.T
    values = np.linalg.eigvalsh(A)
    huge = scipy.sparse.csr_array(A * 10.0 ** (exponent / 2) * 10.0 ** (exponent / 2))
    w, v = rnla.eigsh(huge, 3, which=which, rng=rng)
    wanted = np.sort(values[np.argsort(-values if which == "LA" else np.abs(values))[:3]])
    # Where numbers are subnormal, three digits are left.
    units = 1e-2 if exponent == -320 else 1e-12
    assert np.abs(w / 10.0 ** (exponent / 2) / 10.0 ** (exponent / 2) - wanted).max() <= units
    assert np.abs(v.T @ v - np.eye(3)).max() <= 100 * np.finfo(float).eps


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_an_operator_of_extreme_size_is_refused(rng, size):
    d = size * np.arange(1.0, 201)
    A = LinearOperator((200, 200), matvec=lambda x: d * x.ravel(), dtype=float)
    with pytest.raises(ValueError, match="leave the range of float64: scale it"):
        rnla.eigsh(A, 3, rng=rng)


@pytest.mark.parametrize("tol", [0.5, 1.0, 10.0])
def test_any_tolerance(rng, tol):
    A = scipy.sparse.csr_array(cases.hermitian(np.linspace(0, 1, 300), rng))
    w, v = rnla.eigsh(A, 3, which="LA", tol=tol, rng=rng)
    assert (w <= 1 + 1e-14).all()
    assert np.abs(v.T @ v - np.eye(3)).max() <= 100 * np.finfo(float).eps


def test_the_advice_names_no_argument_that_is_none(rng):
    A = scipy.sparse.diags_array(np.linspace(0, 1, 500)).tocsr()
    with pytest.warns(rnla.ConvergenceWarning, match="raise `maxiter` or loosen the tolerance"):
        solve(A, 5, maxiter=1, rng=rng)


def test_stopped_by_the_callback_at_its_first_call(rng):
    A = scipy.sparse.csr_array(cases.hermitian(np.linspace(0, 1, 600), rng))

    def stop(state):
        raise StopIteration

    with pytest.raises(rnla.eigen.EigenNoConvergence) as caught:
        rnla.eigsh(A, 3, callback=stop, rng=rng)
    assert caught.value.eigenvalues.shape == (0,)
    with pytest.warns(rnla.ConvergenceWarning, match="StopIteration"):
        result = solve(A, 3, callback=stop, rng=rng)
    X, w = result.vectors, result.values
    assert np.allclose(np.linalg.norm(A @ X - X * w, axis=0), result.residual_norms)


def test_a_hopeless_search_ends_in_lapack(rng):
    # Eigenvalues in all sizes down to zero, the least of which no Krylov space tells apart.
    scales, size = np.logspace(-100, 8, 40), 16
    blocks = []
    for scale in scales:
        B = rng.standard_normal((size, size))
        blocks.append(scale * (B @ B.T))
    A = scipy.sparse.block_diag([scipy.sparse.csr_array(B) for B in blocks], format="csr")
    norm = max(np.linalg.norm(B, 2) for B in blocks)
    for which in ("SA", "LA"):
        result = solve(A, 4, which=which, rng=rng)
        assert result.success
        assert result.n_iter < 100
        check(A / norm, result.values / norm, result.vectors)
    assert np.abs(solve(A, 4, which="SA", rng=rng).values).max() <= 200 * cases.EPS * norm
    with pytest.raises(rnla.eigen.EigenNoConvergence):
        rnla.eigsh(A, 4, which="SA", maxiter=5, rng=rng)


@pytest.mark.parametrize("form", [scipy.sparse.csr_array, scipy.sparse.csc_array])
def test_entries_of_the_caller_stay_in_their_order(form, rng):
    # Row by row, but not in order and with repeated entries.
    n, count = 300, 4
    i, j = np.repeat(np.arange(n), count), rng.integers(0, n, n * count)
    i, j, a = np.r_[i, j], np.r_[j, i], np.tile(rng.standard_normal(n * count), 2)
    order = np.argsort(i, kind="stable")
    start = np.searchsorted(i[order], np.arange(n + 1))
    A = form((a[order], j[order], start), shape=(n, n))
    exact = np.linalg.eigvalsh(A.toarray())
    before = [each.copy() for each in (A.data, A.indices, A.indptr)]
    for each in (A.data, A.indices, A.indptr):
        each.flags.writeable = False
    for sigma in (None, 0.1):
        wanted = np.argsort(np.abs(exact if sigma is None else exact - sigma))
        wanted = wanted[-5:] if sigma is None else wanted[:5]
        w = rnla.eigsh(A, 5, sigma=sigma, method="lanczos", rng=rng)[0]
        assert np.abs(w - np.sort(exact[wanted])).max() <= 1e-12 * np.abs(exact).max()
    s = rnla.svds(A, 5, rng=rng)[1]
    assert np.abs(s - np.sort(np.abs(exact))[-5:]).max() <= 1e-12 * s[-1]
    with pytest.warns(rnla.ConvergenceWarning, match="iteration limit"):
        rnla.epsi(A, 1, maxiter=1, rng=rng)
    for each, was in zip((A.data, A.indices, A.indptr), before, strict=True):
        np.testing.assert_array_equal(each, was)


@pytest.mark.parametrize("k", [1, 9])
@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csr_array])
def test_eigenvalues_that_are_no_numbers_of_their_precision_are_refused(k, make, rng):
    A = cases.hermitian(np.linspace(0.1, 1, 600), rng)
    A /= np.abs(A).max()
    norm = np.linalg.norm(A, 2)
    assert norm > 1
    largest = np.finfo(float).max
    with pytest.raises(ValueError, match="`A` has eigenvalues beyond the range of float64"):
        rnla.eigsh(make(A * largest), k, which="LA", rng=rng)
    w = rnla.eigsh(make(A * (0.9 * largest / norm)), k, which="LA", rng=rng)[0]
    assert w[-1] == pytest.approx(0.9 * largest, rel=1e-12)
