"""Whether a matrix can be an inner product, where its entries are at hand and a test is cheap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, eye_array
from scipy.sparse.linalg import splu

from rnla.eigen._validate import Request
from rnla.linalg.block import BlockOperator, DenseBlock, SparseBlock

# Sparse matrices of more rows are not factored for this alone: the search itself notices most.
_FACTORED_ROWS = 10_000


def check_inner_product(request: Request) -> None:
    """Raise unless the matrix whose inner product a search with a shift uses is semidefinite.

    Parameters
    ----------
    request : Request
        The checked call.

    Raises
    ------
    ValueError
        If A, in buckling mode, or M has a negative eigenvalue beyond rounding, or so many columns
        of zeros that there are no k finite eigenvalues.
    """
    buckling = request.mode == "buckling"
    B = request.A if buckling else request.M
    if B is None:
        return
    if not is_semidefinite(B):
        raise ValueError(requirement(request))
    rank = most_rank(B)
    if not buckling and rank < request.k:
        raise ValueError(too_few(request, rank))


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


def is_semidefinite(B: BlockOperator) -> bool:
    """Tell whether no eigenvalue is below ``-sqrt(eps) ||B||``, as far as a cheap test shows.

    Parameters
    ----------
    B : BlockOperator, shape (n, n)
        Hermitian.

    Returns
    -------
    bool
        True also where nothing is known.
    """
    if isinstance(B, DenseBlock):
        return _dense_is_semidefinite(B.todense())
    return not isinstance(B, SparseBlock) or _sparse_is_semidefinite(B.rows)


def most_rank(B: BlockOperator) -> int:
    """Return how many columns are not zero, n where that is not known.

    Parameters
    ----------
    B : BlockOperator, shape (n, n)
        Any matrix.

    Returns
    -------
    int
        At least the rank.
    """
    if isinstance(B, DenseBlock | SparseBlock):
        matrix: Any = B.todense() if isinstance(B, DenseBlock) else B.rows
        return int(np.count_nonzero(abs(matrix).sum(axis=0)))
    return B.shape[1]


def _dense_is_semidefinite(B: NDArray[Any]) -> bool:
    wide = np.complex128 if B.dtype.kind == "c" else np.float64
    shifted = np.array(B, wide)
    slack = _slack(float(np.abs(B).sum(axis=0).max(initial=0.0)), B.dtype)
    shifted.flat[:: len(B) + 1] += slack
    if not slack:
        return True
    try:
        np.linalg.cholesky(shifted)
    except np.linalg.LinAlgError:
        return False
    return True


def _sparse_is_semidefinite(B: Any) -> bool:
    n, diagonal = B.shape[0], B.diagonal().real
    sums = np.asarray(abs(B).sum(axis=0)).ravel()
    slack = _slack(float(sums.max(initial=0.0)), B.dtype)
    if (diagonal < -slack).any():
        return False
    # Gershgorin's circles, by far the most common case.
    if (2 * diagonal - sums >= -slack).all() or n > _FACTORED_ROWS:
        return True
    wide = np.complex128 if B.dtype.kind == "c" else np.float64
    shifted = csc_array(B.astype(wide) + slack * eye_array(n, dtype=wide))
    try:
        factors = splu(
            shifted,
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
    except RuntimeError:
        return False
    return has_positive_pivots(factors)


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


def _slack(scale: float, dtype: Any) -> float:
    return float(np.sqrt(np.finfo(dtype).eps)) * scale
