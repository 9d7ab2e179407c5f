"""A basis that is orthonormal to half of the digits knows A in its span to all of them."""

import eigen_cases as cases
import numpy as np
import pytest

from rnla.eigen._basis import Basis
from rnla.eigen._problem import Standard
from rnla.eigen._select import Selection
from rnla.linalg.block import as_block_operator
from rnla.linalg.orth import orthonormal_block
from rnla.linalg.orthogonality import BlockLossOfOrthogonality

N, B, STEPS = 400, 4, 30
# The first ones converge long before the basis is full.
SPECTRUM = np.concatenate([[60.0, 50.0, 40.0, 30.0], np.linspace(-1, 1, N - 4)])


def hermitian(dtype, rng):
    return cases.hermitian(SPECTRUM, rng, dtype)


def problem(A):
    return Standard(as_block_operator(A, "A"), 0.0, A.dtype)


class Run:
    """A basis of so many steps, and in how many of them it was projected as a whole."""

    def __init__(self, operator, rng, steps=STEPS, restart_at=None):
        self.basis = Basis(operator, B * (STEPS + 1), keeps_products=False, semiorthogonal=True)
        self.whole = 0
        dtype = operator.dtype
        block = orthonormal_block(rng.standard_normal((N, B)).astype(dtype), rng=rng)
        for step in range(steps):
            remainder = self.basis.extend(block, 10.0)
            self.whole += self.basis.projections != 2
            block = self.basis.block
            if block is None:
                block = orthonormal_block(remainder, self.basis.V, rng=rng)
            if step == restart_at:
                self.basis.restart(self.ritz(), 20)
                block = orthonormal_block(block, self.basis.V, rng=rng)
        self.remainder, self.block = remainder, block

    def ritz(self):
        return self.basis.ritz(Selection("LA", 4))

    @property
    def lost(self):
        V = self.basis.V
        return np.abs(V.conj().T @ V - np.eye(V.shape[1])).max()


DTYPES = [np.float32, np.float64, np.complex64, np.complex128]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("restart_at", [None, 12])
def test_half_of_the_digits_are_kept_at_a_fraction_of_the_projections(dtype, restart_at, rng):
    run = Run(problem(hermitian(dtype, rng)), rng, restart_at=restart_at)
    eps = np.finfo(dtype).eps
    assert 10 * eps < run.lost < 10 * np.sqrt(eps)
    # In single precision half of the digits are lost in a few steps.
    assert run.whole <= STEPS * (0.5 if eps < 1e-10 else 0.8)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("restart_at", [None, 12])
def test_ritz_values_are_right_to_rounding(dtype, restart_at, rng):
    A = hermitian(dtype, rng)
    run = Run(problem(A), rng, restart_at=restart_at)
    ritz = run.ritz()
    eps = np.finfo(dtype).eps
    exact = np.sort(np.linalg.eigvalsh(A.astype(np.result_type(dtype, np.float64))))[::-1]
    assert np.abs(ritz.theta[:4] - exact[:4]).max() < 200 * eps * 60
    # A vector of its own span, orthonormalised, is an eigenvector.
    X = np.linalg.qr(ritz.vectors(slice(0, 4)))[0]
    R = A @ X - X @ (X.conj().T @ A @ X)
    # What a restart mixes up among its vectors is more than rounding.
    roundoffs = 400 if restart_at is None else 2000
    assert np.linalg.norm(R, axis=0).max() < roundoffs * eps * 60


def test_residuals_follow_from_the_recurrence(rng):
    A = hermitian(np.float64, rng)
    run = Run(problem(A), rng, steps=8)
    ritz = run.ritz()
    coupling = run.block.conj().T @ run.remainder
    estimates = np.linalg.norm(coupling @ ritz.S[-B:], axis=0)
    X = ritz.vectors(slice(0, 32))
    true = np.linalg.norm(A @ X - X * ritz.theta, axis=0)
    np.testing.assert_allclose(estimates, true, rtol=1e-6, atol=1e-7)


def test_inaccurate_products_are_noticed(rng):
    A = hermitian(np.float64, rng)

    class Noisy(Standard):
        def _product(self, V, BV):
            return super()._product(V, BV) + 1e-9 * rng.standard_normal(V.shape)

    run = Run(Noisy(as_block_operator(A, "A"), 0.0, A.dtype), rng)
    assert run.lost < 1e-4
    assert run.basis.leak > 1e-10


def test_ghosts_come_where_nobody_watches(rng, monkeypatch):
    """The control: without the estimate the basis finds its first vectors again."""
    monkeypatch.setattr(BlockLossOfOrthogonality, "advance", lambda *arguments: 0.0)
    run = Run(problem(hermitian(np.float64, rng)), rng, steps=20)
    assert run.lost > 0.1
    # The first eigenvalue is there twice.
    assert abs(run.ritz().theta[1] - SPECTRUM[1]) > 1
