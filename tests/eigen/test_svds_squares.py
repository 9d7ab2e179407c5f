"""Triplets of a matrix with few columns by way of its Gram matrix: the law of `svds`."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
from controls import svds as controls
from svds_cases import planted

from rnla.eigen import _svds_solve, _svds_squares, eigsh, svds
from rnla.eigen._svds_check import check_request
from rnla.eigen._svds_solve import singular_triplets

N = 120
DTYPES = [np.float32, np.float64, np.complex64, np.complex128]


def spectra(n=N, k=8):
    return {
        "flat": np.linspace(1, 2, n),
        "decay": np.exp(-np.arange(n) / 6),
        "graded": np.logspace(0, -12, n),
        "cliff": np.r_[np.logspace(0, -9, k), np.full(n - k, 1e-13)],
        "one": np.r_[1.0, np.full(n - 1, 1e-14)],
        "rank": np.r_[np.linspace(2, 1, 5), np.zeros(n - 5)],
        "copies": np.r_[np.ones(k + 6), np.linspace(0.9, 0, n - k - 6)],
        "small copies": np.r_[1, 1, np.full(k + 3, 1e-8), np.linspace(9e-9, 0, n - k - 5)],
        "cluster": np.r_[1 - 1e-8 * np.arange(k + 3), np.linspace(0.9, 0, n - k - 3)],
        "close and small": np.r_[np.ones(4), 1e-3 - 1e-12 * np.arange(9), np.full(n - 13, 9e-4)],
        "zero": np.zeros(n),
    }


@pytest.fixture
def starts(monkeypatch):
    """Count the searches of a Gram matrix."""
    seen = []
    original = _svds_squares.squares_started

    def counted(*arguments):
        seen.append(arguments)
        return original(*arguments)

    monkeypatch.setattr("rnla.eigen._svds_solve.squares_started", counted)
    return seen


def solve(A, k, rng, *, tol=0, options=None):
    request = check_request(A, k, None, tol, "LM", None, None, True, "auto", rng, options)
    return singular_triplets(request)


def law(A, found, *, tol=0):
    """The k largest, orthonormal to 100 eps, both residuals at the tolerance or at 100 eps."""
    U, s, V = found.left_vectors, found.values, found.vectors
    eps, k = float(np.finfo(s.dtype).eps), len(s)
    assert U.dtype == V.dtype == A.dtype
    exact = np.asarray(A, np.result_type(A, np.float64))
    every = np.linalg.svd(exact, compute_uv=False)
    norm = max(every[0], np.finfo(s.dtype).tiny)
    assert (np.diff(s) <= 0).all()
    limit = 100 * eps * norm
    residual = np.maximum(2 * tol**2 * s, limit)
    # A value is nowhere further from a singular value than its residual.
    wrong = np.abs(s - every[:k]) > residual
    assert not wrong.any(), f"singular values are off: {s[wrong]} for {every[:k][wrong]}"
    for Q in (U, V):
        assert np.abs(Q.conj().T @ Q - np.eye(k)).max() <= 100 * eps
    for R in (exact @ V - U * s, exact.conj().T @ U - V * s):
        assert (np.linalg.norm(R, axis=0) <= residual).all(), "residuals are too long"


@pytest.mark.parametrize("k", [1, 8])
@pytest.mark.parametrize("shape", [(N, N), (180, N), (N, 180)])
@pytest.mark.parametrize("name", spectra())
def test_dense_triplets(name, shape, k, starts, rng):
    A = planted(*shape, spectra()[name], rng=rng)
    found = solve(A, k, rng)
    assert len(starts) == 1
    assert found.success
    assert found.verified
    law(A, found)


def scattered(sigma, m, rng, dtype=float):
    """A sparse (m, n) matrix with these singular values: blocks of four, and rows of zeros."""
    wide = np.result_type(dtype, np.float64)
    parts = np.split(rng.permutation(sigma), len(sigma) // 4)
    blocks = [scipy.sparse.csr_array(planted(4, 4, part, rng=rng, dtype=wide)) for part in parts]
    A = scipy.sparse.block_diag(blocks, format="csr")
    A.resize(m, len(sigma))
    return A[rng.permutation(m)][:, rng.permutation(len(sigma))].astype(dtype)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("form", [scipy.sparse.csr_array, scipy.sparse.csc_array])
@pytest.mark.parametrize("name", spectra())
def test_sparse_triplets(name, form, wide, starts, rng):
    A = scattered(spectra()[name], 300, rng)
    A = form(A.T if wide else A)
    found = solve(A, 8, rng)
    assert len(starts) == 1
    assert found.success
    assert found.verified
    law(A.toarray(), found)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["decay", "graded", "rank", "copies", "one"])
@pytest.mark.parametrize("form", ["C", "F", "sparse"])
@pytest.mark.parametrize("wide", [False, True])
def test_every_precision_and_layout(wide, form, name, dtype, starts, rng):
    if form == "sparse":
        A = scattered(spectra()[name], 250, rng, dtype)
    else:
        A = planted(150, N, spectra()[name], rng=rng, dtype=dtype)
    A = A.conj().T if wide else A
    B = scipy.sparse.csr_array(A) if form == "sparse" else np.array(A, order=form)
    found = solve(B, 6, rng)
    assert len(starts) == 1
    assert found.success
    law(B.toarray() if form == "sparse" else B, found)


@pytest.mark.parametrize("exponent", [-12, -5, 5, 12])
def test_scales_within_the_safe_range(exponent, starts, rng):
    for dtype, factor in ((np.float32, 0.5), (np.float64, 4)):
        A = planted(150, N, spectra()["decay"], rng=rng) * 10.0 ** (factor * exponent)
        found = solve(A.astype(dtype), 6, rng)
        assert len(starts) == 1
        law(A.astype(dtype), found)
        starts.clear()


@pytest.mark.parametrize("k", [20, 23, 24])
def test_up_to_a_fifth_of_the_triplets(k, starts, rng):
    for name in ("flat", "copies", "cliff"):
        A = planted(130, N, spectra()[name], rng=rng)
        law(A, solve(A, k, rng))
    assert len(starts) == 3


@pytest.mark.parametrize("tol", [1e-5, 1e-4, 1e-3])
@pytest.mark.parametrize("name", ["decay", "flat", "copies", "small copies"])
def test_a_loose_tolerance_is_relative_to_each_value(name, tol, starts, rng):
    # Copies of 1e-8 beside 1: moves of a search that are small beside the norm are large for them.
    for A in (planted(150, N, spectra()[name], rng=rng), scattered(spectra()[name], 200, rng)):
        found = solve(A, 8, rng, tol=tol)
        assert found.success
        law(A if isinstance(A, np.ndarray) else A.toarray(), found, tol=tol)
    assert len(starts) == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["graded", "copies", "rank", "small copies"])
def test_matrices_whose_squares_are_iterated_on(name, starts, rng):
    A = planted(900, 850, spectra(850)[name], rng=rng)
    found = solve(A, 8, rng)
    assert len(starts) == 1
    assert found.verified
    law(A, found)


def test_without_a_search_nothing_is_called_verified(starts, rng):
    A = planted(150, N, spectra()["decay"], rng=rng)
    found = solve(A, 6, rng, options={"verify": False})
    assert len(starts) == 1
    assert found.verified is None
    law(A, found)


def test_equal_seeds_give_equal_bits(rng):
    A = planted(150, N, spectra()["cliff"], rng=rng)
    first, second = (svds(A, 6, rng=3) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert (one == other).all()


def test_the_gram_matrix_in_every_layout(rng):
    for dtype in DTYPES:
        A = planted(90, 40, np.linspace(1, 2, 40), rng=rng, dtype=dtype)
        for B in (A, np.asfortranarray(A), np.repeat(A, 2, axis=0)[::2], scipy.sparse.csr_array(A)):
            G = _svds_squares._gram(B)
            assert G.dtype == dtype
            np.testing.assert_allclose(G, A.conj().T @ A, atol=40 * np.finfo(dtype).eps)


@pytest.mark.parametrize("case", ["small", "large"])
def test_lapack_with_another_driver_where_that_for_a_few_fails(case, monkeypatch, rng):
    # It does for squares from 1 down to 1e-28, an internal error: here in every call.
    original, drivers = scipy.linalg.eigh, []

    def failing(A, M=None, **options):
        drivers.append(options.get("driver", "subset"))
        if len(drivers) == 1 or (case == "large" and drivers[-1] == "evd"):
            raise np.linalg.LinAlgError("Internal Error.")
        return original(A, M, **options)

    monkeypatch.setattr("rnla.eigen._dense.eigh", failing)
    values = np.linspace(1, 2, 100)
    Q = np.linalg.qr(rng.standard_normal((100, 100)))[0]
    found = eigsh((Q * values) @ Q.T, 3, which="LA", return_eigenvectors=False)
    np.testing.assert_allclose(found, values[-3:], rtol=1e-13)
    assert drivers == ["subset", "evd", "ev"][: len(drivers)]
    assert len(drivers) == (2 if case == "small" else 3)


# -- controls ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["decay", "cliff"])
def test_the_law_rejects_the_answer_of_the_squares(name, monkeypatch, starts, rng):
    sigma = np.exp(-2.0 * np.arange(N)) if name == "decay" else spectra()[name]
    A = planted(150, N, sigma, rng=rng)
    law(A, solve(A, 8, rng))
    monkeypatch.setattr(_svds_squares, "golub_kahan", controls.unjudged)
    # Where residuals are that long LAPACK has the last word, if the matrix can be copied.
    mended = solve(A, 8, rng)
    assert mended.success
    law(A, mended)
    monkeypatch.setattr(_svds_solve, "can_copy", lambda A, core: False)
    wrong = solve(A, 8, rng)
    assert len(starts) == 3
    assert not wrong.success
    with pytest.raises(AssertionError, match=r"residuals are too long|singular values are off"):
        law(A, wrong)


def test_squares_alone_are_right_where_nothing_is_small(monkeypatch, rng):
    # The control of the control: there the unjudged answer passes.
    A = planted(150, N, np.linspace(2, 1, N), rng=rng)
    monkeypatch.setattr(_svds_squares, "golub_kahan", controls.unjudged)
    law(A, solve(A, 8, rng))


@pytest.mark.parametrize("verified", [False, True])
def test_a_start_that_lacks_wanted_vectors_is_found_out(verified, monkeypatch, starts, rng):
    # It must not say that it has searched; where squares are small it is not even believed.
    sigma = np.r_[1.0, 1e-3 * np.linspace(2, 1, N - 1)] if verified else spectra()["flat"]
    original = _svds_squares.solve_request

    def wrong(request, options):
        more = original(replace(request, selection=replace(request.selection, k=15)), options)
        result = more.result
        cut = replace(
            result, values=result.values[3:], vectors=result.vectors[:, 3:], verified=verified
        )
        return replace(more, result=cut)

    monkeypatch.setattr(_svds_squares, "solve_request", wrong)
    A = planted(150, N, sigma, rng=rng)
    found = solve(A, 8, rng)
    assert len(starts) == 1
    assert found.verified
    law(A, found)
