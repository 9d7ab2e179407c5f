"""Singular triplets by block Golub-Kahan, with guard vectors and a search for what was missed."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnla._core.driver import State
from rnla.eigen._golub_kahan import GolubKahan, Ritz
from rnla.eigen._verify import share_of_steps
from rnla.linalg.orth import random_block

GUARD = 4
# Steps of the search: with blocks of four or more they find another copy of a wanted value, or a
# value of a cluster above it, in every run of the suite of cases where ARPACK misses some.
_PROBE_STEPS = 8
_PROBE_STEPS_NARROW = 10
# Most steps, and most entries of the vectors that they add to both bases.
_PROBE_STEPS_MOST, _PROBE_ENTRIES = 40, 1 << 26
_NARROW = 2
# Roundoffs of ||A|| by which a singular value may move in the search.
_STILL = 5000
# Columns after which convergence is tested again, at the least.
_LEAST_STEP = 4
# Restarts after which rounding errors may have added up.
_DRIFT = 2
# Roundoffs of ||A|| that count as no residual: LAPACK's own are as long. More of them when all
# products have been formed anew, for there rounding errors are not estimated but seen.
_FLOOR, _FLOOR_SEEN = 30, 100
# The gain of a power step that is worth another one.
_GAIN = 0.3


class Triplets(NamedTuple):
    """``A V = U diag(sigma)``, and residual norms if they come from products formed anew."""

    U: NDArray[Any]
    sigma: NDArray[Any]
    V: NDArray[Any]
    residuals: NDArray[Any] | None


@dataclass(frozen=True)
class TripletState(State):
    """Singular triplets as an iteration yields them; `x` is the matrix of right vectors.

    Attributes
    ----------
    sigma : ndarray, shape (k,)
        Singular values, best first.
    form_rest : callable
        Makes all three factors from `x`.
    residuals : ndarray, shape (k,), or None
        Norms, as far as they are known.
    verified : bool
        Whether a search found nothing that was missed.
    norm : float
        Of A, as far as it is known.
    """

    sigma: NDArray[Any] = field(kw_only=True)
    form_rest: Callable[[NDArray[Any]], Triplets] = field(kw_only=True)
    residuals: NDArray[Any] | None = field(kw_only=True, default=None)
    verified: bool = field(kw_only=True, default=False)
    norm: float = field(kw_only=True)

    def triplets(self) -> Triplets:
        """Return the factors, formed when asked for.

        Returns
        -------
        Triplets
            With vectors of both sides.
        """
        return self.form_rest(self.x)


TripletIteration = Generator[TripletState, bool, None]


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What the iteration is after.

    Attributes
    ----------
    k : int
        Triplets wanted.
    largest : bool
        Whether from the upper end of the spectrum.
    residual : float
        Residual norms are to be at most this, relative to the singular value, but for roundoff.
    verify : bool
        Whether to search for triplets that were missed.
    both : bool
        Whether left vectors are wanted too.
    """

    k: int
    largest: bool
    residual: float
    verify: bool
    both: bool

    def errors(
        self,
        sigma: NDArray[Any],
        residuals: NDArray[Any],
        norm: float,
        eps: float,
        seen: bool = False,
    ) -> NDArray[Any]:
        """Return the residuals relative to their triplet, which are to be at most `residual`.

        Parameters
        ----------
        sigma, residuals : ndarray, shape (k,)
            Singular values and their residual norms.
        norm : float
            Of A.
        eps : float
            Roundoff of the working precision.
        seen : bool, default False
            Whether the residuals come from products formed anew.

        Returns
        -------
        ndarray
            Quotients; a residual of a few ``eps * norm`` counts as converged.
        """
        floor = (_FLOOR_SEEN if seen else _FLOOR) * eps * norm
        scale = np.maximum(sigma, floor / self.residual)
        quotients = np.zeros_like(residuals)
        return np.asarray(np.divide(residuals, scale, out=quotients, where=residuals > 0))


def from_squares(residuals: NDArray[Any], sigma: NDArray[Any], norm: float) -> NDArray[Any]:
    """Return ``||A^H u - sigma v||`` for ``u = A v / sigma`` from ``||A^H A v - sigma^2 v||``.

    Parameters
    ----------
    residuals, sigma : ndarray, shape (k,)
        Residual norms of the Gram matrix and singular values.
    norm : float
        Of A.

    Returns
    -------
    ndarray, shape (k,)
        For singular values below the roundoff of A, as if they were that large.
    """
    limits = np.finfo(sigma.dtype)
    return np.asarray(residuals / np.maximum(sigma, limits.tiny + limits.eps * norm))


