"""Nyström approximations of Hermitian A, and what they are without one of their columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky, eigh, get_blas_funcs, qr, solve_triangular

from rnla.trace._rounds import norm

# Rounding errors of `W* A W` stay far below this many epsilons times the norms of its factors.
_SLACK = 16
_SUSPECT = 1e6
# Eigenvalues below this many epsilons of the largest one are rounding errors.
_CUTOFF = 8
_ROWS = 1024
_TALL = 4


@dataclass(frozen=True)
class Core:
    """The factored approximation ``B D B*`` of A from ``Y = A Omega``.

    Attributes
    ----------
    B : ndarray, shape (n, r)
        Factor; in the memory of Y.
    signs : ndarray, shape (r,)
        The diagonal of D, ±1.
    C : ndarray, shape (r, s)
        Without column i of Omega the approximation is ``B D B* - z_i z_i* / h_i``, with
        ``z_i = B D c_i``; c_i is zero where column i is a combination of the others.
    h : ndarray, shape (s,)
        Scalars of these downdates, ±1 for normalised c_i.
    shift : float
        B D B* approximates A plus this multiple of the identity.
    rank : int
        Numerical rank.
    dropped : ndarray, shape (s,)
        ``w_i* (A - B D B*) w_i``: what eigenvalues too small to be inverted hold.
    lost : float
        The size of what the trace of ``B D B*`` lacks by that.
    """

    B: NDArray[Any]
    signs: NDArray[np.float64]
    C: NDArray[Any]
    h: NDArray[np.float64]
    shift: float
    rank: int
    dropped: NDArray[np.float64]
    lost: float = 0.0

    def downdates(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Yield rows of the matrix with columns z_i, and where they stand."""
        C = (self.signs[:, None] * self.C).astype(self.B.dtype)
        for row in range(0, len(self.B), _ROWS):
            part = slice(row, row + _ROWS)
            yield part, self.B[part] @ C


def gram(Omega: NDArray[Any], Y: NDArray[Any], method: str) -> tuple[NDArray[Any], float]:
    """Return ``Omega* Y`` made Hermitian, and the size of rounding errors in it.

    Raises
    ------
    ValueError
        If it is not Hermitian to rounding, so that A cannot be.
    """
    H = (Omega.conj().T @ Y).astype(np.result_type(Y.dtype, np.float64))
    noise = _SLACK * float(np.finfo(Y.dtype).eps) * norm(Omega) * norm(Y)
    skew = norm(H - H.conj().T)
    if skew > noise:
        raise ValueError(
            f"`A` must be symmetric or Hermitian for method='{method}', but on the test vectors "
            f"w* A v and its transpose differ by {skew:.1e}; use method='xtrace'"
        )
    return 0.5 * (H + H.conj().T), noise


def semidefinite_core(Omega: NDArray[Any], Y: NDArray[Any]) -> Core:
    """Factor the Nyström approximation of a positive semidefinite matrix.

    Parameters
    ----------
    Omega : ndarray, shape (n, s)
        Test vectors.
    Y : ndarray, shape (n, s)
        ``A Omega``; destroyed.

    Returns
    -------
    Core
        From the Cholesky factor of ``Omega* (A + shift I) Omega``, or else from its eigenvectors.

    Raises
    ------
    ValueError
        If A is not Hermitian or not semidefinite.
    """
    n, s = Omega.shape
    eps = float(np.finfo(Y.dtype).eps)
    size = norm(Y)
    shift = eps * size / np.sqrt(n)
    Y += Y.dtype.type(shift) * Omega
    H, noise = gram(Omega, Y, "xnystrace")
    try:
        # The shift makes a definite matrix of rounding errors, too.
        if np.max(np.diagonal(H).real, initial=0.0) <= noise:
            raise LinAlgError
        R = cholesky(H, check_finite=False)
    except LinAlgError:
        Y -= Y.dtype.type(shift) * Omega
        return _eigen_core(Omega, Y, semidefinite=True, refuse_negative=True)
    _multiply_inverse(Y, R)
    C = solve_triangular(R, np.eye(s, dtype=R.dtype), trans="C", check_finite=False)
    # Rounding grows on the way through the pivots, so they only raise the suspicion.
    suspect = s > 0 and np.min(np.abs(np.diagonal(R))) ** 2 < _SUSPECT * noise
    rank = int(np.sum(np.linalg.eigvalsh(H) > noise)) if suspect else s
    return Core(Y, np.ones(s), C / np.linalg.norm(C, axis=0), np.ones(s), shift, rank, np.zeros(s))


def symmetric_core(Omega: NDArray[Any], Y: NDArray[Any], *, refuse_negative: bool = False) -> Core:
    """Factor the Nyström approximation of a Hermitian matrix that may be indefinite.

    Parameters
    ----------
    Omega : ndarray, shape (n, s)
        Test vectors.
    Y : ndarray, shape (n, s)
        ``A Omega``; destroyed.
    refuse_negative : bool
        Whether the caller said that A is semidefinite.

    Returns
    -------
    Core
        From the eigenvectors of ``Omega* A Omega``.

    Raises
    ------
    ValueError
        If A is not Hermitian, or has a negative eigenvalue that it should not have.
    """
    return _eigen_core(Omega, Y, semidefinite=False, refuse_negative=refuse_negative)


