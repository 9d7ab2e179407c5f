"""Problems that are solved with an inverse, whose large eigenvalues are those near a shift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnla.eigen._definite import InnerSpace
from rnla.eigen._problem import Problem
from rnla.linalg.block import BlockOperator
from rnla.linalg.orth import orthonormal_block, random_block

if TYPE_CHECKING:
    from rnla.eigen._ritz import Ritz

# How often to draw random vectors in the place of those that vanish.
_DRAWS = 4


class ShiftInvert(Problem):
    """``OP = (A - sigma M)^-1 M`` in the inner product of M, ``theta = 1 / (w - sigma)``.

    Parameters
    ----------
    inverse : BlockOperator, shape (n, n)
        Of ``A - sigma M``.
    M : BlockOperator or None
        None for the identity; it may be singular.
    sigma : float
        The shift.
    dtype : dtype
        Working precision.
    space : InnerSpace, optional
        What is known of the range of M.
    """

    name = "shift-invert lanczos"
    # OP does it, and sharpens vectors on the way.
    _purifies_at_no_cost = True

    def __init__(
        self,
        inverse: BlockOperator,
        M: BlockOperator | None,
        sigma: float,
        dtype: Any,
        space: InnerSpace | None = None,
    ) -> None:
        super().__init__(inverse, sigma, dtype)
        self._measure_by(M)
        self.space = space or InnerSpace(self.n, M is None)
        self.dimension = self.space.rank
        singular = not (self.space.is_known and self.space.is_whole)
        self.purifies = M is not None and (singular or self._purifies_at_no_cost)

    def _product(self, V: NDArray[Any], BV: NDArray[Any]) -> NDArray[Any]:
        # Vectors that differ by a null vector of M are one to OP and M. The search works with those
        # that have none, for unseen it would grow; the way back is one more product.
        return self.space.part(self.main.product(BV))

    def orthonormal(
        self,
        X: NDArray[Any],
        V: NDArray[Any] | None,
        BV: NDArray[Any] | None,
        rng: np.random.Generator,
        *,
        floor: float = 0.0,
        projections: int = 0,
    ) -> NDArray[Any]:
        if self.space.is_known and self.space.is_whole:
            return super().orthonormal(X, V, BV, rng, floor=floor, projections=projections)
        V = np.empty((self.n, 0), self.dtype) if V is None else V
        BV = V if BV is None else BV
        # What is rounding error in a product need not be beside what is left of it.
        X = self.space.part(X[:, : self.dimension - V.shape[1]])
        width = X.shape[1]
        Q = self._new(X, V, BV, not self.space.is_known, floor, projections)
        if Q.shape[1] == width:
            return Q
        if not self.space.is_known:
            if not self._random(rng, 1, V, BV).shape[1]:
                return Q
            # Something is left: what is short beside its null vector may belong to it.
            Q = self._new(X, V, BV, False, floor, projections)
        for _ in range(_DRAWS):
            missing = width - Q.shape[1]
            if missing <= 0:
                break
            known, image = np.hstack([V, Q]), np.hstack([BV, self.image(Q)])
            Q = np.hstack([Q, self._random(rng, missing, known, image)])
        return Q

    def _random(
        self, rng: np.random.Generator, width: int, V: NDArray[Any], BV: NDArray[Any]
    ) -> NDArray[Any]:
        """Return random directions beside the basis, fewer where there are none."""
        X, unknown = random_block(rng, (self.n, width), self.dtype), not self.space.is_known
        X = self._new(self.space.part(X), V, BV, unknown)
        if not (unknown and X.shape[1]):
            return X
        # The inverse would have magnified what is in the basis.
        return self._new(self.purified(X), V, BV, True)

    def _new(
        self,
        X: NDArray[Any],
        V: NDArray[Any],
        BV: NDArray[Any],
        semidefinite: bool,
        floor: float = 0.0,
        projections: int = 0,
    ) -> NDArray[Any]:
        return orthonormal_block(
            X,
            V,
            inner=self.inner,
            basis_image=BV,
            inner_norm=self.inner_norm,
            semidefinite=semidefinite,
            floor=floor,
            projections=projections,
        )

    def _from_range(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return the inverse times M times X, which has no part of an infinite eigenvalue."""
        return self.main.product(self.image(X)).astype(self.dtype, copy=False)

    def purified(self, X: NDArray[Any]) -> NDArray[Any]:
        return self.space.part(self._from_range(X)) if self.purifies else X

    def finished(self, ritz: Ritz, columns: slice) -> NDArray[Any]:
        if not self.purifies:
            return ritz.vectors(columns)
        theta = ritz.theta[columns].astype(np.empty(0, self.dtype).real.dtype)
        if self.space.is_whole:
            return np.asarray(ritz.products(columns) / theta)
        return np.asarray(self._from_range(ritz.vectors(columns)) / theta)

    def eigenvalues(self, theta: NDArray[Any]) -> NDArray[Any]:
        with np.errstate(divide="ignore"):
            return np.asarray(self.sigma + 1 / theta)


class Buckling(ShiftInvert):
    """``OP = (A - sigma M)^-1 A`` in the inner product of A, ``theta = w / (w - sigma)``.

    Parameters are those of `ShiftInvert` with A, which is positive definite, in the place of M.
    """

    def eigenvalues(self, theta: NDArray[Any]) -> NDArray[Any]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.sigma * theta / (theta - 1))


class Reflected(Problem):
    """``OP = I - sigma A^-1 M`` in the inner product of A, the inverse of the buckling operator.

    Parameters
    ----------
    inverse : BlockOperator, shape (n, n)
        Of A.
    A, M : BlockOperator
        The pencil; M may be None for the identity.
    sigma : float
        The shift.
    dtype : dtype
        Working precision.
    """

    name = "shift-invert lanczos"

    def __init__(
        self,
        inverse: BlockOperator,
        A: BlockOperator,
        M: BlockOperator | None,
        sigma: float,
        dtype: Any,
    ) -> None:
        super().__init__(inverse, sigma, dtype)
        self._measure_by(A)
        self.M = M

    def _product(self, V: NDArray[Any], BV: NDArray[Any]) -> NDArray[Any]:
        MV = V if self.M is None else self.M.product(V)
        return V - self.sigma * self.main.product(MV.astype(self.dtype, copy=False))

    def eigenvalues(self, theta: NDArray[Any]) -> NDArray[Any]:
        with np.errstate(divide="ignore"):
            return np.asarray(self.sigma / (1 - theta))


class Cayley(ShiftInvert):
    """``OP = (A - sigma M)^-1 (A + sigma M)``, ``theta = (w + sigma) / (w - sigma)``.

    Parameters are those of `ShiftInvert`. OP is applied as ``I + 2 sigma (A - sigma M)^-1 M``.
    """

    _purifies_at_no_cost = False

    def _product(self, V: NDArray[Any], BV: NDArray[Any]) -> NDArray[Any]:
        return V + 2 * self.sigma * super()._product(V, BV)

    def finished(self, ritz: Ritz, columns: slice) -> NDArray[Any]:
        # OP keeps null vectors of M; the inverse times M does not, but it magnifies errors of
        # vectors far from the shift.
        X = ritz.vectors(columns)
        if not self.purifies:
            return X
        Y = self._from_range(X)
        lengths = np.sqrt(np.einsum("ij,ij->j", Y.conj(), self.image(Y)).real)
        return np.asarray(Y / np.where(lengths > 0, lengths, 1))

    def eigenvalues(self, theta: NDArray[Any]) -> NDArray[Any]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.sigma * (theta + 1) / (theta - 1))
