"""A start for singular triplets of a matrix with few columns: eigenvectors of its Gram matrix.

The matrix is read once for all columns, in the one product that BLAS is best at; what follows is of
the order of the smaller side. Squares cost digits of small singular values, so nothing is returned
from here: triplets are formed from products of A with the vectors, and judged by both residuals.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import get_blas_funcs

from rnla._core.threads import single_threaded_blas
from rnla.eigen._engine import solve_request
from rnla.eigen._golub_kahan import GolubKahan
from rnla.eigen._planning import Options
from rnla.eigen._select import Selection
from rnla.eigen._svds_check import Request
from rnla.eigen._svds_choose import Sizes
from rnla.eigen._svds_krylov import GUARD, Aim, TripletIteration, golub_kahan
from rnla.eigen._validate import Request as SquareRequest
from rnla.linalg.block import BlockOperator, DenseBlock, SparseBlock
from rnla.linalg.orth import random_block

# Order up to which the product costs no more than the steps that it saves: it takes as long as
# n / 80 readings of A and its adjoint. For sparse matrices it should also add no more than so many
# times n^2 numbers.
_MOST_COLUMNS, _MOST_SPARSE, _UPDATES = 1500, 700, 32
# Part of the norm down to which squares tell copies of a singular value apart.
_CLEAR = 1 / 64


def prefers_squares(request: Request, A: BlockOperator) -> bool:
    """Tell whether the Gram matrix is the faster start.

    Parameters
    ----------
    request : Request
        What is asked for.
    A : BlockOperator, shape (m, n)
        The matrix that would be searched, m >= n.

    Returns
    -------
    bool
        False where the caller has chosen the basis.
    """
    if not request.largest or request.solver == "krylov" or request.v0 is not None:
        return False
    if request.ncv is not None or request.maxiter is not None or request.block_size is not None:
        return False
    core, n = request.A, A.shape[1]
    if isinstance(core, DenseBlock):
        return request.k < n <= _MOST_COLUMNS
    if not isinstance(core, SparseBlock) or not request.k < n <= _MOST_SPARSE:
        return False
    rows = core.columns if core.shape[0] < core.shape[1] else core.rows
    counts = np.diff(rows.indptr).astype(np.float64)
    return float(counts @ counts) <= _UPDATES * n * n


def squares_started(
    A: BlockOperator, entries: Any, request: Request, aim: Aim, size: Sizes
) -> TripletIteration:
    """Yield triplets, first those that eigenvectors of ``A^H A`` give.

    Parameters
    ----------
    A : BlockOperator, shape (m, n)
        View of a dense or sparse matrix with m >= n.
    entries : ndarray or csr_array, shape (m, n)
        Of that view.
    request : Request
        With the matrix, which counts products.
    aim : Aim
        What is wanted.
    size : Sizes
        Of block and basis.

    Yields
    ------
    TripletState
        Certified.
    """
    n = A.shape[1]
    k = min(aim.k + GUARD, n - 1)
    gram = DenseBlock(_gram(entries))
    request.A.n_matvec += n
    request.A.n_passes += 1
    squares = SquareRequest(
        A=gram, M=None, Minv=None, OPinv=None, dtype=A.dtype, selection=Selection("LA", k),
        sigma=None, mode="normal", start=None, ncv=None, maxiter=None, tol=aim.residual,
    )  # fmt: skip
    options = Options(
        method="auto", block_size=None, verify=aim.verify, surrogate=None, sketch_size=None,
        keep_surrogate=False, callback=None, rng=request.rng,
    )  # fmt: skip
    found = solve_request(squares, options).result
    with single_threaded_blas():
        # A random direction goes along: what the squares have hidden has a part in it.
        X = np.hstack([found.vectors, random_block(request.rng, (n, 1), A.dtype)])
        basis = GolubKahan(A, X[:, :0], size.capacity, request.rng)
        basis.adopt(X)
        least = float(np.sqrt(max(float(found.values.min()), 0.0)))
        searched = bool(found.verified) and least >= _CLEAR * basis.norm
        yield from golub_kahan(basis, aim, size.block, searched=searched)


def _gram(A: Any) -> NDArray[np.inexact]:
    """Return ``A^H A`` by the BLAS that belongs to LAPACK, whose threads NumPy's would disturb."""
    if not isinstance(A, np.ndarray):
        return np.asarray((A.T.conj() @ A).toarray())
    multiply = get_blas_funcs("gemm", (A,))
    if A.flags.f_contiguous:
        return np.asarray(multiply(1, A, A, trans_a=2))
    # (A^T)(A^T)^H, conjugated.
    return np.asarray(multiply(1, A.T, A.T, trans_b=2).conj())
