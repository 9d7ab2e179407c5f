"""Leverage scores: how much each row matters to the column space."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rnla._core.checks import as_inexact
from rnla._core.rng import RNGLike
from rnla.sketch._base import as_csr, check_finite
from rnla.sketch._operator import is_sparse
from rnla.sketch._sparse_sign import SparseSign

# Rows of A (as dense entries) that are multiplied at a time.
_BLOCK_ENTRIES = 1 << 20


def leverage_scores(
    A: Any, *, method: Literal["exact", "sketched"] = "sketched", rng: RNGLike = None
) -> NDArray[np.floating[Any]]:
    """Compute the leverage scores of the rows of a tall matrix.

    Score i is ``norm(Q[i])**2`` for any orthonormal basis Q of the columns of A: a number in
    [0, 1], and they sum to the rank.

    Parameters
    ----------
    A : array_like or sparse matrix, shape (m, n)
        Tall: at least as many rows as columns.
    method : {"sketched", "exact"}, default "sketched"
        "exact" orthonormalises A by Householder QR, which makes a sparse A dense. "sketched" takes
        the triangular factor from a sketch of A with ``4 n + 32`` rows: each score is then off by
        a factor between 0.4 and 4, which sampling forgives.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Source of the sketch, as in ``numpy.random.default_rng``.

    Returns
    -------
    ndarray, shape (m,)
        The scores, real.

    Raises
    ------
    TypeError
        If `A` does not hold numbers.
    ValueError
        If `A` is not a matrix, is wider than tall or holds NaN or infinity, or `method` is unknown.

    See Also
    --------
    RowSampling.from_matrix : Sample rows by their scores.

    Notes
    -----
    Both cost ``O(m n**2)`` flops; "sketched" spends them in matrix products, which are several
    times faster than a QR factorization, and needs memory for a block of rows only. Singular values
    below ``m * eps`` times the largest count as zero. Scores of a badly conditioned matrix are as
    ill-determined as its column space.

    References
    ----------
    .. [1] P. Drineas, M. Magdon-Ismail, M. W. Mahoney, D. P. Woodruff, "Fast approximation of
       matrix coherence and statistical leverage", J. Mach. Learn. Res. 13 (2012), 3475-3506.

    Examples
    --------
    >>> import numpy as np
    >>> from rnla.sketch import leverage_scores
    >>> A = np.vstack([np.eye(2), np.zeros((3, 2))])
    >>> leverage_scores(A, method="exact")
    array([1., 1., 0., 0., 0.])
    """
    A = as_rows(A, "A")
    m, n = A.shape
    if m < n:
        raise ValueError(f"`A` must have at least as many rows as columns, got shape {A.shape}")
    if method not in ("exact", "sketched"):
        raise ValueError(f'`method` must be "exact" or "sketched", got {method!r}')
    check_finite(A, "A")
    if n == 0:
        return np.zeros(m)
    d = 4 * n + 32
    if method == "exact" or m <= d:
        Q, R = np.linalg.qr(A.toarray() if is_sparse(A) else A)
        return _squared_row_norms(Q @ _range(np.linalg.svd(R), m))
    S = SparseSign.draw(d, m, rng=rng, dtype=A.real.dtype)
    _, values, Vh = np.linalg.svd(S @ A, full_matrices=False)
    keep = values > values[0] * m * np.finfo(values.dtype).eps
    basis = Vh.conj().T[:, keep] / values[keep]
    scores = np.empty(m, values.dtype)
    rows = max(1, _BLOCK_ENTRIES // n)
    for first in range(0, m, rows):
        scores[first : first + rows] = _squared_row_norms(A[first : first + rows] @ basis)
    return scores


def squared_row_norms(A: Any) -> NDArray[np.floating[Any]]:
    """Return the squared row norms of a dense or CSR matrix, relative to its largest entry."""
    check_finite(A, "A")
    data = A.data if is_sparse(A) else A
    # Scaled, so that no square overflows and not all of them underflow.
    peak = max(abs(data.real).max(initial=0), abs(data.imag).max(initial=0)) or 1
    if not is_sparse(A):
        return _squared_row_norms(A / peak)
    squares = _squared_row_norms((data / peak)[:, None])
    sums = np.zeros(A.shape[0], squares.dtype)
    np.add.at(sums, np.repeat(np.arange(A.shape[0]), np.diff(A.indptr)), squares)
    return sums


def as_rows(A: Any, name: str) -> Any:
    """Return a matrix as an ndarray or a CSR array of a supported dtype."""
    if is_sparse(A):
        if A.ndim != 2:
            raise ValueError(f"`{name}` must be a matrix, got shape {A.shape}")
        return as_csr(A, name)
    A = as_inexact(A, name)
    if A.ndim != 2:
        raise ValueError(f"`{name}` must be a matrix, got shape {A.shape}")
    return A


def _range(factors: Any, m: int) -> NDArray[Any]:
    U, values, _ = factors
    cutoff = values[0] * m * np.finfo(values.dtype).eps
    return U[:, values > cutoff]  # type: ignore[no-any-return]


def _squared_row_norms(A: NDArray[Any]) -> NDArray[np.floating[Any]]:
    if A.dtype.kind == "c":
        return _squared_row_norms(A.real) + _squared_row_norms(A.imag)
    sums: NDArray[np.floating[Any]] = np.einsum("ij,ij->i", A, A)
    return sums
