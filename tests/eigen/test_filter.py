"""Many eigenvalues of a sparse matrix by way of a polynomial: the same answers as without."""

import threading

import eigen_cases as cases
import numpy as np
import pytest
import scipy.sparse
from threadpoolctl import threadpool_limits

import rnla
from rnla.eigen import _filter, solve
from rnla.eigen._chebyshev import Chebyshev
from rnla.eigen._complement import Sharpener
from rnla.eigen._correction import Corrector
from rnla.eigen._lanczos import BlockLanczos
from rnla.linalg.block import SparseBlock
from rnla.linalg.orth import orthonormal_block

EPS = np.finfo(float).eps


def spectra(n):
    i = np.arange(n)
    return {
        "decay": np.exp(-i / 60),
        "flat": np.linspace(-1, 1, n),
        "fast": 1 / (1.0 + i) ** 2,
        "both signs": np.exp(-i / 80) * (-1.0) ** i,
        "copies": np.concatenate(
            [np.full(9, 1.0), np.full(14, 0.97), np.linspace(0, 0.96, n - 23)]
        ),
        "cluster at the cut": np.concatenate(
            [np.linspace(1.5, 1.1, 20), 1 - 1e-7 * np.arange(12), np.linspace(-0.9, 0.9, n - 32)]
        ),
        "graph": cases.square_laplacian(int(np.sqrt(n)))[1],
    }


def check(A, w, X, exact, tol):
    n, norm = A.shape[0], np.abs(exact).max()
    eps = np.finfo(w.dtype).eps
    assert np.abs(np.sort(w) - np.sort(exact)).max() <= max(tol, 200 * eps) * norm
    assert cases.orthonormality(X) < 100 * eps
    assert cases.residuals(A, w, X).max() <= (2 * tol + 200 * eps) * norm
    assert X.shape == (n, len(w))


@pytest.mark.parametrize("tol", [0, 1e-10, 1e-4])
@pytest.mark.parametrize("which", ["LA", "SA", "LM"])
@pytest.mark.parametrize("name", sorted(spectra(400)))
def test_finds_what_is_there(name, which, tol, rng):
    spectrum, k = spectra(900)[name], 26
    A = cases.square_laplacian(30)[0] if name == "graph" else cases.block_diagonal(spectrum, rng)
    if which == "SA":
        A, spectrum = -A, -spectrum
    case = cases.Case(name, spectrum, k, which)
    result = solve(A, k, which=which, tol=tol, rng=rng)
    assert result.success
    assert result.verified
    assert not cases.wrong_set(case, result.values, tol)
    if tol < 1e-4:
        check(A, result.values, result.vectors, case.wanted, tol)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, complex])
def test_other_precisions(dtype, rng):
    spectrum = np.exp(-np.arange(800) / 50)
    A = cases.block_diagonal(spectrum, rng, dtype)
    w, X = rnla.eigsh(A, 24, which="LA", rng=rng)
    assert X.dtype == dtype
    check(A, w, X, spectrum[:24], 0)


def used(monkeypatch):
    """Count the starts that a polynomial made."""
    count = []
    original = _filter._polynomial

    def counted(*arguments):
        count.append(original(*arguments))
        return count[-1]

    monkeypatch.setattr(_filter, "_polynomial", counted)
    return count


def test_it_is_for_sparse_matrices_alone(monkeypatch, rng):
    count = used(monkeypatch)
    A = cases.block_diagonal(np.linspace(0, 1, 900), rng)
    for options in (
        {"k": 24, "ncv": 80},
        {"k": 24, "maxiter": 500},
        {"k": 24, "which": "BE"},
        {"k": 24, "method": "lanczos"},
        {"k": 24, "sigma": 2.0},
        {"k": 200, "tol": 1e-3},
    ):
        rnla.eigsh(A, rng=rng, **{"which": "LA", **options})
    assert not count
    rnla.eigsh(A, 24, which="LA", rng=rng)
    assert len(count) == 1


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("k", [2, 12])
def test_magnitudes_of_one_sign_are_sought_at_one_end(sign, k, monkeypatch, rng):
    L, exact = cases.square_laplacian(60)
    counted = used(monkeypatch)
    result = solve(sign * L, k, which="LM", tol=1e-10, rng=0)
    assert result.verified
    check(sign * L, result.values, result.vectors, sign * np.sort(exact)[-k:], 1e-10)
    assert {polynomial.degree for polynomial in counted} == {_filter._ODD}
    even = np.array([polynomial.center for polynomial in counted])
    assert (sign * even > 1).all()
    side = solve(sign * L, k, which="LA" if sign > 0 else "SA", tol=1e-10, rng=0)
    assert result.n_matvec <= 1.3 * side.n_matvec


