"""Which Ritz values are wanted, and in which order eigenvalues are returned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WHICH = ("LM", "SM", "LA", "SA", "BE")


@dataclass(frozen=True)
class Selection:
    """The `k` values that `which` asks for.

    Attributes
    ----------
    which : str
        "LM", "SM", "LA", "SA" or "BE".
    k : int
        How many.
    """

    which: str
    k: int

    def order(self, theta: NDArray[Any]) -> NDArray[np.intp]:
        """Return indices that put the values most wanted first.

        Parameters
        ----------
        theta : ndarray, shape (m,)
            Real values.

        Returns
        -------
        ndarray of int, shape (m,)
            The first k are the wanted ones, the next would enter first.
        """
        if self.which == "LM":
            return np.argsort(-np.abs(theta), kind="stable")
        if self.which == "SM":
            return np.argsort(np.abs(theta), kind="stable")
        ascending = np.argsort(theta, kind="stable")
        if self.which == "SA":
            return ascending
        if self.which == "LA":
            return ascending[::-1]
        # Both ends: the highest, the lowest, the next highest and so on.
        both = np.empty_like(ascending)
        high = (len(theta) + 1) // 2
        both[::2] = ascending[::-1][:high]
        both[1::2] = ascending[: len(theta) - high]
        return both

    def keys(self, ordered: NDArray[Any]) -> NDArray[Any]:
        """Return numbers that never fall while a search space grows.

        Parameters
        ----------
        ordered : ndarray, shape (m,)
            Ritz values in the order of `order`.

        Returns
        -------
        ndarray, shape (m,)
            The larger, the more wanted (for "SM" they may fall all the same).
        """
        if self.which == "LM":
            return np.asarray(np.abs(ordered))
        if self.which == "SM":
            return np.asarray(-np.abs(ordered))
        if self.which == "BE":
            signs = np.ones(len(ordered))
            signs[1::2] = -1
            return ordered * signs
        return ordered if self.which == "LA" else -ordered

    def distance(self, ordered: NDArray[Any], radii: NDArray[Any]) -> float:
        """Return how far the values just outside are from being wanted.

        Parameters
        ----------
        ordered : ndarray, shape (m,)
            Ritz values in the order of `order`, more than k.
        radii : ndarray, shape (m,)
            How far each may be from an eigenvalue.

        Returns
        -------
        float
            Positive if none of them can reach the wanted ones.
        """
        k = self.k
        if self.which != "BE":
            keys = self.keys(ordered)
            return float(np.min(keys[k - 1] - keys[k:] - radii[k:]))
        wanted, rest = ordered[:k], ordered[k:]
        # With k = 1 there is no lower end.
        low = np.max(wanted[1::2], initial=-np.inf)
        gaps = np.minimum(np.min(wanted[::2]) - rest, rest - low)
        return float(np.min(gaps - radii[k:]))

    def ends(self, wanted: NDArray[Any]) -> list[tuple[int, float]]:
        """Return where values would have to be to take the place of a wanted one, but for "SM".

        Parameters
        ----------
        wanted : ndarray, shape (k,)
            Ritz values in the order of `order`.

        Returns
        -------
        list of (int, float)
            1 and what such values are above, or -1 and what they are below.
        """
        if self.which == "LM":
            least = float(np.abs(wanted).min())
            return [(1, least), (-1, -least)]
        if self.which == "BE":
            low = wanted[1::2]
            lower = [(-1, float(low.max()))] if len(low) else []
            return [(1, float(wanted[::2].min())), *lower]
        return [(1, float(wanted.min()))] if self.which == "LA" else [(-1, float(wanted.max()))]


def returned_order(
    values: NDArray[Any], which: str, *, vectors: bool, shifted: bool
) -> NDArray[np.intp]:
    """Return the order in which `scipy.sparse.linalg.eigsh` hands out these eigenvalues.

    Parameters
    ----------
    values : ndarray, shape (k,)
        Real.
    which : str
        As for `Selection`.
    vectors : bool
        Whether eigenvectors are returned as well: then values ascend.
    shifted : bool
        Whether `sigma` was given: then they ascend, too.

    Returns
    -------
    ndarray of int, shape (k,)
        Without vectors and `sigma` the most wanted value comes last.
    """
    if vectors or shifted or which in ("LA", "BE"):
        return np.argsort(values, kind="stable")
    if which == "SA":
        return np.argsort(-values, kind="stable")
    size = np.abs(values)
    return np.argsort(size if which == "LM" else -size, kind="stable")
