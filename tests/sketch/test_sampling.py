"""Row sampling and leverage scores."""

import numpy as np
import pytest
import scipy.sparse
from cases import LAYOUTS, all_dtypes, random_matrix
from scipy import stats

from rnla.sketch import RowSampling, leverage_scores


def test_rows_follow_the_probabilities(rng):
    p = np.array([0.0, 5.0, 1.0, 0.0, 2.0, 0.0])
    S = RowSampling.draw(80_000, 6, probabilities=p, rng=rng)
    counts = np.bincount(S.rows, minlength=6)
    assert not counts[p == 0].any()
    expected = 80_000 * p[p > 0] / p.sum()
    assert stats.chisquare(counts[p > 0], expected).pvalue > 1e-9
    np.testing.assert_allclose(S.weights, 1 / np.sqrt(80_000 * p[S.rows] / p.sum()))


def test_uniform_rows(rng):
    S = RowSampling.draw(70_000, 7, rng=rng)
    assert stats.chisquare(np.bincount(S.rows, minlength=7)).pvalue > 1e-9
    # Equal probabilities, given or not, give the same operator.
    uniform = RowSampling.draw(50, 8, rng=1)
    given = RowSampling.draw(50, 8, probabilities=np.full(8, 3), rng=1)
    np.testing.assert_array_equal(uniform.rows, given.rows)
    np.testing.assert_allclose(uniform.weights, given.weights)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_probabilities_of_any_scale(scale):
    p = scale * np.array([1.0, 2.0, 3.0, 1.0])
    S = RowSampling.draw(9, 4, probabilities=p, rng=0)
    unscaled = RowSampling.draw(9, 4, probabilities=[1, 2, 3, 1], rng=0)
    np.testing.assert_array_equal(S.rows, unscaled.rows)
    np.testing.assert_allclose(S.weights, unscaled.weights)


def test_attributes_are_read_only():
    S = RowSampling.draw(9, 4, rng=0)
    with pytest.raises(ValueError, match="read-only"):
        S.rows[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        S.weights[0] = 1


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
@pytest.mark.parametrize("sparse", [False, True])
def test_by_norms(scale, sparse, rng):
    A = np.zeros((40, 3))
    A[[4, 9]] = scale * np.array([[3.0, 0, 0], [0, 0, 4.0]])
    S = RowSampling.from_matrix(LAYOUTS["csc"](A) if sparse else A, 5000, by="norms", rng=rng)
    counts = np.bincount(S.rows, minlength=40)
    assert counts[4] + counts[9] == 5000
    assert stats.binomtest(int(counts[4]), 5000, 9 / 25).pvalue > 1e-9
    # With these probabilities every sampled row counts the same.
    product = (S @ A) / scale
    np.testing.assert_allclose(np.linalg.norm(product, axis=1) ** 2, 25 / 5000)


def test_by_leverage_finds_the_heavy_row(rng):
    A = rng.standard_normal((4000, 8))
    A[:, 5] *= 1e-9
    A[77, 5] = 1.0
    for operand in (A, scipy.sparse.coo_array(A), A.astype(complex)):
        S = RowSampling.from_matrix(operand, 300, by="leverage", rng=rng)
        assert 77 in S.rows
        assert S.shape == (300, 4000)


@all_dtypes
@pytest.mark.parametrize("sparse", [False, True])
def test_exact_scores(dtype, sparse, rng):
    A = random_matrix(rng, (200, 7), dtype)
    A[13] *= 100
    expected = np.linalg.norm(np.linalg.qr(A.astype(complex))[0], axis=1) ** 2
    scores = leverage_scores(scipy.sparse.csc_array(A) if sparse else A, method="exact")
    assert scores.dtype == dtype(0).real.dtype
    np.testing.assert_allclose(scores, expected, rtol=1000 * np.finfo(dtype).eps)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_sketched_scores(dtype, sparse, rng):
    A = random_matrix(rng, (5000, 7), dtype) * np.logspace(0, -9, 7)
    A[13] *= 100
    operand = scipy.sparse.csc_array(A) if sparse else A
    exact = leverage_scores(A, method="exact")
    ratio = leverage_scores(operand, rng=rng) / exact
    assert ratio.min() > 0.2
    assert ratio.max() < 5


def test_rank_deficient_scores_sum_to_the_rank(rng):
    B = rng.standard_normal((300, 3))
    A = np.c_[B, B @ rng.standard_normal((3, 4)), np.zeros(300)]
    assert abs(leverage_scores(A, method="exact").sum() - 3) < 1e-10
    assert 0.2 < leverage_scores(A, rng=rng).sum() / 3 < 5


def test_scores_at_the_edges():
    np.testing.assert_array_equal(leverage_scores(np.zeros((9, 2))), np.zeros(9))
    np.testing.assert_array_equal(leverage_scores(np.zeros((9, 0))), np.zeros(9))
    np.testing.assert_allclose(leverage_scores(np.eye(3)), np.ones(3))
    np.testing.assert_allclose(leverage_scores(np.full((5, 1), 2)), np.full(5, 0.2))
