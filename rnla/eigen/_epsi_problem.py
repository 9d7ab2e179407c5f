"""The two problems of EPSI as one: H is A itself, or A^H A that is never formed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.linalg.block import BlockOperator
from rnla.linalg.factor import column_scale
from rnla.linalg.orth import column_lengths, orthonormal_block, random_block


@dataclass(frozen=True)
class Pairs:
    """Orthonormal vectors, their Ritz values and residuals, in the scaled problem.

    Attributes
    ----------
    X : ndarray, shape (n, q)
        Ritz vectors.
    theta : ndarray, shape (q,)
        Their Ritz values of H, in the order wanted.
    R : ndarray, shape (n, q)
        ``H X - X diag(theta)``.
    values : ndarray, shape (q,)
        Eigenvalues of A, or its singular values.
    norms : ndarray, shape (q,)
        Residual norms of pairs or triplets of A.
    left : ndarray, shape (m, q), or None
        Left singular vectors.
    """

    X: NDArray[Any]
    theta: NDArray[Any]
    R: NDArray[Any]
    values: NDArray[Any]
    norms: NDArray[np.float64]
    left: NDArray[Any] | None = None


class Problem(ABC):
    """A matrix scaled by a power of two, so that squares neither overflow nor underflow.

    Parameters
    ----------
    A : BlockOperator
        The matrix.
    rng : Generator
        For the one product that finds the scale.

    Attributes
    ----------
    scale : float
        Lower bound of the norm of the scaled A: the longest product with a unit vector so far.
    """

    def __init__(self, A: BlockOperator, rng: np.random.Generator) -> None:
        self.A = A
        self.n = A.shape[1]
        self.unit = 1.0
        self.scale = 0.0
        z = random_block(rng, (self.n, 1), A.dtype)
        y = A.product(z / column_lengths(z))
        # By the largest entry first: the square of its length may leave the range.
        peak = max(np.abs(y.real).max(initial=0.0), np.abs(y.imag).max(initial=0.0))
        if not np.isfinite(peak):
            raise ValueError("`A` must not return NaN or infinity for a finite vector")
        self.unit = float(column_scale(np.array([peak]))[0])
        self.scale = float(column_lengths(y * np.asarray(self.unit, y.real.dtype))[0])

    def forward(self, X: NDArray[Any]) -> NDArray[Any]:
        """Multiply by the scaled A and watch its norm."""
        Y = self.A.product(X)
        Y = Y * np.asarray(self.unit, Y.real.dtype)
        lengths = column_lengths(Y)
        if not np.isfinite(lengths).all():
            raise np.linalg.LinAlgError("`A` returned NaN or infinity for a finite vector")
        # Columns of a sketch are no unit vectors.
        units = column_lengths(X)
        quotients = np.divide(lengths, units, out=np.zeros_like(lengths), where=units > 0)
        self.scale = max(self.scale, float(np.max(quotients, initial=0.0)))
        return np.asarray(Y)

    @abstractmethod
    def product(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return ``H X`` for the scaled problem."""

    @abstractmethod
    def reached(self, pairs: Pairs) -> NDArray[Any]:
        """Return what the scaled A has at least: the j-th number bounds its j-th one from below."""

    @abstractmethod
    def pairs(self, X: NDArray[Any]) -> Pairs:
        """Return the Ritz pairs in the span of orthonormal X."""

    def order(self, theta: NDArray[Any]) -> NDArray[np.intp]:
        """Return the permutation that puts the Ritz values of H wanted first."""
        return np.argsort(-theta, kind="stable")

    def start_from(self, V: NDArray[Any], q: int, rng: np.random.Generator) -> NDArray[Any]:
        """Return an orthonormal block of q vectors, the given ones first."""
        missing = random_block(rng, (self.n, max(0, q - V.shape[1])), V.dtype)
        return orthonormal_block(np.hstack([V[:, :q], missing]), rng=rng)


class HermitianProblem(Problem):
    """Eigenpairs of a Hermitian A; H = A, or -A where the lowest are wanted."""

    def __init__(self, A: BlockOperator, which: str, rng: np.random.Generator) -> None:
        super().__init__(A, rng)
        self.which = which
        if which == "SA":
            self.unit = -self.unit

    def product(self, X: NDArray[Any]) -> NDArray[Any]:
        return self.forward(X)

    def pairs(self, X: NDArray[Any]) -> Pairs:
        AX = self.forward(X)
        T = X.conj().T @ AX
        theta, W = np.linalg.eigh((T + T.conj().T) / 2)
        order = self.order(theta)
        theta, W = theta[order], W[:, order]
        X, AX = X @ W, AX @ W
        R = AX - X * theta
        return Pairs(X, theta, R, theta / self.unit, column_lengths(R).astype(np.float64))

    def reached(self, pairs: Pairs) -> NDArray[Any]:
        return np.abs(pairs.theta) if self.which == "LM" else pairs.theta

    def order(self, theta: NDArray[Any]) -> NDArray[np.intp]:
        return np.argsort(-np.abs(theta) if self.which == "LM" else -theta, kind="stable")


class SingularProblem(Problem):
    """Singular triplets of A; H = A^H A."""

    def product(self, X: NDArray[Any]) -> NDArray[Any]:
        return self._backward(self.forward(X))

    def reached(self, pairs: Pairs) -> NDArray[Any]:
        return np.asarray(pairs.values * self.unit)

    def _backward(self, Y: NDArray[Any]) -> NDArray[Any]:
        Z = self.A.adjoint(Y)
        return np.asarray(Z * np.asarray(self.unit, Z.real.dtype))

    def pairs(self, X: NDArray[Any]) -> Pairs:
        # Of A X, not of X^H A^H A X: small singular values keep their relative accuracy.
        P, sigma, WH = np.linalg.svd(self.forward(X), full_matrices=False)
        X = X @ WH.conj().T
        D = self._backward(P) - X * sigma
        return Pairs(
            X, sigma**2, D * sigma, sigma / self.unit, column_lengths(D).astype(np.float64), P
        )


class ProductBlock(BlockOperator):
    """H of the scaled problem as a matrix: what a surrogate is made of."""

    def __init__(self, problem: Problem) -> None:
        super().__init__((problem.n, problem.n), problem.A.dtype)
        self._problem = problem

    def _product(self, X: NDArray[Any]) -> NDArray[Any]:
        return self._problem.product(X)

    def _adjoint(self, X: NDArray[Any]) -> NDArray[Any]:
        return self._problem.product(X)
