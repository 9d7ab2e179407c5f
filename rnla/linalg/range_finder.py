"""An orthonormal basis for the range of a matrix, from products with a random block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.checks import check_int, check_word
from rnla._core.rng import RNGLike, as_generator
from rnla._core.scan import is_finite
from rnla.linalg.block import BlockOperator, DenseBlock, SparseBlock, as_block_operator
from rnla.linalg.orth import orthonormal_block, random_block
from rnla.sketch import SKETCHES, SketchingOperator

METHODS = ("power", "block_krylov")
TEST_MATRICES = tuple(sorted(SKETCHES))
# Entries in each column of a sparse sign matrix.
_ZETA = 8


def range_finder(
    A: Any,
    size: int,
    *,
    n_iter: int = 2,
    method: str = "power",
    sketch: str = "gaussian",
    rng: RNGLike = None,
    check_finite: bool = True,
) -> NDArray[Any]:
    r"""Find an orthonormal basis Q that nearly contains the range of a matrix.

    With a random test matrix :math:`\Omega` of `size` columns, Q spans
    :math:`(A A^H)^q A\,\Omega` for ``method="power"``, and
    :math:`[A \Omega, (A A^H) A \Omega, \ldots, (A A^H)^q A \Omega]` for ``method="block_krylov"``,
    ``q = n_iter``.

    Parameters
    ----------
    A : array_like, sparse matrix or LinearOperator, shape (m, n)
        In float32, float64, complex64 or complex128; integers count as float64.
    size : int
        Columns of the test matrix, at least 1. Take 5 to 10 more than the rank wanted.
    n_iter : int, default 2
        Power steps q, 0 or more: each multiplies the weight of a singular value against smaller
        ones by the square of their ratio. 0 is enough where singular values fall fast.
    method : {"power", "block_krylov"}, default "power"
        The last block alone, or all of them: a larger basis, much more accurate for the same
        products.
    sketch : {"gaussian", "rademacher", "sparse_sign", "count_sketch", "srht"}, optional
        Family of the test matrix. "sparse_sign" reads an explicit A once at the cost of eight
        columns, whatever `size` is.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Source of the test matrix, as in ``numpy.random.default_rng``.
    check_finite : bool, default True
        Refuse NaN and infinity in an explicit matrix.

    Returns
    -------
    ndarray, shape (m, r)
        Q, with ``r <= min(size, m, n)``, for "block_krylov" ``r <= min((q + 1) size, m, n)``:
        fewer where the rank of A is smaller.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If a shape or an option is out of range, or A holds NaN or infinity.

    See Also
    --------
    rnla.rsvd : Singular triplets from such a basis.

    Notes
    -----
    Every product is orthonormalised before the next, so that no direction drowns in rounding. For
    a Gaussian test matrix with `size` = k + p columns, p >= 2, and no power steps [1]_

    .. math:: E \|A - Q Q^H A\|_F \le \Big(1 + \frac{k}{p-1}\Big)^{1/2}
        \Big(\sum_{j>k} \sigma_j^2\Big)^{1/2}.

    Cost: ``2 n_iter + 1`` passes over A, each a product with `size` columns, and
    ``O((m + n) size^2)`` flops for each. It fails to be accurate, not to be orthonormal, where
    singular values decay slowly: then take "block_krylov".

    References
    ----------
    .. [1] N. Halko, P. G. Martinsson, J. A. Tropp, "Finding structure with randomness", SIAM Rev.
       53 (2011), 217-288.
    .. [2] C. Musco, C. Musco, "Randomized block Krylov methods for stronger and faster approximate
       singular value decomposition", NeurIPS 2015, arXiv:1504.05477.

    Examples
    --------
    >>> import numpy as np
    >>> import rnla
    >>> A = np.vander(np.linspace(0, 1, 500), 30)
    >>> Q = rnla.range_finder(A, 8, rng=0)
    >>> Q.shape, bool(np.linalg.norm(A - Q @ (Q.T @ A)) < 1e-3 * np.linalg.norm(A))
    ((500, 8), True)
    """
    block = as_block_operator(A, check_finite=check_finite)
    check_word(method, "method", METHODS)
    check_word(sketch, "sketch", TEST_MATRICES)
    size = check_int(size, "size", 1)
    n_iter = check_int(n_iter, "n_iter", 0)
    return find_range(block, size, n_iter, method, sketch, as_generator(rng))


def find_range(
    A: BlockOperator,
    size: int,
    n_iter: int,
    method: str,
    sketch: str,
    rng: np.random.Generator,
) -> NDArray[Any]:
    """Do what `range_finder` does with arguments that were checked.

    Parameters
    ----------
    A : BlockOperator, shape (m, n)
        The matrix.
    size, n_iter, method, sketch, rng
        As in `range_finder`.

    Returns
    -------
    ndarray, shape (m, r)
        The basis.
    """
    m, n = A.shape
    size = min(size, m, n)
    Q = orthonormal_block(finite_block(random_product(A, size, sketch, rng)))
    basis = Q
    for _ in range(n_iter):
        Z = orthonormal_block(finite_block(A.adjoint(Q)))
        Y = finite_block(A.product(Z))
        if method == "block_krylov":
            Q = orthonormal_block(Y, basis)
            basis = np.hstack([basis, Q])
        else:
            Q = basis = orthonormal_block(Y)
        if Q.shape[1] == 0:
            break
    return basis


def finite_block(Y: NDArray[Any]) -> NDArray[Any]:
    """Return a product of A, or raise if it holds NaN or infinity.

    Parameters
    ----------
    Y : ndarray, shape (m, b)
        Of A or its adjoint with a finite block.

    Returns
    -------
    ndarray, shape (m, b)
        Y itself.

    Raises
    ------
    ValueError
        If an entry is NaN or infinite.
    """
    if not is_finite(Y):
        raise ValueError("`A` must not return NaN or infinity for finite vectors")
    return Y


def random_product(
    A: BlockOperator, size: int, sketch: str, rng: np.random.Generator
) -> NDArray[Any]:
    """Return ``A Omega`` for a random Omega with `size` columns of a family, in one pass.

    Parameters
    ----------
    A : BlockOperator, shape (m, n)
        The matrix.
    size : int
        Columns.
    sketch : str
        A name of `rnla.sketch.SKETCHES`.
    rng : Generator
        Advanced.

    Returns
    -------
    ndarray, shape (m, size)
        The product.
    """
    n = A.shape[1]
    if sketch == "gaussian":
        return A.product(random_block(rng, (n, size), A.dtype))
    S = draw_sketch(sketch, size, n, A.dtype, rng)
    if not isinstance(A, (DenseBlock, SparseBlock)):
        return A.product(S.todense().T)
    # A S^T = (S A^T)^T, by the kernels of the sketch.
    A.n_matvec += size
    A.n_passes += 1
    transposed = A.A.T if isinstance(A, DenseBlock) else A.columns
    return np.ascontiguousarray(S.multiply(transposed, "A").T)


def draw_sketch(
    sketch: str, d: int, m: int, dtype: Any, rng: np.random.Generator
) -> SketchingOperator:
    """Draw a sketch of a family for matrices of a dtype, with as few rows as one likes.

    Parameters
    ----------
    sketch : str
        A name of `rnla.sketch.SKETCHES`.
    d, m : int
        Shape.
    dtype : dtype
        Real or complex.
    rng : Generator
        Advanced.

    Returns
    -------
    SketchingOperator
        Real.
    """
    few = {"zeta": d} if sketch == "sparse_sign" and d < _ZETA else {}
    operator: SketchingOperator = SKETCHES[sketch].draw(
        d, m, rng=rng, dtype=np.finfo(dtype).dtype, **few
    )
    return operator