@pytest.mark.parametrize("value", [-2.0, -4.2, -7.99, -8.5, -100.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_other_end_is_not_forgotten(value, sign, rng):
    """A single value there, below, at and above the wanted magnitudes."""
    L, exact = cases.square_laplacian(60)
    place = rng.integers(3600)
    A = scipy.sparse.csr_array(L)
    keep = np.ones(3600)
    keep[place] = 0
    D = scipy.sparse.diags_array(keep)
    A = sign * scipy.sparse.csr_array(D @ A @ D + scipy.sparse.diags_array(value * (1 - keep)))
    exact = np.linalg.eigvalsh(A.toarray())
    result = solve(A, 5, which="LM", tol=1e-10, rng=rng)
    assert result.verified
    wanted = exact[np.argsort(-np.abs(exact))[:5]]
    np.testing.assert_allclose(np.sort(result.values), np.sort(wanted), atol=1e-8)


def test_few_vectors_are_left_to_the_matrix_where_they_lie_apart(monkeypatch, rng):
    count = used(monkeypatch)
    A = cases.block_diagonal(np.exp(-np.arange(900) / 20), rng)
    for k in (1, 3, 7):
        rnla.eigsh(A, k, which="LA", rng=rng)
    assert not count


@pytest.mark.parametrize("which", ["LA", "SA", "LM"])
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_few_vectors_of_a_band_that_restarts_do_not_resolve(k, which, monkeypatch, rng):
    A, spectrum = cases.square_laplacian(40)
    count = used(monkeypatch)
    result = solve(A, k, which=which, tol=1e-10, rng=rng)
    assert count
    assert result.verified
    check(A, result.values, result.vectors, cases.Case("", spectrum, k, which).wanted, 1e-10)
    monkeypatch.undo()
    without = solve(A, k, which=which, tol=1e-10, method="lanczos", rng=rng)
    # The products of restarts are not what they cost most: they come with long bases to be read.
    assert result.n_iter <= 6
    assert without.n_iter > 10 * result.n_iter


@pytest.mark.parametrize("copies", [3, 5, 9])
def test_copies_that_a_block_of_two_has_missed_come_from_a_wider_one(copies, monkeypatch, rng):
    widths = []
    original = _filter._found

    def watched(search, *arguments):
        widths.append(search.plan.block)
        return original(search, *arguments)

    monkeypatch.setattr(_filter, "_found", watched)
    spectrum = np.concatenate([np.full(copies, 1.001), np.linspace(1, -1, 1200 - copies)])
    k = min(copies, 6)
    result = solve(cases.block_diagonal(spectrum, rng), k, which="LA", tol=1e-10, rng=rng)
    assert result.verified
    np.testing.assert_allclose(result.values, 1.001, rtol=0, atol=1e-9)
    assert widths == [2 * 2**i for i in range(len(widths))]
    assert len(widths) > 1


def copies_above_a_ladder(copies, gap, rng):
    spectrum = np.concatenate([np.full(copies, 1 + gap), np.linspace(1, -1, 1200 - copies)])
    return cases.block_diagonal(spectrum, rng), spectrum


@pytest.mark.parametrize("tol", [0, 1e-10, 1e-6, 1e-4])
@pytest.mark.parametrize(("copies", "k", "gap"), [(3, 3, 3e-4), (5, 8, 1e-3), (9, 30, 2e-3)])
def test_the_complement_is_searched_as_long_as_finding_took(copies, k, gap, tol, rng):
    A, spectrum = copies_above_a_ladder(copies, gap, rng)
    result = solve(A, k, which="LA", tol=tol, rng=rng)
    assert result.verified
    assert not cases.wrong_set(cases.Case("", spectrum, k, "LA"), result.values, tol)


def test_control_two_products_with_the_polynomial_are_no_search(monkeypatch, rng):
    def twice(self, V, theta, fresh, share):
        for _ in range(2):
            fresh = self.polynomial(orthonormal_block(fresh, V, rng=self.rng))
        return fresh

    monkeypatch.setattr(Sharpener, "__call__", twice)
    A, spectrum = copies_above_a_ladder(3, 3e-4, rng)
    result = solve(A, 3, which="LA", tol=1e-10, rng=rng)
    assert cases.wrong_set(cases.Case("", spectrum, 3, "LA"), result.values, 1e-10)


def test_the_polynomial(rng):
    spectrum = np.linspace(-2, 3, 60)
    A = SparseBlock(cases.block_diagonal(spectrum, rng))
    X = rng.standard_normal((60, 3))
    w, Q = np.linalg.eigh(A.todense())
    for degree in (1, 2, 5):
        p = Chebyshev(A, 0.5, 1.5, degree)
        expected = Q @ (np.polynomial.Chebyshev.basis(degree)((w - 0.5) / 1.5)[:, None] * (Q.T @ X))
        np.testing.assert_allclose(p(X), expected, rtol=0, atol=1e-11 * np.abs(expected).max())
        Y = Q @ (p.at(w)[:, None] * (Q.T @ X))
        np.testing.assert_allclose(Y, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


def test_a_value_far_above_the_others_lowers_the_degree(rng):
    A = SparseBlock(cases.block_diagonal(np.linspace(0, 1, 60), rng))
    degrees = []
    for top in (1.0, 5.0, 30.0, 200.0):
        theta = np.array([top, 0.9, 0.5, 0.0])
        degrees.append(_filter._polynomial(A, "LA", theta, 0.9).degree)
        p = _filter._polynomial(A, "LA", theta, 0.9)
        assert np.cosh(p.degree * np.arccosh(max(1, (top - p.center) / p.radius))) <= 1e9
    assert degrees[0] == 7
    assert degrees[-1] == 3
    assert sorted(degrees, reverse=True) == degrees
    spectrum = np.concatenate([[1e6, 300.0], np.exp(-np.arange(900) / 60)])
    result = solve(cases.block_diagonal(spectrum, rng), 24, which="LA", rng=rng)
    assert result.success
    np.testing.assert_allclose(np.sort(result.values)[::-1], spectrum[:24], rtol=0, atol=1e-8)


@pytest.mark.parametrize("which", ["LA", "SA", "LM"])
def test_a_polynomial_that_hides_wanted_values_costs_time_alone(which, monkeypatch, rng):
    # The control: an interval that covers most of what is wanted.
    original = _filter._polynomial

    def too_wide(main, which, theta, edge):
        return original(main, which, theta, float(theta[2]))

    spectrum, k = np.exp(-np.arange(700) / 40) * (-1.0) ** np.arange(700), 24
    A = cases.block_diagonal(spectrum, rng)
    monkeypatch.setattr(_filter, "_polynomial", too_wide)
    w = rnla.eigsh(A, k, which=which, rng=rng, return_eigenvectors=False)
    case = cases.Case("", spectrum, k, which)
    np.testing.assert_allclose(np.sort(w), case.wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("which", ["LA", "SA", "LM"])
@pytest.mark.parametrize("k", [6, 20])
def test_more_copies_than_are_wanted_are_found_at_once(which, k, rng):
    # As of a normalised graph with many components. A block of four sees four of them.
    spectrum = np.concatenate([np.ones(600), np.linspace(0.99, -0.5, 3400)])
    A = cases.block_diagonal(-spectrum if which == "SA" else spectrum, rng)
    result = solve(A, k, which=which, rng=rng)
    assert result.success
    assert result.verified
    np.testing.assert_allclose(np.abs(result.values), 1, rtol=0, atol=1e-12)
    # Two at a time, with a search of the complement for each, it takes 1600 and more.
    assert result.n_passes < 1000


@pytest.mark.parametrize("tol", [1e-4, 1e-8, 0])
def test_copies_of_both_signs_are_told_apart(tol, rng):
    # An even polynomial does not: what it finds are mixtures, which are no eigenvectors of A.
    ladder = 1 - 4.5e-5 * np.arange(7, 1459)
    spectrum = np.concatenate([np.ones(17), -np.ones(24), ladder])
    A = cases.block_diagonal(spectrum, rng)
    for seed in range(4):
        result = solve(A, 25, which="LM", tol=tol, rng=seed)
        assert result.success
        assert result.verified
        assert np.abs(np.abs(result.values) - 1).max() < 1.1 * max(tol, 1e-13)


def test_null_vectors_are_not_asked_for_symmetry(rng):
    # The leading ones of a graph with many components, which a polynomial has found.
    n, parts = 760, 90
    first = np.repeat(np.arange(parts) * 4, 6)
    i, j = rng.integers(4, size=(2, len(first))) + first
    rest = rng.integers(4 * parts, n, size=(2, 3000))
    rows, columns = np.concatenate([np.stack([i, j]), rest], axis=1)
    graph = scipy.sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(n, n)).tocsr()
    L = scipy.sparse.csgraph.laplacian(graph + graph.T).tocsr()
    for tol in (1e-4, 1e-10):
        w = rnla.eigsh(L, 54, which="SA", tol=tol, rng=rng, return_eigenvectors=False)
        assert np.abs(w).max() < 1e-3
    assert np.abs(w).max() < 1e-9


def test_a_matrix_that_is_not_quite_symmetric_is_no_deadlock(rng):
    A = cases.square_laplacian(24)[0]
    A.data = A.data * (1 + 1e-6 * rng.standard_normal(A.nnz))
    with pytest.warns(rnla.ConvergenceWarning):
        result = solve(A, 5, which="LA", rng=rng)
    exact = np.sort(np.linalg.eigvals(A.toarray()).real)[-5:]
    assert np.abs(np.sort(result.values) - exact).max() < 1e-4
    # What differs by less than the operator rounds is no copy that was missed.
    assert result.n_matvec < 3000


def test_the_same_seed_gives_the_same_bits(rng):
    A = cases.block_diagonal(np.linspace(0, 1, 900), rng)
    first, second = (rnla.eigsh(A, 24, which="LA", rng=5) for _ in range(2))
    assert (first[0] == second[0]).all()
    assert (first[1] == second[1]).all()


def test_a_large_norm_does_not_take_the_sharpened_block_for_noise(rng):
    A = cases.block_diagonal(np.exp(-np.arange(900) / 60), rng)
    counts = []
    for scale in (1.0, 2.0**60):
        result = solve(scale * A, 24, which="LA", rng=5)
        assert result.verified
        counts.append(result.n_matvec)
    # Powers of two change no bit, so nothing else may change either.
    assert counts[0] == counts[1]


def test_another_thread_gets_the_same_bits(rng):
    A = cases.block_diagonal(np.linspace(0, 1, 3000), rng)
    results = []

    def solve_it():
        results.append(rnla.eigsh(A, 24, which="LA", rng=5))

    with threadpool_limits(2, user_api="blas"):
        solve_it()
        other = threading.Thread(target=solve_it)
        other.start()
        other.join()
    for one, two in zip(*results, strict=True):
        assert (one == two).all()


def test_a_callback_sees_states_and_may_stop(rng):
    A = cases.block_diagonal(np.linspace(0, 1, 900), rng)
    seen = []

    def watch(state):
        seen.append(state.x.shape)

    assert solve(A, 24, which="LA", rng=rng, callback=watch).success
    assert seen
    assert {shape[0] for shape in seen} == {900}


def test_a_surrogate_is_left_over(rng):
    spectrum = np.exp(-np.arange(900) / 60)
    A = cases.block_diagonal(spectrum, rng)
    result = solve(A, 24, which="LA", rng=rng)
    assert len(result.surrogate.values) > 24
    np.testing.assert_allclose(result.surrogate.values[:24], spectrum[:24], atol=1e-8)
    again = solve(A, 24, which="LA", surrogate=result, v0=result.vectors, rng=rng)
    # Single vectors find them with fewer products than a block, but in as many passes.
    assert again.n_matvec < 0.65 * result.n_matvec
    assert again.n_passes < 0.1 * result.n_passes


def corrections(monkeypatch):
    """Count the steps with A that residuals lead."""
    count = []
    original = Corrector.corrected
    monkeypatch.setattr(
        Corrector, "corrected", lambda *arguments: count.append(1) or original(*arguments)
    )
    return count


def test_a_start_needs_few_corrections_where_the_first_values_tower(monkeypatch, rng):
    """Rounding errors are relative to the largest value of the polynomial, the others small."""
    n, k = 3000, 40
    spectrum = np.concatenate(
        [[9, 7, 6, 5], np.linspace(1.5, 1, 60), np.linspace(0.99, -0.9, n - 64)]
    )
    count, made = corrections(monkeypatch), []
    for _ in range(7):
        A = cases.block_diagonal(spectrum, rng)
        result = solve(A, k, which="LA", tol=1e-10, rng=rng, verify=False)
        check(A, result.values, result.vectors, spectrum[:k], 1e-10)
        made.append(len(count))
        del count[:]
    assert np.median(made) <= 1


def test_a_basis_without_restarts_keeps_its_digits(monkeypatch, rng):
    """The control of old: room for fifty steps, restarts, and digits that residuals had to mend."""
    L, exact = cases.square_laplacian(150)
    mended = []
    for steps in (_filter._STEPS, 50):
        monkeypatch.setattr(_filter, "_STEPS", steps)
        with monkeypatch.context() as patch:
            count = corrections(patch)
            w, X = rnla.eigsh(L, 6, which="LA", tol=0, rng=np.random.default_rng(0))
        check(L, w, X, np.sort(exact)[-6:], 0)
        mended.append(len(count))
    assert mended[0] < mended[1] / 4


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.float64])
@pytest.mark.parametrize("tol", [0, 1e-6])
def test_a_polynomial_in_single_precision_is_done_as_soon(dtype, tol, rng):
    """With half of so few digits it never was: a hundred times the products."""
    n, k = 1665, 10
    S = scipy.sparse.random_array((n, n), density=6 / n, rng=rng)
    A = scipy.sparse.csr_array(S + S.T)
    result = solve(A.astype(dtype), k, which="LA", tol=tol, rng=rng)
    assert result.success
    assert result.verified
    assert result.n_matvec < 1500
    exact = np.linalg.eigvalsh(A.toarray())[-k:]
    eps = np.finfo(dtype).eps
    assert np.abs(result.values - exact).max() < max(tol, 100 * eps) * exact[-1]


def test_a_search_with_the_polynomial_that_gains_nothing_ends(monkeypatch, rng):
    """Whatever it has found then is a start like any other."""
    spectrum = np.concatenate([np.linspace(1.5, 1, 60), np.linspace(0.95, -0.9, 1440)])
    A = cases.block_diagonal(spectrum, rng)
    monkeypatch.setattr(_filter, "_STEPS", 15)
    original = BlockLanczos._settled
    monkeypatch.setattr(
        BlockLanczos,
        "_settled",
        lambda self, *given: not self.plan.semiorthogonal and original(self, *given),
    )
    result = solve(A, 30, which="LA", tol=1e-8, rng=rng)
    check(A, result.values, result.vectors, spectrum[:30], 1e-8)
    assert result.n_matvec < 15_000
