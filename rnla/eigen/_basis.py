"""The search space: an orthonormal basis V, its products OP V, and the projection of OP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.eigen._problem import Problem
from rnla.eigen._ritz import Ritz
from rnla.eigen._select import Selection
from rnla.linalg.expansion import SHARE_LEFT, expanded, is_small
from rnla.linalg.lanczos_steps import Chain, lanczos_steps
from rnla.linalg.orth import column_lengths, orthonormal_block, project_out
from rnla.linalg.orthogonality import BlockLossOfOrthogonality
from rnla.linalg.rotation import rotate_rows, rotate_rows_and_measure
from rnla.linalg.tall import copy_rows

# Roundoffs of orthogonality that stay.
_DRIFT = 6.0
# Vectors may have inner products up to this power of the roundoff.
_SEMIORTHOGONAL = 0.5


class Basis:
    """V with ``V^H B V = I``, ``W = OP V`` and ``T = V^H B W``, extended by blocks.

    Vectors are the rows of the stores, so that a basis of any size is contiguous.

    Parameters
    ----------
    problem : Problem
        Operator and inner product.
    capacity : int
        Most vectors.
    overwrites : bool
        Whether a restart may overwrite what `Ritz` objects of before refer to.
    keeps_products : bool
        Whether W is kept. The Lanczos relation does without; products of a cheap operator cost less
        than their rotation at every restart.
    semiorthogonal : bool
        Whether blocks are projected against all of V only where they may have lost half of the
        digits of their orthogonality: Ritz values and residuals do not notice [1]_.
    chain_loss : float
        Inner products up to which single vectors that a kernel makes are left as they are.

    Attributes
    ----------
    size : int
        Vectors now.
    length : float
        The longest column of the last product.
    leak : float
        Norm of the entries of T for the last block that are zero for an exact Lanczos recurrence.
    norm : float
        The longest column of any product, of a semiorthogonal basis.
    projections : int
        How often the remainder of the last product was projected.
    steps : int
        Blocks that the last extension has added.
    block : ndarray, shape (n, b), or None
        That remainder orthonormalised, where it was no trouble.

    References
    ----------
    .. [1] R. G. Grimes, J. G. Lewis, H. D. Simon, "A shifted block Lanczos algorithm for solving
       sparse symmetric generalized eigenproblems", SIAM J. Matrix Anal. Appl. 15 (1994), 228-272.
    """

    def __init__(
        self,
        problem: Problem,
        capacity: int,
        *,
        overwrites: bool = False,
        keeps_products: bool = True,
        semiorthogonal: bool = False,
        chain_loss: float = 0.0,
    ) -> None:
        self.problem = problem
        self.capacity = capacity
        self.overwrites, self.keeps_products = overwrites, keeps_products
        self.size = self._kept = 0
        self._kept_errors = np.inf
        self.length = self.leak = self.norm = 0.0
        self.projections = self.steps = 1
        self.block: NDArray[Any] | None = None
        self._recent: int | None = None
        self._semiorthogonal, self._chain_loss = semiorthogonal, chain_loss
        self._loss: BlockLossOfOrthogonality | None = None
        self._chain: Chain | None = None
        self._first: NDArray[Any] | None = None
        # Whether the next block has to be projected whatever the estimate says.
        self._suspect = True
        self._allocate()

    def _allocate(self) -> None:
        shape, dtype = (self.capacity, self.problem.n), self.problem.dtype
        self._v = np.empty(shape, dtype)
        self._w = np.empty(shape, dtype) if self.keeps_products else self._v[:0]
        self._bv = self._v if self.problem.inner is None else np.empty(shape, dtype)
        wide = np.complex128 if dtype.kind == "c" else np.float64
        self.T: NDArray[Any] = np.zeros((self.capacity, self.capacity), wide)

    @property
    def V(self) -> NDArray[Any]:
        """The vectors as columns."""
        return self._v[: self.size].T

    @property
    def W(self) -> NDArray[Any]:
        """OP times the vectors, where they are kept."""
        return self._w[: self.size].T

    @property
    def BV(self) -> NDArray[Any]:
        """B times the vectors."""
        return self._bv[: self.size].T

    def extend(self, Q: NDArray[Any], noise: float = 0.0, steps: int = 1) -> NDArray[Any]:
        """Add a block and return the part of ``OP Q`` that is orthogonal to the new basis.

        Where a kernel can do so, it goes on with blocks that are made of such parts; never where
        products are kept, for what is kept are not only Lanczos steps.

        Parameters
        ----------
        Q : ndarray, shape (n, b)
            Orthonormal, and orthogonal to the basis.
        noise : float
            In roundoffs of the length of ``OP Q``, what is left of it and is rounding error.
        steps : int, default 1
            Blocks at the most.

        Returns
        -------
        ndarray, shape (n, b)
            Up to rounding: its columns are orthogonal to V relative to the length of ``OP Q``. For
            the last block, if more than one was added.
        """
        start, stop = self.size, self.size + Q.shape[1]
        before, self._recent = self._recent, start
        self.steps = 1
        chained = not self.keeps_products and self.problem.factors is not None
        if before and before == start - 1 and Q.shape[1] == 1 and chained:
            return self._extend_often(Q, noise, max(1, min(steps, self.capacity - start)))
        self._chain = None
        BQ = self.problem.image(Q)
        W, BW = self.problem.products(Q, BQ)
        copy_rows(Q, self._v[start:stop].T)
        if self.keeps_products:
            copy_rows(W, self._w[start:stop].T)
        if self.problem.inner is not None:
            copy_rows(BQ, self._bv[start:stop].T)
        self.size = stop
        standard = BW is None and self.problem.inner is None
        if standard and self._semiorthogonal and before is not None:
            remainder = self._semiprojected(W, before, noise)
            if remainder is not None:
                return remainder
        if standard and is_small(self.V, Q.shape[1]):
            remainder, H = self._projected_at_once(W, before, noise)
        else:
            self.block = None
            if BW is None:
                remainder, H = self._projected(W, before)
            else:
                H = self.V.conj().T @ BW
                remainder, self.projections = W - self.V @ H, 1
            self.length = float(column_lengths(W).max(initial=0.0))
            # By the Lanczos relation only the block before is coupled: the rest is what OP rounds.
            self.leak = 0.0 if before is None else float(np.linalg.norm(H[:before]))
        if self._loss is not None:
            # What lost orthogonality has left along the older blocks is no part of A in their span:
            # the Lanczos relation holds without it.
            self._loss.noticed(float(np.abs(H[:before]).max(initial=0.0)), self.norm)
            self._loss.projected(Q.shape[1])
            self.leak = self._loss.noise * self.norm
            H[:before] = 0
        self._append(H)
        if before in (None, 0):
            self._check_hermitian(Q, H, remainder)
        return remainder

    def _extend_often(self, Q: NDArray[Any], noise: float, steps: int) -> NDArray[Any]:
        """Add a vector and those that follow from it, as long as none needs care."""
        start, factors, eps = self.size, self.problem.factors, float(np.finfo(self._v.dtype).eps)
        assert factors is not None
        self._v[start] = Q[:, 0]
        if self._chain is None:
            self._chain = Chain(
                self.T[:start, :start],
                self.capacity,
                eps,
                kept=min(self._kept, start - 1),
                errors=self._kept_errors,
                threshold=self._chain_loss,
            )
        found = lanczos_steps(factors, self._v, start + 1, steps, noise * eps, self._chain)
        self.steps = made = len(found.H)
        for step, h in enumerate(found.H):
            self.size = start + step + 1
            self._append(h[: self.size, None])
        self.problem.main.count(made)
        self._recent, self.projections = self.size - 1, 1
        self.length, self.leak = found.length, found.leak
        self.block = found.block if self.size < self.problem.n else None
        if self.block is None:
            # What becomes the next vector is not of this chain.
            self._chain = None
        if not np.isfinite(found.H).all():
            raise ValueError("`A` returned NaN or infinity")
        return found.remainder

    def _check_hermitian(self, Q: NDArray[Any], H: NDArray[Any], remainder: NDArray[Any]) -> None:
        """Compare ``<Q, OP Q>`` and ``<OP Q, Q>`` for the first block, or the first two columns."""
        if self.size == Q.shape[1]:
            self.problem.check_hermitian(H, self.length)
            # A single real column tells nothing: the next one has to be there as well.
            self._first = remainder if self.size == 1 else None
        elif self._first is not None:
            below = self.problem.image(Q[:, :1]).conj().T @ self._first
            first = np.vstack([self.T[:1, :1], below])
            self.problem.check_hermitian(np.hstack([first, H[:2, :1]]), self.length)
            self._first = None

    def _append(self, H: NDArray[Any]) -> None:
        """Put the coordinates of the last product into T."""
        start, stop = self.size - H.shape[1], self.size
        self.T[:stop, start:stop] = H
        self.T[start:stop, :start] = H[:start].conj().T
        corner = self.T[start:stop, start:stop]
        self.T[start:stop, start:stop] = (corner + corner.conj().T) / 2

    def _semiprojected(self, W: NDArray[Any], before: int, noise: float) -> NDArray[Any] | None:
        """Return what the last two blocks leave of W, unless that may be far from orthogonal."""
        eps, width = float(np.finfo(self.problem.dtype).eps), W.shape[1]
        start, near = self.size - width, self.V[:, before:]
        if self._loss is None or self._loss.width != width:
            self._loss = BlockLossOfOrthogonality(width, eps, before=before, start=start)
            self._suspect = True
        block: NDArray[Any] | None
        if is_small(near, width):
            step = expanded(W, near, 0, noise * eps)
            remainder, coupling, block = step.remainder, step.H + step.near, step.block
            length = step.length
        else:
            once, first = project_out(W, near, near)
            remainder, second = project_out(once, near, near)
            coupling, length = first + second, float(column_lengths(W).max(initial=0.0))
            block = orthonormal_block(remainder, floor=noise * eps * length, projections=2)
        if block is None or block.shape[1] < width or self.size + width > self.problem.n:
            self._loss = None
            return None
        self.norm = max(self.norm, length)
        H = np.zeros((self.size, width), self.T.dtype)
        H[before:] = coupling
        self._append(H)
        B = block.conj().T @ remainder
        T = self.T[: self.size, : self.size]
        suspect = not self._loss.advance(T, H, B, self.norm, start) <= eps**_SEMIORTHOGONAL
        # The block before has lost as much.
        again, self._suspect = suspect or self._suspect, suspect
        if again:
            return None
        self.block, self.length, self.projections, self.leak = block, length, 2, 0.0
        return remainder

    def _projected_at_once(
        self, W: NDArray[Any], before: int | None, noise: float
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return ``W - V H`` and H, and keep the next block where it comes easily."""
        first, fits = before or 0, W.shape[1] <= self.problem.n - self.size
        step = expanded(W, self.V, first, noise * float(np.finfo(self.problem.dtype).eps))
        self.block, self.length, self.projections = step.block if fits else None, step.length, 1
        self.leak = float(np.linalg.norm(step.H[:first]))
        step.H[first:] += step.near
        return step.remainder, step.H

    def _projected(self, W: NDArray[Any], before: int | None) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return ``W - V H`` and H, with what H has rounded away."""
        self.projections = 1
        if before is None:
            return project_out(W, self.V, self.BV)
        # By the Lanczos relation the last two blocks are all of it. Where that holds, projecting
        # against the whole basis takes nothing away, and is as good as doing so twice.
        recent = slice(before, self.size)
        once, near = project_out(W, self.V[:, recent], self.BV[:, recent])
        remainder, H = project_out(once, self.V, self.BV)
        if (column_lengths(remainder) >= SHARE_LEFT * column_lengths(once)).all():
            self.projections = 2
        H[recent] += near
        return remainder, H

    def ritz(self, selection: Selection) -> Ritz:
        """Return the eigenpairs of T.

        Parameters
        ----------
        selection : Selection
            The order.

        Returns
        -------
        Ritz
            With views of the present basis.
        """
        theta, S = np.linalg.eigh(self.T[: self.size, : self.size])
        order = selection.order(theta)
        W = self.W if self.keeps_products else None
        return Ritz(theta[order], S[:, order], self.V, W, self.problem)

    def restart(self, ritz: Ritz, count: int, errors: float = np.inf) -> None:
        """Keep the first Ritz vectors only.

        Parameters
        ----------
        ritz : Ritz
            Of this basis.
        count : int
            How many vectors to keep.
        errors : float
            Norm of their residuals, where the next block is not the remainder that they share.
        """
        dtype, count = self.problem.dtype, min(count, ritz.S.shape[1])
        if self.size == self._kept == count:
            self._kept_errors = errors
            return
        S = np.ascontiguousarray(_orthonormal_again(ritz.S[:, :count]).T, dtype)
        before = self._stores()
        if not self.overwrites:
            self._allocate()
        G = rotate_rows_and_measure(S, before, self._stores(), self._v, self._bv)
        self.size, self._kept, self._kept_errors = count, count, errors
        self._recent = self._loss = self._chain = None
        self._reorthonormalise(ritz.theta[:count], G - np.eye(count))

    def hold(self, ritz: Ritz) -> Ritz:
        """Keep vectors that were formed elsewhere, and nothing else.

        Parameters
        ----------
        ritz : Ritz
            Orthonormal eigenvectors of the projection on their span, in `V`, with their products.

        Returns
        -------
        Ritz
            The same, of this basis.
        """
        if not self.overwrites:
            self._allocate()
        self.clear()
        self.size = self._kept = len(ritz.theta)
        copy_rows(ritz.V, self.V)
        if self.keeps_products and ritz.W is not None:
            copy_rows(ritz.W, self.W)
        self.T[: self.size, : self.size] = np.diag(ritz.theta)
        return replace(ritz, V=self.V)

    def clear(self) -> None:
        """Forget all vectors."""
        self.size = self._kept = 0
        self._recent = self._loss = self._chain = None

    def _stores(self) -> list[NDArray[Any]]:
        kept = [self._v, self._w] if self.keeps_products else [self._v]
        return kept if self._bv is self._v else [*kept, self._bv]

    def refresh(self) -> None:
        """Form the products of all vectors anew, and T with them."""
        W, BW = self.problem.products(self.V, self.BV)
        if self.keeps_products:
            self._w[: self.size] = W.T
        T = self.BV.conj().T @ W if BW is None else self.V.conj().T @ BW
        self.T[: self.size, : self.size] = (T + T.conj().T) / 2

    def keep_products(self) -> None:
        """Keep them from now on: the Lanczos relation no longer does without."""
        if not self.keeps_products:
            self.keeps_products, self._w = True, np.empty_like(self._v)
            if self.size:
                self.refresh()

    def _reorthonormalise(self, theta: NDArray[Any], E: NDArray[Any]) -> None:
        """Undo what rounding did to ``V^H B V = I + E``, by a Newton step, and set T."""
        # With X^H B X = I + E: X (I - E/2) is orthonormal to first order, and T follows.
        if self._semiorthogonal or np.abs(E).max() <= _DRIFT * np.finfo(self.problem.dtype).eps:
            E = np.zeros_like(E)
        self.T[: self.size, : self.size] = np.diag(theta) - (E * theta + theta[:, None] * E) / 2
        if E.any():
            C = (np.eye(self.size) - E.T / 2).astype(self.problem.dtype)
            rotate_rows(C, self._stores(), self._stores())


def _orthonormal_again(S: NDArray[Any]) -> NDArray[Any]:
    """Return the coefficients with the rounding errors of their orthogonality squared."""
    return np.asarray(S - S @ ((S.conj().T @ S - np.eye(S.shape[1])) / 2))
