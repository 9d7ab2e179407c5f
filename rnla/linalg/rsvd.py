"""Randomized singular value decomposition."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.checks import check_int, check_word
from rnla._core.rng import RNGLike, as_generator
from rnla.linalg.block import BlockOperator, as_block_operator
from rnla.linalg.orth import orthonormal_block
from rnla.linalg.range_finder import METHODS, TEST_MATRICES, find_range, finite_block


def rsvd(
    A: Any,
    k: int,
    *,
    oversample: int = 10,
    n_iter: int = 2,
    method: str = "power",
    sketch: str = "gaussian",
    rng: RNGLike = None,
    check_finite: bool = True,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Compute the leading singular triplets to low accuracy, from few passes.

    An orthonormal basis Q from `rnla.range_finder` makes the small matrix ``Q^H A``, whose singular
    value decomposition is exact: ``A ~ U diag(s) Vh``.

    Parameters
    ----------
    A : array_like, sparse matrix or LinearOperator, shape (m, n)
        In float32, float64, complex64 or complex128; integers count as float64. A LinearOperator
        needs ``rmatvec``.
    k : int
        How many triplets, in ``1..min(m, n)``.
    oversample : int, default 10
        Columns of the test matrix beyond k, 0 or more.
    n_iter : int, default 2
        Power steps, 0 or more.
    method : {"power", "block_krylov"}, default "power"
        See `rnla.range_finder`.
    sketch : {"gaussian", "rademacher", "sparse_sign", "count_sketch", "srht"}, optional
        Family of the test matrix.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Source of the test matrix, as in ``numpy.random.default_rng``.
    check_finite : bool, default True
        Refuse NaN and infinity in an explicit matrix.

    Returns
    -------
    U : ndarray, shape (m, k)
        Left singular vectors, orthonormal.
    s : ndarray, shape (k,)
        Singular values, descending. None of them exceeds that of A, but for rounding.
    Vh : ndarray, shape (k, n)
        Right singular vectors, conjugated, in rows.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If a shape or an option is out of range, or A holds NaN or infinity.

    See Also
    --------
    rnla.epsi : Triplets to full accuracy, corrected against A.

    Notes
    -----
    There is no certificate: the errors are of the size of the singular values that were left out,
    damped by ``2 n_iter + 1`` powers of their ratio to those wanted [1]_. For an answer that is
    right to the last digits use `rnla.epsi` or a Krylov method. Cost: ``2 n_iter + 2`` passes with
    ``k + oversample`` columns each.

    References
    ----------
    .. [1] N. Halko, P. G. Martinsson, J. A. Tropp, "Finding structure with randomness", SIAM Rev.
       53 (2011), 217-288.

    Examples
    --------
    >>> import numpy as np
    >>> import rnla
    >>> A = np.vander(np.linspace(0, 1, 500), 30)
    >>> U, s, Vh = rnla.rsvd(A, 4, rng=0)
    >>> np.allclose(s, np.linalg.svd(A)[1][:4])
    True
    """
    block = as_block_operator(A, check_finite=check_finite)
    check_word(method, "method", METHODS)
    check_word(sketch, "sketch", TEST_MATRICES)
    k = check_int(k, "k", 1, min(block.shape))
    oversample = check_int(oversample, "oversample", 0)
    n_iter = check_int(n_iter, "n_iter", 0)
    return leading_triplets(block, k, oversample, n_iter, method, sketch, as_generator(rng))


def leading_triplets(
    A: BlockOperator,
    k: int,
    oversample: int,
    n_iter: int,
    method: str,
    sketch: str,
    rng: np.random.Generator,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Do what `rsvd` does with arguments that were checked.

    Parameters
    ----------
    A : BlockOperator, shape (m, n)
        The matrix.
    k, oversample, n_iter, method, sketch, rng
        As in `rsvd`.

    Returns
    -------
    U, s, Vh : ndarray
        The triplets.
    """
    Q = find_range(A, k + oversample, n_iter, method, sketch, rng)
    if Q.shape[1] < k:
        # The rank is smaller: zero singular values need vectors too.
        missing = np.zeros((A.shape[0], k - Q.shape[1]), Q.dtype)
        Q = np.hstack([Q, orthonormal_block(missing, Q, rng=rng)])
    Z = finite_block(A.adjoint(Q))
    W, s, Vh = np.linalg.svd(Z.conj().T, full_matrices=False)
    return Q @ W[:, :k], s[:k].copy(), Vh[:k].copy()
