"""Nyström approximations of Hermitian A, and what they are without one of their columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky, eigh, get_blas_funcs, qr, solve_triangular

from rnla.trace._assumptions import check_definite, hermitian_part, inexact
from rnla.trace._rounds import norm

# Rounding errors of `W* A W` stay far below this many epsilons times the norms of its factors.
_SLACK = 16
_SUSPECT = 1e6
# What a form shows of an asymmetry of A may be as much smaller than the errors of its eigenvalues.
_UNSEEN = 4
# Eigenvalues below this many epsilons of the largest one are rounding errors.
_CUTOFF = 8
_ROWS = 256
_TALL = 4
_BLOCK_ROWS = 4096


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
    skew : ndarray, shape (r, s), or None
        ``D B^+ Y`` times the skew part of ``Omega* Y``, where that is more than rounding.
    """

    B: NDArray[Any]
    signs: NDArray[np.float64]
    C: NDArray[Any]
    h: NDArray[np.float64]
    shift: float
    rank: int
    dropped: NDArray[np.float64]
    lost: float = 0.0
    skew: NDArray[Any] | None = None

    def residuals(self) -> tuple[NDArray[Any] | float, NDArray[Any] | None]:
        """Return what an asymmetry of the products does to residuals.

        Without column i the approximation N is independent of w_i, so that ``(A - N) w_i`` is
        without bias for every A, if the products with w_i are taken as they are. Where they belong
        to a Hermitian matrix it is ``z_i (z_i* w_i) / h_i``.

        Returns
        -------
        along : ndarray, shape (s,), or 0
            To be added to ``z_i* w_i``: then it is that of the Hermitian part.
        rest : ndarray, shape (r, s), or None
            Columns f_i with ``B f_i`` to be added to the residual.
        """
        if self.skew is None:
            return 0.0, None
        image = self.signs[:, None] * self.skew
        along = np.einsum("ij,ij->j", self.C.conj(), image)
        rest = image - self.signs[:, None] * self.C * (along / self.h)
        return along, rest

    def trace(self) -> float:
        """Return the trace of ``B D B*``."""
        squares = np.zeros(self.B.shape[1])
        for row in range(0, len(self.B), _ROWS):
            block = np.abs(self.B[row : row + _ROWS])
            squares += np.einsum("ij,ij->j", block, block, dtype=np.float64)
        return float(np.sum(self.signs * squares))

    def downdates(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Yield rows of the matrix with columns z_i, and where they stand."""
        C = (self.signs[:, None] * self.C).astype(self.B.dtype)
        for row in range(0, len(self.B), _ROWS):
            part = slice(row, row + _ROWS)
            yield part, self.B[part] @ C


@dataclass(frozen=True)
class Form:
    """``Omega* A Omega``, made Hermitian.

    Attributes
    ----------
    H : ndarray, shape (s, s)
        Its Hermitian part.
    noise : float
        Size of the errors in it.
    skew : ndarray, shape (s, s), or None
        The other part, where it is more than rounding.
    limit : float
        Negative eigenvalues down to minus this one may be errors of the products.
    """

    H: NDArray[Any]
    noise: float
    skew: NDArray[Any] | None
    limit: float


def gram(Omega: NDArray[Any], Y: NDArray[Any], method: str) -> Form:
    """Return ``Omega* Y`` made Hermitian, and the size of errors in it.

    Raises
    ------
    ValueError
        If it is so far from Hermitian that A cannot be.
    """
    G = product_of_columns(Omega, Y)
    return form_of(G, norm(Omega) * norm(Y), float(np.finfo(Y.dtype).eps), method)


def form_of(G: NDArray[Any], size: float, eps: float, method: str) -> Form:
    """Do the work of `gram` for the product of factors whose norms have this product."""
    noise = limit = _SLACK * eps * size
    H, skew = hermitian_part(G, noise, eps, f"method='{method}'")
    if skew <= noise:
        return Form(H, noise, None, limit)
    # Products are not accurate to rounding: all is as far off as this part shows.
    G -= H
    return Form(H, _UNSEEN * skew, G, max(_UNSEEN * skew, inexact(H, eps)))


def product_of_columns(X: NDArray[Any], Y: NDArray[Any]) -> NDArray[Any]:
    """Return ``X* Y`` in double precision, without copies of the factors."""
    double = np.result_type(X.dtype, Y.dtype, np.float64)
    total = np.zeros((X.shape[1], Y.shape[1]), double)
    for row in range(0, len(X), _BLOCK_ROWS):
        part = slice(row, row + _BLOCK_ROWS)
        total += X[part].conj().T @ Y[part]
    return total


def semidefinite_core(Omega: NDArray[Any], Y: NDArray[Any], method: str = "xnystrace") -> Core:
    """Factor the Nyström approximation of a positive semidefinite matrix.

    Parameters
    ----------
    Omega : ndarray, shape (n, s)
        Test vectors.
    Y : ndarray, shape (n, s)
        ``A Omega``; destroyed.
    method : str
        For messages.

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
    shift = eps * norm(Y) / np.sqrt(n)
    _add(Y, shift, Omega)
    form = gram(Omega, Y, method)
    if form.skew is not None:
        # The same for the errors of these products in place of rounding.
        more = norm(form.skew) / np.sqrt(n * s)
        shift += more
        _add(Y, more, Omega)
        form = gram(Omega, Y, method)
    H, noise = form.H, form.noise
    try:
        # The shift makes a definite matrix of rounding errors, too.
        if np.max(np.diagonal(H).real, initial=0.0) <= noise:
            raise LinAlgError
        R = cholesky(H, check_finite=False)
    except LinAlgError:
        _add(Y, -shift, Omega)
        return _eigen_core(Omega, Y, method, semidefinite=True, refuse_negative=True)
    _multiply_inverse(Y, R)
    # Rounding grows on the way through the pivots, so they only raise the suspicion.
    suspect = s > 0 and np.min(np.abs(np.diagonal(R))) ** 2 < _SUSPECT * noise
    rank = int(np.sum(np.linalg.eigvalsh(H) > noise)) if suspect else s
    skew = form.skew
    del form, H
    if skew is not None:
        skew = solve_triangular(R, skew, trans="C", overwrite_b=True, check_finite=False)
    C = solve_triangular(R, np.eye(s, dtype=R.dtype), trans="C", check_finite=False)
    C /= np.linalg.norm(C, axis=0)
    return Core(Y, np.ones(s), C, np.ones(s), shift, rank, np.zeros(s), skew=skew)


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
    return _eigen_core(Omega, Y, "xsymtrace", semidefinite=False, refuse_negative=refuse_negative)


def _eigen_core(
    Omega: NDArray[Any], Y: NDArray[Any], method: str, *, semidefinite: bool, refuse_negative: bool
) -> Core:
    eps = float(np.finfo(Y.dtype).eps)
    form = gram(Omega, Y, method)
    noise, skew = form.noise, form.skew
    eigenvalues, V = eigh(form.H, check_finite=False)
    sizes = np.abs(eigenvalues)
    # If there is none, the approximation is a semidefinite matrix with the same products: they
    # cannot tell it from A.
    if refuse_negative:
        check_definite(eigenvalues, form.limit)
    del form
    largest = np.max(sizes, initial=0.0)
    # If all of H is rounding errors, none of it can be inverted.
    error = eps * largest if skew is None else noise
    kept = (sizes > max(_CUTOFF * eps * largest, error)) & (largest > noise)
    kept &= (eigenvalues > 0) | (not semidefinite)
    lost = _lost(Y, V[:, ~kept], np.maximum(sizes[~kept], error))
    dropped = np.abs(V[:, ~kept]) ** 2 @ eigenvalues[~kept]
    values, V = eigenvalues[kept], V[:, kept]
    signs, roots = np.sign(values), np.sqrt(np.abs(values))
    scaled = V / roots
    _multiply(Y, scaled)
    B = Y[:, : len(values)]
    C = scaled.conj().T
    skew = None if skew is None else C @ skew
    # h_i = e_i* H^-1 e_i; as z_i it is divided by its size.
    h = np.einsum("ij,i,ij->j", C.conj(), signs, C).real
    leverage = np.sum(np.abs(V) ** 2, axis=1)
    essential = (leverage > 1 - np.sqrt(eps)) & (h != 0)
    length = np.sqrt(np.abs(h))
    C = np.divide(C, length, out=np.zeros_like(C), where=essential)
    rank = int(np.sum(sizes > noise))
    return Core(B, signs, C, np.where(essential, np.sign(h), 1.0), 0.0, rank, dropped, lost, skew)


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
        return np.asarray(np.linalg.inv(product_of_columns(Omega, Omega)))
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


def pair_factors(inverse: NDArray[Any], n: int, rows: slice) -> NDArray[np.float64]:
    """Return the same for column i (rows) away from all but column j; the diagonal means nothing.

    Parameters
    ----------
    inverse : ndarray, shape (s, s)
        As above.
    n : int
        As above.
    rows : slice
        Which i.

    Returns
    -------
    ndarray, shape (p, s)
        ``(n - s + 2) / dist^2``.
    """
    diagonal = np.diagonal(inverse).real
    squares = diagonal[rows, None] - np.abs(inverse[rows]) ** 2 / diagonal
    return np.asarray((n - len(inverse) + 2) * squares)


def _add(Y: NDArray[Any], factor: float, X: NDArray[Any]) -> None:
    """Add a multiple of X to Y, without a copy of either."""
    for row in range(0, len(Y), _ROWS):
        part = slice(row, row + _ROWS)
        Y[part] += Y.dtype.type(factor) * X[part]


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
