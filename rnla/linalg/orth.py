"""Orthonormal bases of blocks, in matrix products: CholeskyQR against block Gram-Schmidt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from rnla.linalg.factor import column_scale, equilibrating_scale
from rnla.linalg.tall import combination, dots, scaled_columns, squared_lengths, without

InnerProduct = Callable[[NDArray[Any]], NDArray[Any]]

# A unit column shorter than this many roundoffs after projection is rounding error.
_VANISHED = 100
# A round that leaves columns at least this long loses no orthogonality.
KEPT_LENGTH = 0.5
# By how much the orthonormalisation of a block may magnify what is left of it along the basis.
MOST_GROWTH = 8.0
_ROUNDS = 12
_PATIENCE = 4
_DRAWS = 4
# Roundoffs of the norm of M below which the square of a unit column is rounding error. The square
# of one in the null space of M may be negative by as much; by the root of it, M is indefinite.
_NULL = 100


class IndefiniteError(np.linalg.LinAlgError):
    """The square of a vector is negative in what was to be an inner product."""


@dataclass(frozen=True)
class _Metric:
    """An inner product, the norm of its matrix if known, and whether null vectors are left out."""

    inner: InnerProduct
    norm: float
    semidefinite: bool

    def visible(self, Q: NDArray[Any], squares: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell which columns are no null vectors, given their squares in M."""
        if not self.norm:
            return np.ones(len(squares), dtype=bool)
        unit, eps = self.norm * squared_lengths(Q), float(np.finfo(Q.dtype).eps)
        if (squares < -np.sqrt(eps) * unit).any():
            raise IndefiniteError("the inner product is not positive on the block")
        if not self.semidefinite:
            return np.ones(len(squares), dtype=bool)
        return np.asarray(squares > _NULL * eps * unit)


def orthonormal_block(
    X: NDArray[Any],
    basis: NDArray[Any] | None = None,
    *,
    inner: InnerProduct | None = None,
    basis_image: NDArray[Any] | None = None,
    inner_norm: float = 0.0,
    semidefinite: bool = False,
    floor: float = 0.0,
    projections: int = 0,
    rng: np.random.Generator | None = None,
) -> NDArray[Any]:
    """Orthonormalise a block, against a basis if one is given.

    With ``<x, y> = x^H M y``, M the identity by default, the columns of the result Q satisfy
    ``Q^H M Q = I`` and ``V^H M Q = 0`` to a few roundoffs, and span, with those of the basis V,
    what X and V span: up to columns that vanish.

    Parameters
    ----------
    X : ndarray, shape (n, b)
        The block, of any scale and rank.
    basis : ndarray, shape (n, m), optional
        V, with ``V^H M V = I``.
    inner : callable, optional
        Maps a block Z to ``M Z`` for Hermitian positive semidefinite M.
    basis_image : ndarray, shape (n, m), optional
        ``M V``, formed if not given.
    inner_norm : float, default 0
        The norm of M, if known: columns whose square is negative beyond rounding are refused then.
    semidefinite : bool, default False
        Whether M may be singular: directions that are null vectors up to rounding are then left
        out, by `inner_norm`.
    floor : float, default 0
        Columns of X at most this long (in the Euclidean norm) are noise and dropped: for residuals
        of an operator A a small multiple of ``eps * ||A||``.
    projections : int, default 0
        How often the block has been projected against the basis: after one projection a first round
        need not, after two only a block whose columns are nearly dependent has to be once more.
    rng : Generator, optional
        Directions that vanish are replaced by random ones, so that Q has ``min(b, n - m)``
        columns. Without it they are left out.

    Returns
    -------
    ndarray, shape (n, r)
        Q, in the dtype of X and V together.

    Raises
    ------
    numpy.linalg.LinAlgError
        If X holds NaN or infinity, or M is not positive on the block: `IndefiniteError` if a square
        is clearly negative.

    Notes
    -----
    In each round the block is projected (one product with V and one with its adjoint), then
    multiplied with the inverse Cholesky factor of its Gram matrix. Rounds follow until one of them
    has changed no length and no angle much: two as a rule [1]_. Where the Gram matrix is not safely
    positive, Householder QR with column pivoting takes its place (with M, Gram-Schmidt by
    columns), and directions shorter than ``100 eps`` of their column before projection are dropped.
    A round costs ``4 n m b + 4 n b^2`` flops.

    References
    ----------
    .. [1] L. Giraud, J. Langou, M. Rozloznik, "The loss of orthogonality in the Gram-Schmidt
       orthogonalization process", Comput. Math. Appl. 50 (2005), 1069-1075.
    """
    n, width = X.shape
    V = np.empty((n, 0), X.dtype) if basis is None else basis
    dtype = np.result_type(X, V)
    if inner is not None and basis_image is None:
        basis_image = inner(V) if V.shape[1] else V
    MV = V if basis_image is None else basis_image
    metric = None if inner is None else _Metric(inner, inner_norm, semidefinite)
    Q = _unit_columns(X.astype(dtype, copy=False), floor)
    Q = _orthonormal(Q, V, MV, metric, projections)
    if rng is None:
        return Q
    wanted = min(width, n - V.shape[1])
    for _ in range(_DRAWS):
        missing = wanted - Q.shape[1]
        if missing <= 0:
            break
        MQ = Q if inner is None else inner(Q)
        fresh = random_block(rng, (n, missing), dtype)
        fresh = _orthonormal(
            _unit_columns(fresh, 0.0), np.hstack([V, Q]), np.hstack([MV, MQ]), metric
        )
        Q = np.hstack([Q, fresh])
    return Q


