"""The Nystrom approximation of a positive semidefinite matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.checks import check_int, check_word
from rnla._core.rng import RNGLike, as_generator
from rnla.linalg.block import (
    BlockOperator,
    DenseBlock,
    OperatorBlock,
    SparseBlock,
    as_block_operator,
)
from rnla.linalg.orth import orthonormal_block, random_block
from rnla.linalg.range_finder import TEST_MATRICES, draw_sketch
from rnla.linalg.rpcholesky import checked_diagonal, pivoted_factor
from rnla.linalg.surrogate import Surrogate

_METHODS = ("sketch", "rpcholesky")
Columns = Callable[[NDArray[np.intp]], NDArray[Any]]


def nystrom(
    A: Any,
    rank: int,
    *,
    method: str | None = None,
    sketch: str = "gaussian",
    n_iter: int = 0,
    diagonal: Any = None,
    rng: RNGLike = None,
    check_finite: bool = True,
) -> Surrogate:
    r"""Approximate a positive semidefinite matrix from products with a few vectors, or columns.

    .. math:: \hat A = (A \Omega)\, (\Omega^H A\, \Omega)^{+} (A \Omega)^H = U \Lambda U^H,
        \qquad 0 \preceq \hat A \preceq A .

    Parameters
    ----------
    A : array_like, sparse matrix, LinearOperator or callable, shape (n, n)
        Hermitian positive semidefinite. A callable maps an array of b indices to those columns of
        the matrix, shape (n, b): a kernel matrix is then never formed.
    rank : int
        Columns of the test matrix, in ``1..n``.
    method : {"sketch", "rpcholesky"}, optional
        "sketch" multiplies A by a random test matrix; it is the default for a matrix or operator.
        "rpcholesky" takes columns of A with probabilities proportional to the diagonal of what is
        not yet approximated; it needs entries, and is the default for a callable.
    sketch : {"gaussian", "rademacher", "sparse_sign", "count_sketch", "srht"}, optional
        Family of the test matrix of "sketch".
    n_iter : int, default 0
        Power steps on the test matrix of "sketch", one pass each.
    diagonal : array_like, shape (n,), optional
        Of A, where A is callable.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Source of the test matrix or the pivots, as in ``numpy.random.default_rng``.
    check_finite : bool, default True
        Refuse NaN and infinity in an explicit matrix.

    Returns
    -------
    Surrogate
        With ``basis`` U, ``values`` (descending), ``product`` and ``solve``; of lower rank than
        asked for where A is of lower rank.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or entries are needed that an operator does not have.
    ValueError
        If a shape or an option is out of range, A holds or returns NaN or infinity, or A is seen
        not to be positive semidefinite.

    See Also
    --------
    rnla.rsvd : For general matrices.

    Notes
    -----
    "sketch" orthonormalises the test matrix and adds :math:`\nu = \epsilon \|A \Omega\|_F` to A, so
    that the Cholesky factor of the small matrix exists, and takes it off the eigenvalues [1]_.
    Where it does not exist nevertheless, the eigendecomposition of the small matrix replaces it.
    Cost: ``n_iter + 1`` passes with `rank` columns, and ``O(n rank^2)`` flops. The expected error
    is at most :math:`1 + k/(p - 1)` times the sum of the eigenvalues beyond the k-th, in the
    trace norm, for ``rank = k + p``.

    "rpcholesky" is randomly pivoted Cholesky [2]_: ``(rank + 1) n`` entries of A, those of proposed
    and rejected pivots on top, and ``O(n rank^2)`` flops.

    Eigenvalues come with an absolute error of ``eps`` times the largest. It is a poor surrogate
    where eigenvalues decay slowly, as those of a Laplacian do.

    References
    ----------
    .. [1] J. A. Tropp, A. Yurtsever, M. Udell, V. Cevher, "Fixed-rank approximation of a
       positive-semidefinite matrix from streaming data", NeurIPS 2017, arXiv:1706.05736.
    .. [2] Y. Chen, E. N. Epperly, J. A. Tropp, R. J. Webber, "Randomly pivoted Cholesky", Comm.
       Pure Appl. Math. 78 (2025), 995-1041.

    Examples
    --------
    >>> import numpy as np
    >>> import rnla
    >>> x = np.linspace(0, 1, 300)
    >>> kernel = lambda i: np.exp(-20 * (x[:, None] - x[i]) ** 2)
    >>> surrogate = rnla.nystrom(kernel, 20, diagonal=np.ones(300), rng=0)
    >>> K = kernel(np.arange(300))
    >>> bool(np.linalg.norm(surrogate.product(np.eye(300)) - K, 2) < 1e-5 * np.linalg.norm(K, 2))
    True
    """
    by_columns = callable(A) and not hasattr(A, "shape")
    method = ("rpcholesky" if by_columns else "sketch") if method is None else method
    check_word(method, "method", _METHODS)
    check_word(sketch, "sketch", TEST_MATRICES)
    n_iter = check_int(n_iter, "n_iter", 0)
    generator = as_generator(rng)
    if by_columns:
        if method != "rpcholesky":
            raise ValueError('`method` must be "rpcholesky" where `A` gives columns')
        if diagonal is None:
            raise ValueError("`diagonal` must be given where `A` gives columns")
        return _from_columns(A, checked_diagonal(diagonal), rank, generator)
    if diagonal is not None:
        raise ValueError("`diagonal` must be left out where `A` is a matrix or an operator")
    block = as_block_operator(A, check_finite=check_finite)
    n = block.shape[0]
    if block.shape != (n, n):
        raise ValueError(f"`A` must be square, got shape {block.shape}")
    rank = check_int(rank, "rank", 1, n)
    if method == "sketch":
        return nystrom_surrogate(block, rank, sketch, n_iter, generator)
    columns, entries = _entries(block)
    return _from_columns(columns, checked_diagonal(entries), rank, generator)


def nystrom_surrogate(
    A: BlockOperator, rank: int, sketch: str, n_iter: int, rng: np.random.Generator
) -> Surrogate:
    """Do what `nystrom` does by a sketch, with arguments that were checked.

    Parameters
    ----------
    A : BlockOperator, shape (n, n)
        The matrix.
    rank, sketch, n_iter, rng
        As in `nystrom`.

    Returns
    -------
    Surrogate
        With what it cost.
    """
    before = A.n_matvec, A.n_passes
    n = A.shape[0]
    if sketch == "gaussian":
        Omega = random_block(rng, (n, rank), A.dtype)
    else:
        S = draw_sketch(sketch, rank, n, A.dtype, rng)
        Omega = S.todense().T.astype(A.dtype)
    Q = orthonormal_block(Omega, rng=rng)
    for _ in range(n_iter):
        Q = orthonormal_block(A.product(Q), rng=rng)
    surrogate = _from_products(Q, A.product(Q))
    return replace(surrogate, n_matvec=A.n_matvec - before[0], n_passes=A.n_passes - before[1])


def _from_products(Q: NDArray[Any], Y: NDArray[Any]) -> Surrogate:
    """Return the surrogate of ``Y = A Q`` for orthonormal Q."""
    eps = np.finfo(Y.dtype).eps
    if not np.isfinite(Y).all():
        raise ValueError("`A` must not return NaN or infinity for finite vectors")
    unit = _unit(Y)
    Y = Y * unit
    nu = eps * float(np.linalg.norm(Y))
    shifted = Y + nu * Q
    core = Q.conj().T @ shifted
    try:
        L = np.linalg.cholesky((core + core.conj().T) / 2)
        B = np.linalg.solve(L, shifted.conj().T).conj().T
    except np.linalg.LinAlgError:
        nu = 0.0
        B = _by_eigenvectors(Q, Y, eps, unit)
    surrogate = _from_root(B, nu)
    return replace(surrogate, values=surrogate.values / unit)


def _unit(Y: NDArray[Any]) -> NDArray[Any]:
    """Return the power of two, in the real precision of Y, that brings its entries below one."""
    parts = (Y.real, Y.imag) if Y.dtype.kind == "c" else (Y,)
    largest = max(float(np.abs(part).max(initial=0.0)) for part in parts)
    most = np.finfo(Y.dtype).maxexp - 1
    exponent = -int(np.frexp(largest)[1]) if largest else 0
    return np.asarray(np.ldexp(1.0, min(exponent, most)), Y.real.dtype)


def _by_eigenvectors(
    Q: NDArray[Any], Y: NDArray[Any], eps: float, unit: NDArray[Any]
) -> NDArray[Any]:
    """Return B with ``B B^H = Y (Q^H Y)^+ Y^H``."""
    core = Q.conj().T @ Y
    values, Z = np.linalg.eigh((core + core.conj().T) / 2)
    largest = values.max(initial=0.0)
    if values.min(initial=0.0) < -np.sqrt(eps) * max(largest, -values.min(initial=0.0)):
        raise ValueError(
            "`A` must be positive semidefinite: a compression of it has the eigenvalues "
            f"{values.min() / unit:.2e} and {largest / unit:.2e}"
        )
    keep = values > len(values) * eps * largest
    return np.asarray(Y @ (Z[:, keep] / np.sqrt(values[keep])))


def _from_root(B: NDArray[Any], nu: float) -> Surrogate:
    """Return the surrogate ``B B^H - nu I`` in the span of B."""
    U, s, _ = np.linalg.svd(B, full_matrices=False)
    values = s * s - np.asarray(nu, s.dtype)
    keep = values > np.finfo(s.dtype).eps * values.max(initial=0.0)
    return Surrogate(basis=np.ascontiguousarray(U[:, keep]), values=values[keep])


def _from_columns(
    columns: Columns, diagonal: NDArray[np.float64], rank: int, rng: np.random.Generator
) -> Surrogate:
    rank = check_int(rank, "rank", 1, len(diagonal))
    F, evaluated, calls = pivoted_factor(columns, diagonal, rank, rng)
    return replace(_from_root(F, 0.0), n_matvec=evaluated, n_passes=calls)


def _entries(A: BlockOperator) -> tuple[Columns, NDArray[Any]]:
    """Return what gives columns of an explicit matrix, and its diagonal."""
    if isinstance(A, DenseBlock):
        dense = A.A
        return lambda i: np.asarray(dense[:, i]), np.diagonal(dense)
    if isinstance(A, SparseBlock):
        # Row i of the transpose is column i.
        transposed = A.columns
        return lambda i: np.asarray(transposed[i].toarray().T), transposed.diagonal()
    assert isinstance(A, OperatorBlock)
    raise TypeError(
        '`A` must be a matrix or a function that gives columns for method="rpcholesky": an '
        "operator has no entries"
    )
