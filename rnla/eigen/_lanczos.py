"""Thick-restart block Lanczos that looks for what it missed, as a generator of states."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import Iteration
from rnla.eigen._accuracy import ROUNDING, Accuracy
from rnla.eigen._basis import Basis
from rnla.eigen._correction import Corrector
from rnla.eigen._hidden import UNLIKELY
from rnla.eigen._looks import Looks, looks_for
from rnla.eigen._plan import Plan, RitzState
from rnla.eigen._problem import Problem
from rnla.eigen._ritz import Ritz
from rnla.eigen._verify import Patience, Probe, Progress, share_of_steps, unresolved
from rnla.linalg.orth import IndefiniteError, random_block

# In units of eps * ||OP||, the length below which the remainder of a product is rounding error.
_NOISE = 10.0
# In units of what the operator has shown to round.
_ROUNDOFFS = 10.0
# Looks at an error that does not fall any more, and restarts after which products are formed anew,
# if rounding errors of rotations are to matter.
_LOOKS, _REFRESH = 4, 8
# Least columns of the block that searches the complement: one or two would see too little.
_PROBE = 4
# Restarts after which equal values are taken as they are.
_STUCK = 40
# The part of the steps of a chain that are projected against the whole basis.
_PROJECTED = 0.25
# How much longer to search where the next values, which may rise by so many residuals, are not
# resolved.
_OPEN, _REACH = 2, 2.0


class BlockLanczos:
    """The search; `states` is its iteration.

    Parameters
    ----------
    problem : Problem
        Operator and inner product.
    plan : Plan
        How to search.
    rng : Generator
        For start, replacement and probe.
    """

    def __init__(self, problem: Problem, plan: Plan, rng: np.random.Generator) -> None:
        self.problem, self.plan, self.rng = problem, plan, rng
        self.k = plan.selection.k
        self.eps = float(np.finfo(problem.dtype).eps)
        self.accuracy = Accuracy(plan, self.eps)
        self.tolerance = self.accuracy.tolerance
        # What callbacks may still look at, and a space that is kept, must not be overwritten.
        self.basis = Basis(
            problem,
            plan.capacity,
            overwrites=not (plan.keeps_space or plan.watched),
            keeps_products=plan.keeps_products,
            semiorthogonal=plan.semiorthogonal or plan.polishes,
            chain_loss=plan.chain_loss(self.eps),
        )
        self.norm = self.noise = 0.0
        # Eigenvalues that the wanted Ritz values stand for, if the start was a random vector.
        self.represented = np.inf
        self.builds = self.steps = 0
        # Lanczos expands by what the last product left over, else residuals or corrections lead.
        self.lanczos = True
        self.mending = self.exhausted = False
        self.probe: Probe | None = None
        # From the last block to the next one.
        self.coupling: NDArray[Any] = np.zeros((0, 0))
        self.candidate: RitzState | None = None
        self.searched = self.missed = False
        # Until when to wait for the next values to be resolved.
        self.deadline = 0
        # Whether to go on with what the complement held.
        self.resumes = True
        self.space: Ritz | None = None
        self.patience, self.progress = Patience(), Progress()
        self.corrector = Corrector(plan.correction)
        self.judged: tuple[Ritz, NDArray[Any]] | None = None
        # Whether steps are those of single vectors, projected where they need it.
        self.chained = plan.polishes or (
            plan.semiorthogonal and plan.block == 1 and problem.factors is not None
        )
        self.fresh: NDArray[Any] | None = None
        self.looks = self._looks(self.tolerance)

    def states(self, start: NDArray[Any] | None) -> Iteration:
        """Iterate from a start block.

        Parameters
        ----------
        start : ndarray, shape (n, p), or None
            First directions; random ones complete a block.

        Yields
        ------
        RitzState
            One for each look at the Ritz values; the last is certified, unless the search has
            missed an eigenvalue and does not resume.
        """
        block = self._first_block(start)
        stop = yield RitzState(self.builds, np.inf, False, lambda: block)
        while True:
            remainder = self.basis.extend(block, _NOISE, self.looks.next - self.steps)
            self.steps += self.basis.steps
            if self.lanczos and not self.searched:
                self.noise = max(self.noise, self.basis.leak)
            block = self._next_block(remainder) if self.lanczos else block[:, :0]
            room = self.plan.capacity - self.basis.size
            full = room < (block.shape[1] if self.lanczos else self.plan.block)
            whole = self.basis.size >= self.problem.dimension or (
                self.lanczos and block.shape[1] == 0
            )
            if self.basis.size < self.k and not whole:
                continue
            if self.lanczos and not (full or whole) and self.steps < self.looks.next:
                continue
            ritz = self.basis.ritz(self.plan.selection)
            self.represented = self.problem.n * float(np.sum(np.abs(ritz.S[0, : self.k]) ** 2))
            self.norm = max(self.norm, float(np.abs(ritz.theta).max()))
            self.problem.check_size(self.norm)
            ritz, norms = self._residual_norms(ritz, remainder, block)
            self.builds += full and not whole
            if whole:
                # The projection is the operator: what was found before may lack a copy.
                yield self._final(ritz, verified=True)
                return
            found, ritz = self._found(ritz, norms)
            if found:
                yield self._answer(ritz)
                return
            if self.missed and not self.resumes:
                return
            stop = stop or (yield self._look(ritz, norms))
            if stop:
                yield self._final(ritz, verified=False)
                return
            block = self._expansion(ritz, block, full)
            if self.exhausted:
                # Nothing is left: the projection is the operator here as well.
                yield self._final(self.basis.ritz(self.plan.selection), verified=True)
                return

    def _looks(self, tolerance: float) -> Looks:
        return looks_for(self.plan, self.problem.n, tolerance, chained=self.chained)

    def _first_block(self, start: NDArray[Any] | None) -> NDArray[Any]:
        n, width, dtype = self.problem.n, self.plan.block, self.problem.dtype
        X = np.empty((n, 0), dtype) if start is None else start
        # A start wider than a block spans no Krylov space: from there residuals lead on.
        self.lanczos = X.shape[1] <= width and not self.corrector.active
        if not self.lanczos:
            self.basis.keep_products()
        missing = max(0, (width if self.lanczos else self.k) - X.shape[1])
        X = np.hstack([X, random_block(self.rng, (n, missing), dtype)])
        X = self.problem.orthonormal(self.problem.purified(X), None, None, self.rng)
        if not X.shape[1]:
            raise IndefiniteError("no vector has a positive norm")
        return np.asarray(X[:, : self.plan.capacity])

    def _next_block(self, remainder: NDArray[Any]) -> NDArray[Any]:
        if self.basis.block is not None:
            return self.basis.block
        return self._orthonormal(remainder, self.basis.projections)

    def _orthonormal(
        self, X: NDArray[Any], projections: int = 0, *, noise: float = _NOISE
    ) -> NDArray[Any]:
        """Return X orthonormalised against the basis; what is rounding error becomes random."""
        block = self.problem.orthonormal(
            X,
            self.basis.V,
            self.basis.BV,
            self.rng,
            floor=noise * self.eps * self.basis.length,
            projections=projections,
        )
        self.exhausted = X.shape[1] > 0 and block.shape[1] == 0
        return block

    def _residual_norms(
        self, ritz: Ritz, remainder: NDArray[Any], block: NDArray[Any]
    ) -> tuple[Ritz, NDArray[Any]]:
        """Norms of the residuals: of all pairs by the Lanczos relation, else of the wanted ones."""
        equal = self._equal(ritz)
        if not self.lanczos:
            if len(equal):
                ritz, _ = ritz.settled_first(equal, np.linalg.qr(ritz.residuals(equal)).R)
            return ritz, self._true_norms(ritz)
        # What a Ritz vector lacks is its part of the last remainder.
        width = remainder.shape[1]
        self.coupling = self.problem.image(block).conj().T @ remainder
        R = self.coupling @ ritz.S[-width:]
        norms = np.asarray(np.linalg.norm(R, axis=0))
        if len(equal):
            ritz, norms[equal] = ritz.settled_first(equal, R[:, equal])
        if self.plan.estimates or self.plan.polishes:
            self.judged = (ritz, norms[: self.k])
        return ritz, norms

    def _equal(self, ritz: Ritz) -> NDArray[np.intp]:
        return ritz.equal(self.k, self.accuracy.spread(self.norm))

    def _true_norms(self, ritz: Ritz) -> NDArray[Any]:
        if self.judged is not None and self.judged[0] is ritz:
            return self.judged[1]
        R = ritz.residuals(slice(0, self.k))
        squares = np.einsum("ij,ij->j", R.conj(), self.problem.image(R)).real
        norms = np.asarray(np.sqrt(np.maximum(squares, 0)), np.float64)
        self.judged = (ritz, norms)
        return norms

    def _errors(self, ritz: Ritz, norms: NDArray[Any], *, rounded: bool = False) -> NDArray[Any]:
        wanted = slice(0, self.k)
        # Of a start no more is asked for than the recurrence can tell.
        rounded = rounded or self.plan.semiorthogonal or not self.lanczos
        return self.accuracy.errors(ritz.theta[wanted], norms[wanted], self.norm, rounded=rounded)

    def _found(self, ritz: Ritz, norms: NDArray[Any]) -> tuple[bool, Ritz]:
        """Tell whether the wanted pairs are found and the complement searched; return them too."""
        if self.probe is not None:
            T = self.basis.T[self.k : self.basis.size, self.k : self.basis.size]
            verdict = self.probe.verdict(ritz.theta, norms, self.steps, T, self.coupling)
            if verdict is not False:
                return bool(verdict), ritz
            # The basis was emptied for nothing: that counts, lest searches go on for ever.
            self.builds += 1
            self.probe = self.candidate = None
            self.looks = self._looks(self.tolerance)
            self.lanczos, self.missed = not self.corrector.active, True
            # Pairs that had stopped to improve were not the wanted ones.
            self.mending, self.patience = False, Patience()
        if not self._settled(ritz, norms):
            return False, ritz
        verifies = self.plan.verify and self.plan.selection.which != "SM"
        # Values are no better known than the operator knows itself.
        allowed = self.accuracy.allowed(ritz.theta[: self.k], self.norm, rounded=True)
        allowed = np.maximum(allowed, _ROUNDOFFS * self.noise)
        limit = float(allowed.max())
        self.deadline = self.deadline or _OPEN * self.steps
        early = verifies and self.lanczos and self.steps < self.deadline
        if early and unresolved(self.plan.selection, ritz.theta, _REACH * norms, limit, np.inf):
            return False, ritz
        if self.plan.keeps_space:
            self.space = self.space or ritz
        if self.plan.polishes and self.lanczos:
            ritz, self.judged = self.basis.hold(ritz.polished(self.plan.selection)), None
            if not self._holds(ritz):
                return False, ritz
        if not verifies:
            return True, ritz
        self.searched, self.candidate = True, self._final(ritz, verified=False)
        self.judged, theta = None, ritz.theta[: self.k]
        share = share_of_steps(self.tolerance, theta, self._width, limit)
        width = self._width if self.plan.sharpen is None else None
        # With M the density of a random block is another one.
        rows = self.problem.n if width and self.problem.inner is None else None
        self.probe = Probe(self.plan.selection, theta, allowed, self.steps, share, width, rows)
        self.looks = self._looks(10.0**-UNLIKELY)
        self.fresh = self._unseen(theta, share)
        return self.fresh is None, ritz

    def _unseen(self, theta: NDArray[Any], share: float) -> NDArray[Any] | None:
        """Return a block to search the complement from, unless that has been done."""
        assert self.candidate is not None
        width = min(self._width, self.plan.capacity - self.k)
        fresh = random_block(self.rng, (self.problem.n, width), self.problem.dtype)
        if self.plan.sharpen is None:
            return fresh
        return self.plan.sharpen(self.candidate.x, theta, fresh, share)

    @property
    def _width(self) -> int:
        # A chain has many steps in the time of a few of a block.
        return 1 if self.chained else max(self.plan.block, _PROBE)

    def _settled(self, ritz: Ritz, norms: NDArray[Any]) -> bool:
        """Tell whether the residuals of the wanted pairs are as small as asked for or possible."""
        error = float(self._errors(ritz, norms).max())
        if error > self.tolerance:
            least = max(ROUNDING * self.eps * self.norm, _ROUNDOFFS * self.noise)
            nearly = bool(norms[: self.k].max() <= least)
            waited = self.patience.spent(error, _LOOKS)
            return waited and (nearly or self.mending)
        return not self.lanczos or self._holds(ritz)

    def _holds(self, ritz: Ritz) -> bool:
        """Tell whether residuals are what the recurrence says: true ones, but before a polish."""
        true = self._errors(ritz, self._true_norms(ritz), rounded=True)
        if true.max() > self.tolerance:
            # The recurrence has lost touch with an inexact operator: mend what can be mended.
            self.lanczos, self.mending, self.patience = False, True, Patience()
            self.basis.keep_products()
            return False
        return True

    def _look(self, ritz: Ritz, norms: NDArray[Any]) -> RitzState:
        errors = self._errors(ritz, norms)
        error = float(errors.max())
        share = _PROJECTED if self.chained else 1.0
        work = self.plan.block * self.problem.n * (share * self.basis.size + self.plan.row_cost)
        soon, left = self.probe is not None, error
        if self.probe is not None:
            left = 10.0**self.probe.chance
        self.looks.schedule(self.steps, left, self.basis.size, work, soon=soon)
        if self.probe is not None and self.steps < self.probe.end:
            self.looks.next = min(self.looks.next, self.probe.end)
        return RitzState(
            self.builds,
            error,
            False,
            lambda: ritz.vectors(slice(0, self.k)),
            residual_norm=norms[: self.k],
            column_errors=errors,
            theta=ritz.theta[: self.k],
        )

    def _answer(self, ritz: Ritz) -> RitzState:
        if self.candidate is None:
            return self._final(ritz, verified=False)
        # In the space searched since, an unfinished copy may stand in for a finished one.
        return replace(self.candidate, n_iter=self.builds, verified=True)

    def _final(self, ritz: Ritz, *, verified: bool) -> RitzState:
        if self.plan.polishes and ritz.W is None:
            ritz = self.basis.hold(ritz.polished(self.plan.selection))
            self.judged = None
        norms = self._true_norms(ritz)
        errors = self._errors(ritz, norms, rounded=True)
        wanted = slice(0, self.k)
        if self.problem.purifies:
            X = self.problem.rescaled(self.problem.finished(ritz, wanted))
        else:
            X = ritz.vectors(wanted)
        return RitzState(
            self.builds,
            float(errors.max()),
            True,
            lambda: X,
            residual_norm=norms,
            column_errors=errors,
            theta=ritz.theta[wanted],
            verified=verified,
            norm=self.norm,
            space=(self.space or ritz) if self.plan.keeps_space else None,
        )

    def _expansion(self, ritz: Ritz, block: NDArray[Any], full: bool) -> NDArray[Any]:
        """Return the next block, after a restart where there is no room."""
        if self.probe is not None and self.probe.start == self.steps:
            self.basis.restart(ritz, self.k, float(np.linalg.norm(self._true_norms(ritz))))
            self.lanczos = True
            assert self.fresh is not None
            fresh = self.problem.purified(self.fresh)
            # These are no remainders of a product with A, whose norm says nothing about them.
            return self._orthonormal(fresh, noise=0.0)
        if self.lanczos:
            if full:
                room = self.plan.capacity - block.shape[1]
                self.basis.restart(ritz, min(self.plan.kept, room))
                if self.builds % _REFRESH == 0 and self.tolerance < ROUNDING * self.eps:
                    self.basis.refresh()
                if self.plan.semiorthogonal or self.plan.polishes:
                    # Products will show the coupling to what is kept, and nothing else.
                    return self._orthonormal(block, noise=0.0)
            return block
        tied = len(self._equal(ritz)) > 0
        led = self.corrector.active or self.probe is not None or self.mending
        # Where the Lanczos relation has just been given up, its estimates are no residuals.
        errors = self._errors(ritz, self._true_norms(ritz), rounded=True)
        error = float(errors.max())
        # From a narrow block Lanczos would see few of the copies again.
        if full and not (led or tied) and self.progress.ended(self.builds, error):
            return self._turned(ritz)
        self.mending |= tied and self.builds >= _STUCK
        active = np.flatnonzero(errors > self.tolerance)
        # Of equal values the least settled come last.
        chosen = (active[::-1] if tied else active)[: self.plan.block]
        X = ritz.vectors(slice(0, self.k)) if self.corrector.active else None
        D = self.corrector.corrected(ritz.residuals(chosen), ritz.theta[chosen], X, error)
        if full:
            self.basis.restart(ritz, self.plan.kept)
        return self._orthonormal(D)

    def _turned(self, ritz: Ritz) -> NDArray[Any]:
        """Return a block of what residuals have found: the noise of an operator Lanczos tells."""
        self.lanczos, self.patience = True, Patience()
        X = ritz.vectors(slice(0, self.plan.guarded))
        self.basis.clear()
        mixture = random_block(self.rng, (X.shape[1], self.plan.block), X.dtype)
        return self._orthonormal(X @ mixture, noise=0.0)
