"""How many eigenvalues lie beyond a number, from a few steps of block Lanczos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnla.eigen._basis import Basis
from rnla.eigen._problem import Problem
from rnla.eigen._ritz import Ritz
from rnla.eigen._select import Selection
from rnla.linalg.orth import orthonormal_block, random_block

# Columns and steps of the recurrence.
_COLUMNS, _STEPS = 4, 10
# In units of eps times the norm: what is left of a product, and is rounding error.
_NOISE = 10.0


@dataclass(frozen=True)
class Density:
    r"""Gauss quadrature of the spectral density.

    For a random block with b columns the number of eigenvalues beyond t is about

    .. math:: N(t) = \frac{n}{b} \sum_{\theta_j > t} \|S_{1:b,\,j}\|^2

    with the Ritz values of block Lanczos and the first rows of its coefficients [1]_. The estimate
    for m eigenvalues is right within a share of :math:`\sqrt{2 / (b m)}`, as far as the nodes
    resolve the spectrum.

    Attributes
    ----------
    ritz : Ritz
        Ritz pairs, most wanted first.
    selection : Selection
        What "beyond" means.
    counts : ndarray, shape (m,)
        Eigenvalues that each Ritz value stands for.
    noise : float
        What the operator has shown to round.

    References
    ----------
    .. [1] L. Lin, Y. Saad, C. Yang, "Approximating spectral densities of large matrices", SIAM
       Rev. 58 (2016), 34-65.
    """

    ritz: Ritz
    selection: Selection
    counts: np.ndarray
    noise: float

    @property
    def leading(self) -> float:
        """Eigenvalues that the first nodes stand for: a multiple one shows in every column."""
        return float(self.counts[:_COLUMNS].sum())

    def edge(self, count: float) -> float:
        """Return the number beyond which so many eigenvalues lie.

        Parameters
        ----------
        count : float
            How many.

        Returns
        -------
        float
            Interpolated between Ritz values; a magnitude for "LM".
        """
        keys = self.selection.keys(self.ritz.theta)
        beyond = np.cumsum(self.counts) - self.counts / 2
        edge = float(np.interp(count, beyond, keys))
        return -edge if self.selection.which == "SA" else edge


def spectral_density(problem: Problem, selection: Selection, rng: np.random.Generator) -> Density:
    """Run block Lanczos for a few steps from a random block.

    Parameters
    ----------
    problem : Problem
        The operator, without an inner product of its own.
    selection : Selection
        The order of Ritz values.
    rng : Generator
        For the block.

    Returns
    -------
    Density
        At the price of 40 products.
    """
    n, dtype = problem.n, problem.dtype
    columns = min(_COLUMNS, n)
    basis = Basis(problem, min(n, columns * _STEPS), keeps_products=False)
    noise, eps = 0.0, float(np.finfo(dtype).eps)
    block = orthonormal_block(random_block(rng, (n, columns), dtype), rng=rng)
    while block.shape[1] and basis.size + block.shape[1] <= basis.capacity:
        remainder = basis.extend(block, _NOISE)
        noise = max(noise, basis.leak)
        if basis.block is not None:
            block = basis.block
            continue
        block = orthonormal_block(
            remainder[:, : n - basis.size],
            basis.V,
            floor=_NOISE * eps * basis.length,
            projections=basis.projections,
            rng=rng,
        )
    ritz = basis.ritz(selection)
    shares = np.sum(np.abs(ritz.S[:columns]) ** 2, axis=0)
    return Density(ritz, selection, n / columns * shares, noise)