def project_out(
    X: NDArray[Any], V: NDArray[Any], MV: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return ``X - V H`` and ``H = (M V)^H X``: one round of block Gram-Schmidt.

    Parameters
    ----------
    X : ndarray, shape (n, b)
        The block.
    V, MV : ndarray, shape (n, m)
        The basis and its product with M.

    Returns
    -------
    remainder : ndarray, shape (n, b)
        A new array.
    H : ndarray, shape (m, b)
        Coordinates.
    """
    if not (V.flags.f_contiguous and MV.flags.f_contiguous):
        H = MV.conj().T @ X
        return X - V @ H, H
    H = dots(MV, X)
    return without(X, V, H), H


def random_block(rng: np.random.Generator, shape: tuple[int, int], dtype: Any) -> NDArray[Any]:
    """Return standard normal entries, complex ones for a complex dtype.

    Parameters
    ----------
    rng : Generator
        Advanced.
    shape : tuple of int
        Of the block.
    dtype : dtype
        Float32, float64, complex64 or complex128.

    Returns
    -------
    ndarray
        The block.
    """
    X = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        return (X + 1j * rng.standard_normal(shape)).astype(dtype)
    return X.astype(dtype)


def _unit_columns(X: NDArray[Any], floor: float) -> NDArray[Any]:
    """Return the columns longer than `floor`, scaled by powers of two to about unit length."""
    limits = np.finfo(X.dtype)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        squares = squared_lengths(X)
        safe = ((squares > limits.tiny / limits.eps) & (squares < limits.max / 4)).all()
        if not safe:
            return _unit_columns_of_any_size(X, floor)
        lengths = np.sqrt(squares)
        near = (lengths >= 0.5) & (lengths <= 2.0)
        scale = np.where(near, 1.0, column_scale(lengths)).astype(X.real.dtype)
    keep = lengths > floor
    Q = X if near.all() else scaled_columns(X, scale)
    return Q if keep.all() else np.ascontiguousarray(Q[:, keep])


def _unit_columns_of_any_size(X: NDArray[Any], floor: float) -> NDArray[Any]:
    # A subnormal number of single precision would need a scale beyond its range.
    most = np.finfo(X.dtype).max / 4
    scale = np.minimum(equilibrating_scale(X), most).astype(X.real.dtype)
    Q = X * scale
    lengths = column_lengths(Q)
    if not np.isfinite(lengths).all():
        raise np.linalg.LinAlgError("the block to be orthonormalised holds NaN or infinity")
    # As quotients, for the lengths of X themselves may overflow.
    keep = (lengths > 0) & (lengths > floor * scale)
    return Q if keep.all() else np.ascontiguousarray(Q[:, keep])


def column_lengths(X: NDArray[Any]) -> NDArray[Any]:
    """Return the Euclidean norms of the columns, whose squares must be in range.

    Parameters
    ----------
    X : ndarray, shape (n, b)
        The block.

    Returns
    -------
    ndarray, shape (b,)
        Real.
    """
    return np.asarray(np.sqrt(squared_lengths(X)))


def lengths_of_any_size(X: NDArray[Any]) -> NDArray[Any]:
    """Return the Euclidean norms of the columns, whose squares may leave the range.

    Parameters
    ----------
    X : ndarray, shape (n, b)
        The block.

    Returns
    -------
    ndarray, shape (b,)
        In the real precision of X.
    """
    scale = equilibrating_scale(X)
    with np.errstate(over="ignore"):
        return np.asarray(column_lengths(X * scale) / scale, X.real.dtype)


def _orthonormal(
    Q: NDArray[Any],
    V: NDArray[Any],
    MV: NDArray[Any],
    metric: _Metric | None,
    projections: int = 0,
) -> NDArray[Any]:
    if metric is not None and Q.shape[1]:
        Q = _unit_in_norm(Q, metric)
    growth = 1.0
    for round_ in range(_ROUNDS):
        if Q.shape[1] == 0:
            return Q
        # What is left along V grows with the inverse factor of the block.
        skipped = round_ < projections and growth < MOST_GROWTH
        if V.shape[1] and not skipped:
            Q = _project(Q, V, MV)
        # A direction keeps its length from the second round on. What goes on vanishing is the
        # rounding error of an ill-conditioned M.
        shortest = KEPT_LENGTH if round_ >= _PATIENCE else _VANISHED * np.finfo(Q.dtype).eps
        Q, clean, factor = _orthogonalise(Q, metric, float(shortest))
        growth *= factor
        if clean and (not skipped or (projections > 1 and growth < MOST_GROWTH)):
            return Q
    raise np.linalg.LinAlgError("the inner product is not positive on the block")


def _project(Q: NDArray[Any], V: NDArray[Any], MV: NDArray[Any]) -> NDArray[Any]:
    """Project against V; twice, where so little is left that its rounding errors show."""
    left, _ = project_out(Q, V, MV)
    before, after = column_lengths(Q), column_lengths(left)
    eps = np.finfo(Q.dtype).eps
    if (after >= np.sqrt(eps) * before).all():
        return left
    keep = after > _VANISHED * eps * before
    left = left[:, keep] * (before[keep] / after[keep])
    return project_out(left, V, MV)[0]


def _unit_in_norm(Q: NDArray[Any], metric: _Metric) -> NDArray[Any]:
    """Scale columns of unit Euclidean length to unit length in the norm of M."""
    squares = np.einsum("ij,ij->j", Q.conj(), metric.inner(Q)).real
    keep = squares > _VANISHED * np.finfo(Q.dtype).eps * squares.max(initial=0.0)
    keep &= metric.visible(Q, squares)
    return np.asarray(Q[:, keep] / np.sqrt(squares[keep]))


def _orthogonalise(
    Q: NDArray[Any], metric: _Metric | None, shortest: float
) -> tuple[NDArray[Any], bool, float]:
    """Orthonormalise columns of at most unit length.

    Tell also whether little was changed, and by how much errors have grown.
    """
    eps = np.finfo(Q.dtype).eps
    MQ = Q if metric is None else metric.inner(Q)
    G = dots(Q, MQ)
    squares = np.diagonal(G).real
    lengths = np.sqrt(np.maximum(squares, 0.0))
    keep = lengths > shortest
    if metric is not None:
        keep &= metric.visible(Q, squares)
    if not keep.all():
        Q, MQ, G = Q[:, keep], MQ[:, keep], G[np.ix_(keep, keep)]
        lengths = lengths[keep]
    if len(lengths) == 0:
        return Q, True, 1.0
    G = G / (lengths[:, None] * lengths)
    inverse = inverse_cholesky(G, eps)
    if inverse is not None:
        close = float(np.abs(G - np.eye(len(G))).sum(axis=0).max()) < KEPT_LENGTH
        factor = inverse / lengths[:, None]
        unchanged = bool(close and lengths.min() > KEPT_LENGTH)
        return combination(Q, factor), unchanged, float(np.abs(factor).max())
    Q = Q / lengths
    if metric is not None:
        return _by_columns(Q, MQ / lengths, metric, shortest), False, np.inf
    W, R, _ = qr(Q, mode="economic", pivoting=True, check_finite=False)
    rank = int(np.count_nonzero(np.abs(np.diagonal(R)) > shortest))
    return np.ascontiguousarray(W[:, :rank]), False, np.inf


def inverse_cholesky(G: NDArray[Any], eps: float) -> NDArray[Any] | None:
    """Return the inverse of the Cholesky factor of a Gram matrix.

    Parameters
    ----------
    G : ndarray, shape (b, b)
        Of columns of unit length.
    eps : float
        Of the columns' precision.

    Returns
    -------
    ndarray, shape (b, b), or None
        T with ``T^H G T = I``, upper triangular; None if G is not safely positive.
    """
    try:
        L = np.linalg.cholesky(G)
        T: NDArray[Any] = np.triu(np.linalg.inv(L).conj().T)
    except np.linalg.LinAlgError:
        return None
    # Columns of G are of unit length, so the size of T is the condition of the block: its square
    # times eps is the orthogonality that is lost, itself the part of the span.
    return T if float(np.abs(T).max()) < eps**-0.25 else None


def _by_columns(
    Q: NDArray[Any], MQ: NDArray[Any], metric: _Metric, shortest: float
) -> NDArray[Any]:
    """Gram-Schmidt, twice for each column, with unit columns that may depend on each other."""
    kept = np.empty_like(Q)
    images = np.empty_like(Q)
    r = 0
    for j in range(Q.shape[1]):
        q, image = Q[:, j], MQ[:, j]
        for _ in range(2):
            h = images[:, :r].conj().T @ q
            q, image = q - kept[:, :r] @ h, image - images[:, :r] @ h
        square = float(np.vdot(q, metric.inner(q[:, None])[:, 0]).real)
        length = np.sqrt(max(square, 0.0))
        if metric.visible(q[:, None], np.array([square]))[0] and length > shortest:
            kept[:, r], images[:, r] = q / length, image / length
            r += 1
    return kept[:, :r].copy()