def golub_kahan(
    basis: GolubKahan, aim: Aim, block: int, *, searched: bool = False, steps: int = 0
) -> TripletIteration:
    """Yield triplets of a decomposition that grows by blocks and is restarted when it is full.

    Parameters
    ----------
    basis : GolubKahan
        With a random start block, which has a part in every copy of a multiple value; or with a
        basis that was adopted.
    aim : Aim
        What is wanted.
    block : int
        Columns of a random block.
    searched : bool, default False
        Whether the complement of an adopted basis has been searched.
    steps : int, default 0
        Block steps that it took to find such a basis.

    Yields
    ------
    TripletState
        After each block that may have changed the answer; `n_iter` counts restarts. The error
        is at most ``aim.residual`` only when the search of the complement has been made too.
    """
    n_iter, tested, searched = 0, 0, searched or not aim.verify
    adopted = basis.size > 0
    # Residuals of an adopted basis stay with it as they are, until all is formed anew.
    lenient, restarts = adopted, _DRIFT * adopted
    while True:
        if adopted:
            ritz, errors = _polished(basis, aim)
        else:
            basis.expand()
            steps += 1
            step = max(_LEAST_STEP, block, tested // 8)
            due = basis.size >= tested + step or basis.full or basis.complete
            if basis.size < aim.k or not due:
                continue
            ritz = basis.ritz(aim.largest)
            errors = _errors(basis, ritz, aim, lenient)
        tested, seen = basis.size, adopted
        if errors.max() <= aim.residual and not searched:
            seen = False
            ritz, searched = _search(basis, ritz, aim, block, steps)
            restarts, n_iter, tested = restarts + 1, n_iter + 1, basis.size
            errors = _errors(basis, ritz, aim, lenient)
            if not searched:
                # Something was missed: what was found with it has not converged yet.
                errors = np.maximum(errors, np.nextafter(aim.residual, 1))
        if not adopted and errors.max() <= aim.residual and restarts >= _DRIFT:
            seen = True
            basis.refresh(ritz, min(aim.k + GUARD, basis.size))
            lenient, restarts, tested = False, 0, basis.size
            ritz = basis.ritz(aim.largest)
            errors = _errors(basis, ritz, aim, seen=True)
        adopted = False
        # An adopted basis has no next block yet, and may not need one.
        n_iter += not seen and basis.full
        stop = yield _state(basis, ritz, aim, errors, n_iter, searched and aim.verify, seen)
        if stop or basis.complete:
            return
        if basis.full:
            _restart(basis, ritz, aim)
            restarts, tested = restarts + 1, 0


def _polished(basis: GolubKahan, aim: Aim) -> tuple[Ritz, NDArray[Any]]:
    """Take power steps as long as they bring residuals of an adopted basis down by much."""
    ritz = basis.ritz(aim.largest)
    errors, before = _errors(basis, ritz, aim, seen=True), np.inf
    while aim.residual < errors.max() < _GAIN * before:
        before = float(errors.max())
        basis.power()
        ritz = basis.ritz(aim.largest)
        errors = _errors(basis, ritz, aim, seen=True)
    return ritz, errors


def _errors(basis: GolubKahan, ritz: Ritz, aim: Aim, seen: bool = False) -> NDArray[Any]:
    sigma, residuals = ritz.sigma[: aim.k], ritz.residuals[: aim.k]
    return aim.errors(sigma, residuals, basis.norm, _eps(basis), seen)


def _eps(basis: GolubKahan) -> float:
    return float(np.finfo(basis.A.dtype).eps)


def _state(
    basis: GolubKahan,
    ritz: Ritz,
    aim: Aim,
    errors: NDArray[Any],
    n_iter: int,
    verified: bool,
    seen: bool,
) -> TripletState:
    k = aim.k
    U, V, P, Q = basis.U, basis.V, ritz.P[:, :k], ritz.Q[:, :k]
    sigma = ritz.sigma[:k]
    return TripletState(
        n_iter=n_iter,
        error=float(errors.max()),
        certified=True,
        form=lambda: V @ Q,
        form_rest=lambda X: Triplets(U @ P, sigma, X, ritz.residuals[:k] if seen else None),
        sigma=sigma,
        residuals=ritz.residuals[:k],
        verified=verified,
        norm=basis.norm,
    )


def _restart(basis: GolubKahan, ritz: Ritz, aim: Aim) -> None:
    """Keep what is wanted, its guard and a third of the rest, with room for a block."""
    room = basis.capacity - basis.F.shape[1]
    wanted = min(aim.k + GUARD, room)
    basis.restart(ritz, max(aim.k, wanted + (room - wanted) // 3))


def _search(basis: GolubKahan, ritz: Ritz, aim: Aim, block: int, taken: int) -> tuple[Ritz, bool]:
    """Search the complement of what converged from a random block.

    Where finding has `taken` many steps, so does looking: it has to tell apart as much.

    Returns the triplets of the whole, and whether none of the wanted ones is better than before.
    """
    if basis.complete:
        return ritz, True
    n = basis.A.shape[1]
    k = aim.k
    before = ritz.sigma[:k]
    share = share_of_steps(aim.residual, before, block, _STILL * _eps(basis) * basis.norm)
    least = _PROBE_STEPS if block > _NARROW else _PROBE_STEPS_NARROW
    room = _PROBE_ENTRIES // (sum(basis.A.shape) * block)
    steps = max(least, min(round(share * taken), _PROBE_STEPS_MOST, room))
    fresh = random_block(basis.rng, (n, min(block, n - k)), basis.A.dtype)
    basis.probe(ritz, k, fresh, k + steps * block)
    for _ in range(steps):
        if basis.full or basis.complete:
            break
        basis.expand()
    ritz = basis.ritz(aim.largest)
    gain = ritz.sigma[:k] - before if aim.largest else before - ritz.sigma[:k]
    return ritz, is_still(gain, before, basis.norm, aim)


def is_still(gain: NDArray[Any], sigma: NDArray[Any], norm: float, aim: Aim) -> bool:
    """Tell whether a search has found nothing better than what had converged.

    Parameters
    ----------
    gain : ndarray, shape (k,)
        By how much the singular values have moved towards the end that is sought.
    sigma : ndarray, shape (k,)
        What they were.
    norm : float
        Of A.
    aim : Aim
        What is wanted.

    Returns
    -------
    bool
        Whether all gains are what the tolerance and rounding leave open.
    """
    eps = float(np.finfo(sigma.dtype).eps)
    return bool((gain <= 10 * aim.residual * sigma + _STILL * eps * norm).all())
