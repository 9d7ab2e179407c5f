"""Few eigenvalues of a sparse matrix: A itself is tried first, one column at a time."""

import warnings

import eigen_cases as cases
import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

import rnla
from rnla import ConvergenceWarning
from rnla.eigen import _filter, _plan, _verify, solve
from rnla.eigen._lanczos import BlockLanczos

SPECTRA = {
    "slow": np.exp(-np.arange(3000) / 20),
    "fast": 1 / (1.0 + np.arange(3000)),
    "outliers": np.concatenate([np.linspace(5, 2, 8), np.linspace(1, 0, 2992)]),
}


def trials(monkeypatch):
    """Keep what searches without a polynomial, in order."""
    made = []

    class Kept(BlockLanczos):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(_filter, "BlockLanczos", Kept)
    return made


def arpack_products(A, k, tol, rng):
    count = []
    counted = scipy.sparse.linalg.LinearOperator(
        A.shape, matvec=lambda x: count.append(1) or A @ x, dtype=A.dtype
    )
    scipy.sparse.linalg.eigsh(counted, k, which="LA", tol=tol, v0=rng.uniform(-1, 1, A.shape[0]))
    return len(count)


@pytest.mark.parametrize("name", sorted(SPECTRA))
@pytest.mark.parametrize("k", [1, 3, 6])
@pytest.mark.parametrize("tol", [0, 1e-8])
def test_no_more_products_than_of_a_vector_that_is_restarted(name, k, tol, rng):
    A = cases.block_diagonal(SPECTRA[name], rng)
    theirs = arpack_products(A, k, tol, rng)
    ours = solve(A, k, which="LA", tol=tol, rng=rng, verify=False)
    assert ours.success
    # The residuals of the pairs are formed with k more; a look costs as much as a few steps do.
    assert ours.n_matvec <= theirs + k + 8
    whole = solve(A, k, which="LA", tol=tol, rng=rng)
    assert whole.verified
    assert whole.n_matvec <= theirs + k + 32
    wanted = SPECTRA[name][:k]
    assert np.abs(whole.values - wanted[::-1]).max() <= max(tol, 1e-14) * wanted[0]
    assert cases.orthonormality(whole.vectors) < 100 * np.finfo(float).eps


@pytest.mark.parametrize("copies", [2, 4, 7])
@pytest.mark.parametrize("tol", [0, 1e-10, 1e-6])
def test_copies_that_one_column_does_not_see_are_found(copies, tol, rng):
    spectrum = np.concatenate([np.repeat(np.exp(-np.arange(8) / 8), copies), np.zeros(1400)])
    A = cases.block_diagonal(np.sort(spectrum)[::-1][:1400], rng)
    for k in (1, copies, 7):
        result = solve(A, k, which="LA", tol=tol, rng=rng)
        assert result.verified
        wanted = np.sort(spectrum)[-k:]
        assert np.abs(result.values - wanted).max() <= max(tol, 1e-14)
        assert cases.orthonormality(result.vectors) < 100 * np.finfo(float).eps


def test_a_trial_without_prospects_is_short(monkeypatch, rng):
    made = trials(monkeypatch)
    L, exact = cases.square_laplacian(60)
    result = solve(L, 3, which="LA", tol=1e-10, rng=rng)
    assert result.verified
    assert np.abs(result.values - np.sort(exact)[-3:]).max() < 1e-9
    trial = made[0]
    assert trial.plan.block == 1
    first = _filter._FIRST + 3 * _filter._FIRST_MORE
    assert first <= trial.steps <= 1.4 * first
    assert len(made) > 1


def test_blocks_that_are_asked_for_are_taken(monkeypatch, rng):
    made = trials(monkeypatch)
    A = cases.block_diagonal(SPECTRA["slow"], rng)
    solve(A, 3, which="LA", rng=rng, block_size=3)
    assert [each.plan.block for each in made] == [3]
    del made[:]
    # A start of two vectors is no start of a space from one.
    solve(A, 3, which="LA", rng=rng, v0=rng.standard_normal((3000, 2)))
    assert [each.plan.block for each in made] == [2]


def test_a_trial_may_be_stopped(rng):
    L, _ = cases.square_laplacian(60)

    def stop(state):
        raise StopIteration

    with pytest.warns(ConvergenceWarning, match="StopIteration"):
        result = solve(L, 3, which="LA", tol=1e-10, rng=rng, callback=stop)
    assert result.status.name == "STOPPED_BY_CALLBACK"
    assert not result.verified
    assert result.vectors.shape == (3600, 3)
    assert result.n_matvec <= 6


def test_few_vectors_fit_into_little_memory(monkeypatch, rng):
    """A basis that is restarted finds the same."""
    monkeypatch.setattr(_filter, "_MOST_ENTRIES", 1)
    made = trials(monkeypatch)
    A = cases.block_diagonal(SPECTRA["slow"], rng)
    result = solve(A, 6, which="LA", rng=rng)
    assert result.verified
    assert np.abs(result.values - SPECTRA["slow"][5::-1]).max() < 1e-14
    assert made[0].plan.capacity < 50


