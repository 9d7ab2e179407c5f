"""What can be known of a matrix that is to be an inner product, where a test is cheap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, eye_array
from scipy.sparse.linalg import splu

from rnla.eigen._validate import Request
from rnla.linalg.block import BlockOperator, DenseBlock, SparseBlock

# Sparse matrices of more rows are not factored for this alone: the search itself notices most.
_FACTORED_ROWS = 10_000
# Of up to so many rows, a sparse one that looks singular is decomposed like a dense one.
_DENSE_ROWS = 2000
# Roundoffs, times the order, that a pivot of a matrix must exceed to be none of a singular one.
_PIVOT = 100.0


@dataclass(frozen=True)
class InnerSpace:
    """The range of a semidefinite matrix: all vectors but for those without a length.

    Attributes
    ----------
    rank : int
        Its dimension, or more.
    is_known : bool
        Whether it is the dimension, and null vectors are given.
    zeros : ndarray of int or None
        Rows and columns of zeros.
    null : ndarray, shape (n, d), or None
        An orthonormal basis of the null space.
    """

    rank: int
    is_known: bool
    zeros: NDArray[np.intp] | None = None
    null: NDArray[Any] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether there is no null vector."""
        return self.zeros is None and self.null is None

    def part(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return the part of a block that is orthogonal to the null vectors.

        Parameters
        ----------
        X : ndarray, shape (n, b)
            Rows of zeros are cleared in place.

        Returns
        -------
        ndarray, shape (n, b)
            Of the same length in the inner product.
        """
        if self.zeros is not None:
            X[self.zeros] = 0
        if self.null is not None:
            X = X - (self.null @ (self.null.conj().T @ X)).astype(X.dtype, copy=False)
        return X


def checked_inner_space(request: Request) -> InnerSpace | None:
    """Return what is known of the inner product that a search with a shift uses.

    Parameters
    ----------
    request : Request
        The checked call.

    Returns
    -------
    InnerSpace or None
        None for the identity.

    Raises
    ------
    ValueError
        If A, in buckling mode, or M has a negative eigenvalue beyond rounding, or M a rank below k.
    """
    buckling = request.mode == "buckling"
    B = request.A if buckling else request.M
    if B is None:
        return None
    space = inner_space(B)
    if space is None:
        raise ValueError(requirement(request))
    if not buckling and space.rank < request.k:
        raise ValueError(too_few(request, space.rank))
    return space


def requirement(request: Request) -> str:
    """Return what the inner product of a call has to satisfy, as a message.

    Parameters
    ----------
    request : Request
        The checked call.

    Returns
    -------
    str
        One sentence.
    """
    if request.mode == "buckling":
        return "`A` must be positive definite where mode='buckling', got an indefinite matrix"
    if request.sigma is None or request.selection.which == "SM":
        return (
            "`M` must be positive definite where `sigma` is None or which='SM', got a matrix that "
            "is not"
        )
    return "`M` must be positive semidefinite where `sigma` is given, got an indefinite matrix"


def too_few(request: Request, count: int) -> str:
    """Return the message for a pencil with fewer than k finite eigenvalues.

    Parameters
    ----------
    request : Request
        The checked call.
    count : int
        How many there are.

    Returns
    -------
    str
        One sentence.
    """
    return (
        f"`M` must have rank at least k={request.k}, for there are no more finite eigenvalues: "
        f"got {count} of them beyond rounding"
    )


def inner_space(B: BlockOperator) -> InnerSpace | None:
    """Return what a cheap test shows of the range of a Hermitian matrix.

    Parameters
    ----------
    B : BlockOperator, shape (n, n)
        Hermitian.

    Returns
    -------
    InnerSpace or None
        None if an eigenvalue is below ``-sqrt(eps) ||B||``.
    """
    if isinstance(B, DenseBlock):
        return _of_dense(B.todense())
    return _of_sparse(B.rows) if isinstance(B, SparseBlock) else InnerSpace(B.shape[1], False)


def _of_dense(B: NDArray[Any]) -> InnerSpace | None:
    n, scale = len(B), float(np.abs(B).sum(axis=0).max(initial=0.0))
    wide = B.astype(np.complex128 if B.dtype.kind == "c" else np.float64)
    eps = float(np.finfo(B.dtype).eps)
    try:
        pivots = np.diagonal(np.linalg.cholesky(wide)).real ** 2
        if pivots.min() > _PIVOT * n * eps * scale:
            return InnerSpace(n, True)
    except np.linalg.LinAlgError:
        pass
    size, U = np.linalg.eigh(wide)
    if size[0] < -np.sqrt(eps) * scale:
        return None
    none = size <= n * eps * np.abs(size).max(initial=0.0)
    if not none.any():
        return InnerSpace(n, True)
    zeros = np.flatnonzero(np.abs(B).sum(axis=0) == 0)
    if len(zeros) == np.count_nonzero(none):
        return InnerSpace(n - len(zeros), True, zeros=zeros)
    return InnerSpace(n - int(np.count_nonzero(none)), True, null=U[:, none])


def _of_sparse(B: Any) -> InnerSpace | None:
    n, diagonal = B.shape[0], B.diagonal().real
    sums = np.asarray(abs(B).sum(axis=0)).ravel()
    scale, eps = float(sums.max(initial=0.0)), float(np.finfo(B.dtype).eps)
    if (diagonal < -np.sqrt(eps) * scale).any():
        return None
    zeros, rest = np.flatnonzero(sums == 0), np.flatnonzero(sums)
    known = InnerSpace(len(rest), True, zeros=zeros if len(zeros) else None)
    # Gershgorin's circles, by far the most common case.
    if (2 * diagonal - sums > _PIVOT * n * eps * scale)[rest].all():
        return known
    if (diagonal > 0)[rest].all() and B.nnz == len(rest):
        return known
    unknown = InnerSpace(n - len(zeros), False)
    if n > _FACTORED_ROWS:
        return unknown
    if len(zeros):
        B = B[rest][:, rest]
    pivots = _pivots(B)
    if pivots is not None and (pivots > _PIVOT * n * eps * scale).all():
        return known
    if n <= _DENSE_ROWS:
        space = _of_dense(B.toarray())
        if space is None or space.is_whole:
            return None if space is None else known
        return _padded(space, n, rest, zeros)
    pivots = _pivots(B + np.sqrt(eps) * scale * eye_array(B.shape[0]))
    return unknown if pivots is not None and (pivots > 0).all() else None


def _padded(
    space: InnerSpace, n: int, rest: NDArray[np.intp], zeros: NDArray[np.intp]
) -> InnerSpace:
    """Return the space of a matrix, given that of its rows and columns other than zero."""
    assert space.null is not None
    null = np.zeros((n, space.null.shape[1]), space.null.dtype)
    null[rest] = space.null
    return InnerSpace(space.rank, True, zeros=zeros if len(zeros) else None, null=null)


def _pivots(B: Any) -> NDArray[Any] | None:
    """Return the pivots of a Hermitian matrix, None if they are not on the diagonal."""
    try:
        factors = splu(
            csc_array(B).astype(np.complex128 if B.dtype.kind == "c" else np.float64),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
    except RuntimeError:
        return None
    symmetric = bool((factors.perm_r == factors.perm_c).all())
    return np.asarray(factors.U.diagonal().real) if symmetric else None


def has_positive_pivots(factors: Any) -> bool:
    """Tell whether LU factors took positive pivots from the diagonal, all of them.

    Parameters
    ----------
    factors : SuperLU
        Of a Hermitian matrix.

    Returns
    -------
    bool
        By Sylvester's law of inertia, whether that matrix is positive definite.
    """
    symmetric = bool((factors.perm_r == factors.perm_c).all())
    return symmetric and bool((factors.U.diagonal().real > 0).all())
