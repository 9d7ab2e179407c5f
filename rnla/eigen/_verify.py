"""Judgements: whether something was missed, and whether waiting, or going on, still pays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla.eigen._hidden import UNLIKELY, log_chance
from rnla.eigen._select import Selection

# The accuracy, in decimals, at which Ritz values of the complement tell what they have to. A random
# block of b columns may have less than a part d of what is expected along a vector, with
# probability d^b: so many digits that this is 1e-6 come on top.
_DIGITS = 1.0
# Columns from which on as many digits are asked for all the same.
_WIDTH = 4
# How much longer to look where a block was too narrow for the copies of an eigenvalue.
_SUSPICION = 3.0
_LEAST_STEPS = 3
_STEPS = 8
_OUTSIDE = 2
# How many times longer to wait for a value that is uncertain, and for one outside that may yet be
# wanted.
_LATER, _OPEN = 3, 1
# Values are a cluster if they differ by less than this part of them, and the same if by less than
# that.
_CLUSTER, _CLEAR = 1e-4, 1e-8
# Values rise by their residuals at the most, where nothing is missed.
_SLACK = 1.25
# What a Ritz value may rise yet, in units of its last rise.
_TREND = 3.0
# By how much an error has to fall in so many restarts.
_FALL, _RESTARTS = 0.1, 6


class Probe:
    """A search of the complement of the pairs found, from a random block.

    A Krylov space sees no more copies of a multiple eigenvalue than its starting block has columns.
    A missing copy is orthogonal to the pairs found, so it dominates a Krylov space of their
    complement after a few steps, if it exists [1]_.

    Parameters
    ----------
    selection : Selection
        What is wanted.
    theta : ndarray, shape (k,)
        The values found, most wanted first.
    allowed : ndarray, shape (k,)
        How far each may be from an eigenvalue.
    step : int
        Block steps made so far.
    share : float
        Steps to take at the most, in units of those made: where finding took long, so does looking.
    width : int or None
        Columns of the random block; None where a search has made it and it is not random.
    rows : int or None
        Of the block, if it is random in the Euclidean inner product.

    Attributes
    ----------
    chance : float
        That the complement hides something, as a decimal logarithm.

    References
    ----------
    .. [1] J. R. McCombs, A. Stathopoulos, "Iterative validation of eigensolvers", SIAM J. Sci.
       Comput. 28 (2006), 2337-2358.
    """

    def __init__(
        self,
        selection: Selection,
        theta: NDArray[Any],
        allowed: NDArray[Any],
        step: int,
        share: float,
        width: int | None,
        rows: int | None,
    ) -> None:
        self.selection = selection
        self.keys = selection.keys(theta)
        self.allowed = _SLACK * float(allowed.max())
        self.ends = [(sign, end + sign * self.allowed) for sign, end in selection.ends(theta)]
        self.start, self.rows = step, rows
        # Where a block sees a vector, this is by how much it may see another one less.
        self.doubt = 1.0 if width is None else 10.0 ** (UNLIKELY / width)
        self.chance = 0.0
        self.near: NDArray[Any] | float = -np.inf
        self.end = step + max(_STEPS, int(share * step))

    def verdict(
        self,
        theta: NDArray[Any],
        radii: NDArray[Any],
        step: int,
        T: NDArray[Any],
        coupling: NDArray[Any],
    ) -> bool | None:
        """Judge the Ritz values of the pairs found together with those of the complement.

        Parameters
        ----------
        theta, radii : ndarray, shape (m,)
            Ritz values, most wanted first, and how far each may be from an eigenvalue.
        step : int
            Block steps made so far.
        T : ndarray, shape (m, m)
            Projection of the operator on what the search has added to the pairs found.
        coupling : ndarray, shape (c, b)
            From its last block to the next one.

        Returns
        -------
        bool or None
            False if a wanted value was missed, True if not, None while it is too early to tell.
        """
        k = self.selection.k
        # A restart ends the recurrence.
        if self.rows is not None and len(T) == (step - self.start) * coupling.shape[1]:
            self.chance = log_chance(T, coupling, self.ends, self.rows)
        # Were a value beyond the wanted ones, the bound would not be so low.
        if self.chance <= -UNLIKELY:
            return True
        if np.max(self.selection.keys(theta[:k]) - self.keys) > self.allowed:
            return False
        uncertain = bool(np.max(radii[:k]) > self.allowed)
        if step >= self.end:
            # What has come among the wanted ones has to be known as well as they are.
            waited = (step - self.end) / (self.end - self.start)
            if uncertain:
                return False if waited >= _LATER else None
            waits = unresolved(self.selection, theta, radii, self.allowed)
            return None if waited < _OPEN and waits else True
        if len(theta) < k + _OUTSIDE:
            return None
        near = self.selection.keys(theta)[k : k + _OUTSIDE]
        risen = float(np.max(near - self.near))
        self.near = near
        if step < self.start + _LEAST_STEPS or uncertain:
            # What has come among the wanted ones and is still uncertain may yet rise.
            return None
        # A Ritz value that still rises has not come near the eigenvalue it will end at.
        seen = slice(0, k + _OUTSIDE)
        reach = self.doubt * radii[seen] + _TREND * max(risen, 0.0)
        return True if self.selection.distance(theta[seen], reach) > 0 else None


def unresolved(
    selection: Selection,
    theta: NDArray[Any],
    radii: NDArray[Any],
    allowed: float,
    near: float = _CLUSTER,
) -> bool:
    """Tell whether one of the next values may belong among the wanted ones.

    Parameters
    ----------
    selection : Selection
        What is wanted.
    theta, radii : ndarray, shape (m,)
        Ritz values, most wanted first, and how far each may be from an eigenvalue.
    allowed : float
        By how much wanted values may be wrong.
    near : float, default 1e-4
        How near such a value is, relative to the last wanted one.

    Returns
    -------
    bool
        False where there are none beyond the wanted ones.
    """
    k = selection.k
    seen, size = slice(0, min(len(radii), k + _OUTSIDE)), float(np.abs(theta[k - 1]))
    if len(theta[seen]) <= k:
        return False
    apart = selection.distance(theta[seen], np.zeros_like(radii[seen]))
    overlap = -selection.distance(theta[seen], radii[seen])
    return apart < near * size and overlap > max(allowed, _CLEAR * size)


def share_of_steps(tolerance: float, theta: NDArray[Any], width: int, allowed: float) -> float:
    """Return how long to search the complement, in units of the steps that finding took.

    Parameters
    ----------
    tolerance : float
        To which values were found.
    theta : ndarray, shape (k,)
        Ritz values.
    width : int
        Columns of a block.
    allowed : float
        How far each value may be from an eigenvalue.

    Returns
    -------
    float
        Larger where a value has as many copies as a block has columns, for those may hide others.
    """
    digits = _DIGITS + UNLIKELY / min(width, _WIDTH)
    share = digits / -float(np.log10(min(tolerance, 0.1)))
    # One column sees no copies at all, unless rounding has brought them in.
    width, ordered = max(width, 2), np.sort(theta)
    spread = ordered[width - 1 :] - ordered[: max(0, len(ordered) - width + 1)]
    return share * (_SUSPICION if (spread <= 4 * allowed).any() else 1.0)


class Patience:
    """Counts looks at an error that has stopped to fall."""

    def __init__(self) -> None:
        self.best = np.inf
        self.looks = 0

    def spent(self, error: float, looks: int) -> bool:
        """Take note of an error and tell whether it was not halved for so many looks.

        Parameters
        ----------
        error : float
            The present one.
        looks : int
            How many to wait.

        Returns
        -------
        bool
            Whether to stop waiting.
        """
        if error < self.best / 2:
            self.best, self.looks = error, 0
        else:
            self.looks += 1
        return self.looks >= looks


class Progress:
    """Follows an error from restart to restart."""

    def __init__(self) -> None:
        self.since: tuple[int, float] | None = None

    def ended(self, restarts: int, error: float) -> bool:
        """Take note of an error and tell whether it has fallen too little.

        Parameters
        ----------
        restarts : int
            How many there were.
        error : float
            The present one.

        Returns
        -------
        bool
            False until there were enough restarts since the first call, or the last answer.
        """
        if self.since is None:
            self.since = restarts, error
        start, before = self.since
        if restarts - start < _RESTARTS:
            return False
        self.since = restarts, error
        return error > _FALL * before
