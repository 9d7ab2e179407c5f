"""What a surrogate does for `eigsh`: corrections of residuals, and a start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.checks import check_finite_array
from rnla.eigen._plan import Correction
from rnla.eigen._result import EigenResult
from rnla.eigen._ritz import Ritz
from rnla.eigen._select import Selection
from rnla.linalg.block import BlockOperator, as_block_operator
from rnla.linalg.orth import orthonormal_block
from rnla.linalg.range_finder import find_range
from rnla.linalg.surrogate import Surrogate

_LEAST_RANK, _RANK_FACTOR = 60, 3
# In units of eps times the norm: a residual as short is rounding error. And of how many directions
# a mean is worth having.
_NOISE, _LEAST_OUTSIDE = 10.0, 0.5
# A correction that gains less than this so many times in a row is worse than none.
_GAIN, _STRIKES = 0.7, 2


@dataclass(frozen=True)
class Preconditioned:
    r"""Corrections by any approximate inverse P, projected against the Ritz vectors (Olsen).

    .. math:: t = P (r - X g), \qquad (X^H P X)\, g = X^H P r .

    Attributes
    ----------
    P : BlockOperator, shape (n, n)
        Approximates ``(A - theta I)^-1`` for the eigenvalues wanted, up to a factor.
    """

    P: BlockOperator

    def correct(self, R: NDArray[Any], shifts: NDArray[Any], X: NDArray[Any]) -> NDArray[Any]:
        """Return a correction for each residual.

        Parameters
        ----------
        R : ndarray, shape (n, b)
            Residuals.
        shifts : ndarray, shape (b,)
            Their Ritz values, which P knows nothing of.
        X : ndarray, shape (n, q)
            Orthonormal Ritz vectors.

        Returns
        -------
        ndarray, shape (n, b)
            Orthogonal to X; the residuals themselves where P gives NaN or infinity.
        """
        both = self.P.product(np.hstack([R, X]))
        if not np.isfinite(both).all():
            return R
        PR, PX = both[:, : R.shape[1]], both[:, R.shape[1] :]
        g = np.linalg.lstsq(X.conj().T @ PX, X.conj().T @ PR)[0]
        T = PR - PX @ g
        return np.asarray(T - X @ (X.conj().T @ T))


class Corrector:
    """Corrects residuals as long as that is worth more than the residuals alone.

    Parameters
    ----------
    correction : callable or None
        Maps residuals, their Ritz values and all wanted vectors to corrections.
    """

    def __init__(self, correction: Correction | None) -> None:
        self._correction = correction
        self._strikes, self._error = 0, np.inf

    @property
    def active(self) -> bool:
        """Whether there is a correction still."""
        return self._correction is not None

    def corrected(
        self, R: NDArray[Any], theta: NDArray[Any], X: NDArray[Any] | None, error: float
    ) -> NDArray[Any]:
        """Return corrected residuals, or these where the surrogate is of no help.

        Parameters
        ----------
        R : ndarray, shape (n, b)
            Residuals.
        theta : ndarray, shape (b,)
            Their Ritz values.
        X : ndarray, shape (n, k), or None
            All wanted vectors, while active.
        error : float
            Of the search, which corrections have to make fall.

        Returns
        -------
        ndarray, shape (n, b)
            Finite.
        """
        self._strikes = 0 if error < _GAIN * self._error else self._strikes + 1
        self._error = error
        if self._strikes > _STRIKES:
            self._correction = None
        if self._correction is None or X is None:
            return R
        D = self._correction(R, theta, X)
        return D if np.isfinite(D).all() else R


def as_surrogate(given: Any, n: int, dtype: np.dtype[Any]) -> Surrogate | Preconditioned:
    """Return what makes corrections from the caller's argument.

    Parameters
    ----------
    given : Surrogate, EigenResult, array_like, sparse matrix or LinearOperator
        The argument.
    n : int
        Order of the matrix.
    dtype : dtype
        Working precision.

    Returns
    -------
    Surrogate or Preconditioned
        With ``correct``.

    Raises
    ------
    ValueError
        If its order is another one, or it is complex and the matrix real.
    TypeError
        If it is a result without a surrogate.
    """
    if isinstance(given, EigenResult):
        if given.surrogate is None:
            raise TypeError("`surrogate` must be a result with a surrogate, got one without")
        given = given.surrogate
    kind: Surrogate | Preconditioned
    if isinstance(given, Surrogate):
        check_finite_array(given.basis, "surrogate")
        check_finite_array(given.values, "surrogate")
        shape, complex_, kind = (given.n, given.n), given.basis.dtype.kind == "c", given
    else:
        P = as_block_operator(given, "surrogate")
        shape, complex_, kind = P.shape, P.dtype.kind == "c", Preconditioned(P)
    if shape != (n, n):
        raise ValueError(f"`surrogate` must have shape {(n, n)}, got {shape}")
    if complex_ and dtype.kind != "c":
        raise ValueError("`surrogate` must be real where `A` is real")
    return kind


def sketched_surrogate(A: BlockOperator, rank: int, rng: np.random.Generator) -> Surrogate:
    """Return ``Q (Q^H A Q) Q^H`` for Q the range of A times a Gaussian matrix.

    Parameters
    ----------
    A : BlockOperator, shape (n, n)
        Hermitian.
    rank : int
        Columns of Q.
    rng : Generator
        Advanced.

    Returns
    -------
    Surrogate
        At the price of ``2 rank`` products.
    """
    Q = find_range(A, rank, 0, "power", "gaussian", rng)
    T = Q.conj().T @ A.product(Q)
    values, Z = np.linalg.eigh((T + T.conj().T) / 2)
    return Surrogate(basis=Q @ Z[:, ::-1], values=values[::-1].copy())


def most_left(k: int) -> int:
    """Return the rank of a surrogate at the most.

    Parameters
    ----------
    k : int
        Pairs that were wanted.

    Returns
    -------
    int
        More than k.
    """
    return max(_LEAST_RANK, _RANK_FACTOR * k)


def left_over(
    space: Ritz, selection: Selection, old: Surrogate | Preconditioned | None
) -> Surrogate | None:
    r"""Return the surrogate that a search leaves: what it has learned, and what was there before.

    With V the search space, ``P = V V^H`` and the products A V, which say more than the Ritz pairs,

    .. math:: \hat A_+ = P A P + (I - P) A P + P A (I - P) + (I - P) \hat A (I - P),

    the nearest Hermitian matrix to the old surrogate with ``A_+ V = A V``, cut to its rank.

    Parameters
    ----------
    space : Ritz
        The search space.
    selection : Selection
        What was wanted.
    old : Surrogate, Preconditioned or None
        What corrected the residuals.

    Returns
    -------
    Surrogate or None
        Of rank ``max(60, 3 k)`` at the most; None where nothing was left over.
    """
    k, most = selection.k, most_left(selection.k)
    part = slice(0, most)
    V, theta, rest = space.vectors(part), space.theta[part], space.theta[most:]
    if not isinstance(old, Surrogate):
        if len(space.theta) <= k:
            return None
        tail = float(rest.mean()) if len(rest) else 0.0
        old = Surrogate(basis=V[:, :0], values=theta[:0], tail=tail)
    # Without products, after a Lanczos search, nothing is known of A V outside of V.
    R = np.zeros_like(V) if space.W is None else space.residuals(part)
    floor = _NOISE * float(np.finfo(V.dtype).eps * np.abs(theta).max())
    fresh = orthonormal_block(R, V, floor=floor)
    Z = np.hstack([V, fresh])
    Z = np.hstack([Z, orthonormal_block(old.basis.astype(Z.dtype, copy=False), Z)])
    H = Z.conj().T @ old.product(Z)
    m, known = V.shape[1], V.shape[1] + fresh.shape[1]
    H[:m] = H[:, :m] = 0
    H[:m, :m] = np.diag(theta)
    H[m:known, :m] = fresh.conj().T @ R
    H[:m, m:known] = H[m:known, :m].conj().T
    values, Q = np.linalg.eigh((H + H.conj().T) / 2)
    tail = _outside(V, theta, R, old, k)
    # What inverses near the wanted values lose most if the tail takes its place: the difference of
    # 1 / (w - theta) and 1 / (mu - theta) is proportional to (w - mu) / (w - theta).
    wanted = selection.order(values)[:k]
    nearest = np.abs(values[:, None] - values[wanted]).min(axis=1)
    loss = np.full(len(values), np.inf)
    np.divide(np.abs(values - tail), nearest, out=loss, where=nearest > 0)
    loss[wanted] = np.inf
    best = np.sort(np.argsort(-loss, kind="stable")[:most])[::-1]
    return Surrogate(basis=Z @ Q[:, best], values=values[best].astype(V.real.dtype), tail=tail)


def _outside(
    V: NDArray[Any], theta: NDArray[Any], R: NDArray[Any], old: Surrogate, k: int
) -> float:
    """Return the number that stands best for A on the part of V that the old surrogate lacks.

    With D that part and shift the mean of the wanted values, ``(mu - shift)^-1`` is the multiple c
    that minimises ``||(A - shift) c D - D||_F``, as long as the wanted ones lie on one side.
    """
    C = old.basis.conj().T @ V
    lacking = V.shape[1] - float(np.linalg.norm(C) ** 2)
    if not old.rank or lacking < _LEAST_OUTSIDE:
        return old.tail
    # What the surrogate holds is taken at its word: the difference is of D.
    held, wanted = np.sum(np.abs(C) ** 2, axis=1), theta[:k]
    mean = float(theta.sum() - held @ old.values) / lacking
    if bool((wanted > mean).all() or (wanted < mean).all()):
        shift = float(wanted.mean())
        squares = float(np.sum((theta - shift) ** 2)) + float(np.linalg.norm(R)) ** 2
        squares -= float(held @ (old.values - shift) ** 2)
        mean = shift + squares / lacking / (mean - shift)
    return float(np.clip(mean, theta.min(), theta.max()))


def start_of(
    surrogate: Surrogate | Preconditioned, selection: Selection, given: NDArray[Any] | None
) -> NDArray[Any] | None:
    """Return the first directions: the caller's, completed by the surrogate's to k.

    Parameters
    ----------
    surrogate : Surrogate or Preconditioned
        The former has eigenvectors.
    selection : Selection
        What is wanted.
    given : ndarray, shape (n, p), or None
        The caller's.

    Returns
    -------
    ndarray, shape (n, q), or None
        None where there is nothing to start from.
    """
    missing = selection.k - (0 if given is None else given.shape[1])
    if missing <= 0 or not isinstance(surrogate, Surrogate):
        return given
    leading = surrogate.basis[:, selection.order(surrogate.values)[:missing]]
    return leading if given is None else np.hstack([given, leading.astype(given.dtype)])
