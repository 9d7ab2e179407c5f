"""Problems that are solved with an inverse, whose large eigenvalues are those near a shift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnla.eigen._definite import most_rank
from rnla.eigen._problem import Problem
from rnla.linalg.block import BlockOperator
from rnla.linalg.orth import orthonormal_block, random_block

if TYPE_CHECKING:
    from rnla.eigen._basis import Ritz

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
    """

    name = "shift-invert lanczos"

    def __init__(
        self, inverse: BlockOperator, M: BlockOperator | None, sigma: float, dtype: Any
    ) -> None:
        super().__init__(inverse, sigma, dtype)
        self._measure_by(M)
        self.purifies = M is not None
        if M is not None:
            self.dimension = most_rank(M)

    def _product(self, V: NDArray[Any], BV: NDArray[Any]) -> NDArray[Any]:
        return self.main.product(BV)

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
        if not self.purifies:
            return super().orthonormal(X, V, BV, rng, floor=floor, projections=projections)
        V = np.empty((self.n, 0), self.dtype) if V is None else V
        BV = V if BV is None else BV
        wanted = min(X.shape[1], self.dimension - V.shape[1])
        Q = self._without_null(X[:, :wanted], V, BV, floor, projections)
        for _ in range(_DRAWS):
            missing = wanted - Q.shape[1]
            if missing <= 0:
                break
            known, image = np.hstack([V, Q]), np.hstack([BV, self.image(Q)])
            fresh = random_block(rng, (self.n, missing), self.dtype)
            # The inverse magnifies what is known: only the rest is to be multiplied by it.
            fresh = self._without_null(fresh, known, image)
            if fresh.shape[1]:
                fresh = self._without_null(self.purified(fresh), known, image)
            Q = np.hstack([Q, fresh])
        return Q

    def _without_null(
        self,
        X: NDArray[Any],
        V: NDArray[Any],
        BV: NDArray[Any],
        floor: float = 0.0,
        projections: int = 0,
    ) -> NDArray[Any]:
        return orthonormal_block(
            X,
            V,
            inner=self.inner,
            basis_image=BV,
            inner_norm=self.inner_norm,
            semidefinite=True,
            floor=floor,
            projections=projections,
        )

    def purified(self, X: NDArray[Any]) -> NDArray[Any]:
        if not self.purifies:
            return X
        return self.main.product(self.image(X)).astype(self.dtype, copy=False)

    def finished(self, ritz: Ritz, columns: slice) -> NDArray[Any]:
        if not self.purifies:
            return ritz.vectors(columns)
        return np.asarray(
            ritz.products(columns) / ritz.theta[columns].astype(np.empty(0, self.dtype).real.dtype)
        )

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

    def _product(self, V: NDArray[Any], BV: NDArray[Any]) -> NDArray[Any]:
        return V + 2 * self.sigma * self.main.product(BV)

    def finished(self, ritz: Ritz, columns: slice) -> NDArray[Any]:
        # OP keeps null vectors of M; the inverse times M does not.
        X = ritz.vectors(columns)
        if not self.purifies:
            return X
        Y = self.purified(X)
        lengths = np.sqrt(np.einsum("ij,ij->j", Y.conj(), self.image(Y)).real)
        return np.asarray(Y / np.where(lengths > 0, lengths, 1))

    def eigenvalues(self, theta: NDArray[Any]) -> NDArray[Any]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.sigma * (theta + 1) / (theta - 1))
