"""Error bars of a handful of signs, which may agree by chance and say nothing then."""

import numpy as np
import pytest
from scipy.sparse import csr_array, diags_array

import rnla
from rnla.trace._estimate import agreement_counts

ROUNDING = 1e-12


def held(estimate, exact):
    return np.abs(estimate.value - exact) <= estimate.radius() + ROUNDING * np.max(np.abs(exact))


@pytest.mark.parametrize("runs", [100, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("n", [3, 4])
@pytest.mark.parametrize("matrix", ["ones", "pairs"])
def test_traces_of_small_matrices(n, matrix, runs):
    """Three quarters of all signs give one value, for n = 3, and it is not the trace."""
    A = np.ones((n, n)) if matrix == "ones" else np.eye(n) + np.eye(n)[::-1]
    for matvecs in range(2, n):
        for method in ("hutchinson", "hutchpp"):
            options = {"method": method, "test_vectors": "signs"}
            found = [
                held(rnla.trace(A, matvecs, rng=seed, **options), np.trace(A))
                for seed in range(runs)
            ]
            assert np.mean(found) >= 0.9 - 3 * np.sqrt(0.09 / runs)


@pytest.mark.parametrize("matvecs", [4, 6, 10])
def test_changes_of_a_sequence(matvecs):
    """Two samples of one new pair of entries agree half of the time, and are off then."""
    d = np.arange(1.0, 101)
    B = diags_array(d).tocsr()
    A = (B + csr_array(([3.0, 3.0], ([0, 1], [1, 0])), B.shape)).tocsr()
    found = [
        held(rnla.trace(A, matvecs, previous=rnla.trace(B, 100), rng=seed), d.sum())
        for seed in range(60)
    ]
    assert np.mean(found) >= 0.9


@pytest.mark.parametrize("matvecs", [2, 3, 4, 5, 6, 8])
@pytest.mark.parametrize("matrix", ["tridiagonal", "pairs"])
def test_diagonals(matvecs, matrix):
    """A row with two entries has two values, and three samples agree in a quarter of all cases."""
    n = 1000
    beside = -np.ones(n - 1)
    if matrix == "pairs":
        beside[1::2] = 0
    A = diags_array([beside, np.full(n, 2.0), beside], offsets=[-1, 0, 1]).tocsr()
    found, finite = [], []
    for seed in range(10):
        estimate = rnla.diag(A, matvecs, method="bks", rng=seed)
        found.append(held(estimate, 2.0))
        finite.append(np.isfinite(estimate.stderr))
    assert np.mean(found) >= 0.9
    assert np.mean(finite) > (0.4 if matvecs == 2 else 0.6)


@pytest.mark.parametrize("matvecs", [2, 3, 5, 8])
def test_no_error_is_certain_to_be_none(matvecs):
    """Squares of few numbers are skewed, and intervals too short; but none of them is a point."""
    n = 600
    beside = -np.ones(n - 1)
    A = diags_array([beside, np.full(n, 2.0), beside], offsets=[-1, 0, 1]).tocsr()
    exact = np.linalg.norm(A.toarray(), axis=1)
    for seed in range(5):
        estimate = rnla.row_norms(A, matvecs, method="hutchinson", rng=seed)
        wrong = np.abs(estimate.value - exact) > 0.01
        assert np.min(estimate.stderr[wrong]) > 0.01
    for seed in range(200):
        estimate = rnla.trace(np.ones((6, 6)), min(matvecs, 5), method="hutchinson", rng=seed)
        assert abs(estimate.value - 6) < ROUNDING or estimate.stderr > 0.1


@pytest.mark.parametrize("n", [3, 4])
@pytest.mark.parametrize("matvecs", [4, 6, 10])
def test_quadratures_from_signs(n, matvecs):
    A = 2 * np.eye(n) + 0.5 * np.ones((n, n))
    exact = np.log(np.linalg.eigvalsh(A)).sum()
    found = [
        held(rnla.logdet(A, matvecs, method="slq", test_vectors="signs", rng=seed), exact)
        for seed in range(60)
    ]
    assert np.mean(found) >= 0.85


def test_agreement_is_evidence_in_the_end():
    d = np.arange(1.0, 41)
    assert rnla.trace(np.diag(d), 5, method="hutchinson", rng=0).stderr == np.inf
    assert rnla.trace(np.diag(d), 11, method="hutchinson", rng=0).stderr < 1e-10
    assert np.all(np.isinf(rnla.diag(np.diag(d), 5, method="bks", rng=0).stderr))
    assert np.all(rnla.diag(np.diag(d), 6, method="bks", rng=0).stderr < 1e-10)
    # Of a continuous law two samples are enough: they would not agree by chance.
    assert rnla.trace(np.eye(40), 2, method="hutchinson", test_vectors="sphere").stderr < 1e-10


@pytest.mark.parametrize(("degree", "fewest"), [(1, 6), (2, 11)])
def test_how_many_have_to_agree(degree, fewest):
    assert not agreement_counts(fewest - 1, degree)
    assert agreement_counts(fewest, degree)
