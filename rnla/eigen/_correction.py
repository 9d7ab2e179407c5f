"""What a surrogate does for `eigsh`: corrections of residuals, and a start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.checks import check_finite_array
from rnla.eigen._basis import Ritz
from rnla.eigen._result import EigenResult
from rnla.eigen._select import Selection
from rnla.linalg.block import BlockOperator, as_block_operator
from rnla.linalg.orth import orthonormal_block
from rnla.linalg.range_finder import find_range
from rnla.linalg.surrogate import Surrogate

_LEAST_RANK, _RANK_FACTOR = 60, 3


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


def left_over(
    space: Ritz, selection: Selection, old: Surrogate | Preconditioned | None
) -> Surrogate | None:
    """Return the surrogate that a search leaves: its best Ritz pairs, and what was there before.

    Parameters
    ----------
    space : Ritz
        The search space.
    selection : Selection
        What was wanted.
    old : Surrogate, Preconditioned or None
        What corrected the residuals. On the search space the matrix takes its place.

    Returns
    -------
    Surrogate or None
        Of rank ``max(60, 3 k)`` at the most; None where nothing was left over.
    """
    m, most = len(space.theta), max(_LEAST_RANK, _RANK_FACTOR * selection.k)
    values = space.theta[:most]
    if isinstance(old, Surrogate):
        V = space.vectors(slice(0, most))
        V = np.hstack([V, orthonormal_block(old.basis.astype(V.dtype, copy=False), V)])
        C = old.basis.conj().T @ V
        H = (C.conj().T * (old.values - old.tail)) @ C + old.tail * np.eye(V.shape[1])
        H[: len(values), : len(values)] = np.diag(values)
        values, Z = np.linalg.eigh((H + H.conj().T) / 2)
        best = selection.order(values)[:most]
        U, values, tail = V @ Z[:, best], values[best], old.tail
    elif m > selection.k:
        U, rest = space.vectors(slice(0, most)), space.theta[most:]
        tail = float(rest.mean()) if len(rest) else 0.0
    else:
        return None
    order = np.argsort(-values, kind="stable")
    return Surrogate(basis=U[:, order], values=values[order].astype(U.real.dtype), tail=tail)


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
