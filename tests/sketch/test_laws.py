"""What makes a random matrix a sketch, as exact moments and z-scores."""

import numpy as np
import pytest
from cases import OPERATORS, all_operators, leaves
from controls import sketches as controls

from rnla.sketch import RowSampling, SketchingOperator, SparseSign

# Two-sided chance of a false alarm 1e-9 in each of some thirty checks.
LIMIT = 6.1


def z_score(samples, expected):
    """How many standard errors the mean is away from what it should be."""
    spread = np.std(samples, ddof=1)
    error = np.mean(samples) - expected
    if spread <= 1e-12:
        return 0.0 if abs(error) <= 1e-12 else np.inf
    return error / spread * np.sqrt(len(samples))


def squared_norm_z(sketch, x, rng, draws):
    """Z-score of ``E||S x||**2 = ||x||**2``."""
    X = x[:, None] / np.linalg.norm(x)
    return z_score([np.sum(sketch(rng, X) ** 2) for _ in range(draws)], 1.0)


def distortion_z(sketch, Q, expected, rng, draws):
    """Z-score of the mean of ``||Q.T (S.T S - I) Q||_F**2``."""
    identity = np.eye(Q.shape[1])
    samples = []
    for _ in range(draws):
        SQ = sketch(rng, Q)
        samples.append(np.sum((SQ.T @ SQ - identity) ** 2))
    return z_score(samples, expected)


def orthonormal(rng, m, n):
    return np.linalg.qr(rng.standard_normal((m, n)))[0]


def applied(operator, d):
    return lambda rng, X: operator(d, len(X), rng=rng) @ X


def test_every_operator_is_in_the_registry():
    ours = {cls for cls in leaves(SketchingOperator) if cls.__module__.startswith("rnla.")}
    assert ours == {operator.cls for operator in OPERATORS}


@all_operators
@pytest.mark.parametrize("vector", ["normal", "spike", "two heavy"])
def test_squared_norms_are_unbiased(operator, vector, rng):
    x = rng.standard_normal(100)
    if vector != "normal":
        x *= 1e-3
        x[17] = 1.0
    if vector == "two heavy":
        x[62] = -1.0
    assert abs(squared_norm_z(applied(operator, 64), x, rng, 400)) < LIMIT


@all_operators
def test_five_percent_is_rejected(operator, rng):
    def control(rng, X):
        return controls.five_percent_off(operator, 64, rng, X)

    assert abs(squared_norm_z(control, rng.standard_normal(100), rng, 2500)) > LIMIT


@all_operators
def test_distortion_of_a_subspace_has_its_exact_mean(operator, rng):
    d, m, n = 32, 100, 3
    Q = orthonormal(rng, m, n)
    expected = operator.distortion(d, m, n, np.sum(Q**2, axis=1))
    assert abs(distortion_z(applied(operator, d), Q, expected, rng, 800)) < LIMIT


@pytest.mark.parametrize(
    ("control", "like"),
    [
        (controls.repeated_rows, "SRHT"),
        (controls.half_of_the_rows, "SparseSign"),
        (controls.no_signs, "SparseSign"),
        (controls.one_block, "SparseSign"),
    ],
)
def test_wrong_sketches_are_rejected(control, like, rng):
    (operator,) = [operator for operator in OPERATORS if operator.name == like]
    d, m, n = 64, 100, 3
    Q = np.linalg.qr(np.c_[np.ones(m), rng.standard_normal((m, n - 1))])[0]
    expected = operator.distortion(d, m, n, np.sum(Q**2, axis=1))
    assert abs(distortion_z(lambda rng, X: control(d, rng, X), Q, expected, rng, 800)) > LIMIT


@all_operators
def test_gram_matrix_is_the_identity_on_average(operator, rng):
    m, draws = 7, 600
    grams = np.empty((draws, m, m))
    for gram in grams:
        S = operator(8, m, rng=rng).todense()
        gram[...] = S.T @ S
    for i in range(m):
        for j in range(m):
            assert abs(z_score(grams[:, i, j], float(i == j))) < LIMIT


@pytest.mark.parametrize("coherent", [False, True])
@all_operators
def test_subspace_embedding(operator, coherent, rng):
    m, n = 3000, 10
    A = rng.standard_normal((m, n))
    if coherent:
        A[5] *= 1e6
    if operator.cls is RowSampling and coherent:
        S = RowSampling.from_matrix(A, 400, by="leverage", rng=rng)
    else:
        S = operator(400, m, rng=rng)
    Q = np.linalg.qr(A)[0]
    values = np.linalg.svd(S @ Q, compute_uv=False)
    # A Gaussian matrix stays within sqrt(n/d) + t / sqrt(d) but for exp(-t**2 / 2).
    allowed = (np.sqrt(n) + 6) / np.sqrt(400)
    assert 1 - allowed < values.min()
    assert values.max() < 1 + allowed


def test_uniform_sampling_of_a_coherent_matrix_is_rejected(rng):
    A = rng.standard_normal((3000, 10))
    A[5] *= 1e6
    S = RowSampling.draw(400, 3000, rng=rng)
    while 5 in S.rows:
        S = RowSampling.draw(400, 3000, rng=rng)
    assert np.linalg.svd(S @ np.linalg.qr(A)[0])[1].min() < 1e-3


@pytest.mark.slow
@all_operators
def test_squared_norms_over_many_draws(operator, rng):
    assert abs(squared_norm_z(applied(operator, 64), rng.standard_normal(300), rng, 40_000)) < LIMIT


def test_stacked_structure(rng):
    S = SparseSign.draw(26, 500, zeta=4, rng=rng).tosparse()
    columns = S.indices.reshape(500, 4)
    edges = np.array([0, 7, 14, 20, 26])
    assert np.all((columns >= edges[:-1]) & (columns < edges[1:]))
    np.testing.assert_array_equal(np.abs(S.data), 0.5)
