"""A thick-restarted block Golub-Kahan decomposition, on which singular triplets are sought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.linalg.block import BlockOperator
from rnla.linalg.orth import column_lengths, orthonormal_block
from rnla.linalg.tall import combination, copy_rows, dots, reordered, without

# Columns this many roundoffs of ||A|| long are noise.
_NOISE = 10
# One projection leaves eps times the norm: too much in columns shorter than this part of the norm.
_SHORT = 0.03


@dataclass(frozen=True)
class Ritz:
    """Singular triplets of A on the subspaces of a decomposition, best first.

    Attributes
    ----------
    sigma : ndarray, shape (d,)
        Singular values of K.
    P, Q : ndarray, shape (d, d)
        Its singular vectors in columns: ``K Q = P diag(sigma)``.
    residuals : ndarray, shape (d,)
        ``||A^H U p - sigma V q||``; the other residual ``||A V q - sigma U p||`` is roundoff.
    """

    sigma: NDArray[Any]
    P: NDArray[Any]
    Q: NDArray[Any]
    residuals: NDArray[Any]


class GolubKahan:
    """Orthonormal U, V, F and small K, C with ``A V = U K`` and ``A^H U = V K^H + F C``.

    U and V are both orthogonalised in full, so K is A on these subspaces up to roundoff of
    ``||A||``: its singular values are never squared, and F C holds the residual of every triplet
    [1]_.

    Parameters
    ----------
    A : BlockOperator, shape (m, n)
        With m >= n.
    F : ndarray, shape (n, b)
        First block, orthonormal.
    capacity : int
        Columns that V may have, at most n.
    rng : Generator
        Replaces directions that vanish, where A is rank deficient or a subspace is invariant.

    References
    ----------
    .. [1] J. Baglama, L. Reichel, "Augmented implicitly restarted Lanczos bidiagonalization
       methods", SIAM J. Sci. Comput. 27 (2005), 19-42.
    """

    def __init__(
        self, A: BlockOperator, F: NDArray[Any], capacity: int, rng: np.random.Generator
    ) -> None:
        n = A.shape[1]
        self.A = A
        self.rng = rng
        self.capacity = min(capacity, n)
        self.norm = 0.0
        self._F: NDArray[Any] | None = F
        # What F C is where F has not been formed yet.
        self._rest: NDArray[Any] = F[:, :0]
        self._U, self._V = self._memory()
        self.K = np.zeros((0, 0), A.dtype)
        self.C = np.zeros((F.shape[1], 0), A.dtype)
        # Residuals that F does not hold: of triplets that were converged when it was replaced.
        self._left_over = np.zeros((0, 0), A.dtype)

    def _memory(self) -> tuple[NDArray[Any], NDArray[Any]]:
        m, n = self.A.shape
        shapes = (m, self.capacity), (n, self.capacity)
        U, V = (np.empty(shape, self.A.dtype, order="F") for shape in shapes)
        return U, V

    @property
    def size(self) -> int:
        """Columns of U and V."""
        return len(self.K)

    @property
    def complete(self) -> bool:
        """Whether V spans the whole space, so that K has all singular values of A."""
        return bool(self.size == self.A.shape[1])

    @property
    def full(self) -> bool:
        """Whether the next block does not fit."""
        return bool(self.size + self.F.shape[1] > self.capacity)

    @property
    def F(self) -> NDArray[Any]:
        """The next block, (n, b); that of an adopted basis is formed when asked for."""
        if self._F is None:
            floor = _NOISE * float(np.finfo(self.A.dtype).eps) * self.norm
            block, rest = orthonormal_block(self._rest, self.V, floor=floor), self._rest
            self.F, self.C = block, dots(block, rest)
            return block
        return self._F

    @F.setter
    def F(self, block: NDArray[Any]) -> None:
        self._F, self._rest = block, block[:, :0]

    @property
    def V(self) -> NDArray[Any]:
        """The right basis, (n, d)."""
        return self._V[:, : self.size]

    @property
    def U(self) -> NDArray[Any]:
        """The left basis, (m, d)."""
        return self._U[:, : self.size]

    def expand(self) -> None:
        """Take F into the basis: one product with A and one with its adjoint."""
        F, old = self.F, self.size
        width = F.shape[1]
        U_new, above, corner = self._extended(self.A.product(F), self.U, self.C.conj().T)
        K = np.zeros((old + width, old + width), self.K.dtype)
        K[:old, :old], K[:old, old:], K[old:, old:] = self.K, above, corner
        if self._V.shape[1] < self.capacity:
            # An adopted basis comes without room for more.
            U, V = self._memory()
            copy_rows(self.U, U[:, :old])
            copy_rows(self.V, V[:, :old])
            self._U, self._V = U, V
        self._U[:, old : old + width] = U_new
        self._V[:, old : old + width] = F
        self.K = K
        self.F, inside, outside = self._extended(self.A.adjoint(U_new), self.V, K[old:].conj().T)
        if old == 0:
            self._check_adjoint(inside, corner)
        # The residuals of older columns were held by F, which is in the basis now.
        self.C = np.hstack([np.zeros((len(outside), old), K.dtype), outside])
        pad = np.zeros((len(self._left_over), width), K.dtype)
        self._left_over = np.hstack([self._left_over, pad])

    def _extended(
        self, X: NDArray[Any], basis: NDArray[Any], expected: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return Q orthonormal to the basis B, and H and R with ``X = B H + Q R``.

        In exact arithmetic H is as expected: zero but for a few rows, as a rule. What is subtracted
        after that is rounding error, and does not grow from step to step.
        """
        if not np.isfinite(X.sum()):
            raise ValueError("a product of `A` with a finite block holds NaN or infinity")
        known = int(np.argmax(expected.any(axis=1))) if expected.size else 0
        rest = without(X, basis[:, known:], expected[known:])
        H = dots(basis, rest)
        rest = without(rest, basis, H)
        H += expected
        Q, R = np.linalg.qr(rest)
        sigma = np.linalg.svd(R, compute_uv=False) if R.size else np.zeros(1)
        self.norm = max(self.norm, float(sigma[0]))
        if sigma[-1] <= _SHORT * self.norm:
            # Short columns: what they had in the basis by rounding is no longer little.
            floor = _NOISE * float(np.finfo(X.dtype).eps) * self.norm
            Q = orthonormal_block(rest, basis, floor=floor, rng=self.rng)
            R = Q.conj().T @ rest
        return Q, H, R

    def _check_adjoint(self, G: NDArray[Any], corner: NDArray[Any]) -> None:
        # Two ways to form F^H A^H U_new, which differ if the two products are not adjoint.
        defect = float(np.linalg.norm(G - corner.conj().T))
        if defect > np.sqrt(np.finfo(G.dtype).eps) * max(float(np.linalg.norm(G)), self.norm):
            raise ValueError(
                "`A.rmatvec` must be the adjoint of `A.matvec`: <A x, y> and <x, A^H y> differ by "
                f"{defect:.1e} of {self.norm:.1e}"
            )

    def ritz(self, largest: bool) -> Ritz:
        """Return the triplets of K, the largest or the smallest first.

        Parameters
        ----------
        largest : bool
            Which end comes first.

        Returns
        -------
        Ritz
            All d of them.
        """
        P, sigma, QH = np.linalg.svd(self.K)
        self.norm = max(self.norm, float(sigma[0]))
        if not largest:
            P, sigma, QH = P[:, ::-1], sigma[::-1], QH[::-1]
        residuals = np.linalg.norm(np.vstack([self.C, self._left_over]) @ P, axis=0)
        return Ritz(sigma, P, QH.conj().T, residuals)

    def restart(self, ritz: Ritz, keep: int) -> None:
        """Keep the best triplets and F.

        Parameters
        ----------
        ritz : Ritz
            The triplets of K.
        keep : int
            How many.
        """
        # Fresh memory: earlier states hold views of the old bases.
        U, V = self._memory()
        np.matmul(self.U, ritz.P[:, :keep], out=U[:, :keep])
        np.matmul(self.V, ritz.Q[:, :keep], out=V[:, :keep])
        self._U, self._V = U, V
        self.K = np.diag(ritz.sigma[:keep]).astype(self.K.dtype)
        self.C = self.C @ ritz.P[:, :keep]
        self._left_over = self._left_over @ ritz.P[:, :keep]

    def refresh(self, ritz: Ritz, keep: int) -> None:
        """Keep triplets and form everything anew from A: rounding errors add up over restarts.

        Parameters
        ----------
        ritz : Ritz
            The triplets of K.
        keep : int
            How many to keep. As many products with A and with its adjoint, and the residuals that
            `ritz` returns next are true ones.
        """
        self.capacity = min(max(self.capacity, 2 * keep), self.A.shape[1])
        self._adopt(orthonormal_block(self.V @ ritz.Q[:, :keep], rng=self.rng))

    def adopt(self, X: NDArray[Any]) -> None:
        """Begin anew with a right basis that someone else has found.

        Parameters
        ----------
        X : ndarray, shape (n, d)
            With d at most `capacity`. Residuals that `ritz` returns next are true ones.
        """
        self._adopt(orthonormal_block(X, rng=self.rng))

    def power(self) -> None:
        """Replace V by ``A^H U``: noise in directions of small singular values falls by squares."""
        rest = self._rest if self._F is None else self.F @ self.C
        self.adopt(combination(self.V, self.K.conj().T) + rest)

    def _adopt(self, V: NDArray[Any]) -> None:
        keep = V.shape[1]
        W = self.A.product(V)
        self.norm = max(self.norm, float(column_lengths(W).max()))
        floor = _NOISE * float(np.finfo(self.A.dtype).eps) * self.norm
        U = orthonormal_block(W, floor=floor, rng=self.rng)
        Z = self.A.adjoint(U)
        self._U, self._V = reordered(U, "F"), reordered(V, "F")
        self.K = dots(self._U, W)
        # Norms of residuals are all that is needed where they are small enough. Until F is asked
        # for, C is a root of their Gram matrix, column by column, for some may be far shorter.
        self._F, self._rest = None, reordered(without(Z, self.V, self.K.conj().T), "F")
        G = dots(self._rest, self._rest)
        lengths = np.sqrt(np.diagonal(G).real)
        unit = np.where(lengths > 0, lengths, 1)
        squares, Q = np.linalg.eigh(G / (unit[:, None] * unit))
        self.C = np.sqrt(np.maximum(squares, 0))[:, None] * Q.conj().T * lengths
        self._left_over = np.zeros((0, keep), self.A.dtype)

    def probe(self, ritz: Ritz, keep: int, block: NDArray[Any], capacity: int) -> None:
        """Keep triplets that have converged and go on from a block that knows nothing of them.

        Parameters
        ----------
        ritz : Ritz
            The triplets of K.
        keep : int
            How many have converged.
        block : ndarray, shape (n, b)
            Random.
        capacity : int
            Columns that V may have from now on.
        """
        self.capacity = min(max(capacity, self.capacity), self.A.shape[1])
        self.restart(ritz, keep)
        self._left_over = np.diag(ritz.residuals[:keep]).astype(self.K.dtype)
        self.F = orthonormal_block(block, self.V, rng=self.rng)
        self.C = np.zeros((self.F.shape[1], keep), self.K.dtype)
