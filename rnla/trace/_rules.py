"""Quadrature rules from Lanczos coefficients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rnla._core.threads import single_threaded_blas

Floats: TypeAlias = NDArray[np.float64]
NodesAndWeights: TypeAlias = tuple[Floats, Floats]

# Factor for changes that neither fall nor grow, or of which there is one only.
_STALLED = 2.0
# The smallest Ritz value falls like the square of the steps, and 1/x grows accordingly.
_FASTEST = 4.0
# Growth over more doublings than this would make bars of partition functions, whose few large terms
# samples meet late, useless; these are enough for 1/x at condition 1e6.
_DOUBLINGS = 5.0
# Changes of this part of the sum of moduli are rounding, whatever their ratio.
_NOISE = 1e-12


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A quadrature rule, and others by which its error is judged.

    Attributes
    ----------
    nodes, weights : ndarray, shape (k,)
        The rule; weights may be negative where something known was subtracted.
    others : tuple of (nodes, weights)
        The rules of half and of a quarter of the steps, or those that bracket the integral; none
        for an exact rule.
    brackets : bool
        Which of the two.
    steps : int
        Lanczos steps, or products, that it took.
    doublings : float
        How often the steps can be doubled until the rule is exact.
    """

    nodes: Floats = field(repr=False)
    weights: Floats = field(repr=False)
    others: tuple[NodesAndWeights, ...] = field(default=(), repr=False)
    steps: int
    brackets: bool = False
    doublings: float = 0.0

    @property
    def pieces(self) -> list[NodesAndWeights]:
        """The rule itself and those it is judged by."""
        return [(self.nodes, self.weights), *self.others]

    def minus(self, nodes: Floats, weights: Floats) -> Rule:
        """Return the rule for the difference to a sum that is known."""
        (fine, fine_weights), *others = [
            (np.concatenate([each, nodes]), np.concatenate([mass, -weights]))
            for each, mass in self.pieces
        ]
        return replace(self, nodes=fine, weights=fine_weights, others=tuple(others))

    def error(self, totals: Sequence[Floats], size: Floats) -> Floats:
        """Return how far off the rule is, from the sums of `pieces` and that of the moduli."""
        if self.brackets:
            return np.asarray(np.max([np.abs(totals[0] - each) for each in totals[1:]], axis=0))
        changes = [np.abs(a - b) for a, b in pairwise(totals)]
        if not changes:
            return np.zeros_like(totals[0])
        return extrapolated(*changes, doublings=self.doublings, noise=_NOISE * size)


def extrapolated(
    half: Floats,
    quarter: Floats | None = None,
    *,
    doublings: float = 0.0,
    noise: Floats | float = 0.0,
) -> Floats:
    """Return an estimate of the error after k steps, from what doubling the steps has changed.

    Parameters
    ----------
    half : ndarray
        Size of the change from k / 2 to k steps.
    quarter : ndarray, optional
        Size of the change from k / 4 to k / 2 steps.
    doublings : float
        How often k can be doubled until nothing changes any more.
    noise : ndarray or float
        Changes up to this are rounding, and do not grow.

    Returns
    -------
    ndarray
        ``1.5 r / (1 - r)`` times `half` with the ratio r of both, twice `half` at the most. That is
        1.5 times the error if it falls like a power of k, from ``k ** -0.65`` on, and far more than
        the error if it falls like ``c ** k``. Changes that grow, r > 1, as for ``1/x`` while the
        smallest eigenvalues are out of sight, are taken to grow for five doublings at the most.
    """
    if quarter is None:
        return np.asarray(_STALLED * half)
    before = np.maximum(quarter, half / _FASTEST)
    ratio = np.divide(half, before, out=np.ones_like(half), where=before > 0)
    below = np.minimum(ratio, 0.9)
    factor = np.minimum(_STALLED, 1.5 * below / (1 - below))
    growth = np.maximum(ratio, 1.0) ** min(doublings, _DOUBLINGS)
    return np.asarray(half * factor * np.where(half > noise, growth, 1.0))


def checkpoints(fraction: int) -> Iterator[int]:
    """Yield numbers of steps, each beyond the one before by a fraction of it, by two at least."""
    steps = 3
    while True:
        yield steps
        steps += max(2, steps // fraction)


def gauss_rule(alpha: Floats, beta: Floats) -> NodesAndWeights:
    """Return nodes and weights of the Gauss rules of Jacobi matrices, weights summing to one.

    Parameters
    ----------
    alpha : ndarray, shape (p, k)
        Diagonals.
    beta : ndarray, shape (p, k - 1)
        The diagonals beside them.

    Returns
    -------
    nodes, weights : ndarray, shape (p, k)
        The eigenvalues, and the squares of the first entries of the eigenvectors.
    """
    nodes, S = hermitian_eig(_jacobi(alpha, beta))
    return nodes, S[:, 0] ** 2


def radau_rule(alpha: Floats, beta: Floats, end: float) -> NodesAndWeights:
    """Return the Gauss-Radau rules with one node at an end of the spectrum [1]_.

    Parameters
    ----------
    alpha, beta : ndarray, shape (p, k)
        Diagonals of Jacobi matrices; the last entries of `beta` lead to the next step.
    end : float
        Not inside the spectrum.

    Returns
    -------
    nodes, weights : ndarray, shape (p, k + 1)
        As from `gauss_rule`.

    References
    ----------
    .. [1] G. H. Golub, G. Meurant, "Matrices, Moments and Quadrature with Applications", 2010,
       section 6.2.
    """
    nodes, S = hermitian_eig(_jacobi(alpha, beta[:, :-1]))
    gaps = nodes - end
    # A Ritz value at the end itself: its vector has no weight in the last entry.
    gaps[gaps == 0] = np.inf
    last = end + beta[:, -1] ** 2 * (S[:, -1] ** 2 / gaps).sum(axis=1)
    return gauss_rule(np.column_stack([alpha, last]), beta)


def _jacobi(alpha: Floats, beta: Floats) -> Floats:
    p, k = alpha.shape
    T = np.zeros((p, k, k))
    diagonal = np.arange(k)
    T[:, diagonal, diagonal] = alpha
    # The lower triangle is all that is read.
    T[:, diagonal[1:], diagonal[:-1]] = beta
    return T


def hermitian_eig(T: NDArray[Any]) -> tuple[Floats, NDArray[Any]]:
    """Return eigenvalues and eigenvectors of small matrices, the same bits for all threads."""
    with single_threaded_blas():
        nodes, S = np.linalg.eigh(T)
    return nodes, S