def _eigen_core(
    Omega: NDArray[Any], Y: NDArray[Any], *, semidefinite: bool, refuse_negative: bool
) -> Core:
    eps = float(np.finfo(Y.dtype).eps)
    H, noise = gram(Omega, Y, "xnystrace" if semidefinite else "xsymtrace")
    eigenvalues, V = eigh(H, check_finite=False)
    sizes = np.abs(eigenvalues)
    # If there is none, the approximation is a semidefinite matrix with the same products: they
    # cannot tell it from A.
    if refuse_negative and np.min(eigenvalues, initial=0.0) < -noise:
        raise ValueError(
            "`A` must be positive semidefinite for assume='psd' and method='xnystrace', but it has "
            f"a negative Rayleigh quotient: w* A w = {eigenvalues[0]:.1e} for a combination of the "
            "test vectors; use assume='hermitian'"
        )
    largest = np.max(sizes, initial=0.0)
    # If all of H is rounding errors, none of it can be inverted.
    kept = (sizes > _CUTOFF * eps * largest) & (largest > noise)
    kept &= (eigenvalues > 0) | (not semidefinite)
    lost = _lost(Y, V[:, ~kept], np.maximum(sizes[~kept], eps * largest))
    dropped = np.abs(V[:, ~kept]) ** 2 @ eigenvalues[~kept]
    values, V = eigenvalues[kept], V[:, kept]
    signs, roots = np.sign(values), np.sqrt(np.abs(values))
    scaled = V / roots
    _multiply(Y, scaled)
    B = Y[:, : len(values)]
    C = scaled.conj().T
    # h_i = e_i* H^-1 e_i; as z_i it is divided by its size.
    h = np.einsum("ij,i,ij->j", C.conj(), signs, C).real
    leverage = np.sum(np.abs(V) ** 2, axis=1)
    essential = (leverage > 1 - np.sqrt(eps)) & (h != 0)
    length = np.sqrt(np.abs(h))
    C = np.divide(C, length, out=np.zeros_like(C), where=essential)
    rank = int(np.sum(sizes > noise))
    return Core(B, signs, C, np.where(essential, np.sign(h), 1.0), 0.0, rank, dropped, lost)


def _lost(Y: NDArray[Any], V: NDArray[Any], sizes: NDArray[np.float64]) -> float:
    """Return the sum of ``||Y v_j||^2`` over the size of eigenvalue j."""
    squares = np.zeros(V.shape[1])
    for row in range(0, len(Y), _ROWS):
        squares += np.sum(np.abs(Y[row : row + _ROWS] @ V) ** 2, axis=0)
    with np.errstate(over="ignore"):
        return float(np.sum(squares / np.maximum(sizes, np.finfo(np.float64).tiny)))


def gram_inverse(Omega: NDArray[Any]) -> NDArray[Any]:
    """Return ``(Omega* Omega)^-1`` for random vectors."""
    n, s = Omega.shape
    double = np.result_type(Omega.dtype, np.float64)
    if n >= _TALL * s:
        # So many entries make columns nearly orthogonal: nothing is lost by forming their products.
        gram = Omega.conj().T @ Omega
        return np.asarray(np.linalg.inv(gram.astype(double)))
    R = np.zeros((0, s), double)
    for row in range(0, n, max(_ROWS, 2 * s)):
        # Row by row, as the QR factorization of Omega whole would take two copies of it.
        stacked = np.vstack([R, Omega[row : row + max(_ROWS, 2 * s)]])
        R = qr(stacked, mode="r", overwrite_a=True, check_finite=False)[0][:s]
    rows = solve_triangular(R, np.eye(s, dtype=double), check_finite=False)
    inverse: NDArray[Any] = rows @ rows.conj().T
    return inverse


def complement_factors(inverse: NDArray[Any], n: int) -> NDArray[np.float64]:
    """Return what gives the projection of each column, away from the others, its full length.

    Parameters
    ----------
    inverse : ndarray, shape (s, s)
        Of the Gram matrix of the columns, whose diagonal holds the squared inverse distances.
    n : int
        Their length.

    Returns
    -------
    ndarray, shape (s,)
        ``(n - s + 1) / dist(w_i, span of the others)^2``.
    """
    return np.asarray((n - len(inverse) + 1) * np.diagonal(inverse).real)


def pair_factors(inverse: NDArray[Any], n: int) -> NDArray[np.float64]:
    """Return the same for column i (rows) away from all but column j; the diagonal means nothing.

    Parameters
    ----------
    inverse : ndarray, shape (s, s)
        As above.
    n : int
        As above.

    Returns
    -------
    ndarray, shape (s, s)
        ``(n - s + 2) / dist^2``.
    """
    diagonal = np.diagonal(inverse).real
    squares = diagonal[:, None] - np.abs(inverse) ** 2 / diagonal
    return np.asarray((n - len(inverse) + 2) * squares)


def _multiply_inverse(Y: NDArray[Any], R: NDArray[Any]) -> None:
    """Overwrite Y with ``Y R^-1``."""
    (trsm,) = get_blas_funcs(("trsm",), (R,))
    for row in range(0, len(Y), _ROWS):
        part = slice(row, row + _ROWS)
        Y[part] = trsm(1.0, R, np.asfortranarray(Y[part], R.dtype), side=1, overwrite_b=True)


def _multiply(Y: NDArray[Any], V: NDArray[Any]) -> None:
    """Overwrite the first columns of Y with ``Y V``."""
    for row in range(0, len(Y), _ROWS):
        part = slice(row, row + _ROWS)
        Y[part, : V.shape[1]] = Y[part] @ V