@pytest.mark.parametrize("seed", [38, 97])
def test_a_cluster_that_is_not_resolved_yet_may_hold_a_wanted_value(seed):
    """Six values at one end, two at the other that are found first, all within 1e-6 of 0.2.

    These seeds had a certificate for the wrong two: residuals of the cluster still were longer
    than it was away.
    """
    rng = np.random.default_rng(seed)
    values = 0.1 * rng.random(2000)
    values[:8] = 0.2 * (1 + (1e-6, 1e-7, 3e-7)[(seed + 1) % 3] * rng.standard_normal(8))
    values[:2] *= -1
    A = scipy.sparse.csr_array(scipy.sparse.diags_array(rng.permutation(values)))
    A = A.astype(complex) if seed % 2 else A
    result = solve(A, 2, which="LM", tol=1e-8, rng=seed)
    wanted = np.sort(np.abs(values))[-2:]
    error = np.abs(np.sort(np.abs(result.values)) - wanted).max()
    assert not result.verified or error <= 4e-9


def copies_verified_wrongly(rng, runs=12, **options):
    """How often a copy of a wanted value is missed and the result says that none is."""
    wrong = 0
    for _ in range(runs):
        spectrum = np.concatenate([[1.0, 0.9, 0.75, 0.75, 0.7], np.linspace(0.6, 0, 1400)])
        A = cases.block_diagonal(spectrum, rng)
        result = solve(A, 4, which="LA", tol=1e-8, rng=rng, **options)
        missed = np.abs(result.values - [0.75, 0.75, 0.9, 1.0]).max() > 1e-6
        wrong += result.verified and missed
    return wrong


@pytest.mark.parametrize("width", [1, 2, 4])
def test_the_search_of_the_complement_is_long_enough(width, rng):
    assert copies_verified_wrongly(rng, block_size=width) == 0


def test_a_short_search_from_one_column_is_none(monkeypatch, rng):
    """The control: as long as blocks of many columns search, and trusted as early."""
    monkeypatch.setattr(_verify, "UNLIKELY", 0.0)
    monkeypatch.setattr(_verify, "_DIGITS", 0.0)
    monkeypatch.setattr(_verify, "_STEPS", 3)
    assert copies_verified_wrongly(rng) > 0


def twins(g, c):
    return np.repeat(np.concatenate([np.linspace(1, 0.8, 8), g.uniform(-0.4, 0.6, 900)]), c)[:900]


def many_copies(g, c):
    first = np.repeat(1 - 0.02 * np.arange(c + 3), c)
    return np.concatenate([first, np.linspace(-0.4, 0.3, 900 - len(first))])


def low_rank(g, c):
    return np.concatenate([g.uniform(0.5, 1, 20 + c), np.zeros(880 - c)])


def cluster(g, c):
    first = 1 - 1e-12 * np.arange(c)
    return np.concatenate([first, np.linspace(0.95, 0.7, 16), np.linspace(-0.4, 0.5, 900 - c - 16)])


CROWDS = {"twins": (twins, 8), "copies": (many_copies, 6), "low rank": (low_rank, 25)}
CROWDS["cluster"] = cluster, 16


def worst(name, tol, seeds):
    """The longest residual, in units of what is asked for, and the largest error."""
    spectrum, k = CROWDS[name]
    residuals, errors = [], []
    for seed in seeds:
        g = np.random.default_rng(seed)
        values = spectrum(g, 2 + seed % 4)
        A = cases.block_diagonal(values, g)
        w, X = rnla.eigsh(A, k, which="LA", tol=tol, rng=seed)
        residuals.append(np.linalg.norm(A @ X - X * w, axis=0).max())
        errors.append(np.abs(w - np.sort(values)[-k:]).max())
        assert cases.orthonormality(X) < 100 * np.finfo(float).eps
    return max(residuals) / max(tol, 200 * np.finfo(float).eps), max(errors)


@pytest.mark.parametrize("name", sorted(CROWDS))
@pytest.mark.parametrize("tol", [0, 1e-10])
def test_pairs_of_a_chain_are_as_accurate_as_asked_for(name, tol):
    """Seeds where vectors with half of their orthogonality gave residuals of 1e-8."""
    residual, error = worst(name, tol, [1, 5, 10, 18, 19, 21])
    assert residual <= 1
    assert error <= 1e-12 + 3 * tol


def test_pairs_of_a_chain_with_less_orthogonality_are_not(monkeypatch):
    """The control: residuals become as long as inner products are."""
    for power in ("_POLISHED", "SEMIORTHOGONAL"):
        monkeypatch.setattr(_plan, power, 0.4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert max(worst(name, 0, [1, 5, 21])[0] for name in CROWDS) > 1


def test_three_copies_of_a_matrix(rng):
    spectrum = np.concatenate([np.linspace(1, 0.8, 12), np.linspace(-0.4, 0.5, 388)])
    A = cases.block_diagonal(spectrum, rng)
    twin = scipy.sparse.block_diag([A] * 3, format="csr")
    result = solve(twin, 10, which="LA", rng=rng)
    assert result.verified
    wanted = np.sort(np.repeat(spectrum, 3))[-10:]
    assert np.abs(result.values - wanted).max() < 1e-13
    assert result.residual_norms.max() < 1e-13


def test_a_start_of_two_eigenvectors(rng):
    spectrum = np.concatenate([np.linspace(1, 0.8, 12), np.linspace(-0.4, 0.5, 988)])
    A = cases.block_diagonal(spectrum, rng)
    V = np.linalg.eigh(A.toarray())[1]
    w, X = rnla.eigsh(A, 5, which="LA", rng=rng, v0=V[:, -1] + V[:, -2])
    assert np.abs(w - spectrum[4::-1]).max() < 1e-13
    assert np.linalg.norm(A @ X - X * w, axis=0).max() < 200 * np.finfo(float).eps
