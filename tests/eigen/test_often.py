"""Steps of single vectors that a kernel makes at once: the basis, T and counts of one by one."""

import eigen_cases as cases
import numpy as np
import pytest

from rnla.eigen._basis import Basis
from rnla.eigen._problem import Standard
from rnla.eigen._select import Selection
from rnla.linalg.block import SparseBlock
from rnla.linalg.orth import orthonormal_block

N, EPS = 800, np.finfo(float).eps


def problem(rng, dtype=float, sigma=0.0):
    A = cases.block_diagonal(np.exp(-np.arange(N) / 30), rng, dtype)
    return Standard(SparseBlock(A), sigma, np.dtype(dtype))


def grown(operator, start, steps, capacity=60):
    """A basis that was extended until it had so many vectors, by `steps` at a time."""
    basis = Basis(operator, capacity, keeps_products=False)
    block, made = start, []
    while basis.size < 40:
        remainder = basis.extend(block, 10.0, min(steps, 40 - basis.size))
        made.append(basis.steps)
        block = basis.block
        assert block is not None
    return basis, remainder, made


@pytest.mark.parametrize("steps", [2, 7, 100])
def test_the_same_as_one_by_one(steps, rng):
    start = orthonormal_block(rng.standard_normal((N, 1)))
    operators = problem(rng), None
    operators = operators[0], Standard(operators[0].main, 0.0, np.dtype(float))
    one, _, each = grown(operators[0], start, 1)
    products = operators[0].main.n_matvec
    many, remainder, made = grown(operators[1], start, steps)
    assert set(each) == {1}
    assert sum(made) == 40
    assert max(made) == min(steps, 38)
    assert operators[1].main.n_matvec == 2 * products == 80
    assert operators[1].main.n_passes == 80
    # Rounding errors turn the later vectors, never the relation that they obey.
    T, V = many.T[:40, :40], many.V
    assert np.abs(V.T @ V - np.eye(40)).max() < 30 * EPS
    residual = operators[1].main.product(np.ascontiguousarray(V)) - V @ T
    residual[:, -1:] -= remainder
    assert np.abs(residual).max() < 30 * EPS
    np.testing.assert_array_equal(T, T.T)
    np.testing.assert_allclose(
        np.linalg.eigvalsh(T)[-10:], np.linalg.eigvalsh(one.T[:40, :40])[-10:], atol=1e-10
    )
    assert many.leak < 30 * EPS
    assert many.length == pytest.approx(
        np.linalg.norm(operators[1].main.product(V[:, -1:].copy())), rel=1e-12
    )


def test_only_after_single_vectors(rng):
    """After a wider block two vectors are not all that the next product is coupled to."""
    operator = problem(rng)
    basis = Basis(operator, 60, keeps_products=False)
    block = orthonormal_block(rng.standard_normal((N, 4)))
    for _ in range(3):
        basis.extend(block, 10.0, 5)
        assert basis.steps == 1
        block = basis.block
    basis.extend(block[:, :1].copy(), 10.0, 5)
    assert basis.steps == 1
    assert basis.leak < 100 * EPS


@pytest.mark.parametrize("change", ["complex", "shifted", "products"])
def test_only_for_real_sparse_matrices_alone(change, rng):
    dtype = complex if change == "complex" else float
    operator = problem(rng, dtype, 0.5 if change == "shifted" else 0.0)
    basis = Basis(operator, 60, keeps_products=change == "products")
    block = orthonormal_block(rng.standard_normal((N, 1)).astype(dtype))
    for _ in range(6):
        basis.extend(block, 10.0, 5)
        assert basis.steps == 1
        block = basis.block
    assert basis.size == 6


def test_room_and_order_limit_the_steps(rng):
    operator = problem(rng)
    basis = Basis(operator, 9, keeps_products=False)
    block = orthonormal_block(rng.standard_normal((N, 1)))
    while basis.size < 9:
        basis.extend(block, 10.0, 50)
        block = basis.block
    assert basis.size == 9
    assert np.abs(basis.V.T @ basis.V - np.eye(9)).max() < 30 * EPS


def test_infinity_is_refused(rng):
    operator = problem(rng)
    basis = Basis(operator, 30, keeps_products=False)
    block = orthonormal_block(rng.standard_normal((N, 1)))
    for _ in range(2):
        basis.extend(block, 10.0)
        block = basis.block
    operator.main.rows.data[0] = np.inf
    with pytest.raises(ValueError, match="`A` returned NaN or infinity"):
        basis.extend(block, 10.0, 5)


@pytest.mark.parametrize("overwrites", [True, False])
def test_pairs_of_a_basis_of_half_of_the_digits_are_polished(overwrites, rng):
    selection, values = Selection("LA", 5), np.concatenate([3.0 ** -np.arange(8), np.zeros(N - 8)])
    A = cases.block_diagonal(values + 1e-3 * rng.random(N), rng)
    operator = Standard(SparseBlock(A), 0.0, np.dtype(float))
    basis = Basis(operator, 60, overwrites=overwrites, keeps_products=False, chain_loss=EPS**0.5)
    block = orthonormal_block(rng.standard_normal((N, 1)))
    while basis.size < 50:
        basis.extend(block, 10.0, min(50 - basis.size, 9))
        block = basis.block
    before = basis.ritz(selection)
    # How much a chain loses depends on rounding: this is more, along what is wanted.
    basis.V[:, 1] += 1e-12 * before.vectors(slice(0, 1))[:, 0]
    X = before.vectors(slice(0, 5))
    assert np.abs(X.T @ X - np.eye(5)).max() > 1e-14
    polished = basis.hold(before.polished(selection))
    Y = polished.vectors(slice(0, 5))
    assert basis.size == 5
    np.testing.assert_array_equal(basis.V, Y)
    assert np.abs(Y.T @ Y - np.eye(5)).max() < 10 * EPS
    assert np.linalg.norm(polished.residuals(slice(0, 5)), axis=0).max() < 20 * EPS
    assert np.linalg.norm(A @ Y - Y * polished.theta, axis=0).max() < 20 * EPS
    exact = np.linalg.eigvalsh(A.toarray())[:-6:-1]
    np.testing.assert_allclose(polished.theta, exact, atol=20 * EPS)
    kept = np.array_equal(before.vectors(slice(0, 5)), X)
    assert kept is not overwrites
