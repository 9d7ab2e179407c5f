"""`row_norms`: norms of the rows of a matrix that is known by products with vectors.

E. N. Epperly, "Make the most of what you have: resource-efficient randomized algorithms for matrix
computations", PhD thesis, California Institute of Technology, 2025.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnla._core.checks import check_word
from rnla._core.rng import RNGLike, as_generator
from rnla.trace._assumptions import check_adjoint
from rnla.trace._basis import Basis, downdate
from rnla.trace._choose import with_default
from rnla.trace._diag_methods import SIGNS, Signs, XRowNorm
from rnla.trace._diagonal import Moments
from rnla.trace._estimate import Estimate
from rnla.trace._exact import identity_blocks
from rnla.trace._input import Operand, as_operand
from rnla.trace._left_out_rows import average_row_norms
from rnla.trace._methods import Exact, Hutchinson
from rnla.trace._rounds import Budget, Round, check_budget, finish, norm
from rnla.trace._vectors import VectorStream, check_kind

_ROWS = 256
_FEW = 6
# Squares that are off by so many roundoffs are equal.
_ROUNDOFFS = 16
_KINDS: tuple[type[Any], ...] = (XRowNorm, Hutchinson, Exact)


def row_norms(
    A: Any,
    matvecs: int | None = None,
    *,
    squared: bool = False,
    confidence: float = 0.95,
    method: str | XRowNorm | Hutchinson | Exact = "auto",
    test_vectors: Signs = "auto",
    adjoint: Any = None,
    block: int | None = None,
    shape: tuple[int, int] | int | None = None,
    dtype: Any = None,
    rng: RNGLike = None,
) -> Estimate:
    r"""Estimate the norms of the rows of a matrix that is known by products with vectors.

    With Q a basis of most of the row space, row i of A has the squared norm

    .. math:: \|a_i\|^2 = \|(A Q)_i\|^2 + \mathrm{E}\, |(A (I - Q Q^*)\, \omega)_i|^2 .

    Parameters
    ----------
    A : array_like, sparse matrix, LinearOperator or callable, shape (m, n)
        As for `rnla.trace`, of any shape.
    matvecs : int, optional
        Number of products with A and its adjoint; default 100. With n or more, and with m or more
        where there is an adjoint, the norms are exact.
    squared : bool, default False
        Return the squares, whose estimates are unbiased; the norms are their roots.
    confidence : float, default 0.95
        Default level of ``result.confidence_interval()``, for each row.
    method : {"auto", "xrownorm", "hutchinson", "exact"} or a method object
        "xrownorm" is the formula above with one test vector left out of Q at a time, and needs
        the adjoint; "hutchinson" has no Q: it is the estimate of Johnson and Lindenstrauss.
        "auto" takes the first where it can.
    test_vectors : {"auto", "signs", "steinhaus"}
        Entries ±1, or complex of modulus one. Default: signs, for complex A "steinhaus".
    adjoint : callable or LinearOperator, optional
        Products with the adjoint, where A is a callable or an operator that lacks them.
    block : int, optional
        Vectors that an operator or a callable gets at once, and that "hutchinson" keeps; default
        32. It bounds memory and does not change the result. Arrays are multiplied with 96 at once.
    shape : (int, int) or int, optional
        Of a callable.
    dtype : dtype, optional
        Of a callable; default float64.
    rng : {None, int, SeedSequence, BitGenerator, Generator}, optional
        Source of the test vectors, as in ``numpy.random.default_rng``.

    Returns
    -------
    Estimate
        With ``value`` and ``stderr`` of shape (m,).

    Raises
    ------
    ValueError
        If A holds or returns NaN or infinity, or an option is out of range.
    TypeError
        If an argument has the wrong type, or "xrownorm" finds no adjoint.

    See Also
    --------
    rnla.diag : The diagonal of A.
    rnla.sketch.leverage_scores : Leverage scores of an explicit matrix.

    Notes
    -----
    "xrownorm" makes three products for each test vector. Beside them, ``O((m + n) s^2)`` flops and
    at most ``(m + n) s + 2 s^2`` numbers of memory for s products. Where all singular values of A
    are equal, Q gains nothing and "hutchinson" has three times as many samples.

    Error bars of "xrownorm" are those of `rnla.diag`, the geometric mean of the spread of the
    samples and of the jackknife. Squares of few numbers are skewed: 95 % intervals hold 85 to 88 %
    of the norms where the singular values fall off a cliff, else 91 to 100 %.

    References
    ----------
    .. [1] E. N. Epperly, "Make the most of what you have: resource-efficient randomized algorithms
       for matrix computations", PhD thesis, California Institute of Technology, 2025.

    Examples
    --------
    Leverage scores are the squared row norms of ``A R^-1``, R a triangular factor of A:

    >>> import numpy as np
    >>> import rnla
    >>> from scipy.linalg import solve_triangular
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((5000, 60)) * rng.uniform(0.1, 3, (5000, 1))
    >>> R = np.linalg.qr(A, mode="r")
    >>> def whitened(X):
    ...     return A @ solve_triangular(R, X)
    >>> scores = rnla.row_norms(whitened, 40, shape=A.shape, squared=True, rng=1)
    >>> exact = np.sum(np.linalg.qr(A)[0] ** 2, axis=1)
    >>> ratio = scores.value / exact
    >>> bool(0.2 < ratio.min() and ratio.max() < 4)
    True
    """
    budget = with_default(check_budget(matvecs, None, 0.0, confidence))
    operand = as_operand(A, shape=shape, dtype=dtype, adjoint=adjoint, block=block, square=False)
    check_word(test_vectors, "test_vectors", SIGNS)
    chosen = _resolve(method, operand, budget, test_vectors)
    check_kind(test_vectors, operand.dtype)
    if rng is not None:
        as_generator(rng)
    operand.rescaled = True
    estimate = finish(_rounds(operand, chosen, budget, rng), operand, budget, degree=0)
    kind, unit = operand.real_dtype, operand.unit
    if squared:
        with np.errstate(over="ignore", under="ignore"):
            square = (estimate.value * unit * unit).astype(kind)
            return replace(estimate, value=square, stderr=estimate.stderr * unit * unit)
    value = np.sqrt(estimate.value)
    # d sqrt(x) = dx / (2 sqrt(x)); a row of zeros has the root of the error.
    stderr = np.divide(estimate.stderr, 2 * value, out=np.sqrt(estimate.stderr), where=value > 0)
    return replace(estimate, value=(unit * value).astype(kind), stderr=unit * stderr)


def _resolve(
    method: Any, operand: Operand, budget: Budget, test_vectors: Any
) -> XRowNorm | Hutchinson | Exact:
    if isinstance(method, _KINDS):
        if test_vectors != "auto":
            raise ValueError(
                "`test_vectors` must be left out when `method` is an object, which carries its own "
                "options"
            )
        given: XRowNorm | Hutchinson | Exact = method
        return given
    kind = XRowNorm(test_vectors=test_vectors).kind(complex_numbers=operand.dtype.kind == "c")
    name = method if isinstance(method, str) else repr(method)
    if name == "auto":
        if _exact_cost(operand) <= budget.left(0):
            name = "exact"
        elif budget.left(0) < _FEW or not operand.has_adjoint:
            name = "hutchinson"
        else:
            name = "xrownorm"
    if name == "xrownorm":
        return XRowNorm(test_vectors=test_vectors)
    if name == "hutchinson":
        vectors: Any = kind
        return Hutchinson(test_vectors=vectors)
    if name == "exact":
        return Exact()
    known = ", ".join(map(repr, ("auto", *(kind.name for kind in _KINDS))))
    raise ValueError(f"`method` must be one of {known} or a method object, got {method!r}")


def _exact_cost(operand: Operand) -> int:
    m, n = operand.shape
    return m if m < n and operand.has_adjoint else n


def _rounds(operand: Operand, method: Any, budget: Budget, rng: RNGLike) -> Iterator[Round]:
    n = operand.shape[1]
    left = budget.left(0)
    if isinstance(method, XRowNorm):
        operand.require_adjoint(f"method='{method.name}'")
    cost = _exact_cost(operand)
    if isinstance(method, Exact) or left >= cost:
        if left < cost:
            raise ValueError(f"`matvecs` must be at least {cost} for method='exact', got {left}")
        return _exact(operand)
    if isinstance(method, XRowNorm):
        if left < 3:
            raise ValueError(f"`matvecs` must be at least 3 for method='xrownorm', got {left}")
        kind = method.kind(complex_numbers=operand.dtype.kind == "c")
        return _xrownorm(operand, VectorStream.draw(n, kind, operand.dtype, rng), left // 3)
    kind = method.test_vectors
    if kind == "auto":
        kind = "steinhaus" if operand.dtype.kind == "c" else "signs"
    return _johnson_lindenstrauss(operand, VectorStream.draw(n, kind, operand.dtype, rng), left)


def _exact(operand: Operand) -> Iterator[Round]:
    m, n = operand.shape
    squares = np.zeros(m)
    if _exact_cost(operand) == n:
        for _, columns in identity_blocks(operand):
            squares += _row_squares(columns)
    else:
        for start in range(0, m, operand.width):
            part = slice(start, min(m, start + operand.width))
            E = np.zeros((m, part.stop - start), operand.dtype)
            E[np.arange(start, part.stop), np.arange(part.stop - start)] = 1
            squares[part] = _row_squares(operand.adjoint_product(E).T)
    eps = float(np.finfo(operand.dtype).eps)
    yield Round(value=squares, stderr=np.zeros(m), floor=eps * squares, method="exact", exact=True)


def _johnson_lindenstrauss(operand: Operand, vectors: VectorStream, count: int) -> Iterator[Round]:
    found = Moments(operand.shape[0], np.float64)
    for start in range(0, count, operand.width):
        W = vectors.columns(start, min(count, start + operand.width))
        Y = operand.product(W).astype(np.result_type(operand.dtype, np.float64))
        found.add(Y.real**2 + Y.imag**2)
    floor = float(np.finfo(operand.dtype).eps) * found.mean
    yield Round(
        value=found.mean,
        stderr=found.stderr(_ROUNDOFFS * floor, 2, vectors.kind),
        degrees_of_freedom=count - 1.0,
        floor=floor,
        method="hutchinson",
    )


def _xrownorm(operand: Operand, vectors: VectorStream, count: int) -> Iterator[Round]:
    Omega = vectors.columns(0, count)
    G = operand.product(Omega)
    basis = Basis(operand.shape[1], operand.dtype)
    Q = basis.extend(operand.adjoint_product(G))
    Z = operand.product(Q)
    check_adjoint(basis.R, Z, G)
    value, stderr = xrownorm_average(Omega, G, Q, basis.R, Z)
    size = norm(G) / np.sqrt(count)
    yield Round(
        value=value,
        stderr=stderr,
        degrees_of_freedom=count - 1.0,
        floor=float(np.finfo(operand.dtype).eps) * size * np.sqrt(value),
        method="xrownorm",
    )


def xrownorm_average(
    Omega: NDArray[Any], G: NDArray[Any], Q: NDArray[Any], R: NDArray[Any], Z: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average the squared row norms with one vector left out of the sketch each.

    Parameters
    ----------
    Omega : ndarray, shape (n, k)
        Test vectors.
    G : ndarray, shape (m, k)
        ``A Omega``.
    Q, R : ndarray, shapes (n, k) and (k, k)
        ``A* A Omega = Q R``.
    Z : ndarray, shape (m, k)
        ``A Q``.

    Returns
    -------
    mean : ndarray, shape (m,)
        Of the squared row norms of ``A P`` and the squares of ``A (I - P) w_i``, with P the
        orthogonal projector onto the span of all ``A* A w_j`` but ``A* A w_i``.
    stderr : ndarray, shape (m,)
        Its standard errors, as from `average_row_norms`.
    """
    down = downdate(R, float(np.finfo(Q.dtype).eps))
    W = (Q.conj().T @ Omega).astype(R.dtype)
    U = np.eye(len(R), dtype=R.dtype) if down.U is None else down.U
    W, S = U.conj().T @ W, down.S
    V, inner = S.conj().T @ W, S.conj().T @ S
    W, U, S = (M.astype(Q.dtype) for M in (U @ W, U, U @ S))
    mean, stderr = np.empty(len(G)), np.empty(len(G))
    for row in range(0, len(G), _ROWS):
        part = slice(row, row + _ROWS)
        mean[part], stderr[part] = average_row_norms(Z[part] @ S, G[part] - Z[part] @ W, V, inner)
        mean[part] += _row_squares(Z[part] @ U)
    # Norms of projections do not add up to less than zero, but for rounding.
    return np.maximum(mean, 0.0), stderr


def _row_squares(X: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.sum(np.abs(X).astype(np.float64) ** 2, axis=1))
